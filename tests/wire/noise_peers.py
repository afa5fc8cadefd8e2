"""Two ends of a Noise connection for the tests: fixed keys, no sockets."""

from __future__ import annotations

import hashlib

import nacl.bindings
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bitcloud_net.wire.noise_handshake import HandshakeResult, NoiseHandshake
from bitcloud_net.wire.noise_payload import pack_payload, to_sign


def secret(name: str) -> bytes:
    """32 bytes that are always the same for one name."""
    return hashlib.sha256(name.encode()).digest()


def static_public(name: str) -> bytes:
    key = X25519PrivateKey.from_private_bytes(secret(f"{name} static"))
    return key.public_key().public_bytes_raw()


def identity(name: str) -> tuple[bytes, bytes]:
    """The Ed25519 public key and libsodium's secret key of a name."""
    return nacl.bindings.crypto_sign_seed_keypair(secret(f"{name} identity"))


def payload_of(name: str) -> bytes:
    public, key = identity(name)
    signature = nacl.bindings.crypto_sign(to_sign(static_public(name)), key)[:64]
    return pack_payload(public, signature)


def handshake(name: str, *, dialled: bool, payload: bytes | None = None) -> NoiseHandshake:
    return NoiseHandshake(
        dialled=dialled,
        static=secret(f"{name} static"),
        ephemeral=secret(f"{name} ephemeral"),
        payload=payload_of(name) if payload is None else payload,
    )


def shake_hands() -> tuple[HandshakeResult, HandshakeResult]:
    """A finished handshake: what the dialler and what the listener got."""
    dialler, listener = handshake("alice", dialled=True), handshake("bob", dialled=False)
    listener.receive(dialler.receive(listener.receive(dialler.receive(b""))))
    assert dialler.result is not None
    assert listener.result is not None
    return dialler.result, listener.result
