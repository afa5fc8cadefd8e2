"""What only the real network has: ports, sockets, imports."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, LocalFault, Unavailable
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.units import KIB
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.network import Network, PeerChange, ProtocolId, Stream

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
ECHO = ProtocolId("/check/echo/1")
SWALLOW = ProtocolId("/check/swallow/1")
ANNA, BERT = SigningKey(b"a" * 32), SigningKey(b"b" * 32)


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)
    await stream.close_write()


async def test_a_taken_port_is_said_at_once(loopback_clock: MockClock) -> None:
    async with open_libp2p_network(ANNA, listen=[LOOPBACK]) as anna:
        taken = anna.addresses[0].partition("/p2p/")[0]
        with pytest.raises(LocalFault) as caught:
            async with open_libp2p_network(BERT, listen=[taken]):
                pass
    assert caught.value.code == "port-taken"


@pytest.mark.parametrize("address", ["", "localhost:4001", "/ip4/127.0.0.1/udp/1", "/ip4/x/tcp/1"])
async def test_only_tcp_over_ip_can_be_listened_on(address: str, loopback_clock: MockClock) -> None:
    with pytest.raises(BadInput):
        async with open_libp2p_network(ANNA, listen=[address]):
            pass


async def test_an_address_of_another_machine_is_a_local_fault(loopback_clock: MockClock) -> None:
    with pytest.raises(LocalFault) as caught:
        async with open_libp2p_network(ANNA, listen=["/ip4/203.0.113.1/tcp/0"]):
            pass
    assert caught.value.code == "cannot-listen"


async def test_a_wildcard_is_announced_as_real_addresses(loopback_clock: MockClock) -> None:
    async with (
        open_libp2p_network(ANNA) as anna,
        open_libp2p_network(BERT, listen=["/ip4/0.0.0.0/tcp/0"]) as bert,
    ):
        assert anna.addresses == ()
        assert not any("0.0.0.0" in address for address in bert.addresses)
        for address in bert.addresses:
            assert await anna.connect(address) == bert.node_id


async def test_a_cancelled_host_says_goodbye(loopback_clock: MockClock) -> None:
    news: list[PeerChange] = []
    async with open_libp2p_network(ANNA, listen=[LOOPBACK]) as anna:
        anna.watch(news.append)

        async def live_shortly() -> None:
            async with open_libp2p_network(BERT) as bert:
                await bert.connect(anna.addresses[0])
                await trio.sleep_forever()

        with trio.move_on_after(1):
            await live_shortly()
        await trio.sleep(1)
        assert len(news) == 2
        assert not anna.peers


async def test_t_dialfilter_told_private_addresses_are_not_dialled(
    loopback_clock: MockClock,
) -> None:
    public = NetLimits(lan=False)
    async with (
        open_libp2p_network(ANNA, limits=public) as anna,
        open_libp2p_network(BERT, listen=[LOOPBACK]) as bert,
    ):
        bert.serve(ECHO, echo)
        anna.learn(bert.node_id, bert.addresses)
        with pytest.raises(Unavailable, match="no address"):
            await anna.open_stream(bert.node_id, ECHO)
        assert await anna.connect(bert.addresses[0]) == bert.node_id  # our own user may


async def test_a_dead_address_does_not_hold_up_a_good_one() -> None:
    """A socket that accepts and says nothing, then the right one; in real time."""
    async with (
        open_libp2p_network(ANNA) as anna,
        open_libp2p_network(BERT, listen=[LOOPBACK]) as bert,
    ):
        (silent,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = silent.socket.getsockname()[1]
        dead = bert.addresses[0].replace(bert.addresses[0].split("/")[4], str(port))
        anna.learn(bert.node_id, (dead, *bert.addresses))
        with trio.fail_after(5):
            await anna.reach(bert.node_id)
        await silent.aclose()


async def test_what_is_remembered_of_peers_is_bounded(loopback_clock: MockClock) -> None:
    few = NetLimits(max_known_peers=2, max_addresses_per_peer=1)
    async with (
        open_libp2p_network(ANNA, limits=few) as anna,
        open_libp2p_network(BERT, listen=[LOOPBACK]) as bert,
    ):
        bert.serve(ECHO, echo)
        anna.learn(bert.node_id, bert.addresses)
        for number in range(2):
            anna.learn(SigningKey(bytes([number]) * 32).node_id, ())
        with pytest.raises(Unavailable):
            await anna.open_stream(bert.node_id, ECHO)


async def swallow(stream: Stream) -> None:
    while await stream.receive():
        pass


async def be_cancelled(random: Random, anna: Network, bert: Network) -> None:
    for _ in range(25):
        stream = await anna.open_stream(bert.node_id, SWALLOW)
        with trio.move_on_after(random.random() * 0.005):
            await send_without_end(stream)
        with trio.move_on_after(random.random() * 0.001):
            (await anna.open_stream(bert.node_id, ECHO)).reset()


async def carry(random: Random, anna: Network, bert: Network) -> None:
    stream = await anna.open_stream(bert.node_id, ECHO)
    for _ in range(200):
        sent, received = random.randbytes(20 * KIB), b""
        await stream.send(sent)
        while len(received) < len(sent):
            received += await stream.receive()
        assert received == sent
    stream.reset()


async def test_a_cancel_storm_leaves_the_other_streams_byte_exact(
    loopback_clock: MockClock,
) -> None:
    """About 1,000 cancels over 20 streams, while 4 more carry data that is compared."""
    random = Random(5)
    async with (
        open_libp2p_network(ANNA) as anna,
        open_libp2p_network(BERT, listen=[LOOPBACK]) as bert,
    ):
        bert.serve(ECHO, echo)
        bert.serve(SWALLOW, swallow)
        anna.learn(bert.node_id, bert.addresses)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(be_cancelled, random, anna, bert)
            for _ in range(4):
                nursery.start_soon(carry, random, anna, bert)


async def send_without_end(stream: Stream) -> None:
    while True:
        await stream.send(bytes(100 * KIB))


def test_libp2p_is_imported_when_a_host_is_opened_and_not_before() -> None:
    program = (
        "import sys; from bitcloud_net.net import libp2p_host; assert 'libp2p' not in sys.modules;"
        "libp2p_host.preload(); assert 'libp2p' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
