"""The row in which one key says of another that it belongs to it: what follows from such words is
in ``core.trust.certificates``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from bitcloud_net.core.nodepool.bodies.fields import Body, Integer, bad_body
from bitcloud_net.core.nodepool.bodies.kinds import (
    KeyPart,
    Kind,
    Parents,
    RowLike,
    owner_has_a_role,
)
from bitcloud_net.core.nodepool.bodies.network import MAX_DAY
from bitcloud_net.core.nodepool.tables import (
    DAY_PERIODS,
    LARGE_TABLE_BYTES,
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.trust.verdicts import FaultReason
from bitcloud_net.core.units import HASH_BYTES, KIB

REVOKED: Final = 0x80
"""Added to the number of a kind: the issuer takes its word back, for a fault that was measured."""


class CertificateKind(IntEnum):
    """What the owner of the row says of the subject. Numbers are for ever."""

    NODE = 1  # a gateway: this storage node belongs to me; both sign
    USER = 2  # a publisher: this person is one of my users
    TRUST = 3  # a publisher: I trust this publisher
    MERGE = 4  # a gateway: this gateway is one with me; both sign
    DELEGATE = 5  # an identity of somebody: this one is my root; both sign


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateBody(Body):
    """A certificate, or its revocation. Kind and subject are the end of the row's key."""

    since: Annotated[int, Integer(MAX_DAY * DAY_PERIODS)]  # the period from which on it counts
    reason: Annotated[int, Integer(max(FaultReason))]  # of a revocation: what was measured; else 0


def _check_certificate(body: CertificateBody) -> None:
    if body.reason and body.reason not in set(FaultReason):
        raise bad_body("reason: only faults that can be measured are told in public")


def _is_public(row: RowLike) -> bool:
    """Whom a publisher has certified or trusts is for those who take part; the rest is for all."""
    return row.key_suffix[0] not in (CertificateKind.USER, CertificateKind.TRUST)


def _writer(row: RowLike, _body: CertificateBody) -> Parents:
    """A publisher speaks of people and publishers, a gateway, which is a node, of nodes."""
    kind = row.key_suffix[0] & ~REVOKED
    if kind in (CertificateKind.USER, CertificateKind.TRUST):
        return ((Table.PUBLISHER, row.owner),)
    if kind in (CertificateKind.NODE, CertificateKind.MERGE):
        return ((Table.NODE, row.owner),)
    return owner_has_a_role(CERTIFICATE.rule, row)


CERTIFICATE = Kind(
    rule=TableRule(
        table=Table.CERTIFICATE,
        name="certificate",
        exposure=Exposure.GRID,
        writers=Role.NODE | Role.GRID_OWNER | Role.GATEWAY | Role.PUBLISHER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=1 + HASH_BYTES,
        max_row_bytes=KIB,
        slots_per_period=1_024,  # a publisher that opens lets in that many people in ten minutes
        max_rows_per_owner=1 << 20,
        max_life_periods=YEAR_PERIODS,
        max_table_bytes=LARGE_TABLE_BYTES,
        max_co_owners=1,  # the subject
        members=True,
    ),
    body=CertificateBody,
    key=(KeyPart("kind", 1, is_number=True), KeyPart("subject", HASH_BYTES, is_party=True)),
    check=_check_certificate,
    writer=_writer,
    is_public=_is_public,
)

KINDS = (CERTIFICATE,)
