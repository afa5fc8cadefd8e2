"""The loopback gateway: files of the grid at addresses for this computer's browsers and players.

A request takes these steps, and what fails ends it there with the status in front:

    421 404   wire/http_host     Host is exactly one of ours, with a label or token we gave out
    405 403   wire/http_rules    GET or HEAD, and not another web page's request
    400       wire/http_path     the path is names, decoded once
    404 50x   the source         describes the target: a name, a size, what it is
    412 416   wire/http_content  conditions and ranges; the bytes are opened when they are sent

Every target has an origin of its own. Where this system's programs find names below ``localhost``
it is a name, ``http://<label>.localhost:<port>/<file>``; elsewhere it is a port,
``http://127.0.0.1:<port>/<token>/<file>``. Labels and tokens are 256 random bits of this run. The
gateway's own port shows a static page that says what this is.

A gateway for other computers will have listeners of its own in front of the same steps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.net.tcp_listener import (
    IPV4_LOOPBACK,
    ConnectionBook,
    TcpConnection,
    TcpListener,
    names_resolve,
    open_loopback,
)
from bitcloud_net.protocols.http import TOO_MANY_CONNECTIONS, Handler, serve_http
from bitcloud_net.tasks import open_tasks
from bitcloud_net.views import Entry, EntryKind
from bitcloud_net.wire.http_content import FileContent, file_answer
from bitcloud_net.wire.http_headers import Origin
from bitcloud_net.wire.http_host import (
    SEED_BYTES,
    authority,
    check_host,
    check_token,
    label_from,
    label_of_host,
    misdirected,
)
from bitcloud_net.wire.http_labels import LabelBook
from bitcloud_net.wire.http_message import Answer, HttpRefusal, HttpRequest
from bitcloud_net.wire.http_pages import Line, landing_answer, listing_answer
from bitcloud_net.wire.http_path import decode_path, encode_name
from bitcloud_net.wire.http_rules import check_method, check_origin

if TYPE_CHECKING:
    from trio_typing import TaskStatus

MAX_LABELS = 4096
"""Targets with a host name at the same time; an evening of looking through pictures."""

MAX_SITE_PORTS = 64
"""Targets with a port of their own at the same time: each costs a socket."""

_BOUNDARY_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a target is. Everything in it may come from others."""

    name: str
    size_bytes: int = 0  # exact for a file; not used for a folder
    media_type: str | None = None
    identity: str  # changes whenever the bytes do; may be a cap, it is hashed before it is sent
    pinned: str | None = (
        None  # a target that stays these bytes (a cap), where the given one may not
    )
    is_folder: bool = False
    is_site: bool = False  # in a folder that was published as a site: its pages may run script


class ContentSource(Protocol):
    """Where the gateway gets files from. All of it may raise any ``BitcloudError``, never a
    group."""

    async def describe(self, target: str) -> Content:
        """Return what a path or cap is, without touching the bytes. Called for each request."""

    def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open bytes of a file from ``offset`` on, exactly ``length``, cheap at any offset."""

    async def entries(self, path: str = "") -> Sequence[Entry]:
        """List a folder."""


@dataclass(slots=True, kw_only=True)
class _Site:
    """A target with a port of its own."""

    target: str
    token: str
    listener: TcpListener
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a request asks for: names below a target, in an origin."""

    target: str
    names: tuple[str, ...]
    origin: Origin
    root: str  # path of the target itself in the address, with a slash at the end


