"""Every format that was ever written to a disk is still read (T-golden)."""

import os
import shutil
from pathlib import Path

import pytest

from bitcloud_net.core.units import GIB
from bitcloud_net.storage.share_store import open_share_store
from bitcloud_net.storage.vault import open_vault
from tests.storage.make_golden import LOCK, PART, SECRETS, WHOLE

GOLDEN = sorted((Path(__file__).parent / "golden").iterdir())


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copytree(request.param, tmp_path / "home")
    for path in (tmp_path / "home").rglob("*.part"):
        os.utime(path)  # else it would be given up for its age
    return tmp_path / "home"


async def test_the_store(home: Path) -> None:
    async with open_share_store(home / "store", capacity_bytes=GIB) as store:
        await WHOLE.check(store, 1)
        assert await PART.send(store, 2) == 1
        await store.finish(PART.upload_id, 2, PART.manifest)
        await PART.check(store, 2)


async def test_the_vault(home: Path) -> None:
    assert await open_vault(home / "vault", LOCK) == SECRETS
