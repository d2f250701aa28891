from __future__ import annotations

from functools import partial

import pyarrow as pa
import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.quality import published
from runware_provider.quality.comparison_document import comparison_document, comparison_parts
from runware_provider.quality.keeping import keep
from runware_provider.quality.room import BRIEF, WHOLE

LINES = pa.struct({"total": pa.float64(), "lines": pa.list_(pa.struct({"amount": pa.float64()}))})


def told(found, room=BRIEF):
    return comparison_document(found, room)


def rows(lake, values, **inference):
    return [
        lake.row(key, None if vendor is Ellipsis else {"vendor": vendor, "total": 1.0}, **inference)
        for key, vendor in values.items()
    ]


def field(found, path):
    return next(one for one in found.fields if one.path == path)


def test_each_field_is_the_same_changed_or_only_in_one(lake):
    lake.put(rows(lake, {1: "a", 2: "a", 3: "a", 4: None, 5: None, 6: ...}), "a")
    lake.put(rows(lake, {1: " a ", 2: "b", 3: None, 4: "c", 5: None, 6: "x"}), "b")
    found = lake.compare()
    one = field(found, "vendor")
    assert (one.same, one.changed, one.only_first, one.only_second) == (2, 1, 1, 1)
    assert [*one.examples] == [
        (2, "a", "b"),
        (3, "a", None),
        (4, None, "c"),
    ]
    assert found.both_succeeded == 5


def test_outcomes_are_crossed(lake):
    lake.put(rows(lake, {1: "a", 2: "a", 3: ...}), "a")
    lake.put(rows(lake, {1: "a", 2: ..., 3: "a"}), "b")
    found = lake.compare()
    assert found.outcomes == {
        ("succeeded", "succeeded"): 1,
        ("succeeded", "invalid"): 1,
        ("invalid", "succeeded"): 1,
    }
    assert "1 record succeeded in A only, 1 in B only, of 3." in told(found)


@pytest.mark.parametrize("parts", [1, 7])
def test_rows_meet_in_whatever_order_they_come(lake, parts):
    values = {n: str(n % 5) for n in range(200)}
    shuffled = sorted(values.items(), key=lambda one: one[0] * 7919 % 211)
    lake.put(rows(lake, values), "a", parts=parts)
    lake.put(rows(lake, dict(shuffled[:150])), "b", parts=3)
    found = lake.compare()
    assert (found.joined, found.unmet) == (150, [50, 0])
    assert field(found, "vendor").same == 150


def test_rows_meet_over_tables_of_any_size(lake, monkeypatch):
    monkeypatch.setattr(published, "TABLE_ROWS", 3)  # a constant, or the test would need 100,000 rows
    values = {n: str(n) for n in range(40)}
    lake.put(rows(lake, values), "a", parts=9)
    lake.put(rows(lake, dict(reversed(values.items()))), "b", parts=11)
    found = lake.compare()
    assert (found.joined, found.unmet) == (40, [0, 0])
    assert field(found, "vendor").same == 40


def test_keys_of_unlike_width_still_meet(lake):
    lake.put(rows(lake, {1: "a"}), "a", key_type=pa.int32())
    lake.put(rows(lake, {1: "a"}), "b", key_type=pa.int64())
    assert lake.compare().joined == 1


def test_samples_of_a_record_meet_one_by_one(lake):
    for name in "ab":
        both = [*rows(lake, {1: "x"}, sample=0), *rows(lake, {1: "y"}, sample=1)]
        lake.put(both if name == "a" else both[::-1], name)
    assert field(lake.compare(), "vendor").same == 2


def test_a_record_with_several_samples_is_named_with_its_sample(lake):
    for name in "ab":
        two = [*rows(lake, {1: "x"}, sample=0), *rows(lake, {1: name}, sample=1)]
        lake.put(two, name, records=1)
    expected = {"key": [1], "vendor": ["y"]}
    found, report = lake.compare(), lake.look("a", expected=expected, key="key")
    assert field(found, "vendor").examples == [("1, sample 1", "a", "b")]
    misses = [(miss.record, miss.got, miss.expected) for miss in report.hits.fields[0].misses]
    assert misses == [("1, sample 0", "x", "y"), ("1, sample 1", "a", "y")]


def test_without_a_key_rows_meet_by_their_order(lake):
    lake.put(rows(lake, {1: "a", 2: "b"}), "a")
    lake.put(rows(lake, {8: "a", 9: "c"}), "b")
    found = lake.compare(key=None)
    assert (found.joined, field(found, "vendor").changed) == (2, 1)
    assert "joined by their order" in told(found)


