"""Paths of a request: decoded once, into names to look up in signed folders, never on a disk."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from bitcloud_net.core.errors import BadInput
from bitcloud_net.wire.http_message import HttpRefusal

MAX_DEPTH = 64
"""Names in one path. Deeper trees exist nowhere but in attacks."""

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")


def decode_path(target: str) -> tuple[str, ...]:
    """Return the names in the path of a request target; the query is ignored.

    ``/`` is the empty tuple. One slash at the end is allowed and means nothing. ``%25`` is decoded
    once: ``%252e`` is the name ``%2e``.

    Raises:
        HttpRefusal: 400, a name is empty, ``.`` or ``..``, holds a slash, a backslash or a control
            character, is not UTF-8, or there are more than ``MAX_DEPTH``.
    """
    path = target.partition("?")[0]
    if not path.startswith("/") or "#" in path or _BAD_ESCAPE.search(path):
        raise _bad_path()
    if path == "/":
        return ()
    names = path[1:].removesuffix("/").split("/")
    if len(names) > MAX_DEPTH:
        raise _bad_path()
    return tuple(_decode_name(name) for name in names)


def encode_name(name: str) -> str:
    """Return a file's or folder's name as one segment of a URL's path.

    Raises:
        BadInput: ``decode_path`` would refuse it.
    """
    if not _is_name(name):
        raise BadInput("This name cannot be part of a web address.", code="bad-name")
    return quote(name, safe="")


def _decode_name(text: str) -> str:
    try:
        name = unquote_to_bytes(text).decode("utf-8")  # strict: overlong forms and surrogates fail
    except UnicodeDecodeError:
        raise _bad_path() from None
    if not _is_name(name):
        raise _bad_path()
    return name


def _is_name(name: str) -> bool:
    return name not in {"", ".", ".."} and _FORBIDDEN.search(name) is None and _is_utf8(name)


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _bad_path() -> HttpRefusal:
    return HttpRefusal(400, "The path of the request is not valid.")
