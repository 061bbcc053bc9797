"""Keys of many tracks in custom ids: nothing is lost, and hostile keys are no tracks."""

from __future__ import annotations

import pytest

from bot.ui.custom_ids import MAX_KEY, packed_key, response_key, track_ids


@pytest.mark.parametrize("highest", [20, 5_000, 4_000_000])
def test_twenty_ids_fit_in_their_order(highest: int) -> None:
    ids = [highest - 3 * n if highest > 100 else n + 1 for n in range(20)]
    key = packed_key(ids)
    assert list(track_ids(key)) == ids
    assert len(key) <= MAX_KEY
    assert ":" not in key


def test_ids_that_do_not_fit_are_cut_at_the_end() -> None:
    ids = [2**62 + n for n in range(20)]
    found = track_ids(packed_key(ids))
    assert 0 < len(found) < 20
    assert list(found) == ids[: len(found)]


def test_few_ids_have_the_usual_key() -> None:
    assert packed_key([1, 2, 3]) == response_key([1, 2, 3]) == "1.2.3"
    assert packed_key([]) == "0"


@pytest.mark.parametrize(
    "key",
    ["_", "_00AA", "_99AAAA", "_ab12", "_05", "_05!!!!", "_64AAAA", "_07AQ", "_05" + "A" * 90],
)
def test_malformed_key_names_no_track(key: str) -> None:
    assert track_ids(key) == ()
