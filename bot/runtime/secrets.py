"""Keep the bot's token from other processes of the machine."""

from __future__ import annotations

import ctypes
import logging
import os
import sys

from bot.config import remove_token_from_environment

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4


def protect_secrets() -> None:
    """Remove the token from the environment, and close this process to others of its user.

    Call it once the settings are read. Other processes of the user can then read neither
    /proc/PID/environ nor the memory of this one, and it dumps no core. Root still can.
    """
    remove_token_from_environment()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, *[ctypes.c_ulong(0)] * 4):
            log.warning("process stays readable: %s", os.strerror(ctypes.get_errno()))
