"""Vectors of the parts: caps, keys, words, padding, sealing, code, trees, placement."""

from __future__ import annotations

from typing import Any, Final

from blake3 import blake3

from bitcloud_net.core.files import caps, merkle, padding, placement
from bitcloud_net.core.files.caps import ReadCap, VerifyCap
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import Coder
from bitcloud_net.core.files.sealing import (
    FileKeys,
    open_segment,
    seal_box,
    seal_segment,
    segment_hash,
)
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.recovery import Role, role_secret, words_from_seed
from tests.vectors.common import FS, KEYS, Vector, flip, leaf, pattern


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
