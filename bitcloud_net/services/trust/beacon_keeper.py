"""Keeps the book of random values: hears the committees, and speaks where this node has a seat.

Once in each period, at a moment of our own, this node looks who the members are, and says its own
word if it is one; once a day it says what values of days it remembers. Everything heard is in rows
of the nodepool, so a program that starts anew, or for the first time, knows what the others know as
soon as it is in step with them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.row_bodies import BeaconBody, Body
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import DAY_PERIODS, Table
from bitcloud_net.core.trust.beacon_book import BeaconBook
from bitcloud_net.core.trust.beacon_days import Memories, elect, packed, remembered
from bitcloud_net.core.trust.beacons import WORD_LIFE_PERIODS, Committee, Word, period_of_day, seat
from bitcloud_net.core.trust.identity import day_of
from bitcloud_net.core.trust.lots import Candidate
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.nodepool.queries import word_of

if TYPE_CHECKING:
    from trio_typing import TaskStatus

log = logging.getLogger(__name__)

EARLIEST, LATEST = 0.1, 0.4
"""When in a period a member speaks: not at its start, when the words of the last one may not be
everywhere and clocks disagree, and early enough that its word is everywhere before the end."""
GATHER_S: Final = 2.0
"""How long news about nodes and days is gathered before it is looked at."""
REMIND_PERIODS: Final = 2 * DAY_PERIODS
"""How old a row of days may be that has not changed; it lives for three days."""
MANY_NODES: Final = 1_000
"""With more nodes than this, a look costs tenths of a second of a thread, and who sits does not
change with each that comes: once in each period is enough."""


class Records(Protocol):
    """What the keeper reads (``nodepool.queries``)."""

    async def candidates(self, period: int) -> list[Candidate]: ...

    async def words(self, since: int) -> tuple[Word, ...]: ...

    async def memories(self) -> dict[NodeId, dict[int, bytes]]: ...

    async def remembered_in(self, owner: bytes) -> dict[int, tuple[int, bytes]]: ...

    async def days(self) -> dict[int, bytes]: ...


class Pool(Protocol):
    """What the keeper writes with (``nodepool.row_store``)."""

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...

    async def write(
        self,
        table: Table,
        key_suffix: bytes,
        body: Body | None,
        *,
        signer: SigningKey,
        life_periods: int | None = None,
    ) -> SignedRow: ...

    async def note_days(self, values: Mapping[int, bytes]) -> None: ...

    async def note_watched(self, period: int) -> None: ...


class PeriodClock(Protocol):
    """What the keeper needs of a clock."""

    def now_s(self) -> int: ...

    def period(self) -> int: ...


class BeaconKeeper:
    """The service. One per node, whether it has a node row or not."""

    def __init__(
        self,
        book: BeaconBook,
        queries: Records,
        rows: Pool,
        key: SigningKey,
        *,
        clock: PeriodClock,
        random: Random,
        in_step: Callable[[], bool],
    ) -> None:
        """``book`` is filled here and may be read by anybody; ``in_step`` says whether what is
        known here was compared with others not long ago.
        """
        self._book = book
        self._queries = queries
        self._rows = rows
        self._key = key
        self._clock = clock
        self._random = random
        self._in_step = in_step
        self._news = trio.Event()
        self._looking = trio.Lock()
        self._seated: dict[int, Committee] = {}
        self._nodes = 0

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hear and speak until cancelled. ``started`` when the book knows what the rows say.

        Raises:
            LocalFault: our own database.
        """
        self._book.note_days(await self._queries.days())
        await self.look()  # so that strangers, however many, take no member's place in the book
        for word in await self._queries.words(self._clock.period() - WORD_LIFE_PERIODS):
            self._book.hear(word, in_time=True)
        self._rows.watch(self._rows_changed)
        await self.look()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak_each_period)
            nursery.start_soon(self._look_after_news)
            task_status.started()

    async def look(self) -> None:
        """See who the members are, and what values of days they remember."""
        async with self._looking:
            now = self._clock.period()
            candidates = await self._queries.candidates(now)
            self._nodes = len(candidates)
            memories = await self._queries.memories()
            await self._learn(memories, candidates, day_of(now))
            self._book.forget_before(now - WORD_LIFE_PERIODS)
            await self._close_days(now)

    async def speak(self) -> None:
        """Say what we have to say in this period, if we have not yet."""
        period, own = self._clock.period(), self._key.node_id
        word = self._book.own_word(self._key, period)
        if word is None or self._book.has_spoken(own, period):
            return
        body = BeaconBody(
            promise=word.promise,
            secret=word.secret,
            seen=tuple(sorted(word.seen)),
            value=word.value,
            days=b"",
        )
        await self._write(period, body)
        if own in self._book.committee(period).members:
            await self._remember(period)

    # Days

    async def _learn(self, memories: Memories, candidates: Sequence[Candidate], today: int) -> None:
        """Seat the committees of yesterday, today and tomorrow, each drawn by the day before, and
        believe what they remember. Yesterday's is where it begins: its rows are all there.
        """
        book, day = self._book, today - 1
        value, committee = await _in_thread(
            elect, memories, candidates, day=day, known=book.days.get(day - 1)
        )
        if value is None:
            committee = await _in_thread(seat, book.of_day(day - 1), candidates, day=day)
        while True:
            # The others stay seated meanwhile: values may be asked for at any time.
            self._seated = {at: who for at, who in self._seated.items() if at >= today - 1}
            self._seated[day] = committee
            book.seat(self._seated)
            days = remembered(memories, committee)
            if days and len(committee.members) > 1:
                book.note_beginning(min(days))
            await self._note(days)
            if day > today:
                return
            day += 1
            committee = await _in_thread(seat, book.of_day(day - 1), candidates, day=day)

    async def _close_days(self, now: int) -> None:
        """Keep the values of days that are settled for a period."""
        for day in (day_of(now), day_of(now) + 1):
            period = period_of_day(day)
            settled = self._book.settled(period) if period < now else None
            if settled is not None and day not in self._book.days:
                await self._note({day: settled})

    async def _note(self, values: Mapping[int, bytes]) -> None:
        known = self._book.days
        new = {day: value for day, value in values.items() if known.get(day) != value}
        self._book.note_days(new)
        await self._rows.note_days(new)

    async def _remember(self, now: int) -> None:
        """Say what values of days we remember: what has changed, and what nobody would know from us
        in a day.
        """
        said = await self._queries.remembered_in(self._key.public)
        for number, days in packed(self._book.memory(day_of(now))).items():
            period, before = said.get(number, (0, b""))
            if before != days or period < now - REMIND_PERIODS:
                body = BeaconBody(promise=b"", secret=b"", seen=(), value=b"", days=days)
                await self._write(number, body)

    async def _write(self, number: int, body: BeaconBody) -> None:
        with suppress(BadInput, Unavailable):  # banned, or set up again and again: others speak
            await self._rows.write(
                Table.BEACON,
                number.to_bytes(4, "big"),
                body,
                signer=self._key,
                life_periods=None if body.days else WORD_LIFE_PERIODS,
            )

    # Time

    async def _speak_each_period(self) -> None:
        while True:
            left_s = PERIOD_S - self._clock.now_s() % PERIOD_S
            await trio.sleep(left_s + self._random.uniform(EARLIEST, LATEST) * PERIOD_S)
            await self.look()
            if self._in_step():
                await self._rows.note_watched(self._clock.period())
            await self.speak()
            self._tell_of_withheld(self._clock.period())

    def _tell_of_withheld(self, period: int) -> None:
        for member in sorted(self._book.withheld(period)):
            log.info("member %s gave nothing to the beacon of period %d", member.hex(), period)

    async def _look_after_news(self) -> None:
        while True:
            await self._news.wait()
            await trio.sleep(GATHER_S if self._nodes <= MANY_NODES else PERIOD_S)
            self._news = trio.Event()
            await self.look()

    def _rows_changed(self, news: RowsChanged) -> None:
        now = self._clock.period()
        for row in news.rows:
            if isinstance(row.body, BeaconBody) and not row.body.days:
                self._book.hear(word_of(row, row.body), in_time=row.period >= now)
        if Table.NODE in news.tables or any(
            isinstance(row.body, BeaconBody) and row.body.days for row in news.rows
        ):
            self._news.set()


async def _in_thread(work: Callable[..., Any], *values: object, **named: object) -> Any:
    """Draw in a worker thread: a hundred thousand nodes take tenths of a second."""
    return await trio.to_thread.run_sync(lambda: work(*values, **named))
