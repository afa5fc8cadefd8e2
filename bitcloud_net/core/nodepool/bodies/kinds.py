"""A kind of row: the rule of its table, its body, and how it hangs together with others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from bitcloud_net.core.nodepool.bodies.fields import Body
from bitcloud_net.core.nodepool.tables import Role, Table, TableRule

Place: TypeAlias = tuple[int, bytes]
"""Table and key of a row."""

Parents: TypeAlias = tuple[Place, ...]
"""Rows that must be there before another may be."""


class RowLike(Protocol):
    """What is asked of a row here."""

    @property
    def owner(self) -> bytes: ...
    @property
    def key_suffix(self) -> bytes: ...
    @property
    def co_owners(self) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A part of what follows the owner in a key."""

    name: str  # of its column in SQL
    length: int  # bytes
    is_number: bool = False  # an integer in SQL, instead of a blob
    is_party: bool = False  # somebody's key: who has it may see the row; zero: nobody
    signs: bool = False  # a party that must sign, and nobody else beside the owner


def _no_parents(_row: RowLike, _body: Any) -> Parents:
    return ()


def mined_as(role: Role, row: RowLike, key: bytes = b"") -> bytes:
    """Return the key of the row that says that ``key``, or else the row's owner, was mined."""
    return (key or row.owner) + bytes([role])


def owner_has_a_role(rule: TableRule, row: RowLike) -> Parents:
    """Return the rows of which one makes the row's owner a writer of this table."""
    return tuple((table, row.owner) for table in _tables_of(rule.writers))


@cache
def _tables_of(roles: Role) -> tuple[Table, ...]:
    return tuple(table for role, table in _ROLE_TABLES.items() if role & roles)


def _never(_row: RowLike) -> bool:
    return False


def _is_good(_body: Any) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Everything about one kind of row. Functions of a row are never asked about a deleted one,
    except ``is_public``.
    """

    rule: TableRule
    body: type[Body]
    key: tuple[KeyPart, ...] = ()  # what follows the owner
    parents: Callable[[RowLike, Any], Parents] = _no_parents
    check: Callable[[Any], None] = _is_good  # of fields against each other; raises ``bad-body``
    is_public: Callable[[RowLike], bool] = _never  # whether everybody may see it all the same
    founds: bool = False  # it makes its owner what it says, and so needs no role before it
    writer: Callable[[RowLike, Any], Parents] | None = None  # instead of the rows of the role
    identity: Callable[[RowLike], bytes] | None = None  # key of the identity that must be mined

    def writers(self, row: RowLike, body: Any) -> Parents:
        """Return the rows of which one must be there, to show that the owner may write; nothing
        when everybody may.
        """
        if self.founds:
            return ()
        if self.writer is not None:
            return self.writer(row, body)
        return owner_has_a_role(self.rule, row)

    def signers(self, key_suffix: bytes) -> tuple[bytes, ...] | None:
        """Return exactly who must sign beside the owner; None: the co-owners whom the row names."""
        if not any(part.signs for part in self.key):
            return None
        parts = zip(self.key, self.cut(key_suffix), strict=True)
        return tuple(sorted(item for part, item in parts if part.signs))

    def cut(self, key_suffix: bytes) -> tuple[bytes, ...]:
        """Return what follows the owner in a key, cut into its parts."""
        found, rest = [], key_suffix
        for part in self.key:
            found.append(rest[: part.length])
            rest = rest[part.length :]
        return tuple(found)

    def parts(self, row: RowLike) -> tuple[bytes, ...]:
        """Return what follows the owner in the row's key, cut into its parts."""
        return self.cut(row.key_suffix)

    def others(self, row: RowLike) -> tuple[bytes, ...]:
        """Return the keys, beside the owners', that the row's key names."""
        parts = zip(self.key, self.parts(row), strict=True)
        return tuple(item for part, item in parts if part.is_party and any(item))


def has_no_publisher(row: RowLike) -> bool:
    """Whether only its owner has signed a row: then it belongs to the Public grid."""
    return not row.co_owners


_ROLE_TABLES: Mapping[Role, Table] = MappingProxyType(
    {
        Role.NODE: Table.NODE,
        Role.GRID_OWNER: Table.GRID,
        Role.PUBLISHER: Table.PUBLISHER,
        Role.USER: Table.USER,
    }
)
"""The row that makes a key what it is. A gateway is made one by the owner of a grid; so what
gateways write names both, and says itself which row that is."""
