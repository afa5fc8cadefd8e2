"""One run of the command line: arguments, the verb, and how its end becomes an exit status."""

from __future__ import annotations

import inspect
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from bitcloud_net.api import BitcloudError
from bitcloud_net.cli.arguments import parser
from bitcloud_net.cli.output import Output

DONE: Final = 0
FAILED: Final = 1
BAD_USAGE: Final = 2
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells count."""

ATTEMPTS: Final = 20
"""So many commands of one home may share a node, each longer than the one before it."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status; see ``bitcloud_net.cli.main``."""
    try:
        chosen = parser().parse_args(arguments)
    except SystemExit as end:  # argparse has printed its usage or help
        return end.code if isinstance(end.code, int) else BAD_USAGE
    out = Output(as_json=getattr(chosen, "json", False))
    for attempt in range(ATTEMPTS):
        try:
            return _run_verb(chosen, out)
        except BaseException as error:  # noqa: BLE001 - what is not expected is raised again
            cause = _cause(error)
            if attempt == ATTEMPTS - 1 or not _may_repeat(cause, out):
                return _status_of(cause, out)
    raise AssertionError("the last attempt returns")


def _may_repeat(cause: BaseException, out: Output) -> bool:
    """Whether the node that did the work ended first: it belonged to another command of this home.

    Every verb may be carried out again, as long as nothing of its answer is out.
    """
    return isinstance(cause, BitcloudError) and cause.code == "node-gone" and not out.answered


def _run_verb(chosen: Namespace, out: Output) -> int:
    module, function = chosen.verb.split(":")
    verb = getattr(import_module(f"bitcloud_net.cli.{module}"), function)
    if inspect.iscoroutinefunction(verb):
        from bitcloud_net.cli.interrupt import run_interruptible

        status = run_interruptible(verb, chosen, out)
    else:
        status = verb(chosen, out)
    return DONE if status is None else int(status)


def _status_of(error: BaseException, out: Output) -> int:
    if isinstance(error, BitcloudError):
        out.error(error.code, error.message)
        return FAILED
    if isinstance(error, KeyboardInterrupt):
        out.error("interrupted", "interrupted; run the same command again to go on")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    raise error


def _cause(error: BaseException) -> BaseException:
    """Return the one error in a group: an interrupt before anything else, a bug before a
    failure."""
    leaves = list(_leaves(error))
    return min(
        leaves,
        key=lambda leaf: (not isinstance(leaf, KeyboardInterrupt), isinstance(leaf, BitcloudError)),
    )


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
