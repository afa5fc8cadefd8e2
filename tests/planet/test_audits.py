"""Nodes that fail, lie, stall, refuse or lose shares are found by lot, banned, and come back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.row_bodies import FaultBody
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.trust.verdicts import FaultReason
from bitcloud_net.core.units import MIB, PERIOD_S
from bitcloud_net.net.network import ProtocolId, StreamHandler
from bitcloud_net.protocols.audit_server import AuditServer
from bitcloud_net.testing.mischief import (
    FlipsBytes,
    SignsAnother,
    babbles,
    is_silent,
    refuses_audits,
    signs_with_another_key,
    stalls_in_audits,
)
from bitcloud_net.testing.planet import Machine, World, until
from bitcloud_net.views import BanView, SyncHealth
from bitcloud_net.wire import audit_session as wire
from bitcloud_net.wire import sync_session

from .acts import lose_disk, read, write
from .conftest import Open


async def periods(count: float) -> None:
    await trio.sleep(count * PERIOD_S)


async def bans_of(machine: Machine) -> tuple[BanView, ...]:
    return await machine.client.bans()


async def statements_about(world: World, target: Machine) -> dict[str, str]:
    """Return which node says what about a target, as the first node that is on sees it."""
    witness = next(node for node in world.nodes if node.is_on and node is not target)
    said = await witness.client._parts.row_desk._queries.statements(witness.clock.period())
    return {
        world.named(item.auditor).name: item.reason.text
        for item in said
        if item.target == target.node_id
    }


def reasons(said: dict[str, str]) -> set[str]:
    return set(said.values())


async def publish_some(
    world: World, person: Machine, folder: Path, rng: Random, count: int
) -> None:
    await world.settle()
    for at in range(count):
        write(folder / f"{at}.bin", rng.randbytes(9_000))
    await person.client.publish([folder])
    await world.settle()


async def test_a_node_that_is_off_is_banned_and_comes_back_by_itself(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        await publish_some(grid, mary, scratch / "files", rng, 5)
        gone = grid.nodes[3]
        name = gone.name
        await gone.switch_off()
        await periods(2)
        assert len(await statements_about(grid, gone)) == 4
        assert reasons(await statements_about(grid, gone)) == {"ping-timeout"}
        for node in grid.nodes:
            assert not node.is_on or await bans_of(node) == ()
        await periods(1.9)
        for machine in (*grid.nodes[:3], grid.nodes[4], mary):
            (ban,) = await bans_of(machine)
            assert (ban.node, ban.reason, ban.own) == (gone.node_id.hex(), "ping-timeout", False)
            assert ban.name == name
            assert len(ban.statements) >= 3, "two thirds of four auditors"
            assert sum(word.periods == 3 for word in ban.statements) >= 3
            assert ban.until_s - ban.since_s == 2 * PERIOD_S, "the rest of this period and the next"
            assert gone.node_id.hex() not in {
                view.node for view in (await machine.client.status()).nodes
            }
        await gone.switch_on()
        await until(
            lambda: all(
                gone.node_id in node.client._parts.network.peers
                for node in grid.nodes
                if node is not gone
            ),
            4 * PERIOD_S,
            "they let it in again",
        )
        await periods(1)
        await grid.settle()
        for machine in grid.machines:
            assert gone.node_id.hex() in {
                view.node for view in (await machine.client.status()).nodes if view.online
            }
            assert [ban for ban in await bans_of(machine) if not ban.own] == []
        await periods(3)
        assert [await bans_of(node) for node in grid.nodes if node is not gone] == [()] * 4


async def test_honest_nodes_are_not_called_faulty(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Audits of a grid that works, over slow lines: not one statement."""
    async with world(nodes=5, delay_s=0.4) as grid:
        mary = await grid.join("Mary")
        await publish_some(grid, mary, scratch / "files", rng, 30)
        await periods(8)
        for node in grid.nodes:
            assert node.client._parts.rows.counts[Table.FAULT] == 0
            assert await bans_of(node) == ()


async def test_seventy_percent_off_ban_nobody(clock: MockClock, world: Open) -> None:
    """Who reaches fewer than half says nothing: it may be his own line."""
    async with world(nodes=10) as grid:
        await grid.switch_off(7)
        await periods(8)
        for node in grid.nodes[7:]:
            assert node.client._parts.rows.counts[Table.FAULT] == 0
            assert await bans_of(node) == ()


