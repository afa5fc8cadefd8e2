"""What all makers of vectors share: fixed secrets, patterned bytes, and small damage."""

from __future__ import annotations

from typing import Any, Final

from blake3 import blake3

from bitcloud_net.core.files.sealing import FileKeys

FS: Final = bytes(range(32))
KEYS: Final = FileKeys.from_secret(FS)

Vector = dict[str, Any]


def pattern(size: int) -> bytes:
    """The plaintext of the vectors: byte ``at`` is ``(at * 167 + at // 251) % 256``."""
    return bytes((at * 167 + at // 251) & 0xFF for at in range(size))


def leaf(number: int) -> bytes:
    """Leaf hashes of the tree vectors: BLAKE3-256 of the number as u64."""
    return blake3(number.to_bytes(8, "big")).digest()


def flip(data: bytes, at: int, mask: int = 1) -> bytes:
    """Return ``data`` with bits of one byte changed."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)
