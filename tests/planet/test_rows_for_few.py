"""On a whole grid: rows for a publisher and its user reach these two machines and nobody else's
(R-NP-03), though all of them are connected and compare everything that they may see.
"""

from __future__ import annotations

from typing import Any

import trio
from trio.testing import MockClock

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import FolderBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.net.network import ProtocolId, Stream
from bitcloud_net.testing.planet import Machine
from bitcloud_net.wire.sync_session import PROTOCOL
from tests.core.row_samples import SAMPLES

from .conftest import Open


def person_of(machine: Machine) -> SigningKey:
    return machine.client._parts.row_desk._user


def signed(machine: Machine, table: Table, suffix: bytes, body: Any, *, seq: int = 1) -> SignedRow:
    return make_row(
        table,
        suffix,
        body,
        signer=person_of(machine),
        seq=machine.clock.now_s() + seq,
        period=machine.clock.period(),
        slot=seq,
        expires=machine.clock.period() + 100,
    )


def shared(machine: Machine, publisher: Machine, number: int) -> list[SignedRow]:
    """The rows of a user that a publisher has certified, and a folder of that user."""
    user = UserBody(nickname="Mary")
    folder = FolderBody(parent=b"", open_key=b"", sealed=f"diary {number}".encode())
    return [
        make_row(
            table,
            suffix,
            body,
            signer=person_of(machine),
            co_signers=[person_of(publisher)],
            seq=machine.clock.now_s() + number,
            period=machine.clock.period(),
            slot=number,
            expires=machine.clock.period() + 100,
        )
        for table, suffix, body in (
            (Table.USER, b"", user),
            (Table.FOLDER, bytes([number]) * 16, folder),
        )
    ]


async def give(machine: Machine, rows: list[SignedRow]) -> None:
    await machine.client._parts.rows.accept_many([row.raw for row in rows], source=None)


async def holds(machine: Machine, row: SignedRow) -> bool:
    database = machine.client._parts.rows.database
    sql = "SELECT 1 FROM np_row WHERE id = ?"
    found = await database.read(lambda db: db.execute(sql, (row.id,)).fetchone())
    return found is not None


async def test_rows_for_two_reach_these_two_and_nobody_else(clock: MockClock, world: Open) -> None:
    async with world(nodes=6) as grid:
        mary, shop, eve = [await grid.join(name) for name in ("Mary", "Shop", "Eve")]
        heard: list[bytes] = []
        listen_to(eve, heard)
        await give(shop, [signed(shop, Table.PUBLISHER, b"", SAMPLES[Table.PUBLISHER].body)])
        await grid.settle()
        rows = shared(mary, shop, 1)
        await give(mary, rows)
        await meet(mary, shop)
        await until_async(lambda: all_hold([shop], rows), "the publisher has them")
        pushed = shared(mary, shop, 2)[1:]
        await give(mary, pushed)
        await until_async(lambda: all_hold([shop], pushed), "the publisher has the next", 2)
        await trio.sleep(1300)
        for machine in (*grid.nodes, eve):
            assert not any([await holds(machine, row) for row in (*rows, *pushed)])
        assert grid.in_step()
        said = b"".join(heard)
        assert len(said) > 1000, "she heard everything else"
        for row in (*rows, *pushed):
            assert row.id not in said
            assert row.raw not in said


def listen_to(machine: Machine, heard: list[bytes]) -> None:
    """Hear all that comes to a machine over sync streams that others open."""
    network = machine.network
    assert network is not None
    answer = network._handlers[ProtocolId(PROTOCOL)]

    class Tapped:
        def __init__(self, stream: Stream) -> None:
            self._stream = stream

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

        async def receive(self) -> bytes:
            data = await self._stream.receive()
            heard.append(data)
            return data

    async def tapped(stream: Stream) -> None:
        await answer(Tapped(stream))  # type: ignore[arg-type]

    network._handlers[ProtocolId(PROTOCOL)] = tapped


async def meet(one: Machine, other: Machine) -> None:
    assert one.network is not None
    assert other.network is not None
    await one.network.connect(other.network.addresses[0])


async def all_hold(machines: list[Machine], rows: list[SignedRow]) -> bool:
    return all([await holds(machine, row) for machine in machines for row in rows])


async def until_async(condition: Any, what: str, seconds: float = 300.0) -> None:
    start = trio.current_time()
    while not await condition():
        assert trio.current_time() < start + seconds, f"not within {seconds:g} s: {what}"
        await trio.sleep(0.1)
