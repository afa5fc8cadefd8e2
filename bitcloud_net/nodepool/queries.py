"""Every read of the nodepool, by name, with frozen results.

Each call runs in a worker thread on a connection that can only read, sees one consistent state, and
may be cancelled safely. ``LocalFault`` (``database-damaged``) is the only error. Lists are in a
fixed order. Deleted rows never appear.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import nsmallest
from typing import Any

from bitcloud_net.core.keys import NodeId, PublicKey
from bitcloud_net.core.nodepool.app_tables import AppId
from bitcloud_net.core.nodepool.bodies.certificates import CertificateKind
from bitcloud_net.core.nodepool.row_bodies import (
    BeaconBody,
    FaultBody,
    FileBody,
    FolderBody,
    IdentityBody,
    NodeBody,
    PlacementBody,
)
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import Role
from bitcloud_net.core.trust.beacon_days import unpacked
from bitcloud_net.core.trust.beacons import FIRST_PERIOD, MARK_BYTES, Word
from bitcloud_net.core.trust.identity import Service, day_of, must_mine_again
from bitcloud_net.core.trust.lots import Candidate, neighbourhood_of
from bitcloud_net.core.trust.verdicts import (
    MEMORY_PERIODS,
    WINDOW_PERIODS,
    Ban,
    FaultReason,
    Statement,
)
from bitcloud_net.nodepool.database import Database
from bitcloud_net.nodepool.service_record import service_of
from bitcloud_net.nodepool.typed_tables import unpack_holders

MAX_MEMORIES = 4_096
"""Rows of days that are looked at, the newest: those of a week's committees for decades. Others may
sign some, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that has signed its row within the last three days."""

    id: NodeId
    body: NodeBody
    seq: int
    period: int  # when it signed
    since: int = 0  # the last period in which it may not have been there yet; 0: unknown
    root: bytes = b""  # the identity that it points to; empty: it is nobody's delegate

    @property
    def candidate(self) -> Candidate:
        """The node as one that may be drawn by lot."""
        return _candidate(self.id, self.body.addresses, self.since, self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """That a key was mined for a role."""

    body: IdentityBody
    expires: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user."""

    owner: PublicKey
    nickname: str
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of a person."""

    owner: PublicKey
    id: bytes
    body: FolderBody
    seq: int
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a person."""

    owner: PublicKey
    id: bytes
    body: FileBody
    seq: int
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one owner has put the shares of a stored file."""

    owner: PublicKey
    cid: bytes
    body: PlacementBody
    seq: int
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What one auditor says about one target."""

    body: FaultBody
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a ban rests on."""

    name: str  # of the node when it was banned; empty when its row was not here
    statements: tuple[Statement, ...]  # by auditor
    proof: str  # kind of the proof that convicts it, or empty


class Queries:
    """The reads. Made from ``RowStore.database``; any number may run at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def nodes(self, *, storing: bool = False, period: int = 0) -> tuple[Node, ...]:
        """Return nodes whose row is valid in ``period``, by id; ``storing``: only those that lend
        space.
        """
        sql = f"{_NODE} WHERE node.expires >= ? AND capacity >= ? ORDER BY node.key"

        def work(connection: sqlite3.Connection) -> tuple[Node, ...]:
            roots = _roots(connection, period)
            found = connection.execute(sql, (period, int(storing)))
            return tuple(replace(_node(row), root=roots.get(row[0], b"")) for row in found)

        return await self._database.read(work)

    async def candidates(self, period: int) -> list[Candidate]:
        """Return the nodes whose row is valid in ``period``, by id, as those that may be drawn by
        lot. For a hundred thousand of them half a second in a thread, and none outside.
        """

        def work(connection: sqlite3.Connection) -> list[Candidate]:
            roots = _roots(connection, period)
            return [
                _candidate(NodeId(key), json.loads(addresses), since, roots.get(key, b""))
                for key, addresses, since in connection.execute(_CANDIDATES, (period,))
            ]

        return await self._database.read(work)

    async def storing(self, period: int) -> tuple[NodeId, ...]:
        """Return the ids of the nodes that lend space and whose row is valid in ``period``."""
        sql = "SELECT key FROM node WHERE expires >= ? AND capacity > 0 ORDER BY key"
        return tuple(NodeId(key) for (key,) in await self._all(sql, period))

    async def nodes_of(self, ids: Sequence[bytes]) -> tuple[Node, ...]:
        """Return the nodes with these ids, those that there are, in this order."""
        found = [await self.node(node) for node in ids]
        return tuple(node for node in found if node is not None)

    async def whereabouts(
        self, period: int, *, near: bytes, most: int
    ) -> dict[NodeId, tuple[str, ...]]:
        """Return the addresses of the ``most`` nodes whose ids are nearest to ``near``."""

        def work(connection: sqlite3.Connection) -> dict[NodeId, tuple[str, ...]]:
            rows = connection.execute(
                "SELECT key, addresses FROM node WHERE expires >= ?", (period,)
            )
            place = int.from_bytes(near, "big")
            nearest = nsmallest(most, rows, lambda row: int.from_bytes(row[0], "big") ^ place)
            return {NodeId(key): tuple(json.loads(addresses)) for key, addresses in nearest}

        return await self._database.read(work)

    async def node(self, node: bytes) -> Node | None:
        """Return one node."""
        row = await self._one(f"{_NODE} WHERE node.key = ?", node)
        return None if row is None else _node(row)

    async def words(self, since: int) -> tuple[Word, ...]:
        """Return what members of committees said in the periods from ``since`` on, by period."""
        sql = "SELECT * FROM beacon WHERE number >= ? ORDER BY number, owner"
        return tuple(_word(row) for row in await self._all(sql, max(FIRST_PERIOD, since)))

    async def memories(self) -> dict[NodeId, dict[int, bytes]]:
        """Return what values of days nodes remember, by node and day."""
        sql = (
            "SELECT owner, number, days, period FROM beacon WHERE number < ?"
            " ORDER BY period DESC, owner, number LIMIT ?"
        )
        found: dict[NodeId, dict[int, bytes]] = {}
        for owner, number, days, period in await self._all(sql, FIRST_PERIOD, MAX_MEMORIES):
            memory = found.setdefault(NodeId(owner), {})
            memory.update(unpacked(number, days, day_of(period)))
        return found

    async def remembered_in(self, owner: bytes) -> dict[int, tuple[int, bytes]]:
        """Return the rows of days of one node: period and values, by number."""
        sql = "SELECT number, period, days FROM beacon WHERE owner = ? AND number < ?"
        found = await self._all(sql, owner, FIRST_PERIOD)
        return {number: (period, days) for number, period, days in found}

    async def days(self) -> dict[int, bytes]:
        """Return the values of days that this machine has kept."""
        return dict(await self._all("SELECT day, value FROM np_day ORDER BY day"))

    async def people(self) -> tuple[Person, ...]:
        """Return all people, by nickname and then key."""
        sql = "SELECT key, nickname, period FROM user ORDER BY nickname, key"
        return tuple(_person(row) for row in await self._all(sql))

    async def person(self, owner: bytes) -> Person | None:
        """Return one person."""
        row = await self._one("SELECT key, nickname, period FROM user WHERE key = ?", owner)
        return None if row is None else _person(row)

    async def folders_of(self, owner: bytes, parent: bytes = b"") -> tuple[Folder, ...]:
        """Return the folders directly in ``parent``; b"": directly below the person."""
        sql = f"{_FOLDER} WHERE owner = ? AND parent = ? ORDER BY id"
        return tuple(_folder(row) for row in await self._all(sql, owner, parent))

    async def all_folders_of(self, owner: bytes) -> tuple[Folder, ...]:
        """Return every folder of a person."""
        sql = f"{_FOLDER} WHERE owner = ? ORDER BY parent, id"
        return tuple(_folder(row) for row in await self._all(sql, owner))

    async def folder(self, owner: bytes, folder_id: bytes) -> Folder | None:
        """Return one folder."""
        row = await self._one(f"{_FOLDER} WHERE key = ?", owner + folder_id)
        return None if row is None else _folder(row)

    async def files_of(self, owner: bytes, folder_id: bytes) -> tuple[File, ...]:
        """Return the files directly in a folder."""
        sql = f"{_FILE} WHERE owner = ? AND folder = ? ORDER BY id"
        return tuple(_file(row) for row in await self._all(sql, owner, folder_id))

    async def file(self, owner: bytes, file_id: bytes) -> File | None:
        """Return one file."""
        row = await self._one(f"{_FILE} WHERE key = ?", owner + file_id)
        return None if row is None else _file(row)

    async def placements(self, cid: bytes) -> tuple[Placement, ...]:
        """Return what every owner says about where a stored file is, the newest first."""
        sql = f"{_PLACEMENT} WHERE cid = ? ORDER BY period DESC, owner"
        return tuple(_placement(row) for row in await self._all(sql, cid))

    async def placement(self, owner: bytes, cid: bytes) -> Placement | None:
        """Return what one owner says about it."""
        row = await self._one(f"{_PLACEMENT} WHERE key = ?", owner + cid)
        return None if row is None else _placement(row)

    async def placements_of(self, owner: bytes) -> tuple[Placement, ...]:
        """Return all placements of one owner, by cid."""
        sql = f"{_PLACEMENT} WHERE owner = ? ORDER BY cid"
        return tuple(_placement(row) for row in await self._all(sql, owner))

    async def placements_at(self, node: bytes, start: bytes, limit: int) -> tuple[Placement, ...]:
        """Return up to ``limit`` placements that name a node, by content id from ``start`` on, of
        the next 4,096 there are.
        """
        some = f"{_PLACEMENT} WHERE cid >= ? ORDER BY cid LIMIT 4096"
        sql = f"SELECT * FROM ({some}) WHERE instr(holders, ?) LIMIT ?"
        found = [_placement(row) for row in await self._all(sql, start, node, limit)]
        return tuple(item for item in found if node in item.body.holders)

    async def announced_apps(self, period: int) -> tuple[tuple[AppId, str], ...]:
        """Return the applications that people use: id and definition, those with most people
        first.
        """
        sql = (
            "SELECT id, min(definition) FROM app WHERE expires >= ?"
            " GROUP BY id ORDER BY count(*) DESC, id"
        )
        return tuple((AppId(app), text) for app, text in await self._all(sql, period))

    async def registration(self, owner: bytes, role: Role, period: int) -> Registration | None:
        """Return how a key has registered as mined for a role; None where it has to mine, also
        once more, in ``period``.
        """

        def read(db: sqlite3.Connection) -> tuple[Any, Service]:
            sql = "SELECT day, nonce, registered, expires FROM identity WHERE key = ?"
            found = db.execute(sql, (owner + bytes([role]),)).fetchone()
            return found, service_of(db, owner)

        found, service = await self._database.read(read)
        if role is not Role.NODE:
            service = Service(convicted=service.convicted)
        if found is None or must_mine_again(found[2], service, period):
            return None
        body = IdentityBody(day=found[0], nonce=found[1], registered=found[2])
        return Registration(body=body, expires=found[3])

    async def is_publisher(self, owner: bytes) -> bool:
        """Whether a key has a publisher's row."""
        return await self._one("SELECT 1 FROM publisher WHERE key = ?", owner) is not None

    async def bans(self, period: int) -> tuple[Ban, ...]:
        """Return the bans that run in ``period`` or ended within the month before, oldest first."""
        sql = (
            "SELECT target, since, until, reason FROM np_ban WHERE until >= ?"
            " ORDER BY since, target"
        )
        return tuple(
            Ban(target=NodeId(target), since=since, until=until, reason=reason)
            for target, since, until, reason in await self._all(sql, period - MEMORY_PERIODS)
        )

    async def statements(self, period: int) -> tuple[Statement, ...]:
        """Return what auditors said within the six periods up to ``period``, by target."""
        sql = (
            "SELECT auditor, target, reason, recent, period FROM fault WHERE period > ?"
            " ORDER BY target, auditor"
        )
        return tuple(map(_statement, await self._all(sql, period - WINDOW_PERIODS)))

    async def case(self, ban: Ban) -> Case:
        """Return what a ban rests on; nothing when it is forgotten."""
        at = (ban.target, ban.since)
        held = await self._one("SELECT name, proof FROM np_ban WHERE target = ? AND since = ?", *at)
        name, proof = held or ("", "")
        words = await self._all(
            "SELECT auditor, target, reason, recent, period FROM np_ban_word"
            " WHERE target = ? AND since = ? ORDER BY auditor",
            *at,
        )
        return Case(name=name, statements=tuple(map(_statement, words)), proof=proof)

    async def fault(self, auditor: bytes, target: bytes) -> Fault | None:
        """Return one auditor's fault row about one target."""
        sql = "SELECT reason, count, recent, period FROM fault WHERE key = ?"
        row = await self._one(sql, auditor + target)
        if row is None:
            return None
        reason, count, recent, period = row
        body = FaultBody(reason=FaultReason(reason), count=count, recent=recent)
        return Fault(body=body, period=period)

    async def cheats(self) -> tuple[PublicKey, ...]:
        """Return the owners that a proof convicts, to be shown as conflicting."""
        return tuple(
            PublicKey(row[0])
            for row in await self._all("SELECT owner FROM np_proof ORDER BY owner")
        )

    async def _all(self, sql: str, *values: object) -> list[Any]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(sql, values).fetchall()

        return await self._database.read(work)

    async def _one(self, sql: str, *values: object) -> Any:
        def work(connection: sqlite3.Connection) -> Any:
            return connection.execute(sql, values).fetchone()

        return await self._database.read(work)


