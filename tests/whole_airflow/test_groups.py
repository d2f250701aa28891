"""A job in shards in a real Airflow: one shard is killed with SIGKILL in the middle, tasks are cleared, the source grows.

Each step is told of by what the scheduler made of it and by the bill of the local API server.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.engine.conftest import KEY, SCHEMA, body_of, places_below
from tests.holding_server import HELD_DEADLINE_S, held
from tests.real_airflow import RealAirflow, real_airflow, until
from tests.torture.scene import LIMITS, Sums

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAG_FILE = """
import json
import os

from airflow.sdk import DAG, Asset
from runware_provider.groups import text_inference_group

with DAG("shared", schedule=None):
    text_inference_group(
        group_id="read", shards=8, shards_at_once=2, least_rows=10, retry_delay=0, outlets=[Asset("shared")],
        **json.loads(os.environ["ASKED"]),
    )
"""
RECORDS = 30
MORE = 10
LATENCY_S = 0.5
"""Long enough that a kill meets inferences in flight."""
QUESTION = "What is the total?"
ENDS = {"success", "failed"}


@dataclass
class Story:
    """What became of a run of the DAG, step by step."""

    place: Any
    states: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    """After each step, of each task (mapped ones with their number) the state and the number of tries."""
    bills: dict[str, dict[str, Any]] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    """Of the mapped tasks, once they were done for the first time."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """The assets' events, with what each was given."""
    killed: int = 0
    violations: list[str] = field(default_factory=list)
    """Against the bill, once everything is done."""
    kept: str = ""
    """All that Airflow keeps in its home."""

    def note(self, step: str, airflow: RealAirflow, run: str) -> None:
        instances = airflow.api(f"{run}/taskInstances")["task_instances"]
        self.states[step] = {_name(one): (one["state"], one["try_number"]) for one in instances}
        self.bills[step] = self.place.server.bill_summary()
        self.manifests[step] = json.loads((self.place.state / "manifest.json").read_text(encoding="utf-8"))
        if not self.labels:
            mapped = [one for one in instances if one["map_index"] >= 0]
            self.labels = [
                one["rendered_map_index"] for one in sorted(mapped, key=lambda one: one["map_index"])
            ]

    def paid_between(self, before: str, after: str) -> tuple[int, int]:
        """Requests and executed inferences."""
        return tuple(self.bills[after][name] - self.bills[before][name] for name in ("requests", "executed"))  # type: ignore[return-value] # two


def _name(instance: dict[str, Any]) -> str:
    number = f"[{instance['map_index']}]" if instance["map_index"] >= 0 else ""
    return f"{instance['task_id']}{number}"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("airflow")
    with places_below(folder) as new_place:
        yield told(Story(new_place("job", latency=LATENCY_S)), folder)


def told(story: Story, folder: Path) -> Story:
    place = story.place
    place.fill(RECORDS)
    # Or the first shard may be done before a busy machine has killed one.
    place.server.script(held("Shop 9 GmbH"))
    (folder / "dags").mkdir()
    (folder / "dags" / "shared.py").write_text(DAG_FILE, encoding="utf-8")
    asked = {
        "source": str(place.source),
        "destination": str(place.destination),
        "prompt": f"{QUESTION}\n{{{{ record.body }}}}",
        "output_type": SCHEMA,
        # Or the answer that is held would be given up, and asked for anew, on a machine that is busy enough.
        "limits": LIMITS | {"deadline_s": HELD_DEADLINE_S},
    }
    connection = {"conn_type": "runware", "host": place.server.base_url, "password": KEY}
    variables = {"AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(connection), "ASKED": json.dumps(asked)}
    with real_airflow(folder, folder / "dags", variables) as airflow:
        until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
        run = airflow.api.trigger("shared")
        story.killed = kill_one(airflow, place)
        place.server.let_go()
        ended(airflow, run)
        story.note("killed", airflow, run)

        clear(airflow, run, ["read.infer", 1])
        story.note("one cleared", airflow, run)

        clear(airflow, run, "read.split")
        story.note("all cleared", airflow, run)

        place.fill(RECORDS + MORE)
        clear(airflow, run, ["read.infer", 0])
        story.note("grown", airflow, run)

        clear(airflow, run, "read.split")
        story.note("cut anew", airflow, run)
        sums = Sums()
        sums.compare(place, story.manifests["cut anew"], RECORDS + MORE)
        story.violations = [*sums.violations, *([] if sums.clean else ["rows or payments"])]
        story.events = airflow.api("assets/events")["asset_events"]
        files = [path for path in airflow.home.rglob("*") if path.is_file()]
        story.kept = "\n".join(path.read_bytes().decode(errors="replace") for path in files) + airflow.told()
    return story


def kill_one(airflow: RealAirflow, place: Any) -> int:
    """Kill one of the processes that are at work on shards; how many it were."""
    until(lambda: place.executed() > 2, "the first shards are at work", every_s=0.01)
    victims = airflow.connected_to(place.server.base_url)[:1]
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=10)
    return len(victims)


