"""A node that already runs, reached over its control socket: the same ``Client`` as in process."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import trio

from bitcloud_net.core.errors import BadInput, Malformed, Unavailable
from bitcloud_net.protocols.control_calls import CALLS, NEWS, error_from, parse, plain
from bitcloud_net.views import (
    AppView,
    Avoided,
    BanView,
    Contribution,
    Details,
    Entry,
    Membership,
    News,
    Published,
    SqlAnswer,
    Status,
    Synced,
    TestGrid,
    Transfer,
    WrittenRow,
)
from bitcloud_net.wire.control_frames import (
    CONTROL_VERSION,
    MAX_ANSWER_BYTES,
    MAX_CALL_BYTES,
    ControlFrame,
    ControlReader,
    Kind,
    pack,
)

RECEIVE_BYTES = 256 * 1024


async def is_running(path: Path) -> bool:
    """Return whether a node listens on the control socket ``path``. Cancel: safe."""
    try:
        async with await trio.open_unix_socket(os.fspath(path)):
            return True
    except (OSError, RuntimeError):  # RuntimeError: no UNIX sockets on this system
        return False


class ControlClient:
    """The ``Client`` contract over a control socket: one connection for each call.

    Cancel: safe; the connection closes and the node cancels what it was doing for us.
    Every call raises ``Unavailable`` (``node-gone``) when the node stops meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def status(self) -> Status:
        """See ``Client``."""
        return cast(Status, await self._call("status"))

    async def entries(self, path: str = "") -> tuple[Entry, ...]:
        """See ``Client``."""
        return cast(tuple[Entry, ...], await self._call("entries", path=path))

    async def details(self, target: str) -> Details:
        """See ``Client``."""
        return cast(Details, await self._call("details", target=target))

    async def publish(
        self, sources: Sequence[Path], to: str = "", *, wait: bool = True
    ) -> tuple[Published, ...]:
        """See ``Client``."""
        absolute = [_absolute(source) for source in sources]
        done = await self._call("publish", sources=absolute, to=to, wait=wait)
        return cast(tuple[Published, ...], done)

    async def fetch(self, target: str, destination: Path, *, wait: bool = True) -> Path:
        """See ``Client``."""
        where = _absolute(destination)
        return cast(Path, await self._call("fetch", target=target, destination=where, wait=wait))

    @asynccontextmanager
    async def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See ``Client``."""
        async with self._open("read", target=target, offset=offset, length=length) as answers:
            await _expect(answers, Kind.READY)
            async with aclosing(_pieces(answers)) as pieces:
                yield pieces

    async def share(self, path: str) -> str:
        """See ``Client``."""
        return cast(str, await self._call("share", path=path))

    async def check(self, target: str, *, verify: bool = False) -> Details:
        """See ``Client``."""
        return cast(Details, await self._call("check", target=target, verify=verify))

    async def repair(self, target: str) -> Details:
        """See ``Client``."""
        return cast(Details, await self._call("repair", target=target))

    async def url(self, target: str) -> str:
        """See ``Client``."""
        return cast(str, await self._call("url", target=target))

    async def contribute(self, *, folder: Path | None, capacity_bytes: int) -> Contribution:
        """See ``Client``."""
        where = _absolute(folder) if folder is not None else None
        answer = await self._call("contribute", folder=where, capacity_bytes=capacity_bytes)
        return cast(Contribution, answer)

    async def membership(self, *, role: str = "node") -> Membership:
        """See ``Client``."""
        return cast(Membership, await self._call("membership", role=role))

    async def join(self, *, role: str = "node", wait: bool = True) -> Membership:
        """See ``Client``."""
        return cast(Membership, await self._call("join", role=role, wait=wait))

    async def pause_join(self) -> Membership:
        """See ``Client``."""
        return cast(Membership, await self._call("pause_join"))

    async def avoided(self) -> tuple[Avoided, ...]:
        """See ``Client``."""
        return cast(tuple[Avoided, ...], await self._call("avoided"))

    async def avoid(self, target: str, *, reason: str = "") -> None:
        """See ``Client``."""
        await self._call("avoid", target=target, reason=reason)

    async def unavoid(self, target: str) -> None:
        """See ``Client``."""
        await self._call("unavoid", target=target)

    async def transfers(self) -> tuple[Transfer, ...]:
        """See ``Client``."""
        return cast(tuple[Transfer, ...], await self._call("transfers"))

    async def pause(self, transfer: str) -> None:
        """See ``Client``."""
        await self._call("pause", transfer=transfer)

    async def resume(self, transfer: str) -> None:
        """See ``Client``."""
        await self._call("resume", transfer=transfer)

    async def cancel(self, transfer: str) -> None:
        """See ``Client``."""
        await self._call("cancel", transfer=transfer)

    @asynccontextmanager
    async def news(self) -> AsyncIterator[AsyncIterator[News]]:
        """See ``Client``."""
        async with self._open("news") as answers:
            await _expect(answers, Kind.READY)
            async with aclosing(_news(answers)) as news:
                yield news

    async def select(self, statement: str) -> SqlAnswer:
        """See ``Client``."""
        return cast(SqlAnswer, await self._call("select", statement=statement))

    async def put_row(self, table: str, key: str, values: str) -> WrittenRow:
        """See ``Client``."""
        done = await self._call("put_row", table=table, key=key, values=values)
        return cast(WrittenRow, done)

    async def apps(self) -> tuple[AppView, ...]:
        """See ``Client``."""
        return cast(tuple[AppView, ...], await self._call("apps"))

    async def install_app(self, definition: str) -> AppView:
        """See ``Client``."""
        return cast(AppView, await self._call("install_app", definition=definition))

    async def uninstall_app(self, app: str) -> None:
        """See ``Client``."""
        await self._call("uninstall_app", app=app)

    async def bans(self) -> tuple[BanView, ...]:
        """See ``Client``."""
        return cast(tuple[BanView, ...], await self._call("bans"))

    async def sync_rows(self, table: str = "") -> Synced:
        """See ``Client``."""
        return cast(Synced, await self._call("sync_rows", table=table))

    async def test_grid(self) -> TestGrid | None:
        """See ``Client``."""
        return cast("TestGrid | None", await self._call("test_grid"))

    async def set_running_nodes(self, count: int) -> TestGrid:
        """See ``Client``."""
        return cast(TestGrid, await self._call("set_running_nodes", count=count))

    async def _call(self, name: str, **arguments: object) -> Any:
        async with self._open(name, **arguments) as answers:
            frame = await _expect(answers, Kind.RESULT)
        try:
            return parse(CALLS[name].result, frame.json())
        except Malformed as error:
            raise _not_understood() from error

    @asynccontextmanager
    async def _open(self, name: str, **arguments: object) -> AsyncIterator[_Answers]:
        call = {"version": CONTROL_VERSION, "call": name, "arguments": plain(arguments)}
        body = json.dumps(call, ensure_ascii=False).encode("utf-8", "surrogateescape")
        if len(body) > MAX_CALL_BYTES:
            raise BadInput("too many paths in one command; publish their folder instead")
        try:
            stream = await trio.open_unix_socket(os.fspath(self._path))
        except OSError as error:
            raise _gone() from error
        async with stream:
            answers = _Answers(stream)
            with suppress(trio.BrokenResourceError):  # refused early: its answer says why
                await stream.send_all(pack(Kind.CALL, body))
            yield answers


class _Answers:
    """The frames that come back on one connection, in order."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._reader = ControlReader(max_bytes=MAX_ANSWER_BYTES)

    async def next(self) -> ControlFrame:
        """Return the next frame; raise what an ``ERROR`` frame says."""
        try:
            while (frame := self._reader.next()) is None:
                data = await self._stream.receive_some(RECEIVE_BYTES)
                if not data:
                    raise _gone()
                self._reader.feed(data)
        except trio.BrokenResourceError as error:
            raise _gone() from error
        except Malformed as error:
            raise _not_understood() from error
        if frame.kind is Kind.ERROR:
            raise error_from(frame.json())
        return frame


async def _expect(answers: _Answers, kind: Kind) -> ControlFrame:
    frame = await answers.next()
    if frame.kind is not kind:
        raise _not_understood()
    return frame


async def _pieces(answers: _Answers) -> AsyncGenerator[bytes, None]:
    while (frame := await answers.next()).kind is Kind.DATA:
        yield frame.body


async def _news(answers: _Answers) -> AsyncGenerator[News, None]:
    while (frame := await answers.next()).kind is Kind.NEWS:
        item = frame.json()
        try:
            yield parse(NEWS[item["news"]], item["value"])
        except (Malformed, KeyError, TypeError) as error:
            raise _not_understood() from error


def _absolute(path: Path) -> Path:
    """The node has another working folder than we have. Symbolic links stay what they are."""
    return Path(os.path.abspath(path))


def _gone() -> Unavailable:
    return Unavailable("the running node stopped; try again", code="node-gone")


def _not_understood() -> Unavailable:
    return Unavailable(
        "the running node speaks another version; stop it and start it again",
        code="control-version",
    )
