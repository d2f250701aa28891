from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.exchange.waits import Wait
from runware_provider.engine.identity import Key
from runware_provider.engine.job.run_watch import RunWatch
from runware_provider.engine.outcome.rows import Judgement, Outcome

if TYPE_CHECKING:
    from runware_provider.engine.job.progress import Progress

SUCCEEDED = Judgement(Outcome.SUCCEEDED, facts={"mends": ()})


@dataclass
class Moment:
    """What a watch is told by others."""

    now: float = 100.0
    paid: float = 0.0
    seen: list[Progress] = field(default_factory=list)

    def watch(self, **fields: Any) -> RunWatch:
        return RunWatch(
            **{"failures": None, "records": 240, "samples": 1, **fields},
            paid=lambda: self.paid,
            outstanding=lambda: 64,
            report_to=self.seen.append,
            now=lambda: self.now,
        )


def test_a_retry_foresees_the_bill_by_what_it_pays_itself() -> None:
    moment = Moment(paid=0.0073)
    watch = moment.watch()
    watch.saw(SUCCEEDED, 37)
    watch.reused = 37
    moment.now, moment.paid = 105.0, 0.0130
    watch.saw(SUCCEEDED, 29)
    watch.report()
    (told,) = moment.seen
    assert "about 30 s left" in told.line()
    assert told.line().endswith("0.013 USD so far, about 0.0472 in all")


def test_questions_are_asked_again_until_they_have_their_last_word() -> None:
    moment = Moment()
    watch = moment.watch()
    keys = [Key(bytes(16), sample, 0) for sample in range(3)]
    for key in keys:
        watch.asks_again(key, 0.25)
    watch.asks_again(keys[0], None)  # whose second answer does not fit either, and has no reported cost
    watch.asks_no_further(keys[1])
    watch.asks_no_further(keys[1])
    watch.report()
    (told,) = moment.seen
    assert (told.asked_again, told.paid_of_asked_again) == (2, 0.5)


def test_how_long_no_row_came_is_told() -> None:
    moment = Moment()
    watch = moment.watch()
    moment.now = 101.0
    watch.saw(SUCCEEDED, 238)
    moment.now = 1_901.0
    watch.report()
    (told,) = moment.seen
    assert "waiting for 30 min 0 s for the last 2, 64 under way" in told.line()


def test_the_reason_for_the_present_window_is_told() -> None:
    moment = Moment()
    watch = moment.watch()
    watch.pace = Pace(10_000)
    watch.pace.refused(20, 60)
    watch.report()
    (told,) = moment.seen
    assert "64 under way of at most 60 (the API had no room for 20)" in told.line()
    assert (told.window, told.window_reason) == (watch.pace.window, watch.pace.reason)


def test_of_all_rows_done_outcomes_and_errors_are_told_the_most_frequent_first() -> None:
    moment = Moment()
    watch = moment.watch(latencies_s=lambda: (1.5, 4.0))
    watch.saw(SUCCEEDED, 100)
    watch.saw_earlier(SUCCEEDED, 60, of_this_run=False)
    watch.saw_earlier(SUCCEEDED, 30, of_this_run=True)
    for number in range(30):
        code = Judgement(Outcome.FAILED, facts={"mends": (), "error_code": f"code {number}"})
        watch.saw(code, number + 1)
    watch.report()
    (told,) = moment.seen
    assert told.outcomes == {"succeeded": 100, "failed": 465}
    assert list(told.reasons.items())[:2] == [("code 29", 30), ("code 28", 29)]
    assert len(told.reasons) == 20
    assert (told.latency_median_s, told.latency_slow_s) == (1.5, 4.0)
    assert (told.reused, told.earlier_tries) == (90, 30)


def test_what_is_waited_for_is_told_while_rows_are_done_too() -> None:
    moment = Moment()
    stragglers = [Wait("answers", 9, 92.0, ((10.0, 4), (60.0, 1)))]
    watch = moment.watch(waits=lambda: stragglers)
    watch.saw(SUCCEEDED, 100)
    watch.report()
    (told,) = moment.seen
    assert (told.quiet_s, told.waits) == (0.0, stragglers)
    assert "waiting for answers" not in told.line(), "the line tells of it in a silence only"


def test_latencies_that_nobody_knows_are_not_told() -> None:
    moment = Moment()
    moment.watch().report()
    (told,) = moment.seen
    assert (told.latency_median_s, told.latency_slow_s) == (None, None)
