"""What people do in these tests."""

from __future__ import annotations

from pathlib import Path
from random import Random

from bitcloud_net.testing.planet import Machine, World


async def read(person: Machine, target: str, offset: int = 0, length: int | None = None) -> bytes:
    """Read a file, or a range of it, to its end."""
    async with person.client.read(target, offset, length) as pieces:
        return b"".join([piece async for piece in pieces])


def write(path: Path, content: bytes) -> Path:
    """Make a file with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def make_folder(where: Path, rng: Random) -> dict[str, bytes]:
    """Make a folder with files of all kinds of sizes; return what is in it, by path."""
    sizes = {
        "empty.txt": 0,
        "note.txt": 900,
        "inline-at-most.bin": 4096,
        "just-coded.bin": 4097,
        "pictures/dawn.jpg": 70_000,
        "pictures/more/dusk.jpg": 300_001,
        "one-segment.bin": 1 << 20,
        "film.webm": (5 << 20) + 4321,
        "naïve ünïcode 文.txt": 33,
    }
    content = {name: rng.randbytes(size) for name, size in sizes.items()}
    for name, data in content.items():
        write(where / name, data)
    return content


def read_folder(where: Path) -> dict[str, bytes]:
    """Return what is in a folder of the disk, by path."""
    files = (path for path in where.rglob("*") if path.is_file())
    return {path.relative_to(where).as_posix(): path.read_bytes() for path in files}


async def lose_disk(node: Machine) -> None:
    """Let a storage node lose its disk and come back with an empty one."""
    await node.switch_off()
    for path in sorted((node.home / "store").rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    await node.switch_on()


def blamed(person: Machine, world: World) -> set[str]:
    """Return the storage nodes that a person's computer refuses now."""
    assert person.network is not None
    return {node.name for node in world.nodes if person.network.banned(node.node_id)}
