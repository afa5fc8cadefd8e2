"""Bodies of rows as people and programs write them: JSON, with bytes in hexadecimal."""

from __future__ import annotations

import json
from typing import Any

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.nodepool.bodies.fields import Body, fields_from_json
from bitcloud_net.core.nodepool.row_bodies import KINDS, parse_body
from bitcloud_net.core.nodepool.tables import ColumnType, TableRule

MAX_JSON_CHARS = 64 * 1024
"""A row has at most 16 KiB; in hexadecimal, with its names, less than this."""


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
    try:
        return parse_body(rule, _plain(rule, value))
    except ValueError as error:
        raise BadInput("bytes are written in hexadecimal", code="bad-json") from error
    except Malformed as error:
        raise BadInput(error.message, code=error.code) from error


def _plain(rule: TableRule, value: dict[str, Any]) -> object:
    if not rule.columns:
        return fields_from_json(KINDS[rule.table].body, value)
    octets = {item.name for item in rule.columns if item.type is ColumnType.BYTES}
    return {
        name: bytes.fromhex(item) if name in octets and isinstance(item, str) else item
        for name, item in value.items()
    }
