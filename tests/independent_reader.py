"""Reads a stored file from raw share files: written from ``bitcloud_net/core/README.md`` alone.

It shares no code with Bitcloud, so that the specification is known to be complete and both programs
are known to follow it. Usage: ``python independent_reader.py CAP DIRECTORY… > FILE``; every file
named ``*.share`` in the directories is looked at. Exit code 1: the file cannot be read.
"""

from __future__ import annotations

import base64
import struct
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
import zfec
from blake3 import blake3
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as xchacha_open
from nacl.exceptions import CryptoError

SEGMENT, LEAF, SEAL = 1_048_576, 16_384, 40


class Bad(Exception):
    """Bytes that the specification refuses. Its text is the reason."""


def need(condition: object, reason: str) -> None:
    if not condition:
        raise Bad(reason)


def H(label: str, data: bytes) -> bytes:  # noqa: N802 - the specification's name
    return blake3(data, derive_key_context="bitcloud v1 " + label).digest()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def cbor(data: bytes) -> Any:
    """Decode canonical CBOR and refuse every other encoding of the same value."""
    try:
        value = cbor2.loads(data)
    except Exception as error:
        raise Bad("not CBOR") from error
    plain(value, 16)
    need(cbor2.dumps(value, canonical=True) == data, "not canonical CBOR")
    return value


def plain(value: Any, depth: int) -> None:
    need(depth >= 0, "nested too deeply")
    if isinstance(value, dict):
        need(all(isinstance(key, str) for key in value), "map key is not text")
    elif not isinstance(value, (list, tuple)):
        simple = value is None or isinstance(value, (bool, int, bytes, str))
        need(simple and (not isinstance(value, int) or -(2**63) <= value < 2**63), "type")
        need(not isinstance(value, str) or unicodedata.is_normalized("NFC", value), "NFC")
        return
    for item in [*value, *value.values()] if isinstance(value, dict) else value:
        plain(item, depth - 1)


class Keys:
    def __init__(self, fs: bytes) -> None:
        self.ck, self.hk, self.kc = (H(label, fs) for label in ("content", "header", "commit"))
        self.nk, self.salt = H("nonce", fs), H("salt", fs)
        self.upload_id = H("upload", fs)[:16]


def padded(size: int, least: int = 4096) -> int:
    need(0 <= size <= SEGMENT << 24, "size out of range")
    if size <= SEGMENT:
        return max(least, 1 << max(size - 1, 0).bit_length())
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    need(len(sealed) >= SEAL, "sealed bytes are too short")
    try:
        return xchacha_open(sealed[24:], aad, sealed[:24], key)
    except CryptoError as error:
        raise Bad("does not open") from error


def open_segment(ck: bytes, sealed: bytes, i: int, last: bool, k: int, n: int) -> bytes:
    head = b"BCSG" + bytes([1, 1, k, n]) + SEGMENT.to_bytes(4, "big")
    return unseal(ck, sealed, head + u64(i) + bytes([last]))


def open_box(key: bytes, box: bytes, label: str) -> bytes:
    mark = bytes([len(label)]) + label.encode()
    return unseal(H("box seal", key), box, b"BCBX\x01\x01" + mark)


def segment_hash(salt: bytes, i: int, sealed: bytes) -> bytes:
    return H("segment", salt + u64(i) + sealed)


