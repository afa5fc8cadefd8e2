"""The virtual disk: publishers, people, folders and files, as rows of the nodepool say.

Reading: each person's rows are opened once into a tree in memory (``core.files.tree``) and kept in
step with the nodepool from then on, so listing costs no query. Writing: a path becomes folder rows
where they are missing, a published file becomes one placement row and one file row.

The first level has one publisher so far, *Public*; the second its people. Two people of one
nickname are told apart by the start of their key's fingerprint.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import trio
from blake3 import blake3

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.files.names import entry_name, file_name_for, join_path, split_path
from bitcloud_net.core.files.tree import (
    ROOT_ID,
    FileEntry,
    FolderEntry,
    PersonTree,
    file_id_of,
    folder_id_of,
    public_folder_key,
    seal_file,
    seal_folder,
)
from bitcloud_net.core.keys import PublicKey, SigningKey
from bitcloud_net.core.nodepool.row_bodies import FileBody, FolderBody, PlacementBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.nodepool.queries import Person, Placement, Queries
from bitcloud_net.nodepool.row_store import NewRow, RowStore
from bitcloud_net.views import EntriesChanged, Entry, EntryKind, FolderContent

PUBLIC: Final = "Public"
"""The publisher that is always there: the public grid."""
SHOWN_FINGERPRINT: Final = 6
"""Characters of a fingerprint beside a nickname that two people share: 30 bits."""
WHOLE_FINGERPRINT: Final = 16
"""And where these agree as well, which somebody can arrange in an hour: 80 bits."""
TOLD_APART: Final = " ~"
"""Between the two. Who has it in a nickname is always told apart, so nobody looks like another."""
MAX_NICKNAME_BYTES: Final = 200
"""Of 64 characters, so that a fingerprint still fits into a name of 255 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file of the virtual disk and where it was found."""

    path: str
    owner: PublicKey
    entry: FileEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFolder:
    """A folder of the virtual disk: everything of a person where ``parts`` is empty."""

    path: str
    owner: PublicKey
    parts: tuple[str, ...]
    tree: PersonTree
    folder: FolderEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """A file whose content is stored, ready to be listed."""

    folder: FolderEntry
    entry: FileEntry
    manifest: bytes
    holders: tuple[bytes, ...]


def fingerprint(key: bytes) -> str:
    """Return the short text by which people compare keys: 80 bits of its hash, in four groups."""
    digest = blake3(key, derive_key_context="bitcloud v1 fingerprint").digest()[:10]
    text = base64.b32encode(digest).decode().lower()
    return " ".join(text[at : at + 4] for at in range(0, 16, 4))


class Library:
    """The virtual disk as one person sees and changes it."""

    def __init__(
        self,
        rows: RowStore,
        queries: Queries,
        user: SigningKey,
        nickname: str,
        on_news: Callable[[EntriesChanged], None],
        avoided: Container[bytes] = (),
        *,
        is_sparing: bool = False,
    ) -> None:
        """``avoided`` are keys of people who are not shown. ``is_sparing``: do not read a person's
        files only to count them.
        """
        self._is_sparing = is_sparing
        self._rows = rows
        self._queries = queries
        self._user = user
        self._nickname = nickname
        self._on_news = on_news
        self._avoided = avoided
        self._trees: dict[PublicKey, PersonTree] = {}
        self._changed: set[PublicKey] = set()  # owners whose rows came since they were last read
        self._loading = trio.Lock()
        self._writing = trio.Lock()
        rows.watch(self._rows_changed)

    # Reading

    async def entries(self, path: str) -> tuple[Entry, ...]:
        """List what is directly below ``path``, sorted by name, folders first.

        Raises:
            BadInput: ``no-such-path``.
        """
        parts = split_path(path)
        if not parts:
            return (await self._public(),)
        if len(parts) == 1:
            self._check_publisher(parts[0])
            return await self._people()
        return _entries_of(await self.folder(path), self._user.public)

    async def folder(self, path: str) -> FoundFolder:
        """Return the folder at ``path``, a person's whole space for a path of two names.

        Raises:
            BadInput: ``no-such-path``.
        """
        found = await self._find_folder(split_path(path))
        if found is None:
            raise _no_such_path(path)
        return found

    async def file(self, path: str) -> FoundFile:
        """Return the file at ``path``.

        Raises:
            BadInput: ``no-such-path``; ``is-a-folder`` when there is a folder.
        """
        parts = split_path(path)
        parent = await self._find_folder(parts[:-1]) if len(parts) > 2 else None
        entry = parent.tree.file(parent.folder, parts[-1]) if parent else None
        if parent is None or entry is None:
            if len(parts) < 2 or await self._find_folder(parts) is not None:
                raise BadInput(f"{path or '/'} is a folder; name a file in it", code="is-a-folder")
            raise _no_such_path(path)
        return FoundFile(path=f"{parent.path}/{entry.name}", owner=parent.owner, entry=entry)

    async def own_file(self, folder: FolderEntry, name: str) -> tuple[FileEntry, int] | None:
        """Return a file directly in a folder of the person's own, and the period of its row."""
        row = await self._queries.file(self._user.public, file_id_of(folder.key, name))
        entry = (await self._tree(self._user.public)).file(folder, name)
        return None if row is None or entry is None else (entry, row.period)

    async def entry(self, path: str) -> Entry:
        """Return the one line of the virtual disk at ``path``. Raises as ``entries``."""
        parts = split_path(path)
        if not parts:
            raise BadInput("name something below the top", code="no-such-path")
        siblings = await self.entries("/".join(parts[:-1]))
        for sibling in siblings:
            if sibling.name == parts[-1]:
                return sibling
        raise _no_such_path(path)

    async def placements(self, cid: bytes) -> tuple[Placement, ...]:
        """Return what everybody says about where a stored file is."""
        return await self._queries.placements(cid)

    async def home_path(self) -> str:
        """Return the path of the person's own space."""
        return join_path((PUBLIC, await self._own_name()))

    # Writing

    async def make_folder(self, path: str) -> FoundFolder:
        """Return the person's own folder at ``path``, made with all above it where missing.

        A path that names nobody lies in the person's own space: ``Public/Holiday``, and
        ``Public/Holiday/Beach`` when there is a ``Holiday`` already.

        Raises:
            BadInput: ``not-yours`` when it lies in another person's space, ``no-such-person``,
                ``bad-name``.
        """
        parts = await self._own_parts(path)
        async with self._writing:
            folder = await self._register()
            tree = await self._tree(self._user.public)
            for depth, name in enumerate(parts):
                inner = tree.folder(parts[: depth + 1])
                folder = inner or await self._make_one(folder, name)
        shown = join_path((PUBLIC, await self._own_name(), *parts))
        return FoundFolder(
            path=shown, owner=self._user.public, parts=parts, tree=tree, folder=folder
        )

    async def list_files(self, stored: Sequence[StoredEntry]) -> None:
        """Write placement and file rows, so that everybody finds what was stored."""
        rows = []
        for item in stored:
            body = PlacementBody(manifest=item.manifest, holders=item.holders)
            rows.append(NewRow(table=Table.PLACEMENT, key_suffix=item.entry.cap.cid, body=body))
            rows.append(
                NewRow(
                    table=Table.FILE,
                    key_suffix=file_id_of(item.folder.key, item.entry.name),
                    body=seal_file(item.folder, item.entry),
                )
            )
        await self._rows.write_many(rows, signer=self._user)

    async def place_again(self, cid: bytes, manifest: bytes, holders: tuple[bytes, ...]) -> None:
        """Write a new placement row of the person's own for a stored file."""
        body = PlacementBody(manifest=manifest, holders=holders)
        await self._rows.write(Table.PLACEMENT, cid, body, signer=self._user)

    async def _register(self) -> FolderEntry:
        """Write the person's own row and root folder where they are missing or say something else.

        Done at the first publishing: who only reads, or only lends space, is not listed.
        """
        person = await self._queries.person(self._user.public)
        if person is None or person.nickname != self._nickname:
            body = UserBody(nickname=self._nickname)
            await self._rows.write(Table.USER, b"", body, signer=self._user)
        root = FolderEntry(id=ROOT_ID, parent=None, name="", key=self._folder_key(ROOT_ID))
        if await self._queries.folder(self._user.public, ROOT_ID) is None:
            await self._rows.write(Table.FOLDER, ROOT_ID, seal_folder(root), signer=self._user)
        return root

    # The tree in memory

    async def _tree(self, owner: PublicKey) -> PersonTree:
        async with self._loading:
            while owner not in self._trees:
                self._changed.discard(owner)
                tree = await self._load(owner)
                if owner not in self._changed:  # else rows came while we read: read again
                    self._trees[owner] = tree
            return self._trees[owner]

    async def _load(self, owner: PublicKey) -> PersonTree:
        tree = PersonTree()
        folders = await self._queries.all_folders_of(owner)
        for folder in folders:
            tree.put_folder(folder.id, folder.body)
        for folder in folders:
            for file in await self._queries.files_of(owner, folder.id):
                tree.put_file(file.id, file.body)
        return tree

    def _rows_changed(self, news: RowsChanged) -> None:
        if not news.tables & {Table.USER, Table.FOLDER, Table.FILE}:
            return
        if not news.rows:  # only expiry: load again when next asked
            self._trees.clear()
        for row in news.rows:
            self._changed.add(row.owner)
            if (tree := self._trees.get(row.owner)) is not None:
                _apply(tree, row)
        self._on_news(EntriesChanged(path=PUBLIC))

    def _folder_key(self, folder_id: bytes) -> bytes:
        return public_folder_key(self._user.seed, folder_id)

    async def _make_one(self, parent: FolderEntry, name: str) -> FolderEntry:
        folder_id = folder_id_of(parent.key, name)
        key = self._folder_key(folder_id)
        folder = FolderEntry(id=folder_id, parent=parent.id, name=entry_name(name), key=key)
        await self._rows.write(Table.FOLDER, folder_id, seal_folder(folder), signer=self._user)
        return folder

    # People

    async def person_at(self, path: str) -> tuple[bytes, str]:
        """Return the key of the person whose space ``path`` is, and the name shown.

        Raises:
            BadInput: ``no-such-path``.
        """
        parts = split_path(path)
        if len(parts) == 2 and parts[0] == PUBLIC:
            person = (await self._names()).get(parts[1])
            if person is not None:
                return person.owner, parts[1]
        raise _no_such_path(path)

    async def _names(self) -> dict[str, Person]:
        """Return everybody by the name shown: the nickname, told apart where two have the same."""
        people = await self._people_rows()
        count = Counter(_plain_name(person).casefold() for person in people)
        names: dict[str, list[Person]] = {}
        for person in people:
            name = _plain_name(person)
            shared = count[name.casefold()] > 1 or TOLD_APART in name
            if shared and person.owner != self._user.public:
                name = _told_apart(person, SHOWN_FINGERPRINT)
            names.setdefault(name, []).append(person)
        return {
            name if len(same) == 1 else _told_apart(person, WHOLE_FINGERPRINT): person
            for name, same in names.items()
            for person in same
        }

    async def _people_rows(self) -> list[Person]:
        """Return everybody, and the person even before the first publishing."""
        found = await self._queries.people()
        people = [person for person in found if person.owner not in self._avoided]
        if all(person.owner != self._user.public for person in people):
            people.append(Person(owner=self._user.public, nickname=self._nickname, period=0))
        return people

    async def _own_name(self) -> str:
        for name, person in (await self._names()).items():
            if person.owner == self._user.public:
                return name
        return self._nickname

    async def _own_parts(self, path: str) -> tuple[str, ...]:
        parts = split_path(path)
        if not parts:
            return ()
        self._check_publisher(parts[0])
        person = (await self._names()).get(parts[1]) if len(parts) > 1 else None
        if person is None:
            await self._check_own(path, parts[1:])
            return parts[1:]
        if person.owner != self._user.public:
            raise BadInput(
                f"{path} belongs to {person.nickname}; publish below {await self.home_path()}",
                code="not-yours",
            )
        return parts[2:]

    async def _check_own(self, path: str, inner: tuple[str, ...]) -> None:
        """Return when a path without a person is meant for the own space: it names one folder, new
        or not, or goes on from one that is there. Else its first name was meant for a person."""
        tree = await self._tree(self._user.public)
        if len(inner) > 1 and tree.folder(inner[:1]) is None:
            raise BadInput(
                f"nobody here is called {inner[0]}; to publish into your own space, "
                f"say {join_path((*split_path(await self.home_path()), *inner))}",
                code="no-such-person",
            )

    async def _find_folder(self, parts: tuple[str, ...]) -> FoundFolder | None:
        if len(parts) < 2 or parts[0] != PUBLIC:
            return None
        person = (await self._names()).get(parts[1])
        if person is None:  # "Public/Holiday": in the person's own space
            owner, inner, name = self._user.public, parts[1:], await self._own_name()
        else:
            owner, inner, name = person.owner, parts[2:], parts[1]
        tree = await self._tree(owner)
        folder = tree.folder(inner)
        if folder is None and not inner and owner == self._user.public:
            folder = FolderEntry(id=ROOT_ID, parent=None, name="", key=self._folder_key(ROOT_ID))
        if folder is None:
            return None
        path = join_path((PUBLIC, name, *inner))
        return FoundFolder(path=path, owner=owner, parts=inner, tree=tree, folder=folder)

    def _check_publisher(self, name: str) -> None:
        if name != PUBLIC:
            raise BadInput(f"there is no publisher {name}; there is {PUBLIC}", code="no-such-path")

    async def _public(self) -> Entry:
        people = await self._people_rows()
        return Entry(kind=EntryKind.PUBLISHER, path=PUBLIC, name=PUBLIC, items=len(people))

    async def _people(self) -> tuple[Entry, ...]:
        entries = []
        cheats = frozenset(await self._queries.cheats())
        for name, person in (await self._names()).items():
            entries.append(
                Entry(
                    kind=EntryKind.PERSON,
                    path=join_path((PUBLIC, name)),
                    name=name,
                    mine=person.owner == self._user.public,
                    items=await self._count(person.owner),
                    fingerprint=fingerprint(person.owner),
                    conflicting=person.owner in cheats,
                )
            )
        return tuple(sorted(entries, key=lambda entry: (not entry.mine, entry.name.casefold())))

    async def _count(self, owner: PublicKey) -> int | None:
        if self._is_sparing and owner not in self._trees:
            return None
        tree = await self._tree(owner)
        return len(tree.folders_in(ROOT_ID)) + len(tree.files_in(ROOT_ID))


