"""Our muxer over a wire that the test can cut, slow down and forge on, in virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from libp2p.connection_types import ConnectionType
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.peer.id import ID
from libp2p.security.exceptions import HandshakeFailure
from libp2p.stream_muxer.exceptions import (
    MuxedConnUnavailable,
    MuxedStreamEOF,
    MuxedStreamReset,
)
from multiaddr import Multiaddr

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.net.noise_transport import NoiseConnection, NoiseTransport
from bitcloud_net.net.yamux_muxer import DEAD_AFTER_S, LINGER_S, PING_AFTER_S, YamuxMuxer
from bitcloud_net.net.yamux_stream import MAX_WAITING_BYTES, YamuxStream
from bitcloud_net.wire.memory_budget import MemoryBudget
from bitcloud_net.wire.yamux_frames import DATA, PING, SYN, pack_header


class Wire:
    """One end of a raw connection in memory. A cut wire swallows all that is written, silently."""

    def __init__(self, *, initiator: bool, delay_s: float = 0.0) -> None:
        self.is_initiator = initiator
        self.delay_s = delay_s
        self.cut = False
        self.closed = False
        self.other: Wire
        self._send, self._receive = trio.open_memory_channel[tuple[float, bytes]](16)
        self._rest = b""

    async def write(self, data: bytes) -> None:
        if self.cut:
            return
        if self.closed or self.other.closed:
            raise ConnectionClosedError("closed")
        await self.other._send.send((trio.current_time() + self.delay_s, bytes(data)))

    async def read(self, n: int | None = None) -> bytes:
        if not self._rest:
            try:
                due, self._rest = await self._receive.receive()
            except (trio.EndOfChannel, trio.ClosedResourceError):
                return b""
            await trio.sleep_until(due)
        data, self._rest = self._rest[:n], self._rest[n or len(self._rest) :]
        return data

    async def close(self) -> None:
        self.closed = True
        self._receive.close()
        if not self.cut:
            self.other._send.close()
        await trio.lowlevel.checkpoint()

    def get_remote_address(self) -> tuple[str, int]:
        return ("192.0.2.1", 4001)

    def get_transport_addresses(self) -> list[Multiaddr]:
        return [Multiaddr("/ip4/192.0.2.1/tcp/4001")]

    def get_connection_type(self) -> ConnectionType:
        return ConnectionType.DIRECT


@dataclass
class Ends:
    """Two muxers that talk to each other."""

    muxers: tuple[YamuxMuxer, YamuxMuxer]
    wires: tuple[Wire, Wire]
    faults: list[str] = field(default_factory=list)

    async def stream(self, side: int = 0) -> tuple[YamuxStream, YamuxStream]:
        ours = await self.muxers[side].open_stream()
        return ours, await self.muxers[1 - side].accept_stream()

    def cut(self) -> None:
        for wire in self.wires:
            wire.cut = True


@asynccontextmanager
async def joined(*, delay_s: float = 0.0) -> AsyncIterator[Ends]:
    wires = (Wire(initiator=True, delay_s=delay_s), Wire(initiator=False, delay_s=delay_s))
    wires[0].other, wires[1].other = wires[1], wires[0]
    faults: list[str] = []
    secured: list[NoiseConnection] = []

    async def listen() -> None:
        secured.append(await NoiseTransport(create_new_key_pair()).secure_inbound(wires[1]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        dialler = await NoiseTransport(create_new_key_pair()).secure_outbound(wires[0], ID(b""))
        secured.insert(0, dialler)
    muxers = tuple(
        YamuxMuxer(
            conn, conn.get_remote_peer(), budget=MemoryBudget(), max_streams=64,
            report=faults.append,
        )
        for conn in secured
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        for muxer in muxers:
            nursery.start_soon(muxer.start)
            await muxer.event_started.wait()
        yield Ends(muxers, wires, faults)
        for muxer in muxers:
            await muxer.close()


async def read_exactly(stream: YamuxStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = await stream.receive()
        assert piece, "ended too early"
        data += piece
    return bytes(data)


# --- the link ---


async def test_a_dead_link_is_noticed_within_15_s_by_whoever_waits(autojump_clock):
    async with joined() as ends:
        ours, theirs = await ends.stream()
        await trio.sleep(60)  # an idle link stays
        ends.cut()
        began = trio.current_time()
        for stream in (ours, theirs):
            with pytest.raises(Unavailable):
                await stream.receive()
        assert PING_AFTER_S < trio.current_time() - began <= 15
        assert all(muxer.is_closed for muxer in ends.muxers)
        assert ends.faults == []


async def test_a_dead_link_is_noticed_by_a_writer_too(autojump_clock):
    async with joined() as ends:
        ours, _ = await ends.stream()
        ends.cut()
        began = trio.current_time()
        with pytest.raises(Unavailable):
            await ours.send(bytes(4 * MIB))
        assert trio.current_time() - began <= 15


async def test_a_paused_reader_is_no_dead_link(autojump_clock):
    async with joined() as ends:
        ours, theirs = await ends.stream()
        other, other_end = await ends.stream()
        data = random.Random(1).randbytes(2 * MIB)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.send, data)
            await trio.sleep(3600)  # an hour
            await other.send(b"meanwhile")
            assert await other_end.receive() == b"meanwhile"
            assert await read_exactly(theirs, len(data)) == data


async def test_our_own_sleep_is_not_the_peers_silence(autojump_clock):
    async with joined() as ends:
        muxer = ends.muxers[0]
        muxer.session.ping(trio.current_time())
        muxer.session._outbox._control.clear()  # asked, and the answer is lost
        muxer._heard_at = trio.current_time() - 100  # as if this process had been stopped
        muxer.session._ping_sent_at = trio.current_time() - 100
        due = trio.current_time() - 50
        assert muxer._is_dead(trio.current_time())
        muxer._forgive_our_own_sleep(trio.current_time(), due)
        assert not muxer._is_dead(trio.current_time())


async def test_round_trips_are_measured(autojump_clock):
    async with joined(delay_s=0.1) as ends:
        await trio.sleep(5)
        assert ends.muxers[0].session.round_trip_s == pytest.approx(0.2, abs=0.01)


async def test_a_link_of_200_ms_fills_after_a_few_round_trips(autojump_clock):
    async with joined(delay_s=0.1) as ends:
        ours, theirs = await ends.stream()
        sizes = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.send, bytes(200 * MIB))
            for _ in range(20):
                with trio.move_on_after(0.2) as turn:
                    size = 0
                    while not turn.cancelled_caught and size < 200 * MIB:
                        size += len(await theirs.receive())
                sizes.append(size)
            nursery.cancel_scope.cancel()
        assert max(sizes) >= MIB  # all that this wire carries: 16 records in 100 ms
        assert sizes.index(max(sizes)) >= 2


async def test_the_peers_end_of_the_connection_ends_everything(autojump_clock):
    async with joined() as ends:
        ours, theirs = await ends.stream()
        await ends.muxers[1].close()
        with pytest.raises(Unavailable):
            await ours.receive()
        with pytest.raises(Unavailable):
            await theirs.send(b"x")
        with pytest.raises(MuxedConnUnavailable):
            await ends.muxers[1].open_stream()
        with pytest.raises(MuxedConnUnavailable):
            await ends.muxers[0].accept_stream()


async def test_closing_sends_what_waits_and_says_goodbye(autojump_clock):
    async with joined(delay_s=0.05) as ends:
        ours, theirs = await ends.stream()
        await ours.send(b"last words")
        await ours.close_write()
        await ends.muxers[0].close()
        assert await theirs.receive() == b"last words"
        assert await theirs.receive() == b""
        await trio.sleep(1)
        assert ends.muxers[1].session.peer_leaving


async def test_a_muxer_that_never_ran_can_be_closed(autojump_clock):
    wire = Wire(initiator=True)
    wire.other = Wire(initiator=False)
    wire.other.other = wire
    async with joined() as ends:
        secured = ends.muxers[0].secured_conn
        idle = YamuxMuxer(
            secured, ID(b""), budget=MemoryBudget(), max_streams=1, report=ends.faults.append
        )
        assert not idle.is_established
        await idle.close()
        assert idle.is_closed


# --- hostile peers ---


async def test_an_overrun_is_reported_once_and_costs_the_connection(autojump_clock):
    async with joined() as ends:
        theirs, _ = await ends.stream()
        attacker = ends.muxers[0].secured_conn
        for _ in range(6):
            await attacker.send_pieces([pack_header(DATA, 0, theirs.stream_id, 64 * KIB)])
            await attacker.send_pieces([bytes(64 * KIB)])
        await trio.sleep(1)
        assert len(ends.faults) == 1
        assert "window" in ends.faults[0]
        assert ends.muxers[1].is_closed
        assert ends.muxers[0].session.peer_leaving  # it was told why


async def test_a_forged_record_ends_the_connection_and_blames_nobody(autojump_clock):
    async with joined() as ends:
        await ends.wires[0].write(b"\x00\x20" + bytes(32))
        await trio.sleep(1)
        assert ends.muxers[1].is_closed
        assert ends.faults == []


async def test_a_flood_of_pings_costs_the_connection(autojump_clock):
    async with joined() as ends:
        attacker = ends.muxers[0].secured_conn
        for _ in range(120):
            await attacker.send_pieces([pack_header(PING, SYN, 0, 1) * 100])
        await trio.sleep(1)
        assert len(ends.faults) == 1
        assert ends.muxers[1].is_closed


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\x00\x20" + bytes(32)]
)
async def test_a_stranger_without_noise_fails_the_handshake(garbage, autojump_clock):
    ours, theirs = Wire(initiator=False), Wire(initiator=True)
    ours.other, theirs.other = theirs, ours
    await theirs.write(garbage)
    with pytest.raises(HandshakeFailure):
        await NoiseTransport(create_new_key_pair()).secure_inbound(ours)


async def test_a_stranger_who_hangs_up_fails_the_handshake(autojump_clock):
    ours, theirs = Wire(initiator=False), Wire(initiator=True)
    ours.other, theirs.other = theirs, ours
    await theirs.write(b"\x00")
    await theirs.close()
    with pytest.raises(HandshakeFailure, match="hung up"):
        await NoiseTransport(create_new_key_pair()).secure_inbound(ours)


# --- cancellation ---


async def test_cancelled_sends_reset_their_stream_and_cancelled_receives_lose_nothing(
    autojump_clock,
):
    async with joined() as ends:
        ours, theirs = await ends.stream()
        with trio.move_on_after(1):
            await ours.send(bytes(MIB))
        with pytest.raises(Unavailable):
            await ours.send(b"x")
        with pytest.raises(Unavailable):
            await read_exactly(theirs, MIB)
        again, end = await ends.stream()
        for _ in range(5):
            with trio.move_on_after(1):
                await end.receive()
        await again.send(b"whole")
        assert await end.receive() == b"whole"


# --- streams ---


async def test_small_messages_do_not_wait_until_64_kib_of_them_wait(autojump_clock):
    async with joined() as ends:
        ours, _ = await ends.stream()
        ours._stream.send_window = 0
        for _ in range(MAX_WAITING_BYTES // KIB):
            await ours.send(bytes(KIB))
        with trio.move_on_after(1) as scope:
            await ours.send(bytes(KIB))
        assert scope.cancelled_caught


async def test_half_close_reaches_libp2ps_own_protocols_as_eof(autojump_clock):
    async with joined() as ends:
        ours, theirs = await ends.stream()
        await ours.write(b"question")
        await ours.close()
        assert await theirs.read(3) == b"que"
        assert await theirs.read() == b"stion"
        with pytest.raises(MuxedStreamEOF):
            await theirs.read(1)
        async with theirs:
            await theirs.write(b"answer")
        assert await ours.read(100) == b"answer"
        with pytest.raises(MuxedStreamEOF):
            await ours.read()
        assert ends.muxers[0].session.streams == ends.muxers[1].session.streams == ()


async def test_a_reset_reaches_libp2ps_own_protocols(autojump_clock):
    async with joined() as ends:
        ours, theirs = await ends.stream()
        await ours.reset()
        with pytest.raises(MuxedStreamReset):
            await theirs.read()
        with pytest.raises(MuxedStreamReset):
            await theirs.write(b"x")
        with pytest.raises(NotImplementedError):
            ours.set_deadline(1)
        assert ours.get_remote_address() == ("192.0.2.1", 4001)


async def test_a_stream_that_was_left_is_reset_after_a_minute(autojump_clock):
    async with joined() as ends:
        ours, theirs = await ends.stream()
        await ours.close()
        await trio.sleep(LINGER_S + 5)
        with pytest.raises(Unavailable):
            await theirs.send(bytes(MIB))
        assert ends.muxers[0].session.streams == ()


async def test_what_libp2p_asks_of_a_connection(autojump_clock):
    async with joined() as ends:
        dialler, listener = ends.muxers
        assert dialler.is_initiator
        assert not listener.is_initiator
        assert dialler.is_established
        assert dialler.peer_id == dialler.secured_conn.get_remote_peer()
        assert dialler.peer_id == listener.secured_conn.get_local_peer()
        assert dialler.get_transport_addresses() == [Multiaddr("/ip4/192.0.2.1/tcp/4001")]
        assert dialler.get_connection_type() is ConnectionType.DIRECT
        public = listener.secured_conn.get_local_private_key().get_public_key()
        assert dialler.secured_conn.get_remote_public_key().to_bytes() == public.to_bytes()


def test_the_promise_of_15_seconds_is_in_the_constants():
    from bitcloud_net.net.yamux_muxer import WATCH_EVERY_S

    assert PING_AFTER_S + DEAD_AFTER_S + 2 * WATCH_EVERY_S <= 15
