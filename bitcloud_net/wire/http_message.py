"""One HTTP request and its answer as values, and the refusal that becomes an error page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from bitcloud_net.core.errors import Refused

Header: TypeAlias = tuple[str, str]


class HttpRefusal(Refused):
    """A request that gets an error status instead of content.

    ``status`` is the HTTP status, ``headers`` what that status demands beside it (``Allow``,
    ``Content-Range``). The message is our own sentence; nothing of the request is repeated in it.
    """

    default_code = "http-refusal"

    def __init__(self, status: int, message: str, *, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(message, code=f"http-{status}")
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """The head of a request, as it was received. Names of ``headers`` are in lower case."""

    method: str
    target: str  # percent-encoded
    headers: tuple[Header, ...]

    def header(self, name: str) -> str | None:
        """Return the value of a field that may occur once; None where it is absent.

        Raises:
            HttpRefusal: 400, it occurs more than once. Two readers could choose different ones.
        """
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            raise HttpRefusal(400, f"The request has more than one {name} field.")
        return values[0] if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run of content: fixed bytes, then exactly ``length_bytes`` (at least 1) from a source.

    ``open`` is called when the part's turn comes, in the task that sends it, and what it returned
    is closed before the next part is opened. For a HEAD request it is never called.
    """

    prefix: bytes
    length_bytes: int
    open: Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, fields and body. ``suffix`` follows the last part."""

    status: int
    headers: tuple[Header, ...]
    body: bytes | tuple[Part, ...] = b""
    suffix: bytes = b""

    @property
    def length_bytes(self) -> int:
        """The exact number of body bytes; known before the first one is read."""
        if isinstance(self.body, bytes):
            return len(self.body)
        content = sum(len(part.prefix) + part.length_bytes for part in self.body)
        return content + len(self.suffix)
