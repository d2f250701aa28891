from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.job.progress import Progress
from runware_provider.engine.memory.payments import Payments
from runware_provider.task_stats import RECORDS, TOKENS, USD, TaskStats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOG = logging.getLogger(__name__)
OUTCOMES = ("succeeded", "invalid", "failed")


def progress(decided: Mapping[str, int], payments: Mapping[str, Payments]) -> Progress:
    return Progress(done=1, total=9, elapsed_s=1, outstanding=0, cost=0, decided=decided, payments=payments)


class Counters:
    def __init__(self) -> None:
        self.counted: Counter[tuple[Any, ...]] = Counter()

    def __call__(self, stat: str, count: Any, *, tags: dict[str, Any]) -> None:
        self.counted[(stat, *sorted(tags.items()))] += count


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
        usd = counters.counted[(USD, ("model", "m"), ("outcome", outcome))]
        assert usd == pytest.approx(sums[outcome].usd, abs=1e-7)
        tokens = sum(
            count
            for (name, *tags), count in counters.counted.items()
            if name == TOKENS and ("outcome", outcome) in tags
        )
        assert tokens == sums[outcome].prompt_tokens + sums[outcome].completion_tokens


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
