"""One HTTP connection: keep-alive, streaming, and clients that misbehave (T-http-hostile)."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import groupby

import h11
import pytest
import trio
import trio.testing

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.protocols.http import (
    HEAD_S,
    IDLE_S,
    MAX_AHEAD_BYTES,
    STALL_S,
    TOO_MANY_CONNECTIONS,
    serve_http,
)
from bitcloud_net.testing.http_client import HttpClient, MemorySource, request_bytes
from bitcloud_net.wire.http_message import Answer, HttpRequest, Part
from bitcloud_net.wire.http_pages import text_answer
from bitcloud_net.wire.http_rules import MAX_FIELDS, MAX_HEAD_BYTES

NOW_S = 1_445_412_480  # Wed, 21 Oct 2015 07:28:00 GMT
FILE = bytes(range(256)) * 1024  # 256 KiB

Handle = Callable[[HttpRequest], Awaitable[Answer]]
Pair = tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]


async def hello(request: HttpRequest) -> Answer:
    await trio.lowlevel.checkpoint()
    return text_answer(200, f"hello {request.target}")


def file_handler(source: MemorySource, *ranges: tuple[int, int]) -> Handle:
    """Serve these ranges of the source's file ``f`` one after the other."""

    async def handle(_: HttpRequest) -> Answer:
        await trio.lowlevel.checkpoint()
        spans = ranges or ((0, len(source.files["f"])),)
        parts = tuple(
            Part(prefix=b"", length_bytes=length, open=partial(source.read, "f", offset, length))
            for offset, length in spans
        )
        return Answer(status=200, headers=(("X", "y"),), body=parts)

    return handle


@asynccontextmanager
async def serving(
    handler: Handle, make_pair: Callable[[], Pair] = trio.testing.memory_stream_pair
) -> AsyncIterator[trio.abc.HalfCloseableStream]:
    """Serve one connection and give its client's end; the server ends when that is closed."""
    ours, theirs = make_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_http, theirs, handler, now_s=lambda: NOW_S))
        async with ours:
            yield ours


def lockstep() -> Pair:
    return trio.testing.lockstep_stream_pair()


# ------------------------------------------------------------------ the ordinary


async def test_connection_serves_request_after_request() -> None:
    async with serving(hello) as stream:
        client = HttpClient(stream)
        for number in range(3):
            reply = await client.get(f"/{number}", host="x")
            assert reply.body == f"hello /{number}".encode()
            assert reply.header("date") == "Wed, 21 Oct 2015 07:28:00 GMT"
            assert reply.header("content-length") == "8"
            assert reply.header("connection") is None


async def test_head_gives_the_fields_of_get_and_no_body() -> None:
    async with serving(hello) as stream:
        client = HttpClient(stream)
        got, head = [await client.get("/", host="x", method=m) for m in ("GET", "HEAD")]
        assert head.body == b""
        assert head.headers == got.headers


async def test_head_never_opens_the_content() -> None:
    source = MemorySource({"f": FILE})
    async with serving(file_handler(source)) as stream:
        reply = await HttpClient(stream).get("/", host="x", method="HEAD")
    assert reply.header("content-length") == str(len(FILE))
    assert source.reads == []


async def test_not_modified_has_no_length() -> None:
    async def handle(_: HttpRequest) -> Answer:
        return Answer(status=304, headers=())

    async with serving(handle) as stream:
        client = HttpClient(stream)
        assert (await client.get("/", host="x")).header("content-length") is None
        assert (await client.get("/", host="x")).status == 304


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(hello) as stream:
        client = HttpClient(stream)
        await stream.send_all(b"".join(request_bytes(f"/{n}", host="x") for n in range(5)))
        assert [(await client.reply()).body for _ in range(5)] == [
            f"hello /{n}".encode() for n in range(5)
        ]


async def test_request_may_arrive_byte_by_byte() -> None:
    async with serving(hello) as stream:
        for byte in request_bytes("/slow", host="x"):
            await stream.send_all(bytes([byte]))
        assert (await HttpClient(stream).reply()).body == b"hello /slow"


async def test_old_clients_get_one_answer_and_the_end() -> None:
    async with serving(hello) as stream:
        await stream.send_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        client = HttpClient(stream)
        assert (await client.reply()).header("connection") == "close"
        assert await client.rest() == b""


