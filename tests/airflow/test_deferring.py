"""A task that gives its worker back while it waits: legs in Airflow's real task runner, against the local API server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk._shared.module_loading import import_string
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.serde import deserialize

from runware_provider.decorators import text_inference_task
from runware_provider.deferring_task import DeferringTask
from runware_provider.engine.errors import BadInput
from runware_provider.groups import text_inference_group
from runware_provider.legs import GRACE_S, MOST_LEGS
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import total_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.airflow.conftest import Counters

KEY = "key-of-the-tests-0123456789"
RECORDS = 60
CANARY = 5
SLOW_S = 2.0
"""What an answer takes, so that all is sent before the first answer after those of the canary is there."""
PROMPT = "What is the total?\n{{ record.body }}"
SCHEMA = {"properties": {"total": {"type": "number"}}}
LIMITS = {"poll_interval_s": 0.02, "unreachable_s": 60, "attempts": 2}


def body_of(number: int) -> str:
    return f"Invoice from Shop {number} GmbH\nTotal: {number}.50 EUR"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any wait is worth a deferral, and a trigger fires as soon as it knows."""
    monkeypatch.setattr(DeferringTask, "_worth_s", 0.0)
    monkeypatch.setattr(DeferringTask, "_quiet_s", 0.0)
    monkeypatch.setattr("runware_provider.legs.SOONEST_LOOK_S", 0.05)


@pytest.fixture
def server(api: Any) -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=SLOW_S, answers=total_of)) as running:
        api.connections["runware_default"] = {"host": running.base_url, "password": KEY}
        os.environ["AIRFLOW_CONN_RUNWARE_DEFAULT"] = json.dumps(
            {"conn_type": "runware", "host": running.base_url, "password": KEY}
        )
        yield running
        del os.environ["AIRFLOW_CONN_RUNWARE_DEFAULT"]


@dataclass
class Legs:
    """Runs the legs of a task, and the triggers between them as a triggerer would."""

    root: Path
    api: Any
    server: LocalServer
    run_task: Callable[..., Any]

    def arguments(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "source": str(self.root / "in.parquet"),
            "destination": str(self.root / "out"),
            "prompt": PROMPT,
            "output_type": SCHEMA,
            "limits": LIMITS,
            "deferrable": True,
        }
        return usual | changes

    def dag(self, **changes: Any) -> DAG:
        with DAG("dag", schedule=None) as dag:
            TextInferenceOperator(task_id="ask", **self.arguments(**changes))
        return dag

    def run(self, dag: DAG, task_id: str = "ask", **instance: Any) -> Any:
        return self.run_task(dag, task_id, **instance)

    def fire(self, deferred: Any) -> dict[str, Any]:
        """Run the trigger, and have the next leg begin with its event."""
        trigger = import_string(deferred.classpath)(**deserialize(deferred.trigger_kwargs))
        event = asyncio.run(anext(trigger.run()))
        self.resume(deferred.next_method, event=event.payload)
        return dict(event.payload)

    def resume(self, method: str, **arguments: Any) -> None:
        self.api.resumes = (method, arguments)

    def to_the_end(self, dag: DAG, task_id: str = "ask", **instance: Any) -> tuple[Any, int]:
        """What the last leg came to, and how many there were."""
        self.api.resumes = None
        for leg in range(1, 2 * MOST_LEGS):
            ran = self.run(dag, task_id, **instance)
            if ran.deferred is None:
                return ran, leg
            self.fire(ran.deferred)
        raise AssertionError("it never ends")


@pytest.fixture
def legs(tmp_path: Path, api: Any, server: LocalServer, run_task: Any) -> Legs:
    pq.write_table(pa.table({"body": [body_of(n) for n in range(RECORDS)]}), tmp_path / "in.parquet")
    return Legs(tmp_path, api, server, run_task)


# two legs and a trigger


def test_the_legs_count_each_record_token_and_payment_once(legs: Legs, counters: Counters) -> None:
    _, count = legs.to_the_end(legs.dag())
    assert count > 1
    bill = legs.server.bill_summary()
    assert counters.sums["runware.records"] == RECORDS
    assert counters.sums["runware.usd"] == pytest.approx(bill["cost_usd"])
    assert counters.seen_tags == {("model", "outcome"), ("model", "outcome", "type")}
    before = dict(counters.sums)
    legs.to_the_end(legs.dag())
    assert counters.sums == before, "a run that pays nothing counts nothing"


