"""What a person and their tools see of a run in a real Airflow: state store, XComs, links, assets, metrics, spans, lineage, logs.

The receivers are real: a UDP socket for StatsD, an HTTP server for OpenTelemetry, a file for OpenLineage.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.job.run_records import read_record
from runware_provider.engine.job.split_record import shard_folder
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.conftest import places_below
from tests.holding_server import held
from tests.real_airflow import RealAirflow, complaints, real_airflow, until
from tests.watching import WATCHING, Spans, Statsd
from tests.whole_airflow.told_jobs import QUESTION, jobs_in

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not WATCHING.is_dir(), reason="`make .watching/.installed` installs what listens"
)

DAG_FILE = """
import json
import os

from airflow.sdk import DAG
from runware_provider.groups import text_inference_group
from runware_provider.links import browser_url
from runware_provider.operators import TextInferenceOperator


class OnALake(TextInferenceOperator):
    \"\"\"As if its places were on Google's store: no test speaks to it.\"\"\"

    def begin(self, spec, context):
        super().begin(spec, context)
        self.show_links({"output": browser_url("gs://lake/answers", {}, is_folder=True)})


jobs = json.loads(os.environ["JOBS"])
with DAG("seen", schedule=None):
    plain = TextInferenceOperator(task_id="plain", runware_conn_id="runware_plain", report=True, **jobs["plain"])
    text_inference_group(
        group_id="shared", shards=3, least_rows=10, retry_delay=0, runware_conn_id="runware_shared", **jobs["shared"]
    )
    OnALake.partial(
        task_id="mapped",
        runware_conn_id="runware_mapped",
        **{name: value for name, value in jobs["mapped"].items() if name != "destination"},
    ).expand(destination=[jobs["mapped"]["destination"] + end for end in "ab"])
