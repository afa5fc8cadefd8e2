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


def _no_parents(_row: RowLike, _body: Any) -> Parents:
    return ()


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
