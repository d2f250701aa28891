from __future__ import annotations

from dataclasses import replace

from runware_provider.pages.frame import page
from runware_provider.pages.links_between import ON_LIST
from runware_provider.pages.list_document import list_parts
from runware_provider.pages.run_view import NOTHING_YET, DatasetView, ShardView
from tests.pages.examples import AT, DONE, NOW, OUTPUT, PAST, RECORD
from tests.pages.seen import Seen


def seen(*datasets, left_out=0):
    return Seen(page("", list_parts(datasets, left_out=left_out, read_at=NOW), links=ON_LIST))


def dataset(name, record, **changes):
    return replace(
        DatasetView(replace(AT, dag_id=f"{name}_dag"), f"s3://lake/{name}", record, (PAST,)), **changes
    )


def test_a_dataset_says_where_it_is_who_writes_it_and_how_its_last_run_went():
    told = seen(dataset("reviews", DONE)).text
    assert (
        "reviews reviews_dag · label s3://lake/ done 2026-11-30 13:58 UTC 5,000 99.7 % 3.00 USD 2.00 USD"
        in told
    )


def test_a_dataset_leads_to_the_page_of_its_newest_run():
    at = replace(AT, dag_id="reviews_dag")
    assert seen(dataset("reviews", DONE)).links[f".{at.path}"] == "reviews"


def test_the_newest_run_comes_first_and_what_never_ran_last():
    newer = replace(DONE, started_at="2026-11-30T14:00:00+00:00")
    never = dataset("never", None, past=())
    told = seen(dataset("older", DONE), dataset("newer", newer), never).text
    assert told.index("newer_dag") < told.index("older_dag") < told.index("never_dag")


def test_a_run_that_noted_nothing_yet_keeps_its_place_and_says_so_in_its_line():
    begun = [dataset(name, None, trouble=NOTHING_YET) for name in ("first", "second")]
    told = seen(*begun, dataset("older", DONE)).text
    assert told.index("first_dag") < told.index("second_dag") < told.index("older_dag")
    assert told.count(NOTHING_YET) == 2
    assert told.index(NOTHING_YET) > told.index("first_dag")


def test_a_group_at_work_is_the_sum_of_its_shards():
    noted = replace(RECORD, rows_done=0, outcomes={}, paid_usd=0.0)
    shards = (ShardView(0, RECORD), ShardView(1, RECORD))
    told = seen(dataset("a", noted, shards=shards)).text
    assert "10,000 40 % 6.00 USD" in told


def test_a_group_whose_shards_were_not_read_says_so_and_no_figure_and_does_not_age():
    noted = replace(RECORD, rows_done=0, outcomes={}, paid_usd=0.0, at="2026-11-30T09:00:00+00:00")
    told = seen(dataset("a", noted, is_in_shards=True)).text
    assert "in shards" in told
    assert "0 USD" not in told.replace("2.00 USD", "")
    assert "1 dataset, 1 running" in told


def test_of_a_run_that_broke_off_no_share_hides_the_rows_that_were_not_done():
    told = seen(dataset("a", replace(RECORD, state="stopped"))).text
    assert "5,000 40 %" in told


def test_a_run_whose_task_airflow_gave_up_does_not_look_as_if_it_ran():
    assert "1 dataset, 1 silent" in seen(dataset("a", RECORD, task_state="failed")).text


def test_a_run_that_published_little_is_not_counted_as_done():
    short = replace(DONE, outcomes={"skipped": 60}, reasons={"budget": 60})
    assert "1 dataset, 1 done in part" in seen(dataset("a", short)).text


def test_the_line_above_counts_what_wants_a_look():
    stopped = replace(RECORD, state="stopped")
    told = seen(dataset("a", RECORD), dataset("b", stopped), dataset("c", DONE), left_out=5).text
    assert "8 datasets, 1 running, 1 stopped" in told
    assert "5 more, which ran longer ago, are not shown." in told


def test_a_run_that_says_nothing_any_more_does_not_look_as_if_it_ran():
    gone = replace(RECORD, at="2026-11-30T09:00:00+00:00")
    assert "1 dataset, 1 silent" in seen(dataset("a", gone)).text


def test_a_trouble_of_many_is_told_once_and_one_of_one_in_its_line():
    empty = [dataset(name, None, past=(), trouble="page_roots is empty") for name in "abc"]
    told = seen(*empty, dataset("d", None, past=(), trouble="the store does not answer")).text
    assert told.count("page_roots is empty") == 1
    assert told.count("the store does not answer") == 1


def test_without_datasets_the_page_says_so():
    assert "No task of this Airflow that you may see" in seen().text


def test_where_an_output_is_not_known_the_task_names_the_line():
    assert seen(DatasetView(AT, "", DONE)).links[f".{AT.path}"] == "label"


def test_a_partition_is_named_with_its_dataset():
    view = DatasetView(AT, f"{OUTPUT}/dt=2026-11-30", DONE)
    assert seen(view).links[f".{AT.path}"] == "invoices_labelled/dt=2026-11-30"
