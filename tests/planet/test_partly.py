"""A file that cannot be read or stored does not keep the others of its folder from being
published."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random

import pytest
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput
from bitcloud_net.services.files.publisher import HOPELESS_FAILURES
from bitcloud_net.storage.local_file import PlannedFile
from bitcloud_net.storage.own_files import OwnFiles
from bitcloud_net.testing.planet import Machine, World, until
from bitcloud_net.transfer.upload import Source
from bitcloud_net.views import TransferState

from .acts import write
from .conftest import Open


class BadDisk(OwnFiles):
    """A disk on which some files cannot be opened."""

    def __init__(self, *bad: str) -> None:
        self.bad = set(bad)

    def open(self, file: PlannedFile) -> AbstractAsyncContextManager[Source]:
        if file.parts[-1] in self.bad:
            raise BadInput(f"{file.path} cannot be read: Input/output error.", code="unreadable")
        return super().open(file)


def put_in(machine: Machine, disk: OwnFiles) -> None:
    machine.client._parts.publisher.files = disk


def a_folder(scratch: Path, rng: Random, count: int, size: int) -> Path:
    folder = scratch / "Folder"
    folder.mkdir()
    for number in range(count):
        write(folder / f"{number}.bin", rng.randbytes(size))
    return folder


def received(grid: World) -> int:
    return sum(node.client._parts.storage.view().received_bytes for node in grid.nodes)


async def test_the_others_are_published_and_the_rest_is_sent_when_resumed(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=4) as grid:
        mary = await grid.join("Mary")
        disk = BadDisk("1.bin", "4.bin")
        put_in(mary, disk)
        folder = a_folder(scratch, rng, 6, 40_000)
        done = await mary.client.publish([folder])
        assert [one.path[-5:] for one in done if one.fault is None] == [
            "0.bin", "2.bin", "3.bin", "5.bin"
        ]  # fmt: skip
        failed = [one for one in done if one.failed]
        assert [(one.path, one.fault) for one in failed] == [
            ("Public/Mary/Folder/1.bin", "unreadable"),
            ("Public/Mary/Folder/4.bin", "unreadable"),
        ]
        assert "Input/output error" in (failed[0].reason or "")
        (transfer,) = await mary.client.transfers()
        assert (transfer.state, transfer.files_done) == (TransferState.FAILED, 4)
        assert "2 of 6 files" in (transfer.reason or "")
        assert transfer.missing == tuple(one.path for one in failed)
        names = [entry.name for entry in await mary.client.entries("Public/Mary/Folder")]
        assert names == ["0.bin", "2.bin", "3.bin", "5.bin"]

        whole = received(grid)
        disk.bad.clear()
        await mary.client.resume(transfer.id)
        await until(lambda: mary.client._parts.transfers.running == 0, 60, "resumed")
        (transfer,) = await mary.client.transfers()
        assert (transfer.state, transfer.files_done) == (TransferState.DONE, 6)
        assert transfer.missing == ()
        assert received(grid) - whole == pytest.approx(whole / 2, rel=0.1)  # two files, not six
        for path in folder.iterdir():
            async with mary.client.read(f"Public/Mary/Folder/{path.name}") as pieces:
                assert b"".join([piece async for piece in pieces]) == path.read_bytes()


async def test_links_and_pipes_are_named_and_are_no_failure(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        folder = a_folder(scratch, rng, 2, 500)
        (folder / "link").symlink_to(folder / "0.bin")
        done = await mary.client.publish([folder])
        assert [(one.path, one.fault) for one in done[2:]] == [(str(folder / "link"), "symlink")]
        assert not any(one.failed for one in done)
        (transfer,) = await mary.client.transfers()
        assert transfer.state is TransferState.DONE


async def test_a_single_file_fails_as_it_is(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        put_in(mary, BadDisk("0.bin"))
        with pytest.raises(BadInput) as caught:
            await mary.client.publish([a_folder(scratch, rng, 1, 500)])
        assert caught.value.code == "unreadable"


async def test_a_grid_that_is_gone_is_not_tried_for_each_of_many(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=4) as grid:
        mary = await grid.join("Mary")
        await grid.switch_off(4)
        folder = a_folder(scratch, rng, 40, 40_000)
        done = await mary.client.publish([folder])
        assert all(one.failed for one in done)
        tried = [one for one in done if one.fault != "not-tried"]
        assert HOPELESS_FAILURES <= len(tried) <= 2 * HOPELESS_FAILURES  # those under way together
        assert len(done) == 40
