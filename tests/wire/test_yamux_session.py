from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yamux_chaos import Chaos
from yamux_peers import Pair, frame, headers, sent, session

from bitcloud_net.core.errors import BadInput, Malformed, Unavailable
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.wire.memory_budget import MemoryBudget
from bitcloud_net.wire.noise_records import MAX_PLAINTEXT_BYTES
from bitcloud_net.wire.receive_window import INITIAL_WINDOW_BYTES, MAX_WINDOW_BYTES
from bitcloud_net.wire.yamux_events import PeerLeaves, Ponged, StreamOpened
from bitcloud_net.wire.yamux_frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    GoAwayReason,
    Header,
)
from bitcloud_net.wire.yamux_outbox import MAX_PAYLOAD_BYTES, MAX_UNSENT_ANSWERS
from bitcloud_net.wire.yamux_session import (
    FLOOD_QUESTIONS,
    MAX_STREAMS,
    QUESTIONS_AT_ONCE,
    SURE_STREAMS,
)
from bitcloud_net.wire.yamux_stream import NEXT_STATE, StreamEvent, StreamState

WINDOW = INITIAL_WINDOW_BYTES


def opened_by_peer(machine, stream_id: int = 1):
    (event,) = machine.receive(frame(WINDOW_UPDATE, SYN, stream_id), 1.0)
    return event.stream


# --- a stream's life ---


def test_bytes_arrive_in_order_and_the_end_after_them():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].queue(ours, b"hello ", memoryview(b"world"), b"")
    pair.sides[0].end(ours)
    pair.settle()
    assert pair.read(1, theirs, 4) == b"hell"
    assert not theirs.at_end
    assert pair.read(1, theirs) == b"o world"
    assert theirs.at_end
    assert theirs.state is StreamState.PEER_ENDED
    pair.sides[1].queue(theirs, b"answer")
    pair.sides[1].end(theirs)
    pair.settle()
    assert pair.read(0, ours) == b"answer"
    assert ours.at_end
    assert ours.state is theirs.state is StreamState.ENDED
    assert pair.budget.reserved_bytes == 0
    assert repr(ours) == "<MuxStream 1 ENDED>"


def test_ids_are_odd_for_the_dialler_and_even_for_the_listener():
    pair = Pair()
    assert [pair.sides[0].open(1.0).id for _ in range(3)] == [1, 3, 5]
    assert [pair.sides[1].open(1.0).id for _ in range(3)] == [2, 4, 6]
    pair.settle()  # both at the same time
    assert [stream.id for stream in pair.opened(0)] == [2, 4, 6]
    assert [stream.id for stream in pair.opened(1)] == [1, 3, 5]


def test_a_new_stream_says_syn_in_a_window_update_and_is_acknowledged():
    pair = Pair()
    stream = pair.sides[0].open(1.0)
    pair.sides[0].queue(stream, b"x")
    first = sent(pair.sides[0])
    assert headers(first) == [Header(WINDOW_UPDATE, SYN, 1, 0), Header(DATA, 0, 1, 1)]
    pair.sides[1].receive(first, 1.0)
    assert headers(sent(pair.sides[1])) == [Header(WINDOW_UPDATE, ACK, 1, 0)]


def test_the_end_is_a_frame_of_its_own():
    """js-libp2p takes a flag before the payload of the same frame, and would drop the payload."""
    pair = Pair()
    ours, _ = pair.open()
    pair.sides[0].queue(ours, b"abc")
    pair.sides[0].end(ours)
    assert headers(sent(pair.sides[0])) == [Header(DATA, 0, 1, 3), Header(WINDOW_UPDATE, FIN, 1, 0)]
    again, _ = pair.open()
    pair.sides[0].end(again)
    assert headers(sent(pair.sides[0])) == [Header(WINDOW_UPDATE, FIN, 3, 0)]


def test_a_reset_drops_what_waits_on_both_sides():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].queue(ours, b"x" * 1000)
    pair.settle()
    pair.sides[0].queue(ours, b"y" * 1000)
    pair.sides[0].reset(ours)
    pair.sides[0].reset(ours)
    assert headers(sent(pair.sides[0])) == [Header(WINDOW_UPDATE, RST, 1, 0)]
    pair.sides[1].receive(frame(WINDOW_UPDATE, RST, 1), 1.0)
    assert theirs.state is StreamState.RESET
    assert theirs.readable_bytes == 0
    assert not theirs.at_end
    assert pair.budget.reserved_bytes == 0
    with pytest.raises(Unavailable):
        pair.sides[1].queue(theirs, b"late")


