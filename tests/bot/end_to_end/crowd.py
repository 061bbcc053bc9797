"""People who ask several bot processes one question after the other, and what became of each."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bot.jobs.recovery import REPAIR_EVERY_S
from bot.local_discord import Interaction, Person, visible_text
from bot.local_discord.state import Channel, Guild
from bot.sharding import GRACE_S
from tests.bot.end_to_end.shared_bots import Bots, End, shard_of
from tests.bot.end_to_end.test_killed import fresh_clip, is_final

OFFLINE_S = 60  # the longest time after a kill until its shards are served again
# By then every dead process was corrected by each of the others that would do it once more.
SETTLED_S = REPAIR_EVERY_S + GRACE_S + 4
UNAVAILABLE = "isn't available right now"
# What a person reads of an unreachable database, and of a restart that took their question or
# refused it, in their language.
WORDS = {
    "en-US": (UNAVAILABLE, "The bot restarted", "The bot is restarting"),
    "de": ("gerade nicht verfügbar", "Der Bot wurde neu gestartet", "Der Bot startet neu"),
}
# A process that Discord sent a message is killed before it has read the message and stored its
# reply. That takes milliseconds; a machine whose cores are all busy may take this long.
UNREAD_S = 2.0
MENTION = "<@{}> what is this?"


@dataclass
class Outcome:
    """What became of the questions.

    ``answered``, ``corrected`` and ``unavailable`` are final answers: the genre or similar songs,
    the sentence after a restart, and the sentence about the database. ``unacknowledged`` commands
    failed, which Discord tells who used them. ``undelivered`` messages found no session of their
    shard, and ``unread`` ones a process that was killed before it had stored them. ``late`` answers
    are those to uploads that were asked again meanwhile.
    """

    answered: int = 0
    corrected: int = 0
    unavailable: int = 0
    unacknowledged: int = 0
    late: int = 0
    undelivered: int = 0
    unread: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def final(self) -> int:
        """The number of questions with a final answer, without the late ones."""
        return self.answered + self.corrected + self.unavailable - self.late


@dataclass
class Asked:
    """One question: when, of which shard and by whom, and a function that reads its answers."""

    at: float
    shard: int
    locale: str
    answers: Callable[[], list[dict[str, Any]]]
    counted: list[str] = field(default_factory=list)

    def texts(self) -> list[str]:
        """Return the final answers."""
        return [visible_text(message) for message in self.answers() if is_final(message)]

    def left(self) -> list[str]:
        """Return the messages that say that an answer follows."""
        return [visible_text(message) for message in self.answers() if not is_final(message)]


def finals(used: Interaction) -> list[dict[str, Any]]:
    """Return each final state of the one message: an answer that replaces another is a second."""
    return list(filter(is_final, used.history))


@dataclass(frozen=True)
class Doubt:
    """What a question met that is right only if a bot of its shard ended in this time."""

    shard: int
    since: float
    before: float
    what: str

    def excused_by(self, end: End) -> bool:
        """Return whether the end of a bot explains it."""
        return self.shard in end.shards and end.since <= self.before and end.until >= self.since


class Crowd:
    """People who ask one question after the other, on all shards and in direct messages."""

    def __init__(
        self, bots: Bots, guilds: list[Guild], people: list[Person], *, pause_s: float
    ) -> None:
        self._pause_s = pause_s
        self._bots = bots
        self._discord = bots.discord
        self._guilds = guilds
        self._people = people
        self.outcome = Outcome()
        self._counted: list[Asked] = []
        self._silent: list[Asked] = []
        self._doubts: list[Doubt] = []

    async def ask(self, questions: int) -> Outcome:
        """Ask this many questions, shared among the people; a lost event is asked again."""
        left = itertools.count(questions, -1)
        await asyncio.gather(*(self._one_person(who, left) for who in self._people))
        return self.outcome

    async def ask_until(self, enough: asyncio.Event) -> Outcome:
        """Ask one question after the other until the event is set."""
        left = iter(lambda: not enough.is_set(), None)
        await asyncio.gather(*(self._one_person(who, left) for who in self._people))
        return self.outcome

    async def settle(self) -> None:
        """Look at every answer again after all repairs: none is missing, doubled or overwritten."""
        await asyncio.sleep(SETTLED_S)
        for asked in self._counted:
            if (now := asked.texts()) != asked.counted:
                self._fault(asked, f"{asked.counted} became {now}")
            elif asked.left():
                self._fault(asked, f"beside the answer: {asked.left()}")
        for asked in self._silent:
            if asked.answers():
                self._count(asked)
                self.outcome.late += 1
            else:
                self.outcome.unread += 1
                what = "an upload that a bot has read got no reply"
                self._doubt(asked, what, since=asked.at, before=asked.at + UNREAD_S)
        self._judge()

    async def _one_person(self, who: Person, left: Any) -> None:
        dice = random.Random(who.user.id)
        await asyncio.sleep(self._pause_s * dice.random())
        while next(left) > 0:
            guild = dice.choice([None, *self._guilds])
            place: Channel | str = "dm" if guild is None else guild.channel("music")
            shard = shard_of(guild, self._bots.shards)
            if dice.random() < 0.3:
                await self._upload(who, place, shard)
            else:
                await self._slash(who, place, shard)
            await asyncio.sleep(self._pause_s * dice.uniform(0.5, 1.5))

    async def _slash(self, who: Person, place: Channel | str, shard: int) -> None:
        while True:
            at = time.monotonic()
            used = await who.slash("genre", {"clip": fresh_clip()}, channel=place)
            asked = Asked(at, shard, who.locale, partial(finals, used))
            await self._discord.wait_for(lambda one=used: one.acked_at or one.failed, 60)
            if used.acked_at is not None:
                break
            self.outcome.unacknowledged += 1
            self._doubt(asked, "no acknowledgement, without a kill", since=at - OFFLINE_S)
            await asyncio.sleep(0.5)
        try:
            await used.wait_until(is_final, 90)
        except TimeoutError:
            self._fault(asked, f"no answer to {used.original}")
            return
        self._count(asked)

    async def _upload(self, who: Person, place: Channel | str, shard: int) -> None:
        while True:
            asked, delivered = await self._say(who, place, shard)
            if delivered:
                with suppress(TimeoutError):
                    await self._discord.wait_for(asked.answers, 8)
                    break
                self._silent.append(asked)
            else:
                self.outcome.undelivered += 1
                what = "no bot had the shard, without a kill"
                self._doubt(asked, what, since=asked.at - OFFLINE_S)
                await asyncio.sleep(2)
        try:
            await self._discord.wait_for(asked.texts, 90)
        except TimeoutError:
            self._fault(asked, f"no answer to an upload: {asked.answers()}")
            return
        await asyncio.sleep(0.3)
        self._count(asked)

    async def _say(self, who: Person, place: Channel | str, shard: int) -> tuple[Asked, bool]:
        """Post an upload, and return whether Discord delivered it to a bot.

        A message that arrives while no session has its shard is delivered to nobody: Discord sends
        events again only to a session that resumes, and a session dies with its process.
        """
        mention = MENTION.format(self._discord.state.bot.id)
        at, delivered = time.monotonic(), shard in self._discord.gateway.connected_shards
        sent = await who.say(mention, uploads=[fresh_clip()], channel=place)

        def answers() -> list[dict[str, Any]]:
            """Return the replies, and the refusals in direct messages, which link to the upload."""
            return [
                message
                for message in who.messages(place)
                if (message.get("message_reference") or {}).get("message_id") == sent["id"]
            ] + [
                message
                for message in (who.messages("dm") if place != "dm" else ())
                if f"/{sent['id']})" in visible_text(message)
            ]

        # The reply to an upload is in the language of the server.
        return Asked(at, shard, "en-US", answers), delivered

    def _count(self, asked: Asked) -> None:
        answers = asked.counted = asked.texts()
        self._counted.append(asked)
        unavailable, *restart = WORDS[asked.locale]
        if len(answers) != 1:
            self._fault(asked, f"answered {len(answers)} times: {answers}, {asked.left()}")
        elif "jazz" in answers[0].lower():
            self.outcome.answered += 1
        elif unavailable in answers[0] and any(end >= asked.at for _, end in self._bots.outages):
            self.outcome.unavailable += 1
        elif any(words in answers[0] for words in restart):
            self.outcome.corrected += 1
            self._doubt(asked, f"an apology without a kill: {answers[0]}", since=asked.at)
        else:
            self._fault(asked, answers[0])

    def _fault(self, asked: Asked, what: str) -> None:
        self.outcome.faults.append(self._described(asked, what))

    def _described(self, asked: Asked, what: str) -> str:
        ago = time.monotonic() - asked.at
        return f"shard {asked.shard}, asked {ago:.1f} s ago: {what}"

    def _doubt(self, asked: Asked, what: str, *, since: float, before: float | None = None) -> None:
        """Note a fault unless a bot of the shard ended since a time, by default until now.

        It is judged once all repairs are over. Now the end may be known to nobody: a process that
        Discord sees leave is not gone yet.
        """
        before = time.monotonic() if before is None else before
        self._doubts.append(Doubt(asked.shard, since, before, self._described(asked, what)))

    def _judge(self) -> None:
        ends = (*self._bots.kills, *self._bots.ended_alone)
        for doubt in self._doubts:
            if not any(map(doubt.excused_by, ends)):
                near = sorted(end.since - doubt.before for end in ends if doubt.shard in end.shards)
                of_shard = ", ".join(f"{after:+.1f}" for after in near)
                self.outcome.faults.append(
                    f"{doubt.what} (ends of bots of the shard, in s after it: {of_shard or 'none'})"
                )
