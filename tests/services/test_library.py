"""The virtual disk: paths, people of one nickname, one's own space, and names that mean harm."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, BitcloudError
from bitcloud_net.core.nodepool.row_bodies import UserBody
from bitcloud_net.core.nodepool.rows import make_row
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.services.files.library import fingerprint
from bitcloud_net.testing.planet import Machine, World
from bitcloud_net.views import EntriesChanged, EntryKind, FolderContent
from tests.planet.acts import read, write
from tests.planet.conftest import Open


async def call_oneself(person: Machine, nickname: str) -> None:
    """Write a person row with any nickname, as a hostile program would."""
    library = person.client._parts.library
    await library._rows.write(Table.USER, b"", UserBody(nickname=nickname), signer=library._user)


async def names(person: Machine, path: str) -> list[str]:
    return [entry.name for entry in await person.client.entries(path)]


async def people(world: World, *nicknames: str) -> list[Machine]:
    """Let people join and publish a note each."""
    joined = [await world.join(name) for name in nicknames]
    for number, person in enumerate(joined):
        note = write(person.home / "note.txt", f"from {number}".encode())
        await person.client.publish([note])
    await world.settle()
    return joined


async def test_two_people_of_one_nickname(clock: MockClock, world: Open) -> None:
    async with world(nodes=1) as grid:
        one, other, john = await people(grid, "Mary", "mary", "John")
        shown = await john.client.entries("Public")
        marys = [entry for entry in shown if entry.name.casefold().startswith("mary ~")]
        assert len(marys) == 2
        for entry in marys:
            short = (entry.fingerprint or "").replace(" ", "")
            assert entry.name.endswith(short[:6])
        bodies = {await read(john, f"{entry.path}/note.txt") for entry in marys}
        assert bodies == {b"from 0", b"from 1"}
        with pytest.raises(BadInput):
            await john.client.entries("Public/Mary")
        assert (await names(one, "Public"))[0] == "Mary", "one's own name stays plain"
        assert await read(one, "Public/Mary/note.txt") == b"from 0"
        assert await read(other, "Public/mary/note.txt") == b"from 1"


async def test_nobody_takes_the_place_of_another(clock: MockClock, world: Open) -> None:
    """A nickname that looks like somebody's told-apart name hides nobody."""
    async with world(nodes=1) as grid:
        one, _, john, eve = await people(grid, "Mary", "Mary", "John", "Eve")
        key = one.client._parts.user_key
        await call_oneself(eve, f"Mary ~{fingerprint(key).replace(' ', '')[:6]}")
        await grid.settle()
        shown = await john.client.entries("Public")
        assert len({entry.name for entry in shown}) == len(shown) == 4
        assert len({entry.fingerprint for entry in shown}) == 4
        (mary,) = [entry for entry in shown if entry.fingerprint == fingerprint(key)]
        assert await read(john, f"{mary.path}/note.txt") == b"from 0"


async def test_who_contradicts_himself_is_shown_so(clock: MockClock, world: Open) -> None:
    """Everybody who holds the proof says so, and shows the one version that all keep."""
    async with world(nodes=1) as grid:
        mary, john = await people(grid, "Mary", "John")
        assert not any(entry.conflicting for entry in await john.client.entries("Public"))
        library, rows = mary.client._parts.library, john.client._parts.library._rows
        key = library._user
        row = await library._rows.write(Table.USER, b"", UserBody(nickname="Mary"), signer=key)
        numbers = {"seq": row.seq, "period": row.period, "slot": 9, "expires": row.period + 9}
        other = make_row(Table.USER, b"", UserBody(nickname="Marie"), signer=key, **numbers)
        await grid.settle()
        await rows.accept(other.raw, source=None)
        shown = {entry.fingerprint: entry for entry in await john.client.entries("Public")}
        assert [entry.conflicting for entry in shown.values()].count(True) == 1
        assert shown[fingerprint(key.public)].conflicting


@pytest.mark.parametrize(
    "nickname",
    [
        "",
        "..",
        "a/b",
        "/",
        "line\nbreak",
        "\x1b[31m",
        "x" * 64,
        "\U0001f600" * 64,
        "Public",
        "\u202egnp",
        "~",
    ],
)
async def test_nicknames_that_mean_harm(clock: MockClock, world: Open, nickname: str) -> None:
    """Whatever one person calls oneself, everybody else is listed and read as before."""
    async with world(nodes=1) as grid:
        _, john, eve = await people(grid, "Mary", "John", "Eve")
        try:
            await call_oneself(eve, nickname)
        except BitcloudError:
            return  # no row can say it
        await grid.settle()
        shown = await john.client.entries("Public")
        assert {"Mary", "John"} <= {entry.name for entry in shown}
        for entry in shown:
            assert await names(john, entry.path) == ["note.txt"], "and each can be opened"
        assert await read(john, "Public/Mary/note.txt") == b"from 0"