async def test_placements_that_lie_put_no_node_in_the_wrong(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Anybody may write that a node holds what it never got: nobody is blamed for lacking it."""
    async with world(nodes=5) as grid:
        mary, eve = await grid.join("Mary"), await grid.join("Eve")
        await publish_some(grid, mary, scratch / "files", rng, 6)
        await eve.client.publish([write(scratch / "mine.txt", b"Eve was here")])
        victim = grid.nodes[2].node_id
        for at in range(6):
            found = await eve.client._parts.reader.find(f"Public/Mary/files/{at}.bin")
            turned = [found.placed[no] for no in (1, 2, 3, 4, 0)]
            all_on_one = [victim] * 5
            for holders in (turned, all_on_one):
                raw = found.manifest.encode()
                library = eve.client._parts.library
                await library.place_again(found.cid, raw, tuple(map(NodeId, holders)))
        await periods(8)
        for node in grid.nodes:
            assert node.client._parts.rows.counts[Table.FAULT] == 0


async def test_a_node_that_lost_its_disk_is_found_and_banned(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        await publish_some(grid, mary, scratch / "files", rng, 30)
        await periods(10)
        loser = grid.nodes[3]
        await lose_disk(loser)
        bans: list[BanView] = []
        while not bans:
            await periods(0.5)
            bans = [*await bans_of(mary)]
            assert trio.current_time() < 20 * PERIOD_S
        for machine in grid.machines:
            (ban,) = await bans_of(machine)
            assert (ban.node, ban.reason) == (loser.node_id.hex(), "wrong-audit")
            assert ban.own is (machine is loser)
        assert await read(mary, "Public/Mary/files/3.bin")


async def test_a_lie_in_an_audit_bans_at_once_and_everywhere(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        await publish_some(grid, mary, scratch / "files", rng, 20)
        await periods(6)
        liar = grid.nodes[4]
        liar.misbehave(partial(FlipsBytes, random=rng, admits=True))
        honest = [machine for machine in grid.machines if machine is not liar]
        await periods(6)
        for machine in honest:
            (ban,) = await bans_of(machine)
            assert (ban.node, ban.reason, ban.proof) == (liar.node_id.hex(), "fraud", "audit")
            assert ban.until_s - ban.since_s == 145 * PERIOD_S


async def test_a_lie_to_a_reader_bans_everywhere(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """A wrong block under the node's own signature is a proof, whoever met it."""
    data = rng.randbytes(3 * MIB)
    async with world(nodes=5) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        found = await john.client._parts.reader.find("Public/Mary/file.bin")
        liar = grid.named(found.placed[0])
        liar.misbehave(partial(FlipsBytes, random=rng, admits=True))
        await john.client.check("Public/Mary/file.bin", verify=True)
        honest = [machine for machine in grid.machines if machine is not liar]
        await trio.sleep(120)
        for machine in honest:
            (ban,) = await bans_of(machine)
            assert (ban.node, ban.reason, ban.proof) == (liar.node_id.hex(), "fraud", "block")


@pytest.mark.parametrize("size", [50_000, 5 * MIB])
async def test_a_receipt_for_something_else_bans_everywhere(
    clock: MockClock, world: Open, scratch: Path, rng: Random, size: int
) -> None:
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        liar = grid.nodes[3]
        liar.misbehave(SignsAnother)
        with suppress(Unavailable):  # it is not safe yet: the liar's receipt counts as none
            await mary.client.publish([write(scratch / "file.bin", rng.randbytes(size))])
        await trio.sleep(120)
        for machine in grid.machines:
            if machine is not liar:
                (ban,) = await bans_of(machine)
                assert (ban.node, ban.proof) == (liar.node_id.hex(), "receipt")


async def test_who_floods_us_with_nonsense_is_named_by_us(clock: MockClock, world: Open) -> None:
    """A peer's fault on any protocol is our word in the next statement, and nothing more."""
    async with world(nodes=5) as grid:
        rude, victim = grid.nodes[2], grid.nodes[0]
        stream = await rude.client._parts.network.open_stream(
            victim.node_id, ProtocolId(sync_session.PROTOCOL)
        )
        await stream.send(b"\xff" * 500)
        await periods(1.9)
        assert await statements_about(grid, rude) == {victim.name: "denial-of-service"}
        await periods(1)
        assert await bans_of(victim) == ()


async def test_wrong_bytes_under_a_right_signature_are_only_testimony(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Nobody else can check who changed the bytes: the auditors that met it say so, no more."""
    data = rng.randbytes(3 * MIB)
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        reader = grid.nodes[0]
        found = await reader.client._parts.reader.find("Public/Mary/file.bin")
        liar = next(grid.named(found.placed[no]) for no in found.placed)
        if liar is reader:
            liar = grid.named(found.placed[1])
        liar.misbehave(partial(FlipsBytes, random=rng, admits=False))
        await reader.client.check("Public/Mary/file.bin", verify=True)
        liar.misbehave(None)
        await periods(1.9)
        assert await statements_about(grid, liar) == {reader.name: "corrupt-data"}
        assert await mary.client._parts.row_desk._queries.cheats() == ()
        await periods(7)
        assert await bans_of(mary) == ()


AUDIT_MISCHIEF: dict[FaultReason, Callable[[AuditServer], StreamHandler]] = {
    FaultReason.WRONG_SIGNATURE: signs_with_another_key,
    FaultReason.TOO_SLOW: partial(stalls_in_audits, seconds=0.7),
    FaultReason.DENIAL_OF_SERVICE: refuses_audits,
    FaultReason.WRONG_AUDIT: babbles,
    FaultReason.PING_TIMEOUT: is_silent,
}


@pytest.mark.parametrize("reason", AUDIT_MISCHIEF)
async def test_every_reason_has_its_ban(clock: MockClock, world: Open, reason: FaultReason) -> None:
    async with world(nodes=5) as grid:
        bad = grid.nodes[4]
        key = bad.client._parts.storage._key
        honest = AuditServer(key, lambda: None, bad.clock.now_s)
        network = bad.client._parts.network
        network.serve(ProtocolId(wire.PROTOCOL), AUDIT_MISCHIEF[reason](honest))
        await periods(3.9)
        await expect_ban(grid, bad, reason)


async def test_a_wrong_clock_has_its_ban(clock: MockClock, world: Open) -> None:
    async with world(nodes=7) as grid:
        grid.nodes[4].clock.forward(12)
        await periods(3.9)
        await expect_ban(grid, grid.nodes[4], FaultReason.CLOCK)


async def expect_ban(world: World, bad: Machine, reason: FaultReason) -> None:
    """Expect one ban everywhere, within this period or the first half of the next: an auditor may
    speak late in a period, and its word takes up to a minute where a push is missed."""
    for _ in range(12):
        if all([len(await bans_of(node)) for node in world.nodes]):
            break
        await trio.sleep(30)
    for node in world.nodes:
        (ban,) = await bans_of(node)
        assert (ban.node, ban.reason) == (bad.node_id.hex(), reason.text)
        assert ban.own is (node is bad)


async def test_four_liars_of_fifteen_cannot_ban_an_honest_node(
    clock: MockClock, world: Open
) -> None:
    """R-AUD-04: they say it, of six periods at once, and again; a quorum is ten of fourteen."""
    async with world(nodes=15) as grid:
        victim, liars = grid.nodes[0], grid.nodes[11:]
        for _ in range(2):
            for liar in liars:
                parts = liar.client._parts
                body = FaultBody(reason=FaultReason.TOO_SLOW, count=9, recent=0b111111)
                key = parts.storage._key
                await parts.rows.write(Table.FAULT, victim.node_id, body, signer=key)
            await periods(1)
        assert len(await statements_about(grid, victim)) == 4
        for node in grid.nodes:
            assert await bans_of(node) == ()


async def test_a_clock_that_is_a_little_wrong_is_shown_and_no_fault(
    clock: MockClock, world: Open
) -> None:
    async with world(nodes=7) as grid:
        late = grid.nodes[3]
        late.clock.forward(-6)
        await periods(4)
        health = (await late.client.status()).sync
        assert health is not None
        assert health.clock_behind_s == 6
        assert await statements_about(grid, late) == {}
        assert late.clock.now_s() == grid.nodes[0].clock.now_s() - 6, "it is shown, never changed"


@pytest.mark.parametrize("skew_s", [-600, 600, 1500])
async def test_a_wrong_clock_loses_no_row(
    clock: MockClock, world: Open, scratch: Path, rng: Random, skew_s: int
) -> None:
    """T-skew: who is wrong is refused sessions, and told; set right, all it wrote arrives."""
    data = rng.randbytes(20_000)
    async with world(nodes=6) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await grid.settle()
        mary.clock.forward(skew_s)
        await mary.client.publish([write(scratch / "file.bin", data)])
        await until(lambda: sync_of(mary).clock_behind_s == -skew_s, 600, "she is told")
        sessions = sync_of(mary).sessions
        await trio.sleep(120)
        assert sync_of(mary).sessions == sessions, "nobody compares rows with her"
        mary.clock.forward(-skew_s)
        await periods(3.2)
        assert await read(john, "Public/Mary/file.bin") == data
        await grid.settle()


def sync_of(machine: Machine) -> SyncHealth:
    return machine.client._parts.syncer.state


async def test_no_audits_where_they_are_switched_off(clock: MockClock, world: Open) -> None:
    async with world(nodes=4, audit=False) as grid:
        await grid.nodes[0].switch_off()
        await periods(5)
        assert grid.nodes[1].client._parts.rows.counts[Table.FAULT] == 0
