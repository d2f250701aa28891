from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.memory.plain_arrays import any_bytes, fixed_bytes, numbers, texts

WHOLE = {8: pa.int8(), 32: pa.int32(), 64: pa.int64()}


def lists_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, max_size=20)


@given(st.data(), st.sampled_from(sorted(WHOLE)))
def test_whole_numbers_are_as_arrow_makes_them(data: st.DataObject, bits: int) -> None:
    fitting = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    values = data.draw(lists_of(fitting))
    assert numbers(values, WHOLE[bits]).equals(pa.array(values, WHOLE[bits]))


@given(lists_of(st.floats(width=32, allow_nan=False)))
def test_fractions_are_as_arrow_makes_them(values: list[float | None]) -> None:
    assert numbers(values, pa.float32()).equals(pa.array(values, pa.float32()))


@given(lists_of(st.integers(0, 2**53)))
def test_moments_are_as_arrow_makes_them(values: list[int | None]) -> None:
    moment = pa.timestamp("ms", tz="UTC")
    assert numbers(values, moment).equals(pa.array(values, moment))


@given(lists_of(st.text()), st.sampled_from([pa.string(), pa.large_string()]))
def test_texts_are_as_arrow_makes_them(values: list[str | None], kind: pa.DataType) -> None:
    made = texts(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


@given(lists_of(st.binary()), st.sampled_from([pa.binary(), pa.large_binary()]))
def test_bytes_are_as_arrow_makes_them(values: list[bytes | None], kind: pa.DataType) -> None:
    made = any_bytes(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


@given(lists_of(st.binary(min_size=16, max_size=16)))
def test_bytes_of_one_length_are_as_arrow_makes_them(values: list[bytes | None]) -> None:
    made = fixed_bytes(values, pa.binary(16))
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.binary(16)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError):
        numbers([2**31], pa.int32())
    for values, kind in (
        ([None, True], pa.int64()),
        ([1, 1.5], pa.int64()),
        (["1"], pa.int8()),
    ):
        with pytest.raises(TypeError, match=f"is not stored as {kind}"):
            numbers(values, kind)
    with pytest.raises(TypeError, match="bool is not stored as float"):
        numbers([True], pa.float32())
    with pytest.raises(ValueError, match="not all are of 16 bytes"):
        fixed_bytes([b"short"], pa.binary(16))
    with pytest.raises(UnicodeEncodeError):
        texts(["\ud800"], pa.string())
