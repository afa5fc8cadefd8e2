"""A kind of row: the rule of its table, its body, and how it hangs together with others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from bitcloud_net.core.bodies.fields import Body
from bitcloud_net.core.tables import TableRule

Parents: TypeAlias = tuple[tuple[int, bytes], ...]
"""Table and key of each row that must be there before."""


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


def _no_parents(_row: RowLike, _body: Any) -> Parents:
    return ()


def _never(_row: RowLike) -> bool:
    return False


def _is_good(_body: Any) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Everything about one kind of row."""

    rule: TableRule
    body: type[Body]
    key: tuple[KeyPart, ...] = ()  # what follows the owner
    parents: Callable[[RowLike, Any], Parents] = _no_parents
    check: Callable[[Any], None] = _is_good  # of fields against each other; raises ``bad-body``
    is_public: Callable[[RowLike], bool] = _never  # whether everybody may see it all the same

    def parts(self, row: RowLike) -> tuple[bytes, ...]:
        """Return what follows the owner in the row's key, cut into its parts."""
        found, rest = [], row.key_suffix
        for part in self.key:
            found.append(rest[: part.length])
            rest = rest[part.length :]
        return tuple(found)

    def others(self, row: RowLike) -> tuple[bytes, ...]:
        """Return the keys, beside the owners', that the row's key names."""
        parts = zip(self.key, self.parts(row), strict=True)
        return tuple(item for part, item in parts if part.is_party and any(item))


def has_no_publisher(row: RowLike) -> bool:
    """Whether only its owner has signed a row: then it belongs to the Public grid."""
    return not row.co_owners
