"""What a form for a row says; ``core.nodepool.row_forms`` makes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPart:
    """One part of a key, or one field: its name, and in a few words what it may hold."""

    name: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowForm:
    """A row of one table, to be filled in by hand."""

    table: str
    key: tuple[FormPart, ...]  # what follows the owner; written in hexadecimal, one after the other
    fields: tuple[FormPart, ...]
    blank: str  # JSON with every field and its smallest value