def _apply(tree: PersonTree, row: SignedRow) -> None:
    if row.table is Table.FOLDER:
        if isinstance(row.body, FolderBody):
            tree.put_folder(row.key_suffix, row.body)
        else:
            tree.drop_folder(row.key_suffix)
    elif row.table is Table.FILE:
        if isinstance(row.body, FileBody):
            tree.put_file(row.key_suffix, row.body)
        else:
            tree.drop_file(row.key_suffix)


def _plain_name(person: Person) -> str:
    """Return a stranger's nickname as a name that a path can have."""
    return file_name_for(person.nickname.encode()[:MAX_NICKNAME_BYTES].decode(errors="ignore"))


def _told_apart(person: Person, characters: int) -> str:
    short = fingerprint(person.owner).replace(" ", "")[:characters]
    return f"{_plain_name(person)}{TOLD_APART}{short}"


def _entries_of(found: FoundFolder, me: PublicKey) -> tuple[Entry, ...]:
    mine = found.owner == me
    folders = [
        Entry(
            kind=EntryKind.FOLDER,
            path=f"{found.path}/{folder.name}",
            name=folder.name,
            mine=mine,
            content=_content_of(found.tree.files_in(folder.id)),
            items=len(found.tree.files_in(folder.id)) + len(found.tree.folders_in(folder.id)),
            size_bytes=found.tree.bytes_below(folder),
        )
        for folder in found.tree.folders_in(found.folder.id)
    ]
    files = [
        Entry(
            kind=EntryKind.FILE,
            path=f"{found.path}/{file.name}",
            name=file.name,
            mine=mine,
            size_bytes=file.size,
            modified_s=file.modified_s,
            media_type=file.media_type or None,
        )
        for file in found.tree.files_in(found.folder.id)
    ]
    return (*_by_name(folders), *_by_name(files))


def _by_name(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.name.casefold(), entry.name))


_CONTENT = {
    "video": FolderContent.VIDEO,
    "audio": FolderContent.MUSIC,
    "image": FolderContent.PICTURES,
    "text": FolderContent.DOCUMENTS,
}


def _content_of(files: Sequence[FileEntry]) -> FolderContent:
    """Return what most files of a folder are; documents are everything else that people read."""
    if not files:
        return FolderContent.EMPTY
    kinds = Counter(
        _CONTENT.get(file.media_type.partition("/")[0], FolderContent.MIXED) for file in files
    )
    kind, count = kinds.most_common(1)[0]
    return kind if 2 * count > len(files) else FolderContent.MIXED


def _no_such_path(path: str) -> BadInput:
    return BadInput(f"there is no {path}; see what there is with: bitcloud ls", code="no-such-path")
