"""What the rows of each table say: typed bodies, strictly parsed.

A body travels as a map with exactly the fields of its class. Text comes from strangers: it is
bounded, in NFC, without control characters, and still only ever shown as plain text. Lengths are
bytes unless a name says otherwise.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TypeAlias

from bitcloud_net.core.encoding import MAX_INTEGER, Value
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.identity import MAX_SALT_DAYS
from bitcloud_net.core.table_rules import DAY_PERIODS, Column, ColumnType, Role, Table, TableRule
from bitcloud_net.core.units import HASH_BYTES, INLINE_BYTES, KIB, MAX_SHARES
from bitcloud_net.core.verdicts import MAX_RECENT, FaultReason

MAX_ADDRESSES = 8
"""IPv4, IPv6, Tor, and a few interfaces; more only slows dialling down."""
MAX_ADDRESS_CHARS = 256
"""A multiaddr with a Tor v3 name and a peer id has about 130."""
MAX_NAME_CHARS = 64
"""A nickname or a node's name."""
MAX_CAPACITY_BYTES = 2**53
"""8 PiB; every number stays exact in programs that count in doubles."""
FOLDER_ID_BYTES = 16
FILE_ID_BYTES = 16
MAX_SEALED_FOLDER_BYTES = KIB
"""A name of at most 255 bytes, the folder's key, and room for what later versions seal."""
MAX_SEALED_FILE_BYTES = 2 * KIB
"""A name, a 64-byte cap, size, media type and date."""
MAX_MANIFEST_BYTES = 2 * INLINE_BYTES
"""128 share roots (4.4 kB) or an inline file (4 KiB), with salts, header and tags."""


MAX_DEFINITION_CHARS = 15 * KIB
"""An application's definition in its shortest form."""
MAX_DAY = 2**32
MAX_FAULT_REASON = 255
MAX_FAULT_COUNT = 30 * 144
"""A row lives for 30 days; it cannot have seen more periods."""

_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, line and paragraph separators


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBody:
    """A node: how to reach it and what it offers. Its key is its row's owner."""

    name: str  # free text, may be empty
    roles: Role
    addresses: tuple[str, ...]  # full multiaddrs
    capacity: int  # bytes it lends; 0 when it is no storage node
    used: int  # bytes of it that are taken, as far as it says


@dataclass(frozen=True, slots=True, kw_only=True)
class UserBody:
    """A person."""

    nickname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderBody:
    """A folder of the row's owner. Its id is the end of the row's key."""

    parent: bytes  # a folder id, or b"" directly below the person
    open_key: bytes  # the folder's key, when anybody may read the names; else b""
    sealed: bytes  # name and more, sealed with the parent's key


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBody:
    """A file of the row's owner. Its id is the end of the row's key."""

    folder: bytes  # id of the folder it lies in
    sealed: bytes  # name, cap, size, media type and date, sealed with the folder's key


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementBody:
    """Where the shares of one stored file are. Its cid is the end of the row's key."""

    manifest: bytes
    holders: tuple[bytes, ...]  # node ids in share order, b"" = nobody; () for an inline file


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultBody:
    """An auditor's word that a node failed. The target is the end of the row's key."""

    reason: FaultReason
    count: int  # periods in which it was seen, since the first
    recent: int  # bit i: it was seen in the row's period - i


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityBody:
    """That the row's owner has mined an identity. Its role is the end of the row's key."""

    day: int  # whose beacon is the salt, in whole days since 1970
    nonce: int
    registered: int  # period of the first row; at most a week after the day


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionBody:
    """An application that the row's owner uses. Its id is the end of the row's key."""

    definition: str  # see core.app_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class AppBody:
    """A row of an application's table: its values in the order of the columns."""

    names: tuple[str, ...]
    values: tuple[int | str | bytes | bool | None, ...]


Body: TypeAlias = (
    NodeBody
    | UserBody
    | FolderBody
    | FileBody
    | PlacementBody
    | FaultBody
    | IdentityBody
    | DefinitionBody
    | AppBody
)


