"""``node run``, ``gateway``, ``status``, ``contribute`` and ``version``."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from bitcloud_net import __version__
from bitcloud_net.api import (
    BadInput,
    Client,
    Contribution,
    LocalFault,
    Membership,
    MembershipState,
    Status,
)
from bitcloud_net.cli import join, text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.session import client_of, home_of, open_node, running_node, until_stopped

CLOCK_WARNING_S: Final = 5
"""From here on a wrong clock is worth a word; at ten seconds others count it as a fault."""


async def run(arguments: Namespace, out: Output) -> None:
    """Run a node until it is stopped."""
    await _none_runs(arguments)
    lent = None
    if arguments.contribute is not None:
        lent = (arguments.store or home_of(arguments) / "store", arguments.contribute)
    elif arguments.store is not None:
        raise BadInput("--store needs --contribute SIZE", code="no-size")
    async with open_node(
        arguments,
        listen=tuple(arguments.listen),
        bootstrap=tuple(arguments.bootstrap),
        contribute=lent,
        stays=True,
    ) as client:
        status = await client.status()
        ready = {"node": status.node, "network": status.network, "addresses": status.addresses}
        out.answer(ready, status.addresses)
        if status.contribution.folder and not status.contribution.on:
            out.note(f"storage is lent later: {join.line(await client.membership())}")
        out.note("ready; Ctrl-C ends it")
        await until_stopped()
    out.note("stopped")


async def gateway(arguments: Namespace, out: Output) -> None:
    """Serve HTTP on loopback until stopped; a node that runs already may do so as well."""
    running = await running_node(home_of(arguments))
    if running is not None:
        address = (await running.status()).gateway
        if address is None:
            raise LocalFault(
                "a node runs for this home without a gateway; bitcloud url PATH starts it",
                code="already-running",
            )
        out.answer({"gateway": address}, [address])
        out.note("the node that runs for this home serves it already")
        return
    async with open_node(arguments, gateway_port=arguments.port, stays=True) as client:
        address = (await client.status()).gateway
        out.answer({"gateway": address}, [address or ""])
        out.note("serving; Ctrl-C ends it")
        await until_stopped()
    out.note("stopped")


async def status(arguments: Namespace, out: Output) -> None:
    """Show the node at a glance."""
    async with client_of(arguments) as client:
        await client.entries()  # waits for the first rows: a node just opened knows nobody yet
        now, member = await client.status(), await client.membership()
    out.answer(now, _status_lines(now, member))


async def contribute(arguments: Namespace, out: Output) -> None:
    """Start or stop lending storage; a node that runs goes on lending, else the next one will."""
    if arguments.off == (arguments.size is not None):
        raise BadInput("say how much, such as 100GB, or --off", code="no-size")
    stays = await running_node(home_of(arguments)) is not None
    async with client_of(arguments) as client:
        lent = await _lend(client, out, arguments)
    if lent.on:
        where = text.plain(lent.folder or "")
        lines = [f"lending {text.size(lent.capacity_bytes)} in {where}"]
    else:
        lines = ["lending nothing; what is held stays on disk"]
    out.answer(lent, lines)
    if lent.on and not stays:
        out.note("it is lent whenever a node of this home runs: bitcloud node run")


async def _lend(client: Client, out: Output, arguments: Namespace) -> Contribution:
    if arguments.off:
        return await client.contribute(folder=None, capacity_bytes=0)
    folder = arguments.store or home_of(arguments) / "store"
    return await join.lend(client, out, folder, arguments.size)


def version(arguments: Namespace, out: Output) -> None:
    """Show the version."""
    out.answer({"version": __version__}, [f"bitcloud {__version__}"])


async def _none_runs(arguments: Namespace) -> None:
    home = home_of(arguments)
    if await running_node(home) is not None:
        raise LocalFault(
            f"a node already runs for {home}; stop it, or use another --home",
            code="already-running",
        )


def _status_lines(now: Status, member: Membership) -> list[str]:
    rows = [
        ("you", f"{text.plain(now.person)} ({now.fingerprint})"),
        ("node", now.node),
        ("network", f"{text.plain(now.network)}, {now.peers} connected"),
        *_member(member),
        ("storage nodes", f"{now.online_nodes} of {now.known_nodes} online"),
        ("promise", _promise(now)),
        *_database(now),
        ("lending", _lending(now)),
        ("gateway", now.gateway or "off"),
        ("traffic", f"{text.size(now.received_bytes)} in, {text.size(now.sent_bytes)} out"),
        ("transfers", f"{now.transfers_running} running"),
        *(("address", address) for address in now.addresses),
    ]
    return text.table(rows)


def _member(member: Membership) -> list[tuple[str, str]]:
    """Where nobody mines, there is nothing to say."""
    return [] if member.state is MembershipState.OPEN else [("member", join.line(member))]


def _promise(now: Status) -> str:
    if now.promise is None:
        return "none while there is no storage node"
    made = now.promise
    chance = "certainly" if made.survival_70 >= 1.0 else f"with {made.survival_70:.4%} chance"
    return (
        f"{made.needed} of {made.shares} shares are enough, {made.may_fail} may fail; "
        f"a file outlives 70 % of all nodes {chance}"
    )


def _database(now: Status) -> list[tuple[str, str]]:
    """Return how well the shared database is in step with those of the partners."""
    health = now.sync
    if health is None or health.last_s is None:
        return [("database", f"{now.rows} rows, not compared with anybody yet")]
    oldest = "none" if health.oldest_s is None else text.duration(health.oldest_s)
    waiting = f", {health.waiting} rows wait for others" if health.waiting else ""
    moved = text.size(health.period_bytes)
    lacking = ""
    if health.owners_lacking:
        lacking = f", rows of {health.owners_lacking} owners are missing, others are being asked"
    in_step = f"{health.in_step} of {health.partners} partners in step"
    return [
        ("database", f"{now.rows} rows, {in_step}{lacking}"),
        ("differences", f"oldest {oldest}{waiting}, {moved} exchanged in these ten minutes"),
        ("clock", _clock(health.clock_behind_s)),
    ]


def _clock(behind_s: int) -> str:
    off_s = abs(behind_s)
    if not off_s:
        return "as the partners'"
    way = "behind" if behind_s > 0 else "ahead of"
    warning = ": set it right" if off_s >= CLOCK_WARNING_S else ""
    return f"{off_s} s {way} the partners'{warning}"


def _lending(now: Status) -> str:
    lent = now.contribution
    if not lent.on and lent.folder:
        wanted = text.size(lent.capacity_bytes)
        return f"nothing yet, {wanted} as soon as it has joined: bitcloud join --status"
    if not lent.on:
        return "nothing"
    used, whole = text.size(lent.used_bytes), text.size(lent.capacity_bytes)
    banned = "; refused by the other nodes for now: bitcloud bans" if lent.banned else ""
    where = text.plain(lent.folder or "")
    return f"{used} of {whole} used, {lent.shares} shares, in {where}{banned}"
