from __future__ import annotations

import uuid
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.quality.expected import MISSES_SHOWN, Expected, Hits
from runware_provider.quality.figures import Rows
from runware_provider.quality.keys import comparable_keys

RESULT = pa.struct({"vendor": pa.string(), "total": pa.float64(), "day": pa.date32()})
SCHEMA = pa.schema({"key": pa.string(), "result": RESULT})


def add(hits, keys, results, succeeded=None):
    answered = pa.array(succeeded or [True] * len(keys))
    hits.add(Rows(keys, keys, results, answered, pa.table({})))


def counted(wanted, *batches):
    """Batches of (key, result or None)."""
    hits = Hits(wanted)
    for batch in batches:
        results = pa.array([result for _, result in batch], RESULT)
        succeeded = [result is not None for _, result in batch]
        add(hits, pa.array([key for key, _ in batch], pa.string()), results, succeeded)
    return hits


@given(
    st.lists(st.tuples(st.sampled_from("abcdxy"), st.none() | st.sampled_from(["u", " u", "v"])), min_size=1)
)
def test_hits_agree_with_plain_python(rows):
    right = {"a": "u", "b": "v", "c": None, "d": "u "}
    table = pa.table({"key": list(right), "vendor": list(right.values())})
    wanted = Expected(table, "key", SCHEMA, RESULT)
    counter = counted(wanted, [(key, {"vendor": vendor}) for key, vendor in rows])
    known = [(key, vendor) for key, vendor in rows if key in right]
    hits = [(vendor or "").strip() == (right[key] or "").strip() for key, vendor in known]
    assert counter.compared == len(known)
    found = counter.fields[0]
    assert (found.hits, found.of) == (sum(hits), len(hits))


def test_rows_without_a_result_are_in_no_rate_but_told():
    wanted = Expected(pa.table({"key": ["a", "b"], "vendor": ["u", "v"]}), "key", SCHEMA, RESULT)
    counter = counted(wanted, [("a", {"vendor": "u"}), ("b", None), ("x", None)])
    assert (counter.compared, counter.without_result) == (1, 1)
    assert (counter.fields[0].hits, counter.fields[0].of) == (1, 1)


def test_misses_name_the_record_and_both_values_and_end_at_twenty():
    keys = [f"k{number}" for number in range(30)]
    wanted = Expected(pa.table({"key": keys, "total": [1.0] * 30}), "key", SCHEMA, RESULT)
    batch = [(key, {"total": 2.0}) for key in keys]
    shown = counted(wanted, batch[:15], batch[15:]).fields[0].misses
    misses = [(miss.record, miss.got, miss.expected) for miss in shown]
    assert misses == [(key, 2.0, 1.0) for key in keys[:MISSES_SHOWN]]


def test_what_is_taken_for_what_is_counted():
    labels = pa.struct({"result": pa.string()})
    schema = pa.schema({"key": pa.int64(), "result": pa.string()})
    wanted = Expected(pa.table({"key": range(9), "result": list("aaabbbccc")}), "key", schema, labels)
    counter = Hits(wanted)
    got = pa.array([{"result": one} for one in [*"bbaabb", None, None, "c"]], labels)
    add(counter, pa.array(range(9), pa.int64()), got)
    assert counter.fields[0].mixups == [("b", "a", 2), (None, "c", 2)]


def test_long_texts_are_not_held_to_count_them():
    texts = pa.struct({"result": pa.string()})
    schema = pa.schema({"key": pa.int64(), "result": pa.string()})
    counter = Hits(Expected(pa.table({"key": [1, 2], "result": ["a", "b"]}), "key", schema, texts))
    add(counter, pa.array([1, 2]), pa.array([{"result": "x" * 300}] * 2, texts))
    assert not counter.fields[0].confused
    assert len(counter.fields[0].misses) == 2


def test_texts_out_of_a_csv_file_are_read_as_the_field_is():
    table = pa.table({"key": ["a"], "total": ["12.50"], "day": ["2026-01-02"]})
    wanted = Expected(table, "key", SCHEMA, RESULT)
    counter = counted(wanted, [("a", {"total": 12.5, "day": date(2026, 1, 2)})])
    assert [(one.path, one.hits) for one in counter.fields] == [("total", 1), ("day", 1)]


def test_other_columns_are_left_alone_and_named():
    table = pa.table({"key": ["a"], "total": [1.0], "layout": ["grid"]})
    assert Expected(table, "key", SCHEMA, RESULT).left_out == ["layout"]


