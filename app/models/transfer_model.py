"""Transfers for Qt's views, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.text import as_tooltip, shown
from bitcloud_net.api import Transfer

TRANSFER_ROLE = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


class TransferModel(QAbstractListModel):
    """At most a few hundred transfers; rows change in place while bytes move.

    ``spoken`` returns what a screen reader says of a transfer.
    """

    def __init__(
        self, parent: QObject | None = None, *, spoken: Callable[[Transfer], str] | None = None
    ) -> None:
        super().__init__(parent)
        self._spoken = spoken
        self._transfers: list[Transfer] = []

    def replace(self, transfers: Iterable[Transfer]) -> None:
        """Show these transfers, oldest first in, newest first out."""
        new = list(transfers)[::-1]
        old_ids = [t.id for t in self._transfers]
        new_ids = [t.id for t in new]
        added = len(new) - len(self._transfers)
        if added >= 0 and new_ids[added:] == old_ids:
            self._update(new, added)
        else:
            self.beginResetModel()
            self._transfers = new
            self.endResetModel()

    def _update(self, new: list[Transfer], added: int) -> None:
        if added:
            self.beginInsertRows(QModelIndex(), 0, added - 1)
            self._transfers = new[:added] + self._transfers
            self.endInsertRows()
        changed = [row for row, t in enumerate(new) if t != self._transfers[row]]
        self._transfers = new
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))

    def transfer_at(self, index: Index) -> Transfer | None:
        """Return the transfer at an index, or None for an invalid one."""
        return self._transfers[index.row()] if index.isValid() else None

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many transfers there are."""
        return 0 if parent is not None and parent.isValid() else len(self._transfers)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the transfer, or its title for screen readers."""
        transfer = self.transfer_at(index)
        if transfer is None:
            return None
        if role == TRANSFER_ROLE:
            return transfer
        if role == Qt.ItemDataRole.ToolTipRole and self._spoken is not None:
            return as_tooltip(self._spoken(transfer))  # a long reason does not fit its line
        if role == Qt.ItemDataRole.AccessibleTextRole and self._spoken is not None:
            return self._spoken(transfer)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return shown(transfer.title)
        return None
