"""The fields of every answer: what a browser may do with it, what it is, and how it is saved.

There is no CORS field anywhere, no cookie, and nothing that would let another origin look in.
"""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import quote

from blake3 import blake3

from bitcloud_net.core.errors import BadInput
from bitcloud_net.wire.http_media import BYTES, is_active, is_shown, media_type_of
from bitcloud_net.wire.http_message import Header

SITE_CSP = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
"""For a folder published as a site: its scripts run and reach their own origin, nothing else. What
it does not prevent is a link that leads the whole page elsewhere."""

FILE_CSP = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""For a file that a browser shows by itself: the picture, film or text, nothing that it names."""

ACTIVE_FILE_CSP = f"sandbox; {FILE_CSP}"
"""For a file that could run script and is no part of a site, should anything show it after all."""

_ALWAYS: tuple[Header, ...] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    # No page can widen its origin by document.domain, which ignores labels and ports.
    ("Origin-Agent-Cluster", "?1"),
    # The browser's disk cache would keep plain copies outside our encrypted one.
    ("Cache-Control", "no-store"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, beside letters and digits


class Origin(StrEnum):
    """What shares an origin with a file, which decides how far its content is trusted."""

    SITE = "site"  # a folder published as a site has the origin to itself: active types run
    NAME = "name"  # a host name of its own; files are not trusted
    PORT = "port"  # only a port of its own; cookies ignore ports, so nothing active leaves as such


def common_headers(csp: str) -> tuple[Header, ...]:
    """Return the fields that every answer has, with its Content-Security-Policy."""
    return (*_ALWAYS, ("Content-Security-Policy", csp))


def file_headers(name: str, stored_type: str | None, origin: Origin) -> tuple[Header, ...]:
    """Return type, disposition and policy of a file, without what depends on its bytes.

    Raises:
        BadInput: the name holds control characters.
    """
    media_type = media_type_of(name, stored_type)
    trusted = origin is Origin.SITE
    shown = is_shown(media_type) or (trusted and is_active(media_type))
    csp = SITE_CSP if trusted else ACTIVE_FILE_CSP if is_active(media_type) else FILE_CSP
    if origin is Origin.PORT and is_active(media_type):
        media_type = BYTES
    return (
        ("Content-Type", media_type),
        ("Content-Disposition", disposition(name, shown=shown)),
        *common_headers(csp),
    )


def disposition(name: str, *, shown: bool) -> str:
    """Return Content-Disposition with the name in RFC 8187 form only: ASCII, nothing to escape.

    Raises:
        BadInput: the name holds control characters, or is not text that UTF-8 can carry.
    """
    if _CONTROL.search(name):
        raise BadInput("The file's name holds control characters.", code="bad-name")
    try:
        encoded = quote(name, safe=_ATTR_CHAR)
    except UnicodeEncodeError:
        raise BadInput("The file's name is not valid text.", code="bad-name") from None
    return f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{encoded}"


def entity_tag(secret: bytes, identity: str, media_type: str) -> str:
    """Return a strong ETag that changes with the content and tells nothing about it.

    ``identity`` may be a cap: it is hashed with 32 secret bytes of this run.
    """
    message = f"{media_type}\0{identity}".encode()
    return f'"{blake3(message, key=secret).hexdigest(length=16)}"'


def tag_matches(field: str | None, tag: str, *, weak: bool) -> bool:
    """Say whether a list of entity tags (If-Match, If-None-Match) names ``tag`` or is ``*``.

    With ``weak`` the prefix ``W/`` is overlooked; without it such a tag never matches.
    """
    if field is None:
        return False
    if field.strip() == "*":
        return True
    candidates = (item.strip() for item in field.split(","))
    return any((item.removeprefix("W/") if weak else item) == tag for item in candidates)
