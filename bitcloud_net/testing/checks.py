"""Conformance suites: what every implementation of an interface must do.

A test gives a suite a *lab*, which makes the things to be checked, and runs each check of the list.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from random import Random
from typing import Protocol, TypeAlias

import trio
import trio.testing

from bitcloud_net.core.errors import BadInput, BadMessage, Unavailable
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.net.network import (
    Network,
    PeerChange,
    PeerConnected,
    PeerDisconnected,
    ProtocolId,
    Stream,
)

_ECHO = ProtocolId("/check/echo/1")
_OTHER = ProtocolId("/check/other/1")
_ANNA = SigningKey(b"a" * 32)
_BERT = SigningKey(b"b" * 32)
_CARL = SigningKey(b"c" * 32)


class NetworkLab(Protocol):
    """Makes networks that can reach each other."""

    def open(self, key: SigningKey) -> AbstractAsyncContextManager[Network]:
        """Open a listening network; the same key listens at the same address each time."""


NetworkCheck: TypeAlias = Callable[[NetworkLab], Awaitable[None]]


async def check_connect_tells_both_ends(lab: NetworkLab) -> None:
    """Both ends know who is there, once, and hear when it ends."""
    news: list[PeerChange] = []
    async with lab.open(_ANNA) as anna:
        anna.watch(news.append)
        async with lab.open(_BERT) as bert:
            assert await anna.connect(bert.addresses[0]) == bert.node_id
            assert await anna.connect(bert.addresses[0]) == bert.node_id
            await _until(lambda: anna.node_id in bert.peers)
            assert anna.peers == {bert.node_id}
        await _until(lambda: not anna.peers)
    assert news == [PeerConnected(peer=bert.node_id), PeerDisconnected(peer=bert.node_id)]


async def check_connect_refuses_what_is_not_there(lab: NetworkLab) -> None:
    """A wrong name at an address is nobody; an address that is none is our caller's mistake."""
    async with lab.open(_ANNA) as anna:
        async with lab.open(_BERT) as bert, lab.open(_CARL) as carl:
            somebody_else = bert.addresses[0].rpartition("/")[0] + "/"
            await _fails(anna.connect, somebody_else + carl.addresses[0].rpartition("/")[2])
            await _fails(anna.open_stream, bert.node_id, _ECHO)  # no address known
            gone = bert.addresses[0]
        await _fails(anna.connect, gone)
        for address in ("", "localhost:4001", "/ip4/1.2.3.4/tcp/5", anna.addresses[0], "é" * 999):
            try:
                await anna.connect(address)
            except BadInput:
                continue
            raise AssertionError(f"{address} was accepted")


async def check_bytes_arrive_in_order(lab: NetworkLab) -> None:
    """Both directions at once, in pieces of all sizes, without a byte changed."""
    random = Random(1)
    sizes = [random.choice((1, 17, 1000, 64 * KIB, MIB)) for _ in range(24)] + [2 * MIB]
    async with _pair(lab) as (anna, bert):
        stream = await anna.open_stream(bert.node_id, _ECHO)
        sent = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_pieces, stream, random, sizes, sent)
            received = await _read_all(stream)
        assert received == sent
        assert min(anna.traffic) >= len(sent)
        assert min(bert.traffic) >= len(sent)


async def check_half_close(lab: NetworkLab) -> None:
    """The end of one direction leaves the other open, and is said as often as one asks."""

    async def answer_at_the_end(stream: Stream) -> None:
        question = await _read_all(stream)
        assert await stream.receive() == b""
        await stream.send(b"you said ", question)
        await stream.close_write()

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, answer_at_the_end)
        stream = await anna.open_stream(bert.node_id, _OTHER)
        await stream.send(b"hello")
        await stream.close_write()
        assert await _read_all(stream) == b"you said hello"
        await _fails(stream.send, b"more")


async def check_a_handler_may_leave_first(lab: NetworkLab) -> None:
    """What a handler sent and ended before it returned arrives whole, read soon or late."""

    async def hand_out(stream: Stream) -> None:
        await stream.send(bytes(100 * KIB))
        await stream.close_write()

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, hand_out)
        stream = await anna.open_stream(bert.node_id, _OTHER)
        await trio.sleep(0.2)
        assert len(await _read_all(stream)) == 100 * KIB