def clear(airflow: RealAirflow, run: str, task: Any) -> None:
    """Clear a task, one of a mapped one, with what is downstream; returns when the run has ended again."""
    name = airflow.api(run)["dag_run_id"]
    wish = {"dry_run": False, "dag_run_id": name, "task_ids": [task], "only_failed": False}
    wish |= {"include_downstream": True, "reset_dag_runs": True}
    cleared = airflow.api("dags/shared/clearTaskInstances", "POST", wish)
    assert cleared["total_entries"]
    ended(airflow, run)


def ended(airflow: RealAirflow, run: str) -> None:
    until(lambda: airflow.api(run)["state"] in ENDS, "the run ends", every_s=0.2)


def test_the_killed_shard_alone_is_tried_again_and_the_run_succeeds(story: Story) -> None:
    assert story.killed == 1
    states = story.states["killed"]
    assert {state for state, _ in states.values()} == {"success"}
    tries = {name: tries for name, (_, tries) in states.items()}
    assert tries.keys() == {"read.split", "read.infer[0]", "read.infer[1]", "read.infer[2]", "read.publish"}
    assert sorted(tries.values()) == [1, 1, 1, 1, 2]
    assert tries["read.split"] == tries["read.publish"] == 1


def test_every_record_has_its_row_and_is_paid_once(story: Story) -> None:
    manifest = story.manifests["killed"]
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert manifest["paid_inferences"] == RECORDS == story.bills["killed"]["executed"]
    assert story.bills["killed"]["requests_executed_again"] == 0


def test_a_person_sees_which_shard_it_is_what_it_holds_and_what_it_cost(story: Story) -> None:
    assert len(story.labels) == 3
    for number, label in enumerate(story.labels, start=1):
        assert re.fullmatch(rf"out {number} of 3 · 10 rows · \$0\.\d\d+", label)


def test_a_cleared_shard_and_a_cleared_group_ask_nothing(story: Story) -> None:
    for before, after in (("killed", "one cleared"), ("one cleared", "all cleared")):
        assert {state for state, _ in story.states[after].values()} == {"success"}
        assert story.paid_between(before, after) == (0, 0)
    assert story.states["one cleared"]["read.infer[1]"][1] > story.states["killed"]["read.infer[1]"][1]
    assert story.states["one cleared"]["read.infer[0]"] == story.states["killed"]["read.infer[0]"]


def test_a_source_that_has_grown_fails_its_shard_at_once_and_the_log_names_the_task_to_clear(
    story: Story,
) -> None:
    states, before = story.states["grown"], story.states["all cleared"]
    assert states["read.infer[0]"] == ("failed", before["read.infer[0]"][1] + 1)
    assert states["read.publish"][0] == "upstream_failed"
    assert story.paid_between("all cleared", "grown") == (0, 0)
    assert "Clear the task read.split" in story.kept


def test_a_grown_source_is_cut_anew_into_more_shards_and_pays_for_what_is_new(story: Story) -> None:
    states = story.states["cut anew"]
    assert {state for state, _ in states.values()} == {"success"}
    assert "read.infer[3]" in states
    assert story.paid_between("grown", "cut anew")[1] == MORE
    assert story.manifests["cut anew"]["outcomes"] == {"succeeded": RECORDS + MORE}
    assert story.violations == []


def test_each_publish_is_one_event_of_the_asset_with_its_manifest(story: Story) -> None:
    counts = Counter(event["extra"]["records"] for event in story.events)
    # Of two assets each: the one that the DAG names, and the one that is made of the destination.
    assert counts == {RECORDS: 2 * 3, RECORDS + MORE: 2}


def test_airflow_keeps_neither_the_key_nor_a_prompt(story: Story) -> None:
    assert '"outcomes"' in story.kept
    for secret in (KEY, QUESTION, *map(body_of, range(RECORDS))):
        assert secret not in story.kept
