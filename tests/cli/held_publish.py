"""``bitcloud publish`` on a fake node that never gets done. Run as a program by the tests."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bitcloud_net import api
from bitcloud_net.api import Published
from bitcloud_net.cli import main
from bitcloud_net.testing.fake_client import FakeClient


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class HeldClient(FakeClient):
    async def publish(
        self, sources: Sequence[Path], to: str = "", *, wait: bool = True
    ) -> tuple[Published, ...]:
        say("publishing")
        self.hold = True
        return await super().publish(sources, to, wait=wait)


@asynccontextmanager
async def open_client(**_: object) -> AsyncIterator[FakeClient]:
    client = HeldClient()
    try:
        yield client
    finally:
        say(f"closed after {client.cancelled}")


api.open_client = open_client
sys.exit(main(["publish", __file__]))
