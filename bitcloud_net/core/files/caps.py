"""Caps: text that grants. Who holds a read cap can read the file, who holds a verify cap can check
it.

``bitcloud:1:<kind>:<body>:<checksum>``, lower case, one spelling per cap. The body is base32 (RFC
4648 without padding) of the content id, followed in a read cap by the file secret. The checksum
finds typing mistakes; it is no defence against a liar, the content id is.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

from blake3 import blake3

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.units import HASH_BYTES

MAX_CAP_CHARS: Final = 200
"""Longest cap text: fits a line of a letter, a QR code and every address bar."""

SECRET_BYTES: Final = 32

_PREFIX: Final = "bitcloud"
_VERSION: Final = "1"
_CHECKSUM_CHARS: Final = 4  # 20 bits: one typing mistake in a million goes unseen
_DAMAGED: Final = "this link is damaged: a character is wrong or missing; copy it again as a whole"
_UNKNOWN: Final = (
    "this is not a Bitcloud link that this version knows; a newer Bitcloud may open it"
)


@dataclass(frozen=True, slots=True)
class VerifyCap:
    """The right to fetch, check, audit and repair one file's sealed bytes, not to read them."""

    cid: bytes

    def __post_init__(self) -> None:
        _check_length("content id", self.cid, HASH_BYTES)

    @property
    def text(self) -> str:
        """The one spelling of this cap."""
        return _format("fv", self.cid)


@dataclass(frozen=True, slots=True)
class ReadCap:
    """The right to read one file. ``secret`` is the file secret, which every key derives from."""

    cid: bytes
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_length("content id", self.cid, HASH_BYTES)
        _check_length("file secret", self.secret, SECRET_BYTES)

    @classmethod
    def from_body(cls, body: bytes) -> ReadCap:
        """Return the cap of the 64 bytes that a folder's row holds.

        Raises:
            Malformed: not 64 bytes.
        """
        _check_length("read cap", body, HASH_BYTES + SECRET_BYTES)
        return cls(body[:HASH_BYTES], body[HASH_BYTES:])

    @property
    def body(self) -> bytes:
        """Content id and file secret, 64 bytes, for a folder's row."""
        return self.cid + self.secret

    @property
    def text(self) -> str:
        """The one spelling of this cap. Whoever reads it can read the file."""
        return _format("fr", self.body)

    def diminish(self) -> VerifyCap:
        """Return the weaker cap that can be handed to gateways and auditors."""
        return VerifyCap(self.cid)


def parse_cap(text: str) -> ReadCap | VerifyCap:
    """Return the cap that ``text`` spells.

    Raises:
        BadInput: ``cap-damaged`` when the checksum is wrong, ``cap-unknown`` when it is no cap, or
            of another version or kind.
    """
    kind, body_text = _split(text)
    body = _decode(body_text)
    if kind == "fv" and len(body) == HASH_BYTES:
        return VerifyCap(body)
    if kind == "fr" and len(body) == HASH_BYTES + SECRET_BYTES:
        return ReadCap.from_body(body)
    raise BadInput(_UNKNOWN, code="cap-unknown")


def _split(text: str) -> tuple[str, str]:
    """Return kind and body of a cap whose shape, version and checksum are right."""
    parts = text.split(":") if len(text) <= MAX_CAP_CHARS and text.isascii() else []
    if len(parts) != 5 or parts[:2] != [_PREFIX, _VERSION]:
        raise BadInput(_UNKNOWN, code="cap-unknown")
    head, _, checksum = text.rpartition(":")
    if checksum != _checksum(head):
        raise BadInput(_DAMAGED, code="cap-damaged")
    return parts[2], parts[3]


def _format(kind: str, body: bytes) -> str:
    head = f"{_PREFIX}:{_VERSION}:{kind}:{_encode(body)}"
    return f"{head}:{_checksum(head)}"


def _checksum(head: str) -> str:
    digest = blake3(head.encode("ascii"), derive_key_context="bitcloud v1 cap").digest()
    return _encode(digest)[:_CHECKSUM_CHARS]


def _encode(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _decode(text: str) -> bytes:
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise BadInput(_UNKNOWN, code="cap-unknown") from error
    if _encode(data) != text:  # upper case, or bits set in the last character's padding
        raise BadInput(_UNKNOWN, code="cap-unknown")
    return data


def _check_length(what: str, data: bytes, length: int) -> None:
    if len(data) != length:
        raise Malformed(f"a {what} has {length} bytes, not {len(data)}")
