"""Where the share store keeps what, and how its files are called.

VERSION                               the version of this layout
lock                                  held while a program uses the store
index.db                              SQLite; rebuilt from the share files when lost
incoming/<upload id>-<share>.part     a share on its way in, and beside it its .journal
incoming/<number>.once                a share that came whole and is being written
shares/<cc>/<cid>-<share>.share       a share, whole, never written again; cc = first 2 of cid
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bitcloud_net.core.files.sealing import UPLOAD_ID_BYTES
from bitcloud_net.core.units import HASH_BYTES, MAX_SHARES

PART, JOURNAL, ONCE, SHARE = ".part", ".journal", ".once", ".share"
BUCKETS = tuple(f"{number:02x}" for number in range(256))
"""Directories of shares: a million shares make some 4,000 names in each."""


class ShareName(NamedTuple):
    """A share on this disk."""

    cid: bytes
    share_no: int


class UploadName(NamedTuple):
    """A share on its way in, before its content id is known."""

    slot: bytes  # of one client; as long as an upload id
    share_no: int


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """The paths of one store."""

    directory: Path

    @property
    def version(self) -> Path:
        """The file with the layout's version."""
        return self.directory / "VERSION"

    @property
    def index(self) -> Path:
        """The SQLite index."""
        return self.directory / "index.db"

    @property
    def incoming(self) -> Path:
        """The directory of shares that are not whole yet."""
        return self.directory / "incoming"

    def bucket(self, name: str) -> Path:
        """One of the directories of whole shares."""
        return self.directory / "shares" / name

    def share(self, name: ShareName) -> Path:
        """Where a whole share is."""
        text = name.cid.hex()
        return self.bucket(text[:2]) / f"{text}-{name.share_no}{SHARE}"

    def part(self, name: UploadName) -> Path:
        """Where a share on its way in is; its journal has the suffix ``.journal``."""
        return self.incoming / f"{name.slot.hex()}-{name.share_no}{PART}"

    def once(self, number: int) -> Path:
        """Where a share that came whole is until it is durable."""
        return self.incoming / f"{number}{ONCE}"


def share_named(file_name: str) -> ShareName | None:
    """Return the share that a file of this name in a bucket is, or None for a foreign file."""
    found = _parse(file_name, SHARE, HASH_BYTES)
    return ShareName(*found) if found else None


def upload_named(file_name: str) -> UploadName | None:
    """Return the upload that a part of this name is, or None for any other file."""
    found = _parse(file_name, PART, UPLOAD_ID_BYTES)
    return UploadName(*found) if found else None


def _parse(file_name: str, suffix: str, id_bytes: int) -> tuple[bytes, int] | None:
    text, _, number = file_name.removesuffix(suffix).rpartition("-")
    with contextlib.suppress(ValueError):
        found = bytes.fromhex(text), int(number)
        canonical = f"{found[0].hex()}-{found[1]}{suffix}"
        if file_name == canonical and len(found[0]) == id_bytes and found[1] < MAX_SHARES:
            return found
    return None
