"""A folder as it was last seen, and how lists of it are arranged. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from app.preferences import Order
from bitcloud_net.api import Entry, EntryKind

MAX_RESULTS = 1000
"""Search stops here: nobody reads more, and the view stays quick."""


class ListingState(StrEnum):
    """How far a folder is loaded."""

    LOADING = "loading"
    READY = "ready"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is known below one path. In ``ERROR`` the entries are the last ones seen, or none."""

    path: str
    state: ListingState
    entries: tuple[Entry, ...] = ()
    error: BaseException | None = None

    def find(self, path: str) -> Entry | None:
        """Return the entry with this path."""
        return next((entry for entry in self.entries if entry.path == path), None)


def parent_path(path: str) -> str:
    """Return the path above; ``""`` is the top."""
    return path.rpartition("/")[0]


def is_inside(path: str, outer: str) -> bool:
    """Whether ``path`` is ``outer`` or lies below it; everything lies below the top, ``""``."""
    return not outer or path == outer or path.startswith(f"{outer}/")


def path_names(path: str) -> list[str]:
    """Return the names along a path."""
    return path.split("/") if path else []


def path_chain(path: str) -> list[str]:
    """Return all paths from the top to ``path``: ``["", "Public", "Public/Mary"]``."""
    names = path_names(path)
    return ["/".join(names[:length]) for length in range(len(names) + 1)]


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Return text as it is compared in searches and orders: without case and accents."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


_FIRST = {EntryKind.PUBLISHER: 0, EntryKind.PERSON: 0, EntryKind.FOLDER: 0, EntryKind.FILE: 1}
_KEYS: dict[Order, Callable[[Entry], Any]] = {
    Order.NEWEST: lambda e: (-(e.modified_s or 0), fold(e.name)),
    Order.NAME: lambda e: (fold(e.name), e.name),
    Order.LARGEST: lambda e: (-(e.size_bytes or 0), fold(e.name)),
    Order.KIND: lambda e: (e.media_type or "~", fold(e.name)),
}


def arranged(entries: Iterable[Entry], order: Order) -> list[Entry]:
    """Return entries with folders first (by name), then files in the chosen order."""
    key = _KEYS[order]
    folders: list[Entry] = []
    files: list[Entry] = []
    for entry in entries:
        (files if _FIRST[entry.kind] else folders).append(entry)
    return sorted(folders, key=_KEYS[Order.NAME]) + sorted(files, key=key)


def columned(entries: Iterable[Entry]) -> list[Entry]:
    """Return what a column shows: everything but files, by name, *Public* last as in the
    drawing."""
    inner = (entry for entry in entries if entry.kind is not EntryKind.FILE)
    return sorted(inner, key=lambda e: (is_public(e), fold(e.name)))


def is_public(entry: Entry) -> bool:
    """Whether this is the publisher *Public*, which belongs to everyone."""
    return entry.kind is EntryKind.PUBLISHER and entry.name == "Public"


def search(listings: Iterable[Listing], text: str) -> tuple[Entry, ...]:
    """Return entries whose name contains all words of ``text``, each once, best matches first."""
    words = fold(text).split()
    found: dict[str, tuple[int, Entry]] = {}
    for listing in listings:
        for entry in listing.entries:
            name = fold(entry.name)
            if words and all(word in name for word in words):
                found[entry.path] = (0 if name.startswith(words[0]) else 1, entry)
            if len(found) >= MAX_RESULTS:
                break
    ranked = sorted(found.values(), key=lambda pair: (pair[0], fold(pair[1].name)))
    return tuple(entry for _rank, entry in ranked)
