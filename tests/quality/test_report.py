from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.run_record import PastRun
from runware_provider.quality.report_document import short_report
from runware_provider.quality.room import BRIEF, WHOLE

SAMPLE = Path(__file__).with_name("report.md")
LINE = pa.struct({"text": pa.string(), "amount": pa.float64()})
INVOICE = pa.struct(
    {
        "vendor": pa.string(),
        "country": pa.string(),
        "total": pa.float64(),
        "confidence": pa.float64(),
        "pages": pa.int64(),
        "lines": pa.list_(LINE),
    }
)
MONEY = {
    "paid_inferences": 12,
    "paid_usd": 0.005,
    "reused_inferences": 3,
    "reused_usd": 0.001,
    "cost_usd_ever": 0.07,
}
BEFORE = PastRun(
    run="r0",
    state="published",
    started_at="2026-11-22T09:00:00+00:00",
    finished_at="2026-11-22T09:30:00+00:00",
    model="gpt-5-mini",
    rows=40,
    outcomes={"succeeded": 20, "invalid": 20},
    paid_usd=0.04,
    cost_usd=0.04,
    publish_id="p0",
    hits={"vendor": {"hits": 3, "of": 40}, "total": {"hits": 39, "of": 40}},
)


def invoice(number):
    return {
        "vendor": f"Vendor {number % 4}" if number % 9 else None,
        "country": "DE",
        "total": number * 1.5,
        "pages": 1 + number % 3,
        "lines": [{"text": f"Thing {line}", "amount": 0.5 * line} for line in range(number % 4)],
    }


def invoices(lake, count, **inference):
    return [lake.row(n, {"vendor": f"Shop {n}", "total": float(n)}, **inference) for n in range(count)]


def remarks(markdown):
    return [line.removeprefix("- ") for line in markdown.splitlines() if line.startswith("- ")]


