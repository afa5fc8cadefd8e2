"""The one step into a network: mine an identity, register it, and be a member in a role.

::

    NONE ── join ──▶ MINING ── found, registered ──▶ JOINED
                     │    ▲
            pause    ▼    │  join
                     PAUSED            (OPEN: nobody mines on this network)

A search belongs to the node and not to who asked for it: it goes on when the window closes, after a
restart, and after a kill. Only one runs at a time; others wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import trio

from bitcloud_net.core.errors import BadInput, BitcloudError
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.table_rules import Role
from bitcloud_net.core.trust.identity import Admission
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.services.trust.identity_keeper import Identities, IdentityKeeper, RowWriter
from bitcloud_net.transfer.mining import IdentityMiner, MiningProgress
from bitcloud_net.views import Membership, MembershipChanged, MembershipState

if TYPE_CHECKING:
    from trio_typing import TaskStatus

log = logging.getLogger(__name__)

ROLES: Final[Mapping[str, Role]] = MappingProxyType(
    {
        "node": Role.NODE,
        "gateway": Role.GATEWAY,
        "publisher": Role.PUBLISHER,
        "grid-owner": Role.GRID_OWNER,
    }
)
"""The roles that are mined, by the words that people use."""
NAMES: Final = MappingProxyType({role: name for name, role in ROLES.items()})
RENEW_S: Final = 24 * 3600.0
"""How often registrations are looked at: they live for a year and are signed again long before."""


class Joiner:
    """The service. One per node."""

    def __init__(
        self,
        nursery: trio.Nursery,
        folder: Path,
        key_of: Callable[[Role], SigningKey],
        queries: Identities,
        rows: RowWriter,
        admission: Admission,
        *,
        period: Callable[[], int],
        tell: Callable[[MembershipChanged], None],
    ) -> None:
        """``nursery`` belongs to the node; searches run in it. ``folder`` takes a note of each."""
        self._nursery = nursery
        self._queries = queries
        self._key_of = key_of
        self._admission = admission
        self._tell = tell
        self._miners = {
            role: IdentityMiner(folder / f"{name}.json") for name, role in ROLES.items()
        }
        self._keepers = {
            role: IdentityKeeper(queries, rows, key_of(role), miner, admission, period)
            for role, miner in self._miners.items()
        }
        self._searches: dict[Role, _Search] = {}
        self._stopped_by: dict[Role, str] = {}  # codes of errors
        self._joined = {role: trio.Event() for role in self._miners}
        self._one_at_a_time = trio.Lock()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Go on with what an earlier run did not finish, and keep registrations alive, until
        cancelled.
        """
        task_status.started()
        if self._admission.is_free:
            return
        for role, miner in self._miners.items():
            note = miner.unfinished()
            if note is not None and not note.held:
                self.start(role)
        while True:
            for keeper_role, keeper in self._keepers.items():
                try:
                    await keeper.renew(keeper_role)
                except BitcloudError as error:
                    log.warning("cannot sign the registration again: %s", error)
            await trio.sleep(RENEW_S)

    async def view(self, name: str) -> Membership:
        """Return how far this computer is on the way to a role.

        Raises:
            BadInput: ``unknown-role``.
        """
        role = role_named(name)
        if self._admission.is_free:
            return Membership(state=MembershipState.OPEN, role=name)
        mean = self._admission.difficulty.mean_tries
        if (search := self._searches.get(role)) is not None:
            return search.view
        registered = await self._keepers[role].registered(role)
        note = self._miners[role].unfinished()
        if registered is not None:
            state = MembershipState.JOINED
        elif note is not None:
            state = MembershipState.PAUSED
        else:
            state = MembershipState.NONE
        return Membership(
            state=state,
            role=name,
            tries=note.tried if note is not None else 0,
            mean_tries=mean,
            registered_s=None if registered is None else registered * PERIOD_S,
            stopped_by=self._stopped_by.get(role),
        )

    async def join(self, name: str, *, wait: bool = True) -> Membership:
        """See ``Client.join``.

        Raises:
            BadInput: ``unknown-role``, ``owner-banned``.
            LocalFault: the search cannot be noted.
        """
        member = await self.view(name)
        if member.state in (MembershipState.OPEN, MembershipState.JOINED):
            return member
        search = self.start(role_named(name))
        if not wait:
            return search.view
        await search.ended.wait()
        if search.error is not None:
            raise search.error
        return await self.view(name)

    def start(self, role: Role) -> _Search:
        """Start or go on with the search for a role, unless it runs already."""
        if role not in self._searches:
            self._stopped_by.pop(role, None)
            search = self._searches[role] = _Search(
                Membership(
                    state=MembershipState.MINING,
                    role=NAMES[role],
                    mean_tries=self._admission.difficulty.mean_tries,
                    cores=self._miners[role].workers,
                )
            )
            self._nursery.start_soon(self._search, role, search)
        return self._searches[role]

    def go_on(self, role: Role) -> None:
        """Start the search for a role, unless a person stopped it."""
        if not self.is_held(role):
            self.start(role)

    async def pause(self) -> Membership:
        """See ``Client.pause_join``. Where nothing is searched, return how the node stands.

        Raises:
            LocalFault: it cannot be noted.
        """
        roles = list(self._searches)
        for role in roles:
            await self.hold(role)
        return await self.view(NAMES[roles[0] if roles else Role.NODE])

    async def hold(self, role: Role) -> None:
        """Hold the search for a role, if there is one.

        Raises:
            LocalFault: it cannot be noted.
        """
        if (search := self._searches.get(role)) is not None:
            search.scope.cancel()
            await search.ended.wait()
            self._miners[role].hold()

    def is_held(self, role: Role) -> bool:
        """Whether a person stopped the search."""
        note = self._miners[role].unfinished()
        return role not in self._searches and note is not None and note.held

    async def is_in(self, role: Role) -> bool:
        """Whether this computer may act in a role: it is registered, or nobody has to be."""
        return (await self.view(NAMES[role])).state in _IN

    async def until_in(self, role: Role) -> None:
        """Wait until this computer may act in a role, however often the search is held."""
        while not await self.is_in(role):
            await self._joined[role].wait()
            self._joined[role] = trio.Event()

    async def _search(self, role: Role, search: _Search) -> None:
        def on_progress(now: MiningProgress) -> None:
            left = None if now.seconds_left is None else int(now.seconds_left)
            search.view = replace(search.view, tries=now.tried, tries_per_s=now.per_s, left_s=left)
            self._tell(MembershipChanged(membership=search.view))

        try:
            with search.scope:
                async with self._one_at_a_time:
                    await self._keepers[role].ensure(role, on_progress)
        except BitcloudError as error:
            log.error("the search for an identity stopped: %s", error)
            search.error = error
            self._stopped_by[role] = error.code
        finally:
            del self._searches[role]
            search.ended.set()
        member = await self.view(NAMES[role])
        if member.state is MembershipState.JOINED:
            self._joined[role].set()
        self._tell(MembershipChanged(membership=member))


class _Search:
    """One search under way."""

    def __init__(self, view: Membership) -> None:
        self.view = view
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.error: BitcloudError | None = None


def role_named(name: str) -> Role:
    """Return the role that people call ``name``.

    Raises:
        BadInput: ``unknown-role``.
    """
    if name not in ROLES:
        known = ", ".join(ROLES)
        raise BadInput(f"there is no role {name!r} to join in, only {known}", code="unknown-role")
    return ROLES[name]


_IN = (MembershipState.OPEN, MembershipState.JOINED)
