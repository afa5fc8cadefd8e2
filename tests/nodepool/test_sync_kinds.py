"""Each field of a table's rule that says whom its rows are compared with has effect (R-NP-05)."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from grids import Member, connect_all, key_of, open_member, until

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.app_tables import parse_definition
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.row_bodies import AppBody, UserBody
from bitcloud_net.core.nodepool.table_rules import PROOFS, RULES, SyncKind, Table, TableRule
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.protocols.sync_plan import HASTE, SyncPlan
from tests.core.row_samples import SAMPLES

MARY = key_of("mary")


def definition(**rules: Any) -> str:
    table = {"name": "notes", "columns": [{"name": "text", "type": "text"}], **rules}
    return json.dumps({"name": "notebook", "tables": [table]})


async def write_note(member: Member, text: str, number: int) -> None:
    await member.store.write(Table.USER, b"", UserBody(nickname="Mary"), signer=MARY)
    body = AppBody(names=("text",), values=(text,))
    await member.store.write(number, text.encode().ljust(16), body, signer=MARY)


async def three(
    stack: AsyncExitStack, folder: Path, text: str
) -> tuple[Member, Member, Member, int]:
    """Mary's machine, which knows the second, which knows the third."""
    hub = MemoryHub(1, delay_s=0.01)
    first = await stack.enter_async_context(
        open_member(hub, folder / "1", "first", persons=(MARY,))
    )
    rest = [await stack.enter_async_context(open_member(hub, folder / name, name)) for name in "23"]
    for member in (first, *rest):
        await member.store.install(text)
    await connect_all([first, rest[0]])
    await connect_all(rest)
    await trio.sleep(40)
    return first, rest[0], rest[1], parse_definition(text).rules[0].table


@pytest.mark.parametrize("kind", ["proximity", "random"])
async def test_rows_of_most_tables_go_everywhere(
    tmp_path: Path, autojump_clock: object, kind: str
) -> None:
    async with AsyncExitStack() as stack:
        first, _, third, number = await three(stack, tmp_path, definition(sync=kind))
        await write_note(first, "hello", number)
        await until(lambda: third.store.counts[number] == 1, 120)


async def test_none_never_leaves_the_machine(tmp_path: Path, autojump_clock: object) -> None:
    async with AsyncExitStack() as stack:
        first, second, _, number = await three(stack, tmp_path, definition(sync="none"))
        await write_note(first, "hello", number)
        await trio.sleep(1500)
        assert second.store.counts[number] == 0
        name = first.store.rule_of(number).name
        with pytest.raises(BadInput):
            await first.syncer.sync(name)


async def test_a_private_table_is_not_pushed_either(tmp_path: Path, autojump_clock: object) -> None:
    async with AsyncExitStack() as stack:
        first, second, _, number = await three(stack, tmp_path, definition(exposure="private"))
        await write_note(first, "hello", number)
        await until(lambda: second.store.counts[Table.USER] == 1, 60)
        await trio.sleep(60)
        assert second.store.counts[number] == 0


async def test_manual_waits_until_it_is_asked_for(tmp_path: Path, autojump_clock: object) -> None:
    async with AsyncExitStack() as stack:
        first, second, third, number = await three(stack, tmp_path, definition(sync="manual"))
        await write_note(first, "hello", number)
        await trio.sleep(1500)
        assert second.store.counts[number] == 0
        name = second.store.rule_of(number).name
        done = await second.syncer.sync(name)
        assert (done.nodes, done.received) == (2, 1)
        assert second.store.counts[number] == 1
        assert third.store.counts[number] == 0, "what came so goes no further by itself"


async def test_asking_needs_somebody_to_ask(tmp_path: Path, autojump_clock: object) -> None:
    async with open_member(MemoryHub(2), tmp_path, "alone") as member:
        with pytest.raises(Unavailable):
            await member.syncer.sync()
        with pytest.raises(BadInput):
            await member.syncer.sync("no_such_table")


async def test_owner_comes_straight_from_the_owner(tmp_path: Path, autojump_clock: object) -> None:
    """Who has it from hearsay alone does not get it, and does not pass it on."""
    async with AsyncExitStack() as stack:
        first, second, third, number = await three(stack, tmp_path, definition(sync="owner"))
        shop = Table.PUBLISHER  # Mary is known to everybody, so her machine says that it is hers
        await first.store.write(shop, b"", SAMPLES[shop].body, signer=MARY)
        await write_note(first, "hello", number)
        await until(lambda: second.store.counts[number] == 1, 120, "straight from Mary's machine")
        await trio.sleep(1500)
        assert third.store.counts[number] == 0
        await connect_all([first, third])
        await until(lambda: third.store.counts[number] == 1, 120)


