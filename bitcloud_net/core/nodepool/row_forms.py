"""Rows as forms to be filled in by hand: what follows the owner in a key, and every field."""

from __future__ import annotations

import json
from typing import Any

from bitcloud_net.core.nodepool.bodies.fields import (
    Amount,
    Bits,
    Body,
    Choice,
    Field,
    Flag,
    Integer,
    Many,
    Record,
    fields_of,
)
from bitcloud_net.core.nodepool.bodies.kinds import Kind
from bitcloud_net.core.nodepool.form import FormPart, RowForm
from bitcloud_net.core.nodepool.row_bodies import KINDS


def row_forms() -> tuple[RowForm, ...]:
    """Return a form for each built-in table, in the order of their numbers."""
    return tuple(_form(KINDS[number]) for number in sorted(KINDS))


def _form(kind: Kind) -> RowForm:
    fields = fields_of(kind.body)
    return RowForm(
        table=kind.rule.name,
        key=tuple(FormPart(name=part.name, about=_bytes(part.length)) for part in kind.key),
        fields=tuple(FormPart(name=name, about=f.about()) for name, f in fields.items()),
        blank=json.dumps(_blank_record(kind.body), indent=2),
    )


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def _blank_record(body: type[Body]) -> dict[str, Any]:
    return {name: _blank(spec) for name, spec in fields_of(body).items()}


def _blank(spec: Field) -> Any:
    """Return the smallest value of a field as JSON has it; empty text where none is right yet."""
    if isinstance(spec, Record):
        return _blank_record(spec.of)
    if isinstance(spec, Integer):
        return spec.least
    if isinstance(spec, Choice):
        return min(spec.of)
    if isinstance(spec, Many):
        return []
    if isinstance(spec, Flag):
        return False
    return 0 if isinstance(spec, Amount | Bits) else ""
