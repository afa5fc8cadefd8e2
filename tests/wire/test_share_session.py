"""The share protocol's messages: there and back, the published vectors, and noise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.frames import FrameParser
from tests.vectors import make_share_protocol as vectors

MADE: dict[str, Any] = json.loads(vectors.FILE.read_text(encoding="utf-8"))

hashes = st.binary(min_size=32, max_size=32)
uploads = st.binary(min_size=16, max_size=16)
shares = st.integers(0, 127)
segments = st.integers(0, 2**24 - 1)
paths = st.lists(hashes, max_size=24).map(tuple)
payloads = st.binary(max_size=200)
codes = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=40)

requests = st.one_of(
    st.builds(wire.Begin, header=st.binary(min_size=64, max_size=64), salt=hashes),
    st.builds(
        wire.PutBlock,
        upload_id=uploads,
        share_no=shares,
        segment_no=segments,
        segment_hash=hashes,
        block=payloads,
    ),
    st.builds(wire.Finish, upload_id=uploads, share_no=shares, manifest=payloads),
    st.builds(
        wire.PutShare,
        header=st.binary(min_size=64, max_size=64),
        segment_hashes=st.lists(hashes, max_size=64).map(tuple),
        manifest_bytes=st.just(0),
        payload=payloads,
    ),
    st.builds(wire.GetBlock, cid=hashes, share_no=shares, segment_no=segments),
    st.builds(wire.Find, cids=st.lists(hashes, max_size=256).map(tuple)),
    st.builds(wire.GetManifest, cid=hashes),
    st.builds(wire.Abandon, upload_id=uploads, share_no=shares),
    st.builds(wire.Cancel, request=st.integers(0, 2**32 - 1)),
)
answers = st.one_of(
    st.builds(wire.Begun, held=st.integers(0, 2**24)),
    st.builds(wire.Held, upload_id=uploads, share_no=shares, held=st.integers(0, 2**24)),
    st.builds(wire.Stored, receipt=payloads),
    st.builds(
        wire.Block,
        block_path=paths,
        segment_path=paths,
        signature=st.binary(min_size=64, max_size=64),
        block=payloads,
    ),
    st.builds(
        wire.Found,
        shares=st.lists(st.lists(shares, max_size=4).map(tuple), max_size=256).map(tuple),
    ),
    st.builds(wire.ManifestIs, manifest=payloads),
    st.builds(wire.RefusedIs, error_code=codes, text=st.just("no space")),
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | payloads | hashes | st.text("ab"),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=12,
)


def read(sender: str, raw: bytes) -> wire.Request | wire.Answer:
    (frame,) = FrameParser().feed(raw)
    parse = wire.parse_request if sender == "client" else wire.parse_answer
    return parse(frame.type, frame.head, frame.payload)


def test_the_vectors_are_the_ones_that_are_made() -> None:
    assert vectors.FILE.read_text(encoding="utf-8") == vectors.text_of()
    assert len(MADE["accept"]) + len(MADE["reject"]) >= 40
    assert len(MADE["reject"]) >= len(MADE["accept"])


@pytest.mark.parametrize("vector", MADE["accept"], ids=lambda v: f"{v['from']}-{v['name']}")
def test_accepted(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["frame"])
    message = read(vector["from"], raw)
    assert vectors.message_as_json(message) == vector["message"]
    (frame,) = FrameParser().feed(raw)
    assert frame.request == vector["request"]


@pytest.mark.parametrize("vector", MADE["reject"], ids=lambda v: f"{v['from']}-{v['reason']}")
def test_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(vector["from"], bytes.fromhex(vector["frame"]))


def test_every_type_has_a_vector() -> None:
    made = {(v["from"], v["message"]["is"]) for v in MADE["accept"]}
    names = {("client", kind.__name__) for kind in wire.Request.__args__}
    assert made == names | {("node", kind.__name__) for kind in wire.Answer.__args__}


def test_type_numbers_are_distinct() -> None:
    kinds = (*wire.Request.__args__, *wire.Answer.__args__)
    assert len({kind.TYPE for kind in kinds}) == len(kinds)


@given(requests)
def test_requests_go_there_and_back(message: wire.Request) -> None:
    kind, head, payload = wire.pack(message)
    assert wire.parse_request(kind, head, payload) == message


@given(answers)
def test_answers_go_there_and_back(message: wire.Answer) -> None:
    kind, head, payload = wire.pack(message)
    assert wire.parse_answer(kind, head, payload) == message


@given(st.integers(0, 255), st.binary(max_size=120), st.binary(max_size=8))
def test_random_bytes(kind: int, head: bytes, payload: bytes) -> None:
    for parse in (wire.parse_request, wire.parse_answer):
        try:
            message = parse(kind, head, payload)
        except Malformed:
            continue
        assert wire.pack(message)[:2] == (kind, head), "one message has one form"


@given(st.integers(0, 128), values, payloads)
def test_random_heads(kind: int, head: object, payload: bytes) -> None:
    """Canonical heads of any shape: a message, or ``Malformed`` and nothing else."""
    raw = encoding.encode(head)  # type: ignore[arg-type]
    for parse in (wire.parse_request, wire.parse_answer):
        try:
            message = parse(kind, raw, payload)
        except Malformed:
            continue
        assert wire.pack(message) == (kind, raw, payload)


@given(requests | answers, st.data())
def test_one_changed_value(message: wire.Request | wire.Answer, data: st.DataObject) -> None:
    kind, head, payload = wire.pack(message)
    fields = encoding.decode(head, max_bytes=len(head))
    assert isinstance(fields, list)
    if fields:
        fields[data.draw(st.integers(0, len(fields) - 1))] = data.draw(values)
    parse = wire.parse_request if kind < 64 else wire.parse_answer
    try:
        parse(kind, encoding.encode(fields), payload)
    except Malformed:
        return


def test_a_strangers_text_cannot_steer_a_terminal() -> None:
    kind, head, _ = wire.pack(wire.RefusedIs(error_code="busy", text="\x1b[2Jno\r\nspace\u202e"))
    answer = wire.parse_answer(kind, head, b"")
    assert isinstance(answer, wire.RefusedIs)
    assert answer.text == "\ufffd[2Jno\ufffd\ufffdspace\ufffd"
