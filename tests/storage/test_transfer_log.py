"""What survives a restart: transfers, and the jobs of large files."""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from bitcloud_net.clock import Clock
from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.segment import SegmentRoots
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.storage import transfer_log
from bitcloud_net.storage.local_file import PlannedFile
from bitcloud_net.storage.transfer_log import MAX_ENDED, TransferLog, open_transfer_log
from bitcloud_net.storage.upload_job import BATCH_SEGMENTS
from bitcloud_net.storage.walk import walk
from bitcloud_net.storage.worker import on_the_spot
from bitcloud_net.views import Transfer, TransferKind, TransferState

KEY = b"k" * 32
PARAMS = CodeParams(2, 3)
HOLDERS = (NodeId(b"a" * 32), NodeId(b""), NodeId(b"c" * 32))
Opener = Callable[..., AbstractAsyncContextManager[TransferLog]]


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    def open_it(
        key: bytes = KEY, clock: Clock | None = None
    ) -> AbstractAsyncContextManager[TransferLog]:
        return open_transfer_log(
            tmp_path / "local.db", key=key, random_bytes=os.urandom, clock=clock, work=on_the_spot
        )

    return open_it


@pytest.fixture
def file(tmp_path: Path) -> PlannedFile:
    (tmp_path / "f").write_bytes(b"data")
    [planned] = walk([tmp_path / "f"]).files
    return planned


def roots(number: int) -> SegmentRoots:
    dice = random.Random(number)
    return SegmentRoots(
        nonce=dice.randbytes(24),
        segment_hash=dice.randbytes(32),
        block_roots=tuple(dice.randbytes(32) for _ in range(3)),
    )


def receipt(share_no: int) -> StorageReceipt:
    return StorageReceipt.build(
        SigningKey(bytes(32)),
        cid=bytes(32),
        share_no=share_no,
        share_root=bytes(32),
        share_bytes=5,
        period=7,
    )


def transfer(number: int, state: TransferState = TransferState.RUNNING) -> Transfer:
    return Transfer(
        id=f"t{number}",
        kind=TransferKind.PUBLISH,
        state=state,
        title="Videos",
        target="Public/Mary",
        bytes_done=5,
        bytes_total=10,
        reason_code="no-space",
        started_s=number,
        missing=("Public/Mary/Videos/a.webm",),
    )


async def test_a_job_goes_on_after_a_restart(opened: Opener, file: PlannedFile) -> None:
    async with opened() as log:
        job = await log.job(file, "Public/Mary")
        assert (len(job.secret), job.params, job.holders) == (32, None, ())
        assert (job.roots, job.stored) == ((), frozenset())
        secret = job.secret
        await job.place(PARAMS, HOLDERS)
        for number in range(BATCH_SEGMENTS + 3):
            await job.segment_done(number, roots(number))
    async with opened() as log:
        job = await log.job(file, "Public/Mary")
        assert (job.secret, job.params, job.holders) == (secret, PARAMS, HOLDERS)
        assert job.roots == tuple(map(roots, range(BATCH_SEGMENTS)))
        await job.segment_done(BATCH_SEGMENTS, roots(BATCH_SEGMENTS))
        await job.share_done(receipt(2))
    async with opened() as log:
        job = await log.job(file, "Public/Mary")
        assert job.roots == tuple(map(roots, range(BATCH_SEGMENTS + 1)))
        assert job.stored == {2}
        await job.done()
        assert (await log.job(file, "Public/Mary")).secret != secret


async def test_a_job_is_of_one_file_in_one_state_and_one_target(
    opened: Opener, file: PlannedFile
) -> None:
    async with opened() as log:
        job = await log.job(file, "a")
        await job.share_done(receipt(0))
        assert (await log.job(file, "a")).secret == job.secret
        assert (await log.job(file, "b")).secret != job.secret
        changed = replace(file, identity=replace(file.identity, inode=1 << 64))
        other = await log.job(changed, "a")
        assert other.secret != job.secret
        assert other.stored == frozenset()
        assert (await log.job(file, "a")).secret not in (job.secret, other.secret)


