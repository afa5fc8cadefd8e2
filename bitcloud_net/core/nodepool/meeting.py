"""Two nodes that compare rows: what each of them has shown, by which their views are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitcloud_net.core.keys import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One session as one side of it sees it. Both sides come to the same cut: what is theirs to
    one is ours to the other.
    """

    peer: NodeId
    period: int  # of the slower clock; what has expired by then is left out
    ours: frozenset[bytes]  # keys that this side has shown, its node's among them
    theirs: frozenset[bytes]  # keys that the other side has shown, ``peer`` among them
    depths: Mapping[int, int]  # the sets that are compared, and how deep the other side cuts each
