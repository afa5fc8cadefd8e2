"""Whom a request is for: the exact Host values that are answered, and the labels in them.

A web page can make its own name point to 127.0.0.1 (DNS rebinding); the browser then treats us as
that page's origin. The defence is the Host field: it is compared with the few values that are
ours, byte for byte, before anything else is looked at.
"""

from __future__ import annotations

import base64
import hmac
import re

from bitcloud_net.wire.http_message import HttpRefusal

SEED_BYTES = 32
"""What a label is made from: 256 random bits, so that it cannot be guessed or probed for."""

LABEL_CHARACTERS = 52
"""32 bytes in base32 without padding. A DNS label may have 63 characters."""

_LABEL_HOST = re.compile(rf"([a-z2-7]{{{LABEL_CHARACTERS}}})\.localhost", re.ASCII)
_DEFAULT_PORT = 80


def label_from(seed: bytes) -> str:
    """Return the label of 32 bytes: 52 characters that are valid in a host name and in a path."""
    return base64.b32encode(seed).decode("ascii").rstrip("=").lower()


def authority(host: str, port: int) -> str:
    """Return what a browser writes in Host for ``http://host:port/``."""
    return host if port == _DEFAULT_PORT else f"{host}:{port}"


def label_of_host(host: str | None, port: int) -> str | None:
    """Return the label that is asked, or None for the landing page (``localhost``, an address).

    ``port`` is the one that we listen on. The label has the right form; whether it is known is not
    decided here.

    Raises:
        HttpRefusal: 400 no Host; 421 any value that is not exactly one of ours.
    """
    if host is None:
        raise HttpRefusal(400, "The request has no Host field.")
    if host in {authority(name, port) for name in ("localhost", "127.0.0.1", "[::1]")}:
        return None
    name, colon, text = host.partition(":")
    labelled = _LABEL_HOST.fullmatch(name)
    if labelled is None or f"{name}{colon}{text}" != authority(name, port):
        raise misdirected()
    return labelled[1]


def check_host(host: str | None, expected: str) -> None:
    """Return when Host is exactly ``expected``.

    Raises:
        HttpRefusal: 400 no Host; 421 it is anything else.
    """
    if host is None:
        raise HttpRefusal(400, "The request has no Host field.")
    if host != expected:
        raise misdirected()


def check_token(given: str, expected: str) -> None:
    """Return when the token of a path is the right one; the time taken does not tell how nearly.

    Raises:
        HttpRefusal: 404, as for any path that does not exist.
    """
    if not hmac.compare_digest(given.encode("utf-8"), expected.encode("utf-8")):
        raise HttpRefusal(404, "Nothing is here.")


def misdirected() -> HttpRefusal:
    """Return the one refusal for every host that is not ours, known or unknown labels alike."""
    return HttpRefusal(
        421,
        "This address is not served here, or it belongs to an earlier run of Bitcloud."
        " Open the file from Bitcloud again.",
    )
