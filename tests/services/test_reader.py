"""Reading: any range of any file, from a path or a cap, against a naive model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.files.caps import ReadCap, parse_cap
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import FileHeader, build_manifest
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.keys import NodeId, PublicKey
from bitcloud_net.core.nodepool.row_bodies import PlacementBody
from bitcloud_net.core.units import MIB
from bitcloud_net.nodepool.queries import Placement
from bitcloud_net.services.files.reader import _confirmed, _contradict, _trimmed
from tests.planet.acts import read, write
from tests.planet.conftest import Open

NODES = [NodeId(bytes([number]) * 32) for number in range(1, 11)]
KEYS = FileKeys.from_secret(bytes(32))
P = CodeParams(3, 10)
MANIFEST = build_manifest(
    KEYS,
    P,
    FileHeader(size=5000, content_hash=bytes(32), media_type=None),
    ciphertext_root=bytes(32),
    share_roots=[bytes(32)] * 10,
)


def placement(*holders: bytes, owner: int = 1) -> Placement:
    body = PlacementBody(manifest=MANIFEST.encode(), holders=holders)
    key = PublicKey(bytes([owner]) * 32)
    return Placement(owner=key, cid=bytes(32), body=body, seq=1, period=1)


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(0, 30), st.integers(0, 130))
def test_trimming(segments: list[bytes], skip: int, left: int) -> None:
    async def source() -> AsyncIterator[bytes]:
        for segment in segments:
            yield segment

    async def collect() -> list[bytes]:
        return [piece async for piece in _trimmed(source(), skip, left)]

    whole = b"".join(segments)
    if segments:
        skip = min(skip, len(segments[0]))  # the first segment is the one that holds the offset
        pieces = trio.run(collect)
        assert b"".join(pieces) == whole[skip : skip + left]
        assert all(pieces), "nothing empty is handed on"


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 50_000, MIB, 2 * MIB + 1])
async def test_ranges_of_files_of_all_sizes(
    clock: MockClock, world: Open, scratch: Path, rng: Random, size: int
) -> None:
    data = rng.randbytes(size)
    async with world(nodes=3) as grid:
        mary = await grid.join("Mary")
        (published,) = await mary.client.publish([write(scratch / "a.bin", data)])
        for _ in range(25):
            edges = [
                0,
                min(1, size),
                size // 2,
                max(0, size - 1),
                size,
                min(size, MIB),
                min(size, MIB - 1),
            ]
            offset = rng.choice([*edges, rng.randint(0, size)])
            length = rng.choice([None, 0, 1, size, 10 * size + 5, rng.randint(0, size + 1)])
            expected = data[offset:] if length is None else data[offset : offset + length]
            assert await read(mary, published.path, offset, length) == expected
        for offset, wrong in ((-1, None), (size + 1, None), (0, -1)):
            with pytest.raises(BadInput) as caught:
                await read(mary, published.path, offset, wrong)
            assert caught.value.code == "bad-range"


async def test_a_reader_may_leave_at_any_time(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """What is not wanted any more is not fetched."""
    data = rng.randbytes(12 * MIB)
    async with world(nodes=3, bandwidth_bytes_per_s=4e6) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", data)])
        assert mary.network is not None
        before, _ = mary.network.traffic
        async with mary.client.read("Public/Mary/a.bin") as pieces:
            first = await anext(aiter(pieces))
        assert data.startswith(first)
        await trio.sleep(60)
        after, _ = mary.network.traffic
        assert after - before < 9 * MIB


async def test_many_readers_at_once(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(2 * MIB + 5)
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", data)])

        async def one() -> None:
            assert await read(mary, "Public/Mary/a.bin") == data

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(one)


async def test_caps(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    async with world(nodes=3) as grid:
        mary = await grid.join("Mary")
        for size in (100, 90_000):
            data = rng.randbytes(size)
            (published,) = await mary.client.publish([write(scratch / f"{size}.bin", data)])
            cap = parse_cap(await mary.client.share(published.path))
            assert isinstance(cap, ReadCap)
            assert await read(mary, cap.text) == data
            with pytest.raises(BadInput) as caught:
                await read(mary, cap.diminish().text)
            assert caught.value.code == "cap-cannot-read"
            wrong = ReadCap(cap.cid, rng.randbytes(32))
            with pytest.raises(BadInput) as caught:
                await read(mary, wrong.text)
            assert caught.value.code == "wrong-key"


async def test_a_file_whose_placement_is_on_its_way(
    clock: MockClock, world: Open, scratch: Path
) -> None:
    """Rows come table by table; who reads at that moment waits for the rest."""
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.txt", b"inside its row")])
        library = mary.client._parts.library
        placements, came_s = library.placements, trio.current_time() + 0.8

        async def late(cid: bytes) -> tuple[Placement, ...]:
            return await placements(cid) if trio.current_time() >= came_s else ()

        library.placements = late  # type: ignore[method-assign]
        assert await read(mary, "Public/Mary/a.txt") == b"inside its row"


# Who holds what, as strangers say


def test_rows_that_agree_do_not_contradict() -> None:
    whole = placement(*NODES)
    gaps = placement(*[b"" if number % 2 else node for number, node in enumerate(NODES)], owner=2)
    short = placement(*NODES[:4], owner=3)
    assert not _contradict([whole], MANIFEST)
    assert not _contradict([whole, gaps, short], MANIFEST)
    assert not _contradict([], MANIFEST)


def test_rows_that_contradict() -> None:
    assert _contradict([placement(*NODES), placement(*NODES[::-1], owner=2)], MANIFEST)
    assert _contradict([placement(NODES[0]), placement(NODES[1], owner=2)], MANIFEST)


def test_who_is_named_and_says_so_comes_first() -> None:
    true, false = placement(*NODES), placement(*NODES[::-1], owner=2)
    held = [(number, node) for number, node in enumerate(NODES)]
    liar = [(number, NODES[9]) for number in range(1, 5)]
    for said in (held, liar + held, held + liar):
        placed = _confirmed([false, true], MANIFEST, said)
        assert [placed[number] for number in range(9)] == NODES[:9]


def test_numbers_there_are_not_are_passed_over() -> None:
    placed = _confirmed([], MANIFEST, [(127, NODES[0]), (10, NODES[0]), (9, NODES[1])])
    assert placed == {9: NODES[1]}


def test_who_is_named_is_better_than_nobody() -> None:
    assert _confirmed([placement(*NODES)], MANIFEST, []) == dict(enumerate(NODES))
