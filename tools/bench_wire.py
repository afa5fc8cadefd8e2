"""``tools/bench_wire.py``: one stream between two processes, our layers against py-libp2p's.

Prints one JSON document: for each round trip time, MB/s and CPU seconds (user and system) per GB
of each side, for raw TCP, for py-libp2p's Noise and Yamux (as patched in ``net/stock_layers.py``)
and for ours, all in the same run over the same link; and the ratios. The link is loopback; with a
delay, a relay process in between holds every byte for half the round trip."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Final

import trio

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.libp2p_swarm import Layers
from bitcloud_net.net.network import Network, ProtocolId, Stream

SINK: Final = ProtocolId("/bench/sink/1")
ROUND_TRIPS_MS: Final = (0, 20, 100, 200)
KINDS: Final = ("tcp", "stock", "ours")
WARM_UP_S: Final = 0.5
READ_BYTES: Final = 256 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run of one kind took."""

    mb_per_s: float
    send_cpu_s_per_gb: float
    receive_cpu_s_per_gb: float


def layers(kind: str) -> Layers:
    """Return the layers of a kind."""
    from bitcloud_net.net.fast_layers import fast_layers
    from bitcloud_net.net.stock_layers import stock_layers

    return fast_layers() if kind == "ours" else stock_layers()


def report(received: int, cpu_s: float) -> bytes:
    """Return the receiver's own account, which it sends back at the end."""
    return json.dumps([received, cpu_s]).encode()


# --- the receiving process ---


async def receive_all(receive: Callable[[], Awaitable[bytes]]) -> bytes:
    """Read to the end and return the report."""
    total, before = 0, time.process_time()
    while data := await receive():
        total += len(data)
    return report(total, time.process_time() - before)


async def serve(kind: str) -> None:
    """Be the receiving process; say the address first."""
    if kind == "tcp":
        await serve_tcp()
        return
    async with open_libp2p_network(
        SigningKey(b"s" * 32), listen=["/ip4/127.0.0.1/tcp/0"], layers=layers(kind)
    ) as network:

        async def sink(stream: Stream) -> None:
            await stream.send(await receive_all(stream.receive))
            await stream.close_write()

        network.serve(SINK, sink)
        say(network.addresses[0])
        await trio.sleep_forever()


async def serve_tcp() -> None:
    """The same without any layers."""

    async def sink(stream: trio.SocketStream) -> None:
        await stream.send_all(await receive_all(lambda: stream.receive_some(READ_BYTES)))
        await stream.aclose()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    say(f"/ip4/127.0.0.1/tcp/{listener.socket.getsockname()[1]}/p2p/none")
    await trio.serve_listeners(sink, [listener])


# --- the link ---


async def relay(port: int, round_trip_ms: int) -> None:
    """Pass bytes on to ``port``, each after half of the round trip."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    say(str(listener.socket.getsockname()[1]))

    async def pass_on(near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(delay, near, far, round_trip_ms / 2000)
            nursery.start_soon(delay, far, near, round_trip_ms / 2000)

    await trio.serve_listeners(pass_on, [listener])


async def delay(source: trio.SocketStream, sink: trio.SocketStream, seconds: float) -> None:
    """Pass bytes on, each after so many seconds, holding as many as are on the way."""
    on_the_way: deque[tuple[float, bytes]] = deque()
    news = trio.lowlevel.ParkingLot()

    async def take() -> None:
        data = b"-"
        while data:
            try:
                data = await source.receive_some(READ_BYTES)
            except trio.BrokenResourceError:
                data = b""
            on_the_way.append((trio.current_time() + seconds, data))
            news.unpark_all()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        while True:
            while not on_the_way:
                await news.park()
            due, data = on_the_way.popleft()
            await trio.sleep_until(due)
            if not data:
                break
            await sink.send_all(data)
    with suppress(trio.BrokenResourceError):
        await sink.send_eof()


# --- the sending process, which measures ---


async def send_for(
    seconds: float, send: Callable[[bytes], Awaitable[None]], end: Callable[[], Awaitable[bytes]]
) -> Figures:
    """Send for so many seconds and work out the figures."""
    data = os.urandom(MIB)
    sent, cpu, began = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        await send(data)
        sent += len(data)
    received, receive_cpu = json.loads(await end())
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert received == sent
    return Figures(
        mb_per_s=round(sent / elapsed / 1e6, 1),
        send_cpu_s_per_gb=round(cpu / sent * 1e9, 2),
        receive_cpu_s_per_gb=round(receive_cpu / sent * 1e9, 2),
    )


async def measure_tcp(port: int, seconds: float) -> Figures:
    """Measure raw TCP."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)

    async def end() -> bytes:
        await stream.send_eof()
        return bytes(await stream.receive_some())

    return await send_for(seconds, stream.send_all, end)


