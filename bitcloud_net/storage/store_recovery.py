"""Opening the share store: whatever a crash left behind is put in order before anything is served.

Whole shares were synced before they got their name, so a file among the shares is whole; the index
follows the files, never the other way round. A share that was on its way in can go on where it
stopped, for a while.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from bitcloud_net.core.errors import LocalFault, Malformed
from bitcloud_net.core.files.share import HEADER_BYTES, ShareHeader
from bitcloud_net.storage.disk import Disk, replace_file
from bitcloud_net.storage.share_file import ShareFile
from bitcloud_net.storage.share_index import IndexedShare, ShareIndex
from bitcloud_net.storage.share_part import remove_part
from bitcloud_net.storage.store_layout import (
    BUCKETS,
    ShareName,
    StoreLayout,
    UploadName,
    share_named,
    upload_named,
)

STORE_VERSION = 1
"""Version of the directory layout; the share files carry their own."""
MAX_PART_AGE_S = 7 * 24 * 3600
"""A share on its way in that nobody went on with for a week is given up."""
_TAKE_IN_BATCH = 256


@dataclass(slots=True, kw_only=True)
class Recovery:
    """What was found. ``parts`` are the shares on their way in, with the bytes written of each."""

    parts: dict[UploadName, tuple[ShareHeader, int]] = field(default_factory=dict)
    taken_in: int = 0  # whole shares that the index did not know
    lost: int = 0  # shares that the index knew and the disk does not
    damaged: int = 0  # among those taken in
    dropped: int = 0  # files of no use in the directory of incoming shares


def check_version(disk: Disk, layout: StoreLayout) -> None:
    """Return when this program may use the store. There is no older version to migrate yet.

    Raises:
        LocalFault: ``store-too-new`` or ``store-damaged``; nothing was touched.
        OSError: the disk could not be read.
    """
    version = _version(disk, layout)
    if version is not None and version != STORE_VERSION:
        raise LocalFault(
            f"The share store in {layout.directory} was written by a newer Bitcloud. Update the "
            "program; nothing was changed.",
            code="store-too-new",
        )


def prepare_directory(disk: Disk, layout: StoreLayout) -> None:
    """Make the store's directories and its version file, where they are missing.

    Raises:
        OSError: the disk would not take it.
    """
    for directory in (layout.incoming, *map(layout.bucket, BUCKETS)):
        disk.make_directory(directory)
    if _version(disk, layout) is None:
        replace_file(disk, layout.version, b"%d\n" % STORE_VERSION)


def recover(disk: Disk, layout: StoreLayout, index: ShareIndex, now_s: int) -> Recovery:
    """Make the index agree with the files, and the incoming directory with reason.

    Raises:
        LocalFault: the index failed.
        OSError: the disk could not be read or written.
    """
    found = Recovery()
    for bucket in BUCKETS:
        _recover_bucket(disk, layout, index, bucket, found)
    _recover_incoming(disk, layout, index, now_s, found)
    return found


def _version(disk: Disk, layout: StoreLayout) -> int | None:
    try:
        file = disk.open(layout.version)
    except FileNotFoundError:
        return None
    try:
        return int(file.read_at(0, 16))
    except ValueError as error:
        raise LocalFault(
            f"The file {layout.version} is damaged. If no newer Bitcloud used this store, remove "
            "the file and start again; the shares are not affected.",
            code="store-damaged",
        ) from error
    finally:
        file.close()


def _recover_bucket(
    disk: Disk, layout: StoreLayout, index: ShareIndex, bucket: str, found: Recovery
) -> None:
    on_disk = {name for text in disk.names(layout.bucket(bucket)) if (name := share_named(text))}
    low = bytes.fromhex(bucket)
    known = index.names_between(low, bytes([low[0] + 1]) if low[0] < 255 else None)
    if gone := known - on_disk:
        index.remove(gone)
        found.lost += len(gone)
    unknown = sorted(on_disk - known)
    for start in range(0, len(unknown), _TAKE_IN_BATCH):
        batch = unknown[start : start + _TAKE_IN_BATCH]
        shares = [_look_at(disk, layout, name) for name in batch]
        index.add(shares)
        found.taken_in += len(shares)
        found.damaged += sum(share.damaged for share in shares)


def _look_at(disk: Disk, layout: StoreLayout, name: ShareName) -> IndexedShare:
    """Return the index's line for a share file; a damaged one stays, to be replaced by repair."""
    try:
        share = ShareFile.open(disk, layout.share(name), name)
    except LocalFault:
        size = _size(disk, layout, name)
        return IndexedShare(name=name, upload_id=b"", file_bytes=size, damaged=True)
    share.close()
    return IndexedShare(name=name, upload_id=share.header.upload_id, file_bytes=share.file_bytes)


def _size(disk: Disk, layout: StoreLayout, name: ShareName) -> int:
    with contextlib.suppress(OSError):
        file = disk.open(layout.share(name))
        with contextlib.closing(file):
            return file.size()
    return 0


def _recover_incoming(
    disk: Disk, layout: StoreLayout, index: ShareIndex, now_s: int, found: Recovery
) -> None:
    names = set(disk.names(layout.incoming))
    for text in sorted(names):
        name = upload_named(text)
        if name is None:
            continue
        names -= {text, layout.part(name).with_suffix(".journal").name}
        part = _part_worth_keeping(disk, layout, index, name, now_s)
        if part is None:
            remove_part(disk, layout.part(name))
            found.dropped += 1
        else:
            found.parts[name] = part
    for text in names:  # shares that came whole, and journals whose part is gone
        disk.unlink(layout.incoming / text)
        found.dropped += 1


def _part_worth_keeping(
    disk: Disk, layout: StoreLayout, index: ShareIndex, name: UploadName, now_s: int
) -> tuple[ShareHeader, int] | None:
    path = layout.part(name)
    if now_s - disk.modified_s(path) > MAX_PART_AGE_S or index.holds_upload(name):
        return None
    with contextlib.closing(disk.open(path)) as file:
        try:
            header = ShareHeader.parse(file.read_at(0, HEADER_BYTES))
        except Malformed:
            return None
        if header.share_no != name.share_no:
            return None
        return header, file.size()
