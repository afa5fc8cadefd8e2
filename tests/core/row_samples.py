"""A good row of every table, with all that it belongs to; for tests and vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.app_tables import parse_definition
from bitcloud_net.core.nodepool.bodies.certificates import CertificateKind
from bitcloud_net.core.nodepool.bodies.contracts import BidState, ContractState, SummaryOf, Terms
from bitcloud_net.core.nodepool.bodies.fields import Amount, Field, Many, Record, fields_of
from bitcloud_net.core.nodepool.bodies.heads import TableHead
from bitcloud_net.core.nodepool.bodies.market import HowToJoin, Price, Quota, Stance
from bitcloud_net.core.nodepool.bodies.permissions import Right, Target
from bitcloud_net.core.nodepool.bodies.requests import (
    GridOwnerAction,
    PublisherAction,
    RequestState,
    UserAction,
)
from bitcloud_net.core.nodepool.row_bodies import (
    BeaconBody,
    BidBody,
    Body,
    CertificateBody,
    DefinitionBody,
    FaultBody,
    FileBody,
    FolderBody,
    GatewayBody,
    GridBody,
    GridOwnerRequestBody,
    HeadBody,
    IdentityBody,
    NodeBody,
    NodeContractBody,
    PermissionBody,
    PlacementBody,
    PublisherBody,
    PublisherContractBody,
    PublisherRequestBody,
    ReceiptSummaryBody,
    TrustBody,
    UserBody,
    UserRequestBody,
)
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Role, Table
from bitcloud_net.core.trust.verdicts import FaultReason

PERIOD = 2_900_000
"""The period in which the samples are signed."""

NODE, OTHER_NODE, SHOP, OTHER_SHOP, MARY, GRID = (
    SigningKey(bytes([at]) * 32) for at in range(21, 27)
)
"""A node; another one, a grid's gateway; two publishers; a user; the owner of a grid."""

GATEWAY = OTHER_NODE
FOLDER_ID, FILE_ID, REQUEST_ID = b"f" * 16, b"1" * 16, b"r" * 16
NUMBER = (7).to_bytes(8, "big")

CHESS = parse_definition(
    '{"name": "chess", "tables": [{"name": "moves", "writers": "user",'
    ' "exposure": "participants", "key_bytes": 1, "slots": 64, "max_rows": 16, "life_days": 365,'
    ' "max_row_bytes": 1024, "check": "new.number >= 0",'
    ' "columns": [{"name": "number", "type": "integer"}]}]}'
)

