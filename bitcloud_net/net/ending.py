"""When a stream is over: both directions have ended, or it was reset."""

from __future__ import annotations

from collections.abc import Callable


class Ending:
    """Calls back once, when nothing more can happen on a stream."""

    __slots__ = ("_on_end", "_open")

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._open = {"reading", "writing"}

    def reading(self) -> None:
        """Nothing more will be received."""
        self._end("reading")

    def writing(self) -> None:
        """Nothing more will be sent."""
        self._end("writing")

    def both(self) -> None:
        """The stream was reset."""
        self._end("reading", "writing")

    def _end(self, *directions: str) -> None:
        if self._open:
            self._open.difference_update(directions)
            if not self._open:
                self._on_end()
