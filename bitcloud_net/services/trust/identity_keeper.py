"""Makes a key a node (or gateway, publisher …): mine, register, keep registered. Once is enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import Body, IdentityBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import YEAR_PERIODS, Role, Table
from bitcloud_net.core.trust.identity import MAX_SALT_DAYS, Admission, Puzzle, day_of
from bitcloud_net.core.trust.verdicts import FRAUD, Ban
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.nodepool.queries import Registration
from bitcloud_net.transfer.mining import IdentityMiner, MiningProgress

RENEW_PERIODS = YEAR_PERIODS // 2
"""A registration with less than this to live is signed again. A computer that is on at least twice
a year never loses it."""

LEARN_S: Final = 10.0
"""How long a node that has just come waits for the beacon of a day before it registers. Where a
network begins there is none to wait for."""
LOOK_S: Final = 1.0


class Identities(Protocol):
    """What the keeper reads (``nodepool.queries``)."""

    async def registration(self, owner: bytes, role: Role, period: int) -> Registration | None: ...

    async def bans(self, period: int) -> tuple[Ban, ...]: ...


class RowWriter(Protocol):
    """What the keeper writes with (``nodepool.row_store``)."""

    async def write(
        self, table: Table, key_suffix: bytes, body: Body | None, *, signer: SigningKey
    ) -> SignedRow: ...


class IdentityKeeper:
    """The identities of one key."""

    def __init__(
        self,
        queries: Identities,
        rows: RowWriter,
        key: SigningKey,
        miner: IdentityMiner,
        admission: Admission,
        period: Callable[[], int],
    ) -> None:
        self._queries = queries
        self._rows = rows
        self._key = key
        self._miner = miner
        self._admission = admission
        self._period = period

    async def registered(self, role: Role) -> int | None:
        """Return the period in which this key was registered in ``role``; None when it is not."""
        found = await self._queries.registration(self._key.public, role, self._period())
        return None if found is None else found.body.registered

    async def ensure(self, role: Role, on_progress: Callable[[MiningProgress], None]) -> None:
        """Return when this key is registered in ``role``: at once when it is, or where nobody has
        to mine; otherwise after mining. A search that took longer than its day is good for begins
        anew.

        Cancel: safe; the next call goes on with the search.

        Raises:
            BadInput: ``owner-banned``.
            Unavailable: ``beacon-unknown``: the network does not begin here, and
                others would see a lie.
            LocalFault: the disk.
        """
        if self._admission.is_free or await self.registered(role) is not None:
            return
        await self._check_standing()
        if not self._admission.may_begin:
            await self._wait_for_beacon()
        while True:
            puzzle = self._admission.puzzle(self._key.public, role, self._salt_day())
            nonce = await self._mine(puzzle, on_progress)
            if nonce is not None and await self._stands(puzzle):
                break
        body = IdentityBody(day=puzzle.day, nonce=nonce, registered=self._period())
        await self._rows.write(Table.IDENTITY, bytes([role]), body, signer=self._key)
        self._miner.forget()

    async def renew(self, role: Role) -> None:
        """Sign the registration again when half of its life is over.

        Raises:
            BadInput: ``owner-banned``.
            LocalFault: the disk.
        """
        found = await self._queries.registration(self._key.public, role, self._period())
        if found is not None and found.expires - self._period() < RENEW_PERIODS:
            await self._rows.write(Table.IDENTITY, bytes([role]), found.body, signer=self._key)

    async def _check_standing(self) -> None:
        """Whoever is banned hears it before hours are spent, and not after."""
        now = self._period()
        for ban in await self._queries.bans(now):
            if ban.target == self._key.node_id and ban.holds(now) and ban.reason == FRAUD:
                minutes = (ban.until + 1 - now) * PERIOD_S // 60
                message = f"this key is banned for fraud for {minutes} more minutes"
                raise BadInput(message, code="owner-banned")

    def _salt_day(self) -> int:
        """The day of the search that was noted, as long as it is good for a whole day more; else
        the last one whose beacon is certain; else today.
        """
        today = day_of(self._period())
        noted = self._miner.unfinished()
        if noted is not None and 0 <= today - noted.day < MAX_SALT_DAYS:
            return noted.day
        days = range(today, today - MAX_SALT_DAYS, -1)
        return next((day for day in days if self._admission.is_certain(day)), today)

    async def _wait_for_beacon(self) -> None:
        with trio.move_on_after(LEARN_S):
            while not self._admission.is_certain(self._salt_day()):  # noqa: ASYNC110 - no event
                await trio.sleep(LOOK_S)
        if not self._admission.is_certain(self._salt_day()):
            message = "the network's random value of the day is not known here; try again later"
            raise Unavailable(message, code="beacon-unknown")

    async def _stands(self, puzzle: Puzzle) -> bool:
        """Whether the beacon of the day is still what was mined with, after a moment to learn it
        for a node that has just come. Where a network begins, nobody knows better.
        """
        with trio.move_on_after(LEARN_S):
            while not self._admission.is_certain(puzzle.day):  # noqa: ASYNC110 - it is no event
                await trio.sleep(LOOK_S)
        return not self._is_stale(puzzle)

    async def _mine(
        self, puzzle: Puzzle, on_progress: Callable[[MiningProgress], None]
    ) -> int | None:
        """Return the nonce, or None when the puzzle became worthless."""

        def watch(progress: MiningProgress) -> None:
            on_progress(progress)
            if self._is_stale(puzzle):
                scope.cancel()

        nonce: int | None = None
        with trio.CancelScope() as scope:
            nonce = await self._miner.mine(puzzle, watch)
        return None if self._is_stale(puzzle) else nonce

    def _is_stale(self, puzzle: Puzzle) -> bool:
        """Whether its day is too old, or the beacon of the day another one than it seemed."""
        if day_of(self._period()) - puzzle.day > MAX_SALT_DAYS:
            return True
        return self._admission.puzzle(puzzle.public, puzzle.role, puzzle.day) != puzzle
