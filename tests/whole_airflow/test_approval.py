"""Persons who approve, refuse and say nothing, in a real Airflow with users of its own; the bills of local API servers tell what was paid.

Each task has a source and a server of its own, so that each bill is that of one decision.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote

import psutil
import pytest

from runware_provider.engine.job.run_records import read_record
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.conftest import KEY, SCHEMA, body_of, places_below
from tests.real_airflow import Api, RealAirflow, real_airflow, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runware_provider.engine.job.run_record import Approval, RunRecord

DAG_FILE = """
import json
import os
from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator

with DAG("approve", schedule=None):
    for name, arguments in json.loads(os.environ["JOBS"]).items():
        arguments = {"runware_conn_id": f"runware_{name}", **arguments}
        if name == "read":
            text_inference_group(group_id=name, shards=2, least_rows=1, retry_delay=0, **arguments)
            continue
        task = TextInferenceOperator(task_id=name, retries=1, retry_delay=timedelta(0), **arguments)
        if name == "no":
            task >> EmptyOperator(task_id="after")
"""
RECORDS = 30
PASSWORDS = {name: f"password-of-{name}-in-the-tests" for name in ("root", "ada", "bob", "eve")}
USERS = {
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "root:admin,ada:user,bob:user,eve:viewer",
}
APPROVE: dict[str, Any] = {
    "yes": {"approvers": ["ada"]},
    "no": True,
    "late": {"wait_s": 2},
    "below": 50.0,
    "read": True,
    "killed": True,
    "grown": True,
}
ASKED = {"yes", "no", "read.split", "killed", "grown"}
"""Tasks that wait for as long as nobody answers."""
GROWN_TO = 500


@dataclass
class Story:
    """What became of a run of the DAG."""

    places: dict[str, Any]
    paid_before: dict[str, int] = field(default_factory=dict)
    """Inferences of each task that were executed while all waited."""
    questions: dict[str, dict[str, Any]] = field(default_factory=dict)
    turned_away: dict[str, int] = field(default_factory=dict)
    """The status with which Airflow answered who may not decide."""
    killed: int = 0
    states: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of each task, the last state and the number of tries."""
    again: tuple[str, int] = ("", 0)
    """The same of the refused task after it was cleared, asked once more and refused once more."""
    cleared: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The same after the refused task was cleared, with another source."""
    events: list[dict[str, Any]] = field(default_factory=list)
    told: str = ""
    kept: bytes = b""

    def executed(self, name: str) -> int:
        return int(self.places[name].executed())

    def record(self, name: str, task: str | None = None) -> RunRecord:
        run = f"approve/{task or name}/{self.run_id}/-1"
        record = read_record(LocalStorage(), str(self.places[name].state), run)
        assert record is not None
        return record

    def approval(self, name: str, task: str | None = None) -> Approval:
        approval = self.record(name, task).approval
        assert approval is not None
        return approval

    run_id: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("airflow")
    with places_below(folder) as new_place:
        slow = {"killed": 0.5}
        places = {name: new_place(name, latency=slow.get(name, 0.0)) for name in APPROVE}
        yield told(Story(places), folder)


def told(story: Story, folder: Path) -> Story:
    for place in story.places.values():
        place.fill([body_of(number) for number in range(RECORDS)])
    (folder / "dags").mkdir()
    (folder / "dags" / "approve.py").write_text(DAG_FILE, encoding="utf-8")
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps(PASSWORDS), encoding="utf-8")
    settings = {
        **variables(story),
        **USERS,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
    with real_airflow(folder, folder / "dags", settings, login=("root", PASSWORDS["root"])) as airflow:
        users = {name: Api(airflow.api.page, (name, PASSWORDS[name])) for name in ("ada", "bob", "eve")}
        until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
        run = airflow.api.trigger("approve")
        story.run_id = airflow.api(run)["dag_run_id"]
        until(lambda: waiting(airflow, run) == ASKED, "all wait for a person", every_s=0.2)
        until(lambda: instances(airflow, run)["late"][0] == "failed", "one waits no longer", every_s=0.2)
        story.paid_before = {name: story.executed(name) for name in story.places}
        details = airflow.api(f"{run}/hitlDetails?limit=50")["hitl_details"]
        story.questions = {detail["task_instance"]["task_id"]: detail for detail in details}
        story.turned_away = {
            "a viewer": status_of(users["eve"], run, "no", "Approve"),
            "another than the approver": status_of(users["bob"], run, "yes", "Approve"),
            "a word of nobody": status_of(users["ada"], run, "no", "Perhaps"),
        }
        story.places["grown"].fill([body_of(number) for number in range(GROWN_TO)])
        for task in sorted(ASKED - {"no"}):
            answer(users["ada"], run, task, "Approve")
        answer(users["bob"], run, "no", "Refuse")
        story.killed = kill(airflow, story)
        ends = {"success", "failed"}
        until(lambda: airflow.api(run)["state"] in ends, "the run ends", every_s=0.3)
        story.states = instances(airflow, run)
        seen_before = seen_by_scheduler(airflow, "no")
        clear(airflow, run, "no")
        until(lambda: waiting(airflow, run) == {"no"}, "the cleared task asks again", every_s=0.2)
        # Whoever answers within that moment is asked once more: Airflow takes the end of the leg that asked for a crash.
        until(lambda: seen_by_scheduler(airflow, "no") > seen_before, "its leg has ended", every_s=0.2)
        answer(users["ada"], run, "no", "Refuse")
        until(lambda: airflow.api(run)["state"] in ends, "it is refused again", every_s=0.3)
        story.again = instances(airflow, run)["no"]
        # Once more, about other records.
        story.places["no"].fill([body_of(number) for number in range(RECORDS + 1)])
        clear(airflow, run, "no")
        until(lambda: airflow.api(run)["state"] in ends, "the cleared task ends", every_s=0.3)
        story.cleared = instances(airflow, run)
        story.events = airflow.api("eventLogs?dag_id=approve&limit=100")["event_logs"]
        story.kept = b"".join(path.read_bytes() for path in airflow.home.glob("airflow.db*"))
        story.told = airflow.told()
    return story


def variables(story: Story) -> dict[str, str]:
    connections, jobs = {}, {}
    for name, place in story.places.items():
        connection = {"conn_type": "runware", "host": place.server.base_url, "password": KEY}
        connections[f"AIRFLOW_CONN_RUNWARE_{name.upper()}"] = json.dumps(connection)
        tight = {"settings": {"max_tokens": 30}} if name == "grown" else {"output_type": SCHEMA}
        jobs[name] = {
            "source": str(place.source),
            "destination": str(place.destination),
            "prompt": "What is the total?\n{{ record.body }}",
            "limits": {"poll_interval_s": 0.1, "tasks_per_request": 2, "max_outstanding": 4, "lease_s": 5},
            "approve": APPROVE[name],
            **tight,
        }
    return {**connections, "JOBS": json.dumps(jobs)}


def instances(airflow: RealAirflow, run: str) -> dict[str, tuple[str, int]]:
    found = {}
    for instance in airflow.api(f"{run}/taskInstances")["task_instances"]:
        number = f"[{instance['map_index']}]" if instance["map_index"] >= 0 else ""
        found[f"{instance['task_id']}{number}"] = (instance["state"], instance["try_number"])
    return found


def waiting(airflow: RealAirflow, run: str) -> set[str]:
    states = instances(airflow, run).items()
    return {name for name, (state, _) in states if state == "awaiting_input" and name != "late"}


def answer(api: Api, run: str, task: str, option: str) -> None:
    where = f"{run}/taskInstances/{quote(task)}/-1/hitlDetails"
    api(where, "PATCH", {"chosen_options": [option], "params_input": {}})


def status_of(api: Api, run: str, task: str, option: str) -> int:
    with pytest.raises(HTTPError) as refused:
        answer(api, run, task, option)
    refused.value.close()
    return refused.value.code


def seen_by_scheduler(airflow: RealAirflow, task: str) -> int:
    """How many ends of processes of a task the scheduler has taken note of."""
    lines = airflow.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return sum(
        "Received executor event with state success" in line and f"task_id='{task}'" in line for line in lines
    )


def kill(airflow: RealAirflow, story: Story) -> int:
    """Kill the process of a task that was approved, with some of its answers there; how many processes it were."""
    place = story.places["killed"]
    until(lambda: place.executed() > RECORDS // 3, "some are paid", every_s=0.01)
    victims = airflow.connected_to(place.server.base_url)
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=10)
    return len(victims)


def clear(airflow: RealAirflow, run: str, task: str) -> None:
    name = airflow.api(run)["dag_run_id"]
    wish = {"dry_run": False, "dag_run_id": name, "task_ids": [task], "only_failed": False}
    assert airflow.api("dags/approve/clearTaskInstances", "POST", wish)["total_entries"]


def test_nothing_is_paid_while_persons_think_it_over(story: Story) -> None:
    assert story.paid_before == {name: RECORDS if name == "below" else 0 for name in APPROVE}


def test_whoever_is_asked_reads_how_many_records_at_what_cost_and_where_to_look(story: Story) -> None:
    question = story.questions["yes"]
    assert question["subject"].startswith(f"Ask {RECORDS} records of ")
    page = f"/runware/jobs/approve/{quote(story.run_id, safe='')}/yes/-1"
    assert page in question["body"]
    assert question["assigned_users"] == [{"id": "ada", "name": "ada"}]
    assert story.questions.keys() == ASKED | {"late"}


def test_airflows_database_holds_no_text_of_a_record(story: Story) -> None:
    assert b"Ask 30 records" in story.kept
    assert body_of(3).splitlines()[0].encode() not in story.kept


def test_who_may_not_decide_is_turned_away(story: Story) -> None:
    assert story.turned_away == {
        "a viewer": 403,
        "another than the approver": 403,
        "a word of nobody": 400,
    }


def test_an_approved_task_pays_for_each_record_once(story: Story) -> None:
    assert (story.states["yes"], story.executed("yes")) == (("success", 1), RECORDS)
    assert (story.approval("yes").verdict, story.approval("yes").by) == ("approved", "ada")


def test_a_refused_task_is_skipped_with_what_comes_after_it(story: Story) -> None:
    assert (story.states["no"][0], story.states["after"][0]) == ("skipped", "skipped")
    assert story.executed("no") == 0
    assert "bob refused it" in story.told


def test_a_refused_task_that_is_cleared_asks_again(story: Story) -> None:
    assert (story.again, story.executed("no")) == (("skipped", 2), 0)


def test_a_question_that_nobody_answers_fails_the_task_without_another_try(story: Story) -> None:
    assert (story.states["late"], story.executed("late")) == (("failed", 1), 0)
    assert story.approval("late").verdict == "timed_out"


def test_below_the_amount_nobody_is_asked(story: Story) -> None:
    assert (story.states["below"], story.executed("below")) == (("success", 1), RECORDS)
    assert "below" not in story.questions


def test_a_group_is_asked_about_once_and_pays_for_each_record_once(story: Story) -> None:
    assert {
        story.states[name][0] for name in ("read.split", "read.infer[0]", "read.infer[1]", "read.publish")
    } == {"success"}
    assert story.executed("read") == RECORDS
    assert [name for name in story.questions if name.startswith("read")] == ["read.split"]
    assert story.approval("read").by == "ada"


def test_a_task_that_is_killed_after_its_approval_goes_on_without_asking_again(story: Story) -> None:
    assert story.killed == 1
    assert story.states["killed"] == ("success", 2)
    assert story.executed("killed") == RECORDS
    answers = [event for event in story.events if is_an_answer(event) and event["task_id"] == "killed"]
    assert len(answers) == 1


def test_a_source_that_grew_meanwhile_is_not_paid_beyond_what_was_approved(story: Story) -> None:
    assert story.states["grown"] == ("failed", 1)
    spent = story.places["grown"].server.bill_summary()["cost_usd"]
    assert spent <= (story.approval("grown").budget_usd or 0)
    # By estimate it would cost more, so that nothing is sent; the page says as the log does what to do.
    assert story.executed("grown") == 0
    record = story.record("grown")
    assert (record.state, "ada approved" in record.remedy) == ("stopped", True)


def test_a_cleared_question_about_other_records_is_not_answered_by_the_one_that_airflow_still_shows(
    story: Story,
) -> None:
    assert story.cleared["no"] == ("failed", 3)
    assert story.executed("no") == 0
    assert "Airflow keeps the first question" in " ".join(story.told.split())


def test_airflows_audit_log_says_who_decided(story: Story) -> None:
    decided = {(event["task_id"], event["owner"]) for event in story.events if is_an_answer(event)}
    turned_away = {("no", "eve"), ("yes", "bob")}
    assert decided - turned_away == {*((name, "ada") for name in ASKED), ("no", "bob")}


def is_an_answer(event: dict[str, Any]) -> bool:
    """Whether it is one that Airflow took: what it turned away, it notes as well, before it looks at rights."""
    if "hitl" not in event["event"]:
        return False
    asked = json.loads(event["extra"] or "{}")
    return asked.get("chosen_options") in (["Approve"], ["Refuse"])
