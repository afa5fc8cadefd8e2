"""Seal and open: the segments of a file, and small things (headers, names, folder entries).

Every nonce is synthetic: a keyed hash of what is sealed and where it belongs. Two different
plaintexts therefore never share a nonce, whatever happens to files, clocks and snapshots between
two attempts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from blake3 import blake3

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import xchacha
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.xchacha import NONCE_BYTES, TAG_BYTES, Buffer
from bitcloud_net.core.keys import KEY_BYTES, derive
from bitcloud_net.core.units import SEGMENT_BYTES

SEAL_BYTES: Final = NONCE_BYTES + TAG_BYTES
"""What sealing adds to a segment or a small thing: the nonce in front, the tag behind."""
UPLOAD_ID_BYTES: Final = 16
ALGORITHM: Final = 1
"""XChaCha20-Poly1305, BLAKE3, zfec: the only suite so far. Another number is refused, never
guessed.
"""

_SEGMENT_AAD: Final = struct.Struct(">4sBBBBIQB")
_NONCE_HEAD: Final = struct.Struct(">QB")
_INDEX: Final = struct.Struct(">Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKeys:
    """Everything that derives from one file secret. All but ``salt`` and ``upload_id`` are secret;
    ``commit`` is published in the manifest."""

    content: bytes = field(repr=False)
    header: bytes = field(repr=False)
    commit: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    salt: bytes
    upload_id: bytes

    @classmethod
    def from_secret(cls, fs: bytes) -> FileKeys:
        """Return the keys of the file secret ``fs`` (32 bytes).

        Raises:
            Malformed: the secret is not 32 bytes.
        """
        if len(fs) != KEY_BYTES:
            raise Malformed(f"a file secret has {KEY_BYTES} bytes")
        return cls(
            content=derive(fs, "content"),
            header=derive(fs, "header"),
            commit=derive(fs, "commit"),
            nonce=derive(fs, "nonce"),
            salt=derive(fs, "salt"),
            upload_id=derive(fs, "upload")[:UPLOAD_ID_BYTES],
        )


def seal_segment(
    keys: FileKeys, plain: Buffer, *, index: int, last: bool, params: CodeParams
) -> bytes:
    """Return the sealed segment: nonce, ciphertext and tag, ``SEAL_BYTES`` longer than ``plain``.

    ``plain`` has 1 to ``SEGMENT_BYTES`` bytes of the padded content; ``last`` says that no segment
    follows.

    Raises:
        Malformed: ``plain`` has a wrong length.
    """
    out = bytearray(len(plain) + SEAL_BYTES)
    seal_segment_into(keys, plain, out, index=index, last=last, params=params)
    return bytes(out)


def seal_segment_into(
    keys: FileKeys,
    plain: Buffer,
    out: bytearray | memoryview,
    *,
    index: int,
    last: bool,
    params: CodeParams,
) -> None:
    """Write the sealed segment to ``out``, which has exactly ``SEAL_BYTES`` bytes more than
    ``plain``.
    """
    if not 1 <= len(plain) <= SEGMENT_BYTES:
        raise Malformed(f"a segment has 1 to {SEGMENT_BYTES} bytes, not {len(plain)}")
    nonce = segment_nonce(keys, plain, index=index, last=last)
    view = memoryview(out)
    view[:NONCE_BYTES] = nonce
    aad = _segment_aad(params, index, last=last)
    xchacha.encrypt_into(keys.content, nonce, plain, aad, view[NONCE_BYTES:])


def segment_nonce(keys: FileKeys, plain: Buffer, *, index: int, last: bool) -> bytes:
    """Return the 24 bytes that a sealed segment begins with: a keyed hash of what is sealed.

    Comparing it tells whether a segment would seal to the same bytes as before, without sealing.
    """
    hasher = blake3(_NONCE_HEAD.pack(index, last), key=keys.nonce)
    return hasher.update(plain).digest()[:NONCE_BYTES]


def open_segment(
    keys: FileKeys, sealed: Buffer, *, index: int, last: bool, params: CodeParams
) -> bytes:
    """Return the plaintext of a sealed segment, still with the file's padding.

    Raises:
        Malformed: ``bad-seal``: altered, of another file, at another place, or coded otherwise.
    """
    if not SEAL_BYTES < len(sealed) <= SEGMENT_BYTES + SEAL_BYTES:
        raise Malformed("sealed segment of a wrong length", code="bad-seal")
    view = memoryview(sealed)
    nonce = bytes(view[:NONCE_BYTES])
    aad = _segment_aad(params, index, last=last)
    return xchacha.decrypt(keys.content, nonce, view[NONCE_BYTES:], aad)


def segment_hash(salt: bytes, index: int, sealed: Buffer) -> bytes:
    """Return the hash of one sealed segment, a leaf of the ciphertext tree."""
    hasher = blake3(salt + _INDEX.pack(index), derive_key_context="bitcloud v1 segment")
    return hasher.update(sealed).digest()


def seal_box(key: bytes, plain: bytes, label: str) -> bytes:
    """Return ``plain`` sealed with ``key`` (32 bytes) for the purpose ``label`` (ASCII, 1 to 64).

    Equal plaintexts under one key and label give equal boxes; put a random part inside where
    that must not show.
    """
    nonce = blake3(_label(label) + plain, key=derive(key, "box nonce")).digest()[:NONCE_BYTES]
    return nonce + xchacha.encrypt(derive(key, "box seal"), nonce, plain, _box_aad(label))


def open_box(key: bytes, sealed: Buffer, label: str) -> bytes:
    """Return what was sealed by ``seal_box`` with the same key and label.

    Raises:
        Malformed: ``bad-seal``: altered, or another key or label.
    """
    if len(sealed) < SEAL_BYTES:
        raise Malformed("sealed box is too short", code="bad-seal")
    view = memoryview(sealed)
    nonce = bytes(view[:NONCE_BYTES])
    return xchacha.decrypt(derive(key, "box seal"), nonce, view[NONCE_BYTES:], _box_aad(label))


def _segment_aad(params: CodeParams, index: int, *, last: bool) -> bytes:
    return _SEGMENT_AAD.pack(b"BCSG", 1, ALGORITHM, params.k, params.n, SEGMENT_BYTES, index, last)


def _box_aad(label: str) -> bytes:
    return b"BCBX\x01" + bytes([ALGORITHM]) + _label(label)


def _label(label: str) -> bytes:
    raw = label.encode("ascii")
    if not 1 <= len(raw) <= 64:
        raise ValueError("a box label has 1 to 64 ASCII characters")
    return bytes([len(raw)]) + raw
