"""Every published vector, by our code and by the independent reader where it has the part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

import bitcloud_net.core
from bitcloud_net.core.errors import BitcloudError
from bitcloud_net.core.files import caps, merkle, padding, placement
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import Coder
from bitcloud_net.core.files.manifest import (
    Manifest,
    content_id,
    open_header,
    open_inline,
    parse_manifest,
)
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.sealing import (
    FileKeys,
    open_box,
    open_segment,
    seal_box,
    seal_segment,
    segment_hash,
)
from bitcloud_net.core.files.segment import check_block
from bitcloud_net.core.files.share import HEADER_BYTES, ShareHeader, ShareTrailer, check_trailer
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.recovery import Role, role_secret, seed_from_words, words_from_seed
from tests import independent_reader as reader
from tests.vectors.common import leaf, pattern
from tests.vectors.make_vectors import HERE, MAKERS, text_of

Vector = dict[str, Any]


def load(name: str) -> Vector:
    made: Vector = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return made


def rejects(name: str) -> list[Any]:
    return [pytest.param(vector, id=vector["reason"]) for vector in load(name)["reject"]]


@pytest.mark.parametrize("name", MAKERS)
def test_file_is_what_the_generator_makes(name: str) -> None:
    assert (HERE / f"{name}.json").read_text(encoding="utf-8") == text_of(name)


def test_there_are_enough_vectors_and_most_reject() -> None:
    files = [load(name) for name in MAKERS]
    accepted = sum(
        len(value)
        for file in files
        for key, value in file.items()
        if isinstance(value, list) and key not in ("reject", "nodes")
    )
    rejected = sum(len(file.get("reject", [])) for file in files)
    assert accepted >= 60
    assert rejected >= accepted


@pytest.mark.parametrize("name", MAKERS)
def test_each_reject_has_its_own_reason(name: str) -> None:
    reasons = [vector["reason"] for vector in load(name).get("reject", [])]
    assert len(set(reasons)) == len(reasons)


def test_specification_shows_the_example_of_the_golden_file() -> None:
    text = Path(bitcloud_net.core.__file__).with_name("README.md").read_text(encoding="utf-8")
    file = load("golden")
    share = reader.parse_share(bytes.fromhex(file["shares"][0]))
    manifest = reader.parse_manifest(share.manifest)
    cap = caps.parse_cap(file["cap"])
    assert isinstance(cap, caps.ReadCap)
    keys = reader.Keys(cap.secret)
    values = [cap.secret, keys.ck, keys.hk, keys.kc, keys.nk, keys.salt, keys.upload_id, cap.cid]
    values += [manifest.ciphertext_root, *manifest.share_roots, manifest.header[:24]]
    values.append(blake3(pattern(file["pattern_bytes"])).digest())
    for value in values:
        assert value.hex() in text
    assert file["cap"] in text
    assert cap.diminish().text in text
    assert f"{len(share.data):,} bytes" in text


# what must be accepted


@pytest.mark.parametrize("vector", load("caps")["accept"], ids=lambda v: v["name"])
def test_cap(vector: Vector) -> None:
    read = caps.ReadCap(bytes.fromhex(vector["cid"]), bytes.fromhex(vector["secret"]))
    assert read.text == vector["read"]
    assert read.diminish().text == vector["verify"]
    assert caps.parse_cap(vector["read"]) == read
    assert caps.parse_cap(vector["verify"]) == read.diminish()
    assert reader.parse_cap(vector["read"]) == ("fr", read.cid, read.secret)
    assert reader.parse_cap(vector["verify"]) == ("fv", read.cid, b"")


@pytest.mark.parametrize("vector", load("keys")["accept"], ids=lambda v: v["fs"][:8])
def test_file_keys(vector: Vector) -> None:
    secret = bytes.fromhex(vector["fs"])
    ours, theirs = FileKeys.from_secret(secret), reader.Keys(secret)
    for name, value in vector["keys"].items():
        assert getattr(ours, name).hex() == value
    named = {"content": theirs.ck, "header": theirs.hk, "commit": theirs.kc, "nonce": theirs.nk}
    named |= {"salt": theirs.salt, "upload_id": theirs.upload_id}
    assert {name: value.hex() for name, value in named.items()} == vector["keys"]


@pytest.mark.parametrize("vector", load("keys")["roles"], ids=lambda v: f"{v['role']}-{v['index']}")
def test_role_secret(vector: Vector) -> None:
    seed = bytes.fromhex(vector["seed"])
    assert role_secret(seed, Role(vector["role"]), vector["index"]).hex() == vector["secret"]


@pytest.mark.parametrize("vector", load("recovery")["accept"], ids=lambda v: v["seed"][:8])
def test_recovery_words(vector: Vector) -> None:
    seed = bytes.fromhex(vector["seed"])
    assert words_from_seed(seed) == vector["words"]
    assert seed_from_words(vector["words"]) == seed


def test_padding() -> None:
    for vector in load("padding")["accept"]:
        assert padding.padded_size(vector["size"]) == vector["padded"]
        assert reader.padded(vector["size"]) == vector["padded"]
    for vector in load("padding")["inline"]:
        assert padding.inline_padded_size(vector["size"]) == vector["padded"]
        assert reader.padded(vector["size"], 512) == vector["padded"]


@pytest.mark.parametrize("vector", load("sealing")["accept"], ids=lambda v: v["nonce"][:8])
def test_sealed_segment(vector: Vector) -> None:
    secret, plain = bytes.fromhex(vector["fs"]), pattern(vector["pattern_bytes"])
    keys, params = FileKeys.from_secret(secret), CodeParams(vector["k"], vector["n"])
    index, last = vector["index"], vector["last"]
    sealed = seal_segment(keys, plain, index=index, last=last, params=params)
    assert sealed[:24].hex() == vector["nonce"]
    assert vector["sealed"] in (None, sealed.hex())
    assert segment_hash(keys.salt, index, sealed).hex() == vector["segment_hash"]
    assert reader.segment_hash(keys.salt, index, sealed).hex() == vector["segment_hash"]
    assert open_segment(keys, sealed, index=index, last=last, params=params) == plain
    ck = reader.Keys(secret).ck
    assert reader.open_segment(ck, sealed, index, last, params.k, params.n) == plain


@pytest.mark.parametrize("vector", load("sealing")["boxes"], ids=lambda v: v["label"][:8])
def test_box(vector: Vector) -> None:
    key, label = bytes.fromhex(vector["key"]), vector["label"]
    plain, box = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["box"])
    assert seal_box(key, plain, label) == box
    assert open_box(key, box, label) == plain
    assert reader.open_box(key, box, label) == plain


@pytest.mark.parametrize("vector", load("code")["accept"], ids=lambda v: f"{v['k']}-of-{v['n']}")
def test_blocks(vector: Vector) -> None:
    k, n, data = vector["k"], vector["n"], pattern(vector["pattern_bytes"])
    blocks = [bytes.fromhex(block) for block in vector["blocks"]]
    assert [bytes(block) for block in Coder(k, n).encode(data)] == blocks
    last = {number: blocks[number] for number in range(n - k, n)}
    assert Coder(k, n).decode(last, len(data)) == data
    assert reader.decode(k, n, last, len(data)) == data


def test_merkle_roots() -> None:
    for vector in load("merkle")["accept"]:
        leaves = [leaf(at) for at in range(vector["leaves"])]
        assert merkle.root(leaves).hex() == vector["root"]
        assert merkle.Tree(leaves).root.hex() == vector["root"]
        assert reader.root(leaves).hex() == vector["root"]
    for vector in load("merkle")["blocks"]:
        salt, block = bytes.fromhex(vector["salt"]), pattern(vector["pattern_bytes"])
        place = (salt, vector["share"], vector["segment"])
        assert merkle.block_root(*place, block).hex() == vector["root"]
        assert reader.block_root(*place, block).hex() == vector["root"]


def test_merkle_paths() -> None:
    for vector in load("merkle")["paths"]:
        path = [bytes.fromhex(item) for item in vector["path"]]
        count, index = vector["leaves"], vector["index"]
        assert list(merkle.Tree([leaf(at) for at in range(count)]).path(index)) == path
        merkle.check_path(leaf(index), index, count, path, bytes.fromhex(vector["root"]))


@pytest.mark.parametrize("vector", load("manifest")["accept"], ids=lambda v: v["cid"][:8])
def test_manifest(vector: Vector) -> None:
    data, secret = bytes.fromhex(vector["manifest"]), bytes.fromhex(vector["fs"])
    ours, theirs = parse_manifest(data), reader.parse_manifest(data)
    assert ours.encode() == data
    assert content_id(data).hex() == vector["cid"] == reader.H("manifest", data).hex()
    keys = FileKeys.from_secret(secret)
    assert open_header(ours, keys).size == vector["size"]
    assert reader.open_header(theirs, reader.Keys(secret))["size"] == vector["size"]
    assert isinstance(ours, Manifest) == (vector["kind"] == "coded")
    if not isinstance(ours, Manifest):
        assert open_inline(ours, keys)[1] == reader.read_inline(theirs, reader.Keys(secret))


@pytest.mark.parametrize("vector", load("share")["accept"], ids=lambda v: str(v["share"]))
def test_share_header(vector: Vector) -> None:
    header = ShareHeader.parse(bytes.fromhex(vector["header"]))
    assert header == ShareHeader(
        share_no=vector["share"],
        params=CodeParams(vector["k"], vector["n"]),
        padded_size=vector["padded_size"],
        upload_id=bytes.fromhex(vector["upload_id"]),
    )
    assert header.trailer_offset == vector["trailer_offset"]


def test_share_trailer() -> None:
    for vector in load("share")["trailers"]:
        data = bytes.fromhex(vector["trailer"])
        trailer = ShareTrailer.parse(data)
        assert [root.hex() for root in trailer.block_roots] == vector["block_roots"]
        assert [item.hex() for item in trailer.segment_hashes] == vector["segment_hashes"]
        assert trailer.manifest.hex() == vector["manifest"]
        assert trailer.build() == data


@pytest.mark.parametrize("vector", load("receipt")["accept"], ids=lambda v: str(v["share"]))
def test_receipt(vector: Vector) -> None:
    data = bytes.fromhex(vector["receipt"])
    receipt = StorageReceipt.parse_and_verify(data)
    assert receipt.encode() == data
    assert (receipt.cid.hex(), receipt.share_no) == (vector["cid"], vector["share"])
    assert (receipt.share_bytes, receipt.period) == (vector["share_bytes"], vector["period"])
    assert (receipt.node.hex(), receipt.share_root.hex()) == (vector["node"], vector["share_root"])


def test_placement() -> None:
    file = load("placement")
    for name, table in file["codes_for_1_to_255_nodes"].items():
        profile = getattr(placement, name.upper())
        for count, pair in enumerate(table.split(), 1):
            code = placement.code_for(count, profile)
            assert f"{code.k}/{code.n}" == pair
    nodes = [NodeId(bytes.fromhex(node)) for node in file["nodes"]]
    for vector in file["accept"]:
        holders = placement.assign(nodes[::-1], vector["n"], bytes.fromhex(vector["key"]))
        assert [nodes.index(node) for node in holders] == vector["holders"]
    for k, n, needed in file["receipts_needed"]:
        assert placement.receipts_needed(k, n) == needed


def test_golden_file_of_version_1_is_read() -> None:
    file = load("golden")
    shares = [reader.parse_share(bytes.fromhex(share)) for share in file["shares"]]
    content = pattern(file["pattern_bytes"])
    assert reader.read_file(file["cap"], shares) == content
    for number, data in enumerate(bytes.fromhex(share) for share in file["shares"]):
        _check_share(data)
        manifest = parse_manifest(shares[number].manifest)
        cap = caps.parse_cap(file["cap"])
        assert isinstance(cap, caps.ReadCap)
        assert cap.cid == content_id(manifest.encode())
        header = open_header(manifest, FileKeys.from_secret(cap.secret))
        assert header.media_type == file["media_type"]
        assert header.content_hash == blake3(content).digest()


# what must be refused


def refused(vector: Vector, act: Callable[[], object]) -> None:
    """Assert that our code refuses with the vector's code, and never with another exception."""
    with pytest.raises(BitcloudError) as caught:
        act()
    assert caught.value.code == vector["code"]


