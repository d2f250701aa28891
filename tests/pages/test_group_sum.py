from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.job.run_record import Older, RunRecord, Waited
from runware_provider.pages.group_sum import FIRST_STATES, sum_of, whole_of
from tests.pages.examples import DONE, PLANNED, RECORD

COUNTS = st.integers(0, 10**7)
AMOUNTS = st.integers(0, 10**6).map(lambda cents: cents / 64)
STATES = st.sampled_from(["running", "waiting", "planned", "stopped", "refused", "staged"])
OUTCOMES = st.dictionaries(st.sampled_from(["succeeded", "invalid", "refused", "failed", "skipped"]), COUNTS)
WAITS = st.lists(st.builds(Waited, st.sampled_from("abc"), COUNTS, AMOUNTS), max_size=4)
SHARDS = st.lists(
    st.builds(
        replace,
        st.just(RECORD),
        state=STATES,
        rows=COUNTS,
        rows_done=COUNTS,
        reused=COUNTS,
        outcomes=OUTCOMES,
        reasons=OUTCOMES,
        paid_usd=AMOUNTS,
        rows_a_second=AMOUNTS,
        foreseen_usd=st.none() | AMOUNTS,
        budget_usd=st.none() | AMOUNTS,
        left_s=st.none() | AMOUNTS,
        latency_median_s=st.none() | AMOUNTS,
        waits=WAITS,
    ),
    min_size=1,
    max_size=6,
)


def at_work(shards: list[RunRecord]) -> list[RunRecord]:
    return [shard for shard in shards if shard.state in {"running", "waiting", "planned"}]


@given(SHARDS)
def test_rows_money_and_counts_add_up(shards):
    total = sum_of(shards)
    assert total.rows == sum(shard.rows for shard in shards)
    assert total.rows_done == sum(shard.rows_done for shard in shards)
    assert total.reused == sum(shard.reused for shard in shards)
    assert total.paid_usd == sum(shard.paid_usd for shard in shards)
    outcomes = sum((Counter(shard.outcomes) for shard in shards), Counter())
    assert +Counter(total.outcomes) == outcomes
    assert +Counter(total.reasons) == sum((Counter(shard.reasons) for shard in shards), Counter())


@given(SHARDS)
def test_only_shards_at_work_have_a_rate_and_wait_for_something(shards):
    total = sum_of(shards)
    assert total.rows_a_second == sum(shard.rows_a_second for shard in at_work(shards))
    waited = sum(wait.inferences for shard in at_work(shards) for wait in shard.waits)
    assert sum(wait.inferences for wait in total.waits) == waited
    assert [wait.longest_s for wait in total.waits] == sorted(
        (w.longest_s for w in total.waits), reverse=True
    )


@given(SHARDS)
def test_the_state_is_the_one_that_asks_for_the_most_patience(shards):
    states = {shard.state for shard in shards}
    expected = [state for state in FIRST_STATES if state in states] or ["staged"]
    assert sum_of(shards).state == expected[0]


@given(SHARDS)
def test_the_order_of_the_shards_says_nothing(shards):
    one_way, other_way = sum_of(shards), sum_of(list(reversed(shards)))
    assert (one_way.rows, one_way.state, one_way.paid_usd) == (
        other_way.rows,
        other_way.state,
        other_way.paid_usd,
    )


@given(SHARDS)
def test_what_one_shard_cannot_tell_the_group_cannot(shards):
    total = sum_of(shards)
    assert (total.budget_usd is None) == any(shard.budget_usd is None for shard in shards)
    unknown = any(shard.foreseen_usd is None for shard in at_work(shards))
    assert (total.foreseen_usd is None) == (unknown or not at_work(shards))


@given(SHARDS)
def test_a_median_lies_between_those_of_the_shards(shards):
    medians = [shard.latency_median_s for shard in shards if shard.latency_median_s is not None]
    median = sum_of(shards).latency_median_s
    assert (median is None) == (not medians)
    assert median is None or min(medians) - 1e-6 <= median <= max(medians) + 1e-6


@given(SHARDS)
def test_a_record_alone_keeps_what_it_says(shards):
    alone = sum_of(shards[:1])
    assert (alone.state, alone.rows, alone.model) == (shards[0].state, shards[0].rows, RECORD.model)