async def test_client_may_ask_for_the_end() -> None:
    async with serving(hello) as stream:
        client = HttpClient(stream)
        assert (await client.get("/", host="x", connection="close")).status == 200
        assert await client.rest() == b""


async def test_upgrade_is_overlooked() -> None:
    async with serving(hello) as stream:
        client = HttpClient(stream)
        for _ in range(2):
            reply = await client.get("/", host="x", connection="Upgrade", upgrade="websocket")
            assert reply.status == 200


# ------------------------------------------------------------------ content that streams


async def test_content_is_the_files_bytes_in_order() -> None:
    source = MemorySource({"f": FILE}, piece_bytes=10_007)
    async with serving(file_handler(source)) as stream:
        client = HttpClient(stream)
        for _ in range(2):
            reply = await client.get("/", host="x")
            assert reply.body == FILE
            assert reply.header("x") == "y"
    assert source.open_reads == 0


async def test_parts_follow_one_another_each_opened_in_its_turn() -> None:
    source = MemorySource({"f": FILE})
    async with serving(file_handler(source, (10, 5), (0, 3), (100_000, 70_000))) as stream:
        reply = await HttpClient(stream).get("/", host="x")
    assert reply.body == FILE[10:15] + FILE[:3] + FILE[100_000:170_000]
    assert source.reads == [("f", 10, 5), ("f", 0, 3), ("f", 100_000, 70_000)]


async def test_source_that_gives_too_much_is_cut_to_the_promise() -> None:
    source = MemorySource({"f": FILE})

    async def handle(_: HttpRequest) -> Answer:
        part = Part(prefix=b"", length_bytes=10, open=partial(source.read, "f"))
        return Answer(status=200, headers=(), body=(part,))

    async with serving(handle) as stream:
        client = HttpClient(stream)
        assert (await client.get("/", host="x")).body == FILE[:10]
        assert (await client.get("/", host="x")).body == FILE[:10]


async def test_iterator_that_is_left_early_is_closed() -> None:
    ended: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"piece"
        finally:
            ended.append("closed")

    @asynccontextmanager
    async def read() -> AsyncIterator[AsyncIterator[bytes]]:
        yield pieces()

    async def handle(_: HttpRequest) -> Answer:
        part = Part(prefix=b"", length_bytes=7, open=read)
        return Answer(status=200, headers=(), body=(part,))

    async with serving(handle) as stream:
        assert (await HttpClient(stream).get("/", host="x")).body == b"piecepi"
    assert ended == ["closed"]


async def test_failure_before_the_first_byte_is_a_clear_page() -> None:
    source = MemorySource({"f": FILE}, error=Unavailable("3 of 10 answer", code="too-few-shares"))
    async with serving(file_handler(source)) as stream:
        client = HttpClient(stream)
        reply = await client.get("/", host="x")
        assert reply.status == 503
        assert reply.body == b"3 of 10 answer\n(too-few-shares)\n"
        source.error = None
        assert (await client.get("/", host="x")).body == FILE  # the connection goes on


async def test_failure_in_the_middle_cuts_the_connection() -> None:
    source = MemorySource({"f": FILE}, error=Unavailable("gone"), fail_after=128 * 1024)
    async with serving(file_handler(source)) as stream:
        with pytest.raises(h11.RemoteProtocolError):
            await HttpClient(stream).get("/", host="x")
    assert source.open_reads == 0


async def test_source_that_ends_early_cuts_the_connection() -> None:
    source = MemorySource({"f": FILE})
    async with serving(file_handler(source, (len(FILE) - 10, 100_000))) as stream:
        with pytest.raises(h11.RemoteProtocolError):
            await HttpClient(stream).get("/", host="x")


async def test_refusal_of_the_handler_leaves_the_connection_open() -> None:
    async def handle(request: HttpRequest) -> Answer:
        if request.target == "/bad":
            raise BadInput("no such file", code="not-found")
        return await hello(request)

    async with serving(handle) as stream:
        client = HttpClient(stream)
        assert (await client.get("/bad", host="x")).body == b"no such file\n(not-found)\n"
        head = await client.get("/bad", host="x", method="HEAD")
        assert (head.status, head.body) == (404, b"")
        assert (await client.get("/good", host="x")).status == 200


