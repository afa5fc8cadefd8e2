"""Entries of one folder for Qt's views: one role, pages of 500, changes instead of resets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QUrl,
)

from app.text import as_tooltip, shown
from bitcloud_net.api import Entry

PAGE_ROWS = 500
"""Rows handed to a view at once: 2.7 ms in an icon view, far under a frame."""

ENTRY_ROLE = Qt.ItemDataRole.UserRole + 1
"""The whole ``Entry``. Painting asks for nothing else: each ``data()`` call costs a crossing."""

Index = QModelIndex | QPersistentModelIndex


def address_of(entry: Entry) -> str:
    """Return the address text of an entry, such as ``bitcloud:/Public/Mary``."""
    return f"bitcloud:/{entry.path}"


class EntryModel(QAbstractListModel):
    """A list of entries that a view can page through.

    ``spoken`` returns what a screen reader says of an entry. ``local_copy`` returns where a fetched
    copy of it lies, or None; a drag then carries a file.
    """

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        local_copy: Callable[[Entry], str | None] | None = None,
        spoken: Callable[[Entry], str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._entries: list[Entry] = []
        self._shown_rows = 0
        self._local_copy = local_copy
        self._spoken = spoken

    @property
    def entries(self) -> Sequence[Entry]:
        """All entries, also those that no view has asked for yet."""
        return self._entries

    def replace(self, entries: Sequence[Entry]) -> None:
        """Show these entries, telling views only what differs, so that selection and scroll
        stay."""
        new = list(entries)
        if self._same_paths(new):
            self._update_values(new)
            return
        if not self._entries:
            self._insert_run(0, new)
            return
        wanted = {entry.path for entry in new}
        self._remove_missing(wanted)
        if self._is_subsequence_of(new):
            self._insert_new(new)
            self._update_values(new)
        else:
            self.beginResetModel()
            self._entries = new
            self._shown_rows = min(len(new), PAGE_ROWS)
            self.endResetModel()

    def _same_paths(self, new: list[Entry]) -> bool:
        return len(new) == len(self._entries) and all(
            a.path == b.path for a, b in zip(new, self._entries, strict=True)
        )

    def _update_values(self, new: list[Entry]) -> None:
        changed = [
            row for row, entry in enumerate(new[: self._shown_rows]) if entry != self._entries[row]
        ]
        self._entries = new
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))

    def _remove_missing(self, wanted: set[str]) -> None:
        gone = [row for row, entry in enumerate(self._entries) if entry.path not in wanted]
        if len(gone) > PAGE_ROWS:
            return  # a reset is cheaper than so many signals
        for row in reversed(gone):
            if row < self._shown_rows:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._entries[row]
                self._shown_rows -= 1
                self.endRemoveRows()
            else:
                del self._entries[row]

    def _is_subsequence_of(self, new: list[Entry]) -> bool:
        position = iter(new)
        return all(any(entry.path == other.path for other in position) for entry in self._entries)

    def _insert_new(self, new: list[Entry]) -> None:
        row = 0
        while row < len(new):
            known = self._entries[row].path if row < len(self._entries) else None
            end = row
            while end < len(new) and new[end].path != known:
                end += 1
            if end > row:
                self._insert_run(row, new[row:end])
            row = end + 1

    def _insert_run(self, row: int, run: list[Entry]) -> None:
        """Insert entries side by side; what lies beyond the pages handed out stays unseen."""
        if row < self._shown_rows:
            visible = len(run)
        elif row == self._shown_rows:
            visible = max(0, min(len(run), PAGE_ROWS - self._shown_rows))
        else:
            visible = 0
        if visible:
            self.beginInsertRows(QModelIndex(), row, row + visible - 1)
        self._entries[row:row] = run
        self._shown_rows += visible
        if visible:
            self.endInsertRows()

    def update_entry(self, entry: Entry) -> None:
        """Replace what is known about one path, where it is listed."""
        row = self.row_of(entry.path)
        if row < 0 or self._entries[row] == entry:
            return
        self._entries[row] = entry
        if row < self._shown_rows:
            self.dataChanged.emit(self.index(row), self.index(row))

    def row_of(self, path: str) -> int:
        """Return the row of a path, or -1."""
        return next((row for row, e in enumerate(self._entries) if e.path == path), -1)

    def entry_at(self, index: Index) -> Entry | None:
        """Return the entry at an index, or None for an invalid one."""
        if not index.isValid() or index.row() >= self._shown_rows:
            return None
        return self._entries[index.row()]

    # Qt's side

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many rows views may show so far."""
        return 0 if parent is not None and parent.isValid() else self._shown_rows

    def canFetchMore(self, parent: Index) -> bool:
        """Return whether another page is waiting."""
        return not parent.isValid() and self._shown_rows < len(self._entries)

    def fetchMore(self, parent: Index) -> None:
        """Hand out another page."""
        if not self.canFetchMore(parent):
            return
        more = min(PAGE_ROWS, len(self._entries) - self._shown_rows)
        self.beginInsertRows(QModelIndex(), self._shown_rows, self._shown_rows + more - 1)
        self._shown_rows += more
        self.endInsertRows()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the entry, or its name for screen readers and type-ahead."""
        entry = self.entry_at(index)
        if entry is None:
            return None
        if role == ENTRY_ROLE:
            return entry
        if role == Qt.ItemDataRole.AccessibleTextRole and self._spoken is not None:
            return self._spoken(entry)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return shown(entry.name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_tooltip(entry.name)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Every entry can be selected and dragged."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return (
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsDragEnabled
            | Qt.ItemFlag.ItemNeverHasChildren
        )

    def mimeTypes(self) -> list[str]:
        """Drags carry files where local copies exist, and addresses always."""
        return ["text/uri-list", "text/plain"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Return the addresses of the dragged entries, and the files that exist on this
        computer."""
        entries = [entry for index in indexes if (entry := self.entry_at(index)) is not None]
        data = QMimeData()
        data.setText("\n".join(address_of(entry) for entry in entries))
        if self._local_copy is not None:
            copies = [copy for entry in entries if (copy := self._local_copy(entry)) is not None]
            if len(copies) == len(entries):
                data.setUrls([QUrl.fromLocalFile(copy) for copy in copies])
        return data
