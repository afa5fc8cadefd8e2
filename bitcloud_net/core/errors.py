"""The error tree, sorted by whose fault it is.

A caller decides by the class, a person reads the message, a program reads the code. Anything that
is not a ``BitcloudError`` is a bug of ours and ends the node with a traceback.
"""

from __future__ import annotations

from typing import ClassVar


class BitcloudError(Exception):
    """The root; never raised itself.

    ``code`` is stable kebab-case text that programs may compare. ``message`` is one sentence for a
    person, with the way out. ``detail`` holds plain values (numbers, short text) that fill it.
    """

    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, **detail: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.detail = detail

    def __str__(self) -> str:
        return self.message


class Malformed(BitcloudError):
    """Bytes that are not what they claim to be.

    Raised by parsers, which cannot know where the bytes came from. The layer that does know turns
    it into the sender's fault (``BadMessage``), our caller's (``BadInput``) or our disk's
    (``LocalFault``).
    """

    default_code = "malformed"


class BadInput(BitcloudError):
    """Our caller asked for something that cannot be: shown at the field, never retried."""

    default_code = "bad-input"


class Refused(BitcloudError):
    """A rightful no: ``no-space``, ``no-contract``, ``quota-exceeded``, ``not-permitted``,
    ``busy``.
    """

    default_code = "refused"


class Unavailable(BitcloudError):
    """Nobody's fault: ``node-unreachable``, ``too-few-shares``, ``too-few-nodes``; retry later."""

    default_code = "unavailable"


class LocalFault(BitcloudError):
    """This machine: ``disk-full``, ``database-too-new``, ``share-damaged``, ``port-taken``."""

    default_code = "local-fault"


class PeerFault(BitcloudError):
    """A peer broke the protocol, provably.

    ``peer`` is its node id, or None while the connection has no identity yet. ``evidence`` is
    what a third party can check by itself (the peer's signature over the wrong thing), or empty.
    """

    default_code = "peer-fault"

    def __init__(
        self,
        message: str,
        *,
        peer: bytes | None,
        evidence: bytes = b"",
        code: str | None = None,
        **detail: object,
    ) -> None:
        super().__init__(message, code=code, **detail)
        self.peer = peer
        self.evidence = evidence


class BadSignature(PeerFault):
    """A signature that does not verify."""

    default_code = "bad-signature"


class BadProof(PeerFault):
    """A Merkle proof that does not lead to the signed root."""

    default_code = "bad-proof"


class CorruptBlock(PeerFault):
    """A block whose bytes are not the ones that its share root fixes."""

    default_code = "corrupt-block"


class BadMessage(PeerFault):
    """A message that is not well formed, or that does not belong here."""

    default_code = "bad-message"


class FloodLimitExceeded(PeerFault):
    """More than the protocol allows: bytes, frames, streams, requests or rows."""

    default_code = "flood-limit"
