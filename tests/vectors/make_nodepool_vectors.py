"""Write ``nodepool.json``: rows, proofs, messages, partners and lots, good ones and bad ones.

Run from the root of the project: ``python tests/vectors/make_nodepool_vectors.py``. The test
``tests/nodepool/test_vectors.py`` checks that the file is what this program writes, and that the
library agrees with every line of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2

from bitcloud_net.core import keys
from bitcloud_net.core.errors import Refused
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.bodies.certificates import CertificateKind
from bitcloud_net.core.nodepool.bodies.heads import PUBLIC_HEAD
from bitcloud_net.core.nodepool.heads import CountedRow, RowSum, table_head
from bitcloud_net.core.nodepool.mandates import give
from bitcloud_net.core.nodepool.partners import NodeRing, assign, position_of
from bitcloud_net.core.nodepool.row_bodies import (
    BeaconBody,
    Body,
    CertificateBody,
    FaultBody,
    FileBody,
    FolderBody,
    HeadBody,
    IdentityBody,
    NodeBody,
    PlacementBody,
    UserBody,
)
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.shards import shared_span
from bitcloud_net.core.nodepool.table_rules import RULES, Role, Table
from bitcloud_net.core.trust import beacons
from bitcloud_net.core.trust.certificates import Certificate, chain
from bitcloud_net.core.trust.identity import Difficulty, network_id, puzzle_for
from bitcloud_net.core.trust.lots import Candidate, draw, neighbourhood_of
from bitcloud_net.core.trust.verdicts import FaultReason
from bitcloud_net.core.trust.weights import fair_number, weight_ppm
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.wire import row_read as read
from bitcloud_net.wire import sync_session as wire

PATH = Path(__file__).with_name("nodepool.json")
OWNER, OTHER = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)
PERIOD = 2_900_000
Json = dict[str, Any]

HEADS = (
    table_head(2, [CountedRow(seq=7, id=b"\xff" * 32)]),
    table_head(4, [CountedRow(seq=at, id=bytes([0x80 | at]) * 32) for at in range(3)]),
)
BODIES: list[tuple[str, bytes, Body]] = [
    (
        "a storage node",
        b"",
        NodeBody(
            name="attic",
            roles=Role.NODE,
            addresses=("/ip4/203.0.113.5/tcp/4001", "/ip6/2001:db8::5/tcp/4001"),
            capacity=10**12,
            used=1,
        ),
    ),
    ("a bare node", b"", NodeBody(name="", roles=Role(0), addresses=(), capacity=0, used=0)),
    ("a person", b"", UserBody(nickname="Mary")),
    ("a person with a long name", b"", UserBody(nickname="\u00e9" * 64)),
    ("a folder", b"f" * 16, FolderBody(parent=b"", open_key=b"k" * 32, sealed=b"sealed")),
    ("a sealed folder", b"g" * 16, FolderBody(parent=b"f" * 16, open_key=b"", sealed=b"")),
    ("a file", b"1" * 16, FileBody(folder=b"f" * 16, sealed=b"sealed name and cap")),
    ("a placement", b"c" * 32, PlacementBody(manifest=b"BC", holders=(b"n" * 32, b"", b"m" * 32))),
    ("a placement of an inline file", b"d" * 32, PlacementBody(manifest=b"x" * 300, holders=())),
    ("a fault", b"t" * 32, FaultBody(reason=FaultReason.TOO_SLOW, count=9, recent=0b100101)),
    ("a head", PUBLIC_HEAD, HeadBody(tables=HEADS)),
    ("a head for a publisher's people", b"p" * 32, HeadBody(tables=HEADS[:1])),
    ("a revoked user", bytes([0x82]) + b"u" * 32, CertificateBody(since=PERIOD, reason=6)),
    ("trust", b"\3" + b"p" * 32, CertificateBody(since=PERIOD - 9, reason=0)),
    (
        "a word of a committee's member",
        PERIOD.to_bytes(4, "big"),
        BeaconBody(
            promise=b"p" * 32,
            secret=b"s" * 32,
            seen=(b"mark 1", b"mark 2"),
            value=b"v" * 32,
            days=b"",
        ),
    ),
    (
        "a member's first word",
        PERIOD.to_bytes(4, "big"),
        BeaconBody(promise=b"p" * 32, secret=b"", seen=(), value=b"", days=b""),
    ),
    (
        "what a member remembers of three days",
        (1 + PERIOD // 144 // 256).to_bytes(4, "big"),
        BeaconBody(promise=b"", secret=b"", seen=(), value=b"", days=b"d" * 96),
    ),
    ("an identity", b"\1", IdentityBody(day=PERIOD // 144, nonce=7, registered=PERIOD)),
]
TABLES = {
    NodeBody: Table.NODE,
    UserBody: Table.USER,
    BeaconBody: Table.BEACON,
    FolderBody: Table.FOLDER,
    FileBody: Table.FILE,
    PlacementBody: Table.PLACEMENT,
    FaultBody: Table.FAULT,
    IdentityBody: Table.IDENTITY,
    HeadBody: Table.HEAD,
    CertificateBody: Table.CERTIFICATE,
}


def make(table: Table, suffix: bytes, body: Body | None, **changes: Any) -> SignedRow:
    numbers = {"seq": 1, "period": PERIOD, "slot": 0, "expires": PERIOD + 100} | changes
    return make_row(table, suffix, body, signer=OWNER, **numbers)


def good_rows() -> list[Json]:
    rows = [(about, make(TABLES[type(body)], suffix, body)) for about, suffix, body in BODIES]
    user = UserBody(nickname="Mary")
    life = RULES[Table.FILE].tombstone_life_periods
    rows += [
        ("a deleted file", make(Table.FILE, b"1" * 16, None, seq=2, expires=PERIOD + life)),
        ("the largest numbers", make(Table.USER, b"", user, seq=2**63 - 1, slot=2**63 - 1)),
        ("a row of the first period", make(Table.USER, b"", user, seq=0, period=0, expires=0)),
        (
            "a node of a gateway, signed by both",
            make(
                Table.CERTIFICATE,
                b"\1" + OTHER.public,
                CertificateBody(since=PERIOD, reason=0),
                co_signers=[OTHER],
            ),
        ),
        ("a co-owner signs too", make(Table.USER, b"", user, co_signers=[OTHER])),
    ]
    return [
        {"about": about, "table": row.table.value, "wire": row.raw.hex(), "id": row.id.hex()}
        for about, row in rows
    ]


def crafted(changes: dict[int, object], sign: bool = True) -> bytes:
    content, signatures = cbor2.loads(make(Table.USER, b"", UserBody(nickname="Mary")).raw)
    for at, value in changes.items():
        content[at] = value
    if sign:
        row_id = keys.derive(cbor2.dumps(content, canonical=True), "row")
        signatures = [[OWNER.public, OWNER.sign("row", row_id)]]
    return cbor2.dumps([content, signatures], canonical=True)


BAD_FIELDS: list[tuple[str, dict[int, object], str]] = [
    ("version 2", {0: 2}, "bad-row"),
    ("true for the version", {0: True}, "bad-row"),
    ("table 0", {1: 0}, "unknown-table"),
    ("table 99", {1: 99}, "unknown-table"),
    ("a table that is text", {1: "user"}, "bad-row"),
    ("another table's body", {1: 1}, "bad-body"),
    ("somebody else's key", {2: OTHER.public}, "bad-key"),
    ("a key with something behind the owner", {2: OWNER.public + b"x"}, "bad-key"),
    ("an empty key", {2: b""}, "bad-key"),
    ("a short owner", {3: b"short"}, "bad-key"),
    ("a negative number", {4: -1}, "bad-number"),
    ("2^63 as a number", {4: 2**63}, "row-not-canonical"),
    ("a float as a number", {4: 1.5}, "row-not-canonical"),
    ("text as a number", {4: "1"}, "bad-number"),
    ("true as a number", {4: True}, "bad-number"),
    ("a period beyond 2^40", {5: 2**40 + 1}, "bad-number"),
    ("a negative slot", {6: -1}, "bad-number"),
    ("an expiry beyond 2^40", {7: 2**40 + 1}, "bad-number"),
    ("an empty body", {8: {}}, "bad-body"),
    ("a list as a body", {8: []}, "bad-body"),
    ("a field too many", {8: {"nickname": "Mary", "x": 1}}, "bad-body"),
    ("a name of 65 characters", {8: {"nickname": "x" * 65}}, "bad-body"),
    ("a line break in a name", {8: {"nickname": "a\nb"}}, "bad-body"),
    ("a zero byte in a name", {8: {"nickname": "a\0b"}}, "bad-body"),
    ("bytes as a name", {8: {"nickname": b"Mary"}}, "bad-body"),
    ("a name that is not in NFC", {8: {"nickname": "e\u0301"}}, "row-not-canonical"),
    ("no list of co-owners", {9: None}, "bad-row"),
    ("the owner as co-owner", {9: [OWNER.public]}, "bad-row"),
    ("a co-owner who did not sign", {9: [OTHER.public]}, "bad-row"),
    ("two co-owners", {9: [b"a" * 32, b"b" * 32]}, "bad-row"),
]


def bad_rows() -> list[Json]:
    good = make(Table.USER, b"", UserBody(nickname="Mary")).raw
    bad = [(about, crafted(changes), code) for about, changes, code in BAD_FIELDS]
    flipped = bytearray(good)
    flipped[-1] ^= 1
    bad += [
        ("a changed name", crafted({8: {"nickname": "Marx"}}, sign=False), "bad-signature"),
        ("a changed bit in the signature", bytes(flipped), "bad-signature"),
        ("nothing", b"", "row-not-canonical"),
        ("a byte too few", good[:-1], "row-not-canonical"),
        ("a byte too many", good + b"\0", "row-not-canonical"),
        ("a list of indefinite length", b"\x9f" + good[1:] + b"\xff", "row-not-canonical"),
        ("a length in more bytes than needed", b"\x98\x02" + good[1:], "row-not-canonical"),
        ("a tag in front", b"\xd9\xd9\xf7" + good, "row-not-canonical"),
        ("an empty list", b"\x80", "bad-row"),
        ("no signature", cbor2.dumps([cbor2.loads(good)[0], []], canonical=True), "bad-row"),
    ]
    return [{"about": about, "wire": raw.hex(), "code": code} for about, raw, code in bad]


def proofs() -> list[Json]:
    user = [UserBody(nickname=name) for name in ("one", "other")]
    pairs = {
        "number": [make(Table.USER, b"", body) for body in user],
        "slot": [make(Table.USER, b"", body, seq=at) for at, body in enumerate(user)],
    }
    return [
        {
            "kind": kind,
            "rows": [row.raw.hex() for row in pair],
            "proof": (proof := Proof.of(*pair)).raw.hex(),
            "id": proof.id.hex(),
        }
        for kind, pair in pairs.items()
    ]


def messages() -> list[Json]:
    state = wire.SetState(set=2, depth=3, count=5, fingerprint=b"\7" * 16)
    mandate = give(OWNER, node=OTHER.node_id, peer=NodeId(b"\3" * 32), period=PERIOD)
    rows = (b"row one", b"row number two")
    sets = (wire.SetDepth(set=1), wire.SetDepth(set=2**31, depth=255))
    glances = (
        wire.Glance(key=b"\1" * 32, short_id=b"\2" * 8),
        wire.Glance(key=b"\3" * 64),
    )
    examples: list[wire.Request | wire.Answer] = [
        wire.Hello(now_s=PERIOD * 600, mandates=(mandate,), sets=sets),
        wire.Recon(set=2, message=bytes.fromhex("6100000200")),
        wire.Want(set=0, ids=(b"\1" * 32, b"\2" * 32)),
        wire.Rows(set=1, hops=3, raws=rows),
        wire.Look(set=1, glances=glances),
        wire.Some(set=1, start=2**31, count=64),
        wire.HelloIs(now_s=0, mandates=(mandate,), states=(state,)),
        wire.HelloIs(now_s=0, states=()),
        wire.ReconIs(message=b"\x61"),
        wire.RowsAre(considered=2, raws=rows),
        wire.Seen(marks=bytes([0, 1, 2, 3, 3]), raws=rows),
        wire.Took(taken=2, refused=0),
        wire.RefusedIs(error_code="budget", text="come again"),
    ]
    packed = [(type(message).__name__, wire.pack(message)) for message in examples]
    return [
        {"message": name, "type": kind, "head": head.hex(), "payload": payload.hex()}
        for name, (kind, head, payload) in packed
    ]


def read_messages() -> list[Json]:
    key = OWNER.public + b"1" * 16
    examples: list[read.Request | read.Answer] = [
        read.Read(table=4, key=key),
        read.List(table=4, prefix=OWNER.public, after=key),
        read.List(table=2, prefix=b""),
        read.Find(table=5, suffix=b"c" * 32),
        read.RowIs(keeps=True, raw=b""),
        read.RowIs(keeps=False, raw=b"a row"),
        read.PageIs(keeps=True, more=True, raws=(b"row one", b"row number two")),
        read.RefusedIs(error_code="not-sorted", text="no order by that"),
    ]
    packed = [(type(message).__name__, read.pack(message)) for message in examples]
    return [
        {"message": name, "type": kind, "head": head.hex(), "payload": payload.hex()}
        for name, (kind, head, payload) in packed
    ]


def drawing() -> Json:
    nodes = [NodeId(bytes([at]) * 32) for at in range(1, 41)]
    beacon = b"\5" * 32
    partners = assign(NodeRing(nodes), nodes[0], beacon)
    lot = draw(beacon, nodes[0], [Candidate(node=node, since=0) for node in nodes], period=PERIOD)
    small = [Candidate(node=node, since=PERIOD) for node in nodes[:10]]
    few = draw(beacon, nodes[0], small, period=PERIOD)
    return {
        "about": "nodes 1 to 40 with the ids 01…01 to 28…28; beacon 05…05; for node 1",
        "position_of_node_1": f"{position_of(nodes[0]):064x}",
        "near": [node[0] for node in partners.near],
        "random": [node[0] for node in partners.random],
        "seats": [node[0] for node in lot.seats],
        "quorum": lot.quorum,
        "seats_among_10": [node[0] for node in few.seats],
        "quorum_among_10": few.quorum,
        "neighbourhoods": {
            address: neighbourhood_of(address)
            for address in ("/ip4/8.8.8.8/tcp/1", "/ip6/2606:4700::1/tcp/1", "/ip4/10.0.0.1/tcp/1")
        },
    }


def heads() -> list[Json]:
    sets = [[], [b"\0" * 32], [b"\xff" * 32], [b"\1" * 32, b"\2" * 32], [b"\xff" * 32] * 3]
    return [
        {
            "ids": [row_id.hex() for row_id in ids],
            "fingerprint": RowSum(CountedRow(seq=1, id=row_id) for row_id in ids).fingerprint.hex(),
        }
        for ids in sets
    ]


def mandates() -> list[Json]:
    node, peer, period = OTHER.node_id, NodeId(b"\3" * 32), PERIOD
    mandate = give(OWNER, node=node, peer=peer, period=period)
    good = {"key": OWNER.public, "node": node, "peer": peer, "period": period}
    cases: list[tuple[str, Json]] = [
        ("what was given", {}),
        ("shown by another node", {"node": peer}),
        ("shown to another peer", {"peer": node}),
        ("of another period", {"period": period + 1}),
        ("of another key", {"key": OTHER.public}),
    ]
    return [
        {
            "about": about,
            "holds": not changes,
            "signature": mandate.signature.hex(),
            **{
                name: value if isinstance(value, int) else value.hex()
                for name, value in (good | changes).items()
            },
        }
        for about, changes in cases
    ]


def spans() -> list[Json]:
    """Who keeps what: positions by their first two bytes, the rest zero."""
    cases = [
        ("two whole tables", 0x1234, 0, 0xFFFF, 0),
        ("one neighbour shard is the whole table", 0x1234, 1, 0xFFFF, 1),
        ("the deeper one lies in the other", 0x1234, 3, 0x1FFF, 6),
        ("they lie apart", 0x1234, 3, 0x9234, 3),
        ("neighbours in the last bit", 0x0000, 3, 0x2000, 3),
        ("a light node keeps no place", 0x1234, 0, 0x1234, 255),
    ]
    found = []
    for about, one, depth, other, other_depth in cases:
        span = shared_span(one << 240, depth, other << 240, other_depth)
        found.append(
            {
                "about": about,
                "positions": [one, other],
                "depths": [depth, other_depth],
                "shared": None if span is None else [span.bits, span.prefix],
            }
        )
    return found


def random_values() -> Json:
    """Return a committee of four whose last member has kept its secret back."""
    keys_ = sorted((SigningKey(bytes([at]) * 32) for at in range(1, 5)), key=lambda key: key.public)
    members = [key.node_id for key in keys_]
    secrets = {key.node_id: bytes([65 + at]) * 32 for at, key in enumerate(keys_[:3])}
    candidates = [Candidate(node=NodeId(bytes([at]) * 32), since=0) for at in range(1, 101)]
    beginning = beacons.genesis("vectors")
    return {
        "about": "Members: keys of the seeds 01…01 to 04…04, by key; secrets 41…41, 42…42, 43…43, "
        "none; for the period. Seats: of nodes with the ids 01…01 to 64…64, by the value 05…05.",
        "period": PERIOD,
        "promises": [beacons.promise_of(m, PERIOD, s).hex() for m, s in secrets.items()],
        "marks_of_the_first": [beacons.mark_of(members[0], m, s).hex() for m, s in secrets.items()],
        "value": beacons.value_of(PERIOD, secrets).hex(),
        "genesis_of_vectors": beginning.hex(),
        "fallback": beacons.fallback(beginning, PERIOD).hex(),
        "mixed_with_0505": beacons.mixed(PERIOD, b"\5" * 32).hex(),
        "day": PERIOD // 144,
        "period_of_day": beacons.period_of_day(PERIOD // 144),
        "seats": sorted(
            node[0] for node in beacons.seat(b"\5" * 32, candidates, day=PERIOD // 144).members
        ),
    }


def identities() -> list[Json]:
    easy = Difficulty(bits=4, memory_kib=64)
    found = []
    for role in (Role.NODE, Role.GATEWAY, Role.PUBLISHER):
        puzzle = puzzle_for(OWNER.public, role, 20_000, b"\5" * 32, easy)
        nonce = next(nonce for nonce in range(10_000) if puzzle.holds(nonce))
        found.append({"role": role.value, "first_nonce": nonce})
    return found


def networks() -> list[Json]:
    """Ids of networks by name and rules."""
    found = []
    for name, bits, memory_kib in (
        ("bitcloud", 17, 65_536),
        ("family", 8, 65_536),
        ("family", 9, 65_536),
        ("family", 8, 8),
        ("test-1", 0, 8),
        ("test-1", 0, 65_536),
        ("\u00e9", 1, 64),
        ("", 8, 65_536),
    ):
        rules = Difficulty(bits=bits, memory_kib=memory_kib)
        found.append(
            {
                "name": name,
                "bits": bits,
                "memory_kib": memory_kib,
                "id": network_id(name, rules).hex(),
            }
        )
    return found


def weights() -> list[Json]:
    """What each identity of a root weighs, in millionths."""
    tables = ([1, 1, 1], [1, 2, 40], [9, 9, 9, 36, 37], [1] * 9 + [1_000_000], [5])
    return [
        {
            "identities": counts,
            "fair": fair_number(counts),
            "ppm": [weight_ppm(count, fair_number(counts)) for count in counts],
        }
        for counts in tables
    ]


def chains() -> list[Json]:
    """Words as [kind, issuer, subject, since, until, reason]; keys are one letter 32 times."""
    words = [
        [4, "h", "g", 10, 99, 0],
        [1, "g", "n", 10, 99, 0],
        [3, "p", "q", 10, 99, 0],
        [3, "q", "p", 10, 99, 0],
        [3, "q", "r", 10, 60, 0],
        [2, "r", "u", 10, 99, 0],
        [2, "q", "v", 10, 99, 0],
        [2, "q", "v", 20, 99, 6],
        [5, "d", "e", 10, 99, 0],
    ]
    asked = [(1, "hn"), (1, "gn"), (2, "pu"), (2, "pv"), (3, "pr"), (4, "hg"), (5, "de"), (5, "ed")]
    return [
        {
            "words": words,
            "period": period,
            "kind": kind,
            "issuer": ends[0],
            "subject": ends[1],
            "chain": chain_in(words, kind, ends, period),
        }
        for period in (50, 61)
        for kind, ends in asked
    ]


def chain_in(words: list[Any], kind: int, ends: str, period: int) -> list[str] | None:
    """Return the subjects on a chain; None when there is none."""
    certificates = [
        Certificate(
            kind=CertificateKind(number),
            issuer=issuer.encode() * 32,
            subject=subject.encode() * 32,
            since=since,
            until=until,
            reason=FaultReason(reason) if reason else None,
        )
        for number, issuer, subject, since, until, reason in words
    ]
    issuer, subject = (letter.encode() * 32 for letter in ends)
    kind = CertificateKind(kind)
    try:
        found = chain(certificates, kind, issuer=issuer, subject=subject, period=period)
    except Refused:
        return None
    return [chr(item.subject[0]) for item in found]


def vectors() -> Json:
    return {
        "about": "Owner: the Ed25519 key of the seed 01…01; co-owner: of 02…02. README.md in "
        "bitcloud_net/nodepool explains every field. Identities: key of the owner, beacon 05…05, "
        "4 bits, 64 KiB.",
        "rows": good_rows(),
        "refused_rows": bad_rows(),
        "proofs": proofs(),
        "messages": messages(),
        "mandates": mandates(),
        "spans": spans(),
        "read_messages": read_messages(),
        "drawing": drawing(),
        "heads": heads(),
        "random_values": random_values(),
        "identities": identities(),
        "networks": networks(),
        "weights": weights(),
        "chains": chains(),
    }


def main() -> None:
    PATH.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