"""
RECORDS = 30
KILOBYTE = 1024
COLUMNS = 100


@dataclass
class Seen:
    """What the run left to be seen."""

    places: dict[str, Any]
    running: dict[str, Any] = field(default_factory=dict)
    """The progress of the plain task while it ran."""
    begun: dict[str, Any] = field(default_factory=dict)
    """The places that it told while it ran."""
    progress: dict[str, Any] = field(default_factory=dict)
    """Of each task with one, by task and map index, at the end."""
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By task and key; of mapped tasks the first one's."""
    links: dict[str, dict[str, str | None]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    statsd: list[str] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    lineage: list[dict[str, Any]] = field(default_factory=list)
    told: str = ""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("airflow")
    with places_below(folder) as new_place, Statsd() as statsd, Spans() as spans:
        places = {
            name: new_place(name, latency=0.0, faults=(held("Shop 9 GmbH"),))
            for name in ("plain", "shared", "mapped")
        }
        for place in places.values():
            place.fill(RECORDS)
        (folder / "dags").mkdir()
        (folder / "dags" / "seen.py").write_text(DAG_FILE, encoding="utf-8")
        seen = Seen(places)
        with real_airflow(folder, folder / "dags", variables(places, folder, statsd, spans)) as airflow:
            watch(seen, airflow)
        seen.statsd, seen.spans = statsd.received(), spans.received()
        seen.lineage = [
            json.loads(path.read_text(encoding="utf-8")) for path in (folder / "lineage").glob("*")
        ]
        seen.told = airflow.told()
        yield seen


def variables(places: dict[str, Any], folder: Path, statsd: Statsd, spans: Spans) -> dict[str, str]:
    (folder / "lineage").mkdir()
    transport = {"type": "file", "log_file_path": str(folder / "lineage" / "event"), "append": False}
    return {
        **jobs_in(places, limits={"poll_interval_s": 0.1}),
        "PYTHONPATH": f"{Path(__file__).parents[2] / 'plugins'}:{WATCHING}",
        "AIRFLOW__RUNWARE__PROGRESS_INTERVAL_S": "1",
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": statsd.host,
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        "AIRFLOW__TRACES__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
        "OTEL_TRACES_EXPORTER": "otlp_proto_http",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
    }


def watch(seen: Seen, airflow: RealAirflow) -> None:
    until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
    run = airflow.api.trigger("seen")
    until(lambda: state_of(airflow, run, "plain"), "the running task tells how far it is", every_s=0.2)
    seen.running = state_of(airflow, run, "plain")
    seen.begun = airflow.api(f"{run}/taskInstances/plain/xcomEntries/places")["value"]
    for place in seen.places.values():
        place.server.let_go()
    until(lambda: airflow.api(run)["state"] in {"success", "failed"}, "the run ends", every_s=0.5)
    look_at(seen, airflow, run)


def look_at(seen: Seen, airflow: RealAirflow, run: str) -> None:
    """What a run has left."""
    for instance in airflow.api(f"{run}/taskInstances")["task_instances"]:
        task, index = instance["task_id"], instance["map_index"]
        seen.states[f"{task}[{index}]"] = instance["state"]
        seen.progress[f"{task}[{index}]"] = state_of(airflow, run, task, index)
        listed = airflow.api(f"{run}/taskInstances/{task}/links?map_index={index}")
        seen.links[f"{task}[{index}]"] = listed["extra_links"]
    for entry in airflow.api(f"{run}/taskInstances/~/xcomEntries?limit=100")["xcom_entries"]:
        task, key, index = entry["task_id"], entry["key"], entry["map_index"]
        path = f"{run}/taskInstances/{task}/xcomEntries/{key}?map_index={index}"
        seen.xcoms.setdefault((task, key), airflow.api(path)["value"])
    seen.events = airflow.api("assets/events?limit=100")["asset_events"]


def state_of(airflow: RealAirflow, run: str, task: str, index: int = -1) -> Any:
    """The progress in a task's state store; None where there is none."""
    stored = airflow.api(f"{run}/taskInstances/{task}/state-store?map_index={index}")
    by_key = {entry["key"]: entry["value"] for entry in stored["task_state_store"]}
    return by_key.get("progress_numbers") and {"line": by_key["progress"], **by_key["progress_numbers"]}


def test_every_task_succeeds_without_a_complaint_in_any_log(seen: Seen) -> None:
    assert set(seen.states.values()) == {"success"}
    assert complaints(seen.told) == []
    assert QUESTION not in seen.told


def test_the_state_store_tells_how_far_a_running_task_is(seen: Seen) -> None:
    running, last = seen.running, seen.progress["plain[-1]"]
    assert set(running) == {"line", "rows_done", "rows", "under_way", "paid_usd", "at"}
    assert running["rows"] == last["rows"] == last["rows_done"] == RECORDS
    assert running["rows_done"] < RECORDS
    assert last["line"].startswith("30 of 30 rows done (100 %)")
    assert last["paid_usd"] == pytest.approx(seen.places["plain"].server.bill_summary()["cost_usd"])
    for value in (running, last):
        assert len(json.dumps(value)) < KILOBYTE
    shards = [seen.progress[f"shared.infer[{number}]"]["rows_done"] for number in range(3)]
    assert shards == [10, 10, 10]


def test_where_the_output_will_be_is_told_when_a_task_starts(seen: Seen) -> None:
    destination = str(seen.places["plain"].destination)
    places = {
        "output": destination,
        "state": f"{destination}.state",
        "manifest": f"{destination}.state/manifest.json",
        "report": f"{destination}.state/reports/report.html",
    }
    begun = dict(seen.begun)
    assert begun.pop("run").startswith("seen/plain/manual__")
    assert begun == places
    assert all(Path(place).exists() for place in places.values())


def test_each_task_of_a_group_tells_the_places_of_the_whole_and_an_infer_its_shard(seen: Seen) -> None:
    whole = seen.xcoms[("shared.publish", "places")]
    assert set(whole) == {"output", "state", "manifest", "run"}
    assert whole["run"].startswith("seen/shared/")
    assert seen.xcoms[("shared.split", "places")] == whole
    infer = dict(seen.xcoms[("shared.infer", "places")])
    assert infer.pop("shard") in range(3)
    assert infer == whole


def test_the_record_of_each_task_is_where_its_places_say(seen: Seen) -> None:
    for task, state in (("plain", "published"), ("shared.publish", "published"), ("shared.infer", "staged")):
        places = seen.xcoms[(task, "places")]
        folder = places["state"]
        if "shard" in places:
            folder = shard_folder(LocalStorage(), folder, places["shard"])
        record = read_record(LocalStorage(), folder, places["run"])
        assert record is not None, task
        assert (record.state, record.rows_done) == (state, record.rows), task


def test_no_xcom_has_a_kilobyte_and_what_is_returned_agrees_with_the_manifest(seen: Seen) -> None:
    for (task, key), value in seen.xcoms.items():
        assert len(json.dumps(value)) < KILOBYTE, (task, key)
    for task, name in (("plain", "plain"), ("shared.publish", "shared")):
        told = seen.xcoms[(task, "return_value")]
        manifest = json.loads(Path(told["manifest"]).read_text(encoding="utf-8"))
        for key, value in told.items():
            assert key in {"manifest", "report"} or manifest[key] == value
        assert told["paid_usd"] == pytest.approx(seen.places[name].server.bill_summary()["cost_usd"])


def test_a_mapped_task_has_a_link_that_a_browser_can_open_and_others_have_none(seen: Seen) -> None:
    output = "https://console.cloud.google.com/storage/browser/lake/answers"
    for index in range(2):
        assert seen.links[f"mapped[{index}]"] == {"Manifest": None, "Output": output, "Report": None}
    assert set(seen.links["plain[-1]"].values()) == {None}
    assert ("plain", "link_to_output") not in seen.xcoms


def test_source_and_destination_are_assets_of_which_the_last_task_alone_gives_an_event(seen: Seen) -> None:
    given = Counter((event["source_task_id"], event["uri"]) for event in seen.events)
    assert given == {
        ("plain", f"file://{seen.places['plain'].destination}"): 1,
        ("shared.publish", f"file://{seen.places['shared'].destination}"): 1,
    }
    (event,) = [event for event in seen.events if event["source_task_id"] == "plain"]
    assert event["extra"] == seen.xcoms[("plain", "return_value")]


def test_the_counters_add_up_to_the_bill_and_to_the_records(seen: Seen) -> None:
    counted: Counter[str] = Counter()
    for line in seen.statsd:
        found = re.fullmatch(r"airflow\.(runware\.[a-z]+),(.*):([-+.e\d]+)\|c", line)
        if found:
            assert "model=deepseek-v4-pro" in found[2]
            counted[found[1]] += float(found[3])  # type: ignore[assignment] # USD among them
    bills = [place.server.bill_summary() for place in seen.places.values()]
    # The two mapped tasks have a job each, over one source.
    assert counted["runware.records"] == 4 * RECORDS
    assert counted["runware.usd"] == pytest.approx(sum(bill["cost_usd"] for bill in bills))
    assert counted["runware.tokens"] > 0


def test_each_leg_is_a_span_below_that_of_its_task_and_no_record_is_one(seen: Seen) -> None:
    ours = [span for span in seen.spans if span["scope"] == "runware_provider"]
    asking = [span for span in ours if span["attributes"].get("gen_ai.usage.output_tokens")]
    # One of the plain task, three shards, two mapped ones.
    assert len(asking) == 6
    names = {span["span_id"]: span["name"] for span in seen.spans}
    for span in asking:
        attributes = span["attributes"]
        assert span["name"] == "chat deepseek-v4-pro"
        assert names[span["parent"]].startswith("worker.")
        assert attributes["gen_ai.operation.name"] == "chat"
        assert attributes["gen_ai.provider.name"] == "runware"
        assert attributes["gen_ai.request.model"] == "deepseek-v4-pro"
        assert attributes["server.address"] == "127.0.0.1"
        assert not span["failed"]
    spent = sum(span["attributes"]["runware.usd"] for span in asking)
    bills = [place.server.bill_summary()["cost_usd"] for place in seen.places.values()]
    assert spent == pytest.approx(sum(bills))


def test_openlineage_gets_both_datasets_with_columns_and_rows(seen: Seen) -> None:
    (event,) = [
        event
        for event in seen.lineage
        if event["eventType"] == "COMPLETE" and event["job"]["name"] == "seen.plain"
    ]
    (source,), (output,) = event["inputs"], event["outputs"]
    assert (source["namespace"], source["name"]) == ("file", str(seen.places["plain"].source))
    assert (output["namespace"], output["name"]) == ("file", str(seen.places["plain"].destination))
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == RECORDS
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == RECORDS
    columns = {field["name"]: field for field in output["facets"]["schema"]["fields"]}
    assert set(columns) == {
        *(field["name"] for field in source["facets"]["schema"]["fields"]),
        "result",
        "inference",
    }
    assert [field["name"] for field in columns["result"]["fields"]] == ["total"]


def test_a_line_of_progress_is_read_at_a_hundred_columns(seen: Seen) -> None:
    lines = [json.loads(line) for line in seen.told.splitlines() if line.startswith('{"')]
    ours = [line["event"] for line in lines if "rows done" in str(line.get("event"))]
    assert ours
    assert max(map(len, ours)) <= COLUMNS - len("[2026-01-02 03:04:05] INFO - ")
