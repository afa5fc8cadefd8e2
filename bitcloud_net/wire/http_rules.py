"""What every request must keep before anything is looked up: framing, method, where it came from.

The gateway has no state to change and no secrets beyond its addresses, so a request is a GET or
HEAD without a body. Browsers say where a request comes from (Fetch Metadata); other programs do
not and need the unguessable address instead.
"""

from __future__ import annotations

from bitcloud_net.wire.http_message import HttpRefusal, HttpRequest

MAX_HEAD_BYTES = 16 * 1024
"""Request line and fields together. Browsers stay below 8 KiB; nginx allows 32."""

MAX_FIELDS = 100
"""Header fields of one request; Apache's default. Browsers send about 20."""

METHODS = ("GET", "HEAD")

_FIELD_OVERHEAD_BYTES = len(": \r\n")
_OWN_SITE = frozenset({"same-origin", "none"})


def check_framing(request: HttpRequest) -> None:
    """Return when the request is small and has no body.

    Raises:
        HttpRefusal: 431 too large; 400 a transfer coding; 413 a body. After any of them the
            connection cannot be used again.
    """
    size_bytes = len(request.method) + len(request.target)
    for name, value in request.headers:
        size_bytes += len(name) + len(value) + _FIELD_OVERHEAD_BYTES
    if size_bytes > MAX_HEAD_BYTES or len(request.headers) > MAX_FIELDS:
        raise HttpRefusal(431, "The head of the request is too large.")
    if request.header("transfer-encoding") is not None:
        raise HttpRefusal(400, "This gateway takes no request body.")
    if (request.header("content-length") or "0").strip("0"):
        raise HttpRefusal(413, "This gateway takes no request body.")


def check_method(request: HttpRequest) -> None:
    """Return when the request reads and its target is a path.

    Raises:
        HttpRefusal: 405 any other method; 400 a target that is not a path: we are no proxy.
    """
    if request.method not in METHODS:
        allow = ("Allow", ", ".join(METHODS))
        raise HttpRefusal(405, "This gateway only reads: GET and HEAD.", headers=(allow,))
    if not request.target.startswith("/"):
        raise HttpRefusal(400, "The request target must be a path.")


def check_origin(request: HttpRequest, own_origin: str) -> None:
    """Return when no other web page made the request, or it only follows a link to us.

    ``own_origin`` is the origin that was asked, such as ``http://localhost:8080``. A page of
    another origin may send its visitor here, but can neither read nor embed anything.

    Raises:
        HttpRefusal: 403, it is another page's request.
    """
    site = request.header("sec-fetch-site")
    if site is None:
        origin = request.header("origin")  # a browser without Fetch Metadata
        if origin is not None and origin != own_origin:
            raise HttpRefusal(403, "Other web pages cannot read from this gateway.")
        return
    mode, destination = request.header("sec-fetch-mode"), request.header("sec-fetch-dest")
    if site not in _OWN_SITE and (mode, destination) != ("navigate", "document"):
        raise HttpRefusal(403, "Other web pages cannot read from this gateway.")
