"""The composition root: settings and keys in, a running node out. Only this module builds things.

All services and what clients start (streams to storage nodes, transfers) live in one nursery, above
the network and the nodepool that they use. Leaving the block ends everything in reverse order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random, SystemRandom
from typing import Final, Protocol

import trio

from bitcloud_net import __version__
from bitcloud_net.clock import Clock
from bitcloud_net.core.errors import PeerFault
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.tables import Role, Table
from bitcloud_net.core.trust.identity import Admission, network_id
from bitcloud_net.local_client import LocalClient, Parts
from bitcloud_net.net.address import is_private
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.network import Network, PeerChange, PeerConnected, ProtocolId
from bitcloud_net.net.self_stream import SelfReaching
from bitcloud_net.nodepool.console import Console
from bitcloud_net.nodepool.head_reads import HeadReads
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import DATABASE, RowStore, open_row_store
from bitcloud_net.nodepool.share_claims import ShareClaims
from bitcloud_net.nodepool.shelf import Shelf
from bitcloud_net.protocols.audit_server import AuditServer
from bitcloud_net.protocols.control_socket import control_path
from bitcloud_net.protocols.hello import Greeter
from bitcloud_net.protocols.known_nodes import KnownNodes
from bitcloud_net.protocols.own_network import OwnNetwork
from bitcloud_net.protocols.share_client import ShareClients
from bitcloud_net.services import test_grid
from bitcloud_net.services.connector import Connector
from bitcloud_net.services.control_server import ControlServer
from bitcloud_net.services.files.fetcher import Fetcher
from bitcloud_net.services.files.gateway import Gateway
from bitcloud_net.services.files.gateway_source import GatewaySource
from bitcloud_net.services.files.library import PUBLIC, Library
from bitcloud_net.services.files.publisher import Publisher
from bitcloud_net.services.files.reader import Reader
from bitcloud_net.services.files.repairer import Repairer
from bitcloud_net.services.files.transfers import Transfers
from bitcloud_net.services.grid import Grid
from bitcloud_net.services.home import Identity, open_home
from bitcloud_net.services.neighbours import Neighbours
from bitcloud_net.services.newsstand import Newsstand
from bitcloud_net.services.nodepool.app_carrier import AppCarrier
from bitcloud_net.services.nodepool.head_keeper import HeadKeeper
from bitcloud_net.services.nodepool.head_watcher import HeadWatcher
from bitcloud_net.services.nodepool.light import LightQueries, LightReads
from bitcloud_net.services.nodepool.node_finder import NodeFinder
from bitcloud_net.services.nodepool.row_desk import RowDesk
from bitcloud_net.services.nodepool.row_reader import RowReader
from bitcloud_net.services.nodepool.row_server import RowServer
from bitcloud_net.services.nodepool.syncer import Syncer
from bitcloud_net.services.storage_node import StorageNode
from bitcloud_net.services.switches import Switches
from bitcloud_net.services.traffic import Traffic
from bitcloud_net.services.trust.auditor import Auditor
from bitcloud_net.services.trust.avoider import Avoider
from bitcloud_net.services.trust.ban_list import BanList
from bitcloud_net.services.trust.beacon_keeper import BeaconKeeper
from bitcloud_net.services.trust.beacons import Beacons
from bitcloud_net.services.trust.complaints import Complaints
from bitcloud_net.services.trust.identity_checker import IdentityChecker
from bitcloud_net.services.trust.joiner import Joiner
from bitcloud_net.services.trust.judge import Judge
from bitcloud_net.services.trust.prober import Prober
from bitcloud_net.services.trust.share_chooser import ShareChooser
from bitcloud_net.settings import Settings, save_settings
from bitcloud_net.storage import avoid_list
from bitcloud_net.storage.avoid_list import AvoidList, open_avoid_list
from bitcloud_net.storage.disk import RealDisk
from bitcloud_net.storage.instance_lock import instance_lock
from bitcloud_net.storage.own_files import OwnFiles
from bitcloud_net.storage.transfer_log import TransferLog, open_transfer_log
from bitcloud_net.tasks import open_tasks
from bitcloud_net.transfer.scoreboard import Scoreboard
from bitcloud_net.views import EntriesChanged, StatusChanged, TestGrid, TestGridChanged
from bitcloud_net.wire.audit_session import PROTOCOL as AUDIT_PROTOCOL
from bitcloud_net.wire.hello import Greeting

RESOURCES: Final = Path(__file__).resolve().parent.parent / "resources"
"""Data that is shipped: beside the packages, in a checkout as well as installed."""
STATUS_S: Final = 0.5
"""Shortest time between two pieces of news about the node's status."""
HAND_OVER_S: Final = 3.0
"""How long a node that stops waits for its peers to take its last rows; they take milliseconds."""
FAULT_BAN_S: Final = 600.0
"""How long a node that provably sent wrong data is refused: one period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a program chooses for one run, over the settings of the home."""

    listen: Sequence[str] = ()
    bootstrap: Sequence[str] = ()
    contribute: tuple[Path, int] | None = None
    gateway_port: int | None = None  # None: the gateway starts when it is first needed
    go_on: bool = False  # with the transfers that an earlier run left unfinished
    network: str | None = None  # instead of the home's own: that of its test grid


