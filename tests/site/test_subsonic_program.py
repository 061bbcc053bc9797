"""The program of docs/opensubsonic.md works with the commands of the page, word by word."""

from __future__ import annotations

import re

from tests.site.subsonic_picture import shown


def test_the_pages_commands_and_program_find_similar_songs() -> None:
    lines = shown().splitlines()
    assert lines[0].startswith("like ")
    assert "gymnop" in lines[0].lower()
    assert len(lines) == 6
    assert all(re.fullmatch(r"[01]\.\d\d  .+ - .+", line) for line in lines[1:])
