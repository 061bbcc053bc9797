"""``genrec`` against a local Discord, for tests of the wizard: python run_setup.py URL WORDS..."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bot.cli.main import main
from bot.local_discord import patch_discord_py

if __name__ == "__main__":
    address, words = sys.argv[1], sys.argv[2:]
    sys.argv = ["genrec", *words]
    with patch_discord_py(address):
        main()
