import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire.control_frames import ControlFrame, ControlReader, Kind, pack, pack_json

FRAMES = st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=300)), max_size=8)


@given(frames=FRAMES, cuts=st.lists(st.integers(1, 50), max_size=60))
def test_frames_survive_any_cut(frames: list[tuple[Kind, bytes]], cuts: list[int]) -> None:
    data = b"".join(pack(kind, body) for kind, body in frames)
    reader = ControlReader(max_bytes=1000)
    seen = []
    for cut in [*cuts, len(data)]:
        reader.feed(data[:cut])
        data = data[cut:]
        while (frame := reader.next()) is not None:
            seen.append((frame.kind, frame.body))
    assert seen == frames


@given(st.binary(max_size=200))
def test_any_bytes_give_frames_or_malformed(data: bytes) -> None:
    reader = ControlReader(max_bytes=100)
    reader.feed(data)
    try:
        while (frame := reader.next()) is not None:
            assert len(frame.body) <= 100
    except Malformed:
        pass


def test_a_body_beyond_the_bound_is_refused_before_it_arrives() -> None:
    reader = ControlReader(max_bytes=10)
    reader.feed(pack(Kind.CALL, b"x" * 11)[:5])
    with pytest.raises(Malformed):
        reader.next()


def test_a_body_that_is_not_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        ControlFrame(kind=Kind.CALL, body=b"{").json()


def test_names_that_are_not_utf8_travel() -> None:
    reader = ControlReader(max_bytes=100)
    reader.feed(pack_json(Kind.CALL, ["täg"]))
    frame = reader.next()
    assert frame is not None
    assert frame.json() == ["täg"]
