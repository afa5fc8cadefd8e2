from __future__ import annotations

import random

import pytest
import vectors_noise
from hypothesis import given
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection
from noise_peers import handshake, identity, payload_of, secret, static_public

from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire.noise_handshake import (
    MAX_HANDSHAKE_MESSAGE_BYTES,
    HandshakeState,
    NoiseHandshake,
)
from bitcloud_net.wire.noise_payload import check_payload, pack_payload
from bitcloud_net.wire.noise_records import RecordOpener, RecordSealer
from bitcloud_net.wire.noise_xx import NoiseXX


@pytest.mark.parametrize("vector", [vectors_noise.CACOPHONY, vectors_noise.SNOW], ids=["c", "s"])
def test_the_published_vectors_come_out_byte_for_byte(vector):
    def side(prefix: str, *, dialled: bool) -> NoiseXX:
        return NoiseXX(
            dialled=dialled,
            static=bytes.fromhex(vector[f"{prefix}_static"]),
            ephemeral=bytes.fromhex(vector[f"{prefix}_ephemeral"]),
            prologue=bytes.fromhex(vector["prologue"]),
        )

    sides = [side("init", dialled=True), side("resp", dialled=False)]
    messages = [(bytes.fromhex(p), bytes.fromhex(c)) for p, c in vector["messages"]]
    for turn, (payload, wire) in enumerate(messages[:3]):
        writer, reader = sides[turn % 2], sides[1 - turn % 2]
        assert writer.our_turn
        assert writer.write_message(payload) == wire
        assert reader.read_message(wire) == payload
    assert sides[0].finished
    assert sides[0].handshake_hash == sides[1].handshake_hash
    if "handshake_hash" in vector:
        assert sides[0].handshake_hash.hex() == vector["handshake_hash"]
    keys = [side.split() for side in sides]
    sealers = [RecordSealer(send) for send, _ in keys]
    openers = [RecordOpener(receive) for _, receive in keys]
    for turn, (payload, wire) in enumerate(messages[3:], start=3):
        record = sealers[turn % 2].seal([payload])
        assert record[2:] == wire
        assert openers[1 - turn % 2].open(record) == [payload]


@given(cuts=st.lists(st.integers(1, 60), max_size=40))
def test_a_handshake_cut_anywhere_gives_both_sides_each_others_keys(cuts):
    dialler, listener = handshake("alice", dialled=True), handshake("bob", dialled=False)
    sizes = iter([*cuts, *[1] * 2000])
    to_listener, to_dialler = bytearray(dialler.receive(b"")), bytearray()
    while to_listener or to_dialler:
        for inbox, machine, outbox in (
            (to_listener, listener, to_dialler),
            (to_dialler, dialler, to_listener),
        ):
            size = next(sizes)
            if inbox:
                piece = bytes(inbox[:size])
                del inbox[:size]
                outbox += machine.receive(piece)
    one, other = dialler.result, listener.result
    assert one.peer == identity("bob")[0]
    assert other.peer == identity("alice")[0]
    assert (one.send_key, one.receive_key) == (other.receive_key, other.send_key)
    assert dialler.state is listener.state is HandshakeState.DONE


def test_bytes_after_the_handshake_belong_to_the_first_record():
    dialler, listener = handshake("alice", dialled=True), handshake("bob", dialled=False)
    last = dialler.receive(listener.receive(dialler.receive(b"")))
    record = RecordSealer(dialler.result.send_key).seal([b"early bird"])
    assert listener.receive(last + record) == b""
    assert RecordOpener(listener.result.receive_key).open(listener.result.rest) == [b"early bird"]


@pytest.mark.parametrize("we_dial", [True, False])
def test_it_talks_to_another_implementation_of_noise(we_dial):
    other = NoiseConnection.from_name(b"Noise_XX_25519_ChaChaPoly_SHA256")
    other.set_keypair_from_private_bytes(Keypair.STATIC, secret("bob static"))
    other.set_as_responder() if we_dial else other.set_as_initiator()
    other.start_handshake()
    ours = handshake("alice", dialled=we_dial)

    def framed(message: bytes) -> bytes:
        return len(message).to_bytes(2, "big") + bytes(message)

    if we_dial:
        other.read_message(ours.receive(b"")[2:])
        last = ours.receive(framed(other.write_message(payload_of("bob"))))
        other.read_message(last[2:])
    else:
        second = ours.receive(framed(other.write_message(b"")))
        other.read_message(second[2:])
        ours.receive(framed(other.write_message(payload_of("bob"))))
    assert ours.result.peer == identity("bob")[0]
    record = RecordSealer(ours.result.send_key).seal([b"x" * 100])
    assert other.decrypt(bytes(record[2:])) == b"x" * 100
    assert RecordOpener(ours.result.receive_key).open(framed(other.encrypt(b"y"))) == [b"y"]


