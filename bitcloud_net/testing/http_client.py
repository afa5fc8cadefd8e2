"""A small HTTP client for tests, exact about bytes, and a source of content that keeps count.

``HttpClient`` sends what it is told, well-formed or not, and never repairs an answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import h11
import trio

from bitcloud_net.core.errors import BadInput, BitcloudError
from bitcloud_net.services.files.gateway import Content
from bitcloud_net.views import Entry, EntryKind

_RECEIVE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """One answer as it came. Field names are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the only value of a field, or None; more than one is an error of the server."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} occurs {len(values)} times"
        return values[0] if values else None


class HttpClient:
    """One connection. The stream belongs to the caller."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._spare = b""

    async def get(self, target: str, *, host: str, method: str = "GET", **fields: str) -> HttpReply:
        """Ask for a target and return the whole answer; ``sec_fetch_site=…`` becomes a field."""
        return await self.ask(request_bytes(target, host=host, method=method, **fields))

    async def ask(self, raw: bytes) -> HttpReply:
        """Send bytes that hold one request and return the whole answer."""
        await self._stream.send_all(raw)
        return await self.reply(method=raw.partition(b" ")[0])

    async def reply(self, method: bytes = b"GET") -> HttpReply:
        """Return the next answer of this connection.

        Raises:
            h11.RemoteProtocolError: the connection ended before the answer was whole.
        """
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        if self._spare:
            parser.receive_data(self._spare)
        response: h11.Response | None = None
        body = bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(bytes(await self._stream.receive_some(_RECEIVE_BYTES)))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
        if response is None:
            raise h11.RemoteProtocolError("no answer")
        self._spare = parser.trailing_data[0]
        headers = tuple((k.decode(), v.decode()) for k, v in response.headers)
        return HttpReply(status=response.status_code, headers=headers, body=bytes(body))

    async def rest(self) -> bytes:
        """Return everything up to the end of the connection."""
        found = bytearray(self._spare)
        while data := await self._stream.receive_some(_RECEIVE_BYTES):
            found += data
        return bytes(found)


def request_bytes(target: str, *, host: str, method: str = "GET", **fields: str) -> bytes:
    """Return a request's head; underscores in names of fields become hyphens."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(slots=True)
class MemorySource:
    """A ``ContentSource`` in memory: files by path, which notes every read.

    ``stall_after`` and ``fail_after`` make a read wait for ever, or raise ``error``, after so many
    bytes; ``piece_bytes`` is how much it yields at a time.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    sites: frozenset[str] = frozenset()
    piece_bytes: int = 64 * 1024
    stall_after: int | None = None
    fail_after: int | None = None
    error: BitcloudError | None = None
    reads: list[tuple[str, int, int]] = field(default_factory=list)
    open_reads: int = 0
    sent_bytes: int = 0

    async def describe(self, target: str) -> Content:
        """Describe a file, or a folder that some file is in."""
        await trio.lowlevel.checkpoint()
        name = target.rpartition("/")[2]
        if target in self.files:
            return Content(
                name=name,
                size_bytes=len(self.files[target]),
                media_type=self.types.get(target),
                identity=target,
                is_site=target in self.sites,
            )
        if any(path.startswith(f"{target}/") for path in self.files):
            return Content(name=name, identity=target, is_folder=True)
        raise BadInput(f"There is no {target}.", code="not-found")

    @asynccontextmanager
    async def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open bytes of a file."""
        end = len(self.files[target]) if length is None else offset + length
        self.reads.append((target, offset, end - offset))
        self.open_reads += 1
        try:
            async with aclosing(self._pieces(self.files[target][offset:end])) as pieces:
                yield pieces
        finally:
            self.open_reads -= 1

    async def _pieces(self, content: bytes) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(content), self.piece_bytes):
            await trio.lowlevel.checkpoint()
            if self.stall_after is not None and start >= self.stall_after:
                await trio.sleep_forever()
            if self.error is not None and start >= (self.fail_after or 0):
                raise self.error
            piece = content[start : start + self.piece_bytes]
            self.sent_bytes += len(piece)
            yield piece

    async def entries(self, path: str = "") -> Sequence[Entry]:
        """List a folder."""
        await trio.lowlevel.checkpoint()
        found: dict[str, Entry] = {}
        for file, content in self.files.items():
            if file.startswith(f"{path}/"):
                name, deeper, _ = file[len(path) + 1 :].partition("/")
                kind = EntryKind.FOLDER if deeper else EntryKind.FILE
                size = None if deeper else len(content)
                found[name] = Entry(kind=kind, path=f"{path}/{name}", name=name, size_bytes=size)
        return tuple(found.values())