async def test_one_s_own_space_is_the_default(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary, john = await people(grid, "Mary", "John")
        note = write(scratch / "a.txt", b"a")
        for to, path in (
            ("", "Public/Mary/a.txt"),
            ("Public", "Public/Mary/a.txt"),
            ("Public/Mary", "Public/Mary/a.txt"),
            ("Public/Holiday", "Public/Mary/Holiday/a.txt"),
            ("/Public/Mary/x/y/z/", "Public/Mary/x/y/z/a.txt"),
        ):
            (published,) = await mary.client.publish([note], to)
            assert published.path == path
            assert await read(mary, path) == b"a"
        for to in ("Public/John", "Public/John/Holiday"):
            with pytest.raises(BadInput) as caught:
                await mary.client.publish([note], to)
            assert caught.value.code == "not-yours"
        (published,) = await mary.client.publish([note], "Public/Holiday/Beach")  # there is one
        assert published.path == "Public/Mary/Holiday/Beach/a.txt"
        with pytest.raises(BadInput, match="say Public/Mary/Unknown/x") as caught:
            await mary.client.publish([note], "Public/Unknown/x")
        assert caught.value.code == "no-such-person"
        for to in ("Private/Mary", "elsewhere"):
            with pytest.raises(BadInput) as caught:
                await mary.client.publish([note], to)
            assert caught.value.code == "no-such-path"
        for to in ("Public/Mary/..", "Public/Mary//x", "Public/Mary/a\nb"):
            with pytest.raises(BadInput) as caught:
                await mary.client.publish([note], to)
            assert caught.value.code == "bad-name"
        assert await names(john, "Public/John") == ["note.txt"]


async def test_who_only_reads_is_not_listed(clock: MockClock, world: Open) -> None:
    async with world(nodes=2) as grid:
        (mary,) = await people(grid, "Mary")
        reader = await grid.join("Reader")
        await grid.settle()
        assert await names(mary, "Public") == ["Mary"]
        assert await names(reader, "Public") == ["Reader", "Mary"], "but oneself one sees"
        assert await names(reader, "Public/Reader") == []


async def test_a_large_folder(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary, john = await people(grid, "Mary", "John")
        for number in range(600):
            write(scratch / f"many/{number:03}.txt", str(number).encode())
        await mary.client.publish([scratch / "many"])
        await grid.settle()
        shown = await john.client.entries("Public/Mary/many")
        assert [entry.name for entry in shown] == [f"{number:03}.txt" for number in range(600)]
        (folder, _) = await john.client.entries("Public/Mary")
        assert (folder.items, folder.content) == (600, FolderContent.DOCUMENTS)
        assert folder.size_bytes == sum(len(str(number)) for number in range(600))
        assert await read(john, "Public/Mary/many/417.txt") == b"417"


async def test_what_is_in_a_folder_shows(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        kinds = {
            "films": ("a.webm", "b.mp4", "c.txt"),
            "music": ("a.ogg", "b.flac"),
            "pictures": ("a.jpg", "b.png"),
            "mixed": ("a.jpg", "b.txt", "c.webm"),
        }
        for folder, files in kinds.items():
            for name in files:
                write(scratch / folder / name, b"x")
        await mary.client.publish([scratch / folder for folder in kinds])
        shown = {entry.name: entry.content for entry in await mary.client.entries("Public/Mary")}
        assert shown == {
            "films": FolderContent.VIDEO,
            "music": FolderContent.MUSIC,
            "pictures": FolderContent.PICTURES,
            "mixed": FolderContent.MIXED,
        }


async def test_names_in_every_script(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary, john = await people(grid, "Mary", "Ünïcödé 文")
        for name in ("e\u0301.txt", "文書.txt", "emoji \U0001f600.txt", "a" * 251 + ".txt"):
            write(scratch / "names" / name, name.encode())
        await mary.client.publish([scratch / "names"])
        await grid.settle()
        for entry in await john.client.entries("Public/Mary/names"):
            data = await read(john, entry.path)
            assert data
        assert await read(john, "Public/Mary/names/\u00e9.txt") == "e\u0301.txt".encode()
        assert await read(john, "Public/Mary/names/e\u0301.txt") == "e\u0301.txt".encode()


async def test_changes_are_told(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary, john = await people(grid, "Mary", "John")
        async with john.client.news() as news:
            await mary.client.publish([write(scratch / "a.txt", b"a")])
            await grid.settle()
            async for item in news:
                if isinstance(item, EntriesChanged):
                    break
        assert "a.txt" in await names(john, "Public/Mary")


async def test_all_comes_back_after_a_restart(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=3) as grid:
        mary, john = await people(grid, "Mary", "John")
        data = rng.randbytes(20_000)
        await mary.client.publish([write(scratch / "a/b/c.bin", data).parent.parent])
        await grid.settle()
        for machine in grid.machines:
            await machine.switch_off()
        for machine in grid.machines:
            await machine.switch_on()
        assert await read(john, "Public/Mary/a/b/c.bin") == data
        (entry,) = await john.client.entries("Public/Mary/a/b")
        assert (entry.kind, entry.size_bytes, entry.mine) == (EntryKind.FILE, 20_000, False)


async def test_a_file_and_a_folder_of_one_name(
    clock: MockClock, world: Open, scratch: Path
) -> None:
    """Neither hides the other for good: reading takes the file, listing the folder."""
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "one/thing", b"file")])
        await mary.client.publish([write(scratch / "two/thing/inner.txt", b"inner").parent])
        assert await read(mary, "Public/Mary/thing") == b"file"
        assert await names(mary, "Public/Mary/thing") == ["inner.txt"]
        assert await read(mary, "Public/Mary/thing/inner.txt") == b"inner"
