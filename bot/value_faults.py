"""Sentences for values that pydantic refuses, of options and of settings."""

from __future__ import annotations

import re

# Pydantic's message without "Input should be ", and what is expected.
_EXPECTED = (
    (r"greater than or equal to (\S+)", r"at least \1"),
    (r"greater than (\S+)", r"more than \1"),
    (r"less than or equal to (\S+)", r"at most \1"),
    (r"less than (\S+)", r"less than \1"),
    (r"a valid integer\b.*", "a whole number"),
    (r"a valid number\b.*", "a number"),
    (r"a finite number", "a finite number"),
    (r"a valid boolean\b.*", "on or off"),
    (r"a valid path.*", "a path"),
)


def plain_fault(message: str) -> str:
    """Return a message of pydantic in plain words; any other stays as it is."""
    message = message.removeprefix("Value error, ")
    wanted = message.removeprefix("Input should be ")
    if wanted == message:
        return message
    for pattern, plain in _EXPECTED:
        if re.fullmatch(pattern, wanted, re.DOTALL):
            return "expected " + re.sub(pattern, plain, wanted, flags=re.DOTALL)
    return f"expected {wanted}"
