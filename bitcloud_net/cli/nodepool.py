"""``sql``, ``row``, ``app``, ``sync``, ``simulate``: the shared database, by hand, in thought."""

from __future__ import annotations

import os
import secrets
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bitcloud_net.api import BadInput, LocalFault, row_forms
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.program import DONE, FAILED
from bitcloud_net.cli.session import client_of, home_of
from bitcloud_net.clock import Clock
from bitcloud_net.core.nodepool.table_text import (
    Cell,
    csv_text,
    json_objects,
    json_text,
    plain_cell,
)
from bitcloud_net.nodepool.console import Console, Table
from bitcloud_net.simulator.curve import draw, draw_shards
from bitcloud_net.simulator.scenario import Outcome, Scenario
from bitcloud_net.simulator.shards import ShardScenario, simulate_shards
from bitcloud_net.simulator.world import simulate as run_scenario

APP_CHARS = 16
"""Enough of an application's id to tell it apart."""
SHOWN_CHARS = 40
"""Longest cell of a table on the terminal; CSV and JSON have all of it."""
ENDINGS: Final = (".csv", ".json")


async def sql(arguments: Namespace, out: Output) -> int:
    """Answer one SELECT from the nodepool of this home, whether its node runs or not."""
    path = home_of(arguments) / "nodepool" / "nodepool.db"
    if not path.exists():
        raise BadInput("this home has no nodepool yet; run a node first", code="no-nodepool")
    as_csv = _wants_csv(arguments, out)
    found = await Console(path, Clock().period).select(arguments.statement)
    if arguments.output is not None:
        write = csv_text if as_csv else json_text
        _save_whole(arguments.output, write(found.columns, found.rows), force=arguments.force)
        out.note(f"saved {_rows(len(found.rows))} in {text.plain(str(arguments.output))}")
    elif as_csv:
        csv = csv_text(found.columns, found.rows)
        out.data((_obeying_nothing(csv) if out.is_terminal else csv).encode())
        out.flush()
    else:
        out.answer(json_objects(found.columns, found.rows), _table(found))
    if found.cut_off:
        out.note(f"bitcloud: only the first {len(found.rows)} rows; add LIMIT or ask for less")
    return DONE


async def sync(arguments: Namespace, out: Output) -> None:
    """Compare one of the shared tables, or all, with other nodes at once."""
    async with client_of(arguments) as client:
        done = await client.sync_rows(arguments.table)
    nodes = "one node" if done.nodes == 1 else f"{done.nodes} nodes"
    moved = f"{_rows(done.received)} new here, {_rows(done.sent)} new there"
    out.answer(done, [f"compared with {nodes}: {moved}"])


def _obeying_nothing(csv: str) -> str:
    return "\n".join(text.plain(line.removesuffix("\r")) for line in csv.split("\n"))


def _wants_csv(arguments: Namespace, out: Output) -> bool:
    """Return whether the answer is to be CSV; a file's name decides where no option does."""
    if arguments.csv and out.as_json:
        raise BadInput("CSV or JSON, not both", code="bad-format")
    if arguments.csv or out.as_json or arguments.output is None:
        return bool(arguments.csv)
    ending: str = arguments.output.suffix.lower()
    if ending not in ENDINGS:
        raise BadInput("say --csv or --json, or end FILE in .csv or .json", code="bad-format")
    return ending == ".csv"


def _save_whole(path: Path, content: str, *, force: bool) -> None:
    """Write a file that appears whole or not at all."""
    if not force and os.path.lexists(path):
        raise BadInput(f"{path} exists; use --force to replace it", code="file-exists")
    fresh = path.with_name(f".bitcloud-{secrets.token_hex(8)}.part")
    try:
        with open(fresh, "x", encoding="utf-8", newline="") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise LocalFault(f"cannot write {path}: {error.strerror}", code="unwritable") from error
    finally:
        fresh.unlink(missing_ok=True)


def simulate(arguments: Namespace, out: Output) -> int:
    """Run a network in virtual time; exit 1 when not every node got everything."""
    if arguments.shards:
        return _simulate_shards(arguments, out)
    scenario = Scenario(
        nodes=arguments.nodes,
        rows=arguments.rows,
        fresh=arguments.fresh,
        off=arguments.off / 100,
        liars=arguments.liars / 100,
        split_steps=arguments.split,
        push=arguments.push,
        steps=arguments.steps,
        seed=arguments.seed,
    )
    if scenario.nodes < 2 or scenario.fresh < 1:
        raise BadInput("at least two nodes and one fresh row", code="bad-scenario")
    outcome = run_scenario(scenario)
    if arguments.svg is not None:
        _save(arguments.svg, draw(outcome))
    out.answer(asdict(outcome), _story(outcome))
    return DONE if outcome.steps[-1].complete == 1.0 else FAILED


