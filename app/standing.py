"""How this node stands among the others: its way to the role that lending needs, and bans."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from PySide6.QtCore import QObject, Signal

from bitcloud_net.api import BanView, Client, Contribution, Membership

T = TypeVar("T")

LENDING_ROLE = "node"
"""The role that lending needs on networks where identities are mined."""

BANS_EVERY = 15
"""So many looks at the status go by between two questions for the bans; those end by the period."""


class AskNode(Protocol):
    """Asks the node for something; an error without a handler becomes a notice."""

    def __call__(
        self,
        request: Callable[[Client], Awaitable[T]],
        *,
        done: Callable[[T], None],
        failed: Callable[[BaseException], None] | None = None,
    ) -> object: ...


class Standing(QObject):
    """Part of the session, which tells it of every status and of news."""

    membership_changed = Signal()
    bans_changed = Signal()

    def __init__(self, ask_node: AskNode, parent: QObject) -> None:
        super().__init__(parent)
        self._ask_node = ask_node
        self._until_bans = 0
        self._is_banned = False
        self.membership: Membership | None = None  # None until the node has answered
        self.bans: tuple[BanView, ...] = ()

    def ask(self) -> None:
        """Ask for all of it anew."""
        self._until_bans = 0
        self._ask_node(
            lambda client: client.membership(role=LENDING_ROLE),
            done=self.take_membership,
            failed=lambda _error: None,
        )

    def pause_join(self) -> None:
        """Hold the search for an identity; nothing of it is lost."""
        self._ask_node(lambda client: client.pause_join(), done=self.take_membership)

    def take_membership(self, membership: Membership) -> None:
        """Take over what the node says, if it is about the role that lending needs."""
        if membership.role == LENDING_ROLE and membership != self.membership:
            self.membership = membership
            self.membership_changed.emit()

    def look(self, contribution: Contribution) -> None:
        """Called with each status: ask for bans now and then, and when we are or were banned."""
        changed, self._is_banned = contribution.banned != self._is_banned, contribution.banned
        self._until_bans -= 1
        if changed or self._until_bans < 0:
            self._until_bans = BANS_EVERY
            self._ask_node(
                lambda client: client.bans(), done=self._take_bans, failed=lambda _error: None
            )

    def _take_bans(self, bans: tuple[BanView, ...]) -> None:
        if bans != self.bans:
            self.bans = bans
            self.bans_changed.emit()
