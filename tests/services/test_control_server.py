"""The control socket, both ends over a real UNIX socket."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Unavailable
from bitcloud_net.protocols.control_client import ControlClient, is_running
from bitcloud_net.protocols.control_socket import MAX_SOCKET_PATH_BYTES, control_path, make_private
from bitcloud_net.services.control_server import ControlServer
from bitcloud_net.testing.fake_client import FakeClient, grid_of
from bitcloud_net.views import TransferChanged
from bitcloud_net.wire.control_frames import ControlReader, Kind, pack, pack_json


@asynccontextmanager
async def served(home: Path) -> AsyncIterator[tuple[FakeClient, ControlClient]]:
    fake = FakeClient()
    path = control_path(home)
    async with trio.open_nursery() as nursery:
        await nursery.start(ControlServer(fake, path).run)
        yield fake, ControlClient(path)
        nursery.cancel_scope.cancel()


async def raw_call(path: Path, data: bytes) -> dict[str, str]:
    async with await trio.open_unix_socket(str(path)) as stream:
        await stream.send_all(data)
        reader = ControlReader(max_bytes=10_000)
        while (frame := reader.next()) is None:
            reader.feed(await stream.receive_some())
    assert frame.kind is Kind.ERROR
    answer = frame.json()
    assert isinstance(answer, dict)
    return answer


async def test_every_call_reaches_the_node(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(b"hello")
    async with served(tmp_path / "home") as (fake, client):
        (published,) = await client.publish([source], "Public/Mary")
        target = published.path
        assert await client.status() == await fake.status()
        assert [e.name for e in await client.entries("Public/Mary")] == ["a.txt"]
        assert (await client.details(target)).entry.path == target
        assert await client.fetch(target, tmp_path / "b.txt") == tmp_path / "b.txt"
        assert (tmp_path / "b.txt").read_bytes() == b"hello"
        assert (await client.share(target)).startswith("bitcloud:1:fr:")
        assert (await client.check(target, verify=True)).health.alive == 10
        assert (await client.repair(target)).health.alive == 10
        assert (await client.url(target)).endswith("a.txt")
        assert (await client.contribute(folder=tmp_path, capacity_bytes=5)).on
        assert not (await client.contribute(folder=None, capacity_bytes=0)).on
        (transfer,) = await client.transfers()
        await client.pause(transfer.id)
        await client.resume(transfer.id)
        await client.cancel(transfer.id)
        assert await client.test_grid() is None
        fake.grid = grid_of(10)
        assert (await client.set_running_nodes(3)).running == 3
        assert ("cancel", "t1") in fake.calls


async def test_relative_paths_are_those_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path / "home") as (fake, client):
        await client.contribute(folder=Path("lent"), capacity_bytes=1)
        assert fake.calls[-1] == ("contribute", Path(os.path.abspath("lent")), 1)


async def test_read_streams_a_range(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    async with served(tmp_path) as (fake, client):
        fake.files["Public/big"] = content
        async with client.read("Public/big", 1000, 600_000) as pieces:
            got = b"".join([piece async for piece in pieces])
        assert got == content[1000:601_000]
        async with client.read("Public/big") as pieces:
            async for piece in pieces:
                assert piece
                break  # leaving early must not harm anything
        assert await client.share("Public/big")


async def test_read_of_nothing_raises_when_opened(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        with pytest.raises(BadInput):
            async with client.read("Public/none"):
                raise AssertionError("must not open")


async def test_news_arrive_and_end(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(b"hello")
    async with served(tmp_path / "home") as (_, client):
        await client.publish([source])
        async with client.news() as news:
            items = [item async for item in news]
    assert [type(item) for item in items] == [TransferChanged]


async def test_leaving_cancels_the_call(tmp_path: Path) -> None:
    async with served(tmp_path) as (fake, client):
        fake.hold = True
        with trio.move_on_after(0.05):
            await client.publish([tmp_path])
        with trio.fail_after(5):
            await fake.was_cancelled.wait()
        assert fake.cancelled == ["publish"]


async def test_a_stopping_node_is_told_apart(tmp_path: Path) -> None:
    async with served(tmp_path) as (fake, client):
        fake.fail_with = LocalFault("the disk is full", code="disk-full")
        with pytest.raises(LocalFault, match="disk is full") as caught:
            await client.status()
        assert caught.value.code == "disk-full"
    with pytest.raises(Unavailable) as gone:
        await client.status()
    assert gone.value.code == "node-gone"


async def test_a_second_node_of_the_same_home_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path):
        assert await is_running(control_path(tmp_path))
        with pytest.raises(LocalFault) as caught:
            await ControlServer(FakeClient(), control_path(tmp_path)).run()
        assert caught.value.code == "already-running"
    assert not await is_running(control_path(tmp_path))


async def test_the_socket_of_a_killed_node_is_replaced(tmp_path: Path) -> None:
    control_path(tmp_path).touch()
    async with served(tmp_path) as (_, client):
        assert (await client.status()).person == "Mary"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pack(Kind.CALL, b"{not json"), "bad-call"),
        (pack_json(Kind.CALL, [1]), "bad-call"),
        (pack_json(Kind.NEWS, {}), "bad-call"),
        (b"\xff" * 20, "bad-call"),
        (pack_json(Kind.CALL, {"version": 99, "call": "status"}), "control-version"),
        (pack_json(Kind.CALL, {"version": 1, "call": "__init__", "arguments": {}}), "bad-call"),
        (pack_json(Kind.CALL, {"version": 1, "call": "status", "arguments": {"x": 1}}), "bad-call"),
        (pack_json(Kind.CALL, {"version": 1, "call": ["status"], "arguments": {}}), "bad-call"),
        (pack(Kind.CALL, b"[" * 100_000), "bad-call"),
    ],
)
async def test_bad_calls_are_refused_and_change_nothing(
    tmp_path: Path, data: bytes, code: str
) -> None:
    async with served(tmp_path) as (fake, client):
        assert (await raw_call(control_path(tmp_path), data))["code"] == code
        assert fake.calls == []
        assert (await client.status()).person == "Mary"


async def test_only_the_owner_may_enter(tmp_path: Path) -> None:
    home = tmp_path / "open"
    home.mkdir(mode=0o755)
    async with served(home):
        assert home.stat().st_mode & 0o077 == 0
    strange = tmp_path / "link"
    strange.symlink_to(home)
    with pytest.raises(LocalFault):
        make_private(strange)


def test_long_homes_get_a_short_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    one = control_path(tmp_path / ("x" * 100))
    two = control_path(tmp_path / ("y" * 100))
    assert one != two
    assert len(str(one)) <= MAX_SOCKET_PATH_BYTES
    assert control_path(Path("/home/mary/.bitcloud")).name == "control.sock"
