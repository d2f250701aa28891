"""How much of a reply is taken."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.reply_bytes import (
    MOST_BYTES,
    MOST_MEMBERS,
    MOST_VALUES,
    ReplyBroken,
    ReplyBytes,
    ReplyTooLarge,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def taken(content: bytes, packed_with: str = "", piece: int = 65_536) -> bytes:
    body = ReplyBytes(packed_with)
    for start in range(0, len(content), piece):
        body.add(content[start : start + piece])
    return body.whole()


@given(
    st.binary(max_size=300),
    st.integers(1, 50),
    st.sampled_from(["", "gzip", "deflate", " GZip ", "x-gzip", "identity", "identity, gzip"]),
)
def test_a_body_is_taken_whole_in_whatever_pieces_it_comes(content: bytes, piece: int, packed: str) -> None:
    pack: Callable[[bytes], bytes] = bytes
    if "gzip" in packed.lower():
        pack = gzip.compress
    elif packed == "deflate":
        pack = zlib.compress
    assert taken(pack(content), packed, piece) == content


@given(
    st.lists(st.binary(max_size=80), min_size=1, max_size=6),
    st.integers(1, 40),
    st.sampled_from([b"", b"\0" * 9, b"\n", b"\x1f"]),
)
def test_gzip_of_several_members_is_one_body_and_what_fills_up_its_end_is_none_of_it(
    members: list[bytes], piece: int, behind: bytes
) -> None:
    packed = b"".join(map(gzip.compress, members))
    if behind == b"\x1f":
        with pytest.raises(ReplyBroken, match="too early"):
            taken(packed + behind, "gzip", piece)
    else:
        assert taken(packed + behind, "gzip", piece) == b"".join(members)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_deflate_is_read_with_and_without_its_frame(content: bytes, piece: int) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bare = packer.compress(content) + packer.flush()
    assert taken(bare, "deflate", piece) == taken(zlib.compress(content), "deflate", piece) == content


def test_members_without_end_are_broken_in_time_that_grows_with_their_number() -> None:
    empty = gzip.compress(b"")
    assert taken(empty * MOST_MEMBERS, "gzip") == b""
    with pytest.raises(ReplyBroken, match="more than 10,000 pieces"):
        taken(empty * (MOST_MEMBERS + 1), "gzip")


def test_what_comes_behind_the_end_is_bounded_like_the_body() -> None:
    body = ReplyBytes("gzip")
    body.add(gzip.compress(b"{}"))
    for _ in range(31):
        body.add(bytes(2**20))
    assert body.whole() == b"{}"
    with pytest.raises(ReplyTooLarge):
        body.add(bytes(2**20))


@pytest.mark.parametrize(
    ("content", "begins"), [(b' \n{"data": [', True), (b"[", True), (b"<html>", False), (b"", False)]
)
def test_it_is_known_early_whether_a_body_may_be_an_answer(content: bytes, begins: bool) -> None:  # noqa: FBT001
    body = ReplyBytes("gzip")
    for byte in gzip.compress(content):
        body.add(bytes([byte]))
    assert body.begins_as_json is begins


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
        (b"x", "zstd"),
        (b"x", "gzip, gzip"),
        (b"x", "gzip\x1b[2J" * 100),
    ],
)
def test_what_cannot_be_unpacked_is_broken(content: bytes, packed_with: str) -> None:
    with pytest.raises(ReplyBroken):
        taken(content, packed_with)
