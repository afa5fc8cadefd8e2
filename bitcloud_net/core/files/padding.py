"""Rounding sizes up, so that a stored size says little about the file.

Up to one segment: the next power of two, 4 KiB or more. Above: Padmé (Nikitin et al., "Reducing
Metadata Leakage from Encrypted Files and Communication with PURBs", 2019), which keeps about the
top ``log2 log2 size`` bits of a size and adds at most 12 %.
"""

from __future__ import annotations

from typing import Final

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.units import INLINE_BYTES, KIB, MAX_SEGMENTS, SEGMENT_BYTES

MIN_PADDED_BYTES: Final = 4 * KIB
"""Smallest padded size of a coded file: one memory page, and the largest inline file."""
MIN_INLINE_BYTES: Final = 512
"""Smallest padded size of an inline file. It lives in a row that every node of a grid keeps, so the
step is finer than for shares."""
MAX_FILE_BYTES: Final = MAX_SEGMENTS * SEGMENT_BYTES
"""Largest file: 16 TiB."""


def padded_size(size: int) -> int:
    """Return the number of bytes that a file of ``size`` bytes is padded to, with zeros, before
    sealing.

    It never falls when ``size`` grows, and padding twice changes nothing.

    Raises:
        BadInput: ``size`` is negative or above ``MAX_FILE_BYTES``.
    """
    if not 0 <= size <= MAX_FILE_BYTES:
        raise BadInput("a file has between 0 bytes and 16 TiB", code="file-too-large", size=size)
    if size <= SEGMENT_BYTES:
        return _power_of_two(max(size, MIN_PADDED_BYTES))
    exponent = size.bit_length() - 1
    free_bits = exponent - exponent.bit_length()
    mask = (1 << free_bits) - 1
    return (size + mask) & ~mask


def inline_padded_size(size: int) -> int:
    """Return the padded size in bytes of a file that lives inside its manifest.

    Raises:
        BadInput: ``size`` is negative or above ``INLINE_BYTES``.
    """
    if not 0 <= size <= INLINE_BYTES:
        raise BadInput(f"an inline file has at most {INLINE_BYTES} bytes", code="file-too-large")
    return _power_of_two(max(size, MIN_INLINE_BYTES))


def _power_of_two(size: int) -> int:
    return 1 << (size - 1).bit_length()
