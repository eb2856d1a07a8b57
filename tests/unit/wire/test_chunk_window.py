"""The account of chunks that are ahead of their reader, which both sides keep."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.wire.chunk_window import ChunkWindow
from slither_actors.wire.frames import ProtocolError
from slither_actors.wire.messages import encode, parse_stream_side, stream_side


def test_it_closes_at_so_many_chunks_and_opens_with_credit() -> None:
    window = ChunkWindow(2, 1000)
    assert window.open
    window.sent(1)
    assert window.open
    window.sent(1)
    assert (window.open, window.ahead) == (False, 2)
    assert window.took(1)
    assert (window.open, window.ahead) == (True, 1)


def test_it_closes_at_so_many_bytes_whatever_one_chunk_has() -> None:
    window = ChunkWindow(10, 100)
    window.sent(99)
    assert window.open
    window.sent(5000)
    assert not window.open
    assert window.took(1)
    assert not window.open  # the large one is still ahead
    assert window.took(1)
    assert window.open


def test_credit_for_more_than_was_sent_is_no_credit() -> None:
    window = ChunkWindow(2, 100)
    window.sent(1)
    assert not window.took(2)
    assert window.ahead == 1


@given(
    st.integers(1, 5),
    st.integers(1, 50),
    st.lists(st.one_of(st.tuples(st.just("sent"), st.integers(1, 30)), st.tuples(st.just("took"), st.integers(1, 3)))),
)
def test_the_bound_holds_whatever_comes(chunks: int, size: int, steps: list[tuple[str, int]]) -> None:
    window, ahead = ChunkWindow(chunks, size), list[int]()
    for step, number in steps:
        if step == "sent" and window.open:
            window.sent(number)
            ahead.append(number)
        elif step == "took" and window.took(number):
            del ahead[:number]
        assert window.ahead == len(ahead) <= chunks
        assert sum(ahead) < size + 30
        assert window.open == (len(ahead) < chunks and sum(ahead) < size)


def test_the_side_of_a_stream_comes_back_as_it_was() -> None:
    assert parse_stream_side(stream_side(7, "s", 16, 4096)) == (7, "s", 16, 4096)
    assert parse_stream_side(stream_side("name", None, 1, 1)) == ("name", None, 1, 1)


@pytest.mark.parametrize(
    "side", [b"\xc1", encode([1, None, 16]), encode([1, None, 0, 1]), encode([1, 2, 3, 4]), encode([1, None, True, 1])]
)
def test_any_other_side_is_refused(side: bytes) -> None:
    with pytest.raises(ProtocolError, match="the side of a stream"):
        parse_stream_side(side)
