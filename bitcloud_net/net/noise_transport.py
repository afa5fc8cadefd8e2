"""Our Noise where py-libp2p selects its security: the handshake over a raw connection, then
records.

The muxer above takes whole batches of records (``send_pieces``, ``receive_records``). ``read``
and ``write`` exist for the negotiation of the muxer, which happens in between.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import trio
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from libp2p.abc import IRawConnection, ISecureConn, ISecureTransport
from libp2p.connection_types import ConnectionType
from libp2p.crypto.ed25519 import Ed25519PublicKey
from libp2p.crypto.keys import KeyPair, PrivateKey, PublicKey
from libp2p.io.exceptions import IOException
from libp2p.peer.id import ID
from libp2p.security.exceptions import HandshakeFailure
from multiaddr import Multiaddr

from bitcloud_net.core.errors import Malformed, Refused
from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.units import KIB
from bitcloud_net.net.peer_id import peer_id_bytes
from bitcloud_net.wire.multistream import Agreement, opening
from bitcloud_net.wire.noise_handshake import HandshakeResult, NoiseHandshake
from bitcloud_net.wire.noise_payload import pack_payload, to_sign
from bitcloud_net.wire.noise_records import Piece, RecordOpener, RecordSealer

READ_BYTES = 256 * KIB
"""Read from the socket at once: four full records, so that a task switch pays for four."""

HANDSHAKE_READ_BYTES = 4 * KIB
"""A stranger's bytes are taken in small pieces."""


class NoiseTransport(ISecureTransport):
    """Secures connections as one identity. The static Noise key lives as long as this object."""

    def __init__(self, pair: KeyPair) -> None:
        self._pair = pair
        self._static = os.urandom(KEY_BYTES)
        public = X25519PrivateKey.from_private_bytes(self._static).public_key().public_bytes_raw()
        signature = pair.private_key.sign(to_sign(public))
        self._payload = pack_payload(pair.public_key.to_bytes(), signature)

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        """Answer a handshake. Cancel: the connection is of no use any more.

        Raises:
            HandshakeFailure: the peer does not follow it, or has no Ed25519 identity.
        """
        return await self._shake_hands(conn, dialled=False)

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        """Begin a handshake. Who answered is ``get_remote_peer()``; the caller compares."""
        return await self._shake_hands(conn, dialled=True)

    async def begin_at_once(self, conn: IRawConnection, protocol: str) -> NoiseConnection:
        """Ask for Noise by its ``protocol`` name and begin the handshake in the same packet.

        Raises:
            HandshakeFailure: as above, or the peer does not speak Noise.
        """
        return await self._shake_hands(conn, dialled=True, ask=protocol)

    async def _shake_hands(
        self, conn: IRawConnection, *, dialled: bool, ask: str | None = None
    ) -> NoiseConnection:
        handshake = NoiseHandshake(
            dialled=dialled,
            static=self._static,
            ephemeral=os.urandom(KEY_BYTES),
            payload=self._payload,
        )
        wish = b"" if ask is None else opening(ask)
        agreement = None if ask is None else Agreement(ask)
        data = b""
        try:
            while True:
                if answer := handshake.receive(data):
                    await conn.write(wish + answer)
                    wish = b""
                if (result := handshake.result) is not None:
                    return NoiseConnection(conn, self._pair, result, dialled=dialled)
                if not (data := await conn.read(HANDSHAKE_READ_BYTES)):
                    raise HandshakeFailure("the peer hung up during the handshake")
                if agreement is not None:
                    data = agreement.receive(data)
        except (Malformed, Refused, IOException, OSError) as error:
            raise HandshakeFailure(str(error)) from error


class NoiseConnection(ISecureConn):
    """A connection to a proven peer. One task may send while another receives."""

    negotiated_security_protocol: str | None = None  # libp2p notes it here

    def __init__(
        self, raw: IRawConnection, pair: KeyPair, result: HandshakeResult, *, dialled: bool
    ) -> None:
        self.is_initiator = dialled
        self._raw = raw
        self._pair = pair
        self._peer = result.peer
        self._sealer = RecordSealer(result.send_key)
        self._opener = RecordOpener(result.receive_key)
        self._early = result.rest  # records that came with the end of the handshake
        self._unread = b""

    # For the muxer: many records in one call

    async def send_pieces(self, pieces: Sequence[Piece]) -> None:
        """Send the pieces as full records. They may change once this has begun to wait.

        Cancel: half a record may be out, so the connection must be closed.

        Raises:
            IOException, OSError: the connection broke.
            Malformed: it has used up its nonces.
        """
        await self._raw.write(self._sealer.seal(pieces))  # type: ignore[arg-type] # any buffer

    async def receive_records(self) -> list[bytes]:
        """Return the plaintext of at least one record, or nothing at the end. Cancel: safe.

        Raises:
            IOException, OSError: the connection broke.
            Malformed: a record is not genuine; the connection must be closed.
        """
        if self._unread:
            records, self._unread = [self._unread], b""
            return records
        while True:
            data, self._early = self._early or await self._raw.read(READ_BYTES), b""
            records = self._opener.open(data)
            if records or not data:
                return records

    async def wait_until_sent(self) -> None:
        """Wait until the kernel has little left to send, where it can tell.

        With TCP_NOTSENT_LOWAT (``tuned_tcp``) "writable" means exactly that, on Linux and macOS.
        What is said next then goes ahead of megabytes that would otherwise lie in the kernel.
        """
        stream = getattr(getattr(self._raw, "stream", None), "stream", None)
        if isinstance(stream, trio.SocketStream):
            await trio.lowlevel.wait_writable(stream.socket.fileno())

    # For the negotiation of the muxer

    async def read(self, n: int | None = None) -> bytes:
        """Return 1 to ``n`` bytes, or ``b""`` at the end."""
        while not self._unread:
            records = await self.receive_records()
            if not records:
                return b""
            self._unread = b"".join(records)
        data = self._unread[:n]
        self._unread = self._unread[len(data) :]
        return data

    async def write(self, data: bytes) -> None:
        """Send ``data``."""
        await self.send_pieces([data])

    async def close(self) -> None:
        """Close the connection below."""
        await self._raw.close()

    # What libp2p wants to know

    def get_local_peer(self) -> ID:
        """Our peer id."""
        return ID.from_pubkey(self._pair.public_key)

    def get_local_private_key(self) -> PrivateKey:
        """Our identity."""
        return self._pair.private_key

    def get_remote_peer(self) -> ID:
        """The proven peer id of the other end."""
        return ID(peer_id_bytes(self._peer))

    def get_remote_public_key(self) -> PublicKey:
        """The proven identity of the other end."""
        return Ed25519PublicKey.from_bytes(self._peer)

    def get_remote_address(self) -> tuple[str, int] | None:
        """Where the other end is, if that is known."""
        return self._raw.get_remote_address()

    def get_transport_addresses(self) -> list[Multiaddr]:
        """The same as multiaddrs."""
        return self._raw.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        """Direct or relayed."""
        return self._raw.get_connection_type()
