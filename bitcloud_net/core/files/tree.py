"""One person's folders and files: what the sealed rows say, opened, as a tree in memory.

A folder's name and a file's entry (name, read cap, size, type, date) are sealed with the folder's
key. In *Public* that key stands open in the folder's row, so that everybody can read the names;
elsewhere only those who were given it. The ids of folders and files derive from the key of the
folder they lie in and their name: one name in one folder is one row, and a new version replaces
the old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from blake3 import blake3

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import BitcloudError, Malformed
from bitcloud_net.core.files.caps import ReadCap
from bitcloud_net.core.files.names import entry_name
from bitcloud_net.core.files.sealing import open_box, seal_box
from bitcloud_net.core.keys import derive
from bitcloud_net.core.nodepool.row_bodies import (
    FILE_ID_BYTES,
    FOLDER_ID_BYTES,
    MAX_SEALED_FILE_BYTES,
    FileBody,
    FolderBody,
)

ROOT_ID: Final = bytes(FOLDER_ID_BYTES)
"""Id of the folder that holds everything of a person in *Public*."""

_FOLDER_LABEL: Final = "folder entry"
_FILE_LABEL: Final = "file entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """A folder, opened. ``parent`` is None for a person's root."""

    id: bytes
    parent: bytes | None
    name: str
    key: bytes = field(repr=False)
    is_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file as its folder lists it."""

    name: str
    cap: ReadCap
    size: int  # bytes
    media_type: str
    modified_s: int  # seconds since 1970


def public_folder_key(secret: bytes, folder_id: bytes) -> bytes:
    """Return the key of a person's public folder, 32 bytes. It is published, its ``secret``
    never.
    """
    return derive(secret, "public folder", folder_id)


def folder_id_of(parent_key: bytes, name: str) -> bytes:
    """Return the id of the folder ``name`` (NFC) in the folder with ``parent_key``."""
    digest = blake3(b"folder\0" + name.encode(), key=parent_key).digest()
    return digest[:FOLDER_ID_BYTES]


def file_id_of(folder_key: bytes, name: str) -> bytes:
    """Return the id of the file ``name`` (NFC) in the folder with ``folder_key``."""
    return blake3(b"file\0" + name.encode(), key=folder_key).digest()[:FILE_ID_BYTES]


def seal_folder(entry: FolderEntry) -> FolderBody:
    """Return the row body of a folder."""
    plain = encoding.encode([1, entry.name])
    return FolderBody(
        parent=entry.parent or b"",
        open_key=entry.key if entry.is_open else b"",
        sealed=seal_box(entry.key, plain, _FOLDER_LABEL),
    )


def open_folder(folder_id: bytes, body: FolderBody, key: bytes) -> FolderEntry:
    """Return what a folder's row says, opened with its key.

    Raises:
        Malformed: another key, or what is sealed is no folder entry.
    """
    parent = body.parent or None
    match encoding.decode(open_box(key, body.sealed, _FOLDER_LABEL), max_bytes=1024):
        case [1, str(name)]:
            checked = "" if parent is None and not name else _name(name)
            return FolderEntry(
                id=folder_id, parent=parent, name=checked, key=key, is_open=bool(body.open_key)
            )
    raise Malformed("a folder entry has a version and a name")


def seal_file(folder: FolderEntry, entry: FileEntry) -> FileBody:
    """Return the row body of a file in ``folder``."""
    plain = encoding.encode(
        [1, entry.name, entry.cap.body, entry.size, entry.media_type, entry.modified_s]
    )
    return FileBody(folder=folder.id, sealed=seal_box(folder.key, plain, _FILE_LABEL))


def open_file(body: FileBody, folder_key: bytes) -> FileEntry:
    """Return what a file's row says, opened with its folder's key.

    Raises:
        Malformed: another key, or what is sealed is no file entry.
    """
    plain = open_box(folder_key, body.sealed, _FILE_LABEL)
    match encoding.decode(plain, max_bytes=MAX_SEALED_FILE_BYTES):
        case [1, str(name), bytes(cap), int(size), str(media_type), int(modified_s)]:
            if size < 0 or len(media_type) > 127 or not media_type.isascii():
                raise Malformed("a file entry with a size or type that cannot be")
            return FileEntry(
                name=_name(name),
                cap=ReadCap.from_body(cap),
                size=size,
                media_type=media_type,
                modified_s=max(0, modified_s),
            )
    raise Malformed("a file entry has a version, name, cap, size, type and date")


def _name(text: str) -> str:
    try:
        return entry_name(text)
    except BitcloudError as error:
        raise Malformed(f"a name that cannot be: {error}") from error


class PersonTree:
    """Everything of one person that we can open. Entries that cannot be opened are left out."""

    def __init__(self) -> None:
        self._folders: dict[bytes, FolderEntry] = {}
        self._files: dict[bytes, FileEntry] = {}
        self._folder_of: dict[bytes, bytes] = {}  # file id to folder id
        self._folders_in: dict[bytes, set[bytes]] = {}
        self._files_in: dict[bytes, set[bytes]] = {}

    def put_folder(self, folder_id: bytes, body: FolderBody) -> None:
        """Take a folder's row; the newest wins."""
        self.drop_folder(folder_id)
        try:
            entry = open_folder(folder_id, body, body.open_key)
        except (Malformed, ValueError):
            return
        self._folders[folder_id] = entry
        if entry.parent is not None:
            self._folders_in.setdefault(entry.parent, set()).add(folder_id)

    def put_file(self, file_id: bytes, body: FileBody) -> None:
        """Take a file's row; the newest wins."""
        self.drop_file(file_id)
        folder = self._folders.get(body.folder)
        if folder is None:
            return
        try:
            self._files[file_id] = open_file(body, folder.key)
        except Malformed:
            return
        self._folder_of[file_id] = folder.id
        self._files_in.setdefault(folder.id, set()).add(file_id)

    def drop_folder(self, folder_id: bytes) -> None:
        """Forget a folder; what lies in it stays known, unreachable."""
        entry = self._folders.pop(folder_id, None)
        if entry is not None and entry.parent is not None:
            self._folders_in[entry.parent].discard(folder_id)

    def drop_file(self, file_id: bytes) -> None:
        """Forget a file."""
        if self._files.pop(file_id, None) is not None:
            self._files_in[self._folder_of.pop(file_id)].discard(file_id)

    @property
    def root(self) -> FolderEntry | None:
        """The folder that holds everything, or None while there is nothing."""
        return self._folders.get(ROOT_ID)

    def folders_in(self, folder_id: bytes) -> list[FolderEntry]:
        """Return the folders directly in a folder, in no order."""
        return [self._folders[item] for item in self._folders_in.get(folder_id, ())]

    def files_in(self, folder_id: bytes) -> list[FileEntry]:
        """Return the files directly in a folder, in no order."""
        return [self._files[item] for item in self._files_in.get(folder_id, ())]

    def folder(self, parts: Iterable[str]) -> FolderEntry | None:
        """Return the folder at a path below the root."""
        entry = self.root
        for name in parts:
            if entry is None:
                return None
            entry = self._folders.get(folder_id_of(entry.key, name)) or self._by_name(entry, name)
        return entry

    def _by_name(self, parent: FolderEntry, name: str) -> FolderEntry | None:
        """Find a folder whose id does not derive from its name any more: it was renamed."""
        found = (item for item in self.folders_in(parent.id) if item.name == name)
        return next(found, None)

    def file(self, folder: FolderEntry, name: str) -> FileEntry | None:
        """Return the file ``name`` directly in a folder."""
        entry = self._files.get(file_id_of(folder.key, name))
        if entry is not None and entry.name == name:
            return entry
        return None

    def bytes_below(self, folder: FolderEntry) -> int:
        """Return the plain bytes of all files below a folder."""
        return sum(entry.size for _, entry in self.below(folder))

    def below(self, folder: FolderEntry) -> Iterator[tuple[tuple[str, ...], FileEntry]]:
        """Walk all files below a folder, with the names on the way from it."""
        waiting: list[tuple[tuple[str, ...], bytes]] = [((), folder.id)]
        seen = {folder.id}
        while waiting:
            path, folder_id = waiting.pop()
            for entry in self.files_in(folder_id):
                yield (*path, entry.name), entry
            for inner in self.folders_in(folder_id):
                if inner.id not in seen:  # rows can form a ring; a walk must end
                    seen.add(inner.id)
                    waiting.append(((*path, inner.name), inner.id))