def test_a_group_of_which_nothing_is_noted_has_no_record():
    assert whole_of(None, []) is None
    assert whole_of(None, [None, None]) is None


def test_a_plan_without_shards_is_what_is_to_be_seen():
    assert whole_of(PLANNED, [None]) == PLANNED


def test_a_group_is_not_done_before_its_dataset_is_published():
    staged = replace(DONE, state="staged")
    assert whole_of(None, [staged, staged]).state == "running"
    assert whole_of(replace(DONE, publish_id="7"), [staged, staged]).state == "published"


def test_what_stopped_once_is_no_longer_said_while_shards_run_again():
    stopped = replace(RECORD, state="stopped", reason="Killed.")
    whole = whole_of(stopped, [RECORD])
    assert (whole.state, whole.reason) == ("running", "")


def test_the_budget_of_the_group_is_that_of_the_run_and_not_what_was_dealt_out():
    assert whole_of(replace(PLANNED, budget_usd=50.0), [RECORD, RECORD]).budget_usd == 50.0
    assert whole_of(replace(PLANNED, budget_usd=None), [RECORD, RECORD]).budget_usd == 20.0


def test_what_a_group_paid_is_what_is_noted_of_the_whole_or_what_its_shards_paid_whichever_is_more():
    shards = [replace(RECORD, paid_usd=1.5), replace(RECORD, paid_usd=2.0)]
    # Of the shards of a big group not all are read; of one that goes on, what is noted is older.
    assert whole_of(replace(PLANNED, paid_usd=9.0), shards).paid_usd == 9.0
    assert whole_of(replace(PLANNED, paid_usd=0.5), shards).paid_usd == 3.5


def test_the_rest_of_a_group_takes_as_long_and_costs_as_much_as_what_has_begun():
    whole = whole_of(replace(PLANNED, rows=10_000), [RECORD, None])
    assert whole.rows == 10_000
    assert whole.foreseen_usd == 15.0
    assert whole.left_s == (10_000 - 2050) / 12.5


def test_a_group_is_quiet_since_the_newest_row_of_any_shard_also_of_one_that_is_done():
    at_work = replace(RECORD, at="2026-11-30T14:05:00+00:00", quiet_s=18.0)
    staged = replace(DONE, state="staged", at="2026-11-30T14:04:57+00:00", quiet_s=2.0)
    assert sum_of([at_work, staged]).quiet_s == 3.0
    older = replace(RECORD, at="2026-11-30T14:04:50+00:00", quiet_s=4.0)
    assert sum_of([at_work, older]).quiet_s == 14.0


def test_stragglers_of_all_shards_are_added_by_age():
    one = replace(RECORD, waits=[Waited("answers", 7, 92.0, [Older(10.0, 5), Older(60.0, 2)])])
    other = replace(RECORD, waits=[Waited("answers", 3, 31.0, [Older(10.0, 1)])])
    assert sum_of([one, other]).waits == [Waited("answers", 10, 92.0, [Older(10.0, 6), Older(60.0, 2)])]


def test_rows_of_earlier_tries_add_up_and_the_newest_try_is_the_last():
    tried = replace(RECORD, earlier_tries=3, try_started_at="2026-11-30T14:01:00+00:00")
    whole = sum_of([tried, replace(tried, try_started_at="2026-11-30T14:02:00+00:00")])
    assert (whole.earlier_tries, whole.try_started_at) == (6, "2026-11-30T14:02:00+00:00")


def test_a_published_group_has_the_rows_that_publishing_counted_however_few_shards_were_read():
    noted = replace(DONE, rows=15_000, rows_done=15_000, outcomes={"succeeded": 14_900, "failed": 100})
    whole = whole_of(noted, [replace(DONE, state="staged")])
    assert (whole.rows, whole.rows_done, whole.outcomes) == (15_000, 15_000, noted.outcomes)
    assert whole.reasons == noted.reasons


def test_nothing_is_foreseen_of_shards_whose_rows_nobody_knows():
    whole = whole_of(None, [RECORD, None])
    assert (whole.left_s, whole.foreseen_usd) == (None, None)
