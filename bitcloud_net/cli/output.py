"""Where a verb's answer and its remarks go."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from bitcloud_net.api import to_json


class Output:
    """Answers to ``stdout``, as text or JSON; remarks and progress to ``stderr``.

    ``answered`` tells whether anything of an answer is out.
    """

    def __init__(
        self, *, as_json: bool, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self.answered = False

    @property
    def shows_progress(self) -> bool:
        """Whether somebody looks at stderr."""
        return self._stderr.isatty()

    @property
    def is_terminal(self) -> bool:
        """Whether the answer goes to a screen, which obeys control characters."""
        return self._stdout.isatty()

    def answer(self, value: Any, lines: Iterable[str]) -> None:
        """Give the answer: ``value`` as one JSON document on one line, or ``lines`` of text."""
        self.answered = True
        if self.as_json:
            self._stdout.write(json.dumps(to_json(value), ensure_ascii=False) + "\n")
        else:
            self._stdout.writelines(_writable(line) + "\n" for line in lines)
        self._stdout.flush()

    def data(self, piece: bytes) -> None:
        """Give raw bytes of a file as the answer."""
        self.answered = True
        self._stdout.buffer.write(piece)

    def flush(self) -> None:
        """Hand on what was given."""
        self._stdout.flush()

    def note(self, line: str) -> None:
        """Make a remark."""
        self._stderr.write(_writable(line) + "\n")
        self._stderr.flush()

    def progress(self, line: str) -> None:
        """Show ``line`` in place of the last progress; an empty one clears it."""
        self._stderr.write(f"\r\x1b[K{_writable(line)}")
        self._stderr.flush()

    def error(self, code: str, message: str) -> None:
        """Report a failure: one line for a person, and a document where JSON was asked for."""
        self.note(f"bitcloud: {message}")
        if self.as_json:
            self.answer({"error": {"code": code, "message": message}}, ())


def _writable(line: str) -> str:
    return line.encode("utf-8", "backslashreplace").decode("utf-8")
