"""Rows that one does not keep: read from three nodes, of whom some lie, leave out, or are off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from grids import NOW, Member, files, key_of, open_member, write_person

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Refused, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.heads import CountedRow, table_head
from bitcloud_net.core.nodepool.partners import NodeRing, position_of
from bitcloud_net.core.nodepool.row_bodies import HeadBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Table, rule_of
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.net.network import ProtocolId
from bitcloud_net.nodepool.shelf import Shelf
from bitcloud_net.protocols.known_nodes import KnownNodes
from bitcloud_net.protocols.row_read import RowAsker, answer
from bitcloud_net.services.nodepool.row_reader import RowReader
from bitcloud_net.services.nodepool.row_server import MAX_SERVED_PER_PEER, RowServer
from bitcloud_net.testing.inline_threads import inline_threads
from bitcloud_net.wire.row_read import PROTOCOL

MARY = key_of("mary")
FOLDER = b"f" * 16


class Grid:
    """Nodes that keep rows, the nearest to Mary first, and a reader who keeps none."""

    def __init__(self, nodes: list[Member], reader: Member) -> None:
        self.nodes = nodes
        self.john = reader
        self.known = KnownNodes(self, reader.clock.period)
        self.reader = RowReader(
            reader.network, self.known, rule_of, period=reader.clock.period, random=Random(1)
        )

    async def node_ids(self, period: int) -> list[NodeId]:
        return [node.key.node_id for node in self.nodes]

    def serve(self, node: Member, shelf: Any) -> None:
        async def handle(stream: Any) -> None:
            await answer(stream, shelf, lambda size: None)

        node.network.serve(ProtocolId(PROTOCOL), handle)


@asynccontextmanager
async def open_grid(folder: Path, count: int = 5) -> AsyncIterator[Grid]:
    hub = MemoryHub(1, delay_s=0.01)
    with inline_threads():
        async with AsyncExitStack() as stack:
            names = {key_of(f"node {at}").node_id: f"node {at}" for at in range(count)}
            ring = NodeRing(names)
            nodes = [
                await stack.enter_async_context(open_member(hub, folder / names[node], names[node]))
                for node in ring.nearest(position_of(MARY.public))
            ]
            john = await stack.enter_async_context(open_member(hub, folder / "john", "john"))
            tasks = await stack.enter_async_context(trio.open_nursery())
            for node in nodes:
                john.network.learn(node.key.node_id, node.network.addresses)
                shelf = Shelf(node.store.database, rule_of, node.clock.period)
                server = RowServer(node.network, shelf, period=node.clock.period)
                await tasks.start(lambda task_status, s=server: s.run(task_status=task_status))
            yield Grid(nodes, john)
            tasks.cancel_scope.cancel()


async def give(node: Member, rows: list[SignedRow]) -> None:
    await node.store.accept_many([row.raw for row in rows], source=None)


def user(nickname: str, seq: int, **changes: Any) -> SignedRow:
    numbers = {"period": NOW, "slot": seq, "expires": NOW + 100} | changes
    return make_row(Table.USER, b"", UserBody(nickname=nickname), signer=MARY, seq=seq, **numbers)


async def test_the_highest_number_wins_whoever_gives_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with open_grid(tmp_path) as grid:
        old, new = user("old", 1), user("new", 2)
        for node, row in zip(grid.nodes, (old, new, old), strict=False):
            await give(node, [row])
        assert await grid.reader.row(Table.USER, MARY.public) == new
        assert grid.john.store.counts[Table.USER] == 0, "reading keeps nothing"


async def test_that_there_is_none_needs_three_answers(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with open_grid(tmp_path) as grid:
        assert await grid.reader.row(Table.USER, MARY.public) is None
        for node in grid.nodes[:2]:
            grid.serve(node, Broken())
        assert await grid.reader.row(Table.USER, MARY.public) is None, "three others answer"
        grid.serve(grid.nodes[2], Broken())
        with pytest.raises(Unavailable) as caught:
            await grid.reader.row(Table.USER, MARY.public)
        assert caught.value.code == "too-few-answers"
        await give(grid.nodes[4], [user("Mary", 1)])
        assert await grid.reader.row(Table.USER, MARY.public) == user("Mary", 1)


class Broken:
    """Answers nothing at all."""

    async def row(self, *_: object, **__: object) -> tuple[bool, bytes]:
        raise Refused("not today", code="busy")

    page = found = row


class Says:
    """Says what it was told to say."""

    def __init__(self, raw: bytes, *, keeps: bool = True) -> None:
        self._answer = keeps, raw

    async def row(self, table: int, key: bytes, *, peer: NodeId) -> tuple[bool, bytes]:
        return self._answer


def forged() -> bytes:
    raw = bytearray(user("Mary", 9).raw)
    raw[-1] ^= 1
    return bytes(raw)


@pytest.mark.parametrize("lie", ["forged", "another", "noise"])
async def test_who_sends_a_row_that_does_not_hold_is_at_fault(
    tmp_path: Path, autojump_clock: object, lie: str
) -> None:
    eve = make_row(
        Table.USER, b"", UserBody(nickname="Eve"), signer=key_of("eve"), seq=9, period=NOW,
        slot=0, expires=NOW + 9,
    )  # fmt: skip
    raw = {"forged": forged(), "another": eve.raw, "noise": b"\xff" * 40}[lie]
    async with open_grid(tmp_path) as grid:
        for node in grid.nodes:
            await give(node, [user("Mary", 1)])
        grid.serve(grid.nodes[0], Says(raw))
        assert await grid.reader.row(Table.USER, MARY.public) == user("Mary", 1)
        assert grid.john.network.banned(grid.nodes[0].key.node_id)
        assert not grid.john.network.banned(grid.nodes[1].key.node_id)


async def test_who_says_nothing_or_less_is_not_at_fault(
    tmp_path: Path, autojump_clock: object
) -> None:
    expired = user("late", 50, period=NOW - 300, expires=NOW - 200)
    async with open_grid(tmp_path) as grid:
        await give(grid.nodes[2], [user("Mary", 1)])
        grid.serve(grid.nodes[0], Says(b""))
        grid.serve(grid.nodes[1], Says(expired.raw))
        assert await grid.reader.row(Table.USER, MARY.public) == user("Mary", 1)
        assert not any(grid.john.network.banned(node.key.node_id) for node in grid.nodes)


async def test_who_does_not_keep_the_place_has_nothing_to_say(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with open_grid(tmp_path) as grid:
        for node in grid.nodes[:3]:
            grid.serve(node, Says(b"", keeps=False))
        await give(grid.nodes[4], [user("Mary", 1)])
        assert await grid.reader.row(Table.USER, MARY.public) == user("Mary", 1)


async def test_a_deletion_is_read_as_what_it_is(tmp_path: Path, autojump_clock: object) -> None:
    life = RULES[Table.USER].tombstone_life_periods
    gone = make_row(
        Table.USER, b"", None, signer=MARY, seq=5, period=NOW, slot=9, expires=NOW + life
    )
    async with open_grid(tmp_path) as grid:
        await give(grid.nodes[0], [user("Mary", 1)])
        await give(grid.nodes[1], [gone])
        row = await grid.reader.row(Table.USER, MARY.public)
        assert row is not None
        assert row.body is None


async def publish(node: Member, count: int) -> list[SignedRow]:
    await write_person(node.store, MARY, FOLDER)
    rows = await node.store.write_many(files(Random(1), FOLDER, count), signer=MARY)
    return [row for row in rows if row.table is Table.FILE]


async def raws_of(node: Member) -> list[bytes]:
    sql = "SELECT raw FROM np_row"
    return [raw for (raw,) in await node.store.database.read(lambda d: d.execute(sql).fetchall())]


async def sign_head(node: Member) -> None:
    rows = [SignedRow.parse(raw) for raw in await raws_of(node)]
    tables = tuple(
        table_head(table, [CountedRow(seq=r.seq, id=r.id) for r in rows if r.table == table])
        for table in (Table.USER, Table.FOLDER, Table.FILE, Table.PLACEMENT)
    )
    await node.store.write(
        Table.HEAD, bytes(32), HeadBody(tables=tables), signer=MARY, life_periods=1_000
    )


TABLES = (Table.USER, Table.FOLDER, Table.FILE)


async def test_the_rows_of_an_owner_in_pages(tmp_path: Path, autojump_clock: object) -> None:
    """One node is enough when the head says that nothing is missing; 1,200 rows are three pages."""
    async with open_grid(tmp_path) as grid:
        first, second = grid.nodes[:2]
        written = await publish(first, 1_200)
        await sign_head(first)
        await second.store.accept_many(await raws_of(first), source=None)
        for node in grid.nodes[2:]:
            grid.serve(node, Broken())
        rows = await grid.reader.owner(MARY.public, TABLES)
        found = {row.id for row in rows.values() if row.table is Table.FILE}
        assert found == {row.id for row in written}
        assert len(rows) == 1_202


async def test_what_the_nearest_node_leaves_out_is_read_from_the_next(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with open_grid(tmp_path) as grid:
        second = grid.nodes[1]
        written = await publish(second, 10)
        await sign_head(second)
        raws = await raws_of(second)
        await grid.nodes[0].store.accept_many([r for r in raws if r != written[3].raw], source=None)
        rows = await grid.reader.owner(MARY.public, TABLES)
        assert {row.id for row in written} <= {row.id for row in rows.values()}


async def test_placements_are_found_by_their_cid(tmp_path: Path, autojump_clock: object) -> None:
    async with open_grid(tmp_path) as grid:
        await publish(grid.nodes[1], 3)
        placements = [
            row for raw in await raws_of(grid.nodes[1])
            if (row := SignedRow.parse(raw)).table is Table.PLACEMENT
        ]  # fmt: skip
        for node in grid.nodes:
            await node.store.accept_many(await raws_of(grid.nodes[1]), source=None)
        cid = placements[0].key_suffix
        found = await grid.reader.find(Table.PLACEMENT, cid)
        assert [row.id for row in found.values()] == [placements[0].id]
        assert await grid.reader.find(Table.PLACEMENT, bytes(32)) == {}


async def test_rows_of_parties_are_not_told_to_others(
    tmp_path: Path, autojump_clock: object
) -> None:
    """A row that a publisher signed too is not for strangers; it looks like no row at all."""
    shop = key_of("shop")
    async with open_grid(tmp_path) as grid:
        row = make_row(
            Table.USER, b"", UserBody(nickname="Mary"), signer=MARY, co_signers=[shop], seq=1,
            period=NOW, slot=0, expires=NOW + 10,
        )  # fmt: skip
        for node in grid.nodes:
            await give(node, [row])
        assert await grid.reader.row(Table.USER, MARY.public) is None
        assert await grid.reader.table(Table.USER) == {}


async def test_a_reader_has_a_budget_and_few_streams(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitcloud_net.services.nodepool.row_server.BUDGET_BYTES", 2_000)
    async with open_grid(tmp_path, 1) as grid:
        (node,) = grid.nodes
        await give(node, [user("Mary", 1)])
        streams = [
            await grid.john.network.open_stream(node.key.node_id, ProtocolId(PROTOCOL))
            for _ in range(MAX_SERVED_PER_PEER + 1)
        ]
        await trio.sleep(1)
        with pytest.raises(Unavailable):
            await RowAsker(streams[-1], rule_of).row(Table.USER, MARY.public)
        asker = RowAsker(streams[0], rule_of)

        async def ask_often() -> None:
            for _ in range(10):
                await asker.row(Table.USER, MARY.public)

        with pytest.raises(Refused) as caught:
            await ask_often()
        assert caught.value.code == "budget"
        node.clock.forward(1)
        page = await RowAsker(streams[1], rule_of).row(Table.USER, MARY.public)
        assert page.rows == (user("Mary", 1),)


@pytest.mark.parametrize(
    ("table", "code"), [(99, "unknown-table"), (0, "unknown-table"), (2**31 + 5, "unknown-table")]
)
async def test_tables_there_are_not(
    tmp_path: Path, autojump_clock: object, table: int, code: str
) -> None:
    async with open_grid(tmp_path, 1) as grid:
        (node,) = grid.nodes
        stream = await grid.john.network.open_stream(node.key.node_id, ProtocolId(PROTOCOL))
        with pytest.raises(Refused) as caught:
            await RowAsker(stream, rule_of).row(table, MARY.public)
        assert caught.value.code == code


async def test_garbage_ends_the_connection(tmp_path: Path, autojump_clock: object) -> None:
    async with open_grid(tmp_path, 1) as grid:
        (node,) = grid.nodes
        stream = await grid.john.network.open_stream(node.key.node_id, ProtocolId(PROTOCOL))
        await stream.send(b"\0\0\0\x08" + b"\0\0\0\1\1\0\1" + encoding.encode([])[:1])
        await trio.sleep(1)
        assert grid.john.key.node_id not in node.network.peers


async def test_a_node_alone_knows_nothing_for_certain(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with open_grid(tmp_path, 1) as grid:
        assert await grid.reader.row(Table.USER, MARY.public) is None, "one node is all there is"
        node = grid.nodes.pop()
        assert await grid.reader.row(Table.USER, MARY.public) is None, "a peer is asked, too"
        grid.john.network.ban(node.key.node_id, seconds=60)
        with pytest.raises(Unavailable):
            await grid.reader.row(Table.USER, MARY.public)
