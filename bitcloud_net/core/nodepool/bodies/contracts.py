"""Rows of deals: bids, contracts, and what was delivered under them.

Money is a whole number of the coin's smallest unit, and a contract has one coin. The two sides of a
contract stand in its key, and both sign each of its rows, also the one that deletes it. What one
side says alone, such as that it ends a contract, is a request (``requests``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.nodepool.bodies.fields import (
    Amount,
    Blob,
    Body,
    Bytes,
    Choice,
    Code,
    Integer,
    Many,
    Text,
    bad_body,
)
from bitcloud_net.core.nodepool.bodies.kinds import KeyPart, Kind, Parents, RowLike
from bitcloud_net.core.nodepool.bodies.market import (
    MAX_BYTES_PER_S,
    MAX_COIN_CHARS,
    MAX_GRID_BYTES,
    MAX_PING_MS,
    MAX_REASON_CHARS,
    PPM,
)
from bitcloud_net.core.nodepool.tables import (
    DAY_PERIODS,
    MAX_PERIOD,
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import HASH_BYTES, KIB

NO_COIN: Final = "none"
"""The coin of what is free."""
MAX_ARBITERS: Final = 16
MAX_BLOCK_BYTES: Final = 2**40
MAX_WINDOW_PERIODS: Final = 90 * DAY_PERIODS
"""Longest time to confirm, or to settle a dispute: nobody's money is locked up for longer."""
CONTRACT_LIFE_PERIODS: Final = 2 * YEAR_PERIODS
"""A contract runs for at most a year; its row outlives it by the time to settle a dispute."""
CONTRACT_NUMBER_BYTES: Final = 8
MAX_CONTRACT_NUMBER: Final = 2**63 - 1
MAX_SUMMARY_PERIODS: Final = 30 * DAY_PERIODS
"""Periods in one summary of receipts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(Body):
    """What is offered or agreed on. The first field of its rows; times in periods."""

    begins: Annotated[int, Integer(MAX_PERIOD)]
    ends: Annotated[int, Integer(MAX_PERIOD)]
    storage: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes
    bandwidth: Annotated[int, Integer(MAX_BYTES_PER_S)]  # bytes per second, at least
    availability_ppm: Annotated[int, Integer(PPM)]  # at least
    ping_ms: Annotated[int, Integer(MAX_PING_MS)]  # at most; 0: not measured
    coin: Annotated[str, Code(MAX_COIN_CHARS)]
    gib_month: Annotated[int, Amount()]  # for a GiB stored for 30 days
    block: Annotated[int, Amount()]  # for each block delivered
    block_bytes: Annotated[int, Integer(MAX_BLOCK_BYTES, least=1)]
    deposit: Annotated[int, Amount()]  # locked up by who pays, before it begins
    confirming: Annotated[int, Integer(MAX_WINDOW_PERIODS)]  # time to decide after the end
    disputing: Annotated[int, Integer(MAX_WINDOW_PERIODS)]  # time to settle a dispute after that
    # who decides one, whatever lots would say; none: sixteen auditors drawn by lot
    arbiters: Annotated[tuple[bytes, ...], Many(Bytes(KEY_BYTES), MAX_ARBITERS, distinct=True)]


class BidState(IntEnum):
    """What became of a bid; who made it says so."""

    OFFERED = 1
    ACCEPTED = 2  # that is, the bid of the other side that it answers
    REFUSED = 3
    WITHDRAWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BidBody(Terms):
    """An offer to somebody who stands in the row's key; a counter-offer answers one."""

    state: Annotated[BidState, Choice(BidState)]
    answers: Annotated[bytes, Bytes(0, HASH_BYTES)]  # id of the other side's row
    text: Annotated[str, Text(MAX_REASON_CHARS)]


class ContractState(IntEnum):
    """How far a contract is, as both sides say."""

    SIGNED = 1
    FUNDED = 2
    ACTIVE = 3
    ENDED = 4
    CONFIRMED = 5
    RELEASED = 6
    REFUNDED = 7
    DISPUTED = 8
    RULED = 9
    SETTLED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractBody(Terms):
    """A contract. The other side and the contract's number stand in the row's key."""

    state: Annotated[ContractState, Choice(ContractState)]
    escrow: Annotated[bytes, Blob(256)]  # by what the coin's back end finds the deposit again
    paid: Annotated[int, Amount()]  # to who delivers, since it began
    refunded: Annotated[int, Amount()]  # to who pays


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContractBody(ContractBody):
    """A storage node's contract with the owner's grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherContractBody(ContractBody):
    """The owner's, a publisher's, contract with a grid."""


class SummaryOf(IntEnum):
    """Whose contract receipts count for."""

    PUBLISHER = 1
    NODE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSummaryBody(Body):
    """What receipts say together about some periods of a contract. The grid, the other side of the
    contract and the first period stand in the row's key.
    """

    counts_for: Annotated[SummaryOf, Choice(SummaryOf)]
    publisher: Annotated[bytes, Bytes(KEY_BYTES)]  # for whom it was delivered
    contract: Annotated[int, Integer(MAX_CONTRACT_NUMBER)]
    periods: Annotated[int, Integer(MAX_SUMMARY_PERIODS, least=1)]
    receipts: Annotated[int, Integer()]
    users: Annotated[int, Integer()]
    good: Annotated[int, Integer()]  # chunks
    wrong: Annotated[int, Integer()]  # chunks
    delivered: Annotated[int, Integer()]  # bytes
    stored: Annotated[int, Integer()]  # bytes times periods
    bandwidth: Annotated[int, Integer(MAX_BYTES_PER_S)]  # bytes per second, the median
    ping_ms: Annotated[int, Integer(MAX_PING_MS)]  # the median
    availability_ppm: Annotated[int, Integer(PPM)]
    root: Annotated[bytes, Bytes(HASH_BYTES)]  # Merkle root of the newest receipts


def contract_key(owner: bytes, other: bytes, number: int) -> bytes:
    """Return the key of a contract's row."""
    return owner + other + number.to_bytes(CONTRACT_NUMBER_BYTES, "big")


