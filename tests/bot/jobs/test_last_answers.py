"""The last answer of each person: kept for some minutes, and by server."""

from __future__ import annotations

from bot.jobs.last_answers import KEPT_S, LastAnswer, LastAnswers
from genrec.types import Track

TRACK = Track(1, "Song", "Artist", "jazz", "starter:1")


def test_last_answer_is_that_of_the_person_on_the_server() -> None:
    last = LastAnswers()
    first, second = LastAnswer(TRACK, ()), LastAnswer(TRACK, (TRACK,))
    last.put((1, 5), first)
    last.put((1, 5), second)
    assert last.get((1, 5)) is second
    assert last.get((1, 6)) is None
    assert last.get((2, 5)) is None


def test_last_answer_is_forgotten_after_some_minutes() -> None:
    now = [0.0]
    last = LastAnswers(lambda: now[0])
    last.put((1, None), LastAnswer(TRACK, ()))
    now[0] = KEPT_S
    assert last.get((1, None)) is not None
    now[0] = KEPT_S + 1
    assert last.get((1, None)) is None
    assert last.get((1, None)) is None


def test_last_answers_of_many_people_are_bounded() -> None:
    last = LastAnswers()
    for user in range(2_001):
        last.put((user, None), LastAnswer(TRACK, ()))
    assert last.get((0, None)) is None
    assert last.get((2_000, None)) is not None


def test_person_who_deletes_their_data_has_no_last_answer() -> None:
    last = LastAnswers()
    for asker in ((1, None), (1, 5), (2, 5)):
        last.put(asker, LastAnswer(TRACK, ()))
    last.forget(1)
    assert last.get((1, None)) is None
    assert last.get((1, 5)) is None
    assert last.get((2, 5)) is not None
