"""Rows that ask others to do something, and answer them.

A request is a row of who asks; whom it asks stands in its key. The answer is a row of the other
side, with the action ``ANSWER`` and the id of the row that it answers. A request that is taken back
is signed again as withdrawn. Each action has fields that it needs and fields that it may have;
all others must be empty, so that a signed request can be read in one way only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from types import MappingProxyType
from typing import Annotated, Final, TypeAlias

from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.nodepool.bodies.contracts import MAX_CONTRACT_NUMBER
from bitcloud_net.core.nodepool.bodies.fields import (
    Amount,
    Blob,
    Body,
    Bytes,
    Choice,
    Integer,
    Text,
    bad_body,
    fields_of,
)
from bitcloud_net.core.nodepool.bodies.kinds import KeyPart, Kind, Parents, RowLike
from bitcloud_net.core.nodepool.bodies.market import MAX_REASON_CHARS
from bitcloud_net.core.nodepool.bodies.network import MAX_NAME_CHARS
from bitcloud_net.core.nodepool.bodies.storage import FILE_ID_BYTES, FOLDER_ID_BYTES
from bitcloud_net.core.nodepool.tables import (
    DAY_PERIODS,
    DEFAULT_TABLE_BYTES,
    LARGE_TABLE_BYTES,
    MAX_PERIOD,
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import HASH_BYTES, KIB

MAX_SEALED_REQUEST_BYTES: Final = KIB
"""A new name, a key, or a cap, sealed for who is asked."""
REQUEST_ID_BYTES: Final = 16


class RequestState(IntEnum):
    """The first two are said by who asks, the others in an answer."""

    ASKED = 1
    WITHDRAWN = 2
    AGREED = 3
    REFUSED = 4
    DONE = 5


class UserAction(IntEnum):
    """What a user asks the own publisher, and so its gateways."""

    ANSWER = 1
    JOIN = 2
    DOWNLOAD = 3
    STREAM = 4
    UPLOAD = 5
    CREATE_FOLDER = 6
    RENAME_FOLDER = 7
    MOVE_FOLDER = 8
    REMOVE_FOLDER = 9
    RENAME_FILE = 10
    MOVE_FILE = 11
    DELETE_FILE = 12
    CHANGE_OWNER = 13
    CHANGE_PERMISSIONS = 14
    GRANT_FILE = 15
    GRANT_FOLDER = 16
    COMPLAIN = 17


class PublisherAction(IntEnum):
    """What a publisher orders from a grid."""

    ANSWER = 1
    ACCEPT_USER = 2
    REVOKE_USER = 3
    REMOVE_FILE = 4
    REMOVE_FOLDER = 5
    SET_STORED_QUOTA = 6
    SET_MOVED_QUOTA = 7
    SET_FILES_QUOTA = 8
    SET_FOLDERS_QUOTA = 9
    SET_PERMISSIONS = 10
    CHANGE_FILE_OWNER = 11
    CHANGE_FOLDER_OWNER = 12
    REGISTER_NICKNAME = 13
    DELETE_NICKNAME = 14
    ASK_FOR_BIDS = 15
    CONFIRM_CONTRACT = 16
    OBJECT_TO_CONTRACT = 17
    END_CONTRACT = 18


class GridOwnerAction(IntEnum):
    """What the owner of a grid orders from its nodes, or says to a publisher."""

    ANSWER = 1
    ASSIGN_NODE = 2
    PROMOTE_TO_GATEWAY = 3
    SET_BANDWIDTH = 4
    REVOKE_NODE = 5
    ASK_FOR_BIDS = 6
    END_CONTRACT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRequestBody(Body):
    """A user's request to a publisher, who stands in the row's key."""

    action: Annotated[UserAction, Choice(UserAction)]
    state: Annotated[RequestState, Choice(RequestState)]
    answers: Annotated[bytes, Bytes(0, HASH_BYTES)]  # id of the other side's row
    target: Annotated[bytes, Bytes(0, FILE_ID_BYTES, HASH_BYTES)]  # a file, folder or cid
    folder: Annotated[bytes, Bytes(0, FOLDER_ID_BYTES)]  # where to
    party: Annotated[bytes, Bytes(0, KEY_BYTES)]  # a new owner, a gateway complained of
    offset: Annotated[int, Integer()]  # bytes
    length: Annotated[int, Integer()]  # bytes; of a download 0: to the end
    reply_key: Annotated[bytes, Bytes(0, KEY_BYTES)]  # X25519, for what is sealed in the answer
    sealed: Annotated[bytes, Blob(MAX_SEALED_REQUEST_BYTES)]
    reason: Annotated[str, Text(MAX_REASON_CHARS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherRequestBody(Body):
    """A publisher's order to a grid, or its answer to a user. Whom stands in the row's key."""

    action: Annotated[PublisherAction, Choice(PublisherAction)]
    state: Annotated[RequestState, Choice(RequestState)]
    answers: Annotated[bytes, Bytes(0, HASH_BYTES)]
    user: Annotated[bytes, Bytes(0, KEY_BYTES)]
    target: Annotated[bytes, Bytes(0, FILE_ID_BYTES)]  # a file or folder of the user
    party: Annotated[bytes, Bytes(0, KEY_BYTES)]  # a new owner
    value: Annotated[int, Integer()]  # a quota: bytes, or how many
    until: Annotated[int, Integer(MAX_PERIOD)]
    nickname: Annotated[str, Text(MAX_NAME_CHARS)]  # of a user, unique inside the publisher
    contract: Annotated[int, Integer(MAX_CONTRACT_NUMBER)]
    amount: Annotated[int, Amount()]  # to be released in all, by a confirmation in parts
    sealed: Annotated[bytes, Blob(MAX_SEALED_REQUEST_BYTES)]
    reason: Annotated[str, Text(MAX_REASON_CHARS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridOwnerRequestBody(Body):
    """A grid owner's order to a node, or its word to a publisher. Whom stands in the row's key."""

    action: Annotated[GridOwnerAction, Choice(GridOwnerAction)]
    state: Annotated[RequestState, Choice(RequestState)]
    answers: Annotated[bytes, Bytes(0, HASH_BYTES)]
    gateway: Annotated[bytes, Bytes(0, KEY_BYTES)]  # that a node is assigned to
    publisher: Annotated[bytes, Bytes(0, KEY_BYTES)]  # that a gateway serves
    value: Annotated[int, Integer()]  # bytes per second
    until: Annotated[int, Integer(MAX_PERIOD)]
    contract: Annotated[int, Integer(MAX_CONTRACT_NUMBER)]
    reason: Annotated[str, Text(MAX_REASON_CHARS)]


@dataclass(frozen=True, slots=True)
class _Use:
    """The fields that an action needs, and those it may have beside them."""

    needs: frozenset[str]
    may: frozenset[str]


_Uses: TypeAlias = Mapping[IntEnum, _Use]


def _use(needs: str = "", may: str = "") -> _Use:
    return _Use(frozenset(needs.split()), frozenset(may.split()))


_ANSWER = _use("answers", "sealed reason")
_USER_USES: _Uses = MappingProxyType(
    {
        UserAction.ANSWER: _ANSWER,
        UserAction.JOIN: _use("reply_key", "sealed reason"),
        UserAction.DOWNLOAD: _use("target", "offset length reply_key"),
        UserAction.STREAM: _use("target", "offset length reply_key"),
        UserAction.UPLOAD: _use("target folder length", "sealed"),
        UserAction.CREATE_FOLDER: _use("target sealed", "folder"),
        UserAction.RENAME_FOLDER: _use("target sealed"),
        UserAction.MOVE_FOLDER: _use("target", "folder sealed"),
        UserAction.REMOVE_FOLDER: _use("target"),
        UserAction.RENAME_FILE: _use("target sealed"),
        UserAction.MOVE_FILE: _use("target folder", "sealed"),
        UserAction.DELETE_FILE: _use("target"),
        UserAction.CHANGE_OWNER: _use("target party", "sealed"),
        UserAction.CHANGE_PERMISSIONS: _use("target sealed", "party"),
        UserAction.GRANT_FILE: _use("target party sealed"),
        UserAction.GRANT_FOLDER: _use("target party sealed"),
        UserAction.COMPLAIN: _use("party reason", "target"),
    }
)
_PUBLISHER_USES: _Uses = MappingProxyType(
    {
        PublisherAction.ANSWER: _ANSWER,
        PublisherAction.ACCEPT_USER: _use("user until", "nickname"),
        PublisherAction.REVOKE_USER: _use("user", "reason"),
        PublisherAction.REMOVE_FILE: _use("user target", "reason"),
        PublisherAction.REMOVE_FOLDER: _use("user target", "reason"),
        PublisherAction.SET_STORED_QUOTA: _use("user", "value"),
        PublisherAction.SET_MOVED_QUOTA: _use("user", "value"),
        PublisherAction.SET_FILES_QUOTA: _use("user", "value"),
        PublisherAction.SET_FOLDERS_QUOTA: _use("user", "value"),
        PublisherAction.SET_PERMISSIONS: _use("user target sealed", "party"),
        PublisherAction.CHANGE_FILE_OWNER: _use("user target party", "reason"),
        PublisherAction.CHANGE_FOLDER_OWNER: _use("user target party", "reason"),
        PublisherAction.REGISTER_NICKNAME: _use("user nickname"),
        PublisherAction.DELETE_NICKNAME: _use("user", "nickname"),
        PublisherAction.ASK_FOR_BIDS: _use("until", "value reason"),
        PublisherAction.CONFIRM_CONTRACT: _use("contract", "amount reason"),
        PublisherAction.OBJECT_TO_CONTRACT: _use("contract reason", "amount"),
        PublisherAction.END_CONTRACT: _use("contract", "until reason"),
    }
)
_GRID_OWNER_USES: _Uses = MappingProxyType(
    {
        GridOwnerAction.ANSWER: _use("answers", "reason"),
        GridOwnerAction.ASSIGN_NODE: _use("gateway", "until"),
        GridOwnerAction.PROMOTE_TO_GATEWAY: _use("", "publisher until"),
        GridOwnerAction.SET_BANDWIDTH: _use("", "value until"),
        GridOwnerAction.REVOKE_NODE: _use("", "reason"),
        GridOwnerAction.ASK_FOR_BIDS: _use("until", "value reason"),
        GridOwnerAction.END_CONTRACT: _use("contract", "until reason"),
    }
)

_Request: TypeAlias = UserRequestBody | PublisherRequestBody | GridOwnerRequestBody
_ALWAYS: Final = frozenset({"action", "state"})
_ASKING: Final = frozenset({RequestState.ASKED, RequestState.WITHDRAWN})


def _check(uses: _Uses, body: _Request) -> None:
    use = uses[body.action]
    for name in fields_of(type(body)).keys() - _ALWAYS:
        has = bool(getattr(body, name))
        if has and name not in use.needs | use.may:
            raise bad_body(f"{name}: not for {_spoken(body.action)}")
        if not has and name in use.needs:
            raise bad_body(f"{name}: needed for {_spoken(body.action)}")
    if (body.state in _ASKING) == bool(body.answers):
        raise bad_body("state: not for a request" if not body.answers else "state: of an answer")


def _spoken(action: IntEnum) -> str:
    return action.name.lower().replace("_", " ")


def _publisher(row: RowLike, _body: UserRequestBody) -> Parents:
    return ((Table.PUBLISHER, row.key_suffix[:KEY_BYTES]),)


def _grid(row: RowLike, body: PublisherRequestBody) -> Parents:
    if body.action is PublisherAction.ANSWER:  # to a user or to a grid
        return ()
    return ((Table.GRID, row.key_suffix[:KEY_BYTES]),)


def _node_or_publisher(row: RowLike, body: GridOwnerRequestBody) -> Parents:
    if body.action is GridOwnerAction.ANSWER:
        return ()
    table = Table.PUBLISHER if body.action is GridOwnerAction.END_CONTRACT else Table.NODE
    return ((table, row.key_suffix[:KEY_BYTES]),)


_KEY = (KeyPart("recipient", KEY_BYTES, is_party=True), KeyPart("id", REQUEST_ID_BYTES))


def _rule(
    table: Table, name: str, writers: Role, *, slots: int, rows: int, life: int, size: int
) -> TableRule:
    return TableRule(
        table=table,
        name=name,
        exposure=Exposure.GRID,
        writers=writers,
        sync=SyncKind.OWNER,
        key_suffix_bytes=KEY_BYTES + REQUEST_ID_BYTES,
        max_row_bytes=4 * KIB,
        slots_per_period=slots,
        max_rows_per_owner=rows,
        max_life_periods=life,
        max_table_bytes=size,
    )


USER_REQUEST = Kind(
    rule=_rule(
        Table.USER_REQUEST,
        "user_request",
        Role.USER,
        slots=256,
        rows=4_096,
        life=30 * DAY_PERIODS,
        size=DEFAULT_TABLE_BYTES,
    ),
    body=UserRequestBody,
    key=_KEY,
    parents=_publisher,
    check=partial(_check, _USER_USES),
)

PUBLISHER_REQUEST = Kind(
    rule=_rule(
        Table.PUBLISHER_REQUEST,
        "publisher_request",
        Role.PUBLISHER,
        slots=1 << 16,  # a publisher with many users orders for each of them
        rows=1 << 20,
        life=YEAR_PERIODS,
        size=LARGE_TABLE_BYTES,
    ),
    body=PublisherRequestBody,
    key=_KEY,
    parents=_grid,
    check=partial(_check, _PUBLISHER_USES),
)

GRID_OWNER_REQUEST = Kind(
    rule=_rule(
        Table.GRID_OWNER_REQUEST,
        "grid_owner_request",
        Role.GRID_OWNER,
        slots=4_096,
        rows=1 << 16,
        life=YEAR_PERIODS,
        size=DEFAULT_TABLE_BYTES,
    ),
    body=GridOwnerRequestBody,
    key=_KEY,
    parents=_node_or_publisher,
    check=partial(_check, _GRID_OWNER_USES),
)

KINDS = (USER_REQUEST, PUBLISHER_REQUEST, GRID_OWNER_REQUEST)