async def check_reset(lab: NetworkLab) -> None:
    """A reset ends both ends of one stream, wakes who waits, and leaves other streams alone."""
    waiting: trio.Event = trio.Event()
    woken: trio.Event = trio.Event()

    async def wait(stream: Stream) -> None:
        waiting.set()
        try:
            await stream.receive()
        except Unavailable:
            woken.set()

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, wait)
        healthy = await anna.open_stream(bert.node_id, _ECHO)
        stream = await anna.open_stream(bert.node_id, _OTHER)
        await waiting.wait()
        stream.reset()
        stream.reset()
        await _fails(stream.send, b"x")
        await _fails(stream.receive)
        with trio.fail_after(5):
            await woken.wait()
        await _echoes(healthy)


async def check_a_handler_that_gives_up_resets(lab: NetworkLab) -> None:
    """Whoever returns without an end of stream, or with ``Unavailable``, resets it."""

    async def give_up(stream: Stream) -> None:
        if await stream.receive() == b"raise":
            raise Unavailable("busy elsewhere")

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, give_up)
        for word in (b"raise", b"return"):
            stream = await anna.open_stream(bert.node_id, _OTHER)
            await stream.send(word)
            await _fails(stream.receive)
        await _echoes(await anna.open_stream(bert.node_id, _ECHO))


async def check_backpressure(lab: NetworkLab) -> None:
    """A reader that pauses holds the writer back, for as long as it likes, and nobody else."""
    go = trio.Event()
    counted = 0

    async def read_later(stream: Stream) -> None:
        nonlocal counted
        await go.wait()
        while data := await stream.receive():
            counted += len(data)
        await stream.close_write()

    progress = 0

    async def write(stream: Stream) -> None:
        nonlocal progress
        for _ in range(40):
            await stream.send(bytes(MIB))
            progress += MIB
        await stream.close_write()

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, read_later)
        stream = await anna.open_stream(bert.node_id, _OTHER)
        healthy = await anna.open_stream(bert.node_id, _ECHO)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, stream)
            await trio.sleep(8)  # py-libp2p's own muxer gives up after 5
            assert progress <= 17 * MIB
            await _echoes(healthy)
            go.set()
        assert await _read_all(stream) == b""
        assert counted == 40 * MIB


async def check_cancelled_receive_loses_nothing(lab: NetworkLab) -> None:
    """However often a receive is cancelled, the next one goes on where it stopped."""
    random = Random(2)
    async with _pair(lab) as (anna, bert):
        stream = await anna.open_stream(bert.node_id, _ECHO)
        sent = bytearray()
        received = bytearray()
        ended = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_pieces, stream, random, [50 * KIB] * 60, sent)
            while not ended:
                with trio.move_on_after(random.random() * 0.002):
                    while True:
                        data = await stream.receive()
                        received += data
                        if not data:
                            ended = True
                            break
        assert received == sent


async def check_cancelled_send_resets_one_stream(lab: NetworkLab) -> None:
    """A cancelled send costs its own stream, whatever else is under way on the connection."""

    async def ignore(stream: Stream) -> None:
        await trio.sleep_forever()

    async def storm(anna: Network, bert: Network) -> None:
        for _ in range(20):
            stream = await anna.open_stream(bert.node_id, _OTHER)
            with trio.move_on_after(0.02):
                await _send_without_end(stream)
            await _fails(stream.send, b"x")

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, ignore)
        healthy = await anna.open_stream(bert.node_id, _ECHO)
        sent = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(storm, anna, bert)
            nursery.start_soon(_send_pieces, healthy, Random(3), [30 * KIB] * 100, sent)
            received = await _read_all(healthy)
        assert received == sent
        assert anna.peers == {bert.node_id}