def body_value(body: Body) -> dict[str, Value]:
    """Return the map of plain values that travels for ``body``."""
    if isinstance(body, AppBody):
        return dict(zip(body.names, body.values, strict=True))
    value: dict[str, Value] = {}
    for field in fields(body):
        item = getattr(body, field.name)
        value[field.name] = list(item) if isinstance(item, tuple) else item
    if isinstance(body, NodeBody):
        value["roles"] = int(body.roles)
    if isinstance(body, FaultBody):
        value["reason"] = int(body.reason)
    return value


def parse_body(rule: TableRule, value: object) -> Body:
    """Return the typed body of a row of the table with this rule.

    Raises:
        Malformed: ``bad-body``; the message names the field.
    """
    if rule.columns:
        return app_body(rule, value)
    kind, parse = _PARSERS[rule.table]
    names = {field.name for field in fields(kind)}
    if not isinstance(value, dict) or value.keys() != names:
        raise _bad(f"a {rule.name} row has the fields {', '.join(sorted(names))}")
    return parse(value)


def app_body(rule: TableRule, value: object) -> AppBody:
    """Return the body of a row of an application's table.

    Raises:
        Malformed: ``bad-body``; the message names the column.
    """
    names = tuple(column.name for column in rule.columns)
    if not isinstance(value, dict) or value.keys() != set(names):
        raise _bad(f"a {rule.name} row has the columns {', '.join(names)}")
    for column in rule.columns:
        _check_column(column, value[column.name])
    return AppBody(names=names, values=tuple(value[name] for name in names))


_COLUMN_TYPES = {
    ColumnType.INTEGER: int,
    ColumnType.TEXT: str,
    ColumnType.BYTES: bytes,
    ColumnType.FLAG: bool,
}


def _check_column(column: Column, item: object) -> None:
    if item is None and column.optional:
        return
    if type(item) is not _COLUMN_TYPES[column.type]:
        raise _bad(f"{column.name} is {column.type.value}")
    if isinstance(item, str | bytes) and len(item) > column.most:
        raise _bad(f"{column.name} has at most {column.most}")


def parents_of(owner: bytes, body: Body) -> tuple[tuple[int, bytes], ...]:
    """Return table and key of the rows that must be there before a row with this body may be."""
    if isinstance(body, FolderBody):
        user = (Table.USER, owner)
        return (user, (Table.FOLDER, owner + body.parent)) if body.parent else (user,)
    if isinstance(body, FileBody):
        return ((Table.FOLDER, owner + body.folder),)
    if isinstance(body, PlacementBody | DefinitionBody):
        return ((Table.USER, owner),)
    if isinstance(body, FaultBody):
        return ((Table.NODE, owner),)
    return ()


_Map: TypeAlias = Mapping[str, object]


def _parse_node(value: _Map) -> NodeBody:
    roles = _integer(value, "roles", 31)
    addresses = value["addresses"]
    if not isinstance(addresses, list) or len(addresses) > MAX_ADDRESSES:
        raise _bad(f"at most {MAX_ADDRESSES} addresses")
    return NodeBody(
        name=_text(value["name"], "name", MAX_NAME_CHARS),
        roles=Role(roles),
        addresses=tuple(_text(item, "addresses", MAX_ADDRESS_CHARS) for item in addresses),
        capacity=_integer(value, "capacity", MAX_CAPACITY_BYTES),
        used=_integer(value, "used", MAX_CAPACITY_BYTES),
    )


def _parse_user(value: _Map) -> UserBody:
    return UserBody(nickname=_text(value["nickname"], "nickname", MAX_NAME_CHARS))


def _parse_folder(value: _Map) -> FolderBody:
    return FolderBody(
        parent=_bytes(value["parent"], "parent", (0, FOLDER_ID_BYTES)),
        open_key=_bytes(value["open_key"], "open_key", (0, HASH_BYTES)),
        sealed=_sealed(value, MAX_SEALED_FOLDER_BYTES),
    )


