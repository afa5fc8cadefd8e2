"""Hash trees: one shape for blocks, shares and whole files.

Leaves are 32-byte hashes. Two neighbours are hashed to their parent; an odd one at the end is
promoted unchanged, never doubled (doubling lets two lists of leaves have one root, a forgery known
from Bitcoin). The number of leaves is always known from elsewhere, and is part of every check.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from blake3 import blake3

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.xchacha import Buffer
from bitcloud_net.core.keys import derive
from bitcloud_net.core.units import HASH_BYTES, LEAF_BYTES

EMPTY_ROOT: Final = blake3(b"", derive_key_context="bitcloud v1 empty tree").digest()
"""Root of a tree without leaves."""

_NODE: Final = blake3(
    derive_key_context="bitcloud v1 node"
)  # never updated itself, only its copies


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the Merkle root of ``hashes`` (32 bytes each), ``EMPTY_ROOT`` for none."""
    if not hashes:
        return EMPTY_ROOT
    level = hashes
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


class Tree:
    """A hash tree that is built once and gives many paths."""

    __slots__ = ("_levels",)

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self._levels = [list(hashes)]
        while len(self._levels[-1]) > 1:
            self._levels.append(_level_above(self._levels[-1]))

    @property
    def root(self) -> bytes:
        """The Merkle root."""
        return self._levels[-1][0] if self._levels[0] else EMPTY_ROOT

    def path(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings of leaf ``index`` from the bottom up; a promoted node has none.

        Raises:
            IndexError: there is no such leaf.
        """
        if not 0 <= index < len(self._levels[0]):
            raise IndexError(f"leaf {index} of {len(self._levels[0])}")
        siblings = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                siblings.append(level[index ^ 1])
            index >>= 1
        return tuple(siblings)


def check_path(leaf: bytes, index: int, count: int, path: Sequence[bytes], root: bytes) -> None:
    """Return when ``leaf`` is number ``index`` of the ``count`` leaves under ``root``.

    Raises:
        Malformed: ``bad-proof``: it is not, or the path is too long, too short or oddly shaped.
    """
    if len(root) != HASH_BYTES or root_of_path(leaf, index, count, path) != root:
        raise Malformed("Merkle path does not lead to the root", code="bad-proof")


def root_of_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a path leads to from number ``index`` of ``count`` leaves.

    Raises:
        Malformed: ``bad-proof``: the path is too long, too short or oddly shaped.
    """
    if not 0 <= index < count or any(len(item) != HASH_BYTES for item in (leaf, *path)):
        raise Malformed("Merkle path out of range", code="bad-proof")
    siblings = iter(path)
    node = leaf
    while count > 1:
        if index ^ 1 < count:
            sibling = next(siblings, None)
            if sibling is None:
                raise Malformed("Merkle path is too short", code="bad-proof")
            node = _parent(sibling, node) if index & 1 else _parent(node, sibling)
        index >>= 1
        count = (count + 1) >> 1
    if next(siblings, None) is not None:
        raise Malformed("Merkle path is too long", code="bad-proof")
    return node


def hash_leaves(salt: bytes, share_no: int, segment_no: int, block: Buffer) -> list[bytes]:
    """Return the leaf hashes of one block: 16 KiB each, the last one shorter.

    The key binds them to the file (salt), the share and the segment.
    """
    key = _leaf_key(salt, share_no, segment_no)
    view = memoryview(block)
    return [
        blake3(view[at : at + LEAF_BYTES], key=key).digest()
        for at in range(0, len(view), LEAF_BYTES)
    ]


def block_root(salt: bytes, share_no: int, segment_no: int, block: Buffer) -> bytes:
    """Return the Merkle root of one block's leaves. The hot path: about 220 leaves for each MiB
    sent.
    """
    return root(hash_leaves(salt, share_no, segment_no, block))


def leaf_path(
    salt: bytes, share_no: int, segment_no: int, block: Buffer, leaf_no: int
) -> tuple[bytes, ...]:
    """Return the path of one leaf to its block's root: the answer to an audit, with the leaf
    itself.
    """
    return Tree(hash_leaves(salt, share_no, segment_no, block)).path(leaf_no)


def check_leaf(
    salt: bytes,
    share_no: int,
    segment_no: int,
    leaf_no: int,
    *,
    leaf: Buffer,
    block_bytes: int,
    path: Sequence[bytes],
    root: bytes,
) -> None:
    """Return when ``leaf`` is what belongs at ``leaf_no`` of the block with this ``root``.

    Raises:
        Malformed: ``bad-proof``: other bytes, another place, or a wrong path.
    """
    count = leaf_count(block_bytes)
    expected = min(LEAF_BYTES, block_bytes - leaf_no * LEAF_BYTES)
    if not 0 <= leaf_no < count or len(leaf) != expected:
        raise Malformed("leaf of a wrong number or length", code="bad-proof")
    check_path(leaf_hash(salt, share_no, segment_no, leaf), leaf_no, count, path, root)


def leaf_hash(salt: bytes, share_no: int, segment_no: int, leaf: Buffer) -> bytes:
    """Return the hash of one leaf, bound to file, share and segment like all of its block's."""
    return blake3(leaf, key=_leaf_key(salt, share_no, segment_no)).digest()


def leaf_count(block_bytes: int) -> int:
    """Return how many leaves a block of ``block_bytes`` bytes has."""
    return -(-block_bytes // LEAF_BYTES)


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    even = len(level) & ~1
    above = [_parent(level[at], level[at + 1]) for at in range(0, even, 2)]
    if even < len(level):
        above.append(level[even])
    return above


def _parent(left: bytes, right: bytes) -> bytes:
    return _NODE.copy().update(left + right).digest()


def _leaf_key(salt: bytes, share_no: int, segment_no: int) -> bytes:
    return derive(salt, "leaf", bytes([share_no]) + segment_no.to_bytes(8, "big"))
