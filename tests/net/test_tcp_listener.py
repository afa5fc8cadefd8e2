"""Ports on loopback and the limits on their connections."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.net.tcp_listener import (
    STALLED_S,
    ConnectionBook,
    TcpConnection,
    TcpListener,
    names_resolve,
    open_loopback,
)

REFUSAL = b"no room"


async def echo_once(connection: TcpConnection) -> None:
    """Say one byte back as a busy connection, then wait as an idle one."""
    while data := await connection.receive_some(1):
        connection.mark_idle(False)
        await connection.send_all(data)
        connection.mark_idle(data != b"b")  # b: stay busy


@asynccontextmanager
async def listening(book: ConnectionBook) -> AsyncIterator[TcpListener]:
    listener = await open_loopback(0, book)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(listener.serve, echo_once, refusal=REFUSAL))
        yield listener
        nursery.cancel_scope.cancel()


async def dial(listener: TcpListener, say: bytes = b"i") -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", listener.port)
    await stream.send_all(say)
    return stream


async def hear(stream: trio.SocketStream) -> bytes:
    """Return what comes, ``b""`` for a closed connection however it was closed."""
    try:
        return bytes(await stream.receive_some())
    except trio.BrokenResourceError:
        return b""


async def test_taken_port_is_told_apart() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalFault) as fault:
            await open_loopback(port, ConnectionBook())
    assert fault.value.code == "port-taken"
    assert str(port) in fault.value.message


async def test_port_of_both_families_is_the_same_one() -> None:
    listener = await open_loopback(0, ConnectionBook(), both=True)
    try:
        if not socket.has_ipv6:
            pytest.skip("no IPv6 here")
        with socket.socket(socket.AF_INET6) as other, pytest.raises(OSError, match=r"."):
            other.bind(("::1", listener.port))
    finally:
        await listener.close()


async def test_other_family_taken_is_told_too() -> None:
    with socket.socket(socket.AF_INET6) as other:
        try:
            other.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        other.listen()
        with pytest.raises(LocalFault) as fault:
            await open_loopback(other.getsockname()[1], ConnectionBook(), both=True)
    assert fault.value.code == "port-taken"


async def test_port_is_free_again_after_the_end() -> None:
    book = ConnectionBook()
    async with listening(book) as listener:
        stream = await dial(listener)
        assert await hear(stream) == b"i"
    assert await hear(stream) == b""
    await stream.aclose()
    assert len(book) == 0
    again = await open_loopback(listener.port, book)
    await again.close()


async def test_idle_connection_makes_room_for_a_new_one() -> None:
    async with listening(ConnectionBook(limit_per_client=2)) as listener:
        first, second = await dial(listener, b"i"), await dial(listener, b"b")
        assert [await hear(first), await hear(second)] == [b"i", b"b"]
        third = await dial(listener)
        assert await hear(third) == b"i"
        assert await hear(first) == b""  # the idle one went, not the busy one
        await second.send_all(b"b")
        assert await hear(second) == b"b"
        for stream in (first, second, third):
            await stream.aclose()


async def test_new_connection_is_refused_while_all_are_busy() -> None:
    book = ConnectionBook(limit_per_client=1)
    async with listening(book) as listener:
        busy = await dial(listener, b"b")
        assert await hear(busy) == b"b"
        late = await trio.open_tcp_stream("127.0.0.1", listener.port)
        assert await hear(late) == REFUSAL
        assert len(book) == 1
        await busy.aclose()
        await late.aclose()


async def test_book_counts_all_clients_together() -> None:
    async with listening(ConnectionBook(limit=1)) as listener:
        busy = await dial(listener, b"b")
        assert await hear(busy) == b"b"
        late = await trio.open_tcp_stream("127.0.0.1", listener.port)
        assert await hear(late) == REFUSAL
        await busy.aclose()
        await late.aclose()


async def connection() -> tuple[TcpConnection, trio.SocketStream]:
    ours, theirs = trio.socket.socketpair()
    return TcpConnection(trio.SocketStream(ours), "a"), trio.SocketStream(theirs)


async def test_stalled_connection_goes_only_after_a_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = ConnectionBook(limit=2)
    pairs = [await connection() for _ in range(3)]
    (film, _), (other, _), (late, _) = pairs
    film.mark_idle(False)
    await trio.sleep(1)
    other.mark_idle(False)
    assert book.admit(film)
    assert book.admit(other)
    assert not book.admit(late)
    await trio.sleep(STALLED_S - 1)
    assert book.admit(late)
    assert film.scope.cancel_called
    assert not other.scope.cancel_called
    assert len(book) == 2
    for ours, theirs in pairs:
        await ours.aclose()
        await theirs.aclose()


def may_go(connection: TcpConnection) -> bool:
    return connection.can_go


async def test_slow_client_that_takes_bytes_is_not_stalled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = await connection()
    ours.mark_idle(False)
    content = bytes(8 * 1024 * 1024)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, content)
        left = len(content)
        while left:
            await trio.sleep(STALLED_S / 20)
            left -= len(await theirs.receive_some(512 * 1024))
            assert not may_go(ours)
    await trio.sleep(STALLED_S)
    assert may_go(ours)
    await ours.send_eof()
    assert await theirs.receive_some() == b""
    await theirs.send_all(b"x")
    assert await ours.receive_some() == b"x"
    assert not may_go(ours)
    await ours.aclose()
    await theirs.aclose()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["127.0.0.1"], True),
        (["127.0.0.1", "::1"], True),
        (["::1"], False),
        (["192.0.2.1"], False),
        (["127.0.0.1", "192.0.2.1"], False),
        ([], False),
    ],
)
async def test_names_are_used_only_where_they_lead_here(
    monkeypatch: pytest.MonkeyPatch, found: list[str], expected: bool
) -> None:
    async def getaddrinfo(name: str, port: int) -> list[object]:
        await trio.lowlevel.checkpoint()
        assert name == "bitcloud-check.localhost"
        if not found:
            raise socket.gaierror(-2, "unknown")
        return [(0, 0, 0, "", (host, port)) for host in found]

    monkeypatch.setattr(trio.socket, "getaddrinfo", getaddrinfo)
    assert await names_resolve() is expected


async def test_resolver_that_hangs_counts_as_no(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    async def getaddrinfo(_: str, __: int) -> list[object]:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(trio.socket, "getaddrinfo", getaddrinfo)
    assert not await names_resolve()
