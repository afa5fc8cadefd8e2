"""Makes the published vectors in this directory: ``python -m tests.vectors.make_vectors``.

Every file holds vectors to accept, with what they give, and vectors to refuse, each with one
reason. All input is fixed here, so two runs give the same files; a test compares them. Bytes are
hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from bitcloud_net.core import caps, encoding, merkle, padding, placement
from bitcloud_net.core.caps import ReadCap, VerifyCap
from bitcloud_net.core.code import CodeParams
from bitcloud_net.core.erasure import Coder
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.manifest import FileHeader, build_inline, build_manifest, content_id
from bitcloud_net.core.receipt import StorageReceipt
from bitcloud_net.core.recovery import Role, role_secret, words_from_seed
from bitcloud_net.core.sealing import FileKeys, open_segment, seal_box, seal_segment, segment_hash
from bitcloud_net.core.share import ShareHeader, ShareTrailer
from tests.core.shares import Stored, store

HERE: Final = Path(__file__).parent
FS: Final = bytes(range(32))
KEYS: Final = FileKeys.from_secret(FS)

Vector = dict[str, Any]


def pattern(size: int) -> bytes:
    """The plaintext of the vectors: byte ``at`` is ``(at * 167 + at // 251) % 256``."""
    return bytes((at * 167 + at // 251) & 0xFF for at in range(size))


def leaf(number: int) -> bytes:
    """Leaf hashes of the tree vectors: BLAKE3-256 of the number as u64."""
    return blake3(number.to_bytes(8, "big")).digest()


def flip(data: bytes, at: int, mask: int = 1) -> bytes:
    """Return ``data`` with bits of one byte changed."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)


# caps


def make_caps() -> Vector:
    """Caps."""
    cid = blake3(b"a manifest").digest()
    cases = [
        ("counted", FS, bytes(reversed(FS))),
        ("hash", cid, FS),
        ("zero", bytes(32), bytes(32)),
    ]
    accept = []
    for name, one, secret in cases:
        read = ReadCap(one, secret)
        accept.append(
            {
                "name": name,
                "cid": one.hex(),
                "secret": secret.hex(),
                "read": read.text,
                "verify": VerifyCap(one).text,
            }
        )
    return {"accept": accept, "reject": _bad_caps(ReadCap(cid, FS))}


def _bad_caps(cap: ReadCap) -> list[Vector]:
    text = cap.text
    body, checksum = text.split(":")[3:]
    verify = cap.diminish().text.split(":")[3]

    def bad(reason: str, text: str, code: str = "cap-unknown") -> Vector:
        return {"text": text, "reason": reason, "code": code}

    def signed(head: str) -> str:
        return f"{head}:{caps._checksum(head)}"

    return [
        bad("checksum-wrong", text[:-1] + ("a" if text[-1] != "a" else "b"), "cap-damaged"),
        bad("body-character-changed", text.replace(body, "z" + body[1:]), "cap-damaged"),
        bad("body-character-missing", text.replace(body, body[1:]), "cap-damaged"),
        bad("kind-changed", text.replace(":fr:", ":fv:"), "cap-damaged"),
        bad("checksum-in-capitals", text[:-4] + checksum.upper(), "cap-damaged"),
        bad("body-in-capitals", signed(f"bitcloud:1:fr:{body.upper()}")),
        bad("empty", ""),
        bad("another-scheme", text.replace("bitcloud", "http")),
        bad("unknown-version", signed(f"bitcloud:2:fr:{body}")),
        bad("unknown-kind", signed(f"bitcloud:1:mw:{body}")),
        bad("read-cap-with-half-a-body", signed(f"bitcloud:1:fr:{verify}")),
        bad("verify-cap-with-a-secret", signed(f"bitcloud:1:fv:{body}")),
        bad("spare-bits-set", signed(f"bitcloud:1:fr:{body[:-1]}{_next(body[-1])}")),
        bad("base32-padding", signed(f"bitcloud:1:fr:{body}=")),
        bad("not-base32", signed(f"bitcloud:1:fr:{body[:-1]}1")),
        bad("space-in-front", " " + text),
        bad("line-end-behind", text + "\n", "cap-damaged"),
        bad("part-missing", ":".join(text.split(":")[:4])),
        bad("part-too-many", text + ":x"),
        bad("not-ascii", text.replace("bitcloud", "bitcloué")),
        bad("too-long", signed("bitcloud:1:fr:" + "a" * 200)),
    ]


def _next(char: str) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return alphabet[alphabet.index(char) + 1]


# keys and words


def make_keys() -> Vector:
    """Derived keys of a file, and keys of roles."""
    names = ("content", "header", "commit", "nonce", "salt", "upload_id")
    accept = []
    for secret in (FS, bytes(32), blake3(b"secret").digest()):
        keys = FileKeys.from_secret(secret)
        accept.append(
            {"fs": secret.hex(), "keys": {name: getattr(keys, name).hex() for name in names}}
        )
    roles = [
        {
            "seed": FS.hex(),
            "role": role.value,
            "index": at,
            "secret": role_secret(FS, role, at).hex(),
        }
        for role, at in [*((role, 0) for role in Role), (Role.NODE, 1), (Role.NODE, 2**32 - 1)]
    ]
    return {
        "accept": accept,
        "roles": roles,
        "reject": [
            {"fs": FS[:31].hex(), "reason": "secret-too-short", "code": "malformed"},
            {"fs": FS.hex() + "00", "reason": "secret-too-long", "code": "malformed"},
            {"fs": "", "reason": "secret-empty", "code": "malformed"},
        ],
    }


BIP39: Final = [  # published: the 256-bit cases of the vectors that BIP39 links to
    ("00" * 32, "abandon " * 23 + "art"),
    ("7f" * 32, "legal winner thank year wave sausage worth useful " * 2
     + "legal winner thank year wave sausage worth title"),
    ("80" * 32, "letter advice cage absurd amount doctor acoustic avoid " * 2
     + "letter advice cage absurd amount doctor acoustic bless"),
    ("ff" * 32, "zoo " * 23 + "vote"),
    ("68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
     "hamster diagram private dutch cause delay private meat slide toddler razor book "
     "happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"),
    ("9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
     "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich "
     "alcohol speed nation flash devote level hobby quick inner drive ghost inside"),
    ("066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
     "all hour make first leader extend hole alien behind guard gospel lava "
     "path output census museum junior mass reopen famous sing advance salt reform"),
    ("f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
     "void come effort suffer camp survey warrior heavy shoot primary clutch crush "
     "open amazing screen patrol group space point ten exist slush involve unfold"),
]  # fmt: skip


def make_recovery() -> Vector:
    """Recovery words."""
    words = words_from_seed(FS).split()

    def bad(reason: str, text: str) -> Vector:
        return {"words": text, "reason": reason, "code": "recovery-words"}

    swapped = [words[1], words[0], *words[2:]]
    return {
        "accept": [
            *({"seed": seed, "words": text} for seed, text in BIP39),
            {"seed": FS.hex(), "words": " ".join(words)},
        ],
        "reject": [
            bad("checksum-wrong", "abandon " * 23 + "about"),
            bad("two-words-swapped", " ".join(swapped)),
            bad("one-word-missing", " ".join(words[:23])),
            bad("one-word-too-many", " ".join([*words, "zoo"])),
            bad("twelve-words", "abandon " * 11 + "about"),
            bad("unknown-word", " ".join([*words[:5], "bitcloud", *words[6:]])),
            bad("four-letters-only", " ".join(word[:4] for word in words)),
            bad("commas-between", ", ".join(words)),
            bad("empty", ""),
            bad("too-long", "zoo " * 1000),
        ],
    }


# padding, sealing, code, trees


def make_padding() -> Vector:
    """Padded sizes."""
    mib = 1 << 20
    sizes = [0, 1, 4095, 4096, 4097, 8192, 8193, 65_537, mib - 1, mib, mib + 1, mib + 32_768]
    sizes += [mib + 32_769, 3 * mib, 10**8, (1 << 30) + 1, 10**12, (16 << 40) - 1, 16 << 40]
    inline = [0, 1, 511, 512, 513, 1025, 2049, 4095, 4096]
    return {
        "accept": [{"size": size, "padded": padding.padded_size(size)} for size in sizes],
        "inline": [{"size": size, "padded": padding.inline_padded_size(size)} for size in inline],
        "reject": [
            {"size": -1, "reason": "negative", "code": "file-too-large"},
            {"size": (16 << 40) + 1, "reason": "more-than-16-tib", "code": "file-too-large"},
            {"size": 1 << 63, "reason": "beyond-64-bits", "code": "file-too-large"},
            {"inline_size": 4097, "reason": "too-large-for-inline", "code": "file-too-large"},
        ],
    }


def make_sealing() -> Vector:
    """Sealed segments and boxes."""
    cases = [(1, 0, True, 3, 10), (100, 0, False, 3, 10), (100, 1, True, 3, 10)]
    cases += [(300, 5, False, 1, 1), (257, 2**24 - 1, True, 128, 128), (1 << 20, 7, False, 6, 20)]
    accept = []
    for size, index, last, k, n in cases:
        plain = pattern(size)
        sealed = seal_segment(KEYS, plain, index=index, last=last, params=CodeParams(k, n))
        accept.append(
            {
                "fs": FS.hex(),
                "pattern_bytes": size,
                "index": index,
                "last": last,
                "k": k,
                "n": n,
                "nonce": sealed[:24].hex(),
                "sealed": sealed.hex() if size < 1000 else None,
                "segment_hash": segment_hash(KEYS.salt, index, sealed).hex(),
            }
        )
    boxes = [
        {"key": FS.hex(), "label": label, "plain": plain.hex(), "box": _box(plain, label)}
        for label, plain in (("header", b""), ("name", b"Dawn.webm"), ("x" * 64, pattern(200)))
    ]
    return {"accept": accept, "boxes": boxes, "reject": _bad_segments() + _bad_boxes()}


def _box(plain: bytes, label: str) -> str:
    return seal_box(FS, plain, label).hex()


def _bad_segments() -> list[Vector]:
    right: Vector = {"fs": FS.hex(), "index": 1, "last": True, "k": 3, "n": 10}
    plain = pattern(100)
    sealed = seal_segment(KEYS, plain, index=1, last=True, params=CodeParams(3, 10))
    assert open_segment(KEYS, sealed, index=1, last=True, params=CodeParams(3, 10)) == plain

    def bad(reason: str, data: bytes = sealed, **wrong: Any) -> Vector:
        return right | {"sealed": data.hex(), "reason": reason, "code": "bad-seal"} | wrong

    return [
        bad("nonce-changed", flip(sealed, 0)),
        bad("ciphertext-changed", flip(sealed, 24)),
        bad("tag-changed", flip(sealed, -1)),
        bad("byte-missing", sealed[:-1]),
        bad("byte-added", sealed + b"\0"),
        bad("another-place", index=2),
        bad("not-the-last", last=False),
        bad("another-k", k=4),
        bad("another-n", n=11),
        bad("another-secret", fs=bytes(32).hex()),
        bad("only-nonce-and-tag", sealed[:40]),
        bad("empty", b""),
    ]


def _bad_boxes() -> list[Vector]:
    box = seal_box(FS, b"Dawn.webm", "name")

    def bad(reason: str, data: bytes = box, *, key: bytes = FS, label: str = "name") -> Vector:
        made = {"key": key.hex(), "label": label, "box": data.hex()}
        return made | {"reason": reason, "code": "bad-seal"}

    return [
        bad("box-nonce-changed", flip(box, 5)),
        bad("box-content-changed", flip(box, 30)),
        bad("box-for-another-purpose", label="names"),
        bad("box-under-another-key", key=bytes(32)),
        bad("box-too-short", box[:39]),
    ]


def make_code() -> Vector:
    """Blocks of the erasure code."""
    accept = []
    for k, n, size in ((1, 1, 5), (1, 3, 5), (2, 3, 9), (3, 10, 32), (6, 20, 33), (5, 5, 11)):
        blocks = Coder(k, n).encode(pattern(size))
        accept.append(
            {"k": k, "n": n, "pattern_bytes": size, "blocks": [bytes(b).hex() for b in blocks]}
        )
    wide = Coder(38, 128).encode(pattern(38 * 4))
    accept.append(
        {"k": 38, "n": 128, "pattern_bytes": 152, "blocks": [bytes(block).hex() for block in wide]}
    )
    return {"accept": accept, "reject": _bad_blocks()}


def _bad_blocks() -> list[Vector]:
    blocks = [bytes(block).hex() for block in Coder(3, 10).encode(pattern(32))]

    def bad(reason: str, numbers: list[int], *, code: str = "bad-blocks", **cut: str) -> Vector:
        given = [[number, cut.get(f"b{number}", blocks[number % 10])] for number in numbers]
        made: Vector = {"k": 3, "n": 10, "sealed_bytes": 32, "blocks": given}
        return made | {"reason": reason, "code": code}

    return [
        bad("too-few", [0, 1]),
        bad("none", []),
        bad("number-is-n", [0, 1, 10]),
        bad("number-negative", [0, 1, -1]),
        bad("number-256", [0, 1, 256]),
        bad("unequal-lengths", [0, 1, 2], b2=blocks[2][:-2]),
        bad("all-too-short", [0, 1, 2], b0=blocks[0][2:], b1=blocks[1][2:], b2=blocks[2][2:]),
        bad("filling-not-zero", [0, 1, 2], b2=blocks[2][:-2] + "01", code="inconsistent-shares"),
    ]


def make_merkle() -> Vector:
    """Roots and paths."""
    accept = [
        {"leaves": count, "root": merkle.root([leaf(at) for at in range(count)]).hex()}
        for count in (0, 1, 2, 3, 4, 5, 7, 8, 1023, 1024)
    ]
    paths = []
    for count, index in ((1, 0), (2, 1), (3, 2), (5, 4), (7, 5), (1023, 0), (1023, 1022)):
        tree = merkle.Tree([leaf(at) for at in range(count)])
        path = [item.hex() for item in tree.path(index)]
        paths.append({"leaves": count, "index": index, "path": path, "root": tree.root.hex()})
    return {"accept": accept, "paths": paths, "blocks": _block_roots(), "reject": _bad_paths()}


def _block_roots() -> list[Vector]:
    roots = []
    for share, segment, size in (
        (0, 0, 1),
        (1, 0, 16_384),
        (9, 3, 16_385),
        (127, 2**24 - 1, 49_999),
    ):
        root = merkle.block_root(KEYS.salt, share, segment, pattern(size))
        made = {"share": share, "segment": segment, "pattern_bytes": size, "root": root.hex()}
        roots.append({"salt": KEYS.salt.hex()} | made)
    return roots


def _bad_paths() -> list[Vector]:
    tree = merkle.Tree([leaf(at) for at in range(5)])
    path = list(tree.path(2))
    doubled = merkle.root([leaf(0), leaf(1), leaf(2), leaf(2)])

    def bad(reason: str, **wrong: Any) -> Vector:
        made: Vector = {"leaf": leaf(2), "index": 2, "leaves": 5, "path": path, "root": tree.root}
        made |= wrong
        made["path"] = [item.hex() for item in made["path"]]
        made |= {"leaf": made["leaf"].hex(), "root": made["root"].hex()}
        return made | {"reason": reason, "code": "bad-proof"}

    return [
        bad("another-leaf", leaf=leaf(3)),
        bad("another-index", index=3),
        bad("index-is-count", index=5),
        bad("index-negative", index=-1),
        bad("count-too-small", leaves=4),
        bad("count-too-large", leaves=9),
        bad("no-leaves", index=0, leaves=0),
        bad("path-too-short", path=path[:-1]),
        bad("path-too-long", path=[*path, leaf(9)]),
        bad("path-empty", path=[]),
        bad("siblings-swapped", path=path[::-1]),
        bad("sibling-changed", path=[flip(path[0], 3), *path[1:]]),
        bad("sibling-of-31-bytes", path=[path[0][:31], *path[1:]]),
        bad("root-changed", root=flip(tree.root, 31)),
        bad("odd-leaf-doubled", index=2, leaves=3, path=[leaf(2)], root=doubled),
        bad("promoted-leaf-with-itself", leaf=leaf(4), index=4, path=[leaf(4), *tree.path(4)]),
    ]


# manifest, share, receipt


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


def make_placement() -> Vector:
    """Codes for every grid size, and holders."""
    profiles = (placement.ECONOMY, placement.STANDARD, placement.ARCHIVE)
    table = {
        profile.name: " ".join(
            f"{code.k}/{code.n}"
            for code in (placement.code_for(nodes, profile) for nodes in range(1, 256))
        )
        for profile in profiles
    }
    nodes = [NodeId(leaf(number)) for number in range(12)]
    order = placement.assign(nodes, 10, FS[:16])
    return {
        "nodes": [node.hex() for node in nodes],
        "accept": [
            {"key": FS[:16].hex(), "n": 10, "holders": [nodes.index(node) for node in order]},
            {"key": "", "n": 1, "holders": [nodes.index(placement.assign(nodes, 1, b"")[0])]},
        ],
        "codes_for_1_to_255_nodes": table,
        "receipts_needed": [
            [k, n, placement.receipts_needed(k, n)] for k, n in ((1, 1), (3, 10), (6, 20), (18, 60))
        ],
        "reject": [
            {"grid": 0, "reason": "no-node", "code": "too-few-nodes"},
            {"grid": -1, "reason": "negative", "code": "too-few-nodes"},
            {
                "holders_of": 12,
                "n": 13,
                "reason": "fewer-nodes-than-shares",
                "code": "too-few-nodes",
            },
        ],
    }


def make_golden() -> Vector:
    """One whole stored file of version 1: every later version reads it."""
    stored = example()
    return {
        "cap": stored.cap.text,
        "pattern_bytes": 5000,
        "media_type": "text/plain",
        "shares": [share.hex() for share in stored.shares],
    }


MAKERS: Final[dict[str, Callable[[], Vector]]] = {
    "caps": make_caps,
    "code": make_code,
    "golden": make_golden,
    "keys": make_keys,
    "manifest": make_manifest,
    "merkle": make_merkle,
    "padding": make_padding,
    "placement": make_placement,
    "receipt": make_receipt,
    "recovery": make_recovery,
    "sealing": make_sealing,
    "share": make_share,
}


def text_of(name: str) -> str:
    """Return the text of one vector file."""
    make = MAKERS[name]
    made = {"format": 1, "about": (make.__doc__ or "").strip()} | make()
    return json.dumps(made, indent=1, ensure_ascii=True) + "\n"


def main() -> None:
    """Write all files."""
    for name in MAKERS:
        (HERE / f"{name}.json").write_text(text_of(name), encoding="utf-8")


if __name__ == "__main__":
    main()
