"""The auditor's side of an audit: one stream to one node, one question after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from bitcloud_net.core.errors import (
    BadMessage,
    BadProof,
    BadSignature,
    Malformed,
    Refused,
    Unavailable,
)
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.manifest import Manifest
from bitcloud_net.core.keys import NodeId, verify
from bitcloud_net.core.trust import audit
from bitcloud_net.core.trust.audit import Question, Shown, Statement
from bitcloud_net.core.trust.false_claims import ClaimKind, signed_claim
from bitcloud_net.net.network import Stream
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.wire import audit_session as wire
from bitcloud_net.wire.frames import Frame, FrameParser, pack_frame

FAILURES: Final = (BadMessage, BadProof, BadSignature)
"""What a node's wrong answers become."""

_R = TypeVar("_R", bound=wire.Reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A signed answer that holds. ``lack`` is empty, or why the node shows nothing."""

    clock_s: int
    lack: str


class AuditClient:
    """Asks one node. The stream belongs to the caller; limits of time are the caller's, too.

    Every question raises:
        Refused: the node will not answer (code: its own).
        BadMessage: what came is no answer.
        Unavailable: the stream ended.
    """

    def __init__(self, stream: Stream, auditor: NodeId) -> None:
        self._stream = stream
        self._auditor = auditor
        self._parser = FrameParser(wire.MAX_ANSWER_BYTES)
        self._ready: deque[Frame] = deque()
        self._number = 0

    async def ping(self) -> float:
        """Return how many seconds a small question and its answer take."""
        started = trio.current_time()
        await self._ask(wire.Ping(), wire.Pong)
        return trio.current_time() - started

    async def challenge(self, challenge: bytes, period: int) -> Answered:
        """Let the node sign 32 random bytes.

        Raises:
            BadSignature: it did not sign them.
        """
        answer = await self._ask(wire.Challenge(challenge=challenge, period=period), wire.Answer)
        if answer.lack or answer.leaf or answer.leaf_path or answer.block_path:
            raise BadMessage("an answer to another question", peer=self._stream.peer)
        self._check_signature(self._statement(challenge, period, answer, None, None), answer)
        return Answered(clock_s=answer.clock_s, lack="")

    async def show(
        self, challenge: bytes, period: int, question: Question, manifest: Manifest
    ) -> Answered:
        """Let the node show one leaf of a file with this manifest, and check it.

        Raises:
            BadSignature: the node did not sign what it sent.
            BadProof: it signed something that the manifest refutes; the evidence is a whole proof.
        """
        request = wire.ShowLeaf(challenge=challenge, period=period, question=question)
        answer = await self._ask(request, wire.Answer)
        claim: Shown | str = answer.lack or Shown(
            leaf_hash=merkle.leaf_hash(
                manifest.salt, question.share_no, question.segment_no, answer.leaf
            ),
            leaf_path=answer.leaf_path,
            block_path=answer.block_path,
        )
        statement = self._statement(challenge, period, answer, question, claim)
        self._check_signature(statement, answer)
        if isinstance(claim, Shown):
            self._check_claim(manifest, question, claim, statement, answer)
        return Answered(clock_s=answer.clock_s, lack=answer.lack)

    async def which(self, cids: Sequence[bytes]) -> tuple[tuple[int, ...], ...]:
        """Return for each of these files (8 at most) the numbers of the shares that the node says
        it holds.
        """
        held = (await self._ask(wire.Which(cids=tuple(cids)), wire.Holds)).shares
        if len(held) != len(cids):
            raise BadMessage("an answer to another question", peer=self._stream.peer)
        return held

    def _statement(
        self,
        challenge: bytes,
        period: int,
        answer: wire.Answer,
        question: Question | None,
        claim: Shown | str | None,
    ) -> bytes:
        """Return what the node must have signed."""
        return Statement(
            auditor=self._auditor,
            challenge=challenge,
            period=period,
            clock_s=answer.clock_s,
            question=question,
            claim=claim,
        ).encode()

    def _check_signature(self, statement: bytes, answer: wire.Answer) -> None:
        peer = self._stream.peer
        try:
            verify(peer, audit.ANSWER_KIND, statement, answer.signature)
        except Malformed as error:
            raise BadSignature("the node did not sign its answer", peer=peer) from error

    def _check_claim(
        self,
        manifest: Manifest,
        question: Question,
        claim: Shown,
        statement: bytes,
        answer: wire.Answer,
    ) -> None:
        peer = self._stream.peer
        try:
            audit.check_shown(manifest, question, claim)
        except Malformed as error:
            signed = signed_claim(peer, statement, answer.signature)
            proof = Proof.of_claim(ClaimKind.AUDIT, manifest.encode(), signed)
            message = f"node {peer.hex()[:8]} signed a wrong answer to an audit"
            raise BadProof(message, peer=peer, evidence=proof.raw) from error

    async def _ask(self, request: wire.Request, kind: type[_R]) -> _R:
        self._number += 1
        type_, head, _ = wire.pack(request)
        await self._stream.send(pack_frame(self._number, type_, head))
        frame = await self._next()
        try:
            reply = wire.parse_reply(frame.type, frame.head, frame.payload)
        except Malformed as error:
            raise BadMessage(error.message, peer=self._stream.peer) from error
        if frame.request != self._number:
            raise BadMessage("an answer to another question", peer=self._stream.peer)
        if isinstance(reply, wire.RefusedIs):
            raise Refused(reply.text, code=reply.error_code)
        if not isinstance(reply, kind):
            raise BadMessage("an answer to another question", peer=self._stream.peer)
        return reply

    async def _next(self) -> Frame:
        while not self._ready:
            data = await self._stream.receive()
            if not data:
                raise Unavailable("the audit's stream ended", code="stream-ended")
            try:
                self._ready.extend(self._parser.feed(data))
            except Malformed as error:
                raise BadMessage(error.message, peer=self._stream.peer) from error
        return self._ready.popleft()
