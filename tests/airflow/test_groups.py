"""A job in shards as tasks of Airflow, run by its real task runner against the local API server over a socket."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Asset, TaskGroup, task_group
from airflow.sdk.exceptions import AirflowTaskTimeout
from pydantic import BaseModel

from runware_provider.engine import errors
from runware_provider.engine.errors import BadInput
from runware_provider.engine.job import inferring
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.money import digits
from runware_provider.engine.spec import Budget, Spec
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator
from runware_provider.shard_operators import InferShardOperator, PublishShardsOperator, SplitShardsOperator
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.answers import total_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
RECORDS = 40
SHARDS = 4
KILOBYTE = 1024
QUICK = {"unreachable_s": 1, "attempts": 2, "poll_interval_s": 0.02}


class Invoice(BaseModel):
    total: float


def body_of(number: int) -> str:
    return f"Invoice from Shop {number} GmbH\nTotal: {number}.50 EUR"


@pytest.fixture(scope="module")
def server_of_all() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=total_of)) as running:
        yield running


@pytest.fixture
def server(api: Any, server_of_all: LocalServer) -> LocalServer:
    server_of_all.clear_faults()
    server_of_all.reset()
    api.connections["runware_default"] = {"host": server_of_all.base_url, "password": KEY}
    return server_of_all


@dataclass
class Group:
    """A group over a source in a folder of the test's own, and how its tasks run."""

    root: Path
    api: Any
    server: LocalServer
    run_task: Callable[..., Any]

    def fill(self, records: int, name: str = "a.parquet") -> None:
        (self.root / "in").mkdir(exist_ok=True)
        bodies = pa.array(map(body_of, range(records)), pa.string())
        pq.write_table(pa.table({"body": bodies}), self.root / "in" / name)

    def dag(self, dag_arguments: dict[str, Any] | None = None, **changes: Any) -> DAG:
        with DAG("dag", schedule=None, **(dag_arguments or {})) as dag:
            text_inference_group(**self.arguments(**changes))
        return dag

    def arguments(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "group_id": "read",
            "shards": SHARDS,
            "least_rows": 1,
            "source": str(self.root / "in"),
            "destination": str(self.root / "invoices"),
            "prompt": "What is the total?\n{{ record.body }}",
            "output_type": Invoice,
            "limits": QUICK,
        }
        return usual | changes

    def split(self, dag: DAG) -> list[dict[str, Any]]:
        ran = self.run_task(dag, "read.split")
        assert ran.state == "success", ran.error
        shards: list[dict[str, Any]] = ran.xcom
        return shards

    def infer(self, dag: DAG, shard: int, try_number: int = 1) -> Any:
        return self.run_task(dag, "read.infer", map_index=shard, try_number=try_number)

    def publish(self, dag: DAG) -> Any:
        return self.run_task(dag, "read.publish")

    def all_three(self, dag: DAG) -> dict[str, Any]:
        """What a run of the whole group publishes."""
        for shard in range(len(self.split(dag))):
            ran = self.infer(dag, shard)
            assert ran.state == "success", ran.error
        published = self.publish(dag)
        assert published.state == "success", published.error
        manifest: dict[str, Any] = published.xcom
        return manifest

    def rows(self, folder: str = "invoices") -> list[dict[str, Any]]:
        parts = sorted((self.root / folder).glob("*.parquet"))
        return [row for part in parts for row in pq.ParquetFile(part).read().to_pylist()]

    @property
    def executed(self) -> int:
        return int(self.server.bill_summary()["executed"])

    @property
    def requests(self) -> int:
        return int(self.server.bill_summary()["requests"])


@pytest.fixture
def group(tmp_path: Path, api: Any, server: LocalServer, run_task: Callable[..., Any]) -> Group:
    made = Group(tmp_path, api, server, run_task)
    made.fill(RECORDS)
    return made


# What comes out


def test_every_record_has_its_row_once_and_the_manifest_agrees_with_the_bill(group: Group) -> None:
    manifest = group.all_three(group.dag())
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert [row["body"] for row in group.rows()] == [body_of(number) for number in range(RECORDS)]
    assert [row["result"]["total"] for row in group.rows()] == [number + 0.5 for number in range(RECORDS)]
    assert group.executed == RECORDS == manifest["paid_inferences"]
    assert manifest["paid_usd"] == pytest.approx(group.server.bill_summary()["cost_usd"])


