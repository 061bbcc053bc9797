"""Claims of shards, lost leases and turns to identify, without Discord."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from bot import lease_keeper, sharding
from bot.errors import SettingsError
from bot.lease_keeper import LeaseKeeper, exclusive
from bot.runtime.lifecycle import CLOSE_AT_ONCE_S, CORRECT_AT_ONCE_S
from bot.sharding import (
    IdentifyTurns,
    ShardClaims,
    check_shards_here,
    held_shards,
    spans,
)
from db.connection import Database, open_db
from genrec.errors import CatalogueError, GenrecError
from tests.bot.fake_leases import FakeLeases, FakeServer


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(":memory:") as opened:
        yield opened


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "GRACE_S", 0.01)
    monkeypatch.setattr(sharding, "POLL_S", 0.05)
    monkeypatch.setattr(sharding, "TRY_S", 0.02)
    monkeypatch.setattr(lease_keeper, "TRY_S", 0.02)
    monkeypatch.setattr(lease_keeper, "RETAKE_S", 0.4)


def claims(db: Database, server: FakeServer, *, shards: int = 4, here: int = 0) -> ShardClaims:
    keeper = LeaseKeeper(FakeLeases(server))
    return ShardClaims(db=db, keeper=keeper, shards=shards, here=here)


async def test_processes_take_the_first_free_shards_up_to_their_limit(db, server) -> None:
    one, two = claims(db, server, here=3), claims(db, server, here=3)
    assert await one.claim(1) == [0, 1, 2]
    assert await two.claim(1) == [3]
    assert (one.wanted, two.wanted) == (0, 2)
    assert await two.claim(1) == []


async def test_limit_0_takes_all_shards(db, server) -> None:
    assert await claims(db, server).claim(1) == [0, 1, 2, 3]


async def test_recommended_number_is_used_if_none_is_set(db, server) -> None:
    only = claims(db, server, shards=0)
    assert await only.claim(2) == [0, 1]
    assert only.total == 2


async def test_another_number_of_shards_is_refused_while_a_process_runs(db, server) -> None:
    one = claims(db, server, shards=2, here=1)
    await one.claim(1)
    with pytest.raises(SettingsError, match=r"GENREC_SHARDS=4: another bot process .* with 2"):
        await claims(db, server, shards=4).claim(1)
    assert await claims(db, server, shards=0).claim(8) == [1], "the recommendation gives way"
    await one._keeper.release()


async def test_number_of_shards_changes_once_no_process_runs(db, server) -> None:
    one = claims(db, server, shards=2)
    await one.claim(1)
    await one._keeper.release()
    assert await claims(db, server, shards=4).claim(1) == [0, 1, 2, 3]


async def test_spare_with_an_old_number_of_shards_takes_none(db, server) -> None:
    first, spare, new = (claims(db, server, shards=n) for n in (2, 2, 4))
    assert (await first.claim(1), await spare.claim(1)) == ([0, 1], [])
    await first._keeper.release()
    assert await new.claim(1) == [0, 1, 2, 3]
    with pytest.raises(SettingsError, match=r"GENREC_SHARDS=2: another bot process .* with 4"):
        await spare.claim(1)
    assert sorted(server.holders) == [f"shard:{shard}/4" for shard in range(4)]


async def test_spare_without_a_number_of_its_own_follows_a_new_one(db, server) -> None:
    first, spare = claims(db, server, shards=2), claims(db, server, shards=0)
    new = claims(db, server, shards=4, here=3)
    assert (await first.claim(1), await spare.claim(1)) == ([0, 1], [])
    await first._keeper.release()
    assert await new.claim(1) == [0, 1, 2]
    assert await spare.claim(1) == [3]
    assert spare.total == 4


async def test_number_of_shards_stays_while_a_process_takes_its_lost_shard_again(
    db, server, monkeypatch
) -> None:
    monkeypatch.setattr(sharding, "GRACE_S", 0.3)
    leases = FakeLeases(server)
    one = ShardClaims(db=db, keeper=LeaseKeeper(leases), shards=2, here=0)
    await one.claim(1)
    leases.fault = CatalogueError("The database cannot be reached.")
    leases.lose()
    other = asyncio.create_task(claims(db, server, shards=4).claim(1))
    await asyncio.sleep(0.1)
    assert not server.holders.keys() & {"shard:0/2", "shard:1/2"}
    leases.fault = None
    with pytest.raises(SettingsError, match="with 2"):
        await other
    assert sorted(server.holders) == ["shard:0/2", "shard:1/2"]
    await one._keeper.release()


async def test_spare_takes_the_shard_that_falls_free(db, server) -> None:
    one, spare = claims(db, server, shards=1), claims(db, server, shards=1)
    await one.claim(1)
    waiting = asyncio.create_task(spare.wait(1))
    await asyncio.sleep(0.1)
    assert spare.spare
    assert not waiting.done()
    await one._keeper.release()
    assert await asyncio.wait_for(waiting, 5) == [0]
    assert not spare.spare


async def test_shard_whose_claim_was_cancelled_is_free_again(db, server, monkeypatch) -> None:
    monkeypatch.setattr(sharding, "GRACE_S", 60)
    one = claims(db, server, shards=2)
    claiming = asyncio.create_task(one.claim(1))
    await asyncio.sleep(0.1)
    assert sorted(server.holders) == ["shard:0/2", "shard:1/2"]
    claiming.cancel()
    await asyncio.gather(claiming, return_exceptions=True)
    assert not server.holders
    monkeypatch.setattr(sharding, "GRACE_S", 0)
    assert await one.claim(1) == [0, 1]


async def test_shards_of_a_claim_that_failed_half_way_are_free_again(db, server) -> None:
    one = claims(db, server, shards=3)
    server.refused = "shard:1/3"
    with pytest.raises(CatalogueError):
        await one.claim(1)
    assert not server.holders
    server.refused = ""
    assert await one.claim(1) == [0, 1, 2]


async def test_shards_are_used_after_the_grace_of_a_lost_connection(
    db, server, monkeypatch
) -> None:
    monkeypatch.setattr(sharding, "GRACE_S", 0.3)
    began, one = time.monotonic(), claims(db, server)
    await one.claim(1)
    assert time.monotonic() - began >= 0.3


def test_a_process_gives_up_before_another_uses_what_it_held(monkeypatch) -> None:
    monkeypatch.undo()
    until_gone_s = lease_keeper.RETAKE_S + lease_keeper.TRY_S + CORRECT_AT_ONCE_S + CLOSE_AT_ONCE_S
    assert until_gone_s + 1 <= sharding.GRACE_S, "a second for a busy event loop"


async def test_lost_lease_is_taken_again(server) -> None:
    leases = FakeLeases(server)
    keeper = LeaseKeeper(leases)
    assert await keeper.take("run:a")
    leases.lose()
    await asyncio.sleep(0.1)
    assert server.holders == {"run:a": leases}
    assert not keeper.lost.is_set()
    await keeper.release()
    assert not server.holders


async def test_lease_that_another_process_took_is_lost(server) -> None:
    leases = FakeLeases(server)
    keeper = LeaseKeeper(leases)
    await keeper.take("shard:0/1")
    leases.lose()
    assert await FakeLeases(server).take("shard:0/1")
    began = time.monotonic()
    await asyncio.wait_for(keeper.lost.wait(), 5)
    assert time.monotonic() - began < 1.0
    await keeper.release()


async def test_lease_whose_watch_fails_is_lost(server) -> None:
    leases = FakeLeases(server)
    keeper = LeaseKeeper(leases)
    await keeper.take("shard:0/1")
    leases.fault = RuntimeError("an error of the driver that has no sentence")
    leases.lose()
    assert await asyncio.wait_for(keeper.lost.wait(), 5)
    await keeper.release()


async def test_process_whose_database_cannot_be_reached_loses_its_leases(server) -> None:
    leases = FakeLeases(server)
    keeper = LeaseKeeper(leases)
    await keeper.take("shard:0/1")
    server.error = OSError("no route to host")
    leases.lose()
    assert await asyncio.wait_for(keeper.lost.wait(), 5)
    await keeper.release()


async def test_refused_connections_are_waited_for_because_no_server_runs(server) -> None:
    leases = FakeLeases(server)
    keeper = LeaseKeeper(leases, local=True)
    await keeper.take("shard:0/1")
    server.error = ConnectionRefusedError()
    leases.lose()
    await asyncio.sleep(0.8)
    assert not keeper.lost.is_set(), "twice RETAKE_S"
    server.error = None
    await asyncio.sleep(0.1)
    assert server.holders == {"shard:0/1": leases}
    await keeper.release()


async def test_refusal_of_another_machine_does_not_prove_that_no_server_runs(server) -> None:
    leases = FakeLeases(server)
    keeper = LeaseKeeper(leases)
    await keeper.take("shard:0/1")
    server.error = ConnectionRefusedError()
    began = time.monotonic()
    leases.lose()
    await asyncio.wait_for(keeper.lost.wait(), 5)
    assert time.monotonic() - began < 0.8, "twice RETAKE_S"
    await keeper.release()


async def test_refused_connections_are_not_waited_for_without_a_limit(server, monkeypatch) -> None:
    monkeypatch.setattr(lease_keeper, "REFUSED_S", 0.6)
    leases = FakeLeases(server)
    keeper = LeaseKeeper(leases, local=True)
    await keeper.take("shard:0/1")
    server.error = ConnectionRefusedError()
    leases.lose()
    assert await asyncio.wait_for(keeper.lost.wait(), 5)
    await keeper.release()


async def test_shards_of_a_bucket_take_turns_among_processes(server) -> None:
    one, two = (IdentifyTurns(FakeLeases(server), interval_s=0.3) for _ in range(2))
    one.max_concurrency = two.max_concurrency = 2
    began = time.monotonic()
    await one.take(0)
    await two.take(1)
    assert time.monotonic() - began < 0.2, "another bucket"
    await two.take(2)
    assert 0.3 <= time.monotonic() - began < 2
    await asyncio.sleep(0.5)
    assert not server.holders


async def test_turn_without_the_database_waits_its_time(server) -> None:
    server.error = OSError()
    began = time.monotonic()
    await IdentifyTurns(FakeLeases(server), interval_s=0.2).take(0)
    assert time.monotonic() - began >= 0.2


async def test_exclusive_block_waits_for_the_other(server) -> None:
    order = []

    async def work(name: str) -> None:
        async with exclusive(FakeLeases(server), "sync", wait_s=5):
            order.append(name)
            await asyncio.sleep(0.05)
            order.append(name)

    await asyncio.gather(work("a"), work("b"))
    assert order in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


async def test_exclusive_block_gives_up_in_a_sentence(server) -> None:
    await FakeLeases(server).take("sync")
    with pytest.raises(GenrecError, match="held the lease sync"):
        async with exclusive(FakeLeases(server), "sync", wait_s=0.05):
            pass


async def test_held_shards_lists_those_of_any_process(server) -> None:
    await FakeLeases(server).take("shard:2/4")
    assert await held_shards(FakeLeases(server), 4) == [2]


@pytest.mark.parametrize(
    ("shards", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 7], "0-2,7"), ([5, 4], "4-5")]
)
def test_spans_joins_neighbouring_shards(shards, text) -> None:
    assert spans(shards) == text


def test_sqlite_leaves_no_shards_to_other_processes() -> None:
    check_shards_here(4, 0)
    check_shards_here(4, 4)
    with pytest.raises(SettingsError, match=r"GENREC_SHARDS_HERE=2: .*postgresql://"):
        check_shards_here(4, 2)
