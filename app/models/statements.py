"""Statements to begin with, and those that were run before. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_KEPT = 50
MAX_KEPT_CHARACTERS = 4096
"""Longer statements are run but not remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question in words, and the same in SQL."""

    question: str
    statement: str


EXAMPLES = (
    Example(
        question="Who takes part?",
        statement=(
            "SELECT nickname, datetime(period * 600, 'unixepoch') AS signed, key\n"
            "FROM user\nORDER BY period DESC"
        ),
    ),
    Example(
        question="Who lends space?",
        statement=(
            "SELECT name, round(capacity / 1e9, 1) AS gigabytes,\n"
            "       round(100.0 * used / capacity, 1) AS percent_used, addresses\n"
            "FROM node\nWHERE capacity > 0\nORDER BY capacity DESC"
        ),
    ),
    Example(
        question="Who published most?",
        statement=(
            "SELECT user.nickname, count(*) AS files\n"
            "FROM file JOIN user ON user.key = file.owner\n"
            "GROUP BY user.key\nORDER BY files DESC"
        ),
    ),
    Example(
        question="What is new this hour?",
        statement=(
            'SELECT tbl AS "table", count(*) AS rows, sum(length(raw)) AS bytes\n'
            "FROM np_row\nWHERE period > now_period() - 6\nGROUP BY tbl"
        ),
    ),
    Example(
        question="What went wrong?",
        statement=(
            "SELECT node.name, fault.reason, count(*) AS auditors\n"
            "FROM fault LEFT JOIN node ON node.key = fault.target\n"
            "GROUP BY fault.target, fault.reason\nORDER BY auditors DESC"
        ),
    ),
    Example(
        question="Which applications run?",
        statement=(
            "SELECT json_extract(definition, '$.name') AS application, count(*) AS people\n"
            "FROM app\nGROUP BY id\nORDER BY people DESC"
        ),
    ),
)


class StatementHistory:
    """The last statements, newest first, without repetition; ``older`` and ``newer`` walk it."""

    def __init__(self, statements: Iterable[str] = ()) -> None:
        self._statements = [text for text in statements if _is_kept(text)][:MAX_KEPT]
        self._at = -1
        self._draft = ""

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements, newest first."""
        return tuple(self._statements)

    def add(self, statement: str) -> None:
        """Remember a statement that was run."""
        text = statement.strip()
        self._at = -1
        if _is_kept(text):
            others = [known for known in self._statements if known != text]
            self._statements = [text, *others][:MAX_KEPT]

    def clear(self) -> None:
        """Forget all."""
        self._statements, self._at = [], -1

    def older(self, shown: str) -> str | None:
        """Return the statement before the one shown, or None; a draft is kept for the way back."""
        at = self._at + 1
        if at < len(self._statements) and self._statements[at] == shown.strip():
            at += 1
        if at >= len(self._statements):
            return None
        if self._at < 0:
            self._draft = shown
        self._at = at
        return self._statements[at]

    def newer(self) -> str | None:
        """Return the statement after the one shown, at last the draft; None when that is shown."""
        if self._at < 0:
            return None
        self._at -= 1
        return self._draft if self._at < 0 else self._statements[self._at]


def _is_kept(text: str) -> bool:
    return 0 < len(text) <= MAX_KEPT_CHARACTERS