def test_a_task_gives_its_worker_back_once_all_is_sent_and_the_next_leg_publishes_what_is_paid_once(
    legs: Legs, capfd: pytest.CaptureFixture[str]
) -> None:
    dag = legs.dag(outlets=[Asset("file:///out")])
    first = legs.run(dag)
    assert first.state == "deferred", first.error
    assert legs.server.bill_summary()["distinct_uuids"] == RECORDS
    event = legs.fire(first.deferred)
    assert (event["why"], event["legs"], event["of"]) == ("answers", 1, RECORDS - CANARY)
    last = legs.run(dag)
    assert last.state == "success", last.error
    assert last.xcom["outcomes"] == {"succeeded": RECORDS}
    assert last.xcom["paid_inferences"] == RECORDS == legs.server.bill_summary()["executed"]
    assert last.xcom["paid_usd"] == pytest.approx(legs.server.bill_summary()["cost_usd"])
    assert last.outlet_events[0]["extra"] == last.xcom
    told = "".join(capfd.readouterr())
    assert f"Everything is sent, and {RECORDS - CANARY} answers are to come" in told
    assert "leg 1 of at most 4" in told
    assert f"of {RECORDS - CANARY} answers that were looked for are there; the task goes on" in told


def test_the_trigger_gets_plain_json_without_a_secret_a_prompt_or_a_path(legs: Legs) -> None:
    deferred = legs.run(legs.dag()).deferred
    arguments = deserialize(deferred.trigger_kwargs)
    assert json.loads(json.dumps(arguments)) == arguments
    assert arguments.keys() == {
        "conn_id",
        "task_uuids",
        "share",
        "quiet_s",
        "every_s",
        "overdue_at",
        "give_up_at",
        "handover",
    }
    assert arguments["handover"].keys() == {"legs", "begun", "published"}
    assert len(set(arguments["task_uuids"])) == RECORDS - CANARY
    assert all(re.fullmatch(r"[0-9a-f-]{36}", name) for name in arguments["task_uuids"])
    written = json.dumps([deferred.model_dump(mode="json"), arguments])
    for secret in (KEY, "What is", "Invoice", "Shop", str(legs.root)):
        assert secret not in written
    assert deferred.next_kwargs == {}


def test_airflow_gives_a_trigger_up_later_than_it_gives_up_itself(legs: Legs) -> None:
    before = time.time()
    deferred = legs.run(legs.dag(limits={**LIMITS, "deadline_s": 900})).deferred
    arguments = deserialize(deferred.trigger_kwargs)
    assert before < arguments["overdue_at"] < arguments["give_up_at"] <= time.time() + 900
    own_s = arguments["give_up_at"] - time.time()
    assert deferred.trigger_timeout.total_seconds() > own_s + GRACE_S


def test_a_task_that_waits_in_no_leg_longer_than_a_deferral_is_worth_is_not_deferred(
    legs: Legs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeferringTask, "_worth_s", 60.0)
    assert legs.run(legs.dag()).state == "success"


def test_without_a_wish_nothing_is_deferred(legs: Legs) -> None:
    assert legs.run(legs.dag(deferrable=None)).state == "success"