class NetworkOpener(Protocol):
    """How a node gets onto the network (``net.libp2p_host.open_libp2p_network``)."""

    def __call__(
        self, key: SigningKey, *, listen: Sequence[str], limits: NetLimits
    ) -> AbstractAsyncContextManager[Network]: ...


@asynccontextmanager
async def open_node(
    home: Path,
    options: Options,
    passphrase: Callable[[], str] | None = None,
    open_network: NetworkOpener = open_libp2p_network,
    clock: Clock = Clock(),  # noqa: B008 - it has no state
    random: Random = SystemRandom(),  # noqa: B008 - nor has this
) -> AsyncIterator[LocalClient]:
    """Run the node of ``home`` for as long as the block lasts.

    ``open_network`` makes the network, ``clock`` tells the date, and ``random`` gives secrets and
    chance; tests of whole grids hand in a network in memory, virtual time and a seed.

    Raises:
        BadInput: ``no-home``, ``passphrase-needed``, ``wrong-passphrase``, a bad address.
        LocalFault: ``home-in-use``, ``port-taken``, or a damaged or newer file of the home.
    """
    settings, identity = await open_home(home, passphrase)
    async with AsyncExitStack() as stack:
        stack.enter_context(instance_lock(home))
        lives_on = settings.on(options.network or settings.network)
        beacons = Beacons(lives_on.network)
        # Peers ask for rows as long as there is a network: the database closes after it.
        admission = Admission(
            difficulty=lives_on.difficulty,
            beacon=beacons.of_day,
            is_certain=beacons.is_certain,
            may_begin=not settings.light,
        )
        rows = await stack.enter_async_context(
            open_row_store(
                _nodepool(home),
                clock=clock,
                admission=admission,
                beacon=beacons,
                node=identity.node.node_id,
                persons=(identity.user.public,),
                is_light=settings.light,
            )
        )
        network = await stack.enter_async_context(
            open_network(
                identity.node, listen=_listen(settings, options), limits=_limits(settings, options)
            )
        )
        log = await stack.enter_async_context(
            open_transfer_log(
                home / "local.db", key=identity.log_key, random_bytes=random.randbytes
            )
        )
        avoided = await stack.enter_async_context(open_avoid_list(home / avoid_list.FILE))
        services = await stack.enter_async_context(open_tasks())
        stack.callback(services.cancel_scope.cancel)
        _keep_port(home, settings, options, network)
        builder = _Builder(
            home,
            settings,
            identity,
            network,
            rows,
            beacons,
            log,
            avoided,
            services,
            options,
            clock,
            random,
        )
        client = await builder.start()
        await services.start(ControlServer(client, control_path(home)).run)
        yield client
        with trio.move_on_after(HAND_OVER_S):  # what a short command wrote is no use here alone
            await builder.hand_over()


def _listen(settings: Settings, options: Options) -> Sequence[str]:
    """A node that stays, or lends space, listens; one that lives for one command need not."""
    stays = options.go_on or options.contribute is not None or settings.contribute_bytes
    return options.listen or (settings.listen if stays else ())


def _limits(settings: Settings, options: Options) -> NetLimits:
    """Private addresses that others tell us are dialled only by who is on a private network itself:
    a public node must not be made to knock at machines beside it."""
    own = (*options.bootstrap, *settings.bootstrap, *options.listen)
    return NetLimits(lan=any(is_private(address) for address in own))


