"""What follows from certificates: who belongs to whom, through how many hands.

::

    a storage node belongs to a gateway      gateway ─MERGE▶ gateway ─NODE▶ node
    a person is a user that a publisher      publisher ─TRUST▶ publisher ─USER▶ person
      knows, itself or through others
    a publisher is trusted                   publisher ─TRUST▶ publisher ─TRUST▶ publisher
    a gateway is one with another            gateway ─MERGE▶ gateway
    an identity is somebody's                identity ─DELEGATE▶ root

A certificate is an issuer's signed word about a subject. It counts from ``since`` until it expires,
unless the same issuer revokes it: a revocation kills every word of its kind about the subject that
was given until then, and later ones count again. Everything here is pure: the same certificates
give the same chain on every node.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bitcloud_net.core.errors import Malformed, Refused
from bitcloud_net.core.nodepool.bodies.certificates import REVOKED, CertificateBody, CertificateKind
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.trust.verdicts import FaultReason

MAX_CHAIN: Final = 8
"""Certificates in a chain. Beyond so many hands nobody knows anybody."""

_THROUGH: Final[Mapping[CertificateKind, CertificateKind | None]] = MappingProxyType(
    {
        CertificateKind.NODE: CertificateKind.MERGE,
        CertificateKind.USER: CertificateKind.TRUST,
        CertificateKind.TRUST: CertificateKind.TRUST,
        CertificateKind.MERGE: CertificateKind.MERGE,
        CertificateKind.DELEGATE: None,  # a root is nobody's delegate
    }
)
"""The kind of the certificates that may stand before one of a kind."""
_BOTH_SIGN: Final = (CertificateKind.NODE, CertificateKind.MERGE, CertificateKind.DELEGATE)
"""Kinds that say something of the subject that it must agree with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One issuer's word about one subject, or its revocation."""

    kind: CertificateKind
    issuer: bytes
    subject: bytes
    since: int  # period
    until: int  # last period
    reason: FaultReason | None = None  # of a revocation

    def holds(self, period: int) -> bool:
        """Whether it is in force, as far as time goes."""
        return self.since <= period <= self.until


def key_of(kind: CertificateKind, subject: bytes, *, revoked: bool = False) -> bytes:
    """Return what follows the issuer in the key of a certificate, or of its revocation."""
    return bytes([kind | (REVOKED if revoked else 0)]) + subject


def certificate_of(row: SignedRow) -> Certificate:
    """Return what a row of the table of certificates says.

    Raises:
        Malformed: ``bad-certificate``: it says nothing that makes sense, or lacks the subject's
            signature.
    """
    if not isinstance(row.body, CertificateBody):
        raise Malformed("not a certificate", code="bad-certificate")
    number, subject = row.key_suffix[0], row.key_suffix[1:]
    try:
        kind = CertificateKind(number & ~REVOKED)
    except ValueError:
        raise Malformed(f"no kind of certificate: {number}", code="bad-certificate") from None
    reason = FaultReason(row.body.reason) if row.body.reason else None
    if subject == row.owner or row.body.since > row.period:
        raise Malformed("about itself, or from the future", code="bad-certificate")
    if bool(number & REVOKED) != (reason is not None):
        raise Malformed("a revocation, and only that, has a reason", code="bad-certificate")
    agrees = (subject,) if kind in _BOTH_SIGN and reason is None else ()
    if row.co_owners != agrees:
        raise Malformed("whom it is about has to sign it, too, or not", code="bad-certificate")
    return Certificate(
        kind=kind,
        issuer=row.owner,
        subject=subject,
        since=row.body.since,
        until=row.expires,
        reason=reason,
    )


def in_force(certificates: Iterable[Certificate], period: int) -> tuple[Certificate, ...]:
    """Return the certificates that count in ``period``: begun, not expired, not revoked. In a
    fixed order.
    """
    known = set(certificates)
    revoked: dict[tuple[CertificateKind, bytes, bytes], int] = {}
    for item in known:
        if item.reason is not None and item.holds(period):
            place = (item.kind, item.issuer, item.subject)
            revoked[place] = max(item.since, revoked.get(place, 0))
    live = [
        item
        for item in known
        if item.reason is None
        and item.holds(period)
        and item.since > revoked.get((item.kind, item.issuer, item.subject), -1)
    ]
    return tuple(sorted(live, key=lambda item: (item.kind, item.issuer, item.subject, item.since)))


def chain(
    certificates: Iterable[Certificate],
    kind: CertificateKind,
    *,
    issuer: bytes,
    subject: bytes,
    period: int,
    avoid: Container[bytes] = (),
) -> tuple[Certificate, ...]:
    """Return the shortest chain by which ``subject`` is to ``issuer`` what ``kind`` says, from the
    issuer on: at most ``MAX_CHAIN`` certificates. Nobody in ``avoid`` is on it; that is where a
    private list has its effect.

    Raises:
        Refused: ``not-certified``: there is none.
    """
    words: dict[bytes, list[Certificate]] = {}
    for item in in_force(certificates, period):
        if item.subject not in avoid and item.kind in (kind, _THROUGH[kind]):
            words.setdefault(item.issuer, []).append(item)
    ends: dict[bytes, tuple[Certificate, ...]] = {issuer: ()}  # who was reached, and how
    for _ in range(MAX_CHAIN if issuer not in avoid else 0):
        further: dict[bytes, tuple[Certificate, ...]] = {}
        for reached, way in ends.items():
            for item in words.pop(reached, ()):  # looked at once: circles end here
                if item.kind is kind and item.subject == subject:
                    return (*way, item)
                if item.kind is _THROUGH[kind]:
                    further.setdefault(item.subject, (*way, item))
        ends = further
    raise Refused("no certificates lead from the one to the other", code="not-certified")