def test_a_report_reads_like_the_sample(lake, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    rows = [
        lake.row(
            n,
            {**invoice(n), "confidence": 0.5 + n % 40 / 80},
            latency_s=1 + n * n / 40,
            mends=["fence", "unknown_keys"] if n % 8 == 0 else [],
        )
        for n in range(40)
    ]
    rows += [
        lake.row(
            40, None, error_message="$.total: 'much' is not of type 'number'; $.lines[3].text: Field required"
        ),
        lake.row(41, None, error_message="$.total: 'tres' is not of type 'number'", attempts=2, reasks=1),
        lake.row(42, None, outcome="skipped", error_code="empty"),
    ]
    texts = [f"Invoice {n} of Vendor 1, {'very ' * 30}much to pay: {n * 1.5:,.2f} EUR" for n in range(43)]
    lake.put(
        rows, result_type=INVOICE, parts=3, texts=texts, destination="lake/invoices", inferences=42, **MONEY
    )
    lake.note_history(BEFORE)
    expected = {
        "key": list(range(43)),
        "vendor": ["Vendor 1"] * 43,
        "total": [n * 1.5 for n in range(43)],
        "note": [""] * 43,
    }
    told = lake.report(expected=expected, key="key")
    assert told == SAMPLE.read_text(encoding="utf-8")


def test_the_same_dataset_gives_the_same_report_to_the_letter_however_its_rows_are_spread_over_files(lake):
    rows = [lake.row(n, {"vendor": str(n % 3), "total": n / 7} if n % 5 else None) for n in range(50)]
    lake.put(rows, "a", parts=1, destination="same")
    lake.put(rows, "b", parts=9, destination="same")
    assert lake.report("a", WHOLE) == lake.report("a", WHOLE) == lake.report("b", WHOLE)


def test_only_rows_that_succeeded_count_in_the_fields(lake):
    lake.put([lake.row(1, {"vendor": None, "total": 1.0}), lake.row(2, None)])
    seen = {one.path: (one.seen, one.null) for one in lake.look().fields}
    assert seen == {"vendor": (1, 1), "total": (1, 0)}


@pytest.mark.parametrize(
    ("rows", "said"), [(0, "The dataset has no rows."), (3, "Not a single row succeeded.")]
)
def test_a_dataset_without_a_single_result_has_a_report(lake, rows, said):
    lake.put([lake.row(n, None) for n in range(rows)])
    told = lake.report()
    assert said in told
    assert "## Fields" not in told


def test_decimals_are_shown_without_the_zeros_of_their_type(lake):
    kind = pa.struct({"total": pa.decimal128(38, 18)})
    lake.put([lake.row(n, {"total": Decimal(n) / 10}) for n in (0, 1, 12_345_678_000)], "a", kind)
    told = lake.report(expected={"key": [1], "total": [Decimal("0.20")]}, key="key")
    assert "| 0 to 1,234,567,800 |" in told
    assert "| `1` | `0.1` | `0.2` |" in told
    assert "000000" not in told


def test_a_single_row_without_a_result_is_spoken_of_as_one(lake):
    lake.put([lake.row(1, {"vendor": "A", "total": 1.0}), lake.row(2, None)])
    told = lake.report(expected={"key": [1, 2], "total": [1.0, 2.0]}, key="key")
    assert "1 row with expected values has no result and is in no rate." in told


def test_plain_texts_have_a_report(lake):
    lake.put([lake.row(1, "Hello"), lake.row(2, "Hello")], result_type=pa.string())
    assert "| `result` | text | 100 % | 0 | 1 | 5 characters |  |  | `Hello` 2 |" in lake.report()


def test_numbers_may_be_apart_by_the_tolerance_and_the_report_says_so(lake):
    lake.put(invoices(lake, 10))
    expected = pa.table({"key": list(range(10)), "total": [0.0] + [n + 0.001 for n in range(1, 9)] + [1.0]})
    strict, lenient = (lake.report(expected=expected, key="key", tolerance=apart) for apart in (0.0, 0.005))
    assert "| `total` | 10 % |" in strict
    assert "0.005 besides" not in strict
    assert "| `total` | 90 % | 59.6\u201398.2 % | 9 | 10 |" in lenient
    assert "0.005 besides" in lenient
    assert "### `total`: 1 miss\n" in lenient


def test_expected_values_without_a_key_are_refused_and_the_shared_columns_named(lake):
    lake.put(invoices(lake, 1))
    with pytest.raises(BadInput, match="both have: key"):
        lake.look(expected={"key": [1], "vendor": ["A"]})


def test_the_brief_report_fits_into_150_lines_and_the_whole_one_leaves_nothing_out(lake):
    kind = pa.struct({f"f{n}": pa.string() for n in range(200)})
    messages = "; ".join(f"$.f{n}: Field required" for n in range(30))
    rows = [
        lake.row(n, {f"f{m}": "x" for m in range(200)}, mends=[f"mend {n}"], attempts=n, reasks=n)
        for n in range(30)
    ]
    rows += [lake.row(99 + n, None, error_code=f"code {n}", error_message=messages) for n in range(30)]
    lake.put(rows, result_type=kind)
    expected = {"key": list(range(30)), **{f"f{n}": ["y"] * 30 for n in range(200)}}
    brief, whole = (lake.report(room=room, expected=expected, key="key") for room in (BRIEF, WHOLE))
    assert len(brief.splitlines()) <= 150
    assert "more fields are in the page." in brief
    assert "### `f199`: the first 20 of 30 misses" in whole


def test_the_short_report_has_what_stands_out_the_figures_and_the_rates(lake):
    lake.put([lake.row(number, {"vendor": "A", "total": 1.0}) for number in range(30)])
    short = short_report(
        lake.look(expected={"key": list(range(30)), "vendor": ["A"] * 29 + ["B"]}, key="key")
    )
    assert "| `vendor` | 96.7 % | 83.3\u201399.4 % | 29 | 30 |" in short
    assert "30 rows compared" in short
    assert "## Fields" not in short
    assert short.count("\n") <= 50


def test_rows_that_were_shown_what_did_not_fit_are_told(lake):
    lake.put(
        [
            *invoices(lake, 3, attempts=2, reasks=1),
            *(lake.row(n, {"vendor": "A"}, reasks=0) for n in range(3, 10)),
        ]
    )
    told = lake.report()
    assert (
        "30 % of the rows were asked again because the answer did not fit; that helped 100 % of them." in told
    )
    assert "| output retried, as the answer did not fit | 30 % (100 % mended) |" in told
    assert "| output retried 1 time, as the answer did not fit | 3 | 30 % |" in told


def test_with_samples_rows_and_records_are_told_apart(lake):
    lake.put([lake.row(n // 2, {"vendor": "A", "total": 1.0}, sample=n % 2) for n in range(6)], records=3)
    assert "| rows | 6 of 3 records |" in lake.report()


def test_a_flattened_dataset_has_the_same_report(lake):
    rows = [lake.row(1, {"vendor": "a", "total": 1.5}), lake.row(2, None), lake.row(3, {"vendor": "b"})]
    expected = {"key": [1, 3], "vendor": ["a", "x"]}
    for name, flatten in (("a", False), ("b", True)):
        lake.put(rows, name, flatten=flatten, destination="same")
    assert lake.report("a", expected=expected, key="key") == lake.report("b", expected=expected, key="key")


def test_of_too_many_different_values_the_number_is_a_bound_and_the_report_says_so(lake):
    lake.put([lake.row(n, {"vendor": f"{n} {'x' * 100_000}", "total": 1.0}) for n in range(200)])
    told = lake.report()
    assert "| over 200 |" in told
    assert "over 200 different, such as" in told
    assert "the rare ones are not counted" in told


# what stands out


def test_all_is_well_is_said_in_one_sentence(lake):
    lake.put(invoices(lake, 30))
    assert remarks(lake.report()) == ["✓ Every row succeeded: 30 of 30."]


def test_the_worst_comes_first_with_its_reason(lake):
    failed = [lake.row(99 + n, None, error_message="$.total: Field required") for n in range(3)]
    lake.put([*invoices(lake, 17), *failed], maybe_billed=1)
    assert remarks(lake.report())[:2] == [
        "⚠ 15 % invalid (3 rows): mostly `schema`, above all `$.total: Field required`.",
        "⚠ 1 attempt may have been billed without an answer.",
    ]


@pytest.mark.parametrize(
    ("manifest", "inference", "sentence"),
    [
        ({"cost_unreported": 2}, {}, "The API reported no cost for 2 answers: the bill will be higher."),
        ({}, {"attempts": 2}, "100 % of the rows took more than one attempt."),
        ({}, {"mends": ["fence"]}, "100 % of the rows had their answer mended: `fence`."),
        ({}, {"finish_reason": "length"}, "3 answers stopped at the limit of tokens (finish `length`)."),
    ],
)
def test_what_the_bill_or_the_answers_have_in_common_is_said(lake, manifest, inference, sentence):
    lake.put(invoices(lake, 3, **inference), **manifest)
    assert sentence in remarks(lake.report())


def test_fields_that_say_nothing_are_named(lake):
    kind = pa.struct({"a": pa.string(), "b": pa.string(), "c": pa.string()})
    lake.put(
        [lake.row(n, {"a": None, "b": "x", "c": None if n else "y"}) for n in range(40)], result_type=kind
    )
    sentences = remarks(lake.report())
    assert sentences[0] == "⚠ Never filled: `a`."
    assert "Filled in less than 5 % of the rows: `c`." in sentences
    assert "The same in every row: `b`." in sentences


def test_stragglers_are_noticed(lake):
    rows = [lake.row(n, {"total": float(n)}, latency_s=60.0 if n < 2 else 1.5) for n in range(50)]
    lake.put(rows)
    assert "One answer in a hundred took longer than 60.0 s; the usual one took 1.50 s." in remarks(
        lake.report()
    )


def test_the_least_correct_field_is_named_and_perfect_hits_are_good_news(lake):
    lake.put(invoices(lake, 10))
    expected = {"key": list(range(10)), "vendor": ["?"] * 10, "total": [float(n) for n in range(10)]}
    worst = remarks(lake.report(expected=expected, key="key"))[0]
    assert worst == "⚠ Least often as expected: `vendor`, 0 % of 10 (95 % interval 0\u201327.8 %)."
    assert remarks(lake.report(expected={"key": [77], "vendor": ["?"]}, key="key"))[0] == (
        "⚠ No row with a result has expected values: check the key."
    )
    perfect = remarks(lake.report(expected={"key": [1], "total": [1.0]}, key="key"))
    assert "✓ Every field is as expected wherever there are expected values." in perfect


def test_there_are_never_more_than_eight_remarks(lake):
    outcomes = ["invalid", "failed", "refused", "skipped"] * 5
    rows = [
        lake.row(n, None, outcome=name, attempts=3, mends=["a", "b", "c"]) for n, name in enumerate(outcomes)
    ]
    lake.put([*rows, *invoices(lake, 2, finish_reason="length")], maybe_billed=1, cost_unreported=1)
    assert len(remarks(lake.report())) == 8
