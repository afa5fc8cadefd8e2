"""What is fuzzed: each target takes any bytes and may raise nothing.

The first bytes of an input choose what happens, so that a fuzzer reaches what lies behind the
encryption: a target seals, signs and frames on the attacker's side where that is needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from importlib import resources

import nacl.bindings

from bitcloud_net.core.errors import Malformed, Unavailable
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.nodepool.typed_tables import apply_row, remove_row
from bitcloud_net.wire.memory_budget import MemoryBudget
from bitcloud_net.wire.noise_handshake import MAX_HANDSHAKE_MESSAGE_BYTES, NoiseHandshake
from bitcloud_net.wire.noise_payload import pack_payload, to_sign
from bitcloud_net.wire.noise_records import RecordOpener, RecordSealer
from bitcloud_net.wire.noise_xx import NoiseXX
from bitcloud_net.wire.receive_window import INITIAL_WINDOW_BYTES
from bitcloud_net.wire.yamux_events import StreamOpened
from bitcloud_net.wire.yamux_frames import FrameParser, Header, pack_header
from bitcloud_net.wire.yamux_session import YamuxSession
from bitcloud_net.wire.yamux_stream import MuxStream
from tests.core.row_samples import SAMPLES

KEY = bytes(32)
STATIC, EPHEMERAL, OTHER_STATIC, OTHER_EPHEMERAL = (bytes([n]) * 32 for n in (1, 2, 3, 4))
PUBLIC, SECRET = nacl.bindings.crypto_sign_seed_keypair(bytes([5]) * 32)
BUDGET_BYTES = 4 * MIB


class Choices:
    """An input, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        return next(iter(self.bytes(1)), 0)

    def number(self, size: int) -> int:
        return int.from_bytes(self.bytes(size), "big")

    def bytes(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        return self.bytes(len(self._data))

    def cuts(self, wire: bytes) -> Iterator[bytes]:
        """Yield ``wire`` in pieces of chosen sizes."""
        while wire:
            size = self.byte() or len(wire)
            yield wire[:size]
            wire = wire[size:]


def fuzz_records(data: bytes) -> None:
    """The record parser gets genuine records, broken ones and noise, cut anywhere."""
    choices, sealer, opener = Choices(data), RecordSealer(KEY), RecordOpener(KEY)
    sent, received = b"", b""
    genuine = True
    while choices:
        kind, plain = choices.byte(), choices.bytes(choices.byte() * 4)
        wire = bytearray(sealer.seal([plain])) if kind < 200 else bytearray(plain)
        sent += plain
        if kind >= 100 and wire:
            genuine = False
            wire[choices.byte() % len(wire)] ^= choices.byte()
        for piece in choices.cuts(bytes(wire)):
            try:
                received += b"".join(opener.open(piece))
            except Malformed:
                assert not genuine
                return
    assert not genuine or received == sent
    assert sent.startswith(received) or not genuine


def fuzz_handshake(data: bytes) -> None:
    """Either side of a handshake meets raw bytes, or a peer that says strange things of itself."""
    choices = Choices(data)
    kind = choices.byte()
    machine = NoiseHandshake(
        dialled=bool(kind & 1), static=STATIC, ephemeral=EPHEMERAL, payload=bytes(104)
    )
    try:
        if kind & 2:
            _meet_stranger(machine, choices, payload=_payload(kind, choices))
        else:
            machine.receive(b"")
            for piece in choices.cuts(choices.rest()):
                machine.receive(piece)
    except Malformed:
        assert machine.result is None
    assert len(machine._buffer) <= 2 + MAX_HANDSHAKE_MESSAGE_BYTES + len(data)


def _payload(kind: int, choices: Choices) -> bytes:
    """A payload that is wholly the fuzzer's, or a true one with something added or broken."""
    if kind & 4:
        return choices.rest()[:3000]
    other = NoiseXX(dialled=True, static=OTHER_STATIC, ephemeral=OTHER_EPHEMERAL)
    public = other._own["s"].public_key().public_bytes_raw()
    signature = nacl.bindings.crypto_sign(to_sign(public), SECRET)[:64]
    payload = bytearray(pack_payload(PUBLIC, signature))
    if kind & 8:
        payload[choices.byte() % len(payload)] ^= choices.byte()
    return bytes(payload + choices.bytes(choices.byte()))


def _meet_stranger(machine: NoiseHandshake, choices: Choices, payload: bytes) -> None:
    dialled = machine._noise.our_turn
    stranger = NoiseXX(dialled=not dialled, static=OTHER_STATIC, ephemeral=OTHER_EPHEMERAL)
    inbox = machine.receive(b"")
    while not stranger.finished:
        if stranger.our_turn:
            last = stranger._next > 0
            message = stranger.write_message(payload if last else b"")
            for piece in choices.cuts(len(message).to_bytes(2, "big") + message):
                inbox += machine.receive(piece)
        else:
            size = int.from_bytes(inbox[:2], "big")
            stranger.read_message(inbox[2 : 2 + size])
            inbox = inbox[2 + size :]
    if machine.result is not None:
        assert machine.result.peer == PUBLIC  # the only identity whose secret is in here


def fuzz_frames(data: bytes) -> None:
    """The frame parser gets anything, in pieces; nothing is lost, nothing is held."""
    choices, parser = Choices(data), FrameParser()
    size = choices.byte() or 1
    wire = choices.rest()
    fed = passed = 0
    for at in range(0, len(wire), size):
        piece = wire[at : at + size]
        fed += len(piece)
        try:
            items = parser.feed(piece)
        except Malformed:
            return
        passed += sum(12 if isinstance(item, Header) else len(item) for item in items)
        assert passed <= fed < passed + 12


def fuzz_muxer(data: bytes) -> None:
    """A session gets the fuzzer's frames while its own side opens, sends, reads and resets."""
    choices = Choices(data)
    budget = MemoryBudget(BUDGET_BYTES)
    session = YamuxSession(dialled=bool(choices.byte() & 1), budget=budget)
    streams: list[MuxStream] = []
    now = 0.0
    while choices:
        now += choices.byte() / 1000
        try:
            _act(session, choices, streams, now)
        except Unavailable:
            pass
        except Malformed:
            break
        unread = sum(stream.readable_bytes for stream in session.streams)
        sure = len(session.streams) * INITIAL_WINDOW_BYTES
        assert unread <= budget.reserved_bytes <= BUDGET_BYTES + sure
    session.data_to_send(MIB)
    session.close()
    assert budget.reserved_bytes == 0


def _act(session: YamuxSession, choices: Choices, streams: list[MuxStream], now: float) -> None:
    kind = choices.byte()
    if kind < 160:
        wire = _frame(kind, choices)
        for event in session.receive(wire, now):
            if isinstance(event, StreamOpened):
                streams.append(event.stream)
    elif kind < 170:
        streams.append(session.open(now))
    elif kind < 180:
        session.data_to_send(choices.number(2) + 12)
        session.pop_changed()
    elif streams:
        _use(session, streams[choices.byte() % len(streams)], kind, choices, now)


def _use(session: YamuxSession, stream: MuxStream, kind: int, choices: Choices, now: float) -> None:
    if kind < 200:
        session.take(stream, choices.number(3), now)
    elif kind < 215:
        session.queue(stream, bytes(choices.number(2)))
    elif kind < 225:
        session.end(stream)
    elif kind < 235:
        session.reset(stream)
    elif kind < 240:
        session.abandon(stream, now)
    elif kind < 245:
        session.expire(left_before=now)
    elif kind < 250:
        session.ping(now)


def _frame(kind: int, choices: Choices) -> bytes:
    """A frame that is well formed, with small numbers; or the fuzzer's own twelve bytes."""
    if kind < 20:
        return choices.bytes(12)
    type_, flags = choices.byte() % 4, choices.byte() % 16
    stream_id = choices.byte() % 8 if type_ < 2 else 0
    if type_ == 0:
        body = bytes(choices.number(2) if kind > 120 else choices.byte())
        return pack_header(type_, flags, stream_id, len(body) + (kind == 50)) + body
    return pack_header(type_, flags, stream_id, choices.number(1 + kind % 4))


def fuzz_rows(data: bytes) -> None:
    """A stranger's row: the fuzzer's own bytes, or a good row of some table with bytes changed,
    looked at as if its signature held. What parses fits SQL.
    """
    choices = Choices(data)
    sample = SAMPLES[Table(list(SAMPLES)[choices.byte() % len(SAMPLES)])]
    raw = bytearray(sample.row().raw)
    if choices.byte() < 32:
        raw = bytearray(choices.rest())
    while choices:
        raw[choices.number(2) % len(raw)] = choices.byte()
    try:
        row = SignedRow.parse(bytes(raw))
        apply_row(SCHEMA, RULES[row.table], row)
        remove_row(SCHEMA, RULES[row.table], row.key)
        row.verify()
    except Malformed:
        return


def _schema() -> sqlite3.Connection:
    sql = resources.files("bitcloud_net.nodepool").joinpath("schema/nodepool.sql")
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.executescript(sql.read_text("utf-8"))
    return connection


SCHEMA = _schema()

TARGETS: dict[str, Callable[[bytes], None]] = {
    "records": fuzz_records,
    "handshake": fuzz_handshake,
    "frames": fuzz_frames,
    "muxer": fuzz_muxer,
    "rows": fuzz_rows,
}

LONGEST_INPUT_BYTES = 4 * KIB