async def test_a_gap_in_the_roots_ends_what_is_believed(opened: Opener, file: PlannedFile) -> None:
    async with opened() as log:
        job = await log.job(file, "a")
        for number in (0, 1, 3):
            await job.segment_done(number, roots(number))
        await job.share_done(receipt(1))
        assert (await log.job(file, "a")).roots == (roots(0), roots(1))


async def test_secrets_are_sealed(opened: Opener, file: PlannedFile, tmp_path: Path) -> None:
    async with opened() as log:
        job = await log.job(file, "a")
        await job.share_done(receipt(1))
    for path in tmp_path.glob("local.db*"):
        assert job.secret not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    async with opened(key=b"x" * 32) as log:
        other = await log.job(file, "a")
        assert other.secret != job.secret
        assert other.stored == frozenset()


async def test_old_jobs_are_forgotten(opened: Opener, file: PlannedFile) -> None:
    class Later(Clock):
        def now_s(self) -> int:
            return super().now_s() + transfer_log.MAX_JOB_AGE_S + 60

    async with opened() as log:
        secret = (await log.job(file, "a")).secret
    async with opened() as log:
        assert (await log.job(file, "a")).secret == secret
    async with opened(clock=Later()) as log:
        assert (await log.job(file, "a")).secret != secret


async def test_transfers_are_remembered_newest_first(opened: Opener) -> None:
    order = {"sources": ["/home/mary/Videos", "/tmp/\u00e4"], "to": ""}
    async with opened() as log:
        await log.remember(transfer(1), order)
        await log.remember(transfer(2), {})
        await log.remember(transfer(1, TransferState.PAUSED), order)
    async with opened() as log:
        found = await log.transfers()
        assert [item.transfer for item in found] == [transfer(2), transfer(1, TransferState.PAUSED)]
        assert found[1].order == order
        await log.forget("t2")
        await log.forget("t2")
        assert [item.transfer.id for item in await log.transfers()] == ["t1"]


async def test_only_the_last_ended_transfers_are_kept(opened: Opener) -> None:
    async with opened() as log:
        await log.remember(transfer(0), {})
        for number in range(1, MAX_ENDED + 10):
            await log.remember(transfer(number, TransferState.DONE), {})
        found = await log.transfers()
        assert len(found) == MAX_ENDED + 1
        assert found[-1].transfer == transfer(0)
        assert found[-2].transfer.id == "t10"


async def test_a_damaged_log_is_put_aside(
    opened: Opener, file: PlannedFile, tmp_path: Path
) -> None:
    path = tmp_path / "local.db"
    for damage in (b"no database" * 500, b"SQLite format 3\0" + bytes(4080)):
        path.write_bytes(damage)
        async with opened() as log:
            assert await log.transfers() == ()
            await log.job(file, "a")
        assert (tmp_path / "local.db.damaged").read_bytes()[:10] == damage[:10]


async def test_a_newer_log_is_left_alone(opened: Opener, tmp_path: Path) -> None:
    path = tmp_path / "local.db"
    async with opened() as log:
        await log.remember(transfer(1), {})
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    before = path.read_bytes()
    with pytest.raises(LocalFault) as caught:
        async with opened():
            pass
    assert caught.value.code == "database-too-new"
    assert path.read_bytes() == before


async def test_a_snapshot_of_a_later_release_can_be_read(opened: Opener, tmp_path: Path) -> None:
    async with opened() as log:
        await log.remember(transfer(1), {})
    database = sqlite3.connect(tmp_path / "local.db")
    database.execute("UPDATE transfer SET snapshot = json_set(snapshot, '$.unheard_of', 1)")
    database.commit()
    database.close()
    async with opened() as log:
        assert [item.transfer for item in await log.transfers()] == [transfer(1)]
