"""What programs see: frozen snapshots of files, health, transfers and nodes.

A view is replaced, never edited. Text in it that came from somebody else (names, nicknames) is
plain text and must be shown as such. Every view turns into JSON by ``to_json``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from bitcloud_net.core.nodepool.table_text import PlainCell


class EntryKind(StrEnum):
    """What a line of the virtual disk is."""

    PUBLISHER = "publisher"
    PERSON = "person"
    FOLDER = "folder"
    FILE = "file"


class FolderContent(StrEnum):
    """What a folder mostly holds; decides its emblem."""

    EMPTY = "empty"
    MIXED = "mixed"
    VIDEO = "video"
    MUSIC = "music"
    PICTURES = "pictures"
    DOCUMENTS = "documents"


class HealthState(StrEnum):
    """How safe a file is now."""

    HEALTHY = "healthy"  # enough shares answer for the promise that holds on this grid
    WEAKENED = "weakened"  # readable, but fewer may fail than promised
    REPAIRING = "repairing"
    UNREADABLE = "unreadable"  # fewer than k shares answer at the moment
    UNKNOWN = "unknown"  # not checked yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Shares of one file: how many answer, how many are needed, how many may still fail."""

    state: HealthState
    alive: int  # distinct shares whose holders answer
    total: int  # n; 0 for a file that lives inside its row
    needed: int  # k
    checked_s: int | None  # seconds since 1970
    verified: bool = False  # every byte was read and checked, not only asked for

    @property
    def may_fail(self) -> int:
        """How many more shares may be lost while the file stays readable."""
        return max(0, self.alive - self.needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the virtual disk."""

    kind: EntryKind
    path: str  # such as "Public/Mary/Videos/Dawn.webm"; "/" never occurs in a name
    name: str
    mine: bool = False
    size_bytes: int | None = None  # files; folders: sum of what is known below
    items: int | None = None  # folders and people: entries directly below
    modified_s: int | None = None
    media_type: str | None = None
    content: FolderContent | None = None
    fingerprint: str | None = None  # people and publishers: short text of their key
    conflicting: bool = False  # people: their key has signed two versions of one row
    health: Health | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One storage node that should hold a share of a file."""

    node: str
    share: int
    alive: bool
    fault: str | None = None  # error code when it answered wrongly


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Everything known about one file."""

    entry: Entry
    health: Health
    holders: tuple[Holder, ...]
    verify_cap: str


class TransferKind(StrEnum):
    """What a transfer does."""

    PUBLISH = "publish"
    FETCH = "fetch"
    CHECK = "check"
    REPAIR = "repair"


class TransferState(StrEnum):
    """Where a transfer stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    AT_RISK = "at-risk"  # everything was sent, too few storage receipts came back; goes on
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One long action and its progress. Bytes are plain bytes of the files."""

    id: str
    kind: TransferKind
    state: TransferState
    title: str
    target: str  # path in the virtual disk, or a cap
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_s: int = 0
    seconds_left: int | None = None
    files_done: int = 0
    files_total: int = 1
    receipts: int = 0  # storage receipts in hand, of the file under way
    receipts_needed: int = 0
    reason_code: str | None = None  # why it waits or failed
    reason: str | None = None
    started_s: int = 0
    missing: tuple[str, ...] = ()  # paths that were not published, the first hundred

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in (TransferState.DONE, TransferState.FAILED, TransferState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One file that was to be published: where, and how safe; or why it was not."""

    path: str  # in the virtual disk; on the own disk when it was left out
    size_bytes: int
    health: Health
    fault: str | None = None  # the error's code when it was not published
    reason: str | None = None  # the same as a sentence

    @property
    def failed(self) -> bool:
        """Whether it should have been published and was not: a link in a folder need not be."""
        return self.fault is not None and self.fault not in ("symlink", "not-a-file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """This computer as a storage node."""

    on: bool
    folder: str | None = None
    capacity_bytes: int = 0
    used_bytes: int = 0
    shares: int = 0
    disk_free_bytes: int = 0
    disk_total_bytes: int = 0
    received_bytes: int = 0  # share bytes taken in since the start
    served_bytes: int = 0  # share bytes handed out since the start
    banned: bool = False  # other nodes refuse this one for a while; see ``Client.bans``


class MembershipState(StrEnum):
    """How far this computer, or its person, is on the way to a role."""

    OPEN = "open"  # nobody mines on this network: every role is free
    NONE = "none"  # not registered, and nothing is under way
    MINING = "mining"
    PAUSED = "paused"  # the search is held, also over restarts, until somebody joins again
    JOINED = "joined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One role on this network, and the search that it costs.

    The search has no memory: ``left_s`` is an average, the same after an hour as at the beginning.
    """

    state: MembershipState
    role: str = "node"  # "node", "gateway", "publisher" or "grid-owner"
    tries: int = 0  # so far, over all runs
    mean_tries: int = 0  # an identity costs so many on average; 0 where it is free
    tries_per_s: float = 0.0  # in this run
    left_s: int | None = None  # None while the speed is not known
    registered_s: int | None = None  # when it was registered, seconds since 1970
    cores: int = 0  # that search; one is left free
    stopped_by: str | None = None  # code of the error that ended the last search


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoided:
    """Somebody whom this person avoids. Private: nobody else is told."""

    key: str  # hexadecimal
    name: str  # as it was shown then; empty when only the key was known
    reason: str
    since_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One storage node of the grid, as seen from here."""

    node: str
    online: bool
    name: str = ""
    capacity_bytes: int = 0
    used_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the grid's size means for a file published now."""

    shares: int  # n
    needed: int  # k
    may_fail: int
    survival_70: float  # chance that a file outlives 70 % of the grid's nodes; 1.0 is exact


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlAnswer:
    """What a SELECT found. Blobs are in hexadecimal; text in it may come from strangers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[PlainCell, ...], ...]
    cut_off: bool  # whether there was more than an answer may hold
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRow:
    """An own row that was signed and written."""

    table: str
    key: str
    seq: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppView:
    """An application whose tables are in the shared database."""

    id: str
    name: str
    tables: tuple[str, ...]  # their names in SQL
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncHealth:
    """How well the shared database is in step, as far as this node can tell."""

    partners: int = 0  # that were asked last, 16 at most
    in_step: int = 0  # of them hold the same rows as we do since their session
    oldest_s: int | None = None  # age of the oldest row that the last session brought
    last_s: int | None = None  # when a session last ended well, seconds since 1970
    waiting: int = 0  # rows whose folder has not come yet
    period_bytes: int = 0  # rows moved in this period, both ways
    clock_behind_s: int = 0  # how far the partners' median clock is ahead of ours
    sessions: int = 0  # that ended well, since the start
    failed: int = 0
    received: int = 0  # rows that sessions brought
    sent: int = 0
    pushed: int = 0  # batches that peers took
    dropped: int = 0  # batches that a slow peer missed
    owners_lacking: int = 0  # whose heads say that rows of theirs are missing here


@dataclass(frozen=True, slots=True, kw_only=True)
class BanStatement:
    """What one auditor said about a banned node."""

    auditor: str  # node, in hexadecimal
    reason: str  # such as "ping-timeout"
    periods: int  # in how many of the last six periods it saw the failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What comparing rows with other nodes at once came to."""

    nodes: int  # that rows were compared with
    received: int  # rows that were new here
    sent: int  # rows that were new there


@dataclass(frozen=True, slots=True, kw_only=True)
class BanView:
    """A node that others refuse for a while, and why."""

    node: str  # in hexadecimal
    name: str  # what it called itself; empty where nobody knows it any more
    reason: str  # such as "ping-timeout", or "fraud"
    since_s: int  # seconds since 1970
    until_s: int
    own: bool  # it is this computer
    statements: tuple[BanStatement, ...] = ()  # of the auditors; none where a proof was enough
    proof: str = ""  # the kind of the proof, where one convicted it


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The node at a glance."""

    node: str
    person: str
    fingerprint: str
    addresses: tuple[str, ...]
    network: str
    peers: int
    nodes: tuple[NodeView, ...]
    promise: Promise | None  # None while there is no storage node
    contribution: Contribution
    rows: int
    received_bytes: int
    sent_bytes: int
    receive_per_s: int
    send_per_s: int
    gateway: str | None
    transfers_running: int
    version: str
    sync: SyncHealth | None = None
    more_nodes: int = 0  # storage nodes of a large grid beyond those in ``nodes``
    more_online: int = 0  # of them are on

    @property
    def known_nodes(self) -> int:
        """How many storage nodes there are, listed or not."""
        return len(self.nodes) + self.more_nodes

    @property
    def online_nodes(self) -> int:
        """How many of them are on, as far as this node can tell."""
        return sum(node.online for node in self.nodes) + self.more_online


@dataclass(frozen=True, slots=True, kw_only=True)
class TestGridNode:
    """One node process of a local test grid."""

    __test__ = False

    index: int
    node: str
    address: str
    running: bool
    used_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TestGrid:
    """A local test grid: N storage nodes, each a process of its own."""

    __test__ = False

    nodes: tuple[TestGridNode, ...]

    @property
    def running(self) -> int:
        """How many nodes are switched on."""
        return sum(node.running for node in self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesChanged:
    """Something below ``path`` was added, changed or removed."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferChanged:
    """A transfer moved on."""

    transfer: Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    """The node's status is a new one."""

    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class TestGridChanged:
    """Nodes of the local test grid went on or off."""

    __test__ = False

    grid: TestGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipChanged:
    """A search for an identity moved on, was held, or is over."""

    membership: Membership


News: TypeAlias = (
    EntriesChanged | TransferChanged | StatusChanged | TestGridChanged | MembershipChanged
)


def to_json(view: object) -> Any:
    """Turn a view into plain lists, maps and numbers, ready for ``json.dumps``."""
    if dataclasses.is_dataclass(view) and not isinstance(view, type):
        plain = {f.name: to_json(getattr(view, f.name)) for f in dataclasses.fields(view)}
        if isinstance(view, Health):
            plain["may_fail"] = view.may_fail
        return plain
    if isinstance(view, list | tuple):
        return [to_json(item) for item in view]
    if isinstance(view, dict):
        return {str(key): to_json(value) for key, value in view.items()}
    if isinstance(view, StrEnum):
        return view.value
    if isinstance(view, Path):
        return str(view)
    return view