def refused_by_reader(act: Callable[[], object]) -> None:
    with pytest.raises(reader.Bad):
        act()


@pytest.mark.parametrize("vector", rejects("caps"))
def test_bad_cap(vector: Vector) -> None:
    refused(vector, lambda: caps.parse_cap(vector["text"]))
    refused_by_reader(lambda: reader.parse_cap(vector["text"]))


@pytest.mark.parametrize("vector", rejects("keys"))
def test_bad_secret(vector: Vector) -> None:
    refused(vector, lambda: FileKeys.from_secret(bytes.fromhex(vector["fs"])))


@pytest.mark.parametrize("vector", rejects("recovery"))
def test_bad_words(vector: Vector) -> None:
    refused(vector, lambda: seed_from_words(vector["words"]))


@pytest.mark.parametrize("vector", rejects("padding"))
def test_bad_size(vector: Vector) -> None:
    if "size" in vector:
        refused(vector, lambda: padding.padded_size(vector["size"]))
        refused_by_reader(lambda: reader.padded(vector["size"]))
    else:
        refused(vector, lambda: padding.inline_padded_size(vector["inline_size"]))


@pytest.mark.parametrize("vector", rejects("sealing"))
def test_bad_seal(vector: Vector) -> None:
    if "box" in vector:
        args = (bytes.fromhex(vector["key"]), bytes.fromhex(vector["box"]), vector["label"])
        refused(vector, lambda: open_box(*args))
        refused_by_reader(lambda: reader.open_box(*args))
        return
    sealed, secret = bytes.fromhex(vector["sealed"]), bytes.fromhex(vector["fs"])
    index, last, k, n = (vector[name] for name in ("index", "last", "k", "n"))
    keys, params = FileKeys.from_secret(secret), CodeParams(k, n)
    refused(vector, lambda: open_segment(keys, sealed, index=index, last=last, params=params))
    if vector["reason"] != "only-nonce-and-tag":  # an empty segment: too short, but well sealed
        ck = reader.Keys(secret).ck
        refused_by_reader(lambda: reader.open_segment(ck, sealed, index, last, k, n))