async def test_bytes_go_out_while_they_arrive_and_no_faster() -> None:
    source = MemorySource({"f": FILE}, piece_bytes=16 * 1024)
    async with serving(file_handler(source), lockstep) as stream:
        await stream.send_all(request_bytes("/", host="x"))
        await trio.testing.wait_all_tasks_blocked()
        assert source.sent_bytes == 16 * 1024  # one piece fetched, waiting for its client
        while source.sent_bytes < 64 * 1024:
            assert await stream.receive_some(8 * 1024)
    assert source.open_reads == 0
    assert source.sent_bytes < len(FILE)


async def test_client_that_leaves_cancels_a_waiting_source() -> None:
    source = MemorySource({"f": FILE}, stall_after=0)
    async with serving(file_handler(source)) as stream:
        await stream.send_all(request_bytes("/", host="x"))
        await trio.testing.wait_all_tasks_blocked()
        assert source.open_reads == 1
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert source.open_reads == 0


async def test_client_that_leaves_cancels_the_handler_too() -> None:
    ended: list[str] = []

    async def handle(_: HttpRequest) -> Answer:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("cancelled")

    async with serving(handle) as stream:
        await stream.send_all(request_bytes("/", host="x"))
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == ["cancelled"]


# ------------------------------------------------------------------ clocks


async def test_silent_connection_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(hello) as stream:
        started = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - started == pytest.approx(HEAD_S)


