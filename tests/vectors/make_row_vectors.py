"""Write ``rows.json``: for every table good rows with what they say, and refused ones.

Run from the root of the project: ``python -m tests.vectors.make_row_vectors``. The test
``tests/nodepool/test_row_vectors.py`` checks that the file is what this program writes, and that
the library agrees with every line of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2

from bitcloud_net.core import keys
from bitcloud_net.core.nodepool.bodies.fields import fields_of
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from tests.core.row_samples import PERIOD, SAMPLES, Sample, as_json, plain_body

PATH = Path(__file__).with_name("rows.json")
Json = dict[str, Any]

BAD_BODIES: list[tuple[Table, str, Json]] = [
    (Table.NODE, "a role that there is not", {"roles": 32}),
    (Table.USER, "a line separator", {"nickname": "a\u2028b"}),
    (Table.FOLDER, "a parent's id that is short", {"parent": b"f" * 15}),
    (Table.FILE, "in no folder", {"folder": b""}),
    (Table.PLACEMENT, "no manifest", {"manifest": b""}),
    (Table.FAULT, "not seen in its own period", {"recent": 0b100100}),
    (Table.IDENTITY, "registered eight days after its day", {"day": PERIOD // 144 - 8}),
    (Table.APP, "a definition with a line break", {"definition": "{\n}"}),
    (
        Table.GRID,
        "a coin in capitals",
        {"prices": [{"coin": "BTC", "gib_month": b"", "block": b""}]},
    ),
    (Table.GRID, "true for a number", {"storage": True}),
    (Table.PUBLISHER, "waits for an hour only", {"approval": 6}),
    (Table.PUBLISHER, "a quota with a field too few", {"quota": {"stored": 1, "moved": 1}}),
    (Table.TRUST, "takes users of whom it bans", {"stance": 2}),
    (Table.GATEWAY, "a priority of 256", {"priority": 256}),
    (Table.USER_REQUEST, "a download with a new owner", {"party": b"p" * 32}),
    (Table.USER_REQUEST, "a download of nothing", {"target": b""}),
    (Table.USER_REQUEST, "an answer's state", {"state": 3}),
    (Table.PUBLISHER_REQUEST, "an action that there is not", {"action": 19}),
    (Table.PUBLISHER_REQUEST, "a user without an end", {"until": 0}),
    (Table.GRID_OWNER_REQUEST, "an amount of bandwidth below 0", {"value": -1}),
    (Table.NODE_CONTRACT, "ends before it begins", {"ends": PERIOD - 1}),
    (Table.NODE_CONTRACT, "an amount that is not the shortest", {"block": b"\0\1"}),
    (Table.PUBLISHER_CONTRACT, "more paid than deposited", {"paid": b"\xff" * 16}),
    (Table.PUBLISHER_CONTRACT, "an amount of 17 bytes", {"deposit": b"\1" * 17}),
    (Table.PUBLISHER_CONTRACT, "free and yet with a price", {"coin": "none"}),
    (Table.PUBLISHER_CONTRACT, "arbiters out of order", {"arbiters": [b"\2" * 32, b"\1" * 32]}),
    (Table.RECEIPT_SUMMARY, "more users than receipts", {"users": 901}),
    (Table.RECEIPT_SUMMARY, "about no period", {"periods": 0}),
    (Table.BID, "accepts nothing", {"state": 2}),
    (Table.BID, "runs for more than a year", {"ends": PERIOD + 366 * 144}),
    (Table.PERMISSION, "no right at all", {"rights": 0}),
    (Table.PERMISSION, "a quota for what may not be done", {"write_quota": 1}),
    (Table.PERMISSION, "sealed in another length", {"sealed": b"s" * 511}),
    (Table.CERTIFICATE, "a reason that cannot be measured", {"reason": 200}),
    (Table.HEAD, "about no table", {"tables": []}),
]


def signed_anew(sample: Sample, changes: Json, at: dict[int, object] | None = None) -> bytes:
    """The sample with another body, signed again by everybody, as a cheat would."""
    content, _ = cbor2.loads(sample.row().raw)
    content[8] = plain_body(sample.table) | changes
    for place, value in (at or {}).items():
        content[place] = value
    row_id = keys.derive(cbor2.dumps(content, canonical=True), "row")
    signers = (sample.signer, *sample.co_signers)
    signed = [[key.public, key.sign("row", row_id)] for key in signers[: 1 + len(content[9])]]
    return cbor2.dumps([content, signed], canonical=True)


def good_rows() -> list[Json]:
    rows = []
    for table, sample in SAMPLES.items():
        fields = fields_of(KINDS[table].body)
        said = {name: as_json(item, fields[name]) for name, item in plain_body(table).items()}
        for about, row, body in (
            (f"{RULES[table].name}", sample.row(), said),
            (f"{RULES[table].name}, deleted", sample.row(deleted=True, seq=2), None),
        ):
            line = {"about": about, "table": table.value, "key": row.key.hex(), "id": row.id.hex()}
            rows.append(line | {"body": body, "wire": row.raw.hex()})
    return rows


def refused_rows() -> list[Json]:
    rows = []
    for table, about, changes in BAD_BODIES:
        rows.append((table, about, signed_anew(SAMPLES[table], changes), "bad-body"))
    for table, sample in SAMPLES.items():
        rows.append((table, "a field too many", signed_anew(sample, {"x": 1}), "bad-body"))
        short = sample.row().key[:-1] if KINDS[table].key else sample.row().key + b"x"
        rows.append((table, "another key's length", signed_anew(sample, {}, {2: short}), "bad-key"))
        if KINDS[table].key and KINDS[table].key[-1].is_number and KINDS[table].key[-1].length == 8:
            beyond = sample.row().key[:-8] + b"\x80" + bytes(7)
            rows.append((table, "2^63 in the key", signed_anew(sample, {}, {2: beyond}), "bad-key"))
        if sample.co_signers:
            alone = signed_anew(sample, {}, {9: []})
            rows.append((table, "signed by one side alone", alone, "bad-row"))
    return [
        {"about": f"{RULES[table].name}: {about}", "code": code, "wire": raw.hex()}
        for table, about, raw, code in rows
    ]


def vectors() -> Json:
    return {
        "about": "A row of every table. Keys: the Ed25519 seeds 15…15 (a node), 16…16 (a gateway), "
        "17…17 and 18…18 (publishers), 19…19 (a user), 1a…1a (the owner of a grid). Bytes in "
        "hexadecimal, amounts as numbers, as `bitcloud row put` takes them.",
        "rows": good_rows(),
        "refused_rows": refused_rows(),
    }


def main() -> None:
    PATH.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
