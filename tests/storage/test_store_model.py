"""The share store against a model of it: any actions in any order, with restarts and crashes."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput, Refused
from bitcloud_net.core.units import GIB, KIB, MIB
from bitcloud_net.storage.share_store import ShareStore, open_share_store
from bitcloud_net.storage.store_layout import upload_named
from bitcloud_net.storage.uploads import reserved_bytes
from bitcloud_net.testing.faulty_disk import FaultyDisk, Loss
from tests.storage.store_builders import STOPPED, Made, make

FILES = (make(KIB), make(9 * KIB), make(3 * MIB, k=100, n=101))
Key: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class Model:
    """What the store must say: shares held, and blocks held of shares on their way in."""

    stored: set[Key] = field(default_factory=set)
    parts: dict[Key, int] = field(default_factory=dict)

    def check(self, store: ShareStore) -> None:
        for number, file in enumerate(FILES):
            held = tuple(sorted(share for at, share in self.stored if at == number))
            assert store.shares_of(file.cid) == held
        usage = store.usage()
        assert usage.shares == len(self.stored)
        promised = sum(reserved_bytes(FILES[at].headers[share]) for at, share in self.parts)
        assert usage.reserved_bytes == promised


@dataclass(frozen=True, slots=True)
class Put:
    keys: tuple[Key, ...]  # at the same time

    async def act(self, store: ShareStore, model: Model) -> None:
        async with trio.open_nursery() as nursery:
            for number, share_no in self.keys:
                nursery.start_soon(FILES[number].put, store, share_no)
        for key in self.keys:
            if key not in model.stored:
                model.parts.pop(key, None)
            model.stored.add(key)


@dataclass(frozen=True, slots=True)
class Send:
    key: Key
    upto: int

    async def act(self, store: ShareStore, model: Model) -> None:
        file, share_no = FILES[self.key[0]], self.key[1]
        held = await file.send(store, share_no, upto=min(self.upto, file.segments))
        if self.key in model.stored:
            assert held == file.segments
            return
        assert held == model.parts.get(self.key, 0)
        model.parts[self.key] = max(held, min(self.upto, file.segments))


@dataclass(frozen=True, slots=True)
class Finish:
    key: Key

    async def act(self, store: ShareStore, model: Model) -> None:
        file, share_no = FILES[self.key[0]], self.key[1]
        whole = model.parts.get(self.key) == file.segments
        if whole or (self.key in model.stored and self.key not in model.parts):
            await file_finish(file, store, share_no)
            model.stored.add(self.key)
            model.parts.pop(self.key, None)
        else:
            with pytest.raises(BadInput):
                await file_finish(file, store, share_no)


async def file_finish(file: Made, store: ShareStore, share_no: int) -> None:
    stored = await store.finish(file.upload_id, share_no, file.manifest)
    assert stored.share_root == file.share_roots[share_no]


@dataclass(frozen=True, slots=True)
class Abandon:
    key: Key

    async def act(self, store: ShareStore, model: Model) -> None:
        await store.abandon(FILES[self.key[0]].upload_id, self.key[1])
        model.parts.pop(self.key, None)


@dataclass(frozen=True, slots=True)
class Delete:
    key: Key

    async def act(self, store: ShareStore, model: Model) -> None:
        await store.delete(FILES[self.key[0]].cid, self.key[1])
        model.stored.discard(self.key)


@dataclass(frozen=True, slots=True)
class Read:
    key: Key

    async def act(self, store: ShareStore, model: Model) -> None:
        file, share_no = FILES[self.key[0]], self.key[1]
        if self.key in model.stored:
            await file.check(store, share_no)
        else:
            with pytest.raises(Refused):
                await store.read_block(file.cid, share_no, 0)


@dataclass(frozen=True, slots=True)
class Restart:
    loss: Loss
    index_lost: bool
    seed: int


Action: TypeAlias = Put | Send | Finish | Abandon | Delete | Read
keys = st.tuples(st.integers(0, len(FILES) - 1), st.integers(0, 1))
actions = st.one_of(
    st.builds(Put, st.lists(keys, min_size=1, max_size=4).map(tuple)),
    st.builds(Send, keys, st.integers(0, 3)),
    st.builds(Finish, keys),
    st.builds(Abandon, keys),
    st.builds(Delete, keys),
    st.builds(Read, keys),
)
restarts = st.builds(Restart, st.sampled_from(Loss), st.booleans(), st.integers(0, 99))
lives = st.lists(st.tuples(st.lists(actions, max_size=12), restarts), min_size=1, max_size=4)


async def live(disk: FaultyDisk, home: Path, model: Model, acts: Sequence[Action]) -> None:
    async with open_share_store(home, capacity_bytes=GIB, disk=disk, clock=STOPPED) as store:
        if not model.parts:
            model.check(store)
        for action in acts:
            await action.act(store, model)
            model.check(store)


async def after_restart(disk: FaultyDisk, home: Path, model: Model) -> None:
    """Check that nothing acknowledged is gone, and learn what else survived."""
    async with open_share_store(home, capacity_bytes=GIB, disk=disk, clock=STOPPED) as store:
        for number, file in enumerate(FILES):
            for share_no in store.shares_of(file.cid):
                await file.check(store, share_no)
                model.stored.add((number, share_no))  # a removal may be forgotten
        for number, share_no in model.stored:
            await FILES[number].check(store, share_no)
        before, model.parts = model.parts, {}
        for key in parts_on(disk):  # giving up may be forgotten too
            model.parts[key] = await FILES[key[0]].send(store, key[1], upto=0)
            assert model.parts[key] <= before.get(key, FILES[key[0]].segments)
        model.check(store)


def parts_on(disk: FaultyDisk) -> list[Key]:
    numbers = {file.upload_id: number for number, file in enumerate(FILES)}
    names = [name for path in disk.files() if (name := upload_named(path.name))]
    return [(numbers[name.slot], name.share_no) for name in names]


@settings(max_examples=60, deadline=None, database=None)
@given(lives=lives)
def test_the_store_does_what_the_model_says(
    lives: list[tuple[list[Action], Restart]],
) -> None:
    home = Path(tempfile.mkdtemp())
    try:
        disk, model = FaultyDisk(), Model()
        for acts, restart in lives:
            trio.run(live, disk, home, model, acts)
            disk = disk.survivor(restart.loss, restart.seed)
            if restart.index_lost:
                (home / "index.db").unlink()
            trio.run(after_restart, disk, home, model)
    finally:
        shutil.rmtree(home)
