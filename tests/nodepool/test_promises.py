"""What the nodepool promises of whole networks, each on real nodes with a nodepool each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import trio
from grids import NOW, FixedClock, Member, connect_all, key_of, open_member, until

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import FaultBody, NodeBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import PROOFS, Role, Table
from bitcloud_net.core.trust.verdicts import FaultReason
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.nodepool.fault_room import MAX_FAULTS

MEMBERS = 12
NODE = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)


@asynccontextmanager
async def open_grid(
    folder: Path, seed: int, clock: FixedClock, count: int = MEMBERS
) -> AsyncIterator[list[Member]]:
    hub = MemoryHub(seed, delay_s=0.01, loss=0.01)
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(
                open_member(hub, folder / str(at), f"node {at}", clock=clock)
            )
            for at in range(count)
        ]
        for member in members:
            await member.store.write(Table.NODE, b"", NODE, signer=member.key)
        await connect_all(members)
        await until(lambda: same(members))
        yield members


def same(members: list[Member]) -> bool:
    return all(member.ids() == members[0].ids() for member in members[1:])


def two_rows(cheat: SigningKey) -> list[SignedRow]:
    """Return two rows of a cheat with one number."""
    return [
        make_row(
            Table.USER, b"", UserBody(nickname=name), signer=cheat, seq=5, period=NOW, slot=at,
            expires=NOW + 100,
        )
        for at, name in enumerate(("one", "other"))
    ]  # fmt: skip


async def test_every_equivocation_that_two_nodes_see_is_proven_everywhere_within_a_period(
    tmp_path: Path, autojump_clock: object, seed: int
) -> None:
    """Each of ten cheats tells one node one thing and another node another: within one period all
    nodes hold a proof against each of them.
    """
    chance, cheats = Random(seed), [key_of(f"cheat {at}") for at in range(10)]
    async with open_grid(tmp_path, seed, FixedClock()) as members:
        for cheat in cheats:
            for member, row in zip(chance.sample(members, 2), two_rows(cheat), strict=True):
                await member.store.accept_many([row.raw], source=None)
        await trio.sleep(600)
        convicted = sorted(cheat.public for cheat in cheats)
        for member in members:
            assert list(await member.queries.cheats()) == convicted
            assert len(member.store.sets[PROOFS]) == len(cheats)
        assert same(members), "and all hold the same one of the two rows"


async def test_a_node_that_does_not_sign_again_is_gone_everywhere_and_nobodys_partner(
    tmp_path: Path, autojump_clock: object, seed: int
) -> None:
    """R-NP-04: 432 periods and one more, and it is in no nodepool; its old row is taken by nobody,
    and nobody asks it for a session.
    """
    clock = FixedClock()
    async with open_grid(tmp_path, seed, clock) as members:
        gone, others = members[0], members[1:]
        sql = "SELECT raw FROM np_row WHERE tbl = 1 AND key = ?"
        (old,) = await others[0].store.database.read(
            lambda db: db.execute(sql, (gone.key.public,)).fetchone()
        )
        clock.forward(430)
        for member in others:
            await member.store.write(Table.NODE, b"", NODE, signer=member.key)
        await until(lambda: same(members))
        assert all(member.store.counts[Table.NODE] == MEMBERS for member in members)
        clock.forward(4)
        await trio.sleep(1_300)  # a period's end, and the sweep behind it
        for member in members:
            assert member.store.counts[Table.NODE] == MEMBERS - 1
            assert gone.key.node_id not in await member.store.node_ids(clock.period())
            (refused,) = await member.store.accept_many([old], source=None)
            assert refused.code == "expired"


async def test_all_nodes_keep_the_same_sixteen_faults_whatever_came_first(
    tmp_path: Path, autojump_clock: object, seed: int
) -> None:
    """R-NP-07: thirty auditors speak about one node, each first to another one of us."""
    chance = Random(seed)
    target, auditors = key_of("target"), [key_of(f"auditor {at}") for at in range(30)]
    numbers = {"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 100}
    body = FaultBody(reason=FaultReason.PING_TIMEOUT, count=1, recent=1)
    async with open_grid(tmp_path, seed, FixedClock(), count=6) as members:
        known = [make_row(Table.NODE, b"", NODE, signer=key, **numbers).raw for key in auditors]
        for member in members:
            await member.store.accept_many(known, source=None)
        for auditor in auditors:
            row = make_row(Table.FAULT, target.public, body, signer=auditor, **numbers)
            await chance.choice(members).store.accept_many([row.raw], source=None)
        await until(lambda: same(members), 1_200)
        assert members[0].store.counts[Table.FAULT] == MAX_FAULTS


@pytest.mark.parametrize("table", [Table.NODE, Table.USER])
def test_a_stored_row_with_one_bit_changed_is_refused(table: Table) -> None:
    body = NODE if table is Table.NODE else UserBody(nickname="Mary")
    row = make_row(table, b"", body, signer=key_of("mary"), seq=1, period=NOW, slot=0, expires=NOW)
    for bit in range(8 * len(row.raw)):
        changed = bytearray(row.raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed):
            SignedRow.parse(bytes(changed)).verify()
