"""Vectors of what is stored: manifests, shares, receipts, and one whole file."""

from __future__ import annotations

from typing import Any, Final

from blake3 import blake3

from bitcloud_net.core import encoding
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import FileHeader, build_inline, build_manifest, content_id
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.sealing import FileKeys, seal_box
from bitcloud_net.core.files.share import ShareHeader, ShareTrailer
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.recovery import Role, role_secret
from tests.core.shares import Stored, store
from tests.vectors.common import FS, KEYS, Vector, flip, leaf, pattern


def example() -> Stored:
    """The file of the worked example and of the golden file."""
    return store(pattern(5000), CodeParams(2, 3), secret=FS, media_type="text/plain")


def make_manifest() -> Vector:
    """Manifests."""
    coded = example().manifest
    wide = build_manifest(
        KEYS,
        CodeParams(38, 128),
        FileHeader(size=10**12, content_hash=leaf(0), media_type="x" * 127),
        ciphertext_root=leaf(1),
        share_roots=[leaf(number) for number in range(128)],
    )
    accept = [
        {"kind": "coded", "size": size, "manifest": made.encode().hex()}
        | {"fs": FS.hex(), "cid": content_id(made.encode()).hex()}
        for size, made in ((5000, coded), (10**12, wide))
    ]
    for content in (b"", b"Bitcloud", pattern(4096)):
        data = build_inline(KEYS, content, "text/plain" if content else None).encode()
        made = {"kind": "inline", "size": len(content), "manifest": data.hex()}
        accept.append(made | {"fs": FS.hex(), "cid": content_id(data).hex()})
    return {"accept": accept, "reject": _bad_manifests() + _bad_headers()}


def _fields(manifest: bytes) -> list[Any]:
    return list(encoding.decode(manifest[4:], max_bytes=8192))  # type: ignore[arg-type]


def _bad_manifests() -> list[Vector]:
    good = example().manifest.encode()
    fields = _fields(good)
    inline = _fields(build_inline(KEYS, b"x").encode())

    def bad(reason: str, data: bytes, code: str = "malformed") -> Vector:
        return {"manifest": data.hex(), "reason": reason, "code": code}

    def coded(reason: str, at: int, value: Any, code: str = "malformed") -> Vector:
        changed = [*fields[:at], value, *fields[at + 1 :]]
        return bad(reason, b"BCMF" + encoding.encode(changed), code)

    short = [*inline[:6], inline[6][:-1]]
    return [
        bad("empty", b""),
        bad("magic-only", b"BCMF"),
        bad("another-magic", b"BCMX" + good[4:]),
        bad("cut-off", good[:-1]),
        bad("byte-behind", good + b"\0"),
        bad("more-than-8192-bytes", good + bytes(8192)),
        bad("a-map-instead-of-a-list", b"BCMF" + encoding.encode({"k": 2})),
        bad("length-not-shortest", b"BCMF" + b"\x98\x0b" + good[5:]),
        bad("indefinite-length", b"BCMF" + b"\x9f" + good[5:] + b"\xff"),
        coded("unknown-version", 0, 2, "unknown-version"),
        coded("unknown-algorithm", 1, 2, "unknown-version"),
        coded("unknown-kind", 2, 2),
        coded("k-is-zero", 3, 0),
        coded("k-above-n", 3, 4),
        coded("k-negative", 3, -1),
        coded("k-is-text", 3, "2"),
        coded("n-above-128", 4, 129),
        coded("n-without-roots", 4, 4),
        coded("size-is-not-padded", 5, 5000),
        coded("size-is-zero", 5, 0),
        coded("size-negative", 5, -4096),
        coded("size-above-16-tib", 5, 1 << 45),
        coded("ciphertext-root-of-31-bytes", 6, bytes(31)),
        coded("share-root-missing", 7, fields[7][:2]),
        coded("share-root-of-33-bytes", 7, [*fields[7][:2], bytes(33)]),
        coded("share-root-is-a-number", 7, [*fields[7][:2], 7]),
        coded("salt-of-16-bytes", 8, bytes(16)),
        coded("commitment-missing", 9, b""),
        coded("header-too-short", 10, bytes(40)),
        coded("header-too-long", 10, bytes(513)),
        bad("field-too-many", b"BCMF" + encoding.encode([*fields, 0])),
        bad("field-missing", b"BCMF" + encoding.encode(fields[:-1])),
        bad("inline-content-not-padded", b"BCMF" + encoding.encode(short)),
        bad("inline-with-fields-of-coded", b"BCMF" + encoding.encode([1, 1, 1, *fields[3:]])),
    ]


