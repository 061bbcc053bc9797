"""Admission: turns, cooldown, limits, places in the queue, and the end of requests at a stop."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import RequestDeclined
from bot.jobs.admission import Admission, RequestLimits
from bot.logs import request_id
from genrec.errors import PoolClosed


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(
    clock: Clock | None = None, *, cooldown_s: float = 5, workers: int = 1, **limits: float
) -> Admission:
    given = {"per_guild": 2, "direct_messages": 9, "total": 3, "waiting_per_user": 0} | limits
    return Admission(
        cooldown_s=cooldown_s,
        limits=RequestLimits(**given),
        workers=workers,
        clock=clock or Clock(),
    )


def key_of(error: pytest.ExceptionInfo[RequestDeclined]) -> str:
    return error.value.key


async def test_second_request_of_a_user_is_declined() -> None:
    at = admission()
    with at.admit(1, None), pytest.raises(RequestDeclined) as error, at.admit(1, None):
        pass
    assert key_of(error) == "own_job_running"


async def test_cooldown_starts_with_the_response_and_ends() -> None:
    clock = Clock()
    at = admission(clock)
    with at.admit(1, None):
        clock.now += 60
    clock.now += 1.5
    with pytest.raises(RequestDeclined) as error, at.admit(1, None):
        pass
    assert (key_of(error), error.value.values) == ("cooldown", {"count": 4})
    with at.admit(1, None, quick=True):
        pass
    clock.now += 5
    with at.admit(1, None):
        pass


async def test_requests_above_the_limits_are_declined() -> None:
    at = admission()
    with at.admit(1, 7), at.admit(2, 7):
        with pytest.raises(RequestDeclined) as error, at.admit(3, 7):
            pass
        assert key_of(error) == "server_busy"
        with at.admit(3, 8):
            with pytest.raises(RequestDeclined) as error, at.admit(4, 9):
                pass
            assert key_of(error) == "everyone_busy"
    assert at.running == 0


async def test_direct_messages_share_one_limit() -> None:
    at = admission(direct_messages=2, total=9)
    with at.admit(1, None), at.admit(2, None):
        with pytest.raises(RequestDeclined) as error, at.admit(3, None):
            pass
        assert key_of(error) == "direct_messages_busy"
        with at.admit(3, 7):
            pass


async def test_links_of_a_guild_leave_room_for_its_uploads() -> None:
    at = admission(per_guild=4, total=9)
    with at.admit(1, 7, link=True), at.admit(2, 7, link=True), at.admit(3, 7, link=True):
        with pytest.raises(RequestDeclined) as error, at.admit(4, 7, link=True):
            pass
        assert key_of(error) == "links_busy"
        with at.admit(4, 7), pytest.raises(RequestDeclined) as error, at.admit(5, 7):
            pass
        assert key_of(error) == "server_busy"


async def test_links_of_all_guilds_leave_room_for_uploads() -> None:
    at = admission(total=4)
    with (
        at.admit(1, 7, link=True),
        at.admit(2, 8, link=True),
        at.admit(3, 9, link=True) as request,
    ):
        with pytest.raises(RequestDeclined) as error, at.admit(4, None, link=True):
            pass
        assert key_of(error) == "links_busy"
        with at.admit(4, None):
            at.release(request)
            with at.admit(5, None, link=True):
                pass


@pytest.mark.parametrize(
    ("limit", "share", "links"),
    [(1, 0.75, 1), (2, 0.75, 1), (10, 0.75, 7), (2, 0.9, 1), (9, 0.01, 1)],
)
def test_links_may_use_at_least_one_and_not_all(limit: int, share: float, links: int) -> None:
    limits = RequestLimits(total=1, per_guild=1, direct_messages=1, link_share=share)
    assert limits.for_links(limit) == links


async def test_release_without_cooldown_admits_the_next_request_at_once() -> None:
    at = admission(cooldown_s=60)
    with at.admit(1, 7) as request:
        at.release(request, cooldown=False)
    with at.admit(1, 7):
        pass
    with pytest.raises(RequestDeclined) as error, at.admit(1, 7):
        pass
    assert key_of(error) == "cooldown"


async def test_released_user_is_admitted_while_the_response_is_sent() -> None:
    at = admission(cooldown_s=0)
    with at.admit(1, 7) as request:
        at.release(request)
        with at.admit(1, 7):
            assert at.running == 2
        at.release(request)


async def test_background_request_counts_against_no_limit() -> None:
    at = admission(total=1)
    with at.admit_background(1, 7), at.admit(1, 7):
        assert at.running == 2


async def test_place_counts_the_requests_before() -> None:
    at = admission(total=9, workers=2)
    with at.admit(1, None) as a, at.admit(2, None) as b, at.admit(3, None) as c:
        for request in (a, b, c):
            request.analyzing = True
        assert [at.place(request) for request in (a, b, c)] == [0, 0, 1]
        a.analyzing = False
        assert at.place(c) == 0


async def test_log_context_has_the_request_id() -> None:
    with admission().admit(1, None) as request:
        assert request_id.get() == request.id
    assert request_id.get() == ""


async def test_users_after_their_cooldown_are_deleted(monkeypatch) -> None:
    monkeypatch.setattr("bot.jobs.admission._PRUNE_ABOVE", 10)
    clock = Clock()
    at = admission(clock)
    for user in range(50):
        clock.now += 10
        with at.admit(user, None):
            pass
    assert len(at._released_at) <= 12


def queueing(clock: Clock | None = None, **changes: float) -> Admission:
    """Return an admission in which two further requests of a user wait."""
    given = {"per_guild": 8, "total": 20, "waiting_per_user": 2} | changes
    return admission(clock, **given)


async def test_further_requests_of_a_user_wait_their_turn_in_order() -> None:
    at, ran = queueing(cooldown_s=0), []

    async def run(number: int) -> None:
        with at.admit(1, 7) as request:
            await at.turn(request)
            assert not request.waits
            ran.append(number)
            await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await asyncio.gather(*(run(number) for number in range(3)))
    assert ran == [0, 1, 2]
    assert at.running == 0
    assert not at._by_user
    assert not at._behind


async def test_turn_comes_after_the_cooldown(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = Clock(), []
    at = queueing(clock)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    monkeypatch.setattr("bot.jobs.admission.asyncio.sleep", sleep)
    with at.admit(1, 7):
        clock.now += 3
    clock.now += 1
    with at.admit(1, 7) as request:
        assert request.waits
        assert at.wait_s(request) == 4
        await at.turn(request)
        assert at.wait_s(request) == 0
    assert slept == [4]


async def test_expected_wait_counts_what_runs_and_waits_before() -> None:
    clock = Clock()
    at = queueing(clock)
    with at.admit(1, 7), at.admit(1, 7) as second, at.admit(1, 7) as third:
        assert at.wait_s(second) == 5 + 5  # the rest of a typical request, then the cooldown
        assert at.wait_s(third) == at.wait_s(second) + 5 + 5
        clock.now += 3
        assert at.wait_s(second) == 2 + 5
        clock.now += 60
        assert at.wait_s(second) == 1 + 5


async def test_requests_above_those_that_may_wait_are_declined() -> None:
    at = queueing()
    with at.admit(1, 7), at.admit(1, 7), at.admit(1, 7):
        with pytest.raises(RequestDeclined) as error, at.admit(1, 7):
            pass
        assert key_of(error) == "own_clips_waiting"
        with at.admit(2, 7):
            assert at.running == 4


async def test_long_wait_is_declined() -> None:
    at = queueing(cooldown_s=600)
    with at.admit(1, 7):
        with pytest.raises(RequestDeclined) as error, at.admit(1, 7):
            pass
        assert key_of(error) == "own_job_running"
    with pytest.raises(RequestDeclined) as error, at.admit(1, 7):
        pass
    assert (key_of(error), error.value.values) == ("cooldown", {"count": 600})


async def test_waiting_requests_leave_half_of_the_places_to_others() -> None:
    at = queueing(per_guild=4, total=6)
    with at.admit(1, 7), at.admit(1, 7), at.admit(1, 7):
        with pytest.raises(RequestDeclined) as error, at.admit(1, 7):
            pass
        assert key_of(error) == "own_clips_waiting"
        with at.admit(2, 7):
            with pytest.raises(RequestDeclined) as error, at.admit(2, 7):
                pass
            assert key_of(error) == "own_job_running"
        with at.admit(3, 8), at.admit(3, 8), pytest.raises(RequestDeclined), at.admit(3, 8):
            pass  # three of six wait already


async def test_request_that_may_not_wait_is_declined() -> None:
    at = queueing()
    with at.admit(1, 7), pytest.raises(RequestDeclined), at.admit(1, 7, may_wait=False):
        pass


async def test_quick_request_runs_beside_others_of_its_user_and_only_once() -> None:
    at = queueing()
    with at.admit(1, 7), at.admit(1, 7, quick=True) as quick:
        await at.turn(quick)
        with pytest.raises(RequestDeclined), at.admit(1, 7, quick=True):
            pass
        at.release(quick)
        with at.admit(1, 7, quick=True) as other:
            at.release(quick)
            assert at._quick == {1: other}


async def test_cancelled_request_gives_its_place_to_the_next() -> None:
    at, ran = queueing(cooldown_s=0), []

    async def run(number: int, seconds: float) -> None:
        with at.admit(1, 7) as request:
            await at.turn(request)
            ran.append(number)
            await asyncio.sleep(seconds)

    tasks = [asyncio.create_task(run(0, 60))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(run(n, 0)) for n in (1, 2)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert ran == [0, 2]
    assert at.running == 0


async def test_close_waits_then_cancels_the_rest() -> None:
    at, cancelled = admission(), []

    async def run(user: int, seconds: float) -> None:
        with at.admit(user, None):
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                cancelled.append(user)
                raise

    tasks = [asyncio.create_task(run(1, 0.05)), asyncio.create_task(run(2, 60))]
    await asyncio.sleep(0)
    await at.close(finish_s=0.2, correct_s=1)
    assert cancelled == [2]
    assert at.running == 0
    with pytest.raises(PoolClosed), at.admit(3, None):
        pass
    await asyncio.gather(*tasks, return_exceptions=True)