def _keep_port(home: Path, settings: Settings, options: Options, network: Network) -> None:
    """A port that was chosen at the first start is kept, so that others find us again."""
    if options.listen or not any(item.endswith("/tcp/0") for item in settings.listen):
        return
    ports = {address.split("/")[4] for address in network.addresses}
    if len(ports) == 1:
        kept = tuple(
            item.removesuffix("0") + next(iter(ports)) if item.endswith("/tcp/0") else item
            for item in settings.listen
        )
        save_settings(home, replace(settings, listen=kept))


class _Builder:
    """Builds the services of one node, from the lowest to the highest."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        identity: Identity,
        network: Network,
        rows: RowStore,
        beacon: Beacons,
        log: TransferLog,
        avoided: AvoidList,
        services: trio.Nursery,
        options: Options,
        clock: Clock,
        random: Random,
    ) -> None:
        self._options = options
        self._home = home
        self._settings = settings
        self._network_name = options.network or settings.network
        self._identity = identity
        self._everybody = network  # strangers too: for who greets them and keeps connections
        self._complaints = Complaints(rows, clock.period)
        self._network = OwnNetwork(network, self._complaints.note)
        self._rows = rows
        self._beacon = beacon
        self._log = log
        self._avoided = avoided
        self._services = services
        self._clock = clock
        self._random = random
        self._newsstand = Newsstand()
        self._has_status = trio.Event()
        self._queries = Queries(rows.database)
        self._known_nodes = KnownNodes(rows, clock.period)
        self._row_reader = self._make_row_reader()
        self._light = self._make_light() if settings.light else None
        self._grid = Grid(self._queries, self._network, self._clock.period, avoided)

    async def start(self) -> LocalClient:
        """Build and start everything; return when the node is ready for calls."""
        options = self._options
        bootstrap = (*self._settings.bootstrap, *options.bootstrap)
        self._syncer = Syncer(
            self._network,
            self._rows,
            clock=self._clock,
            random=self._random,
            beacon=self._beacon,
            persons=lambda: (self._identity.user,),
            on_fault=self._complaints.note,
        )
        connector = Connector(self._everybody, self._random, bootstrap)
        self._neighbours = Neighbours(
            self._network,
            connector,
            self._grid.addresses,
            self._syncer,
            led_in=bool(bootstrap),
        )
        self._head_watcher = self._make_head_watcher()
        self._head_keeper = self._make_head_keeper()
        self._row_server = self._make_row_server()
        self._rows.watch(self._grid.rows_changed)
        self._rows.watch(self._neighbours.rows_changed)
        self._rows.watch(lambda news: self._status_changed())
        parts = self._make_parts()
        self._serve_audits(parts.storage)
        for run in (
            self._greeter().run,
            self._beacon_keeper().run,
            self._syncer.run,
            self._head_watcher.run,
            self._head_keeper.run,
            self._row_server.run,
            self._judge().run,
            self._identity_checker().run,
            self._app_carrier(parts.storage).run,
            parts.traffic.run,
            parts.transfers.run,
            parts.joiner.run,
            connector.run,
            self._neighbours.run,
            self._complaints.run,
            *([self._light.run] if self._light else []),
        ):
            await self._services.start(run)
        if self._settings.on(self._network_name).audits:
            await self._services.start(self._auditor().run)
        lent = options.contribute or self._lent_before()
        if lent is not None:
            await parts.switches.contribute(*lent, by_hand=False)
        if options.gateway_port is not None:
            await parts.switches.gateway()
        client = LocalClient(parts)
        await client.restore_transfers(go_on=options.go_on)
        self._services.start_soon(self._tell_status, client)
        self._services.start_soon(test_grid.watch, self._home, self._tell_test_grid)
        return client

    async def hand_over(self) -> None:
        """Return when others have the rows that were written last."""
        await self._head_keeper.finish()
        await self._syncer.handed_over()

    def _tell_test_grid(self, grid: TestGrid) -> None:
        self._newsstand.publish(TestGridChanged(grid=grid))

    async def _tell_status(self, client: LocalClient) -> None:
        """Publish the status when something in it changed, at most twice a second."""
        self._network.watch(lambda change: self._status_changed())
        while True:
            await self._has_status.wait()
            self._has_status = trio.Event()
            self._newsstand.publish(StatusChanged(status=await client.status()))
            await trio.sleep(STATUS_S)

    def _lent_before(self) -> tuple[Path, int] | None:
        folder, lent = self._settings.contribute_folder, self._settings.contribute_bytes
        return (Path(folder), lent) if folder and lent else None

    def _make_parts(self) -> Parts:
        network, rows, user = self._network, self._rows, self._identity.user
        queries, grid = self._queries, self._grid
        name, tell = self._settings.name, self._newsstand.publish
        library = self._make_library()
        joiner = self._make_joiner()
        storage = self._make_storage(joiner)
        finder = NodeFinder(
            grid.address_of,
            lambda node: rows.keeping.keeps(rows.rule_of(Table.NODE), node),
            self._row_reader,
        )
        opener = SelfReaching(network, storage.handle, self._services, finder.addresses_of)
        clients = ShareClients(opener, self._services)
        scores = Scoreboard(trio.current_time)
        reader = Reader(library, clients, scores, lambda: network.peers, self._punish)
        repairer = Repairer(
            reader,
            library,
            grid,
            clients,
            user.public,
            now_s=self._clock.now_s,
            on_fault=self._punish,
        )
        publisher = Publisher(
            library,
            grid,
            clients,
            reader,
            repairer,
            OwnFiles(),
            self._log,
            self._random.randbytes,
            on_fault=self._complaints.note,
        )
        return Parts(
            home=self._home,
            person=name,
            network_name=self._network_name,
            user_key=user.public,
            network=network,
            rows=rows,
            grid=grid,
            library=library,
            reader=reader,
            publisher=publisher,
            fetcher=Fetcher(library, reader, OwnFiles()),
            repairer=repairer,
            transfers=Transfers(
                self._services, log=self._log, now_s=self._clock.now_s, on_news=tell
            ),
            log=self._log,
            storage=storage,
            switches=self._make_switches(storage, library, reader, joiner),
            newsstand=self._newsstand,
            traffic=Traffic(lambda: network.traffic, self._status_changed),
            syncer=self._syncer,
            beacons=self._beacon,
            head_watcher=self._head_watcher,
            row_server=self._row_server,
            row_desk=RowDesk(rows, queries, self._console(), user, name, self._identity.node),
            ban_list=BanList(queries, network.node_id, self._clock.period),
            joiner=joiner,
            avoider=self._make_avoider(library),
            in_step=self._in_step,
        )

    def _console(self) -> Console:
        return Console(_nodepool(self._home) / DATABASE, self._clock.period)

    def _make_storage(self, joiner: Joiner) -> StorageNode:
        return StorageNode(
            self._network,
            self._rows,
            self._identity.node,
            RealDisk(),
            name=self._settings.name,
            period=self._clock.period,
            on_change=self._status_changed,
            on_lost_place=lambda: joiner.go_on(Role.NODE),
        )

    def _make_switches(
        self, storage: StorageNode, library: Library, reader: Reader, joiner: Joiner
    ) -> Switches:
        gateway = Gateway(
            GatewaySource(library, reader),
            landing_page=_landing_page(),
            port=self._options.gateway_port or self._settings.gateway_port,
            random_bytes=self._random.randbytes,
            now_s=self._clock.now_s,
        )
        return Switches(
            self._services,
            storage,
            gateway,
            joiner,
            self._settings,
            lambda settings: save_settings(self._home, settings),
        )

    def _make_avoider(self, library: Library) -> Avoider:
        def changed() -> None:
            self._status_changed()
            self._newsstand.publish(EntriesChanged(path=PUBLIC))

        own = frozenset({self._identity.user.public, self._identity.node.public})
        return Avoider(self._avoided, library, own, self._clock.now_s, changed)

    def _make_joiner(self) -> Joiner:
        return Joiner(
            self._services,
            self._home / "mining",
            self._identity.key_of,
            self._queries,
            self._rows,
            self._rows.admission,
            period=self._clock.period,
            tell=self._newsstand.publish,
        )

    def _identity_checker(self) -> IdentityChecker:
        """Always checks those who are connected to us: partners, holders and gateways."""
        checker = IdentityChecker(
            self._rows,
            self._network.node_id,
            self._rows.admission,
            deals_with=lambda key: NodeId(key) in self._network.peers,
        )

        def changed(change: PeerChange) -> None:
            if isinstance(change, PeerConnected):
                checker.met(change.peer)

        self._network.watch(changed)
        return checker

    def _greeter(self) -> Greeter:
        own = network_id(self._network_name, self._rows.admission.difficulty)

        def describe() -> Greeting:
            return Greeting(
                network_id=own,
                agent=f"bitcloud/{__version__}",
                addresses=self._network.addresses[:8],
            )

        own_network = self._network
        return Greeter(self._everybody, describe, lambda peer, _: own_network.greeted(peer))

    def _app_carrier(self, storage: StorageNode) -> AppCarrier:
        return AppCarrier(
            self._queries,
            self._rows,
            period=self._clock.period,
            carries=lambda: storage.view().on,
        )

    def _make_library(self) -> Library:
        queries = self._queries
        if self._light is not None:
            queries = LightQueries(self._rows.database, self._light)
        return Library(
            self._rows,
            queries,
            self._identity.user,
            self._settings.name,
            self._newsstand.publish,
            self._avoided,
            is_sparing=self._light is not None,
        )

    def _make_row_reader(self) -> RowReader:
        return RowReader(
            self._network,
            self._known_nodes,
            self._rows.rule_of,
            period=self._clock.period,
            random=self._random,
        )

    def _make_light(self) -> LightReads:
        return LightReads(self._row_reader, self._rows, self._rows.keeping.keys)

    async def _in_step(self) -> None:
        if self._light is not None:
            await self._light.ready()
        await self._neighbours.in_step()

    def _make_row_server(self) -> RowServer:
        shelf = Shelf(
            self._rows.database,
            self._rows.rule_of,
            self._clock.period,
            keeps=lambda table, key: self._rows.keeping.keeps(self._rows.rule_of(table), key),
            standings=self._rows.keeping.standings,
        )
        return RowServer(self._network, shelf, period=self._clock.period)

    def _make_head_keeper(self) -> HeadKeeper:
        return HeadKeeper(
            HeadReads(self._rows.database),
            self._rows,
            (self._identity.node, self._identity.user),
            period=self._clock.period,
            random=self._random,
        )

    def _make_head_watcher(self) -> HeadWatcher:
        return HeadWatcher(
            HeadReads(self._rows.database),
            self._rows,
            self._known_nodes,
            self._syncer,
            self._network,
            period=self._clock.period,
            random=self._random,
            holds=lambda table, owner: self._rows.keeping.keeps(self._rows.rule_of(table), owner),
        )

    def _serve_audits(self, storage: StorageNode) -> None:
        server = AuditServer(self._identity.node, lambda: storage.shelf, self._clock.now_s)
        self._network.serve(ProtocolId(AUDIT_PROTOCOL), server.handle)

    def _auditor(self) -> Auditor:
        chooser = ShareChooser(self._queries, ShareClaims(self._rows.database), self._random)
        prober = Prober(
            self._network,
            self._network.node_id,
            chooser,
            self._rows,
            clock=self._clock,
            behind_s=lambda: self._syncer.clock_behind_s,
            random=self._random,
        )
        return Auditor(
            self._queries,
            self._rows,
            self._identity.node,
            prober.probe,
            clock=self._clock,
            beacon=self._beacon,
            random=self._random,
            complaint=self._complaints.about,
        )

    def _beacon_keeper(self) -> BeaconKeeper:
        return BeaconKeeper(
            self._beacon.book,
            self._queries,
            self._rows,
            self._identity.node,
            clock=self._clock,
            random=self._random,
            in_step=self._syncer.is_in_step,
        )

    def _judge(self) -> Judge:
        return Judge(
            self._queries,
            self._rows,
            self._network,
            period=self._clock.period,
            beacon=self._beacon,
        )

    def _punish(self, fault: PeerFault) -> None:
        """Refuse a node that sent wrong data, for a while. The handshake proves to us who it was;
        evidence is for others."""
        self._complaints.note(fault)
        if fault.peer is not None:
            self._network.ban(NodeId(fault.peer), seconds=FAULT_BAN_S)

    def _status_changed(self) -> None:
        self._has_status.set()


def _landing_page() -> bytes:
    return (RESOURCES / "web" / "index.html").read_bytes()


def _nodepool(home: Path) -> Path:
    folder = home / "nodepool"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
