"""``transfers``: list them, or pause, resume or cancel one."""

from __future__ import annotations

from argparse import Namespace

from bitcloud_net.api import BadInput, Client, Transfer
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.session import client_of


async def transfers(arguments: Namespace, out: Output) -> None:
    """List transfers after doing what was asked for."""
    if (arguments.action == "list") != (arguments.id is None):
        raise BadInput("name one transfer by its id: bitcloud transfers pause ID", code="no-id")
    async with client_of(arguments) as client:
        if arguments.id is not None:
            await _act(client, arguments.action, arguments.id)
        listed = await client.transfers()
    out.answer(listed, text.table([_row(transfer) for transfer in listed], right=[3]))


async def _act(client: Client, action: str, given: str) -> None:
    """Do one thing to the transfer whose id begins with ``given``."""
    found = [transfer.id for transfer in await client.transfers() if transfer.id.startswith(given)]
    if len(found) != 1:
        many = "several transfers begin" if found else "no transfer begins"
        raise BadInput(f"{many} with {text.plain(given)!r}", code="no-such-transfer")
    actions = {"pause": client.pause, "resume": client.resume, "cancel": client.cancel}
    await actions[action](found[0])


def _row(transfer: Transfer) -> tuple[str, ...]:
    share = transfer.bytes_done / transfer.bytes_total if transfer.bytes_total else 0.0
    why = f"{transfer.state.value}: {transfer.reason}" if transfer.reason else transfer.state.value
    return (
        transfer.id,
        transfer.kind.value,
        text.plain(why),
        f"{min(share, 1.0):.0%}",
        text.plain(transfer.title),
    )