def _simulate_shards(arguments: Namespace, out: Output) -> int:
    scenario = ShardScenario(
        nodes=arguments.nodes,
        rows=arguments.rows,
        off=arguments.off / 100,
        seed=arguments.seed,
    )
    if scenario.nodes < 20 or scenario.rows < 100:
        raise BadInput("at least 20 nodes and 100 rows", code="bad-scenario")
    outcome = simulate_shards(scenario)
    if arguments.svg is not None:
        _save(arguments.svg, draw_shards(outcome))
    heading = ("period", "rows", "depth", "held by a node", "nodes that hold the rarest", "lost")
    rows = [
        (
            str(stand.period),
            f"{stand.rows:,}",
            f"{stand.depth:.2f}",
            f"{stand.kept:.0%}",
            str(stand.fewest),
            str(stand.lost),
        )
        for stand in outcome.stands[::3]
    ]
    out.answer(asdict(outcome), text.table([heading, *rows]))
    return FAILED if outcome.lost else DONE


def _table(found: Table) -> list[str]:
    rows = [tuple(map(_shown, row)) for row in found.rows]
    lines = text.table([tuple(map(text.plain, found.columns)), *rows])
    return [*lines, f"{_rows(len(rows))}, {found.seconds * 1000:.0f} ms"]


def _shown(cell: Cell) -> str:
    shown = "" if cell is None else text.plain(str(plain_cell(cell)))
    return shown if len(shown) <= SHOWN_CHARS else shown[: SHOWN_CHARS - 1] + "…"


def _story(outcome: Outcome) -> list[str]:
    header = ("time", "nodes that hold all", "rows arrived", "compared", "moved")
    rows = [
        (
            f"{step.seconds:.1f} s",
            f"{step.complete:.1%}",
            f"{step.spread:.1%}",
            text.size(step.sync_bytes),
            text.size(step.row_bytes),
        )
        for step in outcome.steps
    ]
    end = outcome.seconds_to(1.0)
    summary = "not everywhere within the time" if end is None else f"everywhere after {end:.1f} s"
    return [
        *text.table([header, *rows], right=range(5)),
        f"{summary}; {outcome.sessions} sessions, at most {outcome.longest} round trips in one, "
        f"{outcome.cpu_ms_per_node:.1f} ms of computing for each node",
    ]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _save(path: str, picture: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(picture)
    except OSError as error:
        raise LocalFault(f"cannot write {path}: {error.strerror}", code="cannot-write") from error


async def row_put(arguments: Namespace, out: Output) -> None:
    """Sign and write one own row."""
    async with client_of(arguments) as client:
        row = await client.put_row(arguments.table, arguments.key, arguments.values)
    out.answer(row, [f"wrote {text.plain(row.table)} {row.key}, number {row.seq}"])


def row_form(arguments: Namespace, out: Output) -> None:
    """Show the fields of a table's rows, or name the tables."""
    forms = row_forms()
    if arguments.table is None:
        out.answer([form.table for form in forms], [form.table for form in forms])
        return
    found = next((form for form in forms if form.table == arguments.table), None)
    if found is None:
        raise BadInput(
            f"there is no built-in table {arguments.table}; “bitcloud row form” names them",
            code="unknown-table",
        )
    rows = [
        *(("--key", part.name, part.about) for part in found.key),
        *(("", part.name, part.about) for part in found.fields),
    ]
    out.answer(found, [*text.table(rows), found.blank])


async def app_list(arguments: Namespace, out: Output) -> None:
    """List the installed applications."""
    async with client_of(arguments) as client:
        apps = await client.apps()
    rows = [(app.id[:APP_CHARS], text.plain(app.name), _rows(app.rows)) for app in apps]
    lines = [
        line
        for app, shown in zip(apps, text.table(rows), strict=True)
        for line in (shown, *(f"  {table}" for table in app.tables))
    ]
    out.answer(apps, lines or ["no applications"])


async def app_install(arguments: Namespace, out: Output) -> None:
    """Install the application that a file defines."""
    try:
        definition = arguments.file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {arguments.file}: {error}", code="unreadable-file") from error
    async with client_of(arguments) as client:
        app = await client.install_app(definition)
    tables = [f"  {table}" for table in app.tables]
    out.answer(app, [f"installed {text.plain(app.name)} {app.id[:APP_CHARS]}", *tables])


async def app_remove(arguments: Namespace, out: Output) -> None:
    """Remove an application with all its rows."""
    async with client_of(arguments) as client:
        await client.uninstall_app(arguments.app)
    out.answer({"removed": arguments.app}, [f"removed {text.plain(arguments.app)}"])
