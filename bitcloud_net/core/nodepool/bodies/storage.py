"""Rows of what is stored: folders, files, and where their shares are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from bitcloud_net.core.nodepool.bodies.fields import Blob, Body, Bytes, Many
from bitcloud_net.core.nodepool.bodies.kinds import (
    KeyPart,
    Kind,
    Parents,
    RowLike,
    has_no_publisher,
)
from bitcloud_net.core.nodepool.tables import (
    LARGE_TABLE_BYTES,
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import HASH_BYTES, INLINE_BYTES, KIB, MAX_SHARES

FOLDER_ID_BYTES = 16
FILE_ID_BYTES = 16
MAX_SEALED_FOLDER_BYTES = KIB
"""A name of at most 255 bytes, the folder's key, and room for what later versions seal."""
MAX_SEALED_FILE_BYTES = 2 * KIB
"""A name, a 64-byte cap, size, media type and date."""
MAX_MANIFEST_BYTES = 2 * INLINE_BYTES
"""128 share roots (4.4 kB) or an inline file (4 KiB), with salts, header and tags."""

_FILE_SLOTS = 1 << 16
"""A folder of 65,536 files may be published within one period. Beyond that the publisher waits for
the next one; a flood of that size, 30 MB, is what one owner may cost everybody in ten minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderBody(Body):
    """A folder of the row's owner. Its id is the end of the row's key."""

    parent: Annotated[bytes, Bytes(0, FOLDER_ID_BYTES)]  # empty: directly below the person
    open_key: Annotated[bytes, Bytes(0, HASH_BYTES)]  # its key, when anybody may read the names
    sealed: Annotated[bytes, Blob(MAX_SEALED_FOLDER_BYTES)]  # name and more, by the parent's key


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBody(Body):
    """A file of the row's owner. Its id is the end of the row's key."""

    folder: Annotated[bytes, Bytes(FOLDER_ID_BYTES)]  # that it lies in
    sealed: Annotated[bytes, Blob(MAX_SEALED_FILE_BYTES)]  # name, cap, size, type, date


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementBody(Body):
    """Where the shares of one stored file are. Its cid is the end of the row's key."""

    manifest: Annotated[bytes, Blob(MAX_MANIFEST_BYTES, least=1)]
    # node ids in share order, empty = nobody; none at all for an inline file
    holders: Annotated[tuple[bytes, ...], Many(Bytes(0, HASH_BYTES), MAX_SHARES)]


def _above_folder(row: RowLike, body: FolderBody) -> Parents:
    return ((Table.FOLDER, row.owner + body.parent),) if body.parent else ()


def _folder(row: RowLike, body: FileBody) -> Parents:
    return ((Table.FOLDER, row.owner + body.folder),)


FOLDER = Kind(
    rule=TableRule(
        table=Table.FOLDER,
        name="folder",
        exposure=Exposure.GRID,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=FOLDER_ID_BYTES,
        max_row_bytes=4 * KIB,
        slots_per_period=_FILE_SLOTS,
        max_rows_per_owner=1 << 20,
        max_life_periods=YEAR_PERIODS,
        max_table_bytes=LARGE_TABLE_BYTES,
        max_co_owners=1,
        follows_user=True,
        members=True,
    ),
    body=FolderBody,
    key=(KeyPart("id", FOLDER_ID_BYTES),),
    parents=_above_folder,
    is_public=has_no_publisher,
)

FILE = Kind(
    rule=TableRule(
        table=Table.FILE,
        name="file",
        exposure=Exposure.GRID,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=FILE_ID_BYTES,
        max_row_bytes=4 * KIB,
        slots_per_period=_FILE_SLOTS,
        max_rows_per_owner=1 << 20,
        max_life_periods=YEAR_PERIODS,
        max_table_bytes=LARGE_TABLE_BYTES,
        max_co_owners=1,
        follows_user=True,
        members=True,
    ),
    body=FileBody,
    key=(KeyPart("id", FILE_ID_BYTES),),
    parents=_folder,
    is_public=has_no_publisher,
)

PLACEMENT = Kind(
    rule=TableRule(
        table=Table.PLACEMENT,
        name="placement",
        exposure=Exposure.GRID,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=HASH_BYTES,
        # n = 128: share roots and holders of 34 bytes each, 8.7 kB; inline: 4 KiB of a file.
        max_row_bytes=12 * KIB,
        slots_per_period=_FILE_SLOTS,
        max_rows_per_owner=1 << 20,
        max_life_periods=YEAR_PERIODS,
        max_table_bytes=LARGE_TABLE_BYTES,
        max_co_owners=1,
        follows_user=True,
        members=True,
    ),
    body=PlacementBody,
    key=(KeyPart("cid", HASH_BYTES),),
    is_public=has_no_publisher,
)

KINDS = (FOLDER, FILE, PLACEMENT)
