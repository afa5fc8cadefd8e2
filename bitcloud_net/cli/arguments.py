"""Every verb of ``bitcloud``: its arguments, help and examples. Imports nothing heavy."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any, Final, TypeAlias

from bitcloud_net import __version__
from bitcloud_net.cli import values

Subparsers: TypeAlias = "argparse._SubParsersAction[_Parser]"

_TARGET: Final = "a path such as Public/Mary/Dawn.webm, or a cap (bitcloud:1:fr:…)"
_DESCRIPTION: Final = """\
Many independent computers as one encrypted virtual hard disk.

A command talks to the node that already runs for its home, and where none runs it opens one for
as long as it needs. The home is --home, else BITCLOUD_HOME, else the usual place for data.
"""
_EXAMPLES: Final = """\
bitcloud demo                                 # see it work, on this computer alone
bitcloud init --name Mary                     # make your identity
bitcloud testgrid --nodes 10                  # run ten storage nodes here
bitcloud publish ~/Videos/Dawn.webm           # publish a file
bitcloud fetch Public/Mary/Dawn.webm -o .     # get it back
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; ``verb`` names the function to run."""
    program = _Parser(
        prog="bitcloud",
        description=_DESCRIPTION,
        epilog=_epilog(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common()],
    )
    program.add_argument("--version", action="version", version=f"bitcloud {__version__}")
    verbs = program.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    for add in (_identity, _files, _care, _node, _transfers, _nodepool, _test_grid, _demo):
        add(verbs)
    return program


class _Parser(argparse.ArgumentParser):
    """Names the way out of bad usage, and never guesses at shortened options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> Any:
        """Print one line and where help is; exit 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _common() -> _Parser:
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--home", type=Path, metavar="DIR", help="identity, settings and database to use"
    )
    common.add_argument("--json", action="store_true", help="answer in JSON on stdout")
    common.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="read the passphrase of the home from FILE (or set BITCLOUD_PASSPHRASE)",
    )
    return common


def _verb(
    verbs: Subparsers,
    name: str,
    function: str,
    help_: str,
    examples: str,
    *,
    notes: str = "",
    **more: Any,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name,
        help=help_,
        description=help_[0].upper() + help_[1:] + ".",
        epilog=_epilog(examples) + textwrap.dedent(notes).rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common()],
        **more,
    )
    verb.set_defaults(verb=function)
    return verb


def _epilog(examples: str) -> str:
    return "examples:\n" + textwrap.indent(textwrap.dedent(examples).strip(), "  ")


def _identity(verbs: Subparsers) -> None:
    init = _verb(
        verbs,
        "init",
        "identity:init",
        "make an identity and show its 24 recovery words",
        """
        bitcloud init --name Mary
        bitcloud init --home /srv/bitcloud --passphrase-file secret.txt
        bitcloud init --light
        """,
    )
    recover = _verb(
        verbs,
        "recover",
        "identity:recover",
        "make a home again from the 24 recovery words",
        """
        bitcloud recover --name Mary
        bitcloud recover --words-file words.txt --home /srv/bitcloud
        """,
    )
    recover.add_argument(
        "--words-file", type=Path, metavar="FILE", help="read the words from FILE; - is stdin"
    )
    join = _verb(
        verbs,
        "join",
        "join:join",
        "become a member of the network: make an identity, mine it, register it",
        """
        bitcloud join
        bitcloud join --name Mary --folder ~/Shares --capacity 100GB
        bitcloud join --network family --capacity 100GB
        bitcloud join --role publisher
        bitcloud join --status --json
        bitcloud join --pause
        """,
        notes="""

        Mining uses all cores but one, gives way to everything else, and goes on after a restart. On
        the public network it takes hours, on others seconds, and on test grids nothing. Ctrl-C or
        --pause holds it; the next join goes on. The first join of a home makes the identity.
        """,
    )
    join.add_argument(
        "--role",
        choices=("node", "gateway", "publisher", "grid-owner"),
        default="node",
        metavar="node|gateway|publisher|grid-owner",
        help="what to be (node)",
    )
    join.add_argument("--capacity", type=values.size, metavar="SIZE", help="lend so much storage")
    join.add_argument(
        "--folder", type=Path, metavar="DIR", help="where to lend it (default: in the home)"
    )
    instead = join.add_mutually_exclusive_group()
    instead.add_argument("--pause", action="store_true", help="hold the search under way")
    instead.add_argument("--status", action="store_true", help="show how far it is")
    for verb in (init, recover, join):
        verb.add_argument(
            "--light",
            action="store_true",
            help="keep only what is yours or looked at: small devices",
        )
        verb.add_argument("--name", help="how others see you (default: your login name)")
        verb.add_argument("--network", help="the network to belong to (default: the public one)")
        lock = verb.add_mutually_exclusive_group()
        lock.add_argument(
            "--key-store", action="store_true", help="lock with the system's key store"
        )
        lock.add_argument(
            "--no-passphrase", action="store_true", help="protect the keys by file rights alone"
        )


def _files(verbs: Subparsers) -> None:
    publish = _verb(
        verbs,
        "publish",
        "files:publish",
        "publish files and folders",
        """
        bitcloud publish Dawn.webm
        bitcloud publish Photos Notes.txt --to Public/Mary/Summer
        """,
    )
    publish.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    publish.add_argument("--to", default="", metavar="FOLDER", help="a folder in Public")
    publish.add_argument("--no-wait", action="store_true", help="leave the transfer to the node")

    ls = _verb(
        verbs,
        "ls",
        "files:ls",
        "list a folder of the virtual disk",
        """
        bitcloud ls
        bitcloud ls Public/Mary
        """,
    )
    ls.add_argument("path", nargs="?", default="", metavar="PATH", help="default: the publishers")

    fetch = _verb(
        verbs,
        "fetch",
        "files:fetch",
        "save a file, or a folder with all below it",
        """
        bitcloud fetch Public/Mary/Dawn.webm
        bitcloud fetch Public/Mary/Photos -o ~/Pictures
        bitcloud fetch Public/Mary/Dawn.webm -o - | mpv -
        bitcloud fetch Public/Mary/Dawn.webm --range 0-65535 -o start.bin
        """,
    )
    fetch.add_argument("target", metavar="CAP|PATH", help=_TARGET)
    fetch.add_argument("-o", "--output", metavar="FILE|DIR|-", help="where to; - is stdout")
    fetch.add_argument(
        "--range", type=values.byte_range, metavar="A-B", help="only bytes A to B, both included"
    )
    fetch.add_argument("--force", action="store_true", help="replace a file that is there")

    share = _verb(
        verbs,
        "share",
        "files:share",
        "print the read cap of a file: who has it can read the file",
        "bitcloud share Public/Mary/Dawn.webm",
    )
    share.add_argument("path", metavar="PATH", help="a path such as Public/Mary/Dawn.webm")
    url = _verb(
        verbs,
        "url",
        "files:url",
        "print the address at which a browser or player opens a file",
        "mpv $(bitcloud url Public/Mary/Dawn.webm)",
    )
    url.add_argument("target", metavar="CAP|PATH", help=_TARGET)


def _care(verbs: Subparsers) -> None:
    check = _verb(
        verbs,
        "check",
        "care:check",
        "ask every holder of a file for its share",
        """
        bitcloud check Public/Mary/Dawn.webm
        bitcloud check Public/Mary/Dawn.webm --verify
        """,
    )
    check.add_argument("target", metavar="CAP|PATH", help=_TARGET)
    check.add_argument("--verify", action="store_true", help="read and check every byte")
    repair = _verb(
        verbs,
        "repair",
        "care:repair",
        "rebuild the shares of a file that are missing or damaged",
        "bitcloud repair Public/Mary/Dawn.webm",
    )
    repair.add_argument("target", metavar="CAP|PATH", help=_TARGET)


def _node(verbs: Subparsers) -> None:
    node = verbs.add_parser("node", help="run a node without a window")
    run = _verb(
        node.add_subparsers(metavar="VERB", required=True, parser_class=_Parser),
        "run",
        "node:run",
        "run a node until it is stopped; print its addresses when it is ready",
        """
        bitcloud node run
        bitcloud node run --contribute 100GB --store /srv/shares
        bitcloud node run --listen /ip4/0.0.0.0/tcp/4001 --bootstrap /ip4/…/p2p/12D3…
        """,
    )
    run.add_argument("--listen", action="append", default=[], metavar="MULTIADDR")
    run.add_argument("--bootstrap", action="append", default=[], metavar="MULTIADDR")
    run.add_argument("--contribute", type=values.size, metavar="SIZE", help="lend so much storage")
    run.add_argument("--store", type=Path, metavar="DIR", help="where (default: in the home)")

    _verb(verbs, "status", "node:status", "show the node at a glance", "bitcloud status --json")

    contribute = _verb(
        verbs,
        "contribute",
        "node:contribute",
        "lend storage of this computer to the grid, or stop lending",
        """
        bitcloud contribute 100GB --store ~/Shares
        bitcloud contribute --off
        """,
    )
    contribute.add_argument("size", nargs="?", type=values.size, metavar="SIZE")
    contribute.add_argument(
        "--store", type=Path, metavar="DIR", help="where (default: in the home)"
    )
    contribute.add_argument("--off", action="store_true", help="stop; what is held stays on disk")

    gateway = _verb(
        verbs,
        "gateway",
        "node:gateway",
        "serve the virtual disk to browsers and players on this computer",
        "bitcloud gateway --port 8642",
    )
    gateway.add_argument("--port", type=values.port, default=0, metavar="N", help="0: any free one")


def _transfers(verbs: Subparsers) -> None:
    transfers = _verb(
        verbs,
        "transfers",
        "transfers:transfers",
        "list, pause, resume or cancel transfers",
        """
        bitcloud transfers
        bitcloud transfers pause 3f2a
        """,
    )
    transfers.add_argument(
        "action", nargs="?", choices=("list", "pause", "resume", "cancel"), default="list"
    )
    transfers.add_argument("id", nargs="?", metavar="ID", help="as the list shows it")


def _nodepool(verbs: Subparsers) -> None:
    sql = _verb(
        verbs,
        "sql",
        "nodepool:sql",
        "answer a SELECT from the shared database",
        """
        bitcloud sql "SELECT nickname, hex(key) FROM user"
        bitcloud sql --csv "SELECT name, capacity FROM node ORDER BY capacity DESC"
        bitcloud sql --output people.csv "SELECT nickname, key FROM user"
        bitcloud sql --json "SELECT * FROM node" | jq .
        """,
        notes="""
        Bytes are written in hexadecimal. JSON is exact; whole numbers beyond 2^53 are text in
        it. CSV is for spreadsheets: NULL is an empty field, empty text is "", and text that a
        spreadsheet would calculate (=, +, - or @ in front) gets an apostrophe before it.
        """,
    )
    sql.add_argument("statement", metavar="SELECT", help="one statement; it cannot change anything")
    sql.add_argument("--csv", action="store_true", help="answer in CSV on stdout")
    sql.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="save the answer as .csv or .json"
    )
    sql.add_argument("--force", action="store_true", help="replace a file that is there")

    row = verbs.add_parser("row", help="write an own row of the shared database by hand")
    row_verbs = row.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    put = _verb(
        row_verbs,
        "put",
        "nodepool:row_put",
        "sign and write one own row",
        """
        bitcloud row put user '{"nickname": "Mary"}'
        bitcloud row put folder --key ID '{"parent": "", "open_key": "", "sealed": "00ff"}'
        bitcloud row put permission --key WHOM+FILE null
        bitcloud row put chess.moves --key 00000001 '{"number": 1, "move": "e4"}'
        bitcloud row put chess.moves --key 00000001 null
        """,
        notes="""

        WHOM, ID and FILE stand for hexadecimal digits. A table that gets '{}' names its fields; all
        tables with their keys and fields are in bitcloud_net/nodepool/README.md.
        """,
    )
    form = _verb(
        row_verbs,
        "form",
        "nodepool:row_form",
        "show what a row of a table consists of",
        """
        bitcloud row form user
        bitcloud row form
        """,
    )
    form.add_argument("table", nargs="?", metavar="TABLE", help="its name; default: all tables")
    put.add_argument("table", metavar="TABLE", help="its name, or APPLICATION.TABLE")
    put.add_argument(
        "values",
        metavar="JSON",
        help="bytes in hexadecimal, amounts as whole numbers; null deletes the row",
    )
    put.add_argument(
        "--key",
        default="",
        metavar="HEX",
        help="what comes after your own key: the parts of it one after the other",
    )

    app = verbs.add_parser("app", help="applications' tables in the shared database")
    app_verbs = app.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    _verb(app_verbs, "list", "nodepool:app_list", "list what is installed", "bitcloud app list")
    install = _verb(
        app_verbs,
        "install",
        "nodepool:app_install",
        "install the tables that a definition describes",
        "bitcloud app install chess.json",
    )
    install.add_argument("file", type=Path, metavar="FILE", help="the definition, in JSON")
    remove = _verb(
        app_verbs,
        "remove",
        "nodepool:app_remove",
        "remove an application and all its rows from this computer",
        "bitcloud app remove chess",
    )
    remove.add_argument("app", metavar="APPLICATION", help="its id or name")

    avoid = _verb(
        verbs,
        "avoid",
        "avoid:avoid",
        "avoid a person, a publisher or a node, on a list that nobody else sees",
        """
        bitcloud avoid
        bitcloud avoid Public/John --reason "sends what I do not want to see"
        bitcloud avoid Public/John --off
        """,
    )
    avoid.add_argument("who", nargs="?", metavar="PATH|KEY", help="nobody: show the list")
    avoid.add_argument("--reason", default="", metavar="TEXT", help="why; for yourself alone")
    avoid.add_argument("--off", action="store_true", help="take it off the list again")

    _verb(
        verbs,
        "bans",
        "bans:bans",
        "list the nodes that are refused for a while, and why",
        """
        bitcloud bans
        bitcloud bans --json
        """,
    )

    sync = _verb(
        verbs,
        "sync",
        "nodepool:sync",
        "compare the shared tables with other nodes at once",
        """
        bitcloud sync
        bitcloud sync file
        """,
    )
    sync.add_argument(
        "table",
        nargs="?",
        default="",
        metavar="TABLE",
        help="only this one; also where it is compared with nobody unasked",
    )

    simulate = _verb(
        verbs,
        "simulate",
        "nodepool:simulate",
        "show how fast new rows reach every node of a network, in virtual time",
        """
        bitcloud simulate --nodes 1000 --off 70
        bitcloud simulate --nodes 1000 --push --svg curve.svg
        bitcloud simulate --nodes 300 --liars 40
        bitcloud simulate --nodes 300 --split 16 --json
        bitcloud simulate --shards --nodes 60 --rows 1200 --off 70 --svg shards.svg
        """,
    )
    for name, value, help_ in (
        ("nodes", 1_000, "nodes in the network"),
        ("rows", 1_000, "rows that all hold at first"),
        ("fresh", 10, "new rows"),
        ("off", 0, "percent of the nodes that switch off at once"),
        ("liars", 0, "percent of the nodes that keep new rows to themselves"),
        ("split", 0, "steps of 37.5 s in two halves"),
        ("steps", 48, "steps at most"),
        ("seed", 1, "another number is another run"),
    ):
        simulate.add_argument(
            f"--{name}", type=values.count, default=value, metavar="N", help=f"{help_} ({value})"
        )
    simulate.add_argument("--push", action="store_true", help="push as well as pull")
    simulate.add_argument(
        "--shards", action="store_true", help="how a table that grows is cut, and grows together"
    )
    simulate.add_argument("--svg", metavar="FILE", help="draw the curve into FILE")


def _test_grid(verbs: Subparsers) -> None:
    grid = _verb(
        verbs,
        "testgrid",
        "grid:testgrid",
        "run N storage nodes on this computer until stopped, or switch them",
        """
        bitcloud testgrid --nodes 10
        bitcloud testgrid stop-nodes 7
        bitcloud testgrid start-nodes
        bitcloud testgrid status
        """,
    )
    grid.add_argument("--nodes", type=values.count, default=10, metavar="N")
    grid.add_argument(
        "action",
        nargs="?",
        choices=("run", "stop-nodes", "start-nodes", "status"),
        default="run",
        metavar="run|stop-nodes|start-nodes|status",
    )
    grid.add_argument("count", nargs="?", type=values.count, metavar="K", help="how many to switch")


def _demo(verbs: Subparsers) -> None:
    demo = _verb(
        verbs,
        "demo",
        "demo:demo",
        "publish, switch nodes off, fetch again and compare every byte, on this computer alone",
        """
        bitcloud demo
        bitcloud demo --nodes 20 --off 14 ~/Videos
        """,
    )
    demo.add_argument("--nodes", type=values.count, default=10, metavar="N")
    demo.add_argument("--off", type=values.count, metavar="K", help="default: 70 %% of the nodes")
    demo.add_argument("path", nargs="?", type=Path, metavar="PATH", help="default: a small sample")

    _verb(verbs, "version", "node:version", "show the version", "bitcloud version")
