"""The way into a network: what stopped a search that nobody waited for is still known."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.table_rules import Role
from bitcloud_net.core.trust.identity import Admission, Difficulty
from bitcloud_net.core.trust.verdicts import FRAUD, Ban
from bitcloud_net.services.trust.joiner import Joiner
from bitcloud_net.views import MembershipChanged, MembershipState

KEY = SigningKey(b"j" * 32)
ADMISSION = Admission(
    difficulty=Difficulty(bits=3, memory_kib=8), beacon=lambda day: day.to_bytes(32, "big")
)


class Network:
    """What a joiner asks and writes; ``bans`` may convict its key."""

    def __init__(self) -> None:
        self.convicted: tuple[Ban, ...] = ()
        self.written: list[object] = []

    async def registration(self, _owner: bytes, _role: Role, _period: int) -> None:
        return None

    async def bans(self, _period: int) -> tuple[Ban, ...]:
        return self.convicted

    async def write(self, *row: object, signer: SigningKey) -> None:
        self.written.append(row)


async def test_why_a_search_stopped_is_told_until_the_next_begins(tmp_path: Path) -> None:
    network, news = Network(), list[MembershipChanged]()
    network.convicted = (Ban(target=KEY.node_id, since=1, until=300, reason=FRAUD),)
    async with trio.open_nursery() as nursery:
        joiner = Joiner(
            nursery,
            tmp_path,
            lambda _role: KEY,
            network,  # type: ignore[arg-type]
            network,  # type: ignore[arg-type]
            ADMISSION,
            period=lambda: 200,
            tell=news.append,
        )
        started = await joiner.join("node", wait=False)
        assert (started.state, started.stopped_by) == (MembershipState.MINING, None)
        await trio.testing.wait_all_tasks_blocked()
        stopped = await joiner.view("node")
        assert (stopped.state, stopped.stopped_by) == (MembershipState.NONE, "owner-banned")
        assert news[-1].membership == stopped
        with pytest.raises(BadInput) as refusal:
            await joiner.join("node")
        assert refusal.value.code == "owner-banned"
        network.convicted = ()
        await joiner.join("node")
        assert (await joiner.view("node")).stopped_by is None
        assert len(network.written) == 1
