"""Noise transport records: the encrypted form of everything after the handshake.

A record is a length of two bytes, big endian, then that many bytes of ChaCha20-Poly1305: at most
65,519 bytes of plaintext and a tag of 16. Both classes work on as many records as there are in
one call; a task switch or a system call per record would cost more than its encryption.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bitcloud_net.core.errors import Malformed

Piece: TypeAlias = bytes | bytearray | memoryview

LENGTH_BYTES = 2
TAG_BYTES = 16
MAX_RECORD_BYTES = 65_535
"""What the length field can count."""
MAX_PLAINTEXT_BYTES = MAX_RECORD_BYTES - TAG_BYTES
"""65,519: what one record can carry."""
LAST_NONCE = 2**64 - 2
"""The last one Noise allows (section 5.1). libp2p has no rekeying, so the connection ends there:
after a zettabyte, but it ends, and never repeats a nonce."""

_OVERHEAD_BYTES = LENGTH_BYTES + TAG_BYTES
_nonce = struct.Struct("<4xQ").pack
_put_length = struct.Struct(">H").pack_into


class RecordSealer:
    """Encrypts one direction of one connection."""

    __slots__ = ("_cipher", "_nonce")

    def __init__(self, key: bytes, *, first_nonce: int = 0) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._nonce = first_nonce

    def seal(self, pieces: Sequence[Piece]) -> bytearray:
        """Return the pieces, one after the other, as records; all are full but the last.

        The pieces are copied once and may change as soon as this returns.

        Raises:
            Malformed: the nonces of this connection are used up (code ``nonces-used-up``).
        """
        plain = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        count = -(-len(plain) // MAX_PLAINTEXT_BYTES)
        if self._nonce + count - 1 > LAST_NONCE:
            raise Malformed("this connection is too old to go on", code="nonces-used-up")
        out = bytearray(len(plain) + count * _OVERHEAD_BYTES)
        view = memoryview(out)
        at = 0
        for start in range(0, len(plain), MAX_PLAINTEXT_BYTES):
            part = plain[start : start + MAX_PLAINTEXT_BYTES]
            size = len(part) + TAG_BYTES
            _put_length(out, at, size)
            at += LENGTH_BYTES
            self._cipher.encrypt_into(_nonce(self._nonce), part, None, view[at : at + size])
            self._nonce += 1
            at += size
        return out


class RecordOpener:
    """Decrypts the other direction. Holds at most one unfinished record between calls."""

    __slots__ = ("_cipher", "_error", "_nonce", "_unfinished")

    def __init__(self, key: bytes, *, first_nonce: int = 0) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._nonce = first_nonce
        self._unfinished = bytearray()
        self._error: Malformed | None = None

    def open(self, data: Piece) -> list[bytes]:
        """Return the plaintext of every record that ``data`` completes, in order.

        Raises:
            Malformed: a record fails its check. The connection has no meaning any more, and every
                further call raises it again.
        """
        if self._error is not None:
            raise self._error
        opened: list[bytes] = []
        try:
            view = memoryview(data)
            if self._unfinished:
                view = self._finish_record(view, opened)
            at = 0
            while len(view) - at >= LENGTH_BYTES:
                end = at + LENGTH_BYTES + (view[at] << 8 | view[at + 1])
                if end > len(view):
                    break
                opened.append(self._open(view[at + LENGTH_BYTES : end]))
                at = end
            self._unfinished += view[at:]
        except Malformed as error:
            self._error = error
            raise
        return opened

    def _finish_record(self, view: memoryview, opened: list[bytes]) -> memoryview:
        """Complete the record begun in an earlier call, copying no more than that record."""
        if len(self._unfinished) < LENGTH_BYTES:  # one byte of the length was there
            self._unfinished += view[:1]
            view = view[1:]
        if len(self._unfinished) < LENGTH_BYTES:
            return view
        size = LENGTH_BYTES + (self._unfinished[0] << 8 | self._unfinished[1])
        missing = size - len(self._unfinished)
        self._unfinished += view[:missing]
        view = view[missing:]
        if len(self._unfinished) == size:
            record = bytes(self._unfinished)
            self._unfinished.clear()
            opened.append(self._open(memoryview(record)[LENGTH_BYTES:]))
        return view

    def _open(self, record: memoryview) -> bytes:
        if self._nonce > LAST_NONCE:
            raise Malformed("this connection is too old to go on", code="nonces-used-up")
        try:
            plain = self._cipher.decrypt(_nonce(self._nonce), record, None)
        except InvalidTag as error:
            raise Malformed("record fails its check") from error
        self._nonce += 1
        return plain