async def measure(network: Network, address: str, seconds: float) -> Figures:
    """Measure one stream of a network."""
    peer = await network.connect(address)
    await trio.sleep(WARM_UP_S)  # the first pings
    stream = await network.open_stream(peer, SINK)

    async def end() -> bytes:
        await stream.close_write()
        return await stream.receive()

    return await send_for(seconds, stream.send, end)


async def measure_kind(kind: str, round_trip_ms: int, seconds: float) -> Figures:
    """Start the other processes and measure one kind."""
    async with program("serve", kind) as address:
        before, _, behind = address.partition("/tcp/")
        port, _, peer = behind.partition("/p2p/")
        if not round_trip_ms:
            return await measure_over(kind, f"{before}/tcp/{port}/p2p/{peer}", seconds)
        async with program("relay", port, str(round_trip_ms)) as relayed:
            return await measure_over(kind, f"{before}/tcp/{relayed}/p2p/{peer}", seconds)


async def measure_over(kind: str, address: str, seconds: float) -> Figures:
    """Measure one kind over a link that is ready."""
    if kind == "tcp":
        return await measure_tcp(int(address.split("/")[4]), seconds)
    async with open_libp2p_network(SigningKey(b"c" * 32), layers=layers(kind)) as network:
        return await measure(network, address, seconds)


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[str]:
    """Run this file as another process and give its first line."""
    process = await trio.lowlevel.open_process(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        line += await process.stdout.receive_some()
    try:
        yield line.decode().strip()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def say(line: str) -> None:
    """Print a line for the process that started this one."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def compare(round_trip_ms: int, seconds: float) -> dict[str, object]:
    """Measure every kind over one link and put ours into relation."""
    figures = {}
    for kind in KINDS:
        figures[kind] = trio.run(measure_kind, kind, round_trip_ms, seconds)
        sys.stderr.write(f"{round_trip_ms} ms, {kind}: {figures[kind]}\n")
    ours, stock = figures["ours"], figures["stock"]
    return {
        "round_trip_ms": round_trip_ms,
        **{kind: asdict(each) for kind, each in figures.items()},
        "speed_over_stock": round(ours.mb_per_s / stock.mb_per_s, 2),
        "speed_over_tcp": round(ours.mb_per_s / figures["tcp"].mb_per_s, 2),
        "cpu_of_stock": round(
            (ours.send_cpu_s_per_gb + ours.receive_cpu_s_per_gb)
            / (stock.send_cpu_s_per_gb + stock.receive_cpu_s_per_gb),
            2,
        ),
    }


def main() -> None:
    """Measure, or be one of the other processes."""
    if sys.argv[1:2] == ["serve"]:
        trio.run(serve, sys.argv[2])
    elif sys.argv[1:2] == ["relay"]:
        trio.run(relay, int(sys.argv[2]), int(sys.argv[3]))
    else:
        parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
        parser.add_argument("--seconds", type=float, default=3.0, help="of sending, per figure")
        seconds = parser.parse_args().seconds
        results = [compare(round_trip_ms, seconds) for round_trip_ms in ROUND_TRIPS_MS]
        say(json.dumps({"wire": results}, indent=2))


if __name__ == "__main__":
    main()
