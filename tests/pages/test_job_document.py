from __future__ import annotations

from dataclasses import replace

import pytest

from runware_provider.engine.job.run_record import Older, Waited
from runware_provider.pages.frame import page
from runware_provider.pages.job_document import job_parts, job_title, renews
from runware_provider.pages.run_view import TaskNow
from runware_provider.quality.parts import markdown_of
from runware_provider.quality.wording import NOTHING
from tests.pages.examples import AT, DONE, NOW, OUTPUT, PAST, PLAN, PLANNED, RECORD, VIEW, group_of, view_of
from tests.pages.seen import Seen

AN_HOUR_LATER = "2026-11-30T15:10:00+00:00"
TEN_MINUTES_LATER = "2026-11-30T14:15:00+00:00"


def seen(view):
    return Seen(page(job_title(view), job_parts(view)))


def first_lines(view):
    """The state, as Markdown."""
    return markdown_of(job_parts(view)).split("\n\n")[2]


def test_the_title_names_dataset_and_task():
    assert job_title(VIEW) == "invoices_labelled · label"


def test_a_hive_partition_is_part_of_the_name():
    view = replace(VIEW, places={"output": f"{OUTPUT}/dt=2026-11-30/hour=7"})
    assert job_title(view) == "invoices_labelled/dt=2026-11-30/hour=7 · label"


def test_a_run_says_how_far_it_is_and_how_long_it_will_take():
    assert first_lines(VIEW) == "**Running:** 41 % of 5,000 rows, about 2 min 5 s left"


def test_a_silence_is_said_in_place_of_the_time_left():
    assert "no row for 1 min 14 s" in first_lines(view_of(replace(RECORD, left_s=None, quiet_s=74.0)))


def test_a_published_run_says_of_how_many_rows():
    assert first_lines(view_of(DONE, "success")) == "**Published:** 4,987 of 5,000 rows succeeded."


def test_a_run_that_stopped_says_why_and_what_helps():
    told = seen(
        view_of(replace(RECORD, state="stopped", reason="Too much failed.", remedy="Look."), "failed")
    ).text
    assert "Stopped: Too much failed. Look." in told


def test_a_run_whose_record_is_old_says_since_when_and_what_airflow_says():
    told = first_lines(replace(VIEW, read_at=TEN_MINUTES_LATER))
    assert told == "**Says nothing since** 2026-11-30 14:04 UTC. Airflow says that the task is running."


def test_a_killed_run_does_not_look_as_if_it_ran():
    told = seen(view_of(RECORD, "failed"))
    assert "Ended without a word. It noted something last at" in told.text
    assert "Airflow says that the task failed." in told.text
    assert "about 2 min" not in told.text


def test_a_killed_run_says_what_is_paid_at_least_and_what_may_be_billed_besides():
    told = seen(view_of(RECORD, "up_for_retry")).text
    assert "Airflow tries again." in told
    assert "up_for_retry" not in told
    assert "2,050 of 5,000 rows were done then, and at least 3.00 USD paid." in told
    assert "64 questions under way then may be billed as well." in told


def test_of_a_killed_run_no_share_stands_for_the_rows_that_were_not_done_nor_an_end_that_nobody_saw():
    told = seen(view_of(RECORD, "failed")).text
    assert "succeeded 2,000 of 2,050 done" in told
    assert "97.6 %" not in told
    assert "went on for at least 6 min 55 s noted last" in told
    assert "ended 2026-11-30" not in told


@pytest.mark.parametrize(("state", "rest"), [("failed", "2,950 not done"), ("up_for_retry", "2,950 to come")])
def test_rows_are_to_come_only_where_somebody_works_at_them_or_will(state, rest):
    assert rest in seen(view_of(replace(RECORD, state="stopped"), state)).text


def test_what_was_left_at_the_vendor_by_a_run_that_stopped_may_be_billed():
    stopped = view_of(replace(RECORD, state="stopped", under_way=1), "failed")
    assert "1 question still at the vendor may be billed as well." in seen(stopped).text


def test_a_run_that_published_what_the_budget_allowed_is_not_green_and_says_so():
    record = replace(DONE, rows=60, rows_done=60, outcomes={"skipped": 60}, reasons={"budget": 60})
    told = seen(view_of(record, "success"))
    assert (
        "Published: 0 of 60 rows succeeded. The budget was used up before 60 rows could be asked."
        in told.text
    )
    assert "partly" in told.classes


