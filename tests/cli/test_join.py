"""``bitcloud join``: from nothing to a member, and how far it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bitcloud_net.api import Contribution, Membership, MembershipState
from bitcloud_net.cli import join as verb
from bitcloud_net.services.home import exists
from bitcloud_net.settings import load_settings
from bitcloud_net.testing.fake_client import FakeClient


class Miner(FakeClient):
    """Finds an identity as soon as somebody waits for it."""

    async def join(self, *, role: str = "node", wait: bool = True) -> Membership:
        member = await super().join(role=role, wait=False)
        if wait and member.state is MembershipState.MINING:
            self.mine(7)
            self.mine(5, found=True)
        return self.members[role]


@pytest.fixture
def miner(opened: Any) -> Miner:
    opened.client = Miner()
    opened.client.mean_tries = 131_072
    return opened.client


@pytest.fixture
def home(bitcloud: Any, tmp_path: Path) -> Path:
    assert bitcloud("init", "--name", "Mary", "--no-passphrase").status == 0
    return tmp_path / "home"


def test_one_command_makes_the_identity_and_joins(
    bitcloud: Any, miner: Miner, tmp_path: Path
) -> None:
    result = bitcloud("join", "--name", "Mary", "--no-passphrase", "--json", "--network", "family")
    assert result.status == 0
    made, member = map(json.loads, result.out.splitlines())
    assert len(made["words"]) == 24, "shown before hours are spent"
    assert (member["state"], member["role"], member["tries"]) == ("joined", "node", 12)
    settings = load_settings(tmp_path / "home")
    assert (settings.name, settings.network) == ("Mary", "family")


def test_a_home_that_is_there_is_used(bitcloud: Any, miner: Miner, home: Path) -> None:
    result = bitcloud("join")
    assert result.status == 0
    assert result.out.startswith("node since ")
    assert ("join", "node", False) in miner.calls


def test_a_home_does_not_change_its_network(bitcloud: Any, miner: Miner, home: Path) -> None:
    result = bitcloud("join", "--network", "family")
    assert result.status == 1
    assert "belongs to the network bitcloud" in result.err
    assert not miner.calls


def test_storage_is_lent_as_soon_as_it_may_be(bitcloud: Any, miner: Miner, home: Path) -> None:
    result = bitcloud("join", "--capacity", "10GiB", "--folder", home / "lent", "--json")
    assert result.document["state"] == "joined"
    assert miner.calls[-2] == ("contribute", home / "lent", 10 * 2**30)
    assert "bitcloud node run" in result.err


def test_contributing_joins_first(bitcloud: Any, miner: Miner, home: Path) -> None:
    assert bitcloud("contribute", "10GiB", "--json").document["on"]
    kinds = [call[0] for call in miner.calls]
    assert kinds == ["contribute", "join", "join", "contribute"]


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (MembershipState.NONE, "no node yet: about 131072 tries; join with: bitcloud join"),
        (MembershipState.PAUSED, "search for a node held after 12 tries"),
        (
            MembershipState.MINING,
            "on 3 cores, 12 tries of 131072 on average, 20.0/s, about 1 h 49 min more",
        ),
    ],
)
def test_status_in_words(
    bitcloud: Any, miner: Miner, home: Path, state: MembershipState, shown: str
) -> None:
    speed = {"tries_per_s": 20.0, "left_s": 6553} if state is MembershipState.MINING else {}
    miner.members["node"] = Membership(state=state, tries=12, mean_tries=131_072, cores=3, **speed)
    assert shown in bitcloud("join", "--status").out
    assert ("join", "node", True) not in miner.calls


def test_where_nobody_mines(bitcloud: Any, opened: Any, home: Path) -> None:
    result = bitcloud("join")
    assert result.status == 0
    assert "every role is free" in result.out


def test_pause(bitcloud: Any, miner: Miner, home: Path) -> None:
    miner.members["publisher"] = Membership(
        state=MembershipState.MINING, role="publisher", mean_tries=2
    )
    result = bitcloud("join", "--pause", "--json")
    assert (result.document["state"], result.document["role"]) == ("paused", "publisher")


def test_looking_makes_no_home(bitcloud: Any, opened: Any, tmp_path: Path) -> None:
    bitcloud("join", "--status")
    assert not exists(tmp_path / "home")


@pytest.mark.parametrize(
    "arguments",
    [("--folder", "x"), ("--role", "publisher", "--capacity", "1GB")],
)
def test_what_does_not_go_together(
    bitcloud: Any, miner: Miner, home: Path, arguments: tuple[str, ...]
) -> None:
    assert bitcloud("join", *arguments).status == 1
    assert not miner.calls


async def test_who_waits_is_told_that_another_program_held_it() -> None:
    class Held(FakeClient):
        async def join(self, *, role: str = "node", wait: bool = True) -> Membership:
            state = MembershipState.PAUSED if wait else MembershipState.MINING
            return Membership(state=state, role=role)

    out: Any = type("Quiet", (), {"shows_progress": False, "note": lambda _, line: None})()
    with pytest.raises(verb.Unavailable, match="bitcloud join --role gateway"):
        await verb.joined(Held(), out, "gateway")


def test_a_node_says_that_it_joins_first(
    bitcloud: Any, miner: Miner, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once() -> None:
        return

    monkeypatch.setattr("bitcloud_net.cli.node.until_stopped", at_once)
    miner.lent = Contribution(on=False, folder="/lent", capacity_bytes=10**9)
    miner.members["node"] = Membership(state=MembershipState.PAUSED, tries=12, mean_tries=131_072)
    result = bitcloud("node", "run", "--contribute", "1GB")
    assert "lent later: search for a node held after 12 tries" in result.err
    shown = bitcloud("status").out
    assert "1 GB as soon as it has joined: bitcloud join --status" in shown