# --- hostile peers ---


def meet(payload: bytes) -> NoiseHandshake:
    """Let a dialler that says ``payload`` of itself meet an honest listener."""
    dialler = handshake("mallory", dialled=True, payload=payload)
    listener = handshake("bob", dialled=False)
    listener.receive(dialler.receive(listener.receive(dialler.receive(b""))))
    return listener


@pytest.mark.parametrize(
    ("kind", "number"), [("RSA", 0), ("Secp256k1", 2), ("ECDSA", 3), ("unknown", 9)]
)
def test_other_kinds_of_keys_are_refused_before_they_are_parsed(kind, number):
    key = bytes([8, number, 0x12, 4]) + b"\xff\xff\xff\xff"  # no key of any kind
    payload = b"\x0a" + bytes([len(key)]) + key + b"\x12\x01x"
    with pytest.raises(Malformed) as caught:
        meet(payload)
    assert caught.value.code == "key-type"


def test_a_stolen_identity_is_refused():
    with pytest.raises(Malformed, match="does not own") as caught:
        meet(payload_of("alice"))  # a true payload, but for another static key
    assert caught.value.code == "bad-signature"


def test_extensions_early_data_and_unknown_fields_are_skipped():
    extensions = b"\x22\x05hello" + b"\x18\x07" + b"\x2d1234" + b"\x3112345678"
    assert meet(payload_of("mallory") + extensions).result.peer == identity("mallory")[0]
    assert meet(extensions + payload_of("mallory")).result.peer == identity("mallory")[0]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x0a",
        b"\x0a\xff",
        b"\x0a" + b"\xff" * 20,
        b"\x0b\x00",
        b"\x0a\x24" + b"\x08\x01\x12\x20" + bytes(31),
        pack_payload(bytes(31), bytes(64)),
        pack_payload(bytes(32), bytes(63)),
        bytes(5000),
    ],
)
def test_broken_payloads_are_refused(payload):
    with pytest.raises(Malformed):
        check_payload(payload, bytes(32))


def test_a_long_message_is_refused_by_its_length():
    listener = handshake("bob", dialled=False)
    with pytest.raises(Malformed, match="4097"):
        listener.receive((MAX_HANDSHAKE_MESSAGE_BYTES + 1).to_bytes(2, "big"))


def test_a_failed_handshake_stays_failed():
    listener = handshake("bob", dialled=False)
    with pytest.raises(Malformed):
        listener.receive(b"\x00\x03abc")
    assert listener.state is HandshakeState.FAILED
    with pytest.raises(Malformed, match="has failed"):
        listener.receive(b"")


@pytest.mark.parametrize("point", [bytes(32), bytes([1]) + bytes(31)])
def test_points_of_small_order_are_refused(point):
    listener = handshake("bob", dialled=False)
    with pytest.raises(Malformed, match="small order"):
        listener.receive(b"\x00\x20" + point)


def test_every_flipped_byte_of_every_message_is_noticed():
    rng = random.Random(7)
    for victim in ("second", "third"):
        dialler, listener = handshake("alice", dialled=True), handshake("bob", dialled=False)
        second = listener.receive(dialler.receive(b""))
        message = bytearray(second if victim == "second" else dialler.receive(second))
        message[rng.randrange(2, len(message))] ^= 1 << rng.randrange(8)
        with pytest.raises(Malformed):
            (dialler if victim == "second" else listener).receive(bytes(message))


def test_messages_out_of_turn_are_our_bug():
    noise = NoiseXX(dialled=True, static=secret("a"), ephemeral=secret("b"))
    with pytest.raises(Malformed, match="out of turn"):
        noise.read_message(b"")


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_give_malformed_and_nothing_else(data, dialled):
    machine = handshake("alice", dialled=dialled)
    try:
        machine.receive(b"")
        machine.receive(data)
    except Malformed:
        assert machine.result is None


def test_static_keys_are_what_the_payload_vouches_for():
    assert check_payload(payload_of("alice"), static_public("alice")) == identity("alice")[0]