def test_a_run_of_which_most_rows_failed_names_the_reason_in_its_headline():
    record = replace(DONE, outcomes={"succeeded": 1000, "invalid": 4000}, reasons={"schema_mismatch": 4000})
    assert "Most frequent reason: `schema_mismatch`, 4,000 rows." in first_lines(view_of(record, "success"))


def test_names_in_a_remedy_are_shown_as_code():
    stopped = view_of(replace(RECORD, state="stopped", remedy="Give `budget` more <b>."), "failed")
    assert "Give <code>budget</code> more &lt;b&gt;." in page("", job_parts(stopped))


def test_rows_of_earlier_tries_are_no_rows_that_cost_nothing():
    told = seen(view_of(replace(RECORD, reused=100, earlier_tries=7))).text
    assert "answered before 100 rows, at no cost" in told
    assert "done by earlier tries 7 rows, paid by this run" in told


def test_nothing_was_paid_by_what_is_over_and_nothing_is_paid_yet_by_what_goes_on():
    free = replace(RECORD, paid_usd=0.0, foreseen_usd=None, budget_usd=None)
    assert "Nothing is paid yet." in seen(view_of(free)).text
    assert "Nothing was paid." in seen(view_of(replace(free, state="stopped"), "failed")).text


def test_of_what_ended_without_a_word_nobody_knows_that_nothing_was_paid():
    free = replace(RECORD, paid_usd=0.0, foreseen_usd=None, budget_usd=None)
    told = seen(view_of(free, "failed")).text
    assert "no payment was noted." in told
    assert "No payment was noted." in told
    assert "Nothing was paid" not in told
    assert "at least 0 USD" not in told


def test_a_run_that_waits_for_answers_may_be_silent_for_long():
    view = replace(view_of(replace(RECORD, state="waiting", left_s=None), "deferred"), read_at=AN_HOUR_LATER)
    assert first_lines(view).startswith("**Waiting:** all is sent")


def test_a_new_try_says_that_the_record_is_of_the_one_before():
    stopped = view_of(replace(RECORD, state="stopped", reason="No."), "queued")
    of_the_try_before = "What is noted here is of the try before."
    assert of_the_try_before in seen(replace(stopped, task=TaskNow("queued", 2))).text
    assert of_the_try_before not in seen(replace(stopped, task=TaskNow("running", 1))).text
    assert of_the_try_before not in seen(replace(stopped, task=TaskNow("up_for_retry", 2))).text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "Has not begun."),
        ("queued", "Has not begun."),
        ("running", "Nothing is noted yet."),
        ("failed", "Noted nothing. Airflow says that the task failed. The task's log in Airflow says more."),
    ],
)
def test_a_task_without_a_record_says_where_it_stands(state, said):
    assert said in seen(view_of(None, state)).text


def test_what_is_missing_is_said_once():
    told = seen(view_of(None, trouble="page_roots is empty")).text
    assert told.count("page_roots is empty") == 1


def test_the_figures_of_a_run_at_work():
    told = seen(VIEW).text
    for figure in (
        "2,050 of 5,000",
        "2,950 about 2 min 5 s",
        "12.5 / s on average since it began",
        "64 of at most 96 ( grew )",
        "1.50 s 5 % take over 6.00 s",
    ):
        assert figure in told


def test_cost_and_forecast_stand_against_the_budget():
    told = seen(VIEW)
    assert "Paid 3.00 USD, foreseen 7.50 USD, budget 10.00 USD" in told.labels
    assert "7.50 USD in all, as it goes 75 % of the budget" in told.text
    assert "beyond" not in told.classes


def test_a_forecast_beyond_the_budget_is_marked():
    assert "beyond" in seen(view_of(replace(RECORD, foreseen_usd=11.0))).classes


def test_nothing_is_foreseen_of_a_run_that_is_over():
    assert "as it goes" not in seen(view_of(replace(RECORD, state="stopped"), "failed")).text


def test_markdown_has_reached_foreseen_and_budget_side_by_side():
    assert "| 3.00 USD | 7.50 USD | 10.00 USD |" in markdown_of(job_parts(VIEW))


def test_stragglers_are_told_by_age():
    late = [Older(10.0, 5), Older(60.0, 2)]
    waits = [Waited("a place", 3, 31.0), Waited("a first answer", 7, 92.0, late), Waited("word", 40, 2.0)]
    told = seen(view_of(replace(RECORD, waits=waits))).text
    assert told.index("a first answer 7 5 over 10 s, 2 over 1 min 1 min 32 s") < told.index(
        f"a place 3 {NOTHING} 31 s"
    )
    assert "word" not in told


