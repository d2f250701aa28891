from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.quality.profile import Profiler, ValueKind

LINE = pa.struct({"text": pa.string(), "amount": pa.float64()})
ORDER = pa.struct({"name": pa.string(), "count": pa.int64(), "lines": pa.list_(LINE)})
LINES = st.none() | st.lists(
    st.none()
    | st.fixed_dictionaries({"text": st.none() | st.text(), "amount": st.none() | st.floats(-9, 9)}),
    max_size=3,
)
ORDERS = st.fixed_dictionaries(
    {"name": st.none() | st.text(max_size=2), "count": st.none() | st.integers(-9, 9), "lines": LINES}
)


def profiled(*batches):
    profiler = Profiler()
    for batch in batches:
        profiler.add(batch)
    return {one.path: one for one in profiler.fields()}


def of(values, kind):
    return profiled(pa.array([{"it": value} for value in values], pa.struct({"it": kind})))["it"]


@given(st.lists(st.lists(ORDERS, min_size=1, max_size=10), min_size=1, max_size=4))
def test_every_figure_agrees_with_plain_python(batches):
    found = profiled(*(pa.array(batch, ORDER) for batch in batches))
    rows = [row for batch in batches for row in batch]
    lines = [line for row in rows for line in row["lines"] or []]
    columns = {
        "name": [row["name"] for row in rows],
        "count": [row["count"] for row in rows],
        "lines[].text": [line and line["text"] for line in lines],
        "lines[].amount": [line and line["amount"] for line in lines],
    }
    for path, values in columns.items():
        there = [value for value in values if value is not None]
        one, plain = found[path], Counter(there)
        assert (one.seen, one.null, one.counts.distinct) == (
            len(values),
            len(values) - len(there),
            len(plain),
        )
        assert [count for _, count in one.counts.top(5)] == [count for _, count in plain.most_common(5)]
        assert all(plain[value] == count for value, count in one.counts.top(5))
        measured = [len(value) if isinstance(value, str) else value for value in there]
        assert one.lowest == min(measured, default=None)
        assert one.highest == max(measured, default=None)
    lengths = [len(row["lines"]) for row in rows if row["lines"] is not None]
    assert found["lines"].highest == max(lengths, default=None)
    assert found["lines"].blank == lengths.count(0)


def test_paths_lead_through_structs_and_lists_in_the_order_of_the_fields():
    kind = pa.struct({"a": pa.struct({"b": pa.list_(LINE)}), "tags": pa.list_(pa.string())})
    paths = ["a", "a.b", "a.b[].text", "a.b[].amount", "tags", "tags[]"]
    assert list(profiled(pa.array([{"a": None, "tags": []}], kind))) == paths


def test_a_field_of_a_null_struct_is_null():
    kind = pa.struct({"a": pa.struct({"b": pa.int64()})})
    found = profiled(pa.array([{"a": None}, {"a": {"b": None}}, {"a": {"b": 1}}], kind))
    assert (found["a"].null, found["a.b"].null, found["a.b"].filled) == (1, 2, 1)


def test_a_result_that_is_no_struct_has_the_name_of_its_column():
    assert list(profiled(pa.array(["a"]))) == ["result"]
    calls = pa.array([[{"name": "book"}]], pa.list_(pa.struct({"name": pa.string()})))
    assert list(profiled(calls)) == ["result", "result[].name"]


def test_white_space_is_not_filled():
    found = of(["a", " \n", "", None], pa.string())
    assert (found.filled, found.blank, found.null) == (1, 3 - 1, 1)


@pytest.mark.parametrize(
    ("kind", "low", "high", "told"),
    [
        (pa.int64(), -3, 8, ValueKind.WHOLE),
        (pa.float64(), -3.5, 8.25, ValueKind.NUMBER),
        (pa.decimal128(12, 2), Decimal("-3.50"), Decimal("8.25"), ValueKind.NUMBER),
        (pa.date32(), date(1969, 1, 1), date(2026, 1, 1), ValueKind.DATE),
        (
            pa.timestamp("us", "UTC"),
            datetime(1969, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 1, tzinfo=UTC),
            ValueKind.MOMENT,
        ),
        (pa.timestamp("us"), datetime(1969, 1, 1), datetime(2026, 1, 1), ValueKind.MOMENT),  # noqa: DTZ001 - naive on purpose
        (pa.time64("us"), time(1), time(23, 59), ValueKind.TIME),
    ],
    ids=str,
)
def test_numbers_and_dates_have_a_range_and_a_histogram(kind, low, high, told):
    found = of([high, None, low], kind)
    assert (found.kind, found.lowest, found.highest) == (told, low, high)
    assert sum(found.spread.histogram().bars) == 2


def test_yes_and_no_are_counted():
    found = of([True, True, False, None], pa.bool_())
    assert found.kind is ValueKind.FLAG
    assert found.counts.top(5) == [(True, 2), (False, 1)]


@pytest.mark.parametrize("kind", [pa.null(), pa.binary(), pa.struct([])], ids=str)
def test_what_says_nothing_to_a_reader_is_only_looked_at_for_null(kind):
    found = of([None, None], kind)
    assert (found.seen, found.null, found.filled) == (2, 2, 0)


def test_a_field_that_never_changes_is_noticed():
    assert of(["EUR"] * 20, pa.string()).is_constant
    assert not of(["EUR"] * 19, pa.string()).is_constant
    assert not of(["EUR"] * 20 + [None], pa.string()).is_constant


def test_slices_of_larger_arrays_count_as_what_they_are():
    whole = pa.array(
        [{"name": "a", "count": 1, "lines": [{"text": "x", "amount": n}]} for n in range(9)], ORDER
    )
    found = profiled(whole.slice(3, 2))
    assert (found["lines[].amount"].lowest, found["lines[].amount"].highest) == (3, 4)
