"""The nodepool's writing side: accept rows from anywhere, sign and accept own ones.

How a row comes in: ``accept_many`` (from a peer) or ``write_many`` (signed here) → ``Acceptance``,
all of a batch in one transaction of the writer → the reconciled sets (``wire.range_index``) take
over what changed → those who ``watch`` hear of it. Reading is in ``queries``.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import trio

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.keys import NodeId, PublicKey, SigningKey
from bitcloud_net.core.nodepool.app_tables import AppDefinition, AppId, parse_definition
from bitcloud_net.core.nodepool.row_bodies import Body
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.shards import DepthRule
from bitcloud_net.core.nodepool.table_rules import PROOFS, Table, TableRule
from bitcloud_net.core.trust.identity import Admission, Difficulty
from bitcloud_net.core.trust.verdicts import Ban
from bitcloud_net.nodepool.acceptance import Acceptance
from bitcloud_net.nodepool.app_registry import (
    AppRegistry,
    create_tables,
    drop_strangers,
    drop_tables,
)
from bitcloud_net.nodepool.batches import accept_proofs, accept_rows, accepted, write_rows
from bitcloud_net.nodepool.database import Database, Runner, in_thread, set_aside
from bitcloud_net.nodepool.growth import Growth
from bitcloud_net.nodepool.keeping import Keeper, Keeping
from bitcloud_net.nodepool.loading import load_depths, load_sets, load_tally
from bitcloud_net.nodepool.node_age import note_watched
from bitcloud_net.nodepool.opening import open_own, sealed, started
from bitcloud_net.nodepool.outcome import FOR_NOW, NOT_OURS, Fate, Outcome, RowsChanged
from bitcloud_net.nodepool.own_rows import OwnRows
from bitcloud_net.nodepool.seal import check_rows
from bitcloud_net.nodepool.session_reads import SessionReads, Stray
from bitcloud_net.nodepool.signing import NewRow
from bitcloud_net.nodepool.standing import standing_of
from bitcloud_net.nodepool.synced_set import SyncedSet
from bitcloud_net.nodepool.tally import Tally
from bitcloud_net.nodepool.waiting_room import WaitingRoom

__all__ = ["BATCH_ROWS", "DATABASE", "FREE", "NewRow", "PeriodClock", "RowStore", "open_row_store"]

log = logging.getLogger(__name__)

DATABASE = "nodepool.db"
"""The shared database's file in its folder."""
BATCH_ROWS = 512
"""Rows in one transaction: large enough that the commit costs little, small enough that a reader's
view is never more than some 100 ms old."""
FREE = Admission(difficulty=Difficulty(bits=0, memory_kib=8), beacon=lambda _: bytes(32))
"""A network whose nodes need not be mined: a private one, or a test grid."""
MAX_REMEMBERED_REFUSALS = 16_384
"""Ids of refused rows that are not asked for again; 2 MB at most."""
_REPLAY_ROWS = 4 * BATCH_ROWS  # own rows compared at start; a killed process lost at most one batch


def number_alone(period: int) -> bytes:
    """Return what stands for the random value of a period where there is none."""
    return period.to_bytes(8, "big")


class PeriodClock(Protocol):
    """What the store needs of a clock."""

    def now_s(self) -> int:
        """Return seconds since 1970."""

    def period(self) -> int:
        """Return the present period."""