def test_what_has_waited_no_longer_than_is_usual_is_no_straggler():
    assert "Waited for" not in seen(view_of(replace(RECORD, waits=[Waited("answers", 64, 2.0)]))).text


def test_who_may_read_texts_gets_from_a_reason_to_its_rows():
    links = seen(replace(VIEW, may_read_texts=True)).links
    assert links[f"../../..{AT.path}/failed?reason=schema_mismatch"] == "schema_mismatch"


def test_who_may_not_read_texts_sees_the_reasons_and_no_link_to_a_text():
    told = seen(VIEW)
    assert "schema_mismatch 40" in told.text
    assert not any(leaf in link for link in told.links for leaf in ("failed", "asked", "missed", "samples"))
    assert "page_texts" in told.text


def test_prompt_and_schema_are_linked_where_they_were_noted():
    with_texts = replace(VIEW, may_read_texts=True)
    assert f"../../..{AT.path}/asked" in seen(with_texts).links
    assert (
        f"../../..{AT.path}/asked" not in seen(replace(with_texts, record=replace(RECORD, request=""))).links
    )


def test_misses_are_linked_where_the_run_was_compared():
    view = view_of(DONE, "success", may_read_texts=True)
    assert f"../../..{AT.path}/missed" not in seen(view).links
    compared = replace(view, past=(replace(PAST, run=DONE.run), PAST))
    assert f"../../..{AT.path}/missed" in seen(compared).links


def test_the_report_is_linked_where_there_is_one():
    assert f"../../..{AT.path}/report" in seen(replace(VIEW, has_report=True)).links
    assert f"../../..{AT.path}/report" not in seen(VIEW).links


def test_the_last_runs_say_what_a_thousand_rows_cost_and_which_fields_were_worst():
    told = seen(VIEW).text
    assert "4,000 99.8 % 6.00 USD 2.00 USD category 92 %" in told


def test_the_line_of_this_run_is_marked_among_the_last():
    assert "this" in seen(view_of(DONE, "success", past=(replace(PAST, run=DONE.run),))).classes
    assert "this" not in seen(VIEW).classes


def test_a_plan_that_waits_shows_what_it_costs_and_where_to_decide():
    view = view_of(PLANNED, "deferred", approve_at="/dags/invoices/decide")
    told = seen(view)
    assert "Waits for a person's approval: 4,688 questions, at most 12.40 USD." in told.text
    for figure in (
        "likely 8.10 USD",
        "a person is asked above 5.00 USD",
        "nothing is paid beyond 3 samples",
    ):
        assert figure in told.text
    assert told.links["/dags/invoices/decide"] == "Decide in Airflow"
    assert 'href="/dags/invoices/decide" target="_top"' in page("", job_parts(view))


def test_a_plan_that_stopped_before_anybody_decided_is_not_to_be_decided_any_more():
    stopped = replace(
        PLANNED, state="stopped", reason="It is not what a person was asked.", remedy="Begin anew."
    )
    view = view_of(stopped, "failed", approve_at="/dags/invoices/decide", may_read_texts=True)
    told = seen(view)
    assert "/dags/invoices/decide" not in told.links
    assert "nobody decided" in told.text
    assert "Until a person has decided" not in told.text
    assert "Begin anew." in told.text


def test_what_the_run_pays_in_all_stands_beside_what_is_asked():
    plan = replace(PLAN, most_usd=4.2961, spent_usd=0.0004, budget_usd=4.2965)
    told = seen(view_of(replace(PLANNED, approval=plan))).text
    assert "4.2961 USD" in told
    assert "4.2965 USD in all with what is paid so far" in told


def test_samples_of_a_plan_are_linked_only_for_who_may_read_texts():
    assert not any("samples" in link for link in seen(view_of(PLANNED)).links)
    assert f"../../..{AT.path}/samples" in seen(view_of(PLANNED, may_read_texts=True)).links


def test_samples_are_linked_only_as_long_as_somebody_decides():
    approved = replace(PLANNED, approval=replace(PLAN, verdict="approved", by="maria", at=NOW))
    assert not any("samples" in link for link in seen(view_of(approved, may_read_texts=True)).links)


def test_a_plan_without_prices_says_that_nobody_knows_them():
    unpriced = replace(PLANNED, approval=replace(PLAN, most_usd=None, likely_usd=None))
    assert "nobody knows the price" in seen(view_of(unpriced)).text


