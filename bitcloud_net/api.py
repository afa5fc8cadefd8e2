"""What programs may use: ``open_client()``, ``Client``, and the values they return. No logic.

``app``, ``cli`` and other programs import this module and nothing deeper. A ``Client`` is either
the node inside this process or, for the command line, a node that already runs and is reached
over its control socket; both keep the same contract.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from bitcloud_net.core.errors import (
    BadInput,
    BitcloudError,
    LocalFault,
    PeerFault,
    Refused,
    Unavailable,
)
from bitcloud_net.core.nodepool.form import FormPart, RowForm
from bitcloud_net.core.nodepool.table_text import PlainCell, csv_text, json_text
from bitcloud_net.views import (
    AppView,
    Avoided,
    BanStatement,
    BanView,
    Contribution,
    Details,
    EntriesChanged,
    Entry,
    EntryKind,
    FolderContent,
    Health,
    HealthState,
    Holder,
    Membership,
    MembershipChanged,
    MembershipState,
    News,
    NodeView,
    Promise,
    Published,
    SqlAnswer,
    Status,
    StatusChanged,
    Synced,
    SyncHealth,
    TestGrid,
    TestGridChanged,
    TestGridNode,
    Transfer,
    TransferChanged,
    TransferKind,
    TransferState,
    WrittenRow,
    to_json,
)

__all__ = [
    "AppView",
    "Avoided",
    "BadInput",
    "BanStatement",
    "BanView",
    "BitcloudError",
    "Client",
    "Contribution",
    "Details",
    "EntriesChanged",
    "Entry",
    "EntryKind",
    "FolderContent",
    "FormPart",
    "Health",
    "HealthState",
    "Holder",
    "LocalFault",
    "Membership",
    "MembershipChanged",
    "MembershipState",
    "News",
    "NodeView",
    "PeerFault",
    "PlainCell",
    "Promise",
    "Published",
    "Refused",
    "RowForm",
    "SqlAnswer",
    "Status",
    "StatusChanged",
    "SyncHealth",
    "Synced",
    "TestGrid",
    "TestGridChanged",
    "TestGridNode",
    "Transfer",
    "TransferChanged",
    "TransferKind",
    "TransferState",
    "Unavailable",
    "WrittenRow",
    "create_home",
    "csv_text",
    "json_text",
    "open_client",
    "row_forms",
    "to_json",
]


class Client(Protocol):
    """A running node, as a program uses it. Every call may raise a ``BitcloudError``.

    A *target* is a path of the virtual disk (``Public/Mary/Videos/Dawn.webm``) or a cap
    (``bitcloud:1:fr:…``). Cancel: safe for every call; a transfer started by a cancelled
    ``publish`` or ``fetch`` is cancelled too, and what was already stored is used when it is
    started again.
    """

    async def status(self) -> Status:
        """Return the node at a glance."""

    async def entries(self, path: str = "") -> tuple[Entry, ...]:
        """List what is directly below ``path``; ``""`` lists the publishers. Sorted by name."""

    async def details(self, target: str) -> Details:
        """Return everything known about one file, asking its holders whether they are there."""

    async def publish(
        self, sources: Sequence[Path], to: str = "", *, wait: bool = True
    ) -> tuple[Published, ...]:
        """Publish files and folders below ``to`` (default: the person's own folder in *Public*).

        With ``wait`` the call ends when every file has enough storage receipts; otherwise it
        returns at once and the transfer goes on (see ``News``). A source that was interrupted
        before is resumed without sending finished shares again. Of several files, those that could
        not be published come last, with ``fault`` and ``reason``, and the transfer has failed: to
        resume it sends these alone.
        """

    async def fetch(self, target: str, destination: Path, *, wait: bool = True) -> Path:
        """Save a file, or a folder with all below it, and return where it went.

        ``destination`` is a folder (then the published name is used, made safe for this system) or
        the new file's path. The file appears whole or not at all.
        """

    def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open the plain bytes of a file from ``offset`` on, as an iterator that arrives in
        order.
        """

    async def share(self, path: str) -> str:
        """Return the read cap of a file: who has this text can read the file."""

    async def check(self, target: str, *, verify: bool = False) -> Details:
        """Ask every holder for its share; with ``verify``, read and check every byte of every
        share.
        """

    async def repair(self, target: str) -> Details:
        """Rebuild missing or damaged shares and place them; return the health afterwards."""

    async def url(self, target: str) -> str:
        """Return the loopback address at which a browser or player opens the file, starting the
        gateway where it does not run yet."""

    async def contribute(self, *, folder: Path | None, capacity_bytes: int) -> Contribution:
        """Make this computer a storage node that lends ``capacity_bytes`` in ``folder``; with
        ``folder`` None stop being one (what is held stays on disk for the next start).

        Where identities are mined and this computer has none, it joins first: the answer is then
        off but names the folder, and lending starts by itself when the search is over (see
        ``MembershipChanged``, ``StatusChanged``)."""

    async def membership(self, *, role: str = "node") -> Membership:
        """Return how far this computer (or its person, for ``publisher``) is on
        the way to ``role``: ``node``, ``gateway``, ``publisher`` or ``grid-owner``."""

    async def join(self, *, role: str = "node", wait: bool = True) -> Membership:
        """Become a member of the network in ``role``: mine an identity and register it, or go on
        with a search that was held. At once where nobody mines, or when it is registered already.

        With ``wait`` the call ends when it is registered or somebody held the search; otherwise it
        returns at once and the search goes on (see ``News``), also after a restart of the node.
        Cancel: safe, and the search goes on; ``pause_join`` holds it.
        """

    async def pause_join(self) -> Membership:
        """Hold the search under way; nothing of it is lost. Return the role that was searched."""

    async def avoided(self) -> tuple[Avoided, ...]:
        """List whom this person avoids, the latest first. The list never leaves this computer."""

    async def avoid(self, target: str, *, reason: str = "") -> None:
        """Avoid a person (``Public/John``, or a key in hexadecimal), a publisher or a node: they
        are not listed any more, and get no shares of new files. Nobody is told."""

    async def unavoid(self, target: str) -> None:
        """Take somebody off that list, by key or by the name that it shows."""

    async def transfers(self) -> tuple[Transfer, ...]:
        """Return the transfers under way and the last hundred that ended, newest first."""

    async def pause(self, transfer: str) -> None:
        """Hold a transfer until ``resume``; it survives a restart as paused."""

    async def resume(self, transfer: str) -> None:
        """Go on with a paused or failed transfer."""

    async def cancel(self, transfer: str) -> None:
        """End a transfer; nothing half done stays visible."""

    def news(self) -> AbstractAsyncContextManager[AsyncIterator[News]]:
        """Subscribe to what changes. A slow reader loses old snapshots, never the newest."""

    async def select(self, statement: str) -> SqlAnswer:
        """Answer one SELECT over the shared database; nothing else is possible."""

    async def put_row(self, table: str, key: str, values: str) -> WrittenRow:
        """Sign and write one own row of the shared database: a table's name (``application.table``
        for an application's), the key after the owner in hexadecimal, and the values as a JSON
        object, or ``null`` to delete."""

    async def apps(self) -> tuple[AppView, ...]:
        """List the applications whose tables are in the shared database."""

    async def install_app(self, definition: str) -> AppView:
        """Install an application by its definition (JSON), which brings tables and nothing else."""

    async def uninstall_app(self, app: str) -> None:
        """Remove an application, named by id or name, and its tables with all rows."""

    async def bans(self) -> tuple[BanView, ...]:
        """Return the bans of nodes that run now, and those of this computer within the last 30
        days, the newest first."""

    async def sync_rows(self, table: str = "") -> Synced:
        """Compare a table with other nodes now, without one all tables; also those that are never
        compared unasked."""

    async def test_grid(self) -> TestGrid | None:
        """Return the local test grid that belongs to this home, or None."""

    async def set_running_nodes(self, count: int) -> TestGrid:
        """Switch nodes of the local test grid on or off until ``count`` of them run."""


def row_forms() -> tuple[RowForm, ...]:
    """Return a form for each built-in table, for those who write rows by hand (``put_row``)."""
    from bitcloud_net.core.nodepool import row_forms as forms

    return forms.row_forms()


ProgressListener = Callable[[Transfer], None]


async def create_home(
    home: Path | None = None, *, name: str, passphrase: str = "", words: str | None = None
) -> str:
    """Make an identity called ``name`` in ``home`` and return its 24 recovery words.

    ``words`` brings an identity back instead of making a new one. Without a ``passphrase`` the
    keys are protected by file rights alone. Cancel: safe; a half-made home is not one.

    Raises:
        BadInput: ``home-exists``, ``recovery-words``, ``bad-name``.
        LocalFault: the folder cannot be written.
    """
    from bitcloud_net.services import home as homes
    from bitcloud_net.storage.vault_lock import OpenLock, PassphraseLock

    lock = PassphraseLock(passphrase=passphrase) if passphrase else OpenLock()
    return await homes.create_home(home or homes.default_home(), name=name, lock=lock, words=words)


@asynccontextmanager
async def open_client(
    *,
    home: Path | None = None,
    listen: Sequence[str] = (),
    bootstrap: Sequence[str] = (),
    contribute: tuple[Path, int] | None = None,
    gateway_port: int | None = None,
    go_on: bool = False,
    network: str | None = None,
    passphrase: Callable[[], str] | None = None,
) -> AsyncIterator[Client]:
    """Run the node of ``home`` in this process for as long as the block lasts.

    ``home`` defaults to ``$BITCLOUD_HOME`` or the system's usual place. ``listen`` and
    ``bootstrap`` are multiaddrs; ``contribute`` lends that many bytes in that folder for this
    run; ``gateway_port`` starts the gateway at once (0: any port); ``go_on`` resumes the
    transfers that an earlier run left unfinished; ``network`` is lived in for this run instead of
    the home's own. ``passphrase`` is asked for when the home is locked with one.

    Raises:
        BadInput: ``no-home``, ``wrong-passphrase``, ``passphrase-needed``, a bad address.
        LocalFault: ``home-in-use``, ``port-taken``, damaged or newer files of the home.
    """
    from bitcloud_net.node import Options, open_node
    from bitcloud_net.services.home import default_home

    options = Options(
        listen=listen,
        bootstrap=bootstrap,
        contribute=contribute,
        gateway_port=gateway_port,
        go_on=go_on,
        network=network,
    )
    async with open_node(home or default_home(), options, passphrase) as client:
        yield client
