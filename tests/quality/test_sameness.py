from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
from hypothesis import assume, given
from hypothesis import strategies as st

from runware_provider.quality.sameness import comparable, pairs, rule, same, uncompared

LINE = pa.struct({"text": pa.string(), "amount": pa.float64()})
LINES = st.none() | st.lists(
    st.fixed_dictionaries(
        {"text": st.none() | st.sampled_from(["a", " a ", "b"]), "amount": st.none() | st.integers(0, 2)}
    ),
    max_size=2,
)

WHOLE_TYPES = (pa.int8(), pa.int64(), pa.uint8(), pa.uint64())
FRACTION_TYPES = (pa.float64(), pa.decimal128(38, 9), pa.decimal256(76, 60))


def alike(first, second, kind, other_kind=None, tolerance=0.0):
    held = same(pa.array([first], kind), pa.array([second], other_kind or kind), tolerance)
    return held.to_pylist() == [True]


def plainly_same(first, second):
    """The rule again, in plain Python."""
    if isinstance(first, str) and isinstance(second, str):
        return " ".join(first.split()) == " ".join(second.split())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(plainly_same, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return all(plainly_same(first[name], second[name]) for name in first)
    return first == second


@given(st.lists(st.tuples(LINES, LINES)))
def test_lists_of_structs_are_compared_as_plain_python_does(rows):
    kind = pa.list_(LINE)
    first, second = (pa.array([row[side] for row in rows], kind) for side in (0, 1))
    assert same(first, second).to_pylist() == [plainly_same(*row) for row in rows]


@given(st.lists(st.tuples(st.none() | st.text(), st.none() | st.text())))
def test_texts_are_compared_as_plain_python_does(rows):
    first, second = (pa.array([row[side] for row in rows], pa.string()) for side in (0, 1))
    assert same(first, second).to_pylist() == [plainly_same(*row) for row in rows]


def numbers_of(kind):
    """Numbers of an Arrow type, many of them near one another."""
    if pa.types.is_floating(kind):
        near = st.sampled_from(
            [0.0, -0.0, math.inf, -math.inf, math.nan, 1234567890.0, 1234567891.0, 2.0**64]
        )
        return near | st.floats() | st.integers(-3, 3).map(float)
    if pa.types.is_decimal(kind):
        near = st.sampled_from([Decimal(0), Decimal("0.004"), Decimal(1234567890), Decimal("1234567890.1")])
        places = st.integers(-(10**15), 10**15)
        return (near | places.map(Decimal)).filter(
            lambda number: abs(number) < 10 ** (kind.precision - kind.scale)
        )
    signed = pa.types.is_signed_integer(kind)
    least = -(2 ** (kind.bit_width - 1)) if signed else 0
    most = 2 ** (kind.bit_width - signed) - 1
    near = [n for n in (0, 1, 2, 1234567890, 1234567891, 2**53, 2**53 + 1, most, least) if n <= most]
    return st.sampled_from(near) | st.integers(least, most)


def plainly_same_number(first, second, first_type, tolerance):
    """The rule of numbers again, with fractions in the place of whole arrays."""
    if pa.types.is_integer(first_type) or not (math.isfinite(first) and math.isfinite(second)):
        return first == second
    apart = abs(Fraction(first) - Fraction(second))
    allowed = max(abs(Fraction(first)), abs(Fraction(second))) / 10**9 + Fraction(tolerance)
    # Where rounding decides, either answer is right.
    assume(apart == 0 or abs(apart - allowed) > allowed / 10**4)
    return apart <= allowed


@given(st.data())
def test_numbers_of_all_kinds_are_compared_as_plain_python_does(data):
    kinds = st.sampled_from(WHOLE_TYPES + FRACTION_TYPES)
    first_type, second_type = data.draw(kinds), data.draw(kinds)
    first, second = data.draw(numbers_of(first_type)), data.draw(numbers_of(second_type))
    tolerance = data.draw(st.sampled_from([0.0, 0.005, 1.0]))
    expected = plainly_same_number(first, second, first_type, tolerance)
    assert alike(first, second, first_type, second_type, tolerance) == expected


@given(st.text(alphabet=" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2003\u2028\u3000ab"))
def test_all_white_space_counts_alike(text):
    assert alike(text, " ".join(text.split()), pa.string())


def test_numbers_are_the_same_to_a_billionth_of_their_size():
    for first, second in ((1e12, 1e12 + 500), (None, None), (0.1 + 0.2, 0.3)):
        assert alike(first, second, pa.float64())
    for first, second in ((0.001, 0.005), (0.90, 0.904), (10.0, 10.0049), (1e12, 1e12 + 5000), (None, 0.0)):
        assert not alike(first, second, pa.float64())


def test_numbers_may_be_apart_by_as_much_as_is_tolerated_wherever_they_stand():
    assert alike(10.0, 10.005, pa.float64(), tolerance=0.005)
    assert not alike(10.0, 10.0051, pa.float64(), tolerance=0.005)
    line = [{"text": "a", "amount": 1.0}]
    near = [{"text": "a", "amount": 1.004}]
    assert alike(line, near, pa.list_(LINE), tolerance=0.005)
    assert not alike(line, near, pa.list_(LINE))
    assert not alike(1, 2, pa.int64(), tolerance=5)


def test_the_rule_names_the_tolerance_where_there_is_one():
    assert "to a billionth of their size, whole" in rule(0.0)
    assert "to a billionth of their size and 0.005 besides, whole" in rule(0.005)


def test_what_is_left_out_is_named_down_to_the_elements_of_lists():
    first = pa.struct({"g": pa.struct({"x": pa.int64(), "y": pa.string()}), "lines": pa.list_(LINE)})
    line = pa.struct({"text": pa.string(), "amount": pa.float64(), "tax": pa.float64()})
    second = pa.struct({"g": pa.struct({"x": pa.string(), "y": pa.string()}), "lines": pa.list_(line)})
    assert uncompared(first, second) == ["g.x (int64 in A, string in B)", "lines[].tax (only in B)"]
    assert uncompared(first, first) == []


def test_short_floats_equal_what_they_stand_for():
    assert alike(0.1, 0.1, pa.float32(), pa.float64())
    assert alike(Decimal("1234.56"), 1234.56, pa.decimal128(12, 2), pa.float32())
    assert not alike(0.1, 0.1001, pa.float32(), pa.float64())


def test_whole_numbers_are_compared_exactly():
    assert not alike(10**15, 10**15 + 1, pa.int64())
    assert alike(5, Decimal("5.00"), pa.int64(), pa.decimal128(12, 2))
    assert alike(5, 5.0, pa.int64(), pa.float16())
    assert alike(2**64 - 1, 2**64 - 1, pa.uint64())
    assert not alike(-1, 2**64 - 1, pa.int64(), pa.uint64())
    assert not alike(2**24 + 1, 2**24, pa.int64(), pa.float32())
    for other_type in (pa.float64(), pa.decimal128(12, 2)):
        assert not alike(1234567890, 1234567891, pa.int64(), other_type, tolerance=1.0)
    assert alike(10.004, 10, pa.float64(), pa.int64(), tolerance=0.005)


def test_an_infinite_number_equals_only_itself_and_nan_nothing():
    for kind in (pa.float64(), pa.float32()):
        for first, second in ((math.inf, math.inf), (-math.inf, -math.inf), (0.0, -0.0)):
            assert alike(first, second, kind)
        for first, second in (
            (math.inf, -math.inf),
            (1.0, math.inf),
            (math.nan, math.nan),
            (math.inf, math.nan),
        ):
            assert not alike(first, second, kind, tolerance=1.0)
    assert not alike(5, math.inf, pa.int64(), pa.float64())


def test_dates_and_times_equal_their_like():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert alike(noon, noon.replace(tzinfo=None), pa.timestamp("us", "UTC"), pa.timestamp("ms"))
    assert alike(date(2026, 1, 1), noon.replace(hour=0), pa.date32(), pa.timestamp("us", "UTC"))
    assert not alike(date(2026, 1, 1), noon, pa.date32(), pa.timestamp("us", "UTC"))
    assert alike(time(12), time(12), pa.time64("us"), pa.time32("s"))


def test_nothing_but_null_equals_a_column_of_nulls():
    assert same(pa.array(["a", None]), pa.nulls(2)).to_pylist() == [False, True]


def test_only_like_types_are_compared():
    for first, second in (
        (pa.string(), pa.large_string()),
        (pa.int64(), pa.decimal128(5, 2)),
        (pa.list_(LINE), pa.large_list(LINE)),
        (pa.binary(), pa.binary()),
        (pa.null(), pa.int64()),
    ):
        assert comparable(first, second)
    for first, second in (
        (pa.string(), pa.int64()),
        (pa.list_(pa.string()), pa.list_(pa.int64())),
        (LINE, pa.struct({"other": pa.string()})),
    ):
        assert not comparable(first, second)


def test_fields_are_paired_through_structs_and_elements_where_lists_are_as_long():
    kind = pa.struct({"a": pa.struct({"b": pa.int64()}), "lines": pa.list_(LINE), "mine": pa.int64()})
    other = pa.struct({"lines": pa.list_(LINE), "a": pa.struct({"b": pa.int64()})})
    line = {"text": "x", "amount": 1.0}
    first = pa.array([{"a": {"b": 1}, "lines": [line, line]}, {"a": None, "lines": [line]}], kind)
    second = pa.array([{"a": {"b": 1}, "lines": [line, line]}, {"a": None, "lines": []}], other)
    found = {pair.path: pair for pair in pairs(first, second, pa.array(["k1", "k2"]), elements=True)}
    assert list(found) == ["a.b", "lines", "lines[].text", "lines[].amount"]
    assert found["lines[].text"].keys.to_pylist() == ["k1", "k1"]
    assert [pair.path for pair in pairs(first, second, pa.array([1, 2]))] == ["a.b", "lines"]


def test_maps_are_the_same_whatever_the_order_of_their_names():
    kind = pa.map_(pa.string(), pa.float64())
    first = [
        [("a", 1.0)],
        [("a", 1.0), ("b", 2.0)],
        [("a", 1.0)],
        [("a", 1.0)],
        [],
        None,
        None,
        [("a", None)],
    ]
    second = [
        [("a", 1.0 + 1e-12)],
        [("b", 2.0), ("a", 1.0)],
        [("a", 1.5)],
        [("b", 1.0)],
        [],
        None,
        [],
        [("a", None)],
    ]
    got = same(pa.array(first, kind), pa.array(second, kind), 0.0).to_pylist()
    assert got == [True, True, False, False, True, True, False, True]
    assert same(pa.array(first, kind), pa.array(second, kind), 0.6).to_pylist()[2]
