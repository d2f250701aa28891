"""A publish against the one before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runware_provider.engine.job.recorded import Ending, Facts, past_of, record_of
from runware_provider.engine.job.run_record import PastRun
from runware_provider.pages.past_parts import cost_of_1000
from runware_provider.quality.against_before import published_before

FIRST = PastRun(
    run="r1",
    state="published",
    started_at="2026-11-22T09:00:00+00:00",
    finished_at="2026-11-22T09:30:00+00:00",
    model="deepseek-v4-pro",
    rows=100,
    outcomes={"succeeded": 95, "invalid": 5},
    paid_usd=0.0,
    cost_usd=0.2,
    publish_id="p0",
    hits={"vendor": {"hits": 10, "of": 100}},
)
NOW = replace(FIRST, run="r2", publish_id="p1")


def put(lake, right):
    lake.put([lake.row(n, {"vendor": "AB"[n >= right], "total": 1.0}) for n in range(100)], paid_usd=0.02)


def section(lake, **options):
    told = lake.report(**options)
    return told.partition("## Against the publish before")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("history", "before"),
    [
        ([], None),
        ([NOW], None),
        ([NOW, FIRST], FIRST),
        ([FIRST], FIRST),
        ([replace(NOW, state="unchanged"), NOW, FIRST], FIRST),
        ([NOW, replace(FIRST, state="stopped", publish_id=None), FIRST], FIRST),
        ([NOW, replace(FIRST, state="preview", publish_id=None)], None),
        ([replace(FIRST, publish_id="p2"), NOW, FIRST], FIRST),
    ],
)
def test_the_publish_before_is_the_last_one_of_another_publish(history, before):
    assert published_before(history, "p1") == before


def test_what_changed_is_told_and_whether_a_rate_changed_more_than_by_chance(lake):
    put(lake, right=60)
    lake.note_history(NOW, FIRST)
    told = section(lake, expected={"key": list(range(100)), "vendor": ["A"] * 100}, key="key")
    assert "Before: published `2026-11-22 09:30` UTC, publish `p0`." in told
    assert "| rows | 100 | 100 |  |" in told
    assert "| paid by the run | 0 USD | 0.02 USD | \u2013 |" in told
    assert "| cost per 1,000 rows, whoever paid | 2.00 USD | 0.20 USD | 90 % less |" in told
    assert "| succeeded | 95 % | 100 % | may be chance (p = 0.059) |" in told
    assert "| `vendor` as expected | 10 % | 60 % | better, more than chance (p < 0.001) |" in told
    assert "model" not in told


def test_a_publish_that_reuses_everything_costs_the_same_as_the_one_before(lake):
    bill = {"cost_usd": 1.0, "reused_usd": 4.0, "paid_usd": 1.0}
    facts = Facts(run="r0", started_at="", source="", destination="", model="deepseek-v4-pro", rows=100)
    ending = Ending.well({"status": "published", "rows": 100, "publish_id": "p0", **bill})
    before = past_of(record_of(facts, None, ending, at=FIRST.finished_at), ending)
    lake.put([lake.row(n, {"vendor": "A", "total": 1.0}) for n in range(100)], **bill | {"paid_usd": 0.0})
    lake.note_history(before)
    told = section(lake)
    assert "| cost per 1,000 rows, whoever paid | 50.00 USD | 50.00 USD | about the same |" in told
    # Its page tells the same as its report.
    assert cost_of_1000(before) == 50.0


def test_another_model_is_named(lake):
    put(lake, right=60)
    lake.note_history(replace(FIRST, model="gpt|5"))
    assert "| model | gpt&#124;5 | `deepseek-v4-pro` | another one |" in section(lake)


def test_without_an_earlier_publish_nothing_is_said(lake):
    put(lake, right=60)
    assert section(lake) == ""
    lake.note_history(NOW)
    assert section(lake) == ""


@pytest.mark.parametrize("history", [b"", b"{", b'{"format": 9, "runs": []}', b'{"format": 1, "runs": [{}]}'])
def test_a_history_that_cannot_be_read_costs_no_report(lake, history):
    put(lake, right=60)
    Path(f"{lake.folder()}.state", "history.json").write_bytes(history)
    assert "## Outcomes" in lake.report()
    assert section(lake) == ""
