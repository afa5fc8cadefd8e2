"""``avoid``: the private list of people, publishers and nodes that one wants nothing from."""

from __future__ import annotations

from argparse import Namespace

from bitcloud_net.api import Avoided, BadInput
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.session import client_of


async def avoid(arguments: Namespace, out: Output) -> None:
    """Put somebody on the list or take somebody off it, and show it."""
    if arguments.who is None and (arguments.off or arguments.reason):
        raise BadInput("say whom: a path such as Public/John, or a key", code="nobody-named")
    async with client_of(arguments) as client:
        if arguments.off:
            await client.unavoid(arguments.who)
        elif arguments.who is not None:
            await client.avoid(arguments.who, reason=arguments.reason)
        found = await client.avoided()
    out.answer(found, [_line(each) for each in found] or ["nobody is avoided"])


def _line(each: Avoided) -> str:
    who = text.plain(each.name) if each.name else each.key
    reason = f": {text.plain(each.reason)}" if each.reason else ""
    return f"{who}, since {text.date(each.since_s)}{reason}"
