"""Events come out of a stream as the standard has it, wherever its pieces are cut."""

from __future__ import annotations

import itertools
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.event_stream import EventStream

if TYPE_CHECKING:
    from collections.abc import Iterable


def events(*pieces: bytes) -> list[bytes]:
    stream = EventStream()
    return [event for piece in pieces for event in stream.events(piece)]


def cut(content: bytes, places: Iterable[int]) -> list[bytes]:
    """The content in pieces, of which some may be empty."""
    bounds = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in itertools.pairwise(bounds)]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_a_line_ends_in_any_of_three_ways(ending: bytes) -> None:
    content = ending.join([b"data: one", b"", b"data: two", b"", b""])
    assert events(content) == [b"one", b"two"]
    assert events(*[bytes([byte]) for byte in content]) == [b"one", b"two"]


def test_a_line_end_that_is_cut_in_two_is_one_line_end() -> None:
    assert events(b"data: one\r", b"\ndata: two\r", b"\n\r", b"\n") == [b"one\ntwo"]


def test_a_lone_carriage_return_before_a_line_feed_of_its_own_is_told_apart() -> None:
    assert events(b"data: one\r", b"", b"\r", b"data: two\n\n") == [b"one", b"two"]


def test_a_blank_after_the_colon_is_no_part_of_the_value_and_a_second_one_is() -> None:
    assert events(b"data:one\n\ndata: two\n\ndata:  three\n\n") == [b"one", b"two", b" three"]


def test_several_lines_of_data_are_one_event() -> None:
    assert events(b'data: {\ndata:  "a": 1}\n\n') == [b'{\n "a": 1}']


def test_comments_and_other_fields_say_nothing() -> None:
    told = b": keep-alive\n\nevent: ping\nid: 7\nretry: 10\n\n:\ndata: one\n: within\nnonsense\n\n"
    assert events(told) == [b"one"]


def test_a_field_without_a_colon_has_an_empty_value() -> None:
    assert events(b"data\n\ndata\ndata\n\n") == [b"", b"\n"]


def test_one_byte_order_mark_at_the_beginning_is_no_part_of_the_stream() -> None:
    assert events(BOM_UTF8[:1], BOM_UTF8[1:] + b"data: one\n\n") == [b"one"]
    assert events(BOM_UTF8 + BOM_UTF8 + b"data: one\n\n") == []
    assert events(b"data: one\n\n" + BOM_UTF8 + b"data: two\n\n") == [b"one"]


def test_letters_that_readers_of_text_take_for_line_ends_end_no_line() -> None:
    text = "one\u2028two\x85three\x0bfour\x1cfive".encode()
    assert events(b"data: " + text + b"\n\n") == [text]


@pytest.mark.parametrize(
    "last", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r", b"\xef\xbb\xbfdata:[DONE]"]
)
def test_what_the_end_leaves_over_is_an_event_for_whoever_asks(last: bytes) -> None:
    stream = EventStream()
    assert list(stream.events(last)) == []
    assert stream.rest() == b"[DONE]"
    assert stream.rest() is None


def test_nothing_is_left_over_after_a_blank_line() -> None:
    stream = EventStream()
    assert list(stream.events(b"data: one\n\n")) == [b"one"]
    assert stream.rest() is None


def test_no_more_is_kept_than_the_event_that_has_begun() -> None:
    stream = EventStream()
    for _ in range(1_000):
        assert list(stream.events(b": comment\ndata: one\n\n")) == [b"one"]
    assert stream.size == 0
    list(stream.events(b"data: 1234\ndata: 56"))
    assert stream.size == len(b"1234\n") + len(b"data: 56")


LINE = st.binary(max_size=12).filter(lambda line: b"\r" not in line and b"\n" not in line)


@given(
    st.lists(st.lists(LINE, min_size=1, max_size=3), max_size=5),
    st.lists(st.integers(0, 200), max_size=8),
    st.data(),
)
def test_what_was_written_is_read_wherever_it_is_cut(
    written: list[list[bytes]], places: list[int], draw: st.DataObject
) -> None:
    def ending() -> bytes:
        return draw.draw(st.sampled_from([b"\n", b"\r\n"]))

    content = draw.draw(st.sampled_from([b"", BOM_UTF8]))
    for lines in written:
        content += draw.draw(st.sampled_from([b"", b": comment\n", b":\r\n\r\n"]))
        for line in lines:
            blank = b" " if line.startswith(b" ") else draw.draw(st.sampled_from([b"", b" "]))
            content += b"data:" + blank + line + ending()
        content += ending()
    assert events(*cut(content, places)) == [b"\n".join(lines) for lines in written]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_any_bytes_are_read_alike_wherever_they_are_cut(content: bytes, places: list[int]) -> None:
    whole, pieces = EventStream(), EventStream()
    at_once = list(whole.events(content))
    assert [event for piece in cut(content, places) for event in pieces.events(piece)] == at_once
    assert pieces.rest() == whole.rest()