def decode(k: int, n: int, blocks: dict[int, bytes], sealed_bytes: int) -> bytes:
    size = -(-sealed_bytes // k)
    need(len(blocks) >= k, "too few blocks")
    need(all(0 <= number < n for number in blocks), "block number out of range")
    need(all(len(block) == size for block in blocks.values()), "block of a wrong length")
    chosen = sorted(blocks)[:k]
    parity = [number for number in chosen if number >= k]
    order = [place if place in chosen else parity.pop() for place in range(k)]
    whole = b"".join(zfec.Decoder(k, n).decode([blocks[number] for number in order], order))
    need(not any(whole[sealed_bytes:]), "filling is not zero")
    return whole[:sealed_bytes]


def root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return H("empty tree", b"")
    while len(hashes) > 1:
        pairs = zip(hashes[0::2], hashes[1::2], strict=False)
        hashes = [H("node", left + right) for left, right in pairs] + hashes[len(hashes) & ~1 :]
    return hashes[0]


def block_root(salt: bytes, share: int, segment: int, block: bytes) -> bytes:
    key = H("leaf", salt + bytes([share]) + u64(segment))
    return root(
        [blake3(block[at : at + LEAF], key=key).digest() for at in range(0, len(block), LEAF)]
    )


@dataclass(frozen=True)
class Manifest:
    salt: bytes
    kc: bytes
    header: bytes
    content: bytes  # sealed; inline files only
    k: int = 0  # 0 for inline files
    n: int = 0
    padded_size: int = 0
    ciphertext_root: bytes = b""
    share_roots: tuple[bytes, ...] = ()

    @property
    def segments(self) -> int:
        return -(-self.padded_size // SEGMENT)

    def sealed_bytes(self, i: int) -> int:
        return min(SEGMENT, self.padded_size - i * SEGMENT) + SEAL

    def block_at(self, i: int) -> tuple[int, int]:
        return 64 + i * -(-(SEGMENT + SEAL) // self.k), -(-self.sealed_bytes(i) // self.k)


def parse_manifest(data: bytes) -> Manifest:
    need(len(data) <= 8192 and data[:4] == b"BCMF", "not a manifest")
    value = cbor(data[4:])
    need(isinstance(value, (list, tuple)) and value[:2] == [1, 1], "unknown version")
    types = [type(item) for item in value[2:]]
    if types == [int] + [bytes] * 4 and value[2] == 1:
        manifest = Manifest(*value[3:7])
        size = len(manifest.content) - SEAL
        need(0 < size <= 4096 and padded(size, 512) == size, "inline content of a wrong size")
    else:
        need(types == [int] * 4 + [bytes, list] + [bytes] * 3 and value[2] == 0, "fields")
        k, n, size, top, roots, salt, kc, header = value[3:]
        need(1 <= k <= n <= 128, "k or n out of range")
        need(size > 0 and padded(size) == size, "not a padded size")
        need([type(item) for item in roots] == [bytes] * n, "wrong number of share roots")
        need(all(len(item) == 32 for item in [top, *roots]), "root of a wrong length")
        manifest = Manifest(salt, kc, header, b"", k, n, size, top, tuple(roots))
    need(len(manifest.salt) == 32 and len(manifest.kc) == 32, "salt or commitment")
    need(SEAL < len(manifest.header) <= 512, "sealed header of a wrong size")
    return manifest


def open_header(manifest: Manifest, keys: Keys) -> dict[str, Any]:
    need(manifest.kc == keys.kc and manifest.salt == keys.salt, "another secret")
    header = cbor(open_box(keys.hk, manifest.header, "header"))
    need(isinstance(header, dict) and set(header) | {"type"} == {"hash", "size", "type"}, "fields")
    need(type(header["size"]) is int and header["size"] >= 0, "header size")
    need(isinstance(header["hash"], bytes) and len(header["hash"]) == 32, "header hash")
    if "type" in header:
        kind = header["type"]
        need(isinstance(kind, str) and 1 <= len(kind) <= 127, "media type")
        need(kind.isascii() and kind.isprintable(), "media type")
    if manifest.k:
        need(padded(header["size"]) == manifest.padded_size, "size does not fit")
    else:
        need(padded(header["size"], 512) == len(manifest.content) - SEAL, "size does not fit")
    return dict(header)


def parse_cap(text: str) -> tuple[str, bytes, bytes]:
    """Return kind, content id and secret (empty in a verify cap)."""
    parts = text.split(":")
    need(len(text) <= 200 and text.isascii() and len(parts) == 5, "not a cap")
    need(parts[:2] == ["bitcloud", "1"], "not a cap")
    head = text.rpartition(":")[0]
    check = base64.b32encode(H("cap", head.encode())).decode().lower()[:4]
    need(check == parts[4], "checksum")
    try:
        body = base64.b32decode(parts[3].upper() + "=" * (-len(parts[3]) % 8))
    except ValueError as error:
        raise Bad("not base32") from error
    need(base64.b32encode(body).decode().lower().rstrip("=") == parts[3], "another spelling")
    need((parts[2], len(body)) in (("fv", 32), ("fr", 64)), "kind or length")
    return parts[2], body[:32], body[32:]


@dataclass(frozen=True)
class Share:
    number: int
    data: bytes
    block_roots: list[bytes]
    segment_hashes: list[bytes]
    manifest: bytes


def parse_share(data: bytes) -> Share:
    need(len(data) > 112, "too short")
    magic, version, suite, number, k, n, zero, size, _, check = struct.unpack(
        ">4sBBBBB7sQ16s24s", data[:64]
    )
    need((magic, version, suite, zero) == (b"BCSH", 1, 1, bytes(7)), "not a share")
    need(check == H("share header", data[:40])[:24], "header is damaged")
    magic, version, zero, count, length, digest = struct.unpack(">4sB3sII32s", data[-48:])
    need((magic, version, zero) == (b"BCST", 1, bytes(3)), "no footer")
    start = len(data) - 48 - length - 64 * count
    need(1 <= length <= 8192 and count >= 1 and start >= 64, "trailer lengths")
    need(digest == H("share trailer", data[start:-32]), "trailer is damaged")
    hashes = [data[at : at + 32] for at in range(start, start + 64 * count, 32)]
    raw = data[start + 64 * count : -48]
    manifest = parse_manifest(raw)
    need((manifest.k, manifest.n, manifest.padded_size) == (k, n, size), "header differs")
    need(number < n and manifest.segments == count, "header differs")
    need(root(hashes[:count]) == manifest.share_roots[number], "block roots")
    need(root(hashes[count:]) == manifest.ciphertext_root, "segment hashes")
    need(start == sum(manifest.block_at(count - 1)), "length of the blocks")
    return Share(number, data, hashes[:count], hashes[count:], raw)


def read_inline(manifest: Manifest, keys: Keys) -> bytes:
    header = open_header(manifest, keys)
    return finish(open_box(keys.ck, manifest.content, "inline"), header)


def read_file(cap: str, shares: list[Share]) -> bytes:
    _, cid, fs = parse_cap(cap)
    need(fs, "a verify cap cannot read")
    keys = Keys(fs)
    mine = {share.number: share for share in shares if H("manifest", share.manifest) == cid}
    need(mine, "no share of this file")
    manifest = parse_manifest(next(iter(mine.values())).manifest)
    header = open_header(manifest, keys)
    parts = [read_segment(manifest, keys, i, mine) for i in range(manifest.segments)]
    return finish(b"".join(parts), header)


def read_segment(manifest: Manifest, keys: Keys, i: int, shares: dict[int, Share]) -> bytes:
    start, size = manifest.block_at(i)
    blocks: dict[int, bytes] = {}
    for number, share in sorted(shares.items()):
        block = share.data[start : start + size]
        if block_root(keys.salt, number, i, block) == share.block_roots[i]:
            blocks[number] = block
    sealed = decode(manifest.k, manifest.n, blocks, manifest.sealed_bytes(i))
    expected = next(iter(shares.values())).segment_hashes[i]
    need(segment_hash(keys.salt, i, sealed) == expected, "shares are inconsistent")
    last = i == manifest.segments - 1
    return open_segment(keys.ck, sealed, i, last, manifest.k, manifest.n)


def finish(content: bytes, header: dict[str, Any]) -> bytes:
    need(not any(content[header["size"] :]), "padding is not zero")
    content = content[: header["size"]]
    need(blake3(content).digest() == header["hash"], "content hash")
    return content


def main(cap: str, *directories: str) -> int:
    shares = []
    for path in sorted(p for d in directories for p in Path(d).rglob("*.share")):
        try:
            shares.append(parse_share(path.read_bytes()))
        except Bad as reason:
            sys.stderr.write(f"{path}: {reason}\n")
    try:
        sys.stdout.buffer.write(read_file(cap, shares))
    except Bad as reason:
        sys.stderr.write(f"cannot be read: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
