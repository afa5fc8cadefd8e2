"""The book of labels: which unguessable text stands for which target, for as long as we run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from bitcloud_net.wire.http_host import SEED_BYTES, label_from


class LabelBook:
    """Labels of the ``limit`` targets that were used last; an older one is forgotten, never
    reused.

    A target (a path or a cap) is a secret and never becomes part of an address; its label does.
    ``random_bytes`` must be unpredictable. Not shared between threads.
    """

    def __init__(self, *, limit: int, random_bytes: Callable[[int], bytes]) -> None:
        self._limit = limit
        self._random_bytes = random_bytes
        self._labels: OrderedDict[str, str] = OrderedDict()
        self._targets: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._labels)

    def label_for(self, target: str) -> str:
        """Return the label of a target, a new one where it has none."""
        if target not in self._labels:
            label = label_from(self._random_bytes(SEED_BYTES))
            self._labels[target] = label
            self._targets[label] = target
            if len(self._labels) > self._limit:
                _, old = self._labels.popitem(last=False)
                del self._targets[old]
        self._labels.move_to_end(target)
        return self._labels[target]

    def target_of(self, label: str) -> str | None:
        """Return what a label stands for, or None; it counts as used now."""
        target = self._targets.get(label)
        if target is not None:
            self._labels.move_to_end(target)
        return target
