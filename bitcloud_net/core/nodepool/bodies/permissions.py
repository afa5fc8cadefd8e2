"""Rows that give somebody a right to a file or folder of the owner's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated, Final

from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.nodepool.bodies.fields import (
    Bits,
    Body,
    Bytes,
    Choice,
    Flag,
    Integer,
    bad_body,
)
from bitcloud_net.core.nodepool.bodies.kinds import KeyPart, Kind, Parents, RowLike
from bitcloud_net.core.nodepool.bodies.market import MAX_GRID_BYTES
from bitcloud_net.core.nodepool.bodies.storage import FILE_ID_BYTES
from bitcloud_net.core.nodepool.tables import (
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import KIB

SEALED_GRANT_BYTES: Final = 512
"""A cap, its label and a signature in a box that only the receiver opens; padded to one length, so
that it does not tell what is given."""


class Right(IntFlag):
    """What may be done (R-USR-03)."""

    READ = 1
    WRITE = 2
    CREATE = 4
    REMOVE = 8
    SET_PERMISSIONS = 16


class Target(IntEnum):
    """What a right is to."""

    FILE = 1
    FOLDER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionBody(Body):
    """A right. Who gets it (a user, a publisher, or zero for everybody) and the id of the file or
    folder stand in the row's key.
    """

    of_publisher: Annotated[bool, Flag()]  # all users of the publisher that the key names
    target: Annotated[Target, Choice(Target)]
    rights: Annotated[Right, Bits(Right)]
    read_quota: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes; 0: as much as one likes
    write_quota: Annotated[int, Integer(MAX_GRID_BYTES)]
    sealed: Annotated[bytes, Bytes(0, SEALED_GRANT_BYTES)]  # for who gets it


def _check(body: PermissionBody) -> None:
    if not body.rights:
        raise bad_body("rights: none; who loses them is told by deleting the row")
    if (body.read_quota and not body.rights & Right.READ) or (
        body.write_quota and not body.rights & (Right.WRITE | Right.CREATE)
    ):
        raise bad_body("read_quota, write_quota: without the right to it")


def _target(row: RowLike, body: PermissionBody) -> Parents:
    receiver, target = PERMISSION.parts(row)
    table = Table.FILE if body.target is Target.FILE else Table.FOLDER
    thing = (table, row.owner + target)
    if body.of_publisher:
        return (thing, (Table.PUBLISHER, receiver))
    return (thing,)


def _is_public(row: RowLike) -> bool:
    return not row.co_owners and not any(PERMISSION.parts(row)[0])


PERMISSION = Kind(
    rule=TableRule(
        table=Table.PERMISSION,
        name="permission",
        exposure=Exposure.GRID,
        writers=Role.USER,
        sync=SyncKind.OWNER,
        key_suffix_bytes=KEY_BYTES + FILE_ID_BYTES,
        max_row_bytes=2 * KIB,
        slots_per_period=4_096,
        max_rows_per_owner=1 << 16,
        max_life_periods=YEAR_PERIODS,
        max_co_owners=1,
        follows_user=True,
    ),
    body=PermissionBody,
    key=(KeyPart("receiver", KEY_BYTES, is_party=True), KeyPart("target_id", FILE_ID_BYTES)),
    parents=_target,
    check=_check,
    is_public=_is_public,
)

KINDS = (PERMISSION,)