class RowStore:
    """The nodepool of one node. Made by ``open_row_store``; used from one trio thread."""

    def __init__(
        self,
        database: Database,
        own: OwnRows,
        clock: PeriodClock,
        admission: Admission,
        beacon: Callable[[int], bytes],
        keeping: Keeping,
        depth_rule: DepthRule,
    ) -> None:
        self.database = database
        self.keeping = keeping
        self.admission = admission
        self._beacon = beacon
        self._registry = AppRegistry()
        self._own = own
        self._clock = clock
        self._waiting = WaitingRoom()
        self._tally = Tally()
        self.sets: dict[int, SyncedSet] = {}
        self._refused: OrderedDict[bytes, str | None] = OrderedDict()  # why, by id
        self._watchers: list[Callable[[RowsChanged], None]] = []
        self._one_at_a_time = trio.Lock()
        self.reads = SessionReads(database, self.sets, self._registry, keeping, self._one_at_a_time)
        self.growth = Growth(
            database,
            self.sets,
            self._registry,
            self.reads,
            keeping,
            depth_rule,
            self._one_at_a_time,
            self._drop_rows,
        )

    # Accepting

    async def accept(self, raw: bytes, *, source: NodeId | None) -> Outcome:
        """Offer one row; see ``accept_many``."""
        (outcome,) = await self.accept_many([raw], source=source)
        return outcome

    async def accept_many(
        self, raws: Sequence[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]:
        """Offer rows in their wire form and return the fate of each, in the order given.

        Order within a batch does not matter: folders are taken before what lies in them. Each batch
        of 512 is one transaction. Cancel: safe; what was accepted until then stays.

        Raises:
            LocalFault: ``disk-full``, ``database-damaged``: nothing of the batch under way was
            kept.
        """
        outcomes: list[Outcome] = []
        for start in range(0, len(raws), BATCH_ROWS):
            batch = raws[start : start + BATCH_ROWS]
            outcomes += await self._run(partial(accept_rows, raws=batch), source)
        return tuple(outcomes)

    # Own rows

    async def write(
        self,
        table: int,
        key_suffix: bytes,
        body: Body | None,
        *,
        signer: SigningKey,
        life_periods: int | None = None,
    ) -> SignedRow:
        """Sign one row, keep and accept it; see ``write_many``."""
        new = NewRow(table=table, key_suffix=key_suffix, body=body, life_periods=life_periods)
        (row,) = await self.write_many([new], signer=signer)
        return row

    async def write_many(
        self, rows: Sequence[NewRow], *, signer: SigningKey
    ) -> tuple[SignedRow, ...]:
        """Sign rows with the next numbers and slots, keep them safe, accept them and return them.

        When it returns they are on the disk. Each batch of 512 is kept whole or not at all. Cancel:
        safe; batches finished until then stay.

        Raises:
            BadInput: the row it belongs to does not exist (``missing-parent``), or a value does not
                fit (the code says which).
            Unavailable: ``slots-used-up`` until the next period.
            LocalFault: ``disk-full``, ``database-damaged``.
        """
        written: list[SignedRow] = []
        for start in range(0, len(rows), BATCH_ROWS):
            batch = rows[start : start + BATCH_ROWS]
            now_s = self._clock.now_s()
            work = partial(write_rows, rows=batch, key=signer, own=self._own, now_s=now_s)
            outcomes = await self._run(work, None)
            written += [outcome.row for outcome in outcomes if outcome.row is not None]
        return tuple(written)

    # Reconciliation; what sessions read is in ``reads``

    async def take(
        self, of: int, raws: Sequence[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]:
        """Offer rows, or proofs where ``of`` is 0; see ``accept_many``."""
        if of != PROOFS:
            return await self.accept_many(raws, source=source)
        return tuple(await self._run(partial(accept_proofs, raws=raws), source))

    async def _drop_rows(self, of: int, rows: Sequence[Stray]) -> None:
        """Drop rows that others keep and that need not be kept here."""

        def work(acceptance: Acceptance) -> list[Outcome]:
            keeper = Keeper(self.keeping, acceptance.db, acceptance.now)
            for row in rows:
                if not keeper.is_at_home(of, row.key):
                    acceptance.drop_row(of, row.key, row.id)
            return []

        await self._run(work, None)

    async def node_ids(self, period: int) -> list[NodeId]:
        """Return the nodes whose row is valid in ``period``."""
        sql = "SELECT key FROM node WHERE expires >= ?"
        found = await self.database.read(lambda db: db.execute(sql, (period,)).fetchall())
        return [NodeId(key) for (key,) in found]

    async def rows_of(self, table: int, owner: bytes) -> tuple[SignedRow, ...]:
        """Return the rows of one owner in a table that are held, the first signed first."""
        sql = "SELECT raw FROM np_row WHERE owner = ? AND tbl = ? ORDER BY period, slot, key"
        raws = await self.database.read(lambda db: db.execute(sql, (owner, table)).fetchall())
        return tuple(SignedRow.parse(raw, self._registry.rule_of) for (raw,) in raws)

    async def holds(self, table: int, key: bytes) -> bool:
        """Whether a row, or its tombstone, is held under a key."""
        sql = "SELECT 1 FROM np_row WHERE tbl = ? AND key = ?"
        found = await self.database.read(lambda db: db.execute(sql, (table, key)).fetchone())
        return found is not None

    def is_settled(self, row_id: bytes) -> bool:
        """Whether a row that is not held need not be asked for: it is parked, or was refused."""
        return row_id in self._waiting or row_id in self._refused

    @property
    def counts(self) -> dict[int, int]:
        """Rows held in each table, tombstones included."""
        return {number: len(rows) for number, rows in self.sets.items() if number != PROOFS}

    @property
    def waiting(self) -> int:
        """Rows parked because the row they belong to has not come."""
        return len(self._waiting)

    # Applications

    @property
    def rules(self) -> tuple[TableRule, ...]:
        """The rules of all tables there are here, applications' included."""
        return self._registry.rules

    def rule_of(self, number: int) -> TableRule:
        """Return the rule of any table there is here.

        Raises:
            Malformed: ``unknown-table``.
        """
        return self._registry.rule_of(number)

    @property
    def apps(self) -> tuple[AppDefinition, ...]:
        """The applications that are installed here."""
        return self._registry.apps

    async def install(self, text: str) -> AppDefinition:
        """Install the application with this definition (``core.nodepool.app_tables``): make its
        tables, take and give their rows from now on. Installing it again changes nothing.

        Raises:
            BadInput: ``bad-definition``, ``too-many-apps``.
        """
        app = parse_definition(text)
        async with self._one_at_a_time:
            self._registry.add(app)
            for rule in app.rules:  # before anything is awaited: sessions look at both
                self.sets.setdefault(
                    rule.table, SyncedSet(rule.table, (), span=self.keeping.span(rule))
                )
            await self.database.change_form(partial(create_tables, rules=app.rules))
            await self.database.write(lambda _: self._own.keep_app(app))
        tables = [rule.table for rule in app.rules]
        own = await self.database.write(lambda _: self._own.rows_of(tables))
        await self.accept_many(own, source=None)
        return app

    async def uninstall(self, app_id: AppId) -> None:
        """Remove an application's tables with all their rows. What this machine has signed in them
        comes back when it is installed again.

        Raises:
            BadInput: ``unknown-app``.
        """
        async with self._one_at_a_time:
            app = self._registry.remove(app_id)
            await self.database.change_form(partial(drop_tables, rules=app.rules))
            await self.database.write(lambda _: self._own.forget_app(app_id))
            for rule in app.rules:
                del self.sets[rule.table]
                self._tally.forget(rule.table)

    # Following, on a light node

    def follow(self, owners: Iterable[bytes]) -> None:
        """Keep the rows of these owners, and of no others that are nothing to us."""
        self.keeping.followed = frozenset(owners)

    async def forget(self, owners: Iterable[bytes]) -> None:
        """Drop the rows of these owners; what they say of themselves as nodes stays."""

        def work(acceptance: Acceptance) -> list[Outcome]:
            for owner in owners:
                acceptance.writer.drop("owner = ? AND tbl != ?", (owner, Table.NODE))
            return []

        await self._run(work, None)

    async def held_owners(self) -> list[PublicKey]:
        """Return the owners of rows that are held, other than what nodes say of themselves."""
        sql = "SELECT DISTINCT owner FROM np_row WHERE tbl != ?"
        found = await self.database.read(lambda db: db.execute(sql, (Table.NODE,)).fetchall())
        return [PublicKey(owner) for (owner,) in found]

    # Life

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None:
        """Call ``on_change`` (quick, never waiting) after each commit that changed something."""
        self._watchers.append(on_change)

    async def sweep(self) -> None:
        """Drop what has expired. Due once in each period."""
        lasting = (item for item in self._refused.items() if item[1] not in FOR_NOW)
        self._refused = OrderedDict(lasting)

        def work(acceptance: Acceptance) -> list[Outcome]:
            self._waiting.drop_late(acceptance.now)
            acceptance.sweep()
            return []

        await self._run(work, None)
        await self.growth.weigh(self._tally)

    def close(self) -> None:
        """Let go of what is not in the database."""
        self._registry.close()

    async def start(self, *, check: bool) -> None:
        """Load what is held, and put back own rows that the shared database lost. ``check``: look
        at each row first.

        Raises:
            LocalFault: ``database-damaged``.
        """
        for text in await self.database.write(lambda _: self._own.apps()):
            app = parse_definition(text)
            self._registry.add(app)
            await self.database.change_form(partial(create_tables, rules=app.rules))
        await self.database.write(partial(drop_strangers, rules=self._registry.rules))
        if check:
            await self.database.read(partial(check_rows, rules=self._registry.rule_of))
        self._tally = await self.database.read(partial(load_tally, registry=self._registry))
        self.keeping.depths |= await self.database.read(load_depths)
        load = partial(load_sets, registry=self._registry, keeping=self.keeping)
        self.sets |= await self.database.read(load)
        self.growth.fill_sample()
        whole = not any(map(len, self.sets.values()))
        count = None if whole else _REPLAY_ROWS
        raws = await self.database.write(lambda _: self._own.newest(count))
        await self.accept_many(raws, source=None)

    async def note_watched(self, period: int) -> None:
        """Note that this computer was in step with others in ``period`` (``node_age``)."""
        await self.database.write(partial(note_watched, period=period))

    async def note_days(self, values: Mapping[int, bytes]) -> None:
        """Keep the values of days on this machine, for ever."""
        sql = "INSERT OR REPLACE INTO np_day VALUES (?, ?)"
        if values:
            await self.database.write(lambda db: db.executemany(sql, values.items()))

    async def ban(self, ban: Ban) -> bool:
        """Note a ban as judged here, and drop what the node has said as a node; False when it, or a
        longer one, is known. Bans end by themselves.
        """

        def work(acceptance: Acceptance) -> list[Outcome]:
            new.append(acceptance.ban(ban))
            return []

        new: list[bool] = []
        await self._run(work, None)
        return new[0]

    async def _run(
        self, work: Callable[[Acceptance], list[Outcome]], source: NodeId | None
    ) -> list[Outcome]:
        now = self._clock.period()

        def transaction(db: sqlite3.Connection) -> tuple[list[Outcome], Acceptance]:
            acceptance = Acceptance(
                db,
                self._waiting,
                self._tally,
                now=now,
                admission=self.admission,
                registry=self._registry,
                beacon=self._beacon,
                keeper=None if source is None else Keeper(self.keeping, db, now),
            )
            return work(acceptance), acceptance

        async with self._one_at_a_time:  # the sets change in the order of the commits
            outcomes, acceptance = await self.database.write(transaction)
            self._apply(acceptance)
        self._remember_refusals(outcomes)
        if acceptance.writer.changes:
            tables = frozenset(number for number in acceptance.writer.changes if number != PROOFS)
            rows = accepted(outcomes) + accepted(acceptance.unparked)
            self._tell(RowsChanged(tables=tables, rows=rows, source=source))
        return outcomes

    def _apply(self, acceptance: Acceptance) -> None:
        self._tally.merge(acceptance.writer.gains)
        for number, change in acceptance.writer.changes.items():
            self.sets[number].change(change)
        self.growth.note_changes(acceptance.writer.changes)

    def _remember_refusals(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.fate is Fate.REFUSED and outcome.row and outcome.code not in NOT_OURS:
                self._refused[outcome.row.id] = outcome.code
        while len(self._refused) > MAX_REMEMBERED_REFUSALS:
            self._refused.popitem(last=False)

    def _tell(self, news: RowsChanged) -> None:
        for on_change in self._watchers:
            on_change(news)


@asynccontextmanager
async def open_row_store(
    folder: Path,
    *,
    clock: PeriodClock,
    admission: Admission = FREE,
    beacon: Callable[[int], bytes] = number_alone,
    node: NodeId | None = None,
    persons: Iterable[bytes] = (),
    depth_rule: DepthRule = DepthRule(),  # noqa: B008 - it is frozen
    is_light: bool = False,
    run: Runner = in_thread,
) -> AsyncIterator[RowStore]:
    """Open or make the nodepool in ``folder``, which must exist and belongs to one process.

    ``admission`` is what the network asks of a node; by default nothing. ``beacon`` is the random
    value of a period; it is asked in the writer's thread, too. ``node`` and ``persons`` are the
    keys whose rows this machine keeps; without a node it keeps what is offered. One that
    ``is_light`` keeps only those, a sample of nodes, and whom it follows.

    A damaged shared database is set aside and begun anew with the own rows; the rest comes back
    from the network. Where the own rows are damaged, their numbers go on above those of the shared
    database, and applications have to be installed again.

    Raises:
        LocalFault: ``database-too-new``, ``database-foreign``, ``disk-full``.
    """
    path = folder / DATABASE
    own = await run(lambda: open_own(folder / "own-rows.db"))
    try:
        keeping = Keeping(node, persons, standing_of, is_light=is_light)
        make = partial(
            RowStore,
            own=own,
            clock=clock,
            admission=admission,
            beacon=beacon,
            keeping=keeping,
            depth_rule=depth_rule,
        )
        async with AsyncExitStack() as stack:
            stack.push_async_exit(partial(sealed, path, run))  # when the database is closed
            try:
                store = await started(stack, path, run, make)
            except LocalFault as fault:
                if fault.code != "database-damaged":
                    raise
                log.error("the nodepool is damaged and is being rebuilt: %s", fault)
                set_aside(path)
                store = await started(stack, path, run, make)
            stack.callback(store.close)
            yield store
    finally:
        own.close()