def test_the_order_tells_nothing_where_the_numbers_of_rows_differ(lake):
    lake.put(rows(lake, {1: "a", 2: "b"}), "a")
    lake.put(rows(lake, {1: "a"}), "b")
    with pytest.raises(BadInput, match="A has 2 rows and B 1"):
        lake.compare(key=None)


def test_a_key_that_is_there_twice_is_refused_with_an_example(lake):
    lake.put(rows(lake, {1: "a"}), "a")
    lake.put([*rows(lake, {1: "a"}), *rows(lake, {1: "b"})], "b", parts=2)
    with pytest.raises(BadInput, match="1 values of 'key' are in B more than once, for example '1' 2 times"):
        lake.compare()


def test_a_key_that_is_null_or_missing_is_refused(lake):
    lake.put(rows(lake, {1: "a", None: "b"}), "a")
    lake.put(rows(lake, {1: "a"}), "b")
    with pytest.raises(BadInput, match="'key' is null in A"):
        lake.compare()
    with pytest.raises(BadInput, match="A has no column 'id'"):
        lake.compare(key="id")


def test_expected_values_need_a_key(lake):
    with pytest.raises(BadInput, match="expected values need a key column"):
        lake.compare(key=None, expected={"key": [1]})


def test_the_one_that_is_right_more_often_is_named(lake):
    lake.put(rows(lake, dict.fromkeys(range(40), "right")), "a")
    lake.put(rows(lake, {n: "right" if n < 20 else "wrong" for n in range(40)}), "b")
    expected = {"key": list(range(40)), "vendor": ["right"] * 40, "total": [1.0] * 40}
    found = lake.compare(expected=expected)
    vendor, total = found.duels
    assert (vendor.first, vendor.second, vendor.only_first, vendor.only_second) == (40, 20, 20, 0)
    assert (vendor.winner, total.winner) == ("A", "")
    assert "A is right more often in `vendor`." in told(found)
    assert "| `vendor` | 100 % | 50 % | 20 | 0 | A is better (p < 0.001) |" in told(found)
    assert "| `total` | 100 % | 100 % | 0 | 0 | no difference |" in told(found)


def test_a_small_difference_is_not_called_one(lake):
    lake.put(rows(lake, dict.fromkeys(range(10), "right")), "a")
    lake.put(rows(lake, {n: "right" if n < 7 else "wrong" for n in range(10)}), "b")
    found = lake.compare(expected={"key": list(range(10)), "vendor": ["right"] * 10})
    assert found.duels[0].winner == ""
    assert "no clear difference (p = 0.250)" in told(found)
    assert "On 10 records neither is clearly right more often." in told(found)


def test_no_result_counts_as_wrong_unless_neither_was_asked(lake):
    skipped = lake.row(3, None, outcome="skipped", error_code="empty")
    lake.put([*rows(lake, {1: "right", 2: "right"}), skipped], "a")
    lake.put([*rows(lake, {1: "right", 2: ...}), skipped], "b")
    found = lake.compare(expected={"key": [1, 2, 3], "vendor": ["right", "right", None]})
    assert found.expected_rows == 2
    assert (found.duels[0].first, found.duels[0].second, found.duels[0].of) == (2, 1, 2)


def test_lists_are_the_same_when_every_element_is(lake):
    one = {"total": 1.0, "lines": [{"amount": 1.0}, {"amount": 2.0}]}
    other = {"total": 1.0, "lines": [{"amount": 1.0}, {"amount": 3.0}]}
    lake.put([lake.row(1, one), lake.row(2, one)], "a", LINES)
    lake.put([lake.row(1, one), lake.row(2, other)], "b", LINES)
    found = lake.compare()
    assert (field(found, "lines").same, field(found, "lines").changed) == (1, 1)


def test_fields_that_cannot_be_compared_are_named(lake):
    lake.put(
        [lake.row(1, {"a": "x", "b": 1, "c": 1})],
        "a",
        pa.struct({"a": pa.string(), "b": pa.int64(), "c": pa.int64()}),
    )
    lake.put(
        [lake.row(1, {"b": "1", "c": 1.0, "d": "x"})],
        "b",
        pa.struct({"b": pa.string(), "c": pa.float64(), "d": pa.string()}),
    )
    found = lake.compare()
    assert found.incomparable == ["a (only in A)", "d (only in B)", "b (int64 in A, string in B)"]
    assert [one.path for one in found.fields] == ["c"]


