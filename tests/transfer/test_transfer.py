"""Whole files over nodes in memory: every byte back, the right node blamed, nothing resent."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
import trio

from bitcloud_net.core.errors import BadInput, CorruptBlock, PeerFault, Unavailable
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.placement import receipts_needed
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.trust.false_claims import ClaimKind, SaidBlock, refute
from bitcloud_net.core.units import MIB
from bitcloud_net.transfer.inspect import inspect, provable, verify_file
from bitcloud_net.transfer.rebuild import rebuild
from bitcloud_net.transfer.upload import Uploaded, UploadPlan, upload

from .memory_grid import (
    MemoryGrid,
    MemoryJournal,
    MemorySource,
    open_grid,
    plan_for,
)

SEED = 20120615
P3_10 = CodeParams(3, 10)


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """Virtual time that leaves worker threads a moment before it jumps."""
    return trio.testing.MockClock(autojump_threshold=0.05)


async def publish(grid: MemoryGrid, data: bytes, seed: int = SEED) -> tuple[Uploaded, UploadPlan]:
    plan = plan_for(data, P3_10, seed)
    source, journal = MemorySource(data), MemoryJournal()
    done = await upload(plan, source, grid.takers(P3_10), journal, lambda _: None)
    return done, plan


async def read_back(grid: MemoryGrid, done: Uploaded, plan: UploadPlan, faults: list) -> bytes:
    stored = grid.stored(done)
    keys = FileKeys.from_secret(plan.secret)
    download = grid.download(stored, keys, faults.append)
    parts = []
    async with download.segments(0, stored.manifest.segment_count) as segments:
        async for segment in segments:
            parts.append(segment)
    return b"".join(parts)[: plan.size]


@pytest.mark.parametrize("size", [4097, 10_000, MIB, MIB + 1, 5 * MIB + 77])
async def test_every_byte_comes_back(autojump_clock: object, size: int) -> None:
    data = Random(size).randbytes(size)
    async with open_grid(10, SEED) as grid:
        done, plan = await publish(grid, data)
        assert len(done.receipts) == 10
        assert not done.failures
        assert await read_back(grid, done, plan, []) == data


async def test_any_seven_of_ten_may_go(autojump_clock: object) -> None:
    """R6: all 120 sets of three nodes left are enough."""
    data = Random(SEED).randbytes(20_000)
    async with open_grid(10, SEED) as grid:
        done, plan = await publish(grid, data)
        stored = grid.stored(done)
        for left in combinations(range(10), 3):
            few = {number: stored.holders[number] for number in left}
            download = grid.download(
                type(stored)(cid=stored.cid, manifest=stored.manifest, holders=few),
                FileKeys.from_secret(plan.secret),
                lambda fault: None,
            )
            assert (await download.segment(0))[: len(data)] == data


async def test_killed_nodes_are_read_around_in_the_middle(autojump_clock: object) -> None:
    data = Random(SEED).randbytes(9 * MIB)
    async with open_grid(10, SEED, delay_s=0.01) as grid:
        done, plan = await publish(grid, data)
        stored = grid.stored(done)
        download = grid.download(stored, FileKeys.from_secret(plan.secret), lambda fault: None)
        got = b""
        async with download.segments(0, 9) as segments:
            async for segment in segments:
                got += segment
                if len(got) == 2 * MIB:
                    for node in grid.nodes[:7]:
                        grid.hub.kill(node)
        assert got[: len(data)] == data


async def test_too_few_shares_says_how_many(autojump_clock: object) -> None:
    async with open_grid(10, SEED) as grid:
        done, plan = await publish(grid, bytes(10_000))
        for node in grid.nodes[:8]:
            grid.hub.kill(node)
        with pytest.raises(Unavailable) as caught:
            await read_back(grid, done, plan, [])
    assert caught.value.code == "too-few-shares"
    assert caught.value.detail == {"have": 2, "need": 3}


async def test_a_changed_byte_is_found_blamed_and_read_around(autojump_clock: object) -> None:
    """T-byz-flip: the reader gets right bytes, and evidence that any third party can check."""
    data = Random(SEED).randbytes(4 * MIB)
    async with open_grid(10, SEED) as grid:
        done, plan = await publish(grid, data)
        grid.keepers[1].flip = {2}
        faults: list[PeerFault] = []
        assert await read_back(grid, done, plan, faults) == data
    assert [(type(fault), fault.peer) for fault in faults] == [(CorruptBlock, grid.nodes[1])]
    said = faults[0].detail["said"]
    assert isinstance(said, SaidBlock)
    claim = said.signed_in([7, 1, 8])
    assert claim is not None
    accused = refute(ClaimKind.BLOCK, said.manifest, claim)
    assert accused.node == grid.nodes[1]
    assert said.signed_in([7, 8]) is None, "signed in another period"


async def test_slow_nodes_are_hedged(autojump_clock: object) -> None:
    """T-slowloris: seven of ten answer after a minute each; reading does not wait for them."""
    data = Random(SEED).randbytes(3 * MIB)
    async with open_grid(10, SEED) as grid:
        done, plan = await publish(grid, data)
        for keeper in grid.keepers[:7]:
            keeper.stall_s = 60.0
        started = trio.current_time()
        assert await read_back(grid, done, plan, []) == data
        assert trio.current_time() - started < 10.0


async def test_publishing_goes_on_without_dead_and_full_nodes(autojump_clock: object) -> None:
    data = Random(SEED).randbytes(3 * MIB)
    async with open_grid(10, SEED) as grid:
        grid.hub.kill(grid.nodes[4])
        grid.keepers[5].full = True
        done, plan = await publish(grid, data)
        assert set(done.failures) == {4, 5}
        assert done.failures[5].code == "no-space"
        assert len(done.receipts) >= receipts_needed(3, 10)
        assert await read_back(grid, done, plan, []) == data


async def test_a_node_that_stalls_is_dropped(autojump_clock: object) -> None:
    data = Random(SEED).randbytes(16 * MIB)
    async with open_grid(10, SEED) as grid:
        grid.keepers[3].stall_s = 3600.0
        done, _ = await publish(grid, data)
    assert done.failures[3].code == "node-too-slow"
    assert len(done.receipts) == 9


async def test_fewer_than_k_nodes_is_an_error(autojump_clock: object) -> None:
    async with open_grid(10, SEED) as grid:
        for node in grid.nodes[:8]:
            grid.hub.kill(node)
        with pytest.raises(Unavailable) as caught:
            await publish(grid, bytes(5 * MIB))
    assert caught.value.code == "too-few-nodes"


async def test_an_interrupted_upload_resumes_without_sending_again(autojump_clock: object) -> None:
    data = Random(SEED).randbytes(24 * MIB)
    plan, journal = plan_for(data, P3_10, SEED), MemoryJournal()
    async with open_grid(10, SEED, delay_s=0.01) as grid:
        with trio.CancelScope() as scope:

            def watch(done: int) -> None:
                if done >= 18 * MIB:
                    scope.cancel()

            await upload(plan, MemorySource(data), grid.takers(P3_10), journal, watch)
        before = [keeper.blocks_received for keeper in grid.keepers]
        assert all(count >= 1 for count in before)
        done = await upload(plan, MemorySource(data), grid.takers(P3_10), journal, lambda _: None)
        assert [keeper.blocks_received for keeper in grid.keepers] == [24] * 10
        assert await read_back(grid, done, plan, []) == data


async def test_a_file_edited_between_two_tries_is_noticed(autojump_clock: object) -> None:
    """T-nonce at the level of a transfer: other bytes are never passed off as the old ones."""
    data = Random(SEED).randbytes(8 * MIB)
    plan, journal = plan_for(data, P3_10, SEED), MemoryJournal()
    async with open_grid(10, SEED, delay_s=0.01) as grid:
        with trio.CancelScope() as scope:

            def watch(done: int) -> None:
                if done >= 4 * MIB:
                    scope.cancel()

            await upload(plan, MemorySource(data), grid.takers(P3_10), journal, watch)
        edited = b"!" + data[1:]
        with pytest.raises(BadInput) as caught:
            await upload(plan, MemorySource(edited), grid.takers(P3_10), journal, lambda _: None)
    assert caught.value.code == "file-changed"


async def test_inspection_counts_what_is_there(autojump_clock: object) -> None:
    async with open_grid(10, SEED) as grid:
        done, _ = await publish(grid, Random(1).randbytes(3 * MIB))
        stored = grid.stored(done)
        grid.hub.kill(grid.nodes[0])
        grid.keepers[1].shares.clear()
        grid.keepers[2].flip = {1}
        asked = await inspect(stored, grid.clients.of)
        assert asked.good == {2, 3, 4, 5, 6, 7, 8, 9}
        assert asked.faults[1].code == "share-missing"
        verified = await verify_file(stored, grid.clients.of)
        assert verified.good == {3, 4, 5, 6, 7, 8, 9}
        assert [fault.peer for fault in provable(verified)] == [grid.nodes[2]]


async def test_rebuilding_restores_the_same_shares_without_keys(autojump_clock: object) -> None:
    data = Random(SEED).randbytes(3 * MIB)
    async with open_grid(10, SEED) as grid:
        done, plan = await publish(grid, data)
        stored = grid.stored(done)
        lost = {number: grid.keepers[number].shares.copy() for number in range(7)}
        for number in lost:
            grid.keepers[number].shares.clear()
        sealed = grid.download(stored, None, lambda fault: None)
        takers = {number: grid.clients.of(grid.nodes[number]) for number in lost}
        receipts = await rebuild(stored, sealed, takers)
        assert set(receipts) == set(lost)
        for number, before in lost.items():
            (name,) = before
            assert grid.keepers[number].shares[name][0].blocks == before[name][0].blocks
        assert await read_back(grid, done, plan, []) == data