def test_the_wish_of_whoever_runs_airflow_counts_where_the_author_has_none(
    legs: Legs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert legs.dag(deferrable=None).get_task("ask").deferrable is True
    assert legs.dag(deferrable=False).get_task("ask").deferrable is False


@pytest.mark.parametrize("wanted", [{"delivery": "sync"}, {"delivery": "stream", "output_type": None}])
def test_a_task_that_holds_its_connections_for_the_answers_is_never_deferred(
    legs: Legs, wanted: dict[str, Any]
) -> None:
    dag = legs.dag(**wanted, limits={**LIMITS, "requests": 64})
    assert legs.run(dag).state == "success"


def test_a_last_leg_stays_however_long_the_answers_take(legs: Legs) -> None:
    dag = legs.dag()
    first = legs.run(dag)
    handover = deserialize(first.deferred.trigger_kwargs)["handover"]
    for ended in range(1, MOST_LEGS - 1):
        legs.resume("resume", event={**handover, "legs": ended, "why": "answers"})
        assert legs.run(dag).state == "deferred"
    legs.resume("resume", event={**handover, "legs": MOST_LEGS - 1, "why": "answers"})
    assert legs.run(dag).state == "success"
    assert legs.server.bill_summary()["executed"] == RECORDS


@pytest.mark.parametrize("why", ["deadline", "trouble"])
def test_a_leg_whose_trigger_did_not_see_the_answers_stays(
    legs: Legs, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    dag = legs.dag()
    handover = deserialize(legs.run(dag).deferred.trigger_kwargs)["handover"]
    legs.resume("resume", event={**handover, "why": why})
    assert legs.run(dag).state == "success"
    assert "and stays on its worker" in "".join(capfd.readouterr())


def test_where_the_trigger_failed_the_task_does_not_fail_but_goes_on_on_its_worker(
    legs: Legs, capfd: pytest.CaptureFixture[str]
) -> None:
    dag = legs.dag()
    assert legs.run(dag).state == "deferred"
    legs.resume("__fail__", error="Trigger timeout")
    last = legs.run(dag)
    assert last.state == "success", last.error
    assert "does a triggerer run" in "".join(capfd.readouterr())
    assert legs.server.bill_summary()["executed"] == RECORDS


def test_a_task_that_an_earlier_version_has_deferred_goes_on(legs: Legs) -> None:
    dag = legs.dag()
    assert legs.run(dag).state == "deferred"
    legs.resume("resume", event={"why": "answers"})
    assert legs.run(dag).state == "success"


def test_a_failed_leg_is_tried_again_from_the_beginning_and_pays_for_nothing_twice(legs: Legs) -> None:
    dag = legs.dag(retries=2)
    legs.fire(legs.run(dag).deferred)
    legs.api.connections["runware_default"] = {"host": "127.0.0.1:9", "password": KEY}
    os.environ.pop("AIRFLOW_CONN_RUNWARE_DEFAULT")
    broken = legs.dag(retries=2, limits={**LIMITS, "unreachable_s": 0.5})
    failed = legs.run(broken)
    assert failed.state in {"up_for_retry", "failed"}
    legs.api.connections["runware_default"] = {"host": legs.server.base_url, "password": KEY}
    os.environ["AIRFLOW_CONN_RUNWARE_DEFAULT"] = ""
    legs.api.resumes = None
    retried = legs.run(dag, try_number=2)
    assert retried.state == "success", retried.error
    assert legs.server.bill_summary()["executed"] == RECORDS


def test_the_execution_timeout_is_that_of_all_legs_together_and_the_last_words_say_what_was_paid(
    legs: Legs, capfd: pytest.CaptureFixture[str]
) -> None:
    dag = legs.dag(execution_timeout=timedelta(minutes=5))
    deferred = legs.run(dag).deferred
    arguments = deserialize(deferred.trigger_kwargs)
    assert arguments["give_up_at"] == pytest.approx(arguments["handover"]["begun"] + 300)
    long_ago = {**arguments["handover"], "begun": time.time() - 301, "why": "deadline"}
    legs.resume("resume", event=long_ago)
    ran = legs.run(dag)
    assert isinstance(ran.error, AirflowTaskTimeout)
    told = "".join(capfd.readouterr())
    assert "execution_timeout of 0:05:00 is over" in told
    assert f"USD for {CANARY} answers by this run" in told.replace("\n", " ")


# whoever is a task


def test_a_decorated_function_is_asked_again_by_each_leg_and_defers_as_an_operator_does(legs: Legs) -> None:
    asked = []

    def question() -> str:
        asked.append(1)
        return PROMPT

    given = {name: value for name, value in legs.arguments().items() if name != "prompt"}
    with DAG("dag", schedule=None) as dag:
        text_inference_task(question, task_id="ask", **given)()
    last, number = legs.to_the_end(dag)
    assert last.state == "success", last.error
    assert number == len(asked) > 1
    assert legs.server.bill_summary()["executed"] == RECORDS


def test_mapped_tasks_are_deferred_each_by_itself(legs: Legs) -> None:
    given = {name: value for name, value in legs.arguments().items() if name != "destination"}
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator.partial(task_id="ask", **given).expand(
            destination=[str(legs.root / name) for name in "ab"]
        )
    for index in (0, 1):
        last, number = legs.to_the_end(dag, map_index=index)
        assert last.state == "success", last.error
        assert number > 1
    assert legs.server.bill_summary()["executed"] == 2 * RECORDS


def test_of_a_group_the_shards_alone_are_deferred(legs: Legs) -> None:
    with DAG("dag", schedule=None) as dag:
        text_inference_group(group_id="read", shards=2, least_rows=1, **legs.arguments())
    assert not dag.get_task("read.split").deferrable
    assert not dag.get_task("read.publish").deferrable
    assert legs.run(dag, "read.split").state == "success"
    for shard in (0, 1):
        last, number = legs.to_the_end(dag, "read.infer", map_index=shard)
        assert last.state == "success", last.error
        assert number > 1
    legs.api.resumes = None
    published = legs.run(dag, "read.publish")
    assert published.xcom["outcomes"] == {"succeeded": RECORDS}
    assert published.xcom["paid_inferences"] == RECORDS == legs.server.bill_summary()["executed"]


def test_a_wish_that_is_neither_yes_nor_no_is_refused(legs: Legs) -> None:
    with pytest.raises(BadInput, match="deferrable: it is 'yes'"):
        legs.dag(deferrable="yes")