def plan_for(
    rules: list[TableRule], nodes: int = 300, *, depth: int = 0, friends: int = 0
) -> SyncPlan:
    chance = Random(5)
    own, *others = (NodeId(chance.randbytes(32)) for _ in range(nodes))
    network: Any = SimpleNamespace(node_id=own, peers=frozenset(others[:20]))

    async def node_ids(_period: int) -> list[NodeId]:
        return [own, *others]

    known = frozenset(others[-friends:] if friends else ())

    async def acquaintances(_period: int) -> frozenset[bytes]:
        return known

    reads = SimpleNamespace(acquaintances=acquaintances)
    rows: Any = SimpleNamespace(rules=tuple(rules), node_ids=node_ids, reads=reads)
    beacon = lambda period: period.to_bytes(32, "big")  # noqa: E731
    return SyncPlan(network, rows, chance, beacon, lambda: 7, lambda: depth)


def rule(**fields: Any) -> TableRule:
    return parse_definition(definition(**fields)).rules[0]


async def partners_of(plan: SyncPlan, number: int) -> set[NodeId]:
    found = set()
    for _ in range(400):
        chosen = await plan.choose(frozenset({number}))
        assert chosen is not None
        found.add(chosen[0])
    return found


@pytest.mark.parametrize(
    ("fields", "count", "near"),
    [
        ({}, 16, 12),
        ({"sync": "random"}, 16, 0),
        ({"partners": 5}, 5, 5),
        ({"partners": 20, "near_partners": 3}, 20, 3),
    ],
)
async def test_partners_are_as_many_and_as_near_as_the_rule_says(
    autojump_clock: object, fields: dict[str, Any], count: int, near: int
) -> None:
    table = rule(**fields)
    plan = plan_for([table])
    partners = await partners_of(plan, table.table)
    assert len(partners) == count
    own = position_of(plan._network.node_id)
    nodes = list(plan._ring.nearest(own))[1:]
    assert set(nodes[:near]) <= partners
    assert len(partners & set(nodes[:near])) == near
    assert len(partners & set(nodes[:30])) < near + 5


async def test_where_tables_are_cut_some_partners_are_from_the_neighbour_shard(
    autojump_clock: object,
) -> None:
    plan = plan_for([rule()], depth=1)
    partners = await partners_of(plan, PROOFS)
    half = position_of(plan._network.node_id) >> 255
    assert sum(position_of(node) >> 255 != half for node in partners) >= 4


async def test_rows_for_few_are_compared_with_who_has_them_wherever_it_is(
    autojump_clock: object,
) -> None:
    private, public = rule(sync="owner"), rule(sync="random")
    plan = plan_for([private, public], friends=4)
    partners = await partners_of(plan, private.table)
    assert len(partners) == 4
    assert not partners & plan._network.peers
    chosen = await plan.choose(frozenset({private.table}))
    assert chosen is not None
    assert chosen[1] == plan.sets(), "it may have rows of any table for us"
    assert len(await partners_of(plan_for([private]), private.table)) == 20, "else who is there"


@pytest.mark.parametrize(("every_s", "partners"), [(600, 16), (60, 16), (600, 1), (6000, 4)])
async def test_a_table_is_compared_as_often_as_its_rule_says(
    autojump_clock: object, every_s: int, partners: int
) -> None:
    table = rule(check_every_s=every_s, partners=partners)
    plan = plan_for([table])
    now, end, compared = 0.0, 40.0 * every_s, 0
    while now < end:
        now += max(0.1, plan.wait_s(now))
        compared += table.table in plan.due(now)
    expected = 40 * partners / HASTE
    assert 0.8 * expected < compared < 1.25 * expected


async def test_what_is_due_together_shares_a_session(autojump_clock: object) -> None:
    """One session in 30 s for all tables of one kind, whatever their number."""
    rules = [each for each in RULES.values() if each.leaves]
    usual = {each.table for each in rules if each.sync is SyncKind.PROXIMITY} | {PROOFS}
    assert len(usual) > 10
    plan = plan_for(rules)
    sessions, now = 0, 0.0
    while now < 6000:
        now += max(0.1, plan.wait_s(now))
        if usual <= (due := plan.due(now)):
            chosen = await plan.choose(due & usual)
            assert chosen is not None
            assert chosen[1] == usual
            sessions += 1
    assert 160 < sessions < 240


@pytest.mark.parametrize(
    "fields",
    [
        {"sync": "gossip"},
        {"sync": 1},
        {"partners": 0},
        {"partners": 65},
        {"near_partners": 17},
        {"partners": 4, "near_partners": 5},
        {"check_every_s": 59},
        {"check_every_s": 86401},
        {"check_every_s": 1.5},
    ],
)
def test_bad_rules_of_applications(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        rule(**fields)
