"""Bodies of rows as people and programs write them: JSON, with bytes in hexadecimal."""

from __future__ import annotations

import json
from typing import Any

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.row_bodies import Body, parse_body
from bitcloud_net.core.table_rules import ColumnType, TableRule

MAX_JSON_CHARS = 64 * 1024
"""A row has at most 16 KiB; in hexadecimal, with its names, less than this."""

_BYTES = frozenset({"parent", "open_key", "sealed", "folder", "manifest", "holders"})
"""Fields of the built-in tables that hold bytes, or lists of them."""


def body_from_json(rule: TableRule, text: str) -> Body | None:
    """Return the body that ``text`` describes; ``null`` deletes.

    Raises:
        BadInput: ``bad-json``, or what is wrong with the body (``bad-body``).
    """
    if len(text) > MAX_JSON_CHARS:
        raise BadInput("too long for a row", code="bad-json")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}", code="bad-json") from error
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadInput('a row is an object, such as {"nickname": "Mary"}, or null', code="bad-json")
    names = _BYTES
    if rule.columns:
        names = frozenset(item.name for item in rule.columns if item.type is ColumnType.BYTES)
    plain = {name: _bytes(item) if name in names else item for name, item in value.items()}
    try:
        return parse_body(rule, plain)
    except Malformed as error:
        raise BadInput(error.message, code=error.code) from error


def _bytes(item: Any) -> Any:
    if isinstance(item, list):
        return [_bytes(part) for part in item]
    if not isinstance(item, str):
        return item  # the parser says what belongs here
    try:
        return bytes.fromhex(item)
    except ValueError as error:
        raise BadInput("bytes are written in hexadecimal", code="bad-json") from error