def test_what_came_before_an_end_survives_the_peers_reset():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].queue(ours, b"answer")
    pair.sides[0].end(ours)
    pair.settle()
    pair.sides[0].reset(ours)
    pair.settle()
    assert theirs.state is StreamState.RESET
    assert pair.read(1, theirs) == b"answer"
    assert theirs.at_end


def test_frames_for_streams_that_are_over_are_dropped():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[1].reset(theirs)
    pair.sides[0].queue(ours, b"on its way")
    pair.settle()
    assert ours.state is StreamState.RESET
    other, other_end = pair.open()
    pair.sides[0].queue(other, b"fine")
    pair.settle()
    assert pair.read(1, other_end) == b"fine"


def test_payload_on_its_way_to_a_stream_just_reset_is_dropped():
    machine = session()
    stream = opened_by_peer(machine)
    machine.receive(frame(DATA, FIN, 1, body=b"x" * 50)[:30], 1.0)
    machine.reset(stream)
    machine.receive(b"x" * 32 + frame(PING, SYN, 0, 9), 1.0)
    assert Header(PING, ACK, 0, 9) in headers(sent(machine))


def test_every_row_of_the_state_table_is_reachable_and_nothing_else_moves():
    for (before, event), after in NEXT_STATE.items():
        assert before is not after
        assert before is not StreamState.RESET
        assert (after is StreamState.RESET) == (event is StreamEvent.RESET)


def test_syn_and_data_and_fin_may_come_in_one_frame():
    machine = session()
    (event,) = machine.receive(frame(DATA, SYN | FIN, 1, body=b"all at once"), 1.0)
    assert machine.take(event.stream, 100, 1.0) == b"all at once"
    assert event.stream.at_end


def test_ending_twice_and_sending_after_the_end():
    pair = Pair()
    ours, _ = pair.open()
    pair.sides[0].end(ours)
    pair.sides[0].end(ours)
    with pytest.raises(Unavailable):
        pair.sides[0].queue(ours, b"x")
    assert len(headers(sent(pair.sides[0]))) == 1
    pair.sides[0].end(ours)
    assert sent(pair.sides[0]) == b""


def test_a_stream_that_the_peer_never_ends_expires():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].end(ours)
    ours.left_at = 5.0
    pair.settle()
    pair.sides[0].expire(left_before=5.0)
    assert ours.state is StreamState.WE_ENDED
    pair.sides[0].expire(left_before=6.0)
    pair.settle()
    assert ours.state is theirs.state is StreamState.RESET


def test_leaving_a_stream_that_we_have_ended_lets_the_peer_end_it_too():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].queue(ours, b"the answer")
    pair.sides[0].end(ours)
    pair.settle()
    pair.sides[0].abandon(ours, pair.now)
    pair.settle()
    assert theirs.state is StreamState.PEER_ENDED  # no reset has overtaken the end
    pair.sides[1].end(theirs)
    pair.settle()
    assert ours.state is theirs.state is StreamState.ENDED


def test_leaving_a_stream_resets_it_when_the_peer_goes_on_sending():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].end(ours)
    pair.settle()
    pair.sides[0].abandon(ours, pair.now)
    pair.sides[1].queue(theirs, b"and another thing")
    pair.settle()
    assert ours.state is theirs.state is StreamState.RESET
    assert ours.readable_bytes == 0


def test_leaving_an_open_stream_resets_it():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].abandon(ours, pair.now)
    pair.settle()
    assert ours.state is theirs.state is StreamState.RESET


# --- windows ---


