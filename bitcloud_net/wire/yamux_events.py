"""What a peer can do on a Yamux connection, as told by ``YamuxSession.receive``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bitcloud_net.wire.yamux_stream import MuxStream


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpened:
    """The peer has opened a stream."""

    stream: MuxStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Ponged:
    """The peer has answered our ping."""

    round_trip_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLeaves:
    """The peer will open no more streams and take none; ``reason`` is its number for why."""

    reason: int


Event: TypeAlias = StreamOpened | Ponged | PeerLeaves