@pytest.mark.parametrize(
    ("columns", "key", "complaint"),
    [
        ({"key": ["a"], "total": [1.0]}, "id", "the expected values have no column 'id'"),
        ({"id": ["a"], "total": [1.0]}, "id", "the dataset has no column 'id'"),
        ({"key": ["a", None], "total": [1.0, 2.0]}, "key", "1 rows have no key"),
        ({"key": ["a", "a"], "total": [1.0, 2.0]}, "key", "rows 0 and 1 .* have the same key"),
        ({"key": [], "total": []}, "key", "it holds no row"),
        ({"key": [[1]], "total": [1.0]}, "key", "its keys are list"),
        ({"key": ["a"], "sum": [1.0]}, "key", "none of its columns is named like a field of the result"),
        (
            {"key": list("abcde"), "total": ["1", "2", None, "much", "too"]},
            "key",
            "total holds text that is no number, first in row 3",
        ),
        ({"key": ["a"], "day": [7]}, "key", "day is int64, but the field of the result is date32"),
    ],
)
def test_expected_values_that_do_not_go_with_the_dataset_are_refused(columns, key, complaint):
    with pytest.raises(BadInput, match=complaint):
        Expected(pa.table(columns), key, SCHEMA, RESULT)


@pytest.mark.parametrize(
    "columns", [{"key": ["secret"] * 2, "total": [1, 2]}, {"key": ["a"], "total": ["secret"]}]
)
def test_a_refusal_quotes_no_value_since_it_may_go_into_a_log(columns):
    with pytest.raises(BadInput) as refused:
        Expected(pa.table(columns), "key", SCHEMA, RESULT)
    assert "secret" not in str(refused.value)


def test_keys_of_another_width_still_find_their_rows():
    schema = pa.schema({"key": pa.int64(), "result": RESULT})
    table = pa.table({"key": pa.array([7], pa.int32()), "total": [1.0]})
    found, _ = Expected(table, "key", schema, RESULT).find(pa.array([6, 7, None], pa.int64()))
    assert found.to_pylist() == [1]


def test_categories_of_pandas_are_read_as_what_they_stand_for(lake):
    lake.put([lake.row(f"k{n}", {"vendor": "AB"[n % 2], "total": float(n)}) for n in range(3)])
    table = pa.table({"key": ["k0", "k1", "k2"], "vendor": ["A", "A", "A"]})
    encoded = pa.table({name: table[name].dictionary_encode() for name in table.column_names})
    categories = pa.dictionary(pa.int32(), pa.string())
    lake.put([lake.row(f"k{n}", {"vendor": "AB"[n % 2]}) for n in range(3)], "b", key_type=categories)
    for name in "ab":
        for expected in (table, encoded):
            (vendor,) = lake.look(name, expected=expected, key="key").hits.fields
            assert (vendor.hits, vendor.of) == (2, 3)


def test_an_expected_number_that_the_field_cannot_hold_is_a_miss(lake):
    lake.put(
        [lake.row(0, {"count": -1}), lake.row(1, {"count": 7})], result_type=pa.struct({"count": pa.int64()})
    )
    table = pa.table({"key": [0, 1], "count": pa.array([2**64 - 1, 7], pa.uint64())})
    (count,) = lake.look(expected=table, key="key").hits.fields
    assert (count.hits, count.of) == (1, 2)


@pytest.mark.parametrize("kind", [pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.uuid()])
@pytest.mark.parametrize("given", [pa.string(), pa.string_view()])
def test_keys_meet_whatever_holds_them(kind, given):
    ids = [str(uuid.UUID(int=number)) for number in range(2)]
    stored = [uuid.UUID(one).bytes for one in ids] if kind == pa.uuid() else ids
    table = pa.table({"key": pa.array(ids, given), "vendor": pa.array(["u", "v"], given)})
    wanted = Expected(table, "key", pa.schema({"key": kind, "result": RESULT}), RESULT)
    keys = comparable_keys(pa.chunked_array([pa.array(stored, kind)])).combine_chunks()
    hits = Hits(wanted)
    add(hits, keys, pa.array([{"vendor": "u"}, {"vendor": "u"}], RESULT))
    assert (hits.compared, hits.fields[0].hits, hits.fields[0].of) == (2, 1, 2)
    (miss,) = hits.fields[0].misses
    assert (miss.record, miss.got, miss.expected) == (ids[1], "u", "v")
