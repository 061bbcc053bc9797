"""Sounds of packages are sorted into groups by their paths."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from genrec.training.detector.gather import PACKAGES, gather, group_of
from tests.synth import tone, write

TABLE = tomllib.loads(PACKAGES.read_text(encoding="utf-8"))
KEPT = (
    "asterisk-core-sounds-ru", "asterisk-core-sounds-it", "asterisk-moh", "wesnoth-1.16-music",
    "warzone2100-music", "hyperrogue-music", "singularity-music", "fretsonfire", "supertux-data",
)  # fmt: skip


def group(path: str) -> str:
    """Return the group of a path by the rules of its package."""
    rules = TABLE["packages"][path.partition("/")[0]]
    return group_of(path, rules, re.compile(TABLE["doubtful"]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("0ad-data/audio/music/a.ogg", "music/music-0ad-data"),
        ("0ad-data/audio/voice/greek/civ/a.ogg", "other/speech-greek+0ad-data"),
        ("0ad-data/audio/attack/a.ogg", "other/effects-0ad-data"),
        ("0ad-data/audio/interface/alarm/alarmvictory_1.ogg", ""),
        ("0ad-data/readme.ogg", ""),
        ("hedgewars-data/Data/Sounds/voices/Default_uk/a.ogg", "other/speech-uk+hedgewars-data"),
    ],
)
def test_rules_sort_files(path: str, expected: str) -> None:
    assert group(path) == expected


def test_packages_kept_for_judging_are_not_listed() -> None:
    names = TABLE["packages"]
    assert not [name for name in names if name.startswith(KEPT)]


def test_gather_links_unpacked_sounds_and_leaves_out_kept_languages(tmp_path: Path) -> None:
    for name in TABLE["packages"]:
        (tmp_path / "packages" / name).mkdir(parents=True)
    klettres = tmp_path / "packages" / "klettres-data" / "usr" / "share" / "klettres"
    for language in ("de", "ru"):
        (klettres / language).mkdir(parents=True)
        write(klettres / language / "a.wav", tone(0.2), 44100)
    counts = gather(tmp_path)
    assert counts == {"other/speech-de+klettres-data": 1}
    assert (tmp_path / "other" / "speech-de+klettres-data" / "00001.wav").stat().st_nlink == 2
    assert gather(tmp_path) == counts
