"""Mandates: how a machine proves that it acts for a person's key.

A connection proves the key of a node. Rows for the eyes of a user, a publisher or a grid owner name
*their* key, which is another one. So the machine shows a signature of that key over::

    node (32 bytes) || peer (32) || period (8, big endian)        kind "mandate"

for whom, to whom, and when. It is worth nothing on another connection: whoever hears it can neither
show it as its own (it is no other node) nor to others (they are no other peer), and it ends with
its period.
"""

from __future__ import annotations

from dataclasses import dataclass

from bitcloud_net.core import keys
from bitcloud_net.core.keys import NodeId, PublicKey, SigningKey

MAX_MANDATES = 8
"""Keys that one machine shows to one peer; each costs the peer one check of a signature."""
GRACE_PERIODS = 1
"""A mandate's period may differ from the receiver's so far: clocks differ, and sessions last."""

_KIND = "mandate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """One key, and its signature; whether that holds is known after ``check``."""

    key: PublicKey
    signature: bytes


def give(key: SigningKey, *, node: NodeId, peer: NodeId, period: int) -> Mandate:
    """Let ``node`` act for ``key`` towards ``peer`` in ``period``."""
    signature = key.sign(_KIND, _message(node, peer, period))
    return Mandate(key=key.public, signature=signature)


def check(mandate: Mandate, *, node: NodeId, peer: NodeId, period: int) -> None:
    """Return when ``node`` acts for the mandate's key towards ``peer`` in ``period``.

    Raises:
        Malformed: ``bad-signature``.
    """
    keys.verify(mandate.key, _KIND, _message(node, peer, period), mandate.signature)


def _message(node: NodeId, peer: NodeId, period: int) -> bytes:
    return node + peer + period.to_bytes(8, "big")