def test_a_refused_plan_says_who_refused_it_and_what_was_paid_all_the_same():
    approval = replace(PLAN, verdict="refused", by="maria", at=NOW)
    refused = replace(PLANNED, state="refused", approval=approval)
    assert "Refused. maria decided so. Nothing was paid." in seen(view_of(refused, "failed")).text
    with_samples = seen(view_of(replace(refused, paid_usd=0.02), "failed")).text
    assert "0.02 USD was paid for samples." in with_samples
    assert "Nothing was paid" not in with_samples


def test_a_group_is_the_sum_of_its_shards():
    told = seen(group_of(RECORD, RECORD))
    assert "Running: 41 % of 10,000 rows" in told.text
    assert "2 shards: 2 running." in told.text


def test_each_shard_leads_to_the_page_of_its_own_task():
    links = seen(group_of(RECORD, RECORD)).links
    at = replace(AT, task_id="invoices.infer", map_index=1)
    assert f"../../..{at.path}" in links


def test_shards_that_stopped_or_fall_behind_are_looked_at_first():
    slow = replace(RECORD, rows_done=100)
    stopped = replace(RECORD, state="stopped", reason="No budget is left.")
    staged = replace(DONE, state="staged")
    told = seen(group_of(staged, RECORD, slow, stopped, RECORD))
    assert "5 shards: 2 running, 1 done, 1 slow, 1 stopped." in told.text
    table = told.text[told.text.index("remark") :]
    assert table.index("4 stopped") < table.index("3 slow") < table.index("2 running") < table.index("1 done")
    assert "No budget is left." in table


def test_a_shard_that_has_just_begun_is_not_slow():
    begun = replace(RECORD, rows_done=0, outcomes={}, started_at="2026-11-30T14:04:50+00:00")
    assert "3 shards: 3 running." in seen(group_of(RECORD, RECORD, begun)).text


def test_a_shard_that_waits_for_one_answer_for_long_is_slow_and_says_for_how_long():
    stuck = replace(RECORD, quiet_s=16.0, waits=[Waited("answers", 1, 16.0)])
    told = seen(group_of(RECORD, stuck, RECORD)).text
    assert "3 shards: 2 running, 1 slow." in told
    assert "has waited 16 s for answers" in told


def test_where_answers_take_long_nobody_is_slow_who_waits_as_long():
    slow_answers = replace(RECORD, quiet_s=40.0, latency_slow_s=60.0)
    assert "2 shards: 2 running." in seen(group_of(slow_answers, slow_answers)).text


def test_a_shard_whose_task_airflow_gave_up_does_not_look_as_if_it_ran():
    view = group_of(RECORD, RECORD)
    assert "2 shards: 2 running." in seen(view).text
    assert "1 silent" in seen(replace(view, shard_states={0: "running", 1: "failed"})).text


def test_the_rate_of_a_group_says_whose_it_is():
    told = seen(group_of(RECORD, replace(DONE, state="staged"))).text
    assert "12.5 / s on average, of the 1 shard at work" in told


def test_a_group_says_that_the_rows_of_shards_to_come_are_not_counted():
    told = seen(group_of(RECORD, None, None)).text
    assert "The rows of 2 shards that are not read or have not begun are not counted." in told
    assert "2 not begun" in told


def test_the_page_of_a_shard_is_about_that_shard():
    view = group_of(RECORD, replace(RECORD, rows=700, rows_done=70), shard=1)
    told = seen(replace(view, task=VIEW.task))
    assert "Running: 10 % of 700 rows" in told.text
    assert "shard 2 of 2" in told.text
    assert told.labels.count("Shards") == 0


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (VIEW, True),
        (view_of(None, None), True),
        (view_of(PLANNED, "deferred"), True),
        (view_of(replace(RECORD, state="stopped"), "up_for_retry"), True),
        (view_of(DONE, "success"), False),
        (view_of(RECORD, "failed"), False),
        (view_of(None, "failed"), False),
        (replace(VIEW, read_at=AN_HOUR_LATER), False),
        (replace(view_of(replace(RECORD, state="waiting"), "deferred"), read_at=AN_HOUR_LATER), True),
        (group_of(RECORD, None), True),
        (group_of(replace(DONE, state="staged")), True),
        (group_of(replace(DONE, state="staged"), record=DONE), False),
        (group_of(replace(RECORD, state="stopped")), True),
        (
            replace(group_of(replace(RECORD, state="stopped")), task=view_of(None, "upstream_failed").task),
            False,
        ),
    ],
)
def test_a_page_renews_itself_while_more_is_to_come(view, expected):
    assert renews(view) is expected
