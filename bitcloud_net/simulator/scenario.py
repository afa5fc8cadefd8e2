"""What is simulated, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass

STEP_S = 37.5
"""Time between two sessions that one node starts: 16 in a period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run. Shares are between 0 and 1; steps are 37.5 s of virtual time."""

    nodes: int = 1_000
    rows: int = 1_000  # that everybody holds at first
    fresh: int = 10  # that appear at random nodes at the start
    off: float = 0.0  # share of the nodes that switches off right after that
    liars: float = 0.0  # share of the nodes that keep fresh rows to themselves
    split_steps: int = 0  # so long the network is in two halves, each with its own fresh rows
    push: bool = False
    steps: int = 48  # at most
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How things stood after one step."""

    seconds: float
    complete: float  # share of the live, honest nodes that hold all fresh rows
    spread: float  # share of all (live, honest node, fresh row) pairs that are there
    sync_bytes: int  # per live node, since the start: comparing
    row_bytes: int  # per live node, since the start: moving rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run's result."""

    scenario: Scenario
    steps: tuple[Step, ...]
    sessions: int
    longest: int  # round trips of the longest session
    cpu_ms_per_node: float

    def seconds_to(self, share: float) -> float | None:
        """Return when so large a share of the nodes held all fresh rows; None: never."""
        return next((step.seconds for step in self.steps if step.complete >= share), None)

    def seconds_to_spread(self, share: float) -> float | None:
        """Return when the average fresh row was at so large a share of the nodes; None: never."""
        return next((step.seconds for step in self.steps if step.spread >= share), None)

    def steps_to(self, share: float) -> int | None:
        """Return the same in steps of pulling."""
        return next((at for at, step in enumerate(self.steps) if step.complete >= share), None)
