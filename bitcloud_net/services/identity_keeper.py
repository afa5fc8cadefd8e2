"""Makes this key a node (or gateway, publisher …): mine, register, done. Once is enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bitcloud_net.core.identity import MAX_SALT_DAYS, Admission, day_of
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.row_bodies import Body, IdentityBody
from bitcloud_net.core.rows import SignedRow
from bitcloud_net.core.table_rules import Role, Table
from bitcloud_net.transfer.mining import IdentityMiner, MiningProgress


class Identities(Protocol):
    """What the keeper reads (``nodepool.queries``)."""

    async def has_identity(self, owner: bytes, role: Role) -> bool: ...


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

    async def ensure(self, role: Role, on_progress: Callable[[MiningProgress], None]) -> None:
        """Return when this key is registered in ``role``: at once when it is, or where nobody has
        to mine; otherwise after mining. A search that took longer than its day is good for begins
        anew.

        Cancel: safe; the next call goes on with the search.

        Raises:
            BadInput: ``owner-banned``.
            LocalFault: the disk.
        """
        if self._admission.is_free or await self._queries.has_identity(self._key.public, role):
            return
        while True:
            day = day_of(self._period())
            puzzle = self._admission.puzzle(self._key.public, role, day)
            nonce = await self._miner.mine(puzzle, on_progress)
            now = self._period()
            if day_of(now) - day <= MAX_SALT_DAYS:
                break
        body = IdentityBody(day=day, nonce=nonce, registered=now)
        await self._rows.write(Table.IDENTITY, bytes([role]), body, signer=self._key)
        self._miner.forget()
