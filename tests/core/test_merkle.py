"""Hash trees: every leaf has a path, and no other leaf has that path."""

from __future__ import annotations

import random
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import merkle
from bitcloud_net.core.units import LEAF_BYTES
from tests.core.properties import hashes, quick

SALT = bytes(range(32))


@quick
@given(st.lists(hashes, min_size=1, max_size=70), st.data())
def test_path_of_a_leaf_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    tree = merkle.Tree(leaves)
    assert tree.root == merkle.root(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = tree.path(index)
    merkle.check_path(leaves[index], index, len(leaves), path, tree.root)
    with pytest.raises(Malformed):
        merkle.check_path(blake3(leaves[index]).digest(), index, len(leaves), path, tree.root)


@quick
@given(hashes, st.integers(-3, 40), st.integers(-3, 40), st.lists(st.binary(max_size=33)), hashes)
def test_random_paths_are_refused_and_nothing_else(
    leaf: bytes, index: int, count: int, path: list[bytes], root: bytes
) -> None:
    if leaf == root and count == 1:
        return
    with pytest.raises(Malformed) as caught:
        merkle.check_path(leaf, index, count, path, root)
    assert caught.value.code == "bad-proof"


def test_trees_of_different_sizes_never_share_a_root() -> None:
    """Promotion instead of doubling: no list of leaves can pass for a longer one."""
    leaf = blake3(b"leaf").digest()
    roots = [merkle.root([leaf] * count) for count in range(200)]
    assert len(set(roots)) == 200


def test_every_leaf_of_a_block_can_be_audited() -> None:
    block = random.Random(1).randbytes(5 * LEAF_BYTES + 77)
    root = merkle.block_root(SALT, 3, 8, block)
    assert merkle.leaf_count(len(block)) == 6
    for number in range(6):
        leaf = block[number * LEAF_BYTES : (number + 1) * LEAF_BYTES]
        path = merkle.leaf_path(SALT, 3, 8, block, number)
        answer: dict[str, Any] = {
            "leaf": leaf,
            "block_bytes": len(block),
            "path": path,
            "root": root,
        }
        merkle.check_leaf(SALT, 3, 8, number, **answer)
        for share, segment, place in (
            (4, 8, number),
            (3, 9, number),
            (3, 8, number ^ 1),
            (3, 8, 6),
        ):
            with pytest.raises(Malformed):
                merkle.check_leaf(SALT, share, segment, place, **answer)
        with pytest.raises(Malformed):
            merkle.check_leaf(SALT, 3, 8, number, **(answer | {"leaf": leaf[:-1]}))
        with pytest.raises(Malformed):
            merkle.check_leaf(bytes(32), 3, 8, number, **answer)


def test_audit_answer_is_at_most_20_kib() -> None:
    block = bytes(1 << 20)  # the largest block: 1 of n
    path = merkle.leaf_path(SALT, 0, 0, block, 37)
    assert LEAF_BYTES + 32 * len(path) <= 20 * 1024


@pytest.mark.parametrize("index", [-1, 3])
def test_no_such_leaf(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.Tree([bytes(32)] * 3).path(index)


def test_empty_block_and_empty_tree() -> None:
    assert merkle.block_root(SALT, 0, 0, b"") == merkle.root([]) == merkle.Tree([]).root
