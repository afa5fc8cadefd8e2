"""``demo``: the whole promise on one computer, told as a story with figures.

A test grid starts; a folder is published and fetched back; nodes are switched off; it is fetched
again; every byte is compared each time. Exits 1 when anything differs.
"""

from __future__ import annotations

import os
import tempfile
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

import bitcloud_net
from bitcloud_net.api import BadInput, Client, Promise, Published, TransferKind, Unavailable
from bitcloud_net.cli import text
from bitcloud_net.cli.compare import Comparison, compare
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.program import DONE, FAILED
from bitcloud_net.cli.progress import shown_progress
from bitcloud_net.cli.session import home_of, passphrase_of
from bitcloud_net.testgrid import TestGridController, open_person, run_test_grid

PERSON: Final = "Mary"
SETTLE_S: Final = 60.0
"""How long the client may take to hear of all nodes."""
LOOK_S: Final = 0.05
SAMPLE: Final = Path(bitcloud_net.__file__).parent.parent / "resources" / "sample"


@dataclass(slots=True, kw_only=True)
class Story:
    """The demonstration's figures, as ``--json`` gives them in the end."""

    nodes: int
    off: int
    files: int = 0
    size_bytes: int = 0
    shares: int = 0
    needed: int = 0
    start_s: float = 0.0
    publish_s: float = 0.0
    fetch_s: float = 0.0
    fetch_with_nodes_off_s: float = 0.0
    differences: list[str] = field(default_factory=list)
    equal: bool = False


async def demo(arguments: Namespace, out: Output) -> int:
    """Tell the story; return 1 when a byte differed."""
    source = _source(arguments.path)
    off = arguments.nodes * 7 // 10 if arguments.off is None else arguments.off
    if off >= arguments.nodes:
        raise BadInput("at least one node must stay on", code="bad-count")
    story = Story(nodes=arguments.nodes, off=off)
    with tempfile.TemporaryDirectory(prefix="bitcloud-demo-") as temporary:
        home = home_of(arguments) if hasattr(arguments, "home") else Path(temporary)
        await _Demo(arguments, out, story, home, Path(temporary)).tell(source)
    out.answer(story, _ending(story))
    return DONE if story.equal else FAILED


class _Demo:
    def __init__(
        self, arguments: Namespace, out: Output, story: Story, home: Path, temporary: Path
    ) -> None:
        self._arguments = arguments
        self._out = out
        self._story = story
        self._home = home
        self._temporary = temporary

    async def tell(self, source: Path) -> None:
        story = self._story
        self._say(
            f"Starting {story.nodes} storage nodes on this computer, each a process of its own …"
        )
        began = trio.current_time()
        async with (
            run_test_grid(self._home, story.nodes) as grid,
            open_person(grid, name=PERSON, passphrase=passphrase_of(self._arguments)) as client,
        ):
            await self._await_nodes(client, grid)
            story.start_s = trio.current_time() - began
            self._say(f"  ready after {_took(story.start_s)}")
            target = await self._publish(client, source)
            story.fetch_s = await self._fetch(client, source, target, "all nodes on")
            self._say(f"Switching {story.off} of {story.nodes} nodes off, as by a power cut …")
            view = await grid.set_running(story.nodes - story.off)
            self._say(f"  {view.running} nodes are left")
            story.fetch_with_nodes_off_s = await self._fetch(
                client, source, target, f"{story.off} nodes off"
            )
        story.equal = not story.differences

    async def _await_nodes(self, client: Client, grid: TestGridController) -> None:
        """Wait until the client knows every node: the promise depends on how many there are."""
        await grid.set_running(self._story.nodes)
        with trio.move_on_after(SETTLE_S) as waiting:
            promise = (await client.status()).promise
            while not _knows(promise, self._story.nodes):
                await trio.sleep(LOOK_S)
                promise = (await client.status()).promise
            if promise is not None:
                self._story.shares, self._story.needed = promise.shares, promise.needed
        if waiting.cancelled_caught:
            message = "the nodes of the test grid did not find each other"
            raise Unavailable(message, code="too-few-nodes")

    async def _publish(self, client: Client, source: Path) -> str:
        story = self._story
        self._say(f"Publishing {text.plain(str(source))} …")
        began = trio.current_time()
        async with shown_progress(client, self._out, TransferKind.PUBLISH):
            done = await client.publish([source])
        story.publish_s = trio.current_time() - began
        story.files, story.size_bytes = len(done), sum(one.size_bytes for one in done)
        self._say(
            f"  {_files(story.files)}, {text.size(story.size_bytes)}, in {_took(story.publish_s)} "
            f"({text.size(round(story.size_bytes / story.publish_s))}/s)"
        )
        self._say(
            f"  cut into segments, sealed, each coded into {story.shares} blocks on "
            f"{story.shares} nodes; any {story.needed} are enough"
        )
        return _target(done, source)

    async def _fetch(self, client: Client, source: Path, target: str, when: str) -> float:
        self._say(f"Fetching it back with {when} …")
        with tempfile.TemporaryDirectory(dir=self._temporary) as folder:
            began = trio.current_time()
            async with shown_progress(client, self._out, TransferKind.FETCH):
                where = await client.fetch(target, Path(folder))
            took = trio.current_time() - began
            found = await trio.to_thread.run_sync(compare, source, where)
        speed = text.size(round(self._story.size_bytes / took))
        self._say(f"  {_took(took)} ({speed}/s), {_verdict(found)}")
        self._story.differences += [f"{when}: {text.plain(name)}" for name in found.differing]
        return took

    def _say(self, line: str) -> None:
        """The story is the answer where text was asked for, and a remark beside JSON."""
        if self._out.as_json:
            self._out.note(line)
        else:
            self._out.answer(None, [line])


def _source(given: Path | None) -> Path:
    source = SAMPLE if given is None else Path(os.path.abspath(given))
    if not source.exists():
        raise BadInput(f"there is no file or folder {source}", code="no-such-file")
    return source


def _knows(promise: Promise | None, nodes: int) -> bool:
    """Whether a file published now would be spread over all of the grid (of 60 nodes at most)."""
    return promise is not None and promise.shares >= nodes


def _target(done: tuple[Published, ...], source: Path) -> str:
    """Return the path under which ``source`` itself was published: Public/<person>/<its name>."""
    if not done:
        raise BadInput(f"{source} holds no file to publish", code="nothing-to-publish")
    return "/".join(done[0].path.split("/")[:3])


def _verdict(found: Comparison) -> str:
    if found.differing:
        return f"{len(found.differing)} of {_files(found.files)} DIFFER"
    return f"{_files(found.files)} compared, every byte is equal"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _ending(story: Story) -> list[str]:
    if story.equal:
        return [
            f"{_files(story.files)} survived {story.off} of {story.nodes} nodes going dark, "
            "byte for byte."
        ]
    return ["These files differed:", *(f"  {name}" for name in story.differences)]