class Gateway:
    """Serves ``source`` over HTTP to programs on this computer.

    ``port`` is that of the landing page and of names, 0 for any free one. ``landing_page`` is HTML
    of our own. ``random_bytes`` must be unpredictable; ``now_s`` gives seconds since 1970.
    ``by_name`` finds out whether programs here resolve names below ``localhost``.
    """

    def __init__(
        self,
        source: ContentSource,
        *,
        landing_page: bytes,
        port: int,
        random_bytes: Callable[[int], bytes],
        now_s: Callable[[], int],
        by_name: Callable[[], Awaitable[bool]] = names_resolve,
    ) -> None:
        self._source = source
        self._landing_page = landing_page
        self._wanted_port = port
        self._random_bytes = random_bytes
        self._now_s = now_s
        self._ask_by_name = by_name
        self._by_name = False
        self._secret = random_bytes(SEED_BYTES)
        self._labels = LabelBook(limit=MAX_LABELS, random_bytes=random_bytes)
        self._sites: OrderedDict[str, _Site] = OrderedDict()
        self._opening = trio.Lock()
        self._connections = ConnectionBook()
        self._port: int | None = None
        self._tasks: trio.Nursery | None = None

    @property
    def address(self) -> str | None:
        """The landing page's address, or None while the gateway does not run."""
        return None if self._port is None else f"http://{authority('localhost', self._port)}/"

    async def run(self, *, task_status: TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; ``started`` gets the landing page's address.

        Cancel: safe; connections are cut, sources closed, ports given back.

        Raises:
            LocalFault: ``port-taken``, ``port-forbidden``.
        """
        self._by_name = await self._ask_by_name()
        listener = await open_loopback(self._wanted_port, self._connections, both=True)
        try:
            async with open_tasks() as tasks:
                self._tasks, self._port = tasks, listener.port
                task_status.started(f"http://{authority('localhost', listener.port)}/")
                await self._serve(listener, self._answer_main)
        finally:
            self._tasks = self._port = None
            self._sites.clear()

    async def address_of(self, target: str) -> str:
        """Return the address at which a browser or player opens a file or folder.

        It is good for this run of the gateway, or until very many others were asked for. The
        target itself (a path, a cap) is not in it. Cancel: safe.

        Raises:
            Unavailable: ``gateway-stopped``.
            BadInput: the target's name cannot be part of an address.
            BitcloudError: what the source says about the target.
        """
        content = await self._source.describe(target)
        path = "" if content.is_folder else encode_name(content.name)
        if self._port is None:
            raise Unavailable("The gateway does not run.", code="gateway-stopped")
        if self._by_name:
            host = f"{self._labels.label_for(target)}.localhost"
            return f"http://{authority(host, self._port)}/{path}"
        site = await self._site_of(target)
        return f"http://{authority(IPV4_LOOPBACK, site.listener.port)}/{site.token}/{path}"

    # ---------------------------------------------------------------- ports

    async def _serve(self, listener: TcpListener, handler: Handler) -> None:
        async def serve(connection: TcpConnection) -> None:
            await serve_http(connection, handler, now_s=self._now_s, on_idle=connection.mark_idle)

        await listener.serve(serve, refusal=TOO_MANY_CONNECTIONS)

    async def _site_of(self, target: str) -> _Site:
        """Return the target's own port, opening it and closing the one that was not used
        longest."""
        async with self._opening:
            if target in self._sites:
                self._sites.move_to_end(target)
                return self._sites[target]
            listener = await open_loopback(0, self._connections)
            if self._tasks is None:
                await listener.close()
                raise Unavailable("The gateway does not run.", code="gateway-stopped")
            token = label_from(self._random_bytes(SEED_BYTES))
            site = _Site(target=target, token=token, listener=listener)
            self._sites[target] = site
            if len(self._sites) > MAX_SITE_PORTS:
                self._sites.popitem(last=False)[1].scope.cancel()
            self._tasks.start_soon(self._serve_site, site)
            return site

    async def _serve_site(self, site: _Site) -> None:
        with site.scope:
            await self._serve(site.listener, partial(self._answer_site, site))

    # ---------------------------------------------------------------- answers

    async def _answer_main(self, request: HttpRequest) -> Answer:
        """Answer on the main port: the landing page, or a target by the label in its host name."""
        assert self._port is not None
        host = request.header("host")
        label = label_of_host(host, self._port)
        target = None if label is None else self._labels.target_of(label)
        if label is not None and target is None:
            raise misdirected()
        check_method(request)
        check_origin(request, f"http://{host}")
        names = decode_path(request.target)
        if target is not None:
            place = _Place(target=target, names=names, origin=Origin.NAME, root="/")
            return await self._answer_place(request, place)
        if names:
            raise HttpRefusal(404, "Nothing is here.")
        return landing_answer(self._landing_page)

    async def _answer_site(self, site: _Site, request: HttpRequest) -> Answer:
        """Answer on the port of one target; the path begins with its token."""
        expected = authority(IPV4_LOOPBACK, site.listener.port)
        check_host(request.header("host"), expected)
        check_method(request)
        check_origin(request, f"http://{expected}")
        token, *names = decode_path(request.target) or ("",)
        check_token(token, site.token)
        if site.target in self._sites:
            self._sites.move_to_end(site.target)
        root = f"/{site.token}/"
        place = _Place(target=site.target, names=tuple(names), origin=Origin.PORT, root=root)
        return await self._answer_place(request, place)

    async def _answer_place(self, request: HttpRequest, place: _Place) -> Answer:
        target, content = await self._look_up(place)
        if content.is_folder:
            return await self._answer_folder(target, content, place)
        trusted = content.is_site and place.origin is Origin.NAME
        file = FileContent(
            name=content.name,
            size_bytes=content.size_bytes,
            media_type=content.media_type,
            identity=content.identity,
            origin=Origin.SITE if trusted else place.origin,
            open=partial(self._source.read, content.pinned or target),
        )
        boundary = self._random_bytes(_BOUNDARY_BYTES).hex()
        return file_answer(request, file, secret=self._secret, boundary=boundary)

    async def _look_up(self, place: _Place) -> tuple[str, Content]:
        """Return what the names lead to: below a folder any entry, of a file only itself."""
        content = await self._source.describe(place.target)
        if content.is_folder and place.names:
            target = "/".join(filter(None, (place.target, *place.names)))
            return target, await self._source.describe(target)
        if not content.is_folder and place.names != (content.name,):
            raise HttpRefusal(404, "Nothing is here.")
        return place.target, content

    async def _answer_folder(self, target: str, content: Content, place: _Place) -> Answer:
        lines = [_line(entry) for entry in await self._source.entries(target)]
        base = place.root + "".join(f"{encode_name(name)}/" for name in place.names)
        return listing_answer(content.name, base, lines)


def _line(entry: Entry) -> Line:
    is_folder = entry.kind is not EntryKind.FILE
    return Line(name=entry.name, is_folder=is_folder, size_bytes=entry.size_bytes)