async def test_idle_connection_is_closed_later(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(hello) as stream:
        client = HttpClient(stream)
        await client.get("/", host="x")
        started = trio.current_time()
        assert await client.rest() == b""
        assert trio.current_time() - started == pytest.approx(IDLE_S)


async def test_slow_head_is_told_so_and_closed(autojump_clock: trio.testing.MockClock) -> None:
    async def drip(stream: trio.abc.SendStream) -> None:
        for byte in request_bytes("/", host="x", pad="y" * 100):
            await trio.sleep(1)
            await stream.send_all(bytes([byte]))

    async with serving(hello) as stream, trio.open_nursery() as nursery:
        started = trio.current_time()
        nursery.start_soon(drip, stream)
        reply = await HttpClient(stream).reply()
        assert reply.status == 408
        assert reply.header("connection") == "close"
        assert trio.current_time() - started == pytest.approx(HEAD_S + 1)
        nursery.cancel_scope.cancel()


async def test_head_deadline_holds_for_a_pipelined_rest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(hello) as stream:
        client = HttpClient(stream)
        await stream.send_all(request_bytes("/", host="x") + b"GET / HT")
        assert (await client.reply()).status == 200
        started = trio.current_time()
        assert (await client.reply()).status == 408
        assert trio.current_time() - started == pytest.approx(HEAD_S)


async def test_client_that_takes_nothing_is_cut_in_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    source = MemorySource({"f": FILE})
    async with serving(file_handler(source), lockstep) as stream:
        await stream.send_all(request_bytes("/", host="x"))
        await trio.sleep(STALL_S - 1)
        assert source.open_reads == 1
        await trio.sleep(2)
        assert source.open_reads == 0


async def test_listener_hears_when_a_connection_is_idle() -> None:
    heard: list[bool] = []
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        serve = partial(serve_http, theirs, hello, now_s=lambda: NOW_S, on_idle=heard.append)
        nursery.start_soon(serve)
        client = HttpClient(ours)
        await client.get("/", host="x")
        await client.get("/", host="x")
        await ours.aclose()
    assert [idle for idle, _ in groupby(heard)] == [True, False, True, False, True]


# ------------------------------------------------------------------ hostile bytes

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
HOSTILE = [
    (b"\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nbad name: y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\na: b\0c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\na: b\rc\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET / a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/9.9.9\r\nHost: x\r\n\r\n", 400),
    (b"GET / http/1.1\r\nHost: x\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting \n\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    # smuggling
    (GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (GET + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /x", 400),
    (GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (GET + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    (GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501),
    (GET + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    (GET + b"Content-Length: -1\r\n\r\n", 400),
    (GET + b"Content-Length: +5\r\n\r\nhello", 400),
    (GET + b"Content-Length: 0x5\r\n\r\nhello", 400),
    (GET + b"Content-Length: 5\r\n\r\nhello" + GET + b"\r\n", 413),
    (GET + b"Content-Length: 99999999999999999\r\n\r\n", 413),
    (GET + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 413),
    # too large
    (GET + b"a: b\r\n" * (MAX_FIELDS + 1) + b"\r\n", 431),
    (GET + b"a: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
    (b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    (b"A" * (4 * MAX_HEAD_BYTES), 431),
]


@pytest.mark.parametrize(("raw", "status"), HOSTILE)
async def test_hostile_head_gets_one_refusal_and_the_end(raw: bytes, status: int) -> None:
    served: list[str] = []

    async def handle(request: HttpRequest) -> Answer:
        served.append(request.target)
        return await hello(request)

    async with serving(handle) as stream:
        await stream.send_all(raw)
        client = HttpClient(stream)
        reply = await client.reply()
        assert reply.status == status
        assert reply.header("connection") == "close"
        assert await client.rest() == b""
    assert served == []


async def test_endless_head_is_cut_without_a_blank_line() -> None:
    async with serving(hello) as stream:
        for _ in range(16):
            await stream.send_all(b"a: " + b"b" * 8_000 + b"\r\n")
        client = HttpClient(stream)
        assert (await client.reply()).status in (400, 431)
        assert await client.rest() == b""


async def test_nothing_is_smuggled_behind_a_refused_body() -> None:
    served: list[str] = []

    async def handle(request: HttpRequest) -> Answer:
        served.append(request.target)
        return await hello(request)

    body = request_bytes("/smuggled", host="x")
    raw = GET + b"Content-Length: %d\r\n\r\n" % len(body) + body + request_bytes("/2", host="x")
    async with serving(handle) as stream:
        await stream.send_all(raw)
        client = HttpClient(stream)
        assert (await client.reply()).status == 413
        assert await client.rest() == b""
    assert served == []


async def test_client_that_sends_far_ahead_is_cut() -> None:
    source = MemorySource({"f": FILE}, stall_after=64 * 1024)
    async with serving(file_handler(source)) as stream:
        await stream.send_all(request_bytes("/", host="x"))
        await stream.send_all(b"x" * (MAX_AHEAD_BYTES + 1))
        await trio.testing.wait_all_tasks_blocked()
        assert source.open_reads == 0


def mutated(chance: random.Random) -> bytes:
    """Return a request with random damage, or plain noise."""
    if chance.random() < 0.2:
        return chance.randbytes(chance.randrange(1, 400))
    raw = bytearray(request_bytes("/a", host="x", range="bytes=0-1", accept="*/*") * 2)
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(raw))
        match chance.randrange(3):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                del raw[at : at + chance.randrange(1, 20)]
            case _:
                raw[at:at] = chance.randbytes(chance.randrange(1, 20))
    return bytes(raw)


@pytest.mark.parametrize("seed", range(4))
async def test_random_bytes_never_break_the_server(
    seed: int, autojump_clock: trio.testing.MockClock
) -> None:
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)
    for _ in range(250):
        async with serving(hello) as stream:
            raw = mutated(chance)
            at = chance.randrange(len(raw) + 1)
            await stream.send_all(raw[:at])
            await stream.send_all(raw[at:] or b"\n")
            if chance.random() < 0.5:
                await stream.send_eof()
            found = await HttpClient(stream).rest()
            assert found == b"" or found.startswith(b"HTTP/1.1 ")


async def test_caps_in_reasons_reach_neither_page_nor_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "bitcloud:1:fr:canarycanarycanary:abcd"
    source = MemorySource({"f": FILE}, error=Unavailable(f"{canary} is gone"))
    async with serving(file_handler(source)) as stream:
        await stream.send_all(request_bytes(f"/{canary}", host="x", referer=canary))
        reply = await HttpClient(stream).reply()
    assert "canary" not in reply.body.decode() + str(reply.headers) + caplog.text


async def test_refusal_of_the_listener_is_one_whole_answer() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(TOO_MANY_CONNECTIONS)
    await theirs.aclose()
    client = HttpClient(ours)
    assert (await client.reply()).status == 503
    assert await client.rest() == b""


async def test_client_that_was_refused_counts_as_idle_while_it_lingers() -> None:
    heard: list[bool] = []
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        serve = partial(serve_http, theirs, hello, now_s=lambda: NOW_S, on_idle=heard.append)
        nursery.start_soon(serve)
        reply = await HttpClient(ours).get("/", host="x", content_length="5")
        assert reply.status == 413
        await trio.testing.wait_all_tasks_blocked()
        assert heard[-1] is True
        await ours.aclose()