@pytest.mark.parametrize("vector", rejects("code"))
def test_bad_blocks(vector: Vector) -> None:
    k, n, size = vector["k"], vector["n"], vector["sealed_bytes"]
    blocks = {number: bytes.fromhex(block) for number, block in vector["blocks"]}
    refused(vector, lambda: Coder(k, n).decode(blocks, size))
    refused_by_reader(lambda: reader.decode(k, n, blocks, size))


@pytest.mark.parametrize("vector", rejects("merkle"))
def test_bad_path(vector: Vector) -> None:
    path = [bytes.fromhex(item) for item in vector["path"]]
    one, root = bytes.fromhex(vector["leaf"]), bytes.fromhex(vector["root"])
    index, count = vector["index"], vector["leaves"]
    refused(vector, lambda: merkle.check_path(one, index, count, path, root))


@pytest.mark.parametrize("vector", rejects("manifest"))
def test_bad_manifest(vector: Vector) -> None:
    data = bytes.fromhex(vector["manifest"])
    if "fs" not in vector:
        refused(vector, lambda: parse_manifest(data))
        refused_by_reader(lambda: reader.parse_manifest(data))
        return
    secret = bytes.fromhex(vector["fs"])
    ours, theirs = parse_manifest(data), reader.parse_manifest(data)
    refused(vector, lambda: open_header(ours, FileKeys.from_secret(secret)))
    refused_by_reader(lambda: reader.open_header(theirs, reader.Keys(secret)))