async def check_a_stream_refused_at_once_costs_no_other(lab: NetworkLab) -> None:
    """A handler that leaves before its opener has even heard of it does not end the connection."""

    async def refuse(stream: Stream) -> None:
        raise Unavailable("busy")

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, refuse)
        healthy = await anna.open_stream(bert.node_id, _ECHO)
        for _ in range(20):
            try:
                stream = await anna.open_stream(bert.node_id, _OTHER)
            except Unavailable:
                continue
            await _fails(stream.receive)
        await _echoes(healthy)


async def check_unknown_protocol(lab: NetworkLab) -> None:
    """It is said at once, and costs nothing else."""
    async with _pair(lab) as (anna, bert):
        healthy = await anna.open_stream(bert.node_id, _ECHO)
        with trio.fail_after(2):
            error = await _fails(anna.open_stream, bert.node_id, ProtocolId("/check/nothing/1"))
        assert error.code == "protocol-unknown"
        await _echoes(healthy)


async def check_many_streams_and_their_limit(lab: NetworkLab) -> None:
    """64 streams to one peer work side by side; one more is refused until one has ended."""
    async with _pair(lab) as (anna, bert):
        streams = [await anna.open_stream(bert.node_id, _ECHO) for _ in range(64)]
        error = await _fails(anna.open_stream, bert.node_id, _ECHO)
        assert error.code == "too-many-streams"
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(_echoes, stream)
        for stream in streams[:32]:
            stream.reset()
        for stream in streams[32:]:
            await stream.close_write()
            assert await _read_all(stream) == b""
        for _ in range(200):  # one after the other, far beyond the limit
            await _echoes_once(anna, bert)


async def check_peer_gone(lab: NetworkLab) -> None:
    """When a peer leaves, everybody who waits for it hears so."""
    async with lab.open(_ANNA) as anna:
        async with lab.open(_BERT) as bert:
            bert.serve(_ECHO, _echo)
            anna.learn(bert.node_id, bert.addresses)
            stream = await anna.open_stream(bert.node_id, _ECHO)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_fails, stream.receive)
                await trio.testing.wait_all_tasks_blocked(0.05)
                bert.ban(anna.node_id, seconds=1)
        await _fails(stream.send, b"x")
        await _fails(anna.open_stream, bert.node_id, _ECHO)
        await _until(lambda: not anna.peers)


async def check_a_restarted_peer_is_found_again(lab: NetworkLab) -> None:
    """An old connection is replaced without the caller's help."""
    async with lab.open(_ANNA) as anna:
        for _ in range(3):
            async with lab.open(_BERT) as bert:
                bert.serve(_ECHO, _echo)
                anna.learn(bert.node_id, bert.addresses)
                await _echoes(await anna.open_stream(bert.node_id, _ECHO))


async def check_simultaneous_dials(lab: NetworkLab) -> None:
    """Both ends may dial at the same time, and many callers at once cost one connection."""
    async with _pair(lab) as (anna, bert):
        anna.serve(_ECHO, _echo)
        bert.learn(anna.node_id, anna.addresses)
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(_echoes_once, anna, bert)
                nursery.start_soon(_echoes_once, bert, anna)


async def check_ban(lab: NetworkLab) -> None:
    """A banned peer is put out, gets no way back in, and is forgiven in time."""
    async with _pair(lab) as (anna, bert):
        anna.serve(_ECHO, _echo)
        bert.learn(anna.node_id, anna.addresses)
        stream = await anna.open_stream(bert.node_id, _ECHO)
        bert.ban(anna.node_id, seconds=2)
        await _fails(stream.receive)
        await _until(lambda: not anna.peers and not bert.peers)
        await _fails(_echoes_once, anna, bert)
        error = await _fails(bert.reach, anna.node_id)
        assert error.code == "node-banned"
        await trio.sleep(2.1)
        await _echoes_once(anna, bert)


async def check_a_fault_in_a_handler_ends_the_connection(lab: NetworkLab) -> None:
    """A peer that breaks the protocol is put out."""

    async def judge(stream: Stream) -> None:
        await stream.receive()
        raise BadMessage("that is not how we speak here", peer=stream.peer)

    async with _pair(lab) as (anna, bert):
        bert.serve(_OTHER, judge)
        stream = await anna.open_stream(bert.node_id, _OTHER)
        await stream.send(b"nonsense")
        await _fails(stream.receive)
        await _until(lambda: not anna.peers)
        await _fails(_echoes_once, anna, bert)


