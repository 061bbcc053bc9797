"""The desk: admission, cooldown, bounds, places in the queue, and the end."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import Declined
from bot.jobs.admission import Admission
from bot.logs import job_id
from genrec.errors import PoolClosed


class Clock:
    """A clock that tests turn."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(clock: Clock | None = None, **bounds: float) -> Admission:
    given = {"cooldown_s": 5, "per_server": 2, "in_all": 3, "workers": 1} | bounds
    return Admission(clock=clock or Clock(), **given)


def why(error: pytest.ExceptionInfo[Declined]) -> str:
    return error.value.key


async def test_one_question_a_person() -> None:
    at = admission()
    with at.admit(1, None), pytest.raises(Declined) as error, at.admit(1, None):
        pass
    assert why(error) == "own_job_running"


async def test_the_cooldown_begins_with_the_answer_and_ends() -> None:
    clock = Clock()
    at = admission(clock)
    with at.admit(1, None):
        clock.now += 60
    clock.now += 1.5
    with pytest.raises(Declined) as error, at.admit(1, None):
        pass
    assert (why(error), error.value.values) == ("cooldown", {"count": 4})
    with at.admit(1, None, at_once=True):
        pass
    clock.now += 5
    with at.admit(1, None):
        pass


async def test_bounds_of_a_server_and_in_all() -> None:
    at = admission()
    with at.admit(1, 7), at.admit(2, 7):
        with pytest.raises(Declined) as error, at.admit(3, 7):
            pass
        assert why(error) == "server_busy"
        with at.admit(3, 8):
            with pytest.raises(Declined) as error, at.admit(4, 9):
                pass
            assert why(error) == "everyone_busy"
    assert at.running == 0


async def test_a_released_person_may_ask_while_the_answer_is_delivered() -> None:
    at = admission(cooldown_s=0)
    with at.admit(1, 7) as job:
        at.release(job)
        with at.admit(1, 7):
            assert at.running == 2
        at.release(job)


async def test_a_long_task_counts_against_nobody() -> None:
    at = admission(in_all=1)
    with at.admit_background(1, 7), at.admit(1, 7):
        assert at.running == 2


async def test_places_in_the_queue() -> None:
    at = admission(in_all=9, workers=2)
    with at.admit(1, None) as a, at.admit(2, None) as b, at.admit(3, None) as c:
        for job in (a, b, c):
            job.analysing = True
        assert [at.place(job) for job in (a, b, c)] == [0, 0, 1]
        a.analysing = False
        assert at.place(c) == 0


async def test_the_job_is_known_to_the_log() -> None:
    with admission().admit(1, None) as job:
        assert job_id.get() == job.id
    assert job_id.get() == ""


async def test_people_whose_cooldown_is_over_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr("bot.jobs.admission._FORGET_ABOVE", 10)
    clock = Clock()
    at = admission(clock)
    for user in range(50):
        clock.now += 10
        with at.admit(user, None):
            pass
    assert len(at._last_asked) <= 12


async def test_closing_waits_then_ends_what_is_left() -> None:
    at, ended = admission(), []

    async def ask(user: int, seconds: float) -> None:
        with at.admit(user, None):
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                ended.append(user)
                raise

    tasks = [asyncio.create_task(ask(1, 0.05)), asyncio.create_task(ask(2, 60))]
    await asyncio.sleep(0)
    await at.close(finish_s=0.2, correct_s=1)
    assert ended == [2]
    assert at.running == 0
    with pytest.raises(PoolClosed), at.admit(3, None):
        pass
    await asyncio.gather(*tasks, return_exceptions=True)