def test_only_publish_tells_the_outlets_and_with_the_summary(group: Group) -> None:
    dag = group.dag(outlets=[Asset("file:///invoices")], inlets=[Asset("file:///in")])
    events = []
    group.split(dag)
    for shard in range(SHARDS):
        events += group.infer(dag, shard).outlet_events
    published = group.publish(dag)
    assert events == []
    assert len(published.outlet_events) == 2, "the one that is given, and the destination"
    assert all(event["extra"] == published.xcom for event in published.outlet_events)
    assert len(json.dumps(published.xcom)) < KILOBYTE
    assert published.xcom["outcomes"] == {"succeeded": RECORDS}
    assert [len(dag.get_task(f"read.{name}").inlets) for name in ("split", "infer", "publish")] == [2, 0, 0]


def test_what_the_tasks_tell_each_other_is_small_and_holds_no_prompt(group: Group) -> None:
    dag = group.dag(shards=16, prompt="Secret words\n{{ record.body }}")
    shards = group.split(dag)
    assert [shard["shard"] for shard in shards] == list(range(16))
    assert {shard["of"] for shard in shards} == {16}
    assert sum(shard["rows"] for shard in shards) == RECORDS
    assert len({shard["split"] for shard in shards}) == 1
    told = group.infer(dag, 7).xcom
    assert told.keys() == {"split", "shard", "rows", "outcomes", "paid_inferences", "paid_usd"}
    for pushed in (shards, told):
        assert len(json.dumps(pushed, separators=(",", ":"))) < KILOBYTE
        assert "Secret" not in json.dumps(pushed)


def test_each_task_of_a_group_tells_where_the_whole_and_its_record_are(group: Group) -> None:
    dag = group.dag()
    group.split(dag)
    group.infer(dag, 2)
    places = {key[2]: value for key, value in group.api.pushed.items() if key[-1] == "places"}
    state = f"{group.root}/invoices.state"
    of_the_group = {
        "output": f"{group.root}/invoices",
        "state": state,
        "manifest": f"{state}/manifest.json",
        "run": f"dag/read/{group.api.run_id}/-1",
    }
    assert places == {"read.split": of_the_group, "read.infer": {**of_the_group, "shard": 2}}
    assert not any(key[-1].startswith("link_to") for key in group.api.pushed)


def test_a_shard_has_a_label_for_a_person_which_says_what_it_cost_once_it_is_done(group: Group) -> None:
    dag = group.dag()
    group.split(dag)
    assert group.api.labels == []
    told = group.infer(dag, 2).xcom
    assert group.api.labels == [
        "invoices 3 of 4 · 10 rows",
        f"invoices 3 of 4 · 10 rows · ${digits(told['paid_usd'])}",
    ]
    group.infer(dag, 2)
    assert group.api.labels[-1] == "invoices 3 of 4 · 10 rows · $0"


def test_a_label_of_the_authors_own_is_kept(group: Group) -> None:
    dag = group.dag(map_index_template="{{ task.shard['rows'] }} of them")
    group.split(dag)
    group.infer(dag, 0)
    assert group.api.labels == ["10 of them"]


def test_the_prompt_may_name_the_run_and_fields_are_rendered_alike_in_all_tasks(group: Group) -> None:
    dag = group.dag(
        {"params": {"tone": "dry", "limit": 20}},
        prompt="{{ params.tone }} {{ ds }} {{ run_id }}: {{ record.body }}",
        partition={"ds": "{{ ds }}"},
        limit="{{ params.limit }}",
    )
    assert group.all_three(dag)["outcomes"] == {"succeeded": 20}
    assert len(group.rows("invoices/ds=2026-01-02")) == 20


def test_a_report_is_made_of_the_whole_dataset_and_checked_before_anything_is_paid(group: Group) -> None:
    right = group.root / "right.parquet"
    pq.write_table(pa.table({"body": [body_of(0)], "sum": [1.5]}), right)
    refused = group.run_task(group.dag(report={"expected": str(right), "key": "body"}), "read.split")
    assert (refused.state, type(refused.error)) == ("failed", BadInput)
    pq.write_table(pa.table({"body": [body_of(0)], "total": [0.5]}), right)
    manifest = group.all_three(group.dag(report={"expected": str(right), "key": "body"}))
    assert manifest["report"]["html"] == str(group.root / "invoices.state" / "reports" / "report.html")


