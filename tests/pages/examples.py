"""A run in the middle, which tests change as they need it."""

from __future__ import annotations

from dataclasses import replace

from runware_provider.engine.job.run_record import Approval, PastRun, RunRecord
from runware_provider.pages.run_view import RunView, ShardView, TaskAt, TaskNow

NOW = "2026-11-30T14:05:00+00:00"
AT = TaskAt("invoices", "scheduled__2026-11-30T00:00:00+00:00", "label")
OUTPUT = "s3://lake/invoices_labelled"
RECORD = RunRecord(
    run="invoices/label/1/-1",
    state="running",
    started_at="2026-11-30T13:58:00+00:00",
    at="2026-11-30T14:04:55+00:00",
    source="s3://lake/invoices",
    destination=OUTPUT,
    model="a-model",
    rows=5000,
    rows_done=2050,
    outcomes={"succeeded": 2000, "invalid": 40, "failed": 10},
    reasons={"schema_mismatch": 40, "timeout": 10},
    under_way=64,
    window=96,
    window_reason="grew",
    rows_a_second=12.5,
    left_s=125.0,
    latency_median_s=1.5,
    latency_slow_s=6.0,
    paid_usd=3.0,
    foreseen_usd=7.5,
    budget_usd=10.0,
    request="abc",
)
DONE = replace(
    RECORD,
    state="published",
    rows_done=5000,
    outcomes={"succeeded": 4987, "invalid": 13},
    left_s=None,
    foreseen_usd=None,
    under_way=0,
)
PLAN = Approval(to_ask=4688, most_usd=12.4, likely_usd=8.1, above_usd=5.0, verdict="waiting", samples=3)
PLANNED = replace(
    RECORD,
    state="planned",
    rows_done=0,
    outcomes={},
    reasons={},
    paid_usd=0.0,
    foreseen_usd=None,
    approval=PLAN,
)
PAST = PastRun(
    run="invoices/label/0/-1",
    state="published",
    started_at="2026-11-29T13:58:00+00:00",
    finished_at="2026-11-29T14:10:00+00:00",
    model="a-model",
    rows=4000,
    outcomes={"succeeded": 3990, "failed": 10},
    paid_usd=6.0,
    cost_usd=8.0,
    hits={"category": {"hits": 184, "of": 200}},
)
VIEW = RunView(AT, TaskNow("running", 1), {"output": OUTPUT}, RECORD, past=(PAST,), read_at=NOW)


def view_of(record: RunRecord | None, state: str | None = "running", **changes) -> RunView:
    return replace(VIEW, record=record, task=TaskNow(state), **changes)


def group_of(*records: RunRecord | None, **changes) -> RunView:
    shards = tuple(ShardView(number, record) for number, record in enumerate(records))
    at = replace(AT, task_id="invoices.publish")
    return replace(VIEW, **{"at": at, "record": None, "task": TaskNow(None), "shards": shards, **changes})