async def check_a_bug_in_a_handler_ends_the_network(lab: NetworkLab) -> None:
    """What is nobody's fault but ours comes out of the block, as itself."""

    class BugError(Exception):
        pass

    async def stumble(stream: Stream) -> None:
        await stream.receive()
        raise BugError

    async with lab.open(_ANNA) as anna:
        try:
            async with lab.open(_BERT) as bert:
                bert.serve(_OTHER, stumble)
                anna.learn(bert.node_id, bert.addresses)
                stream = await anna.open_stream(bert.node_id, _OTHER)
                await stream.send(b"x")
                await trio.sleep(5)
                raise AssertionError("the network went on")
        except BugError:
            return


async def check_learn(lab: NetworkLab) -> None:
    """The newest addresses count; useless ones are passed over."""
    async with _pair(lab) as (anna, bert):
        nowhere = bert.addresses[0].replace("/tcp/", "/udp/")
        anna.learn(bert.node_id, (nowhere, "", "x" * 5000, anna.addresses[0]))
        await _fails(anna.open_stream, bert.node_id, _ECHO)
        anna.learn(bert.node_id, (nowhere, *bert.addresses))
        await anna.reach(bert.node_id)
        await anna.reach(bert.node_id)
        assert anna.peers == {bert.node_id}
        await _echoes_once(anna, bert)


NETWORK_CHECKS: tuple[NetworkCheck, ...] = (
    check_connect_tells_both_ends,
    check_connect_refuses_what_is_not_there,
    check_bytes_arrive_in_order,
    check_half_close,
    check_a_handler_may_leave_first,
    check_reset,
    check_a_handler_that_gives_up_resets,
    check_backpressure,
    check_cancelled_receive_loses_nothing,
    check_cancelled_send_resets_one_stream,
    check_a_stream_refused_at_once_costs_no_other,
    check_unknown_protocol,
    check_many_streams_and_their_limit,
    check_peer_gone,
    check_a_restarted_peer_is_found_again,
    check_simultaneous_dials,
    check_ban,
    check_a_fault_in_a_handler_ends_the_connection,
    check_a_bug_in_a_handler_ends_the_network,
    check_learn,
)
"""Every check of ``Network``; each may run in virtual time."""


@asynccontextmanager
async def _pair(lab: NetworkLab) -> AsyncIterator[tuple[Network, Network]]:
    async with lab.open(_ANNA) as anna, lab.open(_BERT) as bert:
        bert.serve(_ECHO, _echo)
        anna.learn(bert.node_id, bert.addresses)
        yield anna, bert


async def _echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)
    await stream.close_write()


async def _echoes(stream: Stream) -> None:
    await stream.send(b"are you ", b"there?")
    answer = b""
    with trio.fail_after(5):
        while len(answer) < 14:
            answer += await stream.receive()
    assert answer == b"are you there?"


async def _echoes_once(one: Network, other: Network) -> None:
    stream = await one.open_stream(other.node_id, _ECHO)
    await _echoes(stream)
    stream.reset()


async def _send_pieces(stream: Stream, random: Random, sizes: list[int], sent: bytearray) -> None:
    for size in sizes:
        head, body = random.randbytes(random.randrange(40)), memoryview(random.randbytes(size))
        await stream.send(head, body)
        sent += head + body
    await stream.close_write()


async def _send_without_end(stream: Stream) -> None:
    while True:
        await stream.send(bytes(200 * KIB))


async def _read_all(stream: Stream) -> bytes:
    received = bytearray()
    while data := await stream.receive():
        assert len(data) <= MIB
        received += data
    return bytes(received)


async def _fails(call: Callable[..., Awaitable[object]], *args: object) -> Unavailable:
    """Expect ``Unavailable`` and return it."""
    try:
        await call(*args)
    except Unavailable as error:
        return error
    raise AssertionError(f"{partial(call, *args)} did not fail")


async def _until(condition: Callable[[], object]) -> None:
    with trio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - the news that we wait for are what is checked
            await trio.sleep(0.01)
