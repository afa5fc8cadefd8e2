"""``publish``, ``ls``, ``fetch``, ``share`` and ``url``."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from bitcloud_net.api import BadInput, Client, Entry, EntryKind, LocalFault, Published, TransferKind
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.progress import shown_progress
from bitcloud_net.cli.session import client_of, home_of, open_node, running_node, until_stopped
from bitcloud_net.cli.values import ByteRange

LISTED = 20
"""So many published files are listed one by one; of more, the sum says enough."""


async def publish(arguments: Namespace, out: Output) -> int:
    """Publish files and folders, and wait until enough nodes hold them; exit status 1 when some
    could not be published."""
    sources = [_existing(path) for path in arguments.paths]
    async with client_of(arguments) as client, shown_progress(client, out, TransferKind.PUBLISH):
        done = await client.publish(sources, arguments.to, wait=not arguments.no_wait)
    missing = tuple(one for one in done if one.fault is not None)
    out.answer(done, [*_published([one for one in done if one.fault is None]), *_missing(missing)])
    return int(any(one.failed for one in missing))


def _missing(missing: Sequence[Published]) -> list[str]:
    """Return what could not be published, why, and the way out."""
    if not missing:
        return []
    lines = [f"not published: {len(missing)}"]
    lines += [
        f"  {text.plain(one.path)}: {text.plain(one.reason or '')}" for one in missing[:LISTED]
    ]
    if len(missing) > LISTED:
        lines.append(f"  … and {len(missing) - LISTED} more; --json lists them all")
    if any(one.failed for one in missing):
        lines.append("mend what you can and publish these again; the others are done")
    return lines


def _published(done: Sequence[Published]) -> list[str]:
    lines = text.table(
        [
            (text.plain(one.path), text.size(one.size_bytes), text.health(one.health))
            for one in done[:LISTED]
        ],
        right=[1],
    )
    if len(done) > LISTED:
        lines.append(f"… and {len(done) - LISTED} more")
    total = sum(one.size_bytes for one in done)
    files = "1 file" if len(done) == 1 else f"{len(done)} files"
    return [*lines, f"published {files}, {text.size(total)}"]


async def ls(arguments: Namespace, out: Output) -> None:
    """List a folder."""
    async with client_of(arguments) as client:
        entries = await client.entries(arguments.path)
    out.answer(entries, text.table([_row(entry) for entry in entries], right=[1]))


def _row(entry: Entry) -> tuple[str, ...]:
    name = text.plain(entry.name)
    if entry.kind is EntryKind.FILE:
        state = entry.health.state.value if entry.health else "-"
        return ("file", text.size(entry.size_bytes), text.date(entry.modified_s), state, name)
    items = "-" if entry.items is None else f"{entry.items} items"
    fingerprint = entry.fingerprint or "-"
    mark = "  (conflicting: one key, two versions of a row)" if entry.conflicting else ""
    return (entry.kind.value, items, text.date(entry.modified_s), fingerprint, f"{name}/{mark}")


async def fetch(arguments: Namespace, out: Output) -> None:
    """Save a file or a folder, or write a file's bytes to stdout."""
    if arguments.range is not None and arguments.output is None:
        raise BadInput("--range needs -o FILE, or -o - for stdout", code="no-output")
    async with client_of(arguments) as client:
        if arguments.output == "-":
            await _to_stdout(client, arguments, out)
            return
        destination = _destination(arguments)
        if arguments.range is not None:
            where = await _range_to_file(client, arguments, destination)
        else:
            async with shown_progress(client, out, TransferKind.FETCH):
                where = await client.fetch(arguments.target, destination)
    out.answer({"saved": str(where)}, [f"saved {text.plain(str(where))}"])


def _destination(arguments: Namespace) -> Path:
    chosen = Path(os.path.abspath(arguments.output or "."))
    if arguments.range is not None and chosen.is_dir():
        raise BadInput("--range needs the name of a file after -o", code="no-output")
    if not arguments.force and os.path.lexists(chosen) and not chosen.is_dir():
        raise BadInput(f"{chosen} exists; use --force to replace it", code="file-exists")
    return chosen


async def _to_stdout(client: Client, arguments: Namespace, out: Output) -> None:
    async with _opened(client, arguments) as pieces:
        async for piece in pieces:
            await trio.to_thread.run_sync(out.data, piece)
    out.flush()


async def _range_to_file(client: Client, arguments: Namespace, destination: Path) -> Path:
    fresh = destination.with_name(f".{destination.name}.part")
    try:
        async with (
            _opened(client, arguments) as pieces,
            await trio.open_file(fresh, "wb") as file,
        ):
            async for piece in pieces:
                await file.write(piece)
        fresh.replace(destination)
    except OSError as error:
        raise LocalFault(
            f"cannot write {destination}: {error.strerror}", code="unwritable"
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
    return destination


def _opened(
    client: Client, arguments: Namespace
) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
    wanted: ByteRange = arguments.range or ByteRange(0, None)
    return client.read(arguments.target, wanted.first, wanted.length)


async def share(arguments: Namespace, out: Output) -> None:
    """Print the read cap of a file."""
    async with client_of(arguments) as client:
        cap = await client.share(arguments.path)
    out.answer({"cap": cap}, [cap])


async def url(arguments: Namespace, out: Output) -> None:
    """Print a file's loopback address. Without a running node, serve it until stopped."""
    running = await running_node(home_of(arguments))
    if running is not None:
        address = await running.url(arguments.target)
        out.answer({"url": address}, [address])
        return
    async with open_node(arguments, stays=True) as client:
        address = await client.url(arguments.target)
        out.answer({"url": address}, [address])
        out.note("serving it from here, as no node runs for this home; Ctrl-C ends it")
        await until_stopped()


def _existing(path: Path) -> Path:
    """Publishing checks everything itself; this only spares the start of a node for a typing
    error."""
    if not os.path.lexists(path):
        raise BadInput(f"there is no file or folder {path}", code="no-such-file")
    return path