# Into how many shards


@pytest.mark.parametrize(
    ("wished", "shards"),
    [({"shards": 3}, 3), ({"shards": 64}, RECORDS), ({"least_rows": 20}, 2), ({"least_rows": 50_000}, 1)],
)
def test_there_are_as_many_shards_as_are_wished_and_worth_it(
    group: Group, wished: dict[str, int], shards: int
) -> None:
    assert len(group.split(group.dag(**wished))) == shards


def test_by_default_a_source_of_few_rows_is_one_shard(group: Group) -> None:
    arguments = group.arguments()
    del arguments["least_rows"], arguments["shards"]
    with DAG("dag", schedule=None) as dag:
        text_inference_group(**arguments)
    assert [shard["rows"] for shard in group.split(dag)] == [RECORDS]
    assert group.infer(dag, 0).xcom["outcomes"] == {"succeeded": RECORDS}


def test_there_are_no_more_shards_than_airflow_lets_a_task_be_mapped_over(
    group: Group, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    assert len(group.split(group.dag(shards=64))) == 3
    assert "max_map_length allows 3 shards, not 64" in "".join(capfd.readouterr())


def test_the_log_of_split_lists_the_shards_with_their_files(
    group: Group, capfd: pytest.CaptureFixture[str]
) -> None:
    group.fill(10, "b.parquet")
    group.split(group.dag(shards=25))
    told = "".join(capfd.readouterr())
    assert "Shard 1 of 25: a.parquet · 2 rows" in told
    assert "Shard 20 of 25: " in told
    assert "Shard 21 of 25: " not in told
    assert "... and 5 more" in told


@pytest.mark.parametrize("records", [0, 1])
def test_a_source_of_no_record_or_of_one_is_published(group: Group, records: int) -> None:
    group.fill(records)
    assert group.all_three(group.dag())["outcomes"] == ({"succeeded": 1} if records else {})
    assert len(group.rows()) == records


@pytest.mark.parametrize(("on_empty", "state"), [("skip", "skipped"), ("fail", "failed")])
def test_an_empty_source_is_skipped_or_fails_at_split_as_wished(
    group: Group, on_empty: str, state: str
) -> None:
    group.fill(0)
    assert group.run_task(group.dag(publish={"on_empty": on_empty}), "read.split").state == state
    assert group.requests == 0


# What is not paid twice


def test_a_cleared_shard_and_a_cleared_group_ask_nothing(group: Group) -> None:
    dag = group.dag()
    first = group.all_three(dag)
    requests = group.requests
    again = group.infer(dag, 1)
    assert (again.state, again.xcom["rows"], again.xcom["paid_inferences"]) == ("success", 10, 0)
    assert group.publish(dag).xcom["unchanged"]
    second = group.all_three(dag)
    assert second["publish_id"] == first["publish_id"]
    assert second["paid_inferences"] == RECORDS  # by this run of Airflow, all tries together
    assert group.requests == requests


def test_another_run_pays_nothing_for_what_is_answered(group: Group) -> None:
    dag = group.dag()
    group.all_three(dag)
    group.api.run_id = "run-2"
    assert group.all_three(dag)["paid_inferences"] == 0
    assert group.executed == RECORDS


def test_each_day_of_a_backfill_is_paid_once(group: Group) -> None:
    dag = group.dag(partition={"ds": "{{ ds }}"}, filters=[("body", "!=", "{{ ds }}")])
    for day in (2, 3, 2, 3):
        group.api.logical_date = datetime(2026, 1, day, tzinfo=UTC)
        group.api.run_id = f"backfill-{day}"
        group.all_three(dag)
    assert group.executed == 2 * RECORDS
    assert len(group.rows("invoices/ds=2026-01-03")) == RECORDS


class KilledAfterTheFirstAnswers(InferShardOperator):
    """A shard whose worker is asked to end once the server has begun to answer."""

    server: LocalServer

    def start_job(self, spec: Any, endpoint: Any, stop: asyncio.Event) -> Any:
        return self._killed_beside(super().start_job(spec, endpoint, stop))

    async def _killed_beside(self, job: Any) -> Any:
        running = asyncio.create_task(job)
        before = (await asyncio.to_thread(self.server.bill_summary))["executed"]
        for _ in range(100_000):
            if (await asyncio.to_thread(self.server.bill_summary))["executed"] > before:
                break
        os.kill(os.getpid(), signal.SIGTERM)
        return await running


def test_a_shard_that_is_killed_is_tried_again_alone_and_goes_on_where_it_was(
    group: Group, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    dag = group.dag(shards=2)
    group.split(dag)
    assert group.infer(dag, 0).state == "success"
    KilledAfterTheFirstAnswers.server = group.server
    mapped = dag.get_task("read.infer")
    with monkeypatch.context() as patch:
        patch.setattr(mapped, "operator_class", KilledAfterTheFirstAnswers)
        killed = group.infer(dag, 1)
    assert (killed.state, type(killed.error)) == ("up_for_retry", errors.Interrupted)
    told = "".join(capfd.readouterr())
    assert "Stopping: it was asked to stop; every answer until now is kept." in told
    assert re.search(r"invoices 2 of 2 · 20 rows · \$0(\.\d+)?$", group.api.labels[-1])
    refused = group.publish(dag)
    assert (refused.state, type(refused.error)) == ("failed", BadInput)
    assert "1 of 2 shards are not done: 1" in str(refused.error)
    assert group.infer(dag, 1, try_number=2).state == "success"
    assert group.publish(dag).xcom["outcomes"] == {"succeeded": RECORDS}
    summary = group.server.bill_summary()
    assert (summary["executed"], summary["requests_executed_again"]) == (RECORDS, 0)


def test_a_wish_to_ask_anew_is_asked_once_in_a_run(group: Group) -> None:
    group.all_three(group.dag())
    group.api.run_id = "run-2"
    dag = group.dag({"params": {"anew": True}}, refresh="{{ params.anew }}")
    assert group.all_three(dag)["paid_inferences"] == RECORDS
    group.infer(dag, 0)
    group.all_three(dag)
    assert group.executed == 2 * RECORDS


def test_what_failed_is_asked_again_once_in_a_run_and_nothing_else(group: Group) -> None:
    group.server.script(Fault("refuse_task", contains="Shop 3", code="contentPolicyViolation"))
    failed = group.all_three(group.dag(failures={"most": None}))["outcomes"]["refused"]
    group.server.clear_faults()
    group.api.run_id = "run-2"
    dag = group.dag(retry_failed=True)
    for _ in range(2):
        assert group.all_three(dag)["outcomes"] == {"succeeded": RECORDS}
    assert group.executed == RECORDS
    assert failed == 11


def test_the_budget_is_one_for_the_group_however_often_it_is_cleared(group: Group) -> None:
    group.fill(120)
    measured = group.dag(destination=str(group.root / "measured"), shards=1)
    usd = group.all_three(measured)["cost_usd"] / 2
    before = group.server.bill_summary()["cost_usd"]
    budget = Budget(usd=usd, when_short="partial", usd_per_million=(0.435, 0.87))
    group.api.run_id = "run-2"
    dag = group.dag(budget=budget, shards=3)
    for _ in range(2):
        manifest = group.all_three(dag)
        assert manifest["outcomes"]["skipped"] + manifest["outcomes"]["succeeded"] == 120
    paid = group.server.bill_summary()["cost_usd"] - before
    assert 0.5 * usd < paid <= 1.02 * usd
    assert manifest["paid_usd"] == pytest.approx(paid)


# What changed since the split


def test_a_source_that_changed_since_the_split_fails_at_once_and_names_the_task_to_clear(
    group: Group, capfd: pytest.CaptureFixture[str]
) -> None:
    dag = group.dag()
    group.split(dag)
    group.infer(dag, 0)
    group.fill(RECORDS + 4)
    for ran in (group.infer(dag, 1), group.publish(dag)):
        assert type(ran.error) is errors.SplitOutdated
        assert "changed since it was cut into shards" in str(ran.error)
        assert "Clear the task read.split with all that is downstream of it" in str(ran.error)
    assert group.executed == RECORDS // SHARDS
    told = " ".join("".join(capfd.readouterr()).split())
    assert "clear the task when that is done" not in told
    assert group.all_three(dag)["outcomes"] == {"succeeded": RECORDS + 4}
    assert group.executed == RECORDS + 4


def test_a_source_that_is_empty_since_the_split_is_not_taken_for_one_that_always_was(group: Group) -> None:
    dag = group.dag(publish={"on_empty": "skip"})
    group.split(dag)
    group.fill(0)
    ran = group.infer(dag, 0)
    assert type(ran.error) is errors.SplitOutdated
    assert "holds no record" in str(ran.error)


def test_shards_of_an_earlier_split_are_refused_once_the_source_was_cut_anew(group: Group) -> None:
    dag = group.dag()
    group.split(dag)
    earlier = dict(group.api.pushed)
    group.fill(RECORDS + 4)
    group.split(dag)
    group.api.pushed = earlier
    ran = group.infer(dag, 0)
    assert type(ran.error) is errors.SplitOutdated
    assert group.executed == 0


def overtaken_by_another_run(group: Group, dag: DAG) -> tuple[dict[str, Any], list[Any]]:
    """What a whole run returns that came between the first shard of another and its end, and that end."""
    group.split(dag)
    group.infer(dag, 0)
    earlier = dict(group.api.pushed)
    group.api.run_id = "run-2"
    manifest = group.all_three(dag)
    group.api.run_id, group.api.pushed = "run-1", earlier
    return manifest, [group.infer(dag, 1), group.publish(dag)]


def test_the_shards_of_an_earlier_run_stop_once_another_run_asks_something_else(group: Group) -> None:
    manifest, ends = overtaken_by_another_run(group, group.dag(prompt="{{ run_id }}: {{ record.body }}"))
    for ran in ends:
        assert type(ran.error) is errors.SplitOutdated
        assert "what is asked changed since" in str(ran.error)
    assert manifest["outcomes"] == {"succeeded": RECORDS}


def test_two_runs_that_ask_the_same_at_the_same_time_share_what_is_paid(group: Group) -> None:
    manifest, ends = overtaken_by_another_run(group, group.dag())
    assert [ran.state for ran in ends] == ["success", "success"]
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert group.executed == RECORDS


# Ends that a retry mends, and others


@pytest.mark.usefixtures("policies_of_mapped_tasks")
def test_a_shard_of_which_too_much_failed_fails_at_once(group: Group) -> None:
    dag = group.dag(failures={"most": 0})
    group.split(dag)
    group.server.script(Fault("refuse_task", contains="Shop 3", code="contentPolicyViolation"))
    ran = group.infer(dag, 3)
    assert (ran.state, type(ran.error)) == ("failed", errors.TooManyFailed)


def test_what_failed_is_judged_over_all_shards_by_publish(group: Group) -> None:
    dag = group.dag(failures={"most": 2})
    group.server.script(Fault("refuse_task", contains="0 GmbH", code="contentPolicyViolation"))
    group.split(dag)
    assert [group.infer(dag, shard).state for shard in range(SHARDS)] == ["success"] * SHARDS
    ran = group.publish(dag)
    assert (ran.state, type(ran.error)) == ("failed", errors.TooManyFailed)
    assert "4 of 40 rows failed, where 2 may" in str(ran.error)
    assert not (group.root / "invoices").exists()


@pytest.mark.usefixtures("policies_of_mapped_tasks")
def test_a_wrong_key_fails_a_shard_at_once(group: Group) -> None:
    dag = group.dag()
    group.split(dag)
    group.api.connections["runware_default"]["password"] = "wrong-key-0123456789"
    ran = group.infer(dag, 0)
    assert (ran.state, type(ran.error)) == ("failed", errors.KeyRefused)
    assert group.executed == 0


@pytest.mark.parametrize("operator", [SplitShardsOperator, PublishShardsOperator])
def test_a_split_and_a_publish_that_wait_for_another_run_end_when_they_are_killed(
    group: Group, monkeypatch: pytest.MonkeyPatch, operator: type[Any]
) -> None:
    dag = group.dag()
    group.all_three(dag)
    name = "split" if operator is SplitShardsOperator else "publish"

    def killed(self: Any, spec: Any, endpoint: Any, stop: asyncio.Event) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return start_job(self, spec, endpoint, stop)

    start_job = operator.start_job
    monkeypatch.setattr(operator, "start_job", killed)
    lease = Lease(LocalStorage(), str(group.root / "invoices.state"), for_s=600)
    assert lease.try_to_take() is None
    ran = group.run_task(dag, f"read.{name}")
    lease.release()
    assert (ran.state, type(ran.error)) == ("up_for_retry", errors.Interrupted)


def test_an_execution_timeout_of_a_shard_is_told_like_that_of_any_task(
    group: Group, capfd: pytest.CaptureFixture[str]
) -> None:
    dag = group.dag()
    group.split(dag)
    group.server.script(Fault("delay_task", seconds=600))
    dag = group.dag(execution_timeout=timedelta(seconds=0.5))
    ran = group.infer(dag, 0)
    assert (ran.state, type(ran.error)) == ("up_for_retry", AirflowTaskTimeout)
    told = " ".join(re.sub(r"\S*\[\S+ *\]|\[\S+\]", " ", "".join(capfd.readouterr())).split())
    assert "execution_timeout of 0:00:00.500000" in told


# What a DAG is told


def test_retries_their_delay_and_how_many_at_once_are_set_on_the_mapped_task_itself(group: Group) -> None:
    dag = group.dag({"default_args": {"retries": 0, "retry_delay": timedelta(hours=1)}}, shards_at_once=3)
    infer = dag.get_task("read.infer")
    assert (infer.retries, infer.retry_delay) == (2, timedelta(seconds=10))
    assert infer.max_active_tis_per_dagrun == 3
    for name in ("split", "publish"):
        task = dag.get_task(f"read.{name}")
        assert (task.retries, task.retry_delay) == (2, timedelta(seconds=10))


@pytest.mark.parametrize(
    ("default_args", "given", "retries"),
    [({"retries": 5}, {}, 5), ({}, {"default_args": {"retries": 4}}, 4), ({"retries": 5}, {"retries": 1}, 1)],
)
def test_more_retries_are_taken_from_the_dag_and_any_number_from_the_author(
    group: Group, default_args: dict[str, Any], given: dict[str, Any], retries: int
) -> None:
    dag = group.dag({"default_args": default_args}, **given)
    assert {dag.get_task(f"read.{name}").retries for name in ("split", "infer", "publish")} == {retries}


def test_the_tasks_stand_one_behind_the_other_in_whatever_is_around_them(group: Group) -> None:
    with DAG("dag", schedule=None) as dag, TaskGroup("night"):
        made = text_inference_group(**group.arguments(trigger_rule="all_done", queue="slow"))
    assert made.group_id == "night.read"
    split, infer, publish = (dag.get_task(f"night.read.{name}") for name in ("split", "infer", "publish"))
    assert infer.upstream_task_ids == {"night.read.split"}
    assert publish.upstream_task_ids == {"night.read.split", "night.read.infer"}
    assert [task.queue for task in (split, infer, publish)] == ["slow"] * 3
    rules = [task.trigger_rule.value for task in (split, infer, publish)]
    assert rules == ["all_done", "all_success", "all_success"]


def test_a_group_may_be_given_its_dag_in_the_place_of_standing_in_it(group: Group) -> None:
    dag = DAG("dag", schedule=None)
    text_inference_group(**group.arguments(dag=dag))
    assert sorted(dag.task_ids) == ["read.infer", "read.publish", "read.split"]
    assert dag.get_task("read.publish").upstream_task_ids == {"read.split", "read.infer"}


def test_an_argument_of_the_tasks_is_refused_with_what_to_write_instead(group: Group) -> None:
    with pytest.raises(BadInput, match="Write source, destination and prompt as for TextInferenceOperator"):
        group.dag(shard={})


def test_arguments_of_the_dag_reach_all_tasks(group: Group) -> None:
    dag = group.dag({"default_args": {"runware_conn_id": "other", "execution_timeout": timedelta(hours=1)}})
    group.api.connections["other"] = group.api.connections.pop("runware_default")
    assert group.all_three(dag)["outcomes"] == {"succeeded": RECORDS}
    assert dag.get_task("read.infer").execution_timeout == timedelta(hours=1)


def test_the_groups_own_default_arguments_reach_the_mapped_task_too(group: Group) -> None:
    dag = group.dag(default_args={"budget": Budget(tokens=700, when_short="partial"), "model": "a:model@1"})
    assert dag.get_task("read.infer").partial_kwargs["budget"]["tokens"] == 700
    assert dag.get_task("read.infer").partial_kwargs["model"] == "a:model@1"


def test_an_old_name_in_a_mapped_tasks_default_arguments_is_refused() -> None:
    with pytest.raises(BadInput, match=r"memory=Memory\(state=\.\.\.\)"):
        InferShardOperator.partial(task_id="infer", default_args={"state": "elsewhere"})


def test_what_only_one_task_may_have_reaches_no_other_from_default_arguments(group: Group) -> None:
    told, late = Asset("told"), {"trigger_rule": "all_done", "do_xcom_push": False}
    dag = group.dag({"default_args": {"outlets": [told], **late}})
    split, infer, publish = (dag.get_task(f"read.{name}") for name in ("split", "infer", "publish"))
    made = Asset(f"file://{group.root}/invoices")
    assert [list(task.outlets) for task in (split, infer, publish)] == [[], [], [told, made]]
    assert [task.trigger_rule for task in (split, infer, publish)] == [
        "all_done",
        "all_success",
        "all_success",
    ]
    assert [split.do_xcom_push, infer.partial_kwargs["do_xcom_push"], publish.do_xcom_push] == [
        True,
        True,
        False,
    ]


def test_a_group_stands_in_the_group_that_it_is_given(group: Group) -> None:
    with DAG("dag", schedule=None) as dag:
        outer = TaskGroup("outer")
    text_inference_group(**group.arguments(dag=dag, task_group=outer))
    assert set(dag.task_dict) == {"outer.read.split", "outer.read.infer", "outer.read.publish"}


@pytest.mark.parametrize(
    ("at_once", "wished", "allowed", "each"),
    [(4, 1_000, None, 250), (100, 1_000, None, 250), (4, 1_000, 100, 25), (4, 3, None, 1)],
)
def test_all_shards_at_work_have_no_more_under_way_than_a_plain_task_might(  # noqa: PLR0917 - a table
    group: Group,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
    wished: int,
    allowed: int | None,
    each: int,
) -> None:
    asked = []

    def noted(spec: Spec, *given: Any, **named: Any) -> Any:
        asked.append(spec.limits.max_outstanding)
        return infer_shard(spec, *given, **named)

    monkeypatch.setattr(inferring, "infer_shard", noted)
    group.api.connections["runware_default"]["extra"] = json.dumps({"max_outstanding": allowed})
    dag = group.dag(shards_at_once=at_once, limits={**QUICK, "max_outstanding": wished})
    group.split(dag)
    assert group.infer(dag, 0).state == "success"
    assert asked == [each]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"task_id": "ask"}, "task_id"),
        ({"default_args": None, "shards": -1}, "shards"),
        ({"max_active_tis_per_dagrun": 2}, "max_active_tis_per_dagrun"),
        ({"shard": {}}, "shard"),
        ({"shards": 0}, "shards"),
        ({"shards": True}, "shards"),
        ({"shards_at_once": 0}, "shards_at_once"),
        ({"least_rows": "many"}, "least_rows"),
        ({"settings": {"temperature": 3}}, "settings.temperature"),
        ({"prompt": "no column"}, "prompt"),
        ({"where": "x"}, "where"),
    ],
)
def test_a_bad_argument_fails_the_import_of_the_dag_and_is_named(
    group: Group, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput, match=rf"^{field}: "):
        group.dag(**changes)


def test_an_argument_that_nobody_knows_fails_the_import_of_the_dag(group: Group) -> None:
    with pytest.raises(TypeError, match="weather"):
        group.dag(weather="fine")


def test_airflow_refuses_a_group_in_a_group_that_is_mapped(group: Group) -> None:
    @task_group
    def each(day: str) -> None:
        text_inference_group(**group.arguments(partition={"ds": day}))

    with DAG("dag", schedule=None), pytest.raises(NotImplementedError):
        each.expand(day=["2026-01-01"])


def test_mapped_plain_tasks_that_share_a_destination_are_told_of_the_group(group: Group) -> None:
    arguments = {
        name: value for name, value in group.arguments().items() if name in {"destination", "prompt"}
    }
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator.partial(task_id="ask", **arguments).expand(source=["a", "b"])
    ran = group.run_task(dag, "ask", map_index=1)
    assert isinstance(ran.error, BadInput)
    assert "text_inference_group(...)" in str(ran.error)
    assert group.requests == 0