def _bad_headers() -> list[Vector]:
    """Manifests that are well formed, but must not open with the file secret."""
    good = example().manifest
    fields = _fields(good.encode())
    plain: dict[str, Any] = {"hash": leaf(0), "size": 5000}

    def bad(reason: str, code: str = "malformed", *, at: int = 10, value: Any = b"") -> Vector:
        changed = [*fields[:at], value, *fields[at + 1 :]]
        data = b"BCMF" + encoding.encode(changed)
        return {"manifest": data.hex(), "fs": FS.hex(), "reason": reason, "code": code}

    def header(reason: str, **wrong: Any) -> Vector:
        kept = {key: item for key, item in (plain | wrong).items() if item is not None}
        return bad(reason, value=seal_box(KEYS.header, encoding.encode(kept), "header"))

    other = FileKeys.from_secret(bytes(32))
    return [
        bad("committed-to-another-secret", "wrong-key", at=9, value=other.commit),
        bad("salt-of-another-secret", "wrong-key", at=8, value=other.salt),
        bad("header-changed", "bad-seal", value=flip(fields[10], 30)),
        bad("header-of-another-purpose", "bad-seal", value=seal_box(KEYS.header, b"x", "name")),
        header("header-size-does-not-fit", size=20_000),
        header("header-size-negative", size=-1),
        header("header-without-size", size=None),
        header("header-without-hash", hash=None),
        header("header-hash-of-31-bytes", hash=bytes(31)),
        header("header-with-unknown-key", name="Dawn.webm"),
        header("media-type-empty", type=""),
        header("media-type-with-line-end", type="text/plain\n"),
        header("media-type-too-long", type="x" * 128),
        bad("header-not-cbor", value=seal_box(KEYS.header, b"\xff", "header")),
    ]


def make_share() -> Vector:
    """Share headers and trailers; whole shares are in ``golden.json``."""
    accept = []
    for number, k, n, size in ((0, 1, 1, 4096), (9, 3, 10, 1 << 20), (127, 38, 128, 1 << 40)):
        params = CodeParams(k, n)
        made = ShareHeader(share_no=number, params=params, padded_size=size, upload_id=FS[:16])
        offsets = {"trailer_offset": made.trailer_offset, "header": made.pack().hex()}
        facts = {"share": number, "k": k, "n": n, "padded_size": size, "upload_id": FS[:16].hex()}
        accept.append(facts | offsets)
    trailer = ShareTrailer(
        block_roots=(leaf(0), leaf(1)), segment_hashes=(leaf(2), leaf(3)), manifest=b"manifest"
    )
    whole = {"block_roots": [leaf(0).hex(), leaf(1).hex()], "manifest": b"manifest".hex()}
    whole |= {"segment_hashes": [leaf(2).hex(), leaf(3).hex()], "trailer": trailer.build().hex()}
    return {
        "accept": accept,
        "trailers": [whole],
        "reject": _bad_share_headers() + _bad_trailers(trailer.build()) + _bad_shares(),
    }


def _bad_share_headers() -> list[Vector]:
    good = ShareHeader(
        share_no=1, params=CodeParams(3, 10), padded_size=8192, upload_id=FS[:16]
    ).pack()

    def bad(reason: str, data: bytes, code: str = "malformed", *, resealed: bool = True) -> Vector:
        if resealed:
            data = data[:40] + blake3(data[:40], derive_key_context=_SHARE).digest()[:24]
        return {"header": data.hex(), "reason": reason, "code": code}

    return [
        bad("header-empty", b"", resealed=False),
        bad("header-of-63-bytes", good[:-1], resealed=False),
        bad("header-check-wrong", flip(good, 63), resealed=False),
        bad("header-upload-id-changed", flip(good, 24), resealed=False),
        bad("header-of-another-magic", flip(good, 3)),
        bad("header-of-unknown-version", flip(good, 4, 3), "unknown-version"),
        bad("header-of-unknown-algorithm", flip(good, 5, 3), "unknown-version"),
        bad("share-number-is-n", good[:6] + bytes([10]) + good[7:]),
        bad("header-with-k-zero", good[:7] + bytes([0]) + good[8:]),
        bad("header-with-k-above-n", good[:7] + bytes([11]) + good[8:]),
        bad("header-with-n-above-128", good[:8] + bytes([129]) + good[9:]),
        bad("header-unused-byte-set", flip(good, 12)),
        bad("header-size-is-not-padded", flip(good, 23)),
    ]


_SHARE: Final = "bitcloud v1 share header"
_TRAILER: Final = "bitcloud v1 share trailer"


