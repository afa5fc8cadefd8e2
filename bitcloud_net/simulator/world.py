"""The simulated network: real partner assignment and real reconciliation over a wire of values.

Time goes in steps. In each, every live node has one session with its next partner of the period, in
random order; a partner out of reach is replaced within the step. Rows are items (period and id) of
``ROW_BYTES``; signatures and databases are left out, they have their own tests. What all nodes
hold at first is shared between them in memory, so ten thousand nodes fit in a few hundred
megabytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, log
from random import Random

from blake3 import blake3

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.partners import NodeRing, assign
from bitcloud_net.protocols.row_news import SPARE_HOPS
from bitcloud_net.protocols.row_push import ORIGIN_PEERS, RELAY_PEERS
from bitcloud_net.simulator.scenario import STEP_S, Outcome, Scenario, Step
from bitcloud_net.wire import negentropy
from bitcloud_net.wire.range_index import RangeIndex, id_of, item_of

ROW_BYTES = 350
"""A node row; file rows are about the same."""
HELLO_BYTES = 2 * (11 + 8 + 28)
"""Both greetings with one set."""
FRAME_BYTES = 11 + 4
"""Around each reconciliation message."""
PUSH_HOP_S = 0.4
"""Gathering for 200 ms, a round trip, and checking the signatures."""
STEPS_PER_PERIOD = 16

_FIRST_PERIOD = 2_900_000


@dataclass(slots=True)
class _Node:
    id: NodeId
    half: int
    items: RangeIndex
    live: bool = True
    liar: bool = False
    order: list[NodeId] = field(default_factory=list)


def simulate(scenario: Scenario) -> Outcome:
    """Run one scenario to its end: all hold everything, or the steps are used up."""
    return _World(scenario).run()


class _World:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._random = Random(scenario.seed)
        self._step = 0
        self._sync_bytes = self._row_bytes = self._sessions = self._longest = 0
        base = RangeIndex(self._item(-1 - at // 10) for at in range(scenario.rows))
        self._nodes = {
            node.id: node
            for node in (
                _Node(NodeId(self._random.randbytes(32)), at % 2, base.copy())
                for at in range(scenario.nodes)
            )
        }
        self._ring = NodeRing(self._nodes)
        self._base = base
        self._fresh: dict[bytes, bytes] = {}  # id → item
        self._choose_liars()
        self._publish()
        self._switch_off()

    def run(self) -> Outcome:
        start = time.process_time()
        steps = [self._stand(0.0)]
        if self._scenario.push:
            steps += self._push()
        while steps[-1].complete < 1.0 and self._step < self._scenario.steps:
            self._one_step()
            self._step += 1
            steps.append(self._stand(self._step * STEP_S))
        return Outcome(
            scenario=self._scenario,
            steps=tuple(steps),
            sessions=self._sessions,
            longest=self._longest,
            cpu_ms_per_node=(time.process_time() - start) * 1_000 / self._scenario.nodes,
        )

    # Setting up

    def _item(self, period: int) -> bytes:
        return item_of(_FIRST_PERIOD + period, self._random.randbytes(32))

    def _choose_liars(self) -> None:
        count = int(self._scenario.liars * len(self._nodes))
        for node in self._random.sample(list(self._nodes.values()), count):
            node.liar = True

    def _publish(self) -> None:
        honest = [node for node in self._nodes.values() if not node.liar]
        origins = self._random.sample(honest, min(len(honest), self._scenario.fresh))
        for at in range(self._scenario.fresh):
            item = self._item(0)
            self._fresh[id_of(item)] = item
            origins[at % len(origins)].items.change(add=[item])

    def _switch_off(self) -> None:
        """Switch nodes off, but not all that hold a fresh row, which would be nothing to wait
        for.
        """
        safe = {node.id for node in self._nodes.values() if len(node.items) > len(self._base)}
        others = [node for node in self._nodes.values() if node.id not in safe]
        count = min(len(others), int(self._scenario.off * len(self._nodes)))
        for node in self._random.sample(others, count):
            node.live = False

    # Pulling

    def _one_step(self) -> None:
        if self._step % STEPS_PER_PERIOD == 0:
            for node in self._nodes.values():
                node.order = []
        live = [node for node in self._nodes.values() if node.live]
        self._random.shuffle(live)
        for node in live:
            partner = self._partner(node)
            if partner is not None:
                self._session(node, partner)

    def _partner(self, node: _Node) -> _Node | None:
        if not node.order:
            node.order = self._assigned(node)
        for _ in range(len(node.order)):
            node.order.append(node.order.pop(0))
            partner = self._nodes[node.order[-1]]
            if self._reaches(node, partner):
                return partner
        return None

    def _assigned(self, node: _Node) -> list[NodeId]:
        period = self._step // STEPS_PER_PERIOD
        beacon = blake3(period.to_bytes(8, "big") + bytes([self._scenario.seed & 255])).digest()
        out_of_reach = lambda other: not self._reaches(node, self._nodes[other])  # noqa: E731
        order = list(assign(self._ring, node.id, beacon, is_dead=out_of_reach).all)
        self._random.shuffle(order)
        return order

    def _reaches(self, one: _Node, other: _Node) -> bool:
        split = self._step < self._scenario.split_steps
        return other.live and not (split and one.half != other.half)

    def _session(self, asking: _Node, answering: _Node) -> None:
        self._sessions += 1
        self._sync_bytes += HELLO_BYTES
        ours, theirs = self._shown(asking), self._shown(answering)
        if len(ours) == len(theirs) and ours.total(0, len(ours)) == theirs.total(0, len(theirs)):
            return
        have, need = self._reconcile(ours, theirs)
        if not answering.liar:
            answering.items.change(add=[self._fresh[row_id] for row_id in have])
        asking.items.change(add=[self._fresh[row_id] for row_id in need])
        self._row_bytes += (len(have) + len(need)) * (ROW_BYTES + 32)

    def _shown(self, node: _Node) -> RangeIndex:
        """Return what a node lets others see: liars leave out all that is fresh."""
        return self._base if node.liar else node.items

    def _reconcile(self, ours: RangeIndex, theirs: RangeIndex) -> tuple[set[bytes], set[bytes]]:
        have: set[bytes] = set()
        need: set[bytes] = set()
        query: bytes | None = negentropy.initiate(ours)
        rounds = 1
        while query is not None:
            answer = negentropy.respond(theirs, query)
            self._sync_bytes += len(query) + len(answer) + 2 * FRAME_BYTES
            step = negentropy.proceed(ours, answer)
            have.update(step.have)
            need.update(step.need)
            query = step.message
            rounds += 1
        self._longest = max(self._longest, rounds)
        return have, need

    # Pushing

    def _push(self) -> Iterator[Step]:
        """Let fresh rows hop from peer to peer; a node's peers are its partners, both ways."""
        peers = self._peers()
        wave = [
            (node, set(node.items.items(len(self._base), len(node.items))))
            for node in self._nodes.values()
            if node.live and len(node.items) > len(self._base)
        ]
        hops = SPARE_HOPS + ceil(log(max(1.0, len(self._nodes) / ORIGIN_PEERS), RELAY_PEERS))
        for hop in range(hops + 1):
            wave = self._hop(wave, peers, RELAY_PEERS if hop else ORIGIN_PEERS)
            yield self._stand((hop + 1) * PUSH_HOP_S)

    def _hop(
        self,
        wave: list[tuple[_Node, set[bytes]]],
        peers: dict[NodeId, list[_Node]],
        width: int,
    ) -> list[tuple[_Node, set[bytes]]]:
        reached: dict[NodeId, tuple[_Node, set[bytes]]] = {}
        for node, items in wave:
            if node.liar:
                continue
            chosen = self._random.sample(peers[node.id], min(width, len(peers[node.id])))
            for peer in chosen:
                self._row_bytes += ROW_BYTES * len(items)
                new = {item for item in items if item not in peer.items}
                if new and self._reaches(node, peer):
                    peer.items.change(add=new)
                    reached.setdefault(peer.id, (peer, set()))[1].update(new)
        return list(reached.values())

    def _peers(self) -> dict[NodeId, list[_Node]]:
        peers: dict[NodeId, set[NodeId]] = {node: set() for node in self._nodes}
        for node in self._nodes.values():
            if node.live:
                for other in self._assigned(node):
                    peers[node.id].add(other)
                    peers[other].add(node.id)
        return {node: [self._nodes[o] for o in sorted(others)] for node, others in peers.items()}

    # Measuring

    def _stand(self, seconds: float) -> Step:
        honest = [node for node in self._nodes.values() if node.live and not node.liar]
        whole = len(self._base) + len(self._fresh)
        held = [len(node.items) - len(self._base) for node in honest]
        count = sum(node.live for node in self._nodes.values())
        return Step(
            seconds=seconds,
            complete=sum(len(node.items) == whole for node in honest) / len(honest),
            spread=sum(held) / (len(honest) * max(1, len(self._fresh))),
            sync_bytes=self._sync_bytes // count,
            row_bytes=self._row_bytes // count,
        )
