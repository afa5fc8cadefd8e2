"""Answers that we write ourselves: why something failed, and what is in a folder.

Names and reasons in them come from others. Reasons are plain text; names are escaped into a page
that may run no script and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bitcloud_net.core.errors import (
    BadInput,
    BitcloudError,
    LocalFault,
    Malformed,
    PeerFault,
    Refused,
    Unavailable,
)
from bitcloud_net.core.files.names import display_name
from bitcloud_net.wire.http_headers import common_headers
from bitcloud_net.wire.http_media import PLAIN_TEXT
from bitcloud_net.wire.http_message import Answer, Header, HttpRefusal
from bitcloud_net.wire.http_path import encode_name

MAX_REASON_CHARACTERS = 500
MAX_LISTED = 10_000
"""Lines of one listing page: about 1.5 MB of HTML, which browsers still scroll."""

RETRY_AFTER_S = 5

_CAP = re.compile(r"bitcloud:[0-9A-Za-z:_-]*", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 15%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .45rem .2rem; }
td:last-child { text-align: right; white-space: nowrap; opacity: .7; }
a { color: inherit; text-decoration: none; overflow-wrap: anywhere; }
a:hover { text-decoration: underline; }
p { opacity: .7; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
PAGE_CSP = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'self'"
)
LANDING_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'self'"
)

_HTML: Header = ("Content-Type", "text/html; charset=utf-8")
_STATUS_OF: tuple[tuple[type[BitcloudError], int], ...] = (
    (BadInput, 404),
    (Refused, 403),
    (Unavailable, 503),
    (PeerFault, 502),
    (Malformed, 502),
    (LocalFault, 500),
)
_BYTES_PER_STEP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a folder's page."""

    name: str
    is_folder: bool
    size_bytes: int | None = None


def redact(text: str) -> str:
    """Return text in which every cap is only named as such, fit for a log or a page."""
    return _CAP.sub("bitcloud:…", text)


def error_answer(error: BitcloudError) -> Answer:
    """Return the plain-text page that tells why a request got no content."""
    headers: tuple[Header, ...] = ()
    if isinstance(error, HttpRefusal):
        status, headers = error.status, error.headers
    else:
        status = next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 500)
    if status == 503:
        headers = ("Retry-After", str(RETRY_AFTER_S)), *headers
    reason = _UNPRINTABLE.sub(" ", redact(error.message))[:MAX_REASON_CHARACTERS]
    return text_answer(status, f"{reason}\n({error.code})\n", headers)


def text_answer(status: int, text: str, headers: tuple[Header, ...] = ()) -> Answer:
    """Return a page of plain text."""
    fields = (("Content-Type", PLAIN_TEXT), *headers, *common_headers(PAGE_CSP))
    return Answer(status=status, headers=fields, body=text.encode("utf-8", "replace"))


def landing_answer(page: bytes) -> Answer:
    """Return the static page at the gateway's own address."""
    return Answer(status=200, headers=(_HTML, *common_headers(LANDING_CSP)), body=page)


def listing_answer(title: str, base: str, lines: Sequence[Line]) -> Answer:
    """Return the page of a folder: folders first, then files, by name.

    ``base`` is the folder's own path in the URL, already encoded, with a slash at both ends. Lines
    whose names cannot be part of an address are left out. At most ``MAX_LISTED`` lines are shown.
    """
    ordered = sorted(lines, key=lambda line: (not line.is_folder, line.name.casefold()))
    rows = [row for line in ordered[:MAX_LISTED] if (row := _row(base, line))]
    if len(ordered) > MAX_LISTED:
        rows.append(f"<tr><td>… and {len(ordered) - MAX_LISTED:,} more</td><td></td></tr>")
    body = f"<table>{''.join(rows)}</table>" if rows else "<p>This folder is empty.</p>"
    heading = _shown(title)
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{heading}</title><style>{_STYLE}</style><h1><bdi>{heading}</bdi></h1>{body}\n"
    )
    return Answer(
        status=200, headers=(_HTML, *common_headers(PAGE_CSP)), body=page.encode("utf-8", "replace")
    )


def _row(base: str, line: Line) -> str:
    try:
        address = html.escape(base + encode_name(line.name))
    except BadInput:
        return ""
    slash, emblem = ("/", "📁") if line.is_folder else ("", "📄")
    size = "" if line.size_bytes is None or line.is_folder else _size_text(line.size_bytes)
    name = f"{emblem} <bdi>{_shown(line.name)}</bdi>"
    return f'<tr><td><a href="{address}{slash}">{name}</a></td><td>{size}</td></tr>'


def _shown(name: str) -> str:
    return html.escape(display_name(name))


def _size_text(size_bytes: int) -> str:
    if size_bytes < _BYTES_PER_STEP:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= _BYTES_PER_STEP
        if size < _BYTES_PER_STEP:
            return f"{size:.1f} {unit}"
    return f"{size / _BYTES_PER_STEP:.1f} PB"