def _bad_trailers(good: bytes) -> list[Vector]:
    def bad(reason: str, data: bytes, code: str = "malformed", *, resealed: bool = True) -> Vector:
        if resealed:
            data = data[:-32] + blake3(data[:-32], derive_key_context=_TRAILER).digest()
        return {"trailer": data.hex(), "reason": reason, "code": code}

    return [
        bad("trailer-empty", b"", resealed=False),
        bad("trailer-root-changed", flip(good, 0), resealed=False),
        bad("trailer-manifest-changed", flip(good, 128), resealed=False),
        bad("trailer-hash-changed", flip(good, -1), resealed=False),
        bad("trailer-of-another-magic", flip(good, -48)),
        bad("trailer-of-unknown-version", flip(good, -44, 3), "unknown-version"),
        bad("trailer-unused-byte-set", flip(good, -42)),
        bad("trailer-count-zero", good[:-40] + bytes(4) + good[-36:]),
        bad("trailer-count-too-large", good[:-40] + b"\xff\xff\xff\xff" + good[-36:]),
        bad("trailer-count-off-by-one", flip(good, -37, 1)),
        bad("trailer-manifest-length-zero", good[:-36] + bytes(4) + good[-32:]),
        bad("trailer-byte-in-front", b"\0" + good),
    ]


def _bad_shares() -> list[Vector]:
    """Whole shares whose parts do not belong together."""
    stored = example()
    one, two = stored.shares[0], stored.shares[1]
    start = len(one) - (48 + 64 + len(stored.manifest.encode()))
    body = one[start:-32]

    def resealed(data: bytes) -> bytes:
        return data + blake3(data, derive_key_context=_TRAILER).digest()

    def bad(reason: str, data: bytes, code: str) -> Vector:
        return {"share": data.hex(), "reason": reason, "code": code}

    return [
        bad("header-and-trailer-of-two-shares", two[:64] + one[64:], "bad-proof"),
        bad("block-root-changed", one[:start] + resealed(flip(body, 0)), "bad-proof"),
        bad("segment-hash-changed", one[:start] + resealed(flip(body, 32)), "bad-proof"),
        bad("block-changed", flip(one, 100), "corrupt-block"),
        bad("block-of-another-share", one[:64] + two[64:start] + one[start:], "corrupt-block"),
    ]


def make_receipt() -> Vector:
    """Storage receipts."""
    key = SigningKey(role_secret(FS, Role.NODE))
    accept = []
    for number, size, period in ((0, 1, 0), (9, 349_552, 2_900_000), (127, 2**63 - 1, 2**63 - 1)):
        made = StorageReceipt.build(
            key, cid=leaf(0), share_no=number, share_root=leaf(1), share_bytes=size, period=period
        )
        facts = {"share": number, "share_bytes": size, "period": period, "node": key.public.hex()}
        roots = {"cid": leaf(0).hex(), "share_root": leaf(1).hex()}
        accept.append(facts | roots | {"receipt": made.encode().hex()})
    return {"node_seed": key.seed.hex(), "accept": accept, "reject": _bad_receipts(key)}


def _bad_receipts(key: SigningKey) -> list[Vector]:
    body: list[Any] = [1, leaf(0), 3, leaf(1), 4096, bytes(key.public), 100]

    def bad(
        reason: str, fields: list[Any], code: str = "malformed", kind: str = "storage-receipt"
    ) -> Vector:
        data = b"BCSR" + encoding.encode([*fields, key.sign(kind, encoding.encode(fields))])
        return {"receipt": data.hex(), "reason": reason, "code": code}

    def changed(at: int, value: Any) -> list[Any]:
        return [*body[:at], value, *body[at + 1 :]]

    good = bytes.fromhex(bad("", body)["receipt"])
    other = SigningKey(bytes(32)).public
    return [
        bad("unknown-version", changed(0, 2), "unknown-version"),
        bad("cid-of-31-bytes", changed(1, leaf(0)[:31])),
        bad("share-number-above-127", changed(2, 128)),
        bad("share-number-negative", changed(2, -1)),
        bad("share-root-is-text", changed(3, "x" * 32)),
        bad("share-bytes-zero", changed(4, 0)),
        bad("period-negative", changed(6, -1)),
        bad("node-is-not-the-signer", changed(5, bytes(other)), "bad-signature"),
        bad("signature-for-another-purpose", body, "bad-signature", "row"),
        bad("field-too-many", [*body, 0]),
        {"receipt": flip(good, -1).hex(), "reason": "signature-changed", "code": "bad-signature"},
        {"receipt": flip(good, 0).hex(), "reason": "another-magic", "code": "malformed"},
        {"receipt": good[:-1].hex(), "reason": "cut-off", "code": "malformed"},
        {"receipt": (good + b"\0").hex(), "reason": "byte-behind", "code": "malformed"},
        {"receipt": "", "reason": "empty", "code": "malformed"},
    ]


def make_golden() -> Vector:
    """One whole stored file of version 1: every later version reads it."""
    stored = example()
    return {
        "cap": stored.cap.text,
        "pattern_bytes": 5000,
        "media_type": "text/plain",
        "shares": [share.hex() for share in stored.shares],
    }