def test_the_sender_stops_at_the_window_and_goes_on_when_the_reader_reads():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].queue(ours, b"x" * (WINDOW + 1000))
    pair.settle()
    assert (ours.queued_bytes, ours.send_window) == (1000, 0)
    assert theirs.readable_bytes == WINDOW
    pair.now += 60  # as long as it likes, without an error
    assert len(pair.read(1, theirs, 1000)) == 1000
    pair.settle()
    assert ours.queued_bytes == 1000  # half a window must be read before an update
    assert len(pair.read(1, theirs, WINDOW // 2)) == WINDOW // 2
    pair.settle()
    assert ours.queued_bytes == 0


def test_one_byte_too_many_ends_the_connection():
    machine = session()
    opened_by_peer(machine)
    machine.receive(frame(DATA, 0, 1, body=b"x" * WINDOW), 1.0)
    sent(machine)
    with pytest.raises(Malformed) as caught:
        machine.receive(frame(DATA, 0, 1, length=1), 1.0)
    assert caught.value.code == "window-overrun"
    assert headers(sent(machine)) == [Header(GO_AWAY, 0, 0, GoAwayReason.PROTOCOL_ERROR)]
    with pytest.raises(Malformed):
        machine.receive(b"", 1.0)


def test_an_overrun_is_seen_on_the_header_before_any_payload():
    machine = session()
    opened_by_peer(machine)
    with pytest.raises(Malformed):
        machine.receive(frame(DATA, 0, 1, length=WINDOW + 1), 1.0)


def test_a_paused_stream_does_not_hold_up_the_others():
    pair = Pair()
    paused, _ = pair.open()
    pair.sides[0].queue(paused, b"x" * (4 * WINDOW))
    pair.settle()
    running, end = pair.open()
    for _ in range(20):
        pair.sides[0].queue(running, b"y" * WINDOW)
        pair.settle()
        pair.now += 10
        assert pair.read(1, end) == b"y" * WINDOW
        pair.settle()


def test_a_fast_reader_gets_a_window_that_holds_what_is_on_its_way():
    pair = Pair()
    pair.sides[1].round_trip_s = 0.2
    ours, theirs = pair.open()
    sizes = []
    for _ in range(40):
        pair.sides[0].queue(ours, b"x" * (ours.send_window - ours.queued_bytes))
        pair.settle()
        pair.now += 0.21
        pair.read(1, theirs)
        pair.settle()
        sizes.append(theirs.window.size)
    assert sizes[-1] == MAX_WINDOW_BYTES
    assert sizes[:3] == sorted(sizes[:3])
    assert sizes[0] > WINDOW
    later, _ = pair.open()  # the next stream need not learn it again
    assert later.send_window == MIB


def test_a_slow_reader_keeps_the_small_window():
    pair = Pair()
    pair.sides[1].round_trip_s = 0.2
    ours, theirs = pair.open()
    for _ in range(20):
        pair.sides[0].queue(ours, b"x" * WINDOW)
        pair.settle()
        pair.now += 10
        pair.read(1, theirs)
        pair.settle()
    assert theirs.window.size == WINDOW


def test_windows_never_grow_beyond_the_budget():
    pair = Pair(budget=MemoryBudget(4 * MIB))
    pair.sides[1].round_trip_s = 0.2
    streams = [pair.open() for _ in range(6)]  # both ends count: 12 windows of 256 KiB
    for ours, theirs in streams:
        for _ in range(3):
            pair.sides[0].queue(ours, bytes(ours.send_window))
            pair.settle()
            pair.now += 0.21
            pair.read(1, theirs)
            pair.settle()
            assert pair.budget.reserved_bytes <= pair.budget.limit_bytes
    assert pair.budget.reserved_bytes > 3 * MIB
    for ours, _ in streams:
        pair.sides[0].reset(ours)
    pair.settle()
    assert pair.budget.reserved_bytes == 0


def test_a_budget_used_up_leaves_four_streams_to_everyone():
    budget = MemoryBudget(20 * WINDOW)
    greedy, modest = session(budget=budget), session(budget=budget)
    for index in range(30):
        greedy.receive(frame(WINDOW_UPDATE, SYN, 2 * index + 1), 1.0)
    assert len(greedy.streams) == 20
    assert headers(sent(greedy))[-1] == Header(WINDOW_UPDATE, RST, 59, 0)
    for index in range(6):
        modest.receive(frame(WINDOW_UPDATE, SYN, 2 * index + 1), 1.0)
    assert len(modest.streams) == SURE_STREAMS
    assert modest.open(1.0).id == 2  # and what we want ourselves


def test_a_window_beyond_32_bits_is_refused():
    machine = session()
    opened_by_peer(machine)
    with pytest.raises(Malformed, match="32 bits"):
        machine.receive(frame(WINDOW_UPDATE, 0, 1, 2**32 - 1), 1.0)


def test_releasing_what_was_never_reserved_is_a_bug():
    with pytest.raises(BadInput):
        MemoryBudget().release(1)


# --- who may do what ---


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (frame(DATA, SYN, 2), "ours to open"),
        (frame(WINDOW_UPDATE, SYN, 1) * 2, "opened twice"),
        (frame(DATA, 0, 2, body=b"x"), "never opened"),
        (frame(DATA, SYN | FIN, 1) + frame(DATA, 0, 1, body=b"x"), "after the end"),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(wire, reason):
    with pytest.raises(Malformed, match=reason):
        session().receive(wire, 1.0)


def test_streams_of_the_peer_are_limited_and_a_place_is_free_again_after_the_end():
    machine = session()
    for index in range(MAX_STREAMS):
        opened_by_peer(machine, 2 * index + 1)
    sent(machine)
    assert machine.receive(frame(DATA, SYN, 999, body=b"dropped"), 1.0) == []
    assert headers(sent(machine)) == [Header(WINDOW_UPDATE, RST, 999, 0)]
    machine.receive(frame(WINDOW_UPDATE, RST, 1), 1.0)
    assert len(machine.receive(frame(DATA, SYN, 1001), 1.0)) == 1


def test_our_own_streams_are_limited_too():
    machine = session(dialled=True, max_streams=2)
    first = machine.open(1.0)
    machine.open(1.0)
    with pytest.raises(Unavailable):
        machine.open(1.0)
    machine.reset(first)
    assert machine.open(1.0).id == 5


def test_a_peer_that_asks_without_reading_is_cut_off():
    machine = session()
    for second in range(MAX_UNSENT_ANSWERS // 256):
        machine.receive(frame(PING, SYN, 0, 1) * 256, 1.0 + second)
    with pytest.raises(Malformed, match="than it reads") as caught:
        machine.receive(frame(PING, SYN, 0, 1), 100.0)
    assert caught.value.code == "flood-limit"


def test_a_peer_that_reads_its_answers_may_ask_for_ever():
    machine = session()
    for second in range(20):
        machine.receive(frame(PING, SYN, 0, 1) * 256, 1.0 + second)
        assert len(sent(machine)) == 256 * 12


def test_streams_beyond_the_measure_are_refused_and_a_flood_of_them_ends_the_connection():
    machine = session()
    answers = []

    def open_and_reset(index: int) -> None:
        stream_id = 2 * index + 1
        machine.receive(frame(DATA, SYN, stream_id) + frame(DATA, RST, stream_id), 1.0)
        answers.extend(headers(sent(machine)))

    for index in range(QUESTIONS_AT_ONCE + FLOOD_QUESTIONS):
        open_and_reset(index)
    flags = [header.flags for header in answers]
    assert flags == [ACK] * QUESTIONS_AT_ONCE + [RST] * FLOOD_QUESTIONS
    with pytest.raises(Malformed) as caught:
        open_and_reset(QUESTIONS_AT_ONCE + FLOOD_QUESTIONS)
    assert caught.value.code == "flood-limit"


def test_an_honest_pace_of_new_streams_is_never_a_flood():
    machine = session()
    for index in range(3 * QUESTIONS_AT_ONCE):
        stream_id = 2 * index + 1
        now = 1.0 + index / 500
        machine.receive(frame(DATA, SYN, stream_id) + frame(DATA, RST, stream_id), now)
        sent(machine)
    assert machine.streams == ()


def test_tiny_frames_do_not_cost_an_object_each():
    machine = session()
    stream = opened_by_peer(machine)
    for _ in range(2000):
        machine.receive(frame(DATA, 0, 1, body=b"x"), 1.0)
    assert len(stream._received) == 1
    assert machine.take(stream, 5000, 1.0) == b"x" * 2000


# --- pings and the end of a connection ---


def test_pings_are_answered_and_measured():
    pair = Pair()
    pair.sides[0].ping(1.0)
    pair.sides[0].ping(1.0)  # one at a time
    assert pair.sides[0].ping_waits_since == 1.0
    pair.now = 1.25
    pair.settle()
    assert pair.events[0] == [Ponged(round_trip_s=0.25)]
    assert pair.sides[0].round_trip_s == 0.25
    assert pair.sides[0].ping_waits_since is None
    pair.sides[0].ping(2.0)
    pair.now = 3.0  # a queue on the way: the shortest one counts
    pair.settle()
    assert pair.sides[0].round_trip_s == 0.25


def test_answers_nobody_asked_for_are_ignored():
    machine = session()
    assert machine.receive(frame(PING, ACK, 0, 0), 1.0) == []
    machine.ping(1.0)
    assert machine.receive(frame(PING, ACK, 0, 77), 1.0) == []


def test_a_side_that_leaves_takes_no_new_streams_and_lets_the_old_ones_run():
    pair = Pair()
    ours, theirs = pair.open()
    pair.sides[0].leave(GoAwayReason.NORMAL)
    pair.sides[0].leave(GoAwayReason.NORMAL)
    pair.settle()
    assert pair.events[1][-1] == PeerLeaves(reason=0)
    for side in (0, 1):
        with pytest.raises(Unavailable):
            pair.sides[side].open(1.0)
    pair.sides[1].queue(theirs, b"still here")
    pair.settle()
    assert pair.read(0, ours) == b"still here"


def test_closing_resets_every_stream_without_a_word():
    pair = Pair()
    ends = [pair.open()[0] for _ in range(3)]
    assert pair.sides[0].close() == ends
    assert {stream.state for stream in ends} == {StreamState.RESET}
    assert sent(pair.sides[0]) == b""


def test_ids_run_out_instead_of_starting_again():
    machine = session(dialled=True)
    machine._next_id = 2**32 - 1
    machine.open(1.0)
    with pytest.raises(Unavailable, match="used up its stream ids"):
        machine.open(1.0)


# --- sending ---


def test_a_bulk_frame_fills_one_noise_record_exactly():
    pair = Pair()
    ours, _ = pair.open()
    pair.sides[0].queue(ours, b"x" * WINDOW)
    pieces = pair.sides[0].data_to_send(4 * MAX_PLAINTEXT_BYTES)
    assert [len(piece) for piece in pieces] == [12, MAX_PAYLOAD_BYTES] * 4
    assert 12 + MAX_PAYLOAD_BYTES == MAX_PLAINTEXT_BYTES


def test_streams_take_turns_frame_by_frame():
    pair = Pair()
    streams = [pair.open()[0] for _ in range(3)]
    for stream in streams:
        pair.sides[0].queue(stream, b"x" * (2 * MAX_PAYLOAD_BYTES))
    turns = [header.stream_id for header in headers(sent(pair.sides[0]))]
    assert turns == [1, 3, 5, 1, 3, 5]


def test_answers_go_before_data():
    pair = Pair()
    ours, _ = pair.open()
    pair.sides[0].queue(ours, b"x" * 1000)
    pair.sides[0].receive(frame(PING, SYN, 0, 5), 1.0)
    assert [header.type for header in headers(sent(pair.sides[0]))] == [PING, DATA]


@pytest.mark.parametrize("max_bytes", [13, 100, 65_519])
def test_what_is_sent_never_exceeds_what_was_asked_for(max_bytes):
    pair = Pair()
    ours, theirs = pair.open()
    for _ in range(5):
        pair.sides[0].ping(1.0)
        pair.sides[0].queue(ours, b"abcdefgh" * 10, b"ij")
    data = sent(pair.sides[0], max_bytes)
    pair.sides[1].receive(data, 1.0)
    assert pair.read(1, theirs) == (b"abcdefgh" * 10 + b"ij") * 5


def test_window_updates_of_one_stream_are_merged():
    pair = Pair()
    ours, theirs = pair.open()
    for _ in range(4):
        pair.sides[0].queue(ours, b"x" * WINDOW)
        pair.pull(0)
        pair.carry(0, 1 << 30)
        pair.now += 10
        for _ in range(2):
            pair.read(1, theirs, WINDOW // 2)
        updates = headers(sent(pair.sides[1]))
        assert updates == [Header(WINDOW_UPDATE, 0, 1, WINDOW)]
        pair.sides[0].receive(frame(WINDOW_UPDATE, 0, 1, WINDOW), pair.now)


def test_those_who_wait_hear_of_every_change_once():
    pair = Pair()
    ours, theirs = pair.open()
    for machine in pair.sides:
        machine.pop_changed()
    pair.sides[0].queue(ours, b"x" * 10)
    pair.settle()
    assert pair.sides[0].pop_changed() == [ours]
    assert pair.sides[1].pop_changed() == [theirs]
    assert pair.sides[1].pop_changed() == []


# --- recorded from other implementations, and the specification's own text ---


def test_what_js_libp2p_says_on_a_connection_is_understood():
    """As @chainsafe/libp2p-yamux 8 writes it: a ping first, a stream by an empty window update
    with SYN, an end by a window update with FIN, a frame as long as the whole window."""
    machine = session()
    assert machine.receive(frame(PING, SYN, 0, 0), 1.0) == []
    (opened,) = machine.receive(frame(WINDOW_UPDATE, SYN, 1, 0), 1.0)
    machine.receive(frame(DATA, 0, 1, body=b"z" * WINDOW), 1.0)
    machine.receive(frame(WINDOW_UPDATE, FIN, 1, 0), 1.0)
    assert machine.take(opened.stream, WINDOW, 1.0) == b"z" * WINDOW
    assert opened.stream.at_end
    assert headers(sent(machine)) == [Header(PING, ACK, 0, 0), Header(WINDOW_UPDATE, ACK, 1, 0)]


def test_an_acknowledgement_may_ride_on_data_or_never_come():
    machine = session(dialled=True)
    stream = machine.open(1.0)
    machine.receive(frame(DATA, ACK, 1, body=b"first answer"), 1.0)
    assert machine.take(stream, 100, 1.0) == b"first answer"
    silent = machine.open(1.0)
    machine.receive(frame(DATA, 0, 3, body=b"no ack at all"), 1.0)
    assert machine.take(silent, 100, 1.0) == b"no ack at all"


def test_an_opening_may_bring_a_larger_window():
    machine = session()
    (opened,) = machine.receive(frame(WINDOW_UPDATE, SYN, 1, 1000), 1.0)
    assert opened.stream.send_window == WINDOW + 1000


# --- everything at once ---


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_two_joined_sessions_never_lose_reorder_or_invent_a_byte(seed):
    """Random calls on both sides, random cuts on the way; then everything runs dry."""
    chaos = Chaos(seed)
    chaos.run()
    chaos.run_dry()
    chaos.check()


@settings(deadline=None)
@given(cut=st.integers(1, 700))
def test_a_recorded_conversation_means_the_same_at_every_cut(cut):
    wire = (
        frame(PING, SYN, 0, 3)
        + frame(WINDOW_UPDATE, SYN, 1, 5)
        + frame(DATA, 0, 1, body=b"a" * 300)
        + frame(DATA, SYN, 3, body=b"b" * 100)
        + frame(DATA, FIN, 1, body=b"c" * 20)
        + frame(WINDOW_UPDATE, RST, 3)
        + frame(GO_AWAY, 0, 0, 0)
    )
    machine, events = session(), []
    for at in range(0, len(wire), cut):
        events += machine.receive(wire[at : at + cut], 1.0)
    first, second, last = events
    assert isinstance(first, StreamOpened)
    assert isinstance(second, StreamOpened)
    assert last == PeerLeaves(reason=0)
    assert machine.take(first.stream, 1000, 1.0) == b"a" * 300 + b"c" * 20
    assert first.stream.at_end
    assert second.stream.state is StreamState.RESET
    assert len(sent(machine)) == 3 * 12


hostile_headers = st.builds(
    lambda type_, flags, stream_id, length, body: frame(type_, flags, stream_id, length, body),
    st.integers(0, 3),
    st.integers(0, 15),
    st.integers(0, 6),
    st.integers(0, 2**32 - 1) | st.integers(0, 300_000),
    st.binary(max_size=60),
)


@settings(deadline=None)
@given(st.lists(hostile_headers | st.binary(max_size=40), max_size=30), st.booleans())
def test_hostile_frames_give_malformed_and_nothing_else(parts, dialled):
    budget = MemoryBudget(4 * MIB)
    machine = session(dialled=dialled, budget=budget)
    machine.open(1.0)
    for part in parts:
        try:
            machine.receive(part, 1.0)
        except Malformed:
            break
        unread = sum(stream.readable_bytes for stream in machine.streams)
        assert unread <= budget.reserved_bytes <= 4 * MIB  # a dozen streams: no more ids in here
        assert len(sent(machine)) <= 64 * KIB
