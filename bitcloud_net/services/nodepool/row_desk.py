"""The nodepool as a person uses it by hand: any SELECT, own rows, applications' tables."""

from __future__ import annotations

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import PublicKey, SigningKey
from bitcloud_net.core.nodepool.app_tables import AppDefinition
from bitcloud_net.core.nodepool.row_bodies import KINDS, DefinitionBody, UserBody
from bitcloud_net.core.nodepool.row_json import body_from_json
from bitcloud_net.core.nodepool.table_rules import Role, Table, TableRule
from bitcloud_net.core.nodepool.table_text import plain_cell
from bitcloud_net.nodepool.console import Console
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import NewRow, RowStore
from bitcloud_net.views import AppView, SqlAnswer, WrittenRow

_MACHINES = Role.NODE | Role.GRID_OWNER | Role.GATEWAY


class RowDesk:
    """One per node. Rows are signed with the person's key, or the node's where machines write."""

    def __init__(
        self,
        rows: RowStore,
        queries: Queries,
        console: Console,
        user: SigningKey,
        nickname: str,
        node: SigningKey,
    ) -> None:
        """``nickname`` is the person's, for the row that theirs belong to."""
        self._rows = rows
        self._queries = queries
        self._console = console
        self._user = user
        self._nickname = nickname
        self._node = node

    async def select(self, statement: str) -> SqlAnswer:
        """Answer one SELECT; blobs in hexadecimal.

        Raises:
            BadInput: as ``Console.select``.
        """
        found = await self._console.select(statement)
        rows = tuple(tuple(map(plain_cell, row)) for row in found.rows)
        return SqlAnswer(
            columns=found.columns, rows=rows, cut_off=found.cut_off, seconds=found.seconds
        )

    async def put(self, table: str, key: str, values: str) -> WrittenRow:
        """Sign and write one own row. ``table``: a table's name, or ``application.table``;
        ``key``: what comes after the owner, in hexadecimal; ``values``: a JSON object, or null to
        delete.

        Raises:
            BadInput: ``unknown-table``, ``bad-json``, ``bad-key``, ``not-signed-by-all`` (somebody
            else has to sign, too), or why the row is refused.
            Unavailable: ``slots-used-up``.
        """
        rule = self._rule(table)
        try:
            suffix = bytes.fromhex(key)
        except ValueError as error:
            raise BadInput("a key is written in hexadecimal", code="bad-key") from error
        if len(suffix) != rule.key_suffix_bytes:
            raise BadInput(
                f"a key of {table} has {2 * rule.key_suffix_bytes} hexadecimal digits",
                code="bad-key",
            )
        body = body_from_json(rule, values)
        signer = await self._signer(rule)
        if rule.writers & Role.USER and rule.table is not Table.USER:
            await self._register()
        others = self._co_signers(rule, suffix)
        new = NewRow(table=rule.table, key_suffix=suffix, body=body, co_signers=others)
        (row,) = await self._rows.write_many([new], signer=signer)
        return WrittenRow(table=rule.name, key=row.key.hex(), seq=row.seq, id=row.id.hex())

    async def _signer(self, rule: TableRule) -> SigningKey:
        """Return the key of this home that may write a table. Where people and machines may, it is
        the person's who is a publisher, and else the machine's.
        """
        if not rule.writers & _MACHINES or rule.writers & Role.USER:
            return self._user
        if rule.writers & Role.PUBLISHER and await self._queries.is_publisher(self._user.public):
            return self._user
        return self._node

    def _co_signers(self, rule: TableRule, suffix: bytes) -> tuple[SigningKey, ...]:
        kind = KINDS.get(rule.table)
        needed = kind.signers(suffix) if kind else None
        here = {key.public: key for key in (self._user, self._node)}
        missing = [key for key in needed or () if key not in here]
        if missing:
            raise BadInput(
                f"{missing[0].hex()[:16]}… signs this row, too, and its key is not here",
                code="not-signed-by-all",
            )
        return tuple(here[PublicKey(key)] for key in needed or ())

    def apps(self) -> tuple[AppView, ...]:
        """List the installed applications, by name."""
        return tuple(sorted(map(self._view, self._rows.apps), key=lambda app: app.name))

    async def install(self, definition: str) -> AppView:
        """Install an application, and tell the nodes of the grid that its rows are worth carrying.

        Raises:
            BadInput: ``bad-definition``, ``too-many-apps``.
        """
        app = await self._rows.install(definition)
        if app.leaves:
            await self._register()
            body = DefinitionBody(definition=app.text)
            await self._rows.write(Table.APP, app.id, body, signer=self._user)
        return self._view(app)

    async def uninstall(self, name: str) -> None:
        """Remove an application, named by its id, the beginning of it, or its name.

        Raises:
            BadInput: ``unknown-app``; also when several fit.
        """
        fitting = [
            item for item in self._rows.apps if item.name == name or item.id.hex().startswith(name)
        ]
        if not name or len(fitting) != 1:
            raise BadInput("name one installed application, by its id", code="unknown-app")
        app = fitting[0]
        if app.leaves:
            await self._rows.write(Table.APP, app.id, None, signer=self._user)
        await self._rows.uninstall(app.id)

    async def _register(self) -> None:
        if await self._queries.person(self._user.public) is None:
            body = UserBody(nickname=self._nickname)
            await self._rows.write(Table.USER, b"", body, signer=self._user)

    def _rule(self, table: str) -> TableRule:
        name, _, inner = table.partition(".")
        apps = [app for app in self._rows.apps if app.name == name]
        if inner and len(apps) == 1:
            number = apps[0].number(inner)
            return next(rule for rule in self._rows.rules if rule.table == number)
        for rule in self._rows.rules:
            if rule.name == table:
                return rule
        raise BadInput(f"there is no table {table}", code="unknown-table")

    def _view(self, app: AppDefinition) -> AppView:
        counts = self._rows.counts
        return AppView(
            id=app.id.hex(),
            name=app.name,
            tables=tuple(rule.name for rule in app.rules),
            rows=sum(counts.get(rule.table, 0) for rule in app.rules),
        )
