"""Whom the person avoids: not listed, given no shares, and told nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.files.names import split_path
from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.storage.avoid_list import AvoidedKey, AvoidList
from bitcloud_net.views import Avoided


class People(Protocol):
    """Who finds people by path (``services.files.library``)."""

    async def person_at(self, path: str) -> tuple[bytes, str]: ...


class Avoider:
    """One per node."""

    def __init__(
        self,
        avoided: AvoidList,
        people: People,
        own: frozenset[bytes],
        now_s: Callable[[], int],
        on_change: Callable[[], None],
    ) -> None:
        """``own`` are this person's and this machine's keys, which nobody can avoid."""
        self._avoided = avoided
        self._people = people
        self._own = own
        self._now_s = now_s
        self._on_change = on_change

    def views(self) -> tuple[Avoided, ...]:
        """Return the list, the latest first."""
        return tuple(
            Avoided(key=each.key.hex(), name=each.name, reason=each.reason, since_s=each.since_s)
            for each in self._avoided.all()
        )

    async def avoid(self, target: str, reason: str) -> None:
        """Put a person (by path or key), a publisher or a node (by key) on the list.

        Raises:
            BadInput: ``no-such-path``, ``bad-key``, ``own-key``, ``too-many``, ``too-long``.
            LocalFault: the list cannot be written.
        """
        key, name = await self._find(target)
        if key in self._own:
            raise BadInput("this is you; nobody avoids oneself", code="own-key")
        await self._avoided.add(
            AvoidedKey(key=key, name=name, reason=reason, since_s=self._now_s())
        )
        self._on_change()

    async def unavoid(self, target: str) -> None:
        """Take somebody off the list, named by key, or by the name that the list shows.

        Raises:
            BadInput: ``not-avoided``.
            LocalFault: the list cannot be written.
        """
        name = target.rpartition("/")[2]
        found = [
            each
            for each in self._avoided.all()
            if each.key.hex() == target or (name and each.name == name)
        ]
        if len(found) != 1:
            message = f"{target} is not on the list; see it with: bitcloud avoid"
            raise BadInput(message, code="not-avoided")
        await self._avoided.remove(found[0].key)
        self._on_change()

    async def _find(self, target: str) -> tuple[bytes, str]:
        if len(split_path(target)) > 1:
            return await self._people.person_at(target)
        try:
            key = bytes.fromhex(target)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            message = "name a person (Public/John), or a key in hexadecimal"
            raise BadInput(message, code="bad-key")
        return key, ""