_ROOTS = (
    "SELECT owner, min(subject) FROM certificate"
    " WHERE kind = ? AND since <= ? AND expires >= ? GROUP BY owner"
)
_SINCE = "max(coalesce(since, 0), coalesce(registered, 0))"
_WITH_AGE = (
    "FROM node LEFT JOIN np_seen ON np_seen.node = node.key"
    f" LEFT JOIN identity ON identity.owner = node.key AND identity.role = {int(Role.NODE)}"
)
_NODE = f"SELECT node.*, {_SINCE} {_WITH_AGE}"
_CANDIDATES = (
    f"SELECT node.key, addresses, {_SINCE} {_WITH_AGE} WHERE node.expires >= ? ORDER BY node.key"
)
_FOLDER = "SELECT owner, id, parent, open_key, sealed, seq, period FROM folder"
_FILE = "SELECT owner, id, folder, sealed, seq, period FROM file"
_PLACEMENT = "SELECT owner, cid, manifest, holders, seq, period FROM placement"


_role = lru_cache(maxsize=64)(Role)  # there are few, and making one is slow


def _roots(connection: sqlite3.Connection, period: int) -> dict[bytes, bytes]:
    return dict(connection.execute(_ROOTS, (CertificateKind.DELEGATE, period, period)))


def _candidate(node: NodeId, addresses: Sequence[str], since: int, root: bytes) -> Candidate:
    hood = neighbourhood_of(addresses[0]) if addresses else ""
    return Candidate(node=node, since=since, neighbourhood=hood, root=root)


