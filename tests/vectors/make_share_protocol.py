"""Makes ``share_protocol.json`` here: ``python -m tests.vectors.make_share_protocol``.

Each vector is one whole frame of ``/bitcloud/share/1``, from a client or from a storage node: what
it says, or the one reason why it is refused. All input is fixed, so two runs give the same file; a
test compares them. Bytes are hexadecimal.
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from bitcloud_net.core import encoding
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.trust.false_claims import BLOCK_KIND, BlockClaim
from bitcloud_net.core.units import MAX_FRAME_BYTES
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.frames import pack_frame
from tests.vectors.common import leaf, pattern

FILE: Final = Path(__file__).parent / "share_protocol.json"
KEY: Final = SigningKey(bytes(range(32)))
UPLOAD: Final = bytes(range(16))
CID: Final = leaf(1)
HEADER: Final = ShareHeader(
    share_no=3, params=CodeParams(3, 10), padded_size=8192, upload_id=UPLOAD
).pack()
BLOCK: Final = pattern(100)


def _block_signature(segment_no: int, block_path: tuple[bytes, ...]) -> bytes:
    claim = BlockClaim(
        cid=CID,
        share_no=3,
        segment_no=segment_no,
        block_root=leaf(5),
        block_path=block_path,
        period=3_000_000,
    )
    return KEY.sign(BLOCK_KIND, claim.encode())


REQUESTS: Final[dict[str, wire.Request]] = {
    "begin": wire.Begin(header=HEADER, salt=leaf(2)),
    "put-first-block": wire.PutBlock(
        upload_id=UPLOAD, share_no=3, segment_no=0, segment_hash=leaf(3), block=BLOCK
    ),
    "put-last-block-there-can-be": wire.PutBlock(
        upload_id=UPLOAD, share_no=127, segment_no=2**24 - 1, segment_hash=leaf(3), block=b"\0"
    ),
    "put-empty-block": wire.PutBlock(
        upload_id=UPLOAD, share_no=0, segment_no=0, segment_hash=leaf(3), block=b""
    ),
    "finish": wire.Finish(upload_id=UPLOAD, share_no=3, manifest=b"BCM the manifest"),
    "put-small-share": wire.PutShare(
        header=HEADER,
        segment_hashes=(leaf(3),),
        manifest_bytes=16,
        payload=b"BCM the manifest" + BLOCK,
    ),
    "put-share-of-most-segments": wire.PutShare(
        header=HEADER,
        segment_hashes=tuple(leaf(number) for number in range(64)),
        manifest_bytes=0,
        payload=b"",
    ),
    "get-block": wire.GetBlock(cid=CID, share_no=3, segment_no=7),
    "get-last-block-there-can-be": wire.GetBlock(cid=CID, share_no=127, segment_no=2**24 - 1),
    "find-one": wire.Find(cids=(CID,)),
    "find-none": wire.Find(cids=()),
    "find-most": wire.Find(cids=tuple(leaf(number) for number in range(256))),
    "get-manifest": wire.GetManifest(cid=CID),
    "abandon": wire.Abandon(upload_id=UPLOAD, share_no=3),
    "cancel": wire.Cancel(request=2**32 - 1),
}

ANSWERS: Final[dict[str, wire.Answer]] = {
    "begun-anew": wire.Begun(held=0),
    "begun-where-all-is-held": wire.Begun(held=2**24),
    "held": wire.Held(upload_id=UPLOAD, share_no=3, held=8),
    "stored": wire.Stored(
        receipt=StorageReceipt.build(
            KEY, cid=CID, share_no=3, share_root=leaf(4), share_bytes=100, period=3_000_000
        ).encode()
    ),
    "block-of-one-segment": wire.Block(
        block_path=(),
        segment_path=(),
        signature=_block_signature(0, ()),
        block=BLOCK,
    ),
    "block-with-the-longest-paths": wire.Block(
        block_path=tuple(leaf(number) for number in range(24)),
        segment_path=tuple(leaf(number) for number in range(24, 48)),
        signature=_block_signature(7, tuple(leaf(number) for number in range(24))),
        block=BLOCK,
    ),
    "found": wire.Found(shares=((3,), (), (0, 5, 9, 127))),
    "found-nothing": wire.Found(shares=()),
    "manifest": wire.ManifestIs(manifest=b"BCM the manifest"),
    "manifest-unknown": wire.ManifestIs(manifest=b""),
    "refused": wire.RefusedIs(error_code="no-space", text="this node is full"),
    "refused-without-words": wire.RefusedIs(error_code="busy", text=""),
}


def frame(kind: int, head: object, payload: bytes = b"", request: int = 1) -> bytes:
    """Return a whole frame; ``head`` is encoded unless it is bytes already."""
    raw = head if isinstance(head, bytes) else encoding.encode(head)  # type: ignore[arg-type]
    return pack_frame(request, kind, raw, len(payload)) + payload


def _raw(length: int, kind: int, head_bytes: int, rest: bytes) -> bytes:
    return struct.pack(">IIBH", length, 1, kind, head_bytes) + rest


def _paths(block: int, segment: int) -> list[object]:
    return [[leaf(0)] * block, [leaf(0)] * segment, bytes(64)]


# Name of the one reason, and a frame that is right but for it.
REFUSED_REQUESTS: Final[dict[str, bytes]] = {
    "unknown-type": frame(10, []),
    "type-of-an-answer": frame(wire.Begun.TYPE, [0]),
    "head-is-empty": frame(wire.Find.TYPE, b""),
    "head-is-no-cbor": frame(wire.Find.TYPE, b"\xff"),
    "head-is-no-list": frame(wire.Cancel.TYPE, 1),
    "head-is-a-map": frame(wire.Cancel.TYPE, {"request": 1}),
    "head-not-canonical": frame(wire.Cancel.TYPE, b"\x81\x18\x01"),
    "head-of-indefinite-length": frame(wire.Cancel.TYPE, b"\x9f\x01\xff"),
    "head-with-a-tag": frame(wire.Cancel.TYPE, b"\x81\xc2\x41\x01"),
    "head-with-a-float": frame(wire.Cancel.TYPE, b"\x81\xf9\x3c\x00"),
    "bytes-after-the-head": frame(wire.Cancel.TYPE, b"\x81\x01\x00"),
    "too-few-values": frame(wire.GetBlock.TYPE, [CID, 3]),
    "too-many-values": frame(wire.GetManifest.TYPE, [CID, 0]),
    "payload-where-none-belongs": frame(wire.GetBlock.TYPE, [CID, 3, 0], b"x"),
    "number-as-text": frame(wire.GetBlock.TYPE, [CID, "3", 0]),
    "number-as-bool": frame(wire.GetBlock.TYPE, [CID, True, 0]),
    "number-below-zero": frame(wire.GetBlock.TYPE, [CID, -1, 0]),
    "share-number-128": frame(wire.GetBlock.TYPE, [CID, 128, 0]),
    "segment-number-2^24": frame(wire.GetBlock.TYPE, [CID, 3, 2**24]),
    "cid-of-31-bytes": frame(wire.GetManifest.TYPE, [CID[:31]]),
    "cid-as-text": frame(wire.GetManifest.TYPE, ["0" * 32]),
    "header-of-63-bytes": frame(wire.Begin.TYPE, [HEADER[:63], leaf(2)]),
    "upload-id-of-17-bytes": frame(wire.Abandon.TYPE, [UPLOAD + b"\0", 3]),
    "find-of-257": frame(wire.Find.TYPE, [[leaf(0)] * 257]),
    "find-of-no-list": frame(wire.Find.TYPE, [CID]),
    "find-with-a-short-cid": frame(wire.Find.TYPE, [[CID, CID[:31]]]),
    "65-segments-in-a-small-share": frame(wire.PutShare.TYPE, [HEADER, [leaf(0)] * 65, 0]),
    "manifest-longer-than-the-payload": frame(wire.PutShare.TYPE, [HEADER, [leaf(0)], 4], b"BCM"),
    "request-number-2^32": frame(wire.Cancel.TYPE, [2**32]),
    "frame-too-short-for-its-prefix": _raw(6, wire.Cancel.TYPE, 0, b""),
    "frame-longer-than-allowed": _raw(MAX_FRAME_BYTES + 64 * 1024 + 1, wire.PutBlock.TYPE, 0, b""),
    "head-longer-than-the-frame": _raw(7 + 2, wire.Cancel.TYPE, 3, b"\x81\x01"),
}

REFUSED_ANSWERS: Final[dict[str, bytes]] = {
    "unknown-type": frame(70, []),
    "type-of-a-request": frame(wire.Cancel.TYPE, [1]),
    "payload-where-none-belongs": frame(wire.Begun.TYPE, [0], b"x"),
    "more-held-than-there-can-be": frame(wire.Begun.TYPE, [2**24 + 1]),
    "held-without-its-upload": frame(wire.Held.TYPE, [8]),
    "block-path-of-25": frame(wire.Block.TYPE, _paths(25, 0), BLOCK),
    "segment-path-of-25": frame(wire.Block.TYPE, _paths(0, 25), BLOCK),
    "signature-of-63-bytes": frame(wire.Block.TYPE, [[], [], bytes(63)], BLOCK),
    "five-shares-of-one-file": frame(wire.Found.TYPE, [[[0, 1, 2, 3, 4]]]),
    "share-number-128": frame(wire.Found.TYPE, [[[128]]]),
    "answer-about-257-files": frame(wire.Found.TYPE, [[[]] * 257]),
    "a-number-in-place-of-a-list": frame(wire.Found.TYPE, [[3]]),
    "code-with-a-capital": frame(wire.RefusedIs.TYPE, ["No-Space", ""]),
    "code-empty": frame(wire.RefusedIs.TYPE, ["", "no"]),
    "code-of-41-letters": frame(wire.RefusedIs.TYPE, ["a" * 41, "no"]),
    "text-of-201-letters": frame(wire.RefusedIs.TYPE, ["busy", "x" * 201]),
    "text-not-in-nfc": frame(wire.RefusedIs.TYPE, b"\x82\x64busy\x63e\xcc\x81"),
}


def message_as_json(message: wire.Request | wire.Answer) -> dict[str, Any]:
    """Return a message's fields; bytes in hexadecimal."""
    return {"is": type(message).__name__} | {
        field.name: _as_json(getattr(message, field.name)) for field in fields(message)
    }


def _as_json(value: object) -> object:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    return value


def text_of() -> str:
    """Return the text of the vector file."""
    accept = [
        {"name": name, "from": sender, "request": request, "message": message_as_json(message)}
        | {"frame": _whole(message, request).hex()}
        for sender, messages in (("client", REQUESTS), ("node", ANSWERS))
        for request, (name, message) in enumerate(messages.items(), start=1)
    ]
    reject = [
        {"from": sender, "reason": reason, "frame": raw.hex()}
        for sender, frames in (("client", REFUSED_REQUESTS), ("node", REFUSED_ANSWERS))
        for reason, raw in frames.items()
    ]
    about = "Frames of /bitcloud/share/1; see bitcloud_net/wire/share.md."
    made = {"format": 1, "about": about, "accept": accept, "reject": reject}
    return json.dumps(made, indent=1, ensure_ascii=True) + "\n"


def _whole(message: wire.Request | wire.Answer, request: int) -> bytes:
    kind, head, payload = wire.pack(message)
    return frame(kind, head, bytes(payload), request)


if __name__ == "__main__":
    FILE.write_text(text_of(), encoding="utf-8")
