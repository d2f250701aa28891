"""What a text names is spelt as the options of the command line."""

from __future__ import annotations

import pytest

from runware_provider.engine.option_words import as_options

SPELT = {
    "leave one out with Publish(columns=[...])": "leave one out with --columns A,B",
    "wait longer, with limits.lease_wait_s.": "wait longer, with --lease-wait-s.",
    "with when_short='partial'.": "with --when-short partial.",
    "300 at most (limits.unreachable_s)": "300 at most (--unreachable-s)",
    "Use budget.usd_per_million=(in, out), or a budget in tokens": "Use --usd-per-million A,B, or a budget in tokens",
    "stored as JSON text with Answers(untyped='json')": "stored as JSON text with --untyped json",
    "leave it `failed` with Limits(retry_lost=False)": "leave it `failed` with --no-retry-lost",
    "retry_failed asks again, a larger failures.most lets pass": "--retry-failed asks again, a larger --max-failed lets pass",
    "Failures(most=None) lets all pass": "--max-failed none lets all pass",
    "Publish(keep_raw=True) keeps them": "--keep-raw keeps them",
}


@pytest.mark.parametrize("text", SPELT)
def test_an_argument_is_spelt_as_its_option(text: str) -> None:
    assert as_options(text) == SPELT[text]


@pytest.mark.parametrize(
    "text",
    [
        "the source holds no record, and the state is there",
        "lake/keep_raw/x.parquet and 'retry_failed' and keep_raw.parquet",
        "the folder model=5/part and run=7 of it",
        "column 'keep_raw' of a=b/keep_raw",
        "Write {{ record.keep_raw }}",
        "alternatives are filters=[[...], [...]] in Python",
        "Flask(debug=True)",
    ],
)
def test_what_is_no_argument_stays_as_it_is(text: str) -> None:
    assert as_options(text) == text