def _node(row: Sequence[Any]) -> Node:
    key, name, roles, addresses, capacity, used, seq, period, _, since = row
    body = NodeBody(
        name=name,
        roles=_role(roles),
        addresses=tuple(json.loads(addresses)),
        capacity=capacity,
        used=used,
    )
    return Node(id=NodeId(key), body=body, seq=seq, period=period, since=since)


def word_of(row: SignedRow, body: BeaconBody) -> Word:
    """Return what a member says in a row about a period."""
    return Word(
        member=NodeId(row.owner),
        period=row.period,
        promise=body.promise,
        secret=body.secret,
        seen=frozenset(body.seen),
        value=body.value,
        seq=row.seq,
    )


def _word(row: Sequence[Any]) -> Word:
    _, owner, number, promise, secret, seen, value, _, seq, _, _ = row
    return Word(
        member=NodeId(owner),
        period=number,
        promise=promise,
        secret=secret,
        seen=frozenset(seen[at : at + MARK_BYTES] for at in range(0, len(seen), MARK_BYTES)),
        value=value,
        seq=seq,
    )


def _person(row: Sequence[Any]) -> Person:
    key, nickname, period = row
    return Person(owner=PublicKey(key), nickname=nickname, period=period)


def _folder(row: Sequence[Any]) -> Folder:
    owner, folder_id, parent, open_key, sealed, seq, period = row
    body = FolderBody(parent=parent, open_key=open_key, sealed=sealed)
    return Folder(owner=PublicKey(owner), id=folder_id, body=body, seq=seq, period=period)


def _statement(row: Sequence[Any]) -> Statement:
    auditor, target, reason, recent, period = row
    return Statement(
        auditor=NodeId(auditor),
        target=NodeId(target),
        reason=FaultReason(reason),
        period=period,
        recent=recent,
    )


def _file(row: Sequence[Any]) -> File:
    owner, file_id, folder, sealed, seq, period = row
    body = FileBody(folder=folder, sealed=sealed)
    return File(owner=PublicKey(owner), id=file_id, body=body, seq=seq, period=period)


def _placement(row: Sequence[Any]) -> Placement:
    owner, cid, manifest, holders, seq, period = row
    body = PlacementBody(manifest=manifest, holders=unpack_holders(holders))
    return Placement(owner=PublicKey(owner), cid=cid, body=body, seq=seq, period=period)
