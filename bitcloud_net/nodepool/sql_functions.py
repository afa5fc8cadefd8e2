"""Functions that SQL can call: the same in the console and in the checks of applications."""

from __future__ import annotations

from blake3 import blake3

from bitcloud_net.core import keys
from bitcloud_net.core.errors import Malformed


def blake3_sql(data: object) -> bytes | None:
    """Return the hash of text or a blob; NULL for anything else."""
    raw = data.encode() if isinstance(data, str) else data
    return blake3(raw).digest() if isinstance(raw, bytes) else None


def verify_sig_sql(public: object, kind: object, message: object, signature: object) -> int:
    """Return 1 when ``signature`` is that of ``public`` over ``message`` in the domain ``kind``."""
    if not isinstance(public, bytes) or not isinstance(message, bytes):
        return 0
    if not isinstance(signature, bytes) or not isinstance(kind, str) or not kind.isascii():
        return 0
    try:
        keys.verify(public, kind, message, signature)
    except Malformed:
        return 0
    return 1
