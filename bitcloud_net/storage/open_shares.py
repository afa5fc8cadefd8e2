"""Shares kept open between reads, so that a reader does not open the file for each block."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bitcloud_net.core.units import MIB
from bitcloud_net.storage.share_file import ShareFile
from bitcloud_net.storage.store_layout import ShareName

MAX_OPEN_SHARES = 64
"""Open files: a 16th of the smallest usual limit for a process."""
MAX_OPEN_BYTES = 32 * MIB
"""Memory for proofs of open shares: those of 80 GiB of shares. One larger share is kept alone."""


@dataclass(slots=True)
class _Entry:
    share: ShareFile
    users: int = 0
    dropped: bool = False


class OpenShares:
    """A bounded set of open shares, least recently used out first. Called from worker threads."""

    def __init__(
        self,
        opener: Callable[[ShareName], ShareFile],
        *,
        max_shares: int = MAX_OPEN_SHARES,
        max_bytes: int = MAX_OPEN_BYTES,
    ) -> None:
        self._opener = opener
        self._max_shares = max_shares
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[ShareName, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def use(self, name: ShareName) -> Iterator[ShareFile]:
        """Open a share, or find it open; it stays open at least until the block ends.

        Raises:
            LocalFault: what the opener raises.
        """
        entry = self._find(name) or self._add(name, self._opener(name))
        try:
            yield entry.share
        finally:
            with self._lock:
                entry.users -= 1
                self._close_unused(entry)

    def drop(self, name: ShareName) -> None:
        """Forget a share whose file was replaced or removed."""
        with self._lock:
            if name in self._entries:
                self._evict(name)

    def close(self) -> None:
        """Close every share."""
        with self._lock:
            for name in list(self._entries):
                self._evict(name)

    def _find(self, name: ShareName) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(name)
            if entry:
                entry.users += 1
                self._entries.move_to_end(name)
            return entry

    def _add(self, name: ShareName, share: ShareFile) -> _Entry:
        with self._lock:
            if name in self._entries:  # another thread opened it meanwhile
                self._evict(name)
            entry = _Entry(share, users=1)
            self._entries[name] = entry
            self._bytes += share.memory_bytes
            while len(self._entries) > 1 and self._is_full():
                self._evict(next(iter(self._entries)))
            return entry

    def _is_full(self) -> bool:
        return len(self._entries) > self._max_shares or self._bytes > self._max_bytes

    def _evict(self, name: ShareName) -> None:
        entry = self._entries.pop(name)
        self._bytes -= entry.share.memory_bytes
        entry.dropped = True
        self._close_unused(entry)

    @staticmethod
    def _close_unused(entry: _Entry) -> None:
        if entry.dropped and not entry.users:
            entry.share.close()
