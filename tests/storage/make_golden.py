"""Writes one example of each format on disk, as the present version of the program does.

    python -m tests.storage.make_golden DIRECTORY

``tests/storage/golden`` holds what each version wrote. Never write over it: a new version of a
format gets a directory of its own, and the old one stays.
"""

import sys
from pathlib import Path

import trio

from bitcloud_net.core.units import GIB, KIB, MIB
from bitcloud_net.storage.share_store import open_share_store
from bitcloud_net.storage.vault import create_vault
from bitcloud_net.storage.vault_lock import PassphraseLock
from tests.storage.store_builders import make

WHOLE, PART = make(KIB, seed=42), make(2 * MIB, seed=42, k=100, n=101)
LOCK = PassphraseLock(passphrase="golden", passes=1, memory_bytes=8192)
SECRETS = b"what a vault holds"


async def main(directory: Path) -> None:
    async with open_share_store(directory / "store", capacity_bytes=GIB) as store:
        await WHOLE.put(store, 1)
        await PART.send(store, 2, upto=1)
    for name in ("lock", "index.db", "index.db-wal", "index.db-shm"):
        (directory / "store" / name).unlink(missing_ok=True)
    await create_vault(directory / "vault", SECRETS, LOCK)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