TERMS: dict[str, Any] = {
    "begins": PERIOD,
    "ends": PERIOD + 4_320,
    "storage": 10**12,
    "bandwidth": 10**7,
    "availability_ppm": 995_000,
    "ping_ms": 200,
    "coin": "bitcoin",
    "gib_month": 250,
    "block": 12,
    "block_bytes": 100_000_000,
    "deposit": 10**20,  # beyond 64 bits, as the smallest units of some coins are
    "confirming": 432,
    "disputing": 1_008,
    "arbiters": (b"\1" * 32, b"\2" * 32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a good row is made of."""

    table: Table
    suffix: bytes = b""
    body: Body
    signer: SigningKey
    co_signers: tuple[SigningKey, ...] = ()
    after: tuple[Table, ...] = ()  # whose samples must be there before

    def row(self, body: Body | None = None, *, deleted: bool = False, **changes: Any) -> SignedRow:
        numbers = {"seq": 1, "period": PERIOD, "slot": 0, "expires": PERIOD + 100} | changes
        if deleted:
            numbers["expires"] = numbers["period"] + RULES[self.table].tombstone_life_periods
        return make_row(
            self.table,
            self.suffix,
            None if deleted else (body or self.body),
            signer=self.signer,
            co_signers=self.co_signers,
            **numbers,
        )


def user_request(**changes: Any) -> UserRequestBody:
    empty = {
        "answers": b"",
        "target": b"",
        "folder": b"",
        "party": b"",
        "offset": 0,
        "length": 0,
        "reply_key": b"",
        "sealed": b"",
        "reason": "",
        "state": RequestState.ASKED,
    }
    return UserRequestBody(**(empty | changes))


def publisher_request(**changes: Any) -> PublisherRequestBody:
    empty = {
        "answers": b"",
        "user": b"",
        "target": b"",
        "party": b"",
        "value": 0,
        "until": 0,
        "nickname": "",
        "contract": 0,
        "amount": 0,
        "sealed": b"",
        "reason": "",
        "state": RequestState.ASKED,
    }
    return PublisherRequestBody(**(empty | changes))


def grid_owner_request(**changes: Any) -> GridOwnerRequestBody:
    empty = {
        "answers": b"",
        "gateway": b"",
        "publisher": b"",
        "value": 0,
        "until": 0,
        "contract": 0,
        "reason": "",
        "state": RequestState.ASKED,
    }
    return GridOwnerRequestBody(**(empty | changes))


def contract(kind: type[Terms], **changes: Any) -> Any:
    rest = {"state": ContractState.ACTIVE, "escrow": b"e" * 36, "paid": 10**19, "refunded": 0}
    return kind(**(TERMS | rest | changes))


_SAMPLES = (
    Sample(
        table=Table.NODE,
        body=NodeBody(
            name="attic",
            roles=Role.NODE | Role.GRID_OWNER,
            addresses=("/ip4/203.0.113.5/tcp/4001",),
            capacity=10**12,
            used=1,
        ),
        signer=NODE,
    ),
    Sample(table=Table.USER, body=UserBody(nickname="Mary"), signer=MARY),
    Sample(
        table=Table.FOLDER,
        suffix=FOLDER_ID,
        body=FolderBody(parent=b"", open_key=b"k" * 32, sealed=b"sealed"),
        signer=MARY,
        after=(Table.USER,),
    ),
    Sample(
        table=Table.FILE,
        suffix=FILE_ID,
        body=FileBody(folder=FOLDER_ID, sealed=b"sealed name and cap"),
        signer=MARY,
        after=(Table.USER, Table.FOLDER),
    ),
    Sample(
        table=Table.PLACEMENT,
        suffix=b"c" * 32,
        body=PlacementBody(manifest=b"BC", holders=(b"n" * 32, b"", b"m" * 32)),
        signer=MARY,
        after=(Table.USER,),
    ),
    Sample(
        table=Table.FAULT,
        suffix=b"t" * 32,
        body=FaultBody(reason=FaultReason.TOO_SLOW, count=9, recent=0b100101),
        signer=NODE,
        after=(Table.NODE,),
    ),
    Sample(
        table=Table.IDENTITY,
        suffix=b"\1",
        body=IdentityBody(day=PERIOD // 144, nonce=7, registered=PERIOD),
        signer=NODE,
    ),
    Sample(
        table=Table.BEACON,
        suffix=(1 + PERIOD // 144 // 256).to_bytes(4, "big"),
        body=BeaconBody(promise=b"", secret=b"", seen=(), value=b"", days=b"d" * 96),
        signer=NODE,
        after=(Table.NODE,),
    ),
    Sample(
        table=Table.APP,
        suffix=CHESS.id,
        body=DefinitionBody(definition=CHESS.text),
        signer=MARY,
        after=(Table.USER,),
    ),
    Sample(
        table=Table.GRID,
        body=GridBody(
            name="Alps",
            node=NODE.public,
            is_open=True,
            prices=(
                Price(coin="bitcoin", gib_month=250, block=12),
                Price(coin="none", gib_month=0, block=0),
            ),
            storage=10**14,
            bandwidth=10**9,
            availability_ppm=999_000,
            ping_ms=80,
            least_storage=10**9,
            least_periods=144,
        ),
        signer=GRID,
        after=(Table.NODE,),
    ),
    Sample(
        table=Table.PUBLISHER,
        body=PublisherBody(
            nickname="WeTube",
            address="https://wetube.example",
            joining=HowToJoin.APPROVAL,
            approval=288,
            quota=Quota(stored=10**10, moved=10**11, files=10_000, folders=1_000),
            metadata_public=True,
            files_public=False,
            trusts_all=True,
        ),
        signer=SHOP,
    ),
    Sample(
        table=Table.TRUST,
        suffix=OTHER_SHOP.public,
        body=TrustBody(stance=Stance.FRIEND, users=True, powers=False, reason="neighbours"),
        signer=SHOP,
        after=(Table.PUBLISHER,),
    ),
    Sample(
        table=Table.GATEWAY,
        suffix=GATEWAY.public + SHOP.public,
        body=GatewayBody(addresses=("https://gw.example",), priority=9, bandwidth=10**8),
        signer=GRID,
        after=(Table.NODE, Table.GRID, Table.PUBLISHER),
    ),
    Sample(
        table=Table.USER_REQUEST,
        suffix=SHOP.public + REQUEST_ID,
        body=user_request(action=UserAction.DOWNLOAD, target=b"c" * 32, offset=2**40),
        signer=MARY,
        after=(Table.USER, Table.PUBLISHER),
    ),
    Sample(
        table=Table.PUBLISHER_REQUEST,
        suffix=GRID.public + REQUEST_ID,
        body=publisher_request(
            action=PublisherAction.ACCEPT_USER, user=MARY.public, until=PERIOD + 999, nickname="m"
        ),
        signer=SHOP,
        after=(Table.PUBLISHER, Table.NODE, Table.GRID),
    ),
    Sample(
        table=Table.GRID_OWNER_REQUEST,
        suffix=GATEWAY.public + REQUEST_ID,
        body=grid_owner_request(action=GridOwnerAction.SET_BANDWIDTH, value=10**7),
        signer=GRID,
        after=(Table.NODE, Table.GRID),
    ),
    Sample(
        table=Table.NODE_CONTRACT,
        suffix=GATEWAY.public + NUMBER,
        body=contract(NodeContractBody),
        signer=GRID,
        co_signers=(GATEWAY,),
        after=(Table.NODE, Table.GRID),
    ),
    Sample(
        table=Table.PUBLISHER_CONTRACT,
        suffix=GRID.public + NUMBER,
        body=contract(PublisherContractBody),
        signer=SHOP,
        co_signers=(GRID,),
        after=(Table.PUBLISHER, Table.NODE, Table.GRID),
    ),
    Sample(
        table=Table.RECEIPT_SUMMARY,
        suffix=GRID.public + SHOP.public + PERIOD.to_bytes(8, "big"),
        body=ReceiptSummaryBody(
            counts_for=SummaryOf.PUBLISHER,
            publisher=SHOP.public,
            contract=7,
            periods=144,
            receipts=900,
            users=30,
            good=57_000,
            wrong=2,
            delivered=57_000 * 2**20,
            stored=10**12 * 144,
            bandwidth=10**7,
            ping_ms=44,
            availability_ppm=1_000_000,
            root=b"r" * 32,
        ),
        signer=GATEWAY,
        after=(
            Table.NODE,
            Table.GRID,
            Table.PUBLISHER,
            Table.GATEWAY,
            Table.PUBLISHER_CONTRACT,
        ),
    ),
    Sample(
        table=Table.BID,
        suffix=SHOP.public + REQUEST_ID,
        body=BidBody(**TERMS, state=BidState.OFFERED, answers=b"", text="for a year"),
        signer=GRID,
        after=(Table.NODE, Table.GRID),
    ),
    Sample(
        table=Table.PERMISSION,
        suffix=bytes(32) + FILE_ID,
        body=PermissionBody(
            of_publisher=False,
            target=Target.FILE,
            rights=Right.READ,
            read_quota=10**9,
            write_quota=0,
            sealed=b"",
        ),
        signer=MARY,
        after=(Table.USER, Table.FOLDER, Table.FILE),
    ),
    Sample(
        table=Table.CERTIFICATE,
        suffix=bytes([CertificateKind.USER]) + MARY.public,
        body=CertificateBody(since=PERIOD, reason=0),
        signer=SHOP,
        after=(Table.PUBLISHER,),
    ),
    Sample(
        table=Table.HEAD,
        suffix=bytes(32),
        body=HeadBody(
            tables=(TableHead(table=Table.USER.value, count=1, fingerprint=b"h" * 16, latest=1),)
        ),
        signer=MARY,
        after=(Table.USER,),
    ),
)

SAMPLES: dict[Table, Sample] = {sample.table: sample for sample in _SAMPLES}

OTHERS = (
    Sample(
        table=Table.NODE,
        body=NodeBody(name="cellar", roles=Role.NODE, addresses=(), capacity=1, used=0),
        signer=OTHER_NODE,
    ),
    Sample(
        table=Table.PUBLISHER,
        body=SAMPLES[Table.PUBLISHER].body,
        signer=OTHER_SHOP,
    ),
)
"""The second node and publisher, to whom some samples refer."""


def before(table: Table) -> list[SignedRow]:
    """Return the rows that must be there before the sample of a table, in a good order."""
    rows = [sample.row() for sample in OTHERS]
    return rows + [SAMPLES[needed].row() for needed in SAMPLES[table].after]


def plain_body(table: Table) -> dict[str, Any]:
    """Return the map that travels in the sample of a table."""
    body = SAMPLES[table].body
    return {name: spec.plain(getattr(body, name)) for name, spec in fields_of(type(body)).items()}


def as_json(value: Any, spec: Field) -> Any:
    """Return as people write it what travels."""
    if isinstance(spec, Amount):
        return int.from_bytes(value, "big")
    if isinstance(spec, Many):
        return [as_json(one, spec.of) for one in value]
    if isinstance(spec, Record):
        return {name: as_json(value[name], field) for name, field in fields_of(spec.of).items()}
    return value.hex() if isinstance(value, bytes) else value
