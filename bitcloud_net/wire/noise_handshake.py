"""libp2p's Noise handshake as a machine: bytes in, bytes out, in the end keys and an identity.

::

    dialler                                   listener
    SEND_KEY        ── e ──────────────────▶  AWAIT_KEY
    AWAIT_PROOF     ◀── e, ee, s, es, proof   SEND_PROOF
    SEND_PROOF      ── s, se, proof ───────▶  AWAIT_PROOF
    DONE                                      DONE

Every message is preceded by its length in two bytes, big endian. The caller sets the deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId
from bitcloud_net.wire.noise_payload import check_payload
from bitcloud_net.wire.noise_xx import NoiseXX

MAX_HANDSHAKE_MESSAGE_BYTES = 4096
"""Ours are 32, 200 and 168 bytes. A stranger makes us hold no more than this."""


class HandshakeState(Enum):
    """What happens next."""

    SEND_KEY = auto()
    AWAIT_KEY = auto()
    SEND_PROOF = auto()
    AWAIT_PROOF = auto()
    DONE = auto()
    FAILED = auto()


DIALLER = {
    HandshakeState.SEND_KEY: HandshakeState.AWAIT_PROOF,
    HandshakeState.AWAIT_PROOF: HandshakeState.SEND_PROOF,
    HandshakeState.SEND_PROOF: HandshakeState.DONE,
}
LISTENER = {
    HandshakeState.AWAIT_KEY: HandshakeState.SEND_PROOF,
    HandshakeState.SEND_PROOF: HandshakeState.AWAIT_PROOF,
    HandshakeState.AWAIT_PROOF: HandshakeState.DONE,
}

_SENDING = {HandshakeState.SEND_KEY, HandshakeState.SEND_PROOF}


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeResult:
    """What a handshake yields. ``rest`` are bytes that already belong to the first record."""

    peer: NodeId
    send_key: bytes
    receive_key: bytes
    rest: bytes


class NoiseHandshake:
    """One side of one connection's handshake."""

    __slots__ = ("_buffer", "_next_state", "_noise", "_payload", "_peer", "_result", "state")

    def __init__(self, *, dialled: bool, static: bytes, ephemeral: bytes, payload: bytes) -> None:
        """``payload`` vouches for ``static``; ``ephemeral`` is 32 fresh random bytes."""
        self._noise = NoiseXX(dialled=dialled, static=static, ephemeral=ephemeral)
        self._next_state = DIALLER if dialled else LISTENER
        self._payload = payload
        self._buffer = bytearray()
        self._peer: NodeId | None = None
        self._result: HandshakeResult | None = None
        self.state = HandshakeState.SEND_KEY if dialled else HandshakeState.AWAIT_KEY

    @property
    def result(self) -> HandshakeResult | None:
        """The keys and the peer, once the handshake is done."""
        return self._result

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the peer in, any number of them, and return what to send now, perhaps
        nothing.

        The dialling side begins by calling it with nothing.

        Raises:
            Malformed: the peer does not follow the handshake or does not own its identity. The
                connection is of no use any more; every further call raises too.
        """
        if self.state is HandshakeState.FAILED:
            raise Malformed("the handshake has failed")
        self._buffer += data
        try:
            return self._run()
        except Malformed:
            self.state = HandshakeState.FAILED
            raise

    def _run(self) -> bytes:
        out = bytearray()
        while self.state is not HandshakeState.DONE:
            if self.state in _SENDING:
                out += self._write()
            elif (message := self._take_message()) is None:
                break
            else:
                self._read(message)
            self.state = self._next_state[self.state]
        if self.state is HandshakeState.DONE and self._result is None:
            self._finish()
        return bytes(out)

    def _write(self) -> bytes:
        payload = self._payload if self.state is HandshakeState.SEND_PROOF else b""
        message = self._noise.write_message(payload)
        return len(message).to_bytes(2, "big") + message

    def _read(self, message: bytes) -> None:
        payload = self._noise.read_message(message)
        if self.state is HandshakeState.AWAIT_PROOF:
            self._peer = check_payload(payload, self._noise.peer_static)

    def _take_message(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        size = int.from_bytes(self._buffer[:2], "big")
        if size > MAX_HANDSHAKE_MESSAGE_BYTES:
            raise Malformed(f"handshake message of {size} bytes")
        if len(self._buffer) < 2 + size:
            return None
        message = bytes(self._buffer[2 : 2 + size])
        del self._buffer[: 2 + size]
        return message

    def _finish(self) -> None:
        assert self._peer is not None  # DONE comes after AWAIT_PROOF only
        send_key, receive_key = self._noise.split()
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._result = HandshakeResult(
            peer=self._peer, send_key=send_key, receive_key=receive_key, rest=rest
        )
