"""Peers that break the rules below our own protocols, over real sockets (security.md 3.2).

The attacker is py-libp2p as it comes: it follows whoever drives it, and knows none of our limits.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from libp2p import create_mplex_muxer_option, new_host
from libp2p.crypto.ed25519 import create_new_key_pair as new_ed25519
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.rsa import create_new_key_pair as new_rsa
from libp2p.crypto.secp256k1 import create_new_key_pair as new_secp256k1
from libp2p.crypto.x25519 import create_new_key_pair as new_x25519
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.security.secio.transport import ID as SECIO
from libp2p.security.secio.transport import Transport as Secio
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport
from libp2p.stream_muxer.yamux.yamux import YAMUX_HEADER_FORMAT, Yamux
from multiaddr import Multiaddr
from trio.testing import MockClock

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.network import Network, ProtocolId, Stream
from bitcloud_net.net.peer_id import peer_id_bytes

PROTOCOL = ProtocolId("/check/hostile/1")
DATA, WINDOW_UPDATE, SYN = 0, 1, 1


async def never_read(stream: Stream) -> None:
    await trio.sleep_forever()


@contextlib.asynccontextmanager
async def open_victim(limits: NetLimits | None = None) -> AsyncIterator[Network]:
    async with open_libp2p_network(
        SigningKey(b"v" * 32), listen=["/ip4/127.0.0.1/tcp/0"], limits=limits
    ) as network:
        network.serve(PROTOCOL, never_read)
        yield network


@contextlib.asynccontextmanager
async def open_honest() -> AsyncIterator[Network]:
    async with open_libp2p_network(SigningKey(b"h" * 32)) as network:
        yield network


@contextlib.asynccontextmanager
async def open_attacker(pair: KeyPair | None = None, **options: Any) -> AsyncIterator[BasicHost]:
    pair = pair or new_ed25519()
    options.setdefault("sec_opt", noise(pair))
    host = new_host(key_pair=pair, **options)
    assert isinstance(host, BasicHost)
    async with host.run([]):
        try:
            yield host
        finally:
            with trio.CancelScope(shield=True):  # left alone it forgets its sockets
                for peer in host.get_network().get_connections_map():
                    await host.disconnect(peer)


def noise(pair: KeyPair) -> dict[TProtocol, Any]:
    return {NOISE: Noise(pair, noise_privkey=new_x25519().private_key)}


def plaintext(pair: KeyPair) -> dict[TProtocol, Any]:
    return {PLAINTEXT_PROTOCOL_ID: InsecureTransport(pair)}


def secio(pair: KeyPair) -> dict[TProtocol, Any]:
    return {TProtocol(SECIO): Secio(pair)}


def tls(pair: KeyPair) -> dict[TProtocol, Any]:
    return {TLS: TLSTransport(pair)}


async def connect(host: BasicHost, victim: Network) -> Yamux:
    await host.connect(info_from_p2p_addr(Multiaddr(victim.addresses[0])))
    (connection,) = host.get_network().get_connections(ID(peer_id_bytes(victim.node_id)))
    muxer = connection.muxed_conn
    assert isinstance(muxer, Yamux)
    return muxer


async def stream_id(host: BasicHost, victim: Network) -> int:
    stream = await host.new_stream(ID(peer_id_bytes(victim.node_id)), [TProtocol(PROTOCOL)])
    return int(stream.muxed_stream.stream_id)  # type: ignore[attr-defined]


async def push(muxer: Yamux, frame: bytes, times: int) -> int:
    """Send a frame again and again until cut off, and return how often it went."""
    for count in range(times):
        if muxer.event_shutting_down.is_set():
            return count
        try:
            await muxer._write_frame(frame)
        except Exception:  # noqa: BLE001 - py-libp2p raises many types when cut off
            return count
    return times


async def assert_put_out(host: BasicHost, muxer: Yamux, victim: Network) -> None:
    """The connection was closed by the other end, and another one is not accepted."""
    with trio.fail_after(5):
        await muxer.event_closed.wait()
    await trio.sleep(1)
    assert not victim.peers
    with trio.move_on_after(5):
        try:
            await connect(host, victim)
        except Exception:  # noqa: BLE001 - py-libp2p raises many types
            return
    await trio.sleep(1)
    assert not victim.peers


def data_frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(YAMUX_HEADER_FORMAT, 0, DATA, 0, stream, len(payload)) + payload


def resident_bytes() -> int:
    return 4096 * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


async def test_t_yamux_overrun_costs_the_connection_and_not_our_memory(
    loopback_clock: MockClock,
) -> None:
    async with open_victim() as victim, open_attacker() as host:
        muxer = await connect(host, victim)
        frame = data_frame(await stream_id(host, victim), bytes(60 * KIB))
        before = resident_bytes()
        count = await push(muxer, frame, 320 * MIB // len(frame))
        assert count * len(frame) < 16 * MIB  # the rest was never read
        assert resident_bytes() - before <= 16 * MIB
        await assert_put_out(host, muxer, victim)


async def test_t_frame_limits_a_huge_muxer_frame_is_refused_on_its_header(
    loopback_clock: MockClock,
) -> None:
    async with open_victim() as victim, open_attacker() as host:
        muxer = await connect(host, victim)
        stream = await stream_id(host, victim)
        await muxer._write_frame(struct.pack(YAMUX_HEADER_FORMAT, 0, DATA, 0, stream, MIB))
        await assert_put_out(host, muxer, victim)


async def test_streams_without_end_cost_the_connection(loopback_clock: MockClock) -> None:
    async with open_victim() as victim, open_attacker() as host:
        muxer = await connect(host, victim)
        for number in range(1001, 41001, 2):
            frame = struct.pack(YAMUX_HEADER_FORMAT, 0, WINDOW_UPDATE, SYN, number, 0)
            if not await push(muxer, frame, 1):
                break
        await assert_put_out(host, muxer, victim)


async def test_streams_beyond_the_limit_are_refused(loopback_clock: MockClock) -> None:
    async with open_victim(NetLimits(max_streams_per_peer=3)) as victim, open_attacker() as host:
        await connect(host, victim)
        for _ in range(3):
            await stream_id(host, victim)
        with pytest.raises(Exception, match="stream"):
            await stream_id(host, victim)
        assert victim.peers  # a mistake, not an attack


@pytest.mark.parametrize(
    ("make_pair", "options"),
    [
        (new_ed25519, lambda pair: {"sec_opt": plaintext(pair)}),
        (new_ed25519, lambda pair: {"sec_opt": secio(pair)}),
        (new_ed25519, lambda pair: {"sec_opt": tls(pair)}),
        (new_ed25519, lambda pair: {"muxer_opt": {"/mplex/6.7.0": _mplex()}}),
        (partial(new_rsa, 2048), lambda pair: {}),
        (new_secp256k1, lambda pair: {}),
    ],
    ids=["plaintext", "secio", "tls", "mplex", "rsa", "secp256k1"],
)
async def test_t_keytypes_only_noise_yamux_and_ed25519(
    make_pair: Callable[[], KeyPair],
    options: Callable[[KeyPair], dict[str, Any]],
    loopback_clock: MockClock,
) -> None:
    pair = make_pair()
    async with open_victim() as victim, open_attacker(pair, **options(pair)) as host:
        with trio.move_on_after(3), contextlib.suppress(Exception):
            await connect(host, victim)
        await trio.sleep(0.5)
        assert not victim.peers


def _mplex() -> Any:
    return create_mplex_muxer_option()[TProtocol("/mplex/6.7.0")]


async def test_connections_per_peer_are_limited(loopback_clock: MockClock) -> None:
    pair = new_ed25519()
    limit = NetLimits().max_connections_per_peer
    async with open_victim() as victim, contextlib.AsyncExitStack() as stack:
        for count in range(limit + 2):
            host = await stack.enter_async_context(open_attacker(pair))
            if count < limit:
                await connect(host, victim)
            else:
                with pytest.raises(Exception):  # noqa: B017, PT011 - many types
                    await connect(host, victim)


async def knock(victim: Network) -> trio.SocketStream:
    _, _, host, _, port, *_ = victim.addresses[0].split("/")
    return await trio.open_tcp_stream(host, int(port))


async def still_open(streams: list[trio.SocketStream]) -> int:
    """Count the sockets that the other end has not closed."""
    closed = 0

    async def read_to_the_end(stream: trio.SocketStream) -> None:
        nonlocal closed
        with contextlib.suppress(trio.BrokenResourceError):
            while await stream.receive_some(4096):
                pass
        closed += 1

    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(read_to_the_end, stream)
    return len(streams) - closed


async def test_t_flood_strangers_wait_in_a_short_queue_and_not_for_long(
    loopback_clock: MockClock,
) -> None:
    async with open_victim() as victim, open_honest() as honest:
        await honest.connect(victim.addresses[0])
        flood = [await knock(victim) for _ in range(300)]
        assert await still_open(flood) == NetLimits().max_pending_handshakes
        with trio.fail_after(2):  # whoever is in is served as ever
            stream = await honest.open_stream(victim.node_id, PROTOCOL)
        stream.reset()
        await trio.sleep(NetLimits().handshake_deadline_s)
        assert await still_open(flood) == 0
        async with open_attacker() as newcomer:
            await connect(newcomer, victim)
        for socket in flood:
            await socket.aclose()


async def test_one_subnet_holds_only_so_many_connections(loopback_clock: MockClock) -> None:
    limits = NetLimits(max_inbound_loopback=3)
    async with open_victim(limits) as victim:
        strangers = [await knock(victim) for _ in range(5)]
        assert await still_open(strangers) == 3
        await strangers[0].aclose()
        await trio.sleep(0.2)
        strangers.append(await knock(victim))
        assert await still_open(strangers[1:]) == 3
        for socket in strangers:
            await socket.aclose()
