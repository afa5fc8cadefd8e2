"""Sizes, periods and protocol limits, each with its reason."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

SEGMENT_BYTES = MIB
"""A file is sealed and coded in segments of this many plain bytes; the last one may be shorter."""

LEAF_BYTES = 16 * KIB
"""A block is hashed in leaves of this size, so that an audit moves one leaf and its path, not a
block.
"""

INLINE_BYTES = 4 * KIB
"""Files up to this size live sealed inside their manifest, and so inside a row: no shares at
all.
"""

MAX_SHARES = 128
"""Largest n. Beyond it neither cost nor survival improves enough to pay for the wider code."""

HASH_BYTES = 32
"""BLAKE3's standard output: ids, roots and keys."""

MAX_SEGMENTS = 1 << 24
"""16 TiB in one file; keeps every count inside four bytes and every Merkle path under 25 hashes."""

PERIOD_S = 600
"""The nodepool's unit of time in seconds."""

MAX_ROW_BYTES = 16 * KIB
"""Largest row on the wire. Larger things are files, and the row holds their root hash."""

MAX_FRAME_BYTES = MIB + 128 * KIB
"""Largest frame body: one block of a 1-of-n code (1 MiB + 40 bytes) with its head and proofs."""