def _check_terms(body: Terms) -> None:
    if not body.begins <= body.ends <= body.begins + YEAR_PERIODS:
        raise bad_body("ends: after it begins, and within a year")
    if body.coin == NO_COIN and (body.gib_month or body.block or body.deposit):
        raise bad_body("coin: what costs something has one")


def _check_bid(body: BidBody) -> None:
    _check_terms(body)
    if body.state in (BidState.ACCEPTED, BidState.REFUSED) and not body.answers:
        raise bad_body("answers: only another's offer is accepted or refused")


def _check_contract(body: ContractBody) -> None:
    _check_terms(body)
    if body.deposit and body.paid + body.refunded > body.deposit:
        raise bad_body("paid: more than was deposited")


def _check_summary(body: ReceiptSummaryBody) -> None:
    if body.receipts > body.good + body.wrong:
        raise bad_body("receipts: each is for one chunk at least")
    if body.users > body.receipts:
        raise bad_body("users: each has signed one receipt at least")


def _node(row: RowLike, _body: ContractBody) -> Parents:
    return ((Table.NODE, NODE_CONTRACT.parts(row)[0]),)


def _grid(row: RowLike, _body: ContractBody) -> Parents:
    return ((Table.GRID, PUBLISHER_CONTRACT.parts(row)[0]),)


def _contract(row: RowLike, body: ReceiptSummaryBody) -> Parents:
    grid, other, _ = RECEIPT_SUMMARY.parts(row)
    if body.counts_for is SummaryOf.NODE:
        return ((Table.NODE_CONTRACT, contract_key(grid, other, body.contract)),)
    return ((Table.PUBLISHER_CONTRACT, contract_key(other, grid, body.contract)),)


def _gateway_or_publisher(row: RowLike, body: ReceiptSummaryBody) -> Parents:
    grid, _, _ = RECEIPT_SUMMARY.parts(row)
    gateway = (Table.GATEWAY, grid + row.owner + body.publisher)
    return (gateway, (Table.PUBLISHER, row.owner))


_NUMBER = KeyPart("number", CONTRACT_NUMBER_BYTES, is_number=True)

BID = Kind(
    rule=TableRule(
        table=Table.BID,
        name="bid",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.NODE | Role.GRID_OWNER | Role.PUBLISHER,
        sync=SyncKind.OWNER,
        key_suffix_bytes=48,
        max_row_bytes=4 * KIB,
        slots_per_period=64,
        max_rows_per_owner=1_024,
        max_life_periods=30 * DAY_PERIODS,
    ),
    body=BidBody,
    key=(KeyPart("recipient", 32, is_party=True), KeyPart("id", 16)),
    check=_check_bid,
)

NODE_CONTRACT = Kind(
    rule=TableRule(
        table=Table.NODE_CONTRACT,
        name="node_contract",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.GRID_OWNER,
        sync=SyncKind.OWNER,
        key_suffix_bytes=40,
        max_row_bytes=4 * KIB,
        slots_per_period=1_024,
        max_rows_per_owner=1 << 16,
        max_life_periods=CONTRACT_LIFE_PERIODS,
        max_co_owners=1,
    ),
    body=NodeContractBody,
    key=(KeyPart("node", 32, is_party=True, signs=True), _NUMBER),
    parents=_node,
    check=_check_contract,
)

PUBLISHER_CONTRACT = Kind(
    rule=TableRule(
        table=Table.PUBLISHER_CONTRACT,
        name="publisher_contract",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.PUBLISHER,
        sync=SyncKind.OWNER,
        key_suffix_bytes=40,
        max_row_bytes=4 * KIB,
        slots_per_period=256,
        max_rows_per_owner=4_096,
        max_life_periods=CONTRACT_LIFE_PERIODS,
        max_co_owners=1,
    ),
    body=PublisherContractBody,
    key=(KeyPart("grid", 32, is_party=True, signs=True), _NUMBER),
    parents=_grid,
    check=_check_contract,
)

RECEIPT_SUMMARY = Kind(
    rule=TableRule(
        table=Table.RECEIPT_SUMMARY,
        name="receipt_summary",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.GATEWAY | Role.PUBLISHER,
        sync=SyncKind.OWNER,
        key_suffix_bytes=72,
        max_row_bytes=2 * KIB,
        slots_per_period=4_096,
        max_rows_per_owner=1 << 18,
        max_life_periods=YEAR_PERIODS,
    ),
    body=ReceiptSummaryBody,
    key=(
        KeyPart("grid", 32, is_party=True),
        KeyPart("other", 32, is_party=True),
        KeyPart("begins", 8, is_number=True),
    ),
    parents=_contract,
    writer=_gateway_or_publisher,
    check=_check_summary,
)

KINDS = (BID, NODE_CONTRACT, PUBLISHER_CONTRACT, RECEIPT_SUMMARY)
