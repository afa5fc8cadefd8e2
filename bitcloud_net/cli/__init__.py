"""``bitcloud``: the command line. Arguments → api → text or JSON; no rules of its own.

``arguments`` knows every verb and its help and imports nothing heavy, so that ``bitcloud --help``
is instant. The module of a verb, and with it the node, is imported when the verb runs. What a verb
answers goes to stdout, as text or with ``--json`` as JSON; everything else goes to stderr.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments`` (default: the process's own) and return the exit status.

    0: done. 1: failed, with the reason on stderr. 2: bad usage. 130: interrupted.
    """
    from bitcloud_net.cli.program import run

    return run(arguments)
