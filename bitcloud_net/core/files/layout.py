"""Where the bytes of a coded file are: the sizes that follow from padded size and code."""

from __future__ import annotations

from dataclasses import dataclass

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.padding import padded_size
from bitcloud_net.core.files.sealing import SEAL_BYTES
from bitcloud_net.core.units import SEGMENT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Sizes and places of one coded file, in bytes. ``padded_size`` is one that padding gives."""

    padded_size: int
    params: CodeParams

    def __post_init__(self) -> None:
        try:
            legal = padded_size(self.padded_size) == self.padded_size
        except BadInput:
            legal = False
        if not legal:
            raise Malformed(f"{self.padded_size} is not a padded size")

    @classmethod
    def for_file(cls, size: int, params: CodeParams) -> Layout:
        """Return the layout of a file of ``size`` bytes.

        Raises:
            BadInput: ``size`` is negative or too large.
        """
        return cls(padded_size=padded_size(size), params=params)

    @property
    def segment_count(self) -> int:
        """How many segments, and so how many blocks in each share."""
        return -(-self.padded_size // SEGMENT_BYTES)

    @property
    def share_bytes(self) -> int:
        """All blocks of one share together, without header and trailer."""
        return self.block_start(self.segment_count - 1) + self.block_bytes(self.segment_count - 1)

    def is_last(self, index: int) -> bool:
        """Whether no segment follows ``index``."""
        return index == self.segment_count - 1

    def plain_bytes(self, index: int) -> int:
        """Return the bytes of segment ``index`` before sealing, padding included.

        Raises:
            Malformed: there is no such segment.
        """
        if not 0 <= index < self.segment_count:
            raise Malformed(f"there is no segment {index}", code="no-such-segment")
        return min(SEGMENT_BYTES, self.padded_size - index * SEGMENT_BYTES)

    def sealed_bytes(self, index: int) -> int:
        """Return the bytes of sealed segment ``index``."""
        return self.plain_bytes(index) + SEAL_BYTES

    def block_bytes(self, index: int) -> int:
        """Return the bytes of each block of segment ``index``."""
        return self.params.block_bytes(self.sealed_bytes(index))

    def block_start(self, index: int) -> int:
        """Return where block ``index`` starts among the blocks of a share."""
        if not 0 <= index < self.segment_count:
            raise Malformed(f"there is no segment {index}", code="no-such-segment")
        return index * self.params.block_bytes(SEGMENT_BYTES + SEAL_BYTES)