def test_a_headline_never_says_all_the_same_without_what_was_not_compared(lake):
    lake.put([lake.row(1, {"b": 1, "c": 1})], "a", pa.struct({"b": pa.int64(), "c": pa.int64()}))
    lake.put([lake.row(1, {"b": "1", "c": 1})], "b", pa.struct({"b": pa.string(), "c": pa.int64()}))
    lake.put([lake.row(1, {"z": 1})], "c", pa.struct({"z": pa.int64()}))
    text = lake.comparison()
    assert "All values that can be compared are the same in the 1 row that succeeded in both." in text
    assert "- ⚠ Not compared: `b (int64 in A, string in B)`." in text
    text = lake.comparison("a", "c")
    assert "No field could be compared: `b (only in A)`, `c (only in A)`, `z (only in B)`." in text


def test_numbers_may_be_apart_by_the_tolerance_and_the_page_says_so(lake):
    lake.put([lake.row(1, {"vendor": "a", "total": 1.0})], "a")
    lake.put([lake.row(1, {"vendor": "a", "total": 1.004})], "b")
    expected = {"key": [1], "total": [1.0]}
    strict, lenient = lake.compare(expected=expected), lake.compare(expected=expected, tolerance=0.005)
    assert (field(strict, "total").changed, strict.duels[0].second) == (1, 0)
    assert (field(lenient, "total").same, lenient.duels[0].second) == (1, 1)
    for text in (told(lenient), told(lenient, WHOLE), lake.comparison(tolerance=0.005)):
        assert "numbers to a billionth of their size and 0.005 besides" in text


def test_cost_tokens_and_times_stand_side_by_side(lake):
    lake.put(rows(lake, {1: "a"}, latency_s=1.0), "a", cost_usd=0.01)
    lake.put(rows(lake, {1: "a"}, latency_s=3.0), "b", cost_usd=0.015)
    markdown = lake.comparison()
    assert "1,000 rows cost 10.00 USD with A and 15.00 USD with B: B is 50 % dearer." in markdown
    assert "| cost per 1,000 rows | 10.00 USD | 15.00 USD |" in markdown
    assert "| latency p50 / p90 / p99 / max | 1.00 s / 1.00 s / 1.00 s / 1.00 s | 3.00 s" in markdown


@pytest.mark.parametrize(
    ("first", "second"), [({}, {}), ({}, {1: "a"}), ({1: "a"}, {2: "a"}), ({1: ...}, {1: ...})]
)
def test_datasets_that_share_nothing_are_compared_all_the_same(lake, first, second):
    lake.put(rows(lake, first), "a")
    lake.put(rows(lake, second), "b")
    found = lake.compare(expected={"key": [1], "vendor": ["a"]})
    assert told(found).startswith("# Side by side")


def test_plain_texts_are_compared(lake):
    for name, text in (("a", "Hello"), ("b", "Hullo")):
        lake.put([lake.row(1, text)], name, pa.string())
    assert field(lake.compare(), "result").changed == 1


def test_the_markdown_fits_into_150_lines(lake):
    kind = pa.struct({f"f{n}": pa.string() for n in range(100)})
    for name in "ab":
        lake.put([lake.row(n, {f"f{m}": name for m in range(100)}) for n in range(20)], name, kind)
    found = lake.compare(expected={"key": list(range(20)), **{f"f{n}": ["a"] * 20 for n in range(100)}})
    assert len(told(found).splitlines()) <= 150


def test_a_comparison_is_kept_under_both_publishes(lake):
    lake.put(rows(lake, {1: "a"}), "a")
    lake.put(rows(lake, {1: "a"}), "b", publish_id="p2")
    found = lake.compare()
    assert told(found, WHOLE) == told(lake.compare(), WHOLE)
    assert keep(lake.place("b"), found.name, partial(comparison_parts, found))["html"].endswith(
        "b.state/reports/p1-and-p2.html"
    )


def test_a_tidy_key_of_text_is_not_taken_for_another(lake):
    lake.put(rows(lake, {"a": "x", "a ": "y"}), "a")
    lake.put(rows(lake, {"a ": "y", "a": "x"}), "b")
    assert field(lake.compare(), "vendor").same == 2


def test_flattened_datasets_compare_as_if_they_were_not(lake):
    lake.put(rows(lake, {1: "a", 2: "b", 3: ...}), "a", flatten=True)
    lake.put(rows(lake, {1: "a", 2: "c", 3: "a"}), "b")
    lake.put(rows(lake, {1: "a", 2: "c", 3: "a"}), "c", flatten=True)
    for other in ("b", "c"):
        found = lake.compare("a", other, expected={"key": [1, 2], "vendor": ["a", "b"]})
        one = field(found, "vendor")
        assert (one.same, one.changed, found.incomparable) == (1, 1, [])
        assert found.expected_rows == 2
