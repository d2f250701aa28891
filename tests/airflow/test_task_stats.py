from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.identity import Key
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.job.run_watch import RunWatch
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.payments import Payments
from runware_provider.engine.outcome.rows import Judgement, Outcome
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.task_stats import RECORDS, TOKENS, USD, TaskStats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOG = logging.getLogger(__name__)
OUTCOMES = ("succeeded", "invalid", "failed")


def progress(decided: Mapping[str, int], payments: Mapping[str, Payments]) -> Progress:
    return Progress(done=1, total=9, elapsed_s=1, outstanding=0, cost=0, decided=decided, payments=payments)


class Counters:
    def __init__(self) -> None:
        self.counted: Counter[tuple[Any, ...]] = Counter()

    def __call__(self, stat: str, count: Any, *, tags: dict[str, Any]) -> None:
        # As Airflow's OpenTelemetry does.
        if count < 0:
            raise ValueError(f"count must be a positive value, not {count}")
        self.counted[(stat, *sorted(tags.items()))] += count

    def of(self, stat: str, outcome: str) -> float:
        return sum(
            count
            for (name, *tags), count in self.counted.items()
            if name == stat and ("outcome", outcome) in tags
        )


def test_what_has_come_since_the_last_time_is_counted_by_model_and_outcome() -> None:
    counters = Counters()
    stats = TaskStats("deepseek-v4-pro", log=LOG, increment=counters)
    stats.saw(progress({"succeeded": 2}, {"succeeded": Payments(100, 40, 7, 0.5)}))
    stats.saw(progress({"succeeded": 5}, {"succeeded": Payments(250, 90, 17, 1.25)}))
    model, outcome = ("model", "deepseek-v4-pro"), ("outcome", "succeeded")
    assert counters.counted == {
        (RECORDS, model, outcome): 5,
        (TOKENS, model, outcome, ("type", "input")): 160,
        (TOKENS, model, outcome, ("type", "cached_input")): 90,
        (TOKENS, model, outcome, ("type", "output")): 17,
        (USD, model, outcome): 1.25,
    }


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(OUTCOMES), st.integers(1, 10**6).map(lambda n: Payments(n, n // 2, n, n / 1e6))
        ),
        max_size=8,
    )
)
def test_the_increments_add_up_to_the_last_sum_however_often_it_is_seen(
    steps: Sequence[Mapping[str, Payments]],
) -> None:
    counters, sums = Counters(), dict.fromkeys(OUTCOMES, Payments())
    stats = TaskStats("m", log=LOG, increment=counters)
    for step in steps:
        sums = {outcome: sums[outcome] + step.get(outcome, Payments()) for outcome in OUTCOMES}
        stats.saw(progress({}, dict(sums)))
        stats.saw(progress({}, dict(sums)))
    for outcome in OUTCOMES:
        assert counters.of(USD, outcome) == pytest.approx(sums[outcome].usd, abs=1e-7)
        tokens = sums[outcome].prompt_tokens + sums[outcome].completion_tokens
        assert counters.of(TOKENS, outcome) == tokens


def test_what_a_backend_takes_for_the_end_of_a_tag_is_replaced() -> None:
    counters = Counters()
    TaskStats("vendor,model=1 2", log=LOG, increment=counters).saw(progress({"failed": 1}, {}))
    ((_, model, _),) = counters.counted
    assert model == ("model", "vendor_model_1_2")


def test_metrics_that_fail_are_told_of_once_and_fail_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the words of a stranger")

    stats = TaskStats("m", log=LOG, increment=fail)
    for rows in (1, 2):
        stats.saw(progress({"failed": rows}, {}))
    assert [record.getMessage() for record in caplog.records] == [
        "Metrics cannot be sent: OSError. The task goes on."
    ]


def test_what_could_not_be_sent_is_counted_with_the_next_progress() -> None:
    counters = Counters()
    tries = iter((True, False, True))

    def sometimes(stat: str, count: Any, *, tags: dict[str, Any]) -> None:
        if next(tries, False):
            raise OSError
        counters(stat, count, tags=tags)

    stats = TaskStats("m", log=LOG, increment=sometimes)
    for rows in (2, 5):
        stats.saw(progress({"succeeded": rows}, {"succeeded": Payments(10 * rows, 0, rows, 0.25 * rows)}))
    assert counters.of(RECORDS, "succeeded") == 5
    assert counters.of(TOKENS, "succeeded") == 55
    assert counters.of(USD, "succeeded") == 1.25


def test_reports_at_each_turn_of_the_loop_add_up_to_the_bill_by_outcome(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, counters = Ledger(LocalStorage(), str(tmp_path / "ledger")), Counters()
    stats = TaskStats("m", log=LOG, increment=counters)
    watch = RunWatch(
        failures=None,
        records=24,
        samples=1,
        paid=lambda: ledger.paid,
        learnt=lambda: ledger.learnt,
        outstanding=lambda: 0,
        report_to=stats.saw,
        now=lambda: 0.0,
    )

    async def answer(number: int, outcome: Outcome) -> None:
        tried = Key(number.to_bytes(16, "big"), 0, 0)
        spent = Entry(tried, 1, Kind.SPENT, cost=0.25)
        answered = Entry(tried, 2, Kind.ANSWERED, prompt_tokens=10, completion_tokens=1, cost=0.5)
        for entry in (spent, answered):
            await ledger.commit([entry], at_once=True)
            # A reply has more to do before the rows of its answer get it.
            await asyncio.sleep(0)
        watch.saw_payment(answered, outcome)
        watch.saw(Judgement(outcome, facts={"mends": ()}), 1)

    async def ask_all() -> None:
        async with ledger.writing(), asyncio.TaskGroup() as replies:
            outcomes = [Outcome.SUCCEEDED, Outcome.INVALID, Outcome.REFUSED] * 8
            answers = [replies.create_task(answer(*numbered)) for numbered in enumerate(outcomes)]
            while not all(answered.done() for answered in answers):
                watch.report()
                await asyncio.sleep(0)
        assert counters.of(USD, "failed") == 0
        watch.report(last=True)

    asyncio.run(ask_all())
    ledger.close()
    assert not caplog.records
    assert ledger.learnt.usd == 24 * 0.75
    for outcome in ("succeeded", "invalid", "refused"):
        assert counters.of(RECORDS, outcome) == 8
        assert counters.of(USD, outcome) == 4.0
        assert counters.of(TOKENS, outcome) == 88
    # Errors that were tried again are no row's.
    assert counters.of(USD, "failed") == 6.0
