"""The row in which an owner says what it has: how it is compared is in ``core.nodepool.heads``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from bitcloud_net.core.encoding import MAX_INTEGER
from bitcloud_net.core.nodepool.bodies.fields import Body, Bytes, Integer, Many, Record, bad_body
from bitcloud_net.core.nodepool.bodies.kinds import KeyPart, Kind, Parents, RowLike
from bitcloud_net.core.nodepool.tables import (
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import HASH_BYTES, KIB

HEAD_FINGERPRINT_BYTES: Final = 16
"""As in a reconciliation message. Only the owner could look for a collision, against itself."""
MAX_HEAD_TABLES: Final = 16
"""Tables in one head; a person has rows in five."""
MAX_HEAD_TABLE: Final = 2**31 - 1
"""Above are the tables of applications, which heads do not speak for."""
PUBLIC_HEAD: Final = bytes(HASH_BYTES)
"""In the key, in the place of a publisher: the head that everybody may see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHead(Body):
    """What an owner says of its rows in one table."""

    table: Annotated[int, Integer(MAX_HEAD_TABLE)]
    count: Annotated[int, Integer(MAX_INTEGER, least=1)]
    fingerprint: Annotated[bytes, Bytes(HEAD_FINGERPRINT_BYTES)]  # of their ids
    latest: Annotated[int, Integer(MAX_INTEGER)]  # the highest ``seq`` among them


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadBody(Body):
    """What the row's owner has in each table, by number, of what an audience may see. The audience
    is the end of the row's key.
    """

    tables: Annotated[tuple[TableHead, ...], Many(Record(TableHead), MAX_HEAD_TABLES)]


def _check_head(body: HeadBody) -> None:
    numbers = [head.table for head in body.tables]
    if numbers != sorted(set(numbers)):
        raise bad_body("tables is sorted by table, with nothing twice")
    if not numbers:
        raise bad_body("tables: who has nothing to speak for signs no head")


def _is_everybodys(row: RowLike) -> bool:
    return row.key_suffix == PUBLIC_HEAD


def _known_by(row: RowLike, body: HeadBody) -> Parents:
    is_person = any(head.table == Table.USER for head in body.tables)
    return ((Table.USER if is_person else Table.NODE, row.owner),)


HEAD = Kind(
    rule=TableRule(
        table=Table.HEAD,
        name="head",
        exposure=Exposure.GRID,
        writers=Role.NODE | Role.GRID_OWNER | Role.GATEWAY | Role.PUBLISHER | Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=HASH_BYTES,
        max_row_bytes=2 * KIB,
        slots_per_period=64,  # one a minute and audience, and a few starts of the program
        max_rows_per_owner=64,
        max_life_periods=YEAR_PERIODS,  # as long as the rows that it speaks for
        members=True,
    ),
    body=HeadBody,
    key=(KeyPart("publisher", HASH_BYTES, is_party=True),),
    parents=_known_by,
    check=_check_head,
    is_public=_is_everybodys,
)

KINDS = (HEAD,)
