"""How much of a reply is taken."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.reply_bytes import (
    MOST_BYTES,
    MOST_VALUES,
    ReplyBroken,
    ReplyBytes,
    ReplyTooLarge,
)


def taken(content: bytes, packed_with: str = "", piece: int = 65_536) -> bytes:
    body = ReplyBytes(packed_with)
    for start in range(0, len(content), piece):
        body.add(content[start : start + piece])
    return body.whole()


@given(st.binary(max_size=300), st.integers(1, 50), st.sampled_from(["", "gzip", "deflate", " GZip "]))
def test_a_body_is_taken_whole_in_whatever_pieces_it_comes(content: bytes, piece: int, packed: str) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}.get(packed.strip().lower(), bytes)
    assert taken(pack(content), packed, piece) == content


def test_a_bomb_is_unpacked_no_further_than_there_is_room() -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    with pytest.raises(ReplyTooLarge, match="more than 32 MB"):
        taken(bomb, "gzip")


def test_a_body_that_is_not_packed_has_the_same_bound() -> None:
    body = ReplyBytes()
    body.add(bytes(MOST_BYTES))
    with pytest.raises(ReplyTooLarge):
        body.add(b" ")


@pytest.mark.parametrize("value", [b"[", b"{", b"0,"])
def test_more_values_than_memory_has_room_for_are_not_read(value: bytes) -> None:
    assert taken(value * MOST_VALUES, piece=MOST_BYTES)
    with pytest.raises(ReplyTooLarge, match="2,000,000 values"):
        taken(value * (MOST_VALUES + 1), piece=MOST_BYTES)


@pytest.mark.parametrize(
    ("content", "packed_with"),
    [
        (b"no gzip", "gzip"),
        (gzip.compress(b"an answer", mtime=0)[:-4], "gzip"),
        (b"x", "br"),
        (b"x", "gzip, gzip"),
    ],
)
def test_what_cannot_be_unpacked_is_broken(content: bytes, packed_with: str) -> None:
    with pytest.raises(ReplyBroken):
        taken(content, packed_with)