@pytest.mark.parametrize("vector", rejects("share"))
def test_bad_share(vector: Vector) -> None:
    if "header" in vector:
        refused(vector, lambda: ShareHeader.parse(bytes.fromhex(vector["header"])))
    elif "trailer" in vector:
        refused(vector, lambda: ShareTrailer.parse(bytes.fromhex(vector["trailer"])))
    else:
        data = bytes.fromhex(vector["share"])
        refused(vector, lambda: _check_share(data))
        if vector["code"] != "corrupt-block":  # the reader looks at blocks when it reads
            refused_by_reader(lambda: reader.parse_share(data))


@pytest.mark.parametrize("vector", rejects("receipt"))
def test_bad_receipt(vector: Vector) -> None:
    refused(vector, lambda: StorageReceipt.parse_and_verify(bytes.fromhex(vector["receipt"])))


@pytest.mark.parametrize("vector", rejects("placement"))
def test_bad_placement(vector: Vector) -> None:
    if "grid" in vector:
        refused(vector, lambda: placement.code_for(vector["grid"]))
    else:
        nodes = [NodeId(leaf(number)) for number in range(vector["holders_of"])]
        refused(vector, lambda: placement.assign(nodes, vector["n"], b""))


def _check_share(data: bytes) -> None:
    """Check a whole share file, every block of it."""
    header = ShareHeader.parse(data[:HEADER_BYTES])
    trailer = ShareTrailer.parse(data[header.trailer_offset :])
    manifest = check_trailer(header, trailer)
    for index in range(manifest.segment_count):
        start = header.block_offset(index)
        block = data[start : start + manifest.block_bytes(index)]
        check_block(manifest.salt, header.share_no, index, block, trailer.block_roots[index])