def _parse_file(value: _Map) -> FileBody:
    return FileBody(
        folder=_bytes(value["folder"], "folder", (FOLDER_ID_BYTES,)),
        sealed=_sealed(value, MAX_SEALED_FILE_BYTES),
    )


def _parse_placement(value: _Map) -> PlacementBody:
    manifest, holders = value["manifest"], value["holders"]
    if not isinstance(manifest, bytes) or not 0 < len(manifest) <= MAX_MANIFEST_BYTES:
        raise _bad(f"a manifest has 1 to {MAX_MANIFEST_BYTES} bytes")
    if not isinstance(holders, list) or len(holders) > MAX_SHARES:
        raise _bad(f"at most {MAX_SHARES} holders")
    return PlacementBody(
        manifest=manifest,
        holders=tuple(_bytes(item, "holders", (0, HASH_BYTES)) for item in holders),
    )


def _parse_fault(value: _Map) -> FaultBody:
    reason = _integer(value, "reason", MAX_FAULT_REASON)
    if reason not in set(FaultReason):
        raise _bad("an unknown reason for a fault")
    recent = _integer(value, "recent", MAX_RECENT)
    if not recent & 1:
        raise _bad("a fault is signed in a period in which it was seen")
    count = _integer(value, "count", MAX_FAULT_COUNT)
    if count < recent.bit_count():
        raise _bad("a fault counts fewer periods than it names")
    return FaultBody(reason=FaultReason(reason), count=count, recent=recent)


def _parse_identity(value: _Map) -> IdentityBody:
    body = IdentityBody(
        day=_integer(value, "day", MAX_DAY),
        nonce=_integer(value, "nonce", MAX_INTEGER),
        registered=_integer(value, "registered", MAX_DAY * DAY_PERIODS),
    )
    if not 0 <= body.registered // DAY_PERIODS - body.day <= MAX_SALT_DAYS:
        raise _bad(f"an identity is registered within {MAX_SALT_DAYS} days")
    return body


def _parse_definition(value: _Map) -> DefinitionBody:
    text = _text(value["definition"], "definition", MAX_DEFINITION_CHARS)
    return DefinitionBody(definition=text)


def _integer(value: _Map, name: str, most: int) -> int:
    number = value[name]
    if type(number) is not int or not 0 <= number <= most:
        raise _bad(f"{name} is a number from 0 to {most}")
    return number


def _bytes(item: object, name: str, lengths: tuple[int, ...]) -> bytes:
    if not isinstance(item, bytes) or len(item) not in lengths:
        raise _bad(f"{name} has {' or '.join(map(str, lengths))} bytes")
    return item


def _sealed(value: _Map, most: int) -> bytes:
    sealed = value["sealed"]
    if not isinstance(sealed, bytes) or len(sealed) > most:
        raise _bad(f"sealed has at most {most} bytes")
    return sealed


def _text(item: object, name: str, most: int) -> str:
    if not isinstance(item, str) or len(item) > most:
        raise _bad(f"{name} has at most {most} characters")
    if any(unicodedata.category(char) in _UNPRINTABLE for char in item):
        raise _bad(f"{name} has control characters")
    return item


def _bad(message: str) -> Malformed:
    return Malformed(message, code="bad-body")


_PARSERS: Mapping[int, tuple[type[Body], Callable[[_Map], Body]]] = MappingProxyType(
    {
        Table.NODE: (NodeBody, _parse_node),
        Table.USER: (UserBody, _parse_user),
        Table.FOLDER: (FolderBody, _parse_folder),
        Table.FILE: (FileBody, _parse_file),
        Table.PLACEMENT: (PlacementBody, _parse_placement),
        Table.FAULT: (FaultBody, _parse_fault),
        Table.IDENTITY: (IdentityBody, _parse_identity),
        Table.APP: (DefinitionBody, _parse_definition),
    }
)
