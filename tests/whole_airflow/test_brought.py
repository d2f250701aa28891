"""A DAG whose answers are brought to the receiver in Airflow's API server: it ends without one question for an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.testing import Fault
from tests.engine.conftest import places_below
from tests.real_airflow import complaints, real_airflow, until
from tests.whole_airflow.told_jobs import jobs_in

if TYPE_CHECKING:
    from collections.abc import Iterator

DAG_FILE = """
import json
import os

from airflow.sdk import DAG
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator

jobs = json.loads(os.environ["JOBS"])
with DAG("brought", schedule=None):
    TextInferenceOperator(task_id="whole", runware_conn_id="runware_whole", **jobs["whole"])
    text_inference_group(group_id="cut", shards=2, least_rows=10, runware_conn_id="runware_cut", **jobs["cut"])
"""
RECORDS = 60
SECRET = "the-secret-of-one-whole-airflow-and-its-tasks"
QUESTIONS = ("getResponse", "getTaskDetails")


@dataclass
class Came:
    """What the run came to."""

    places: dict[str, Any]
    states: set[str]
    asked: int
    """Requests that asked for answers."""
    left: list[Path]
    """Files in the inbox."""
    told: str


@pytest.fixture(scope="module")
def came(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Came]:
    folder = tmp_path_factory.mktemp("airflow")
    with places_below(folder) as new_place:
        places = {name: new_place(name, latency=0.5) for name in ("whole", "cut")}
        for place in places.values():
            place.fill(RECORDS)
            # They change nothing, and are counted.
            place.server.script(*(Fault("delay_request", task_type=each, seconds=0.0) for each in QUESTIONS))
        dags, inbox = folder / "dags", folder / "inbox"
        dags.mkdir()
        (dags / "brought.py").write_text(DAG_FILE, encoding="utf-8")
        with real_airflow(folder, dags, variables(places, inbox)) as airflow:
            until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
            run = airflow.api.trigger("brought")
            until(lambda: airflow.api(run)["state"] in {"success", "failed"}, "the run ends", every_s=0.5)
            instances = airflow.api(f"{run}/taskInstances")["task_instances"]
        asked = sum(fault["fired"] for place in places.values() for fault in place.server.faults())
        states = {instance["state"] for instance in instances}
        yield Came(places, states, asked, list(inbox.rglob("*.inbox")), airflow.told())


def variables(places: dict[str, Any], inbox: Path) -> dict[str, str]:
    return {
        **jobs_in(places, delivery="webhook"),
        "PYTHONPATH": str(Path(__file__).parents[2] / "plugins"),
        "AIRFLOW__RUNWARE__WEBHOOK_URL": "{page}/runware/hook",
        "AIRFLOW__RUNWARE__WEBHOOK_INBOX": str(inbox),
        "AIRFLOW__RUNWARE__WEBHOOK_SECRETS": SECRET,
    }


def test_every_answer_is_in_the_output_and_none_was_asked_for(came: Came) -> None:
    assert came.states == {"success"}
    for place in came.places.values():
        assert [row["n"] for row in place.rows()] == list(range(RECORDS))
        assert set(place.outcomes()) == {"succeeded"}
        assert place.executed() == RECORDS
        assert place.server.bill_summary()["webhooks_sent"] == RECORDS
    assert came.asked == 0


def test_the_inboxes_are_empty_and_no_log_tells_the_secret_or_a_proof(came: Came) -> None:
    assert came.left == []
    assert SECRET not in came.told
    # Of the call itself its access log tells, with the proof blanked out.
    assert re.findall("token=[0-9a-f]{32}", came.told) == []
    assert complaints(came.told) == []
