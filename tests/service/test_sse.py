"""The splitter of server-sent events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import UpstreamMalformed
from service.sse import EventTooLarge, RawEvent, Splitter

LIMIT = 1_000_000


def split(*chunks: bytes, limit: int = LIMIT) -> list[RawEvent]:
    """All events of a stream that came in these chunks."""
    splitter = Splitter(limit)
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events + splitter.close()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces, cut at the given places."""
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def dispatched(stream: bytes) -> list[tuple[bytes, str | None]]:
    """What the WHATWG rules dispatch, read naively from the whole stream."""
    found: list[tuple[bytes, str | None]] = []
    data: list[bytes] = []
    kind: str | None = None
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in text.split(b"\n")[:-1]:
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if not line:
            found += [(b"\n".join(data), kind)] if data else []
            data, kind = [], None
        elif name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value.decode() or None
    return found


ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
kinds = b"data: one|data:two|data|data:|: ping|event: x|event:|id: 1||||odd|data:  {}|retry: 3|:"
lines = st.sampled_from([*kinds.split(b"|"), b"\xef\xbb\xbfdata: bom"])
streams = st.lists(st.tuples(lines, ends), max_size=14).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)
places = st.lists(st.integers(0, 10_000), max_size=12)


@given(streams | st.binary(max_size=60), places)
def test_any_cut_gives_the_same_events(stream: bytes, at: list[int]) -> None:
    """Where the bytes are cut changes nothing."""
    assert split(*cut(stream, at)) == split(stream)


@given(streams)
def test_single_bytes_give_the_same_events(stream: bytes) -> None:
    """A stream fed byte by byte gives the events of the stream fed whole."""
    assert split(*(bytes([byte]) for byte in stream)) == split(stream)


@given(streams | st.binary(max_size=60), places)
def test_the_raws_are_the_input(stream: bytes, at: list[int]) -> None:
    """No byte is lost, added or moved."""
    assert b"".join(event.raw for event in split(*cut(stream, at))) == stream


@given(streams)
def test_data_and_type_follow_the_standard(stream: bytes) -> None:
    """The complete events with data are those that a naive reader of the standard finds."""
    events = [event for event in split(stream) if event.is_complete and event.data is not None]
    assert [(event.data, event.event) for event in events] == dispatched(stream)


@given(streams, places, st.integers(1, 40))
def test_the_limit_is_indifferent_to_cuts(stream: bytes, at: list[int], limit: int) -> None:
    """The events before one that is too large come out the same, however the bytes came."""

    def until_too_large(chunks: list[bytes]) -> tuple[list[RawEvent], bool]:
        splitter, events = Splitter(limit), []
        try:
            for chunk in chunks:
                events += splitter.feed(chunk)
            events += splitter.close()
        except EventTooLarge:
            return events, True
        return events, False

    assert until_too_large(cut(stream, at)) == until_too_large([stream])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_closes_an_event(end: str) -> None:
    """All three line ends of the standard work."""
    first, second = f"data: a{end}data: b{end}{end}".encode(), f"data: c{end}{end}".encode()
    assert split(first + second) == [RawEvent(first, b"a\nb"), RawEvent(second, b"c")]


def test_an_event_comes_out_with_its_last_byte() -> None:
    """Nothing waits for a byte that is not needed."""
    for end in (b"\n", b"\r\n", b"\r"):
        splitter = Splitter(LIMIT)
        assert splitter.feed(b"data: a" + end + end) == [RawEvent(b"data: a" + end + end, b"a")]


def test_half_a_line_end_is_waited_for() -> None:
    r"""A blank line's \r waits for the \n that may belong to it."""
    splitter = Splitter(LIMIT)
    assert splitter.feed(b"data: a\r\n\r") == []
    assert splitter.feed(b"\ndata: b\r\n\r") == [RawEvent(b"data: a\r\n\r\n", b"a")]
    assert splitter.close() == [RawEvent(b"data: b\r\n\r", b"b")]


def test_a_byte_order_mark_at_the_start_is_not_data() -> None:
    """The mark is kept in the raw bytes and left out of the field name."""
    raw = b"\xef\xbb\xbfdata: a\n\n"
    assert split(raw) == [RawEvent(raw, b"a")]


def test_comments_and_other_fields_carry_no_data() -> None:
    """A comment is an event without data."""
    assert split(b": ping\n\nretry: 3\n\n") == [RawEvent(b": ping\n\n"), RawEvent(b"retry: 3\n\n")]


def test_a_field_without_colon_is_empty() -> None:
    """`data` alone is a data line of no characters."""
    assert split(b"data\n\n") == [RawEvent(b"data\n\n", b"")]


def test_one_space_after_the_colon_goes() -> None:
    """Only the first space is part of the format."""
    assert [event.data for event in split(b"data:a\n\ndata:  b\n\n")] == [b"a", b" b"]


def test_the_event_type_is_read() -> None:
    """The last type given counts, bytes that are not UTF-8 are replaced."""
    raw = b"event: x\nevent: delta\xff\ndata: a\n\n"
    assert split(raw) == [RawEvent(raw, b"a", "delta\ufffd")]


def test_what_has_no_blank_line_is_incomplete() -> None:
    """The rest of a stream that was cut comes out of `close`, marked."""
    raw = b"data: [DONE]\n"
    assert split(b"data: a\n\n", raw)[1:] == [RawEvent(raw, b"[DONE]", is_complete=False)]


def test_close_gives_the_rest_only_once() -> None:
    """A splitter that was closed has nothing left."""
    splitter = Splitter(LIMIT)
    splitter.feed(b"data: a")
    assert len(splitter.close()) == 1
    assert splitter.close() == []


def test_several_events_in_one_chunk() -> None:
    """A chunk may hold many events and the beginning of another."""
    splitter = Splitter(LIMIT)
    assert [event.data for event in splitter.feed(b"data: a\n\ndata: b\n\ndata: c")] == [b"a", b"b"]
    assert [event.data for event in splitter.feed(b"c\n\n")] == [b"cc"]


@pytest.mark.parametrize("chunk", [b"data: " + b"x" * 50 + b"\n\n", b"x" * 60])
def test_an_event_over_the_limit_raises(chunk: bytes) -> None:
    """Both an event that is complete and one that has no end in sight are refused."""
    with pytest.raises(EventTooLarge, match="more than 20 bytes") as caught:
        Splitter(20).feed(chunk)
    assert isinstance(caught.value, UpstreamMalformed)


def test_events_before_one_too_large_come_out() -> None:
    """The error waits until the good events are given out."""
    splitter = Splitter(20)
    assert len(splitter.feed(b"data: a\n\n" + b"x" * 60)) == 1
    with pytest.raises(EventTooLarge):
        splitter.feed(b"data: b\n\n")


def test_ten_megabytes_in_small_chunks_are_one_event() -> None:
    """A very long line is put together without looking at it again for each chunk."""
    splitter = Splitter(20_000_000)
    assert all(splitter.feed(b"x" * 1000) == [] for _ in range(10_000))
    [event] = splitter.feed(b"\n\n")
    assert len(event.raw) == 10_000_002
