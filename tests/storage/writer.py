"""A process that stores shares for ever and prints each acknowledgement; made to be killed.

python -m tests.storage.writer DIRECTORY SEED
"""

import random
import sys
from pathlib import Path

import trio

from bitcloud_net.core.units import GIB, KIB, MIB
from bitcloud_net.storage.share_store import ShareStore, open_share_store
from tests.storage.store_builders import Made, make

FILES = 24
SIZES = (KIB, 10 * KIB, 100 * KIB, 2 * MIB)


def file_number(number: int) -> Made:
    return make(SIZES[number % len(SIZES)], seed=number)


async def write(store: ShareStore, number: int, share_no: int) -> None:
    file = file_number(number)
    if file.segments > 1:
        await file.upload(store, share_no)
    else:
        await file.put(store, share_no)
    sys.stdout.write(f"{number} {share_no}\n")
    sys.stdout.flush()


async def main() -> None:
    dice = random.Random(int(sys.argv[2]))
    async with open_share_store(Path(sys.argv[1]), capacity_bytes=GIB) as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            async with trio.open_nursery() as nursery:
                for number in dice.sample(range(FILES), 4):
                    nursery.start_soon(write, store, number, dice.randrange(3))
            if dice.random() < 0.1:
                await store.delete(file_number(0).cid, 0)  # never counted as acknowledged


if __name__ == "__main__":
    trio.run(main)
