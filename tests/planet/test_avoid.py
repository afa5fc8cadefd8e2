"""The private list: it has its effect, survives, and nobody else ever hears of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput
from bitcloud_net.net.memory_stream import MemoryStream
from bitcloud_net.testing.planet import Machine
from tests.planet.acts import read, write

REASON = "sells my holiday pictures to the neighbours"


async def names(person: Machine) -> set[str]:
    return {entry.name for entry in await person.client.entries("Public")}


async def test_who_is_avoided_is_not_seen(world: Any, clock: MockClock, scratch: Path) -> None:
    async with world(nodes=3) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await john.client.publish([write(scratch / "a.txt", b"hello")])
        await grid.settle()
        assert await names(mary) == {"Mary", "John"}
        await mary.client.avoid("Public/John", reason=REASON)
        assert await names(mary) == {"Mary"}
        with pytest.raises(BadInput):
            await read(mary, "Public/John/a.txt")
        await mary.switch_off()
        await mary.switch_on()
        (listed,) = await mary.client.avoided()
        assert (listed.name, listed.reason) == ("John", REASON)
        assert await names(mary) == {"Mary"}
        await mary.client.unavoid("Public/John")
        assert await mary.client.avoided() == ()
        assert await read(mary, "Public/John/a.txt") == b"hello"


async def test_a_node_that_is_avoided_gets_no_shares(
    world: Any, clock: MockClock, scratch: Path
) -> None:
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        shunned = grid.nodes[2].node_id.hex()
        await mary.client.avoid(shunned)
        (done,) = await mary.client.publish([write(scratch / "a.bin", b"x" * 200_000)])
        details = await mary.client.check(done.path)
        assert len(details.holders) == 4
        assert shunned not in {holder.node for holder in details.holders}
        await mary.client.unavoid(shunned)
        (done,) = await mary.client.publish([write(scratch / "b.bin", b"y" * 200_000)])
        assert len((await mary.client.check(done.path)).holders) == 5


async def test_the_list_never_leaves_the_machine(
    world: Any, clock: MockClock, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its words nor that it exists: not on the wire, and not in anybody's files."""
    sent = bytearray()
    send = MemoryStream.send

    async def tapped(self: MemoryStream, *pieces: bytes) -> None:
        sent.extend(b"".join(pieces))
        await send(self, *pieces)

    monkeypatch.setattr(MemoryStream, "send", tapped)
    async with world(nodes=3) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await john.client.publish([write(scratch / "a.txt", b"words that everybody may hear")])
        await grid.settle()
        await mary.client.avoid("Public/John", reason=REASON)
        await mary.client.publish([write(scratch / "b.bin", b"b" * 100_000)])
        await grid.settle()
        answer = await mary.client.select("SELECT name FROM sqlite_master")
        assert not [row for row in answer.rows if "avoid" in str(row)], "SQL does not see it"
        homes = {each.home for each in grid.machines} - {mary.home}
        private = {mary.home / "private.db", mary.home / "private.db-wal"}
    files = [path for home in homes for path in home.rglob("*") if path.is_file()]
    files += [path for path in mary.home.rglob("*") if path.is_file() and path not in private]
    assert len(files) > 20
    assert REASON.encode() not in sent
    assert b"John" in sent, "what is sent passed by here"
    assert not [path for path in files if REASON.encode() in path.read_bytes()]
    assert any(REASON.encode() in path.read_bytes() for path in private if path.exists())


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("Public/Nobody", "no-such-path"),
        ("Public/John/a.txt", "no-such-path"),
        ("Public", "bad-key"),
        ("ab", "bad-key"),
        ("zz" * 32, "bad-key"),
        ("", "bad-key"),
        ("Public/Mary", "own-key"),
    ],
)
async def test_whom_one_cannot_avoid(world: Any, clock: MockClock, target: str, code: str) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        with pytest.raises(BadInput) as caught:
            await mary.client.avoid(target)
        assert caught.value.code == code
        with pytest.raises(BadInput) as caught:
            await mary.client.unavoid(target)
        assert caught.value.code == "not-avoided"
        with pytest.raises(BadInput) as caught:
            await mary.client.avoid("ab" * 32, reason="x" * 1_001)
        assert caught.value.code == "too-long"
