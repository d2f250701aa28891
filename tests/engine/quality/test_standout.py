from __future__ import annotations

import pyarrow as pa
import pytest

from runware_provider.engine.quality.standout import REMARKS, remarks


def said(found):
    return [one.told(str) for one in remarks(found)]


def invoices(lake, count, **inference):
    return [lake.row(n, {"vendor": f"Shop {n}", "total": float(n)}, **inference) for n in range(count)]


def test_all_is_well_is_said_in_one_sentence(lake):
    lake.put(invoices(lake, 30))
    assert said(lake.report()) == ["Every row succeeded: 30 of 30."]


def test_the_worst_comes_first(lake):
    rows = [
        *invoices(lake, 17),
        *(lake.row(99 + n, None, error_message="$.total: Field required") for n in range(3)),
    ]
    lake.put(rows)
    assert (
        said(lake.report())[0] == "15 % invalid (3 rows): mostly schema, above all $.total: Field required."
    )


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ({"maybe_billed": 1}, "1 attempt may have been billed without an answer."),
        ({"cost_unreported": 2}, "The API reported no cost for 2 answers: the bill will be higher."),
    ],
)
def test_what_the_bill_may_hold_besides_is_said(lake, manifest, sentence):
    lake.put(invoices(lake, 3), **manifest)
    assert sentence in said(lake.report())


@pytest.mark.parametrize(
    ("inference", "sentence"),
    [
        ({"attempts": 2}, "100 % of the rows took more than one attempt."),
        ({"mends": ["fence"]}, "100 % of the rows had their answer mended: fence."),
        ({"finish_reason": "length"}, "3 answers stopped at the limit of tokens (finish length)."),
    ],
)
def test_what_the_answers_have_in_common_is_said(lake, inference, sentence):
    lake.put(invoices(lake, 3, **inference))
    assert sentence in said(lake.report())


def test_fields_that_say_nothing_are_named(lake):
    kind = pa.struct({"a": pa.string(), "b": pa.string(), "c": pa.string()})
    lake.put(
        [lake.row(n, {"a": None, "b": "x", "c": None if n else "y"}) for n in range(40)], result_type=kind
    )
    sentences = said(lake.report())
    assert sentences[0] == "Never filled: a."
    assert "Filled in less than 5 % of the rows: c." in sentences
    assert "The same in every row: b." in sentences


def test_stragglers_are_noticed(lake):
    rows = invoices(lake, 50)
    for number in (1, 2):
        rows[number]["inference"] = {**rows[number]["inference"], "latency_s": 60.0}
    lake.put(rows)
    assert "One answer in a hundred took longer than 60.0 s; the usual one took 1.50 s." in said(
        lake.report()
    )


def test_the_least_correct_field_is_named_with_its_interval(lake):
    lake.put(invoices(lake, 10))
    expected = {"key": list(range(10)), "vendor": ["?"] * 10, "total": [float(n) for n in range(10)]}
    sentences = said(lake.report(expected=expected, key="key"))
    assert sentences[0] == "Least often as expected: vendor, 0 % of 10 (95 % interval 0\u201327.8 %)."


def test_a_key_that_finds_nothing_is_said(lake):
    lake.put(invoices(lake, 3))
    found = lake.report(expected={"key": [77], "vendor": ["?"]}, key="key")
    assert said(found)[0] == "No row with a result has expected values: check the key."


def test_perfect_hits_are_good_news(lake):
    lake.put(invoices(lake, 2))
    found = lake.report(expected={"key": [1], "total": [1.0]}, key="key")
    assert "Every field is as expected wherever there are expected values." in said(found)


def test_there_are_never_more_than_a_few_remarks(lake):
    outcomes = ["invalid", "failed", "refused", "skipped"] * 5
    rows = [
        lake.row(n, None, outcome=one, attempts=3, mends=["a", "b", "c"]) for n, one in enumerate(outcomes)
    ]
    lake.put([*rows, *invoices(lake, 2, finish_reason="length")], maybe_billed=1, cost_unreported=1)
    assert len(remarks(lake.report())) == REMARKS
