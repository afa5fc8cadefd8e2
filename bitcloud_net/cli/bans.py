"""``bans``: which nodes are refused, on whose word, and what the owner of one can do."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Final

from bitcloud_net.api import BanView
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.session import client_of

NODE_CHARS: Final = 16
"""Enough of a node's key to tell it apart."""

ADVICE: Final = {
    "ping-timeout": "let this computer run without pauses and keep its port reachable",
    "wrong-signature": "the node's key and its answers did not fit; install the program anew",
    "wrong-audit": "shares were missing or damaged here; check the disk that holds them",
    "too-slow": "answers came too late; lend from a faster disk, or send less from here",
    "denial-of-service": "this node flooded others, or refused to answer; see what uses it",
    "corrupt-data": "damaged blocks left this computer; check its disk and its memory",
    "clock": "set this computer's clock right, best by a time service",
    "fraud": "the same key signed two different things; never run one home on two computers",
}
PROOF_ADVICE: Final = {
    "identity": "this node's identity was not mined as the network asks; mine one again",
    "audit": "a share was signed that is not what was stored; check this computer's memory",
    "block": "a share was signed that is not what was stored; check this computer's memory",
    "receipt": "a receipt was signed for another share; install the program anew",
}
"""For bans by proofs; the others are of one key that signed two different things."""


async def bans(arguments: Namespace, out: Output) -> None:
    """List the bans that run, and this computer's own of the last 30 days."""
    async with client_of(arguments) as client:
        found = await client.bans()
    lines = [line for ban in found for line in _lines(ban)]
    out.answer(found, lines or ["no node is banned"])


def _lines(ban: BanView) -> Iterator[str]:
    who = "this computer" if ban.own else text.plain(ban.name) or "a node"
    yield (
        f"{ban.node[:NODE_CHARS]}  {who}: {ban.reason}, "
        f"{text.date(ban.since_s)} to {text.date(ban.until_s)}"
    )
    if ban.proof:
        yield f"  proved: {ban.proof}"
    if ban.statements:
        yield f"  said by {len(ban.statements)} auditors:"
    for said in ban.statements:
        seen = "1 period" if said.periods == 1 else f"{said.periods} periods"
        yield f"    {said.auditor[:NODE_CHARS]}  {said.reason}, seen in {seen}"
    advice = PROOF_ADVICE.get(ban.proof) or ADVICE.get(ban.reason)
    if ban.own and advice:
        yield f"  advice: {advice}"
