"""``join``: make an identity, mine it, register it, lend storage; and hold or show the search."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from bitcloud_net.api import (
    BadInput,
    Client,
    Contribution,
    Membership,
    MembershipChanged,
    MembershipState,
    Unavailable,
)
from bitcloud_net.cli import identity, text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.session import client_of, home_of, running_node
from bitcloud_net.services.home import exists
from bitcloud_net.settings import load_settings

if TYPE_CHECKING:
    from trio_typing import TaskStatus

HOLD_S: Final = 5.0
"""How long Ctrl-C waits for the node to note where the search stands."""


async def join(arguments: Namespace, out: Output) -> None:
    """Become a member of the network, or hold the search for it, or show how far it is."""
    if arguments.folder is not None and arguments.capacity is None:
        raise BadInput("--folder needs --capacity SIZE", code="no-size")
    if arguments.capacity is not None and arguments.role != "node":
        raise BadInput("only a node lends storage; leave --role out", code="wrong-role")
    looks_only = arguments.pause or arguments.status
    if not looks_only:
        await _have_home(arguments, out)
    stays = await running_node(home_of(arguments)) is not None
    async with client_of(arguments) as client:
        if arguments.pause:
            member = await client.pause_join()
        elif arguments.status:
            member = await client.membership(role=arguments.role)
        else:
            member = await _join(client, out, arguments)
    out.answer(member, [line(member)])
    if arguments.capacity is not None and not looks_only and not stays:
        out.note("storage is lent whenever a node of this home runs: bitcloud node run")


async def _have_home(arguments: Namespace, out: Output) -> None:
    home = home_of(arguments)
    if not exists(home):
        await identity.init(arguments, out)
    elif arguments.network not in (None, network := load_settings(home).network):
        message = f"{home} belongs to the network {text.plain(network)}; use another --home"
        raise BadInput(message, code="home-exists")


async def _join(client: Client, out: Output, arguments: Namespace) -> Membership:
    if arguments.capacity is None:
        return await joined(client, out, arguments.role)
    await lend(client, out, arguments.folder or home_of(arguments) / "store", arguments.capacity)
    return await client.membership()


async def lend(client: Client, out: Output, folder: Path, capacity_bytes: int) -> Contribution:
    """Lend storage. Who has to be a member for that becomes one first, see ``joined``."""
    lent = await client.contribute(folder=folder, capacity_bytes=capacity_bytes)
    if lent.on:
        return lent
    await joined(client, out, "node")
    return await client.contribute(folder=folder, capacity_bytes=capacity_bytes)


async def joined(client: Client, out: Output, role: str) -> Membership:
    """Join and wait for it, showing how far it is. Ctrl-C holds the search; nothing of it is lost.

    Raises:
        Unavailable: ``join-held``: another program held the search.
    """
    member = await client.join(role=role, wait=False)
    if member.state is not MembershipState.MINING:
        return member
    out.note(f"{line(member)}; Ctrl-C holds it")
    over = False
    try:
        async with _shown_progress(client, out, role):
            member = await client.join(role=role)
        over = True
    finally:
        if not over:
            await _hold(client, out, role)
    if member.state is MembershipState.PAUSED:
        raise Unavailable(f"the search was held; {_way_on(role)}", code="join-held")
    return member


async def _hold(client: Client, out: Output, role: str) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + HOLD_S):
        held = await client.pause_join()
        out.note(f"{line(held)}; {_way_on(role)}")


@asynccontextmanager
async def _shown_progress(client: Client, out: Output, role: str) -> AsyncIterator[None]:
    """Say how the search for a role goes while the block runs, if somebody is looking."""
    if not out.shows_progress:
        yield
        return
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(_show, client, out, role)
            yield
            nursery.cancel_scope.cancel()
    finally:
        out.progress("")


async def _show(
    client: Client,
    out: Output,
    role: str,
    *,
    task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    async with client.news() as news:
        task_status.started()
        async for item in news:
            if isinstance(item, MembershipChanged) and item.membership.role == role:
                width = shutil.get_terminal_size().columns
                out.progress(line(item.membership)[: max(20, width - 1)])


def line(member: Membership) -> str:
    """Return how far somebody is, in one line."""
    match member.state:
        case MembershipState.OPEN:
            return "nobody has to mine on this network; every role is free"
        case MembershipState.NONE:
            cost = f"about {member.mean_tries} tries"
            return f"no {member.role} yet: {cost}; join with: {_command(member.role)}"
        case MembershipState.JOINED:
            return f"{member.role} since {text.date(member.registered_s)}"
        case MembershipState.PAUSED:
            return f"search for a {member.role} held after {member.tries} tries"
    cores = "1 core" if member.cores == 1 else f"{member.cores} cores"
    parts = [f"mining a {member.role} on {cores}"]
    parts.append(f"{member.tries} tries of {member.mean_tries} on average")
    if member.tries_per_s:
        parts.append(f"{member.tries_per_s:.1f}/s")
    if member.left_s is not None:
        parts.append(f"about {text.duration(member.left_s)} more")
    return ", ".join(parts)


def _way_on(role: str) -> str:
    return f"go on with: {_command(role)}"


def _command(role: str) -> str:
    return "bitcloud join" if role == "node" else f"bitcloud join --role {role}"
