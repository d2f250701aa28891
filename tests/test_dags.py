"""The example DAGs parse, lightly; survive serialization; and name files that exist and columns that are there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import jsonschema
import pyarrow.parquet as pq
import pytest
from jinja2 import meta

PROJECT = Path(__file__).resolve().parents[1]
DAGS = PROJECT / "dags"
INCLUDE = PROJECT / "include"
EXAMPLES = {
    "extract_invoices",
    "classify_text",
    "call_a_tool",
    "sharded_extraction",
    "backfill_history",
    "nightly_extraction",
    "gate_on_quality",
}

PARSE = """
import builtins, json, runpy, sys

real, offenders = builtins.__import__, set()
heavy = {"aiohttp", "httpx", "pyarrow"}

def record(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    if name.split(".")[0] in heavy and importer.split(".")[0] in {"runware_provider", "dag_file"}:
        offenders.add(f"{importer} imports {name}")
    return real(name, globals, locals, fromlist, level)

def audit(event, arguments):
    opened = str(arguments[0]) if event == "open" else ""
    if "/include/" in opened or "/.demo/" in opened or event == "socket.connect":
        offenders.add(f"{event} {arguments}")

builtins.__import__ = record
sys.addaudithook(audit)
for path in sys.argv[1:]:
    runpy.run_path(path, run_name="dag_file")
print(json.dumps({"offenders": sorted(offenders), "pyarrow": "pyarrow" in sys.modules}))
"""
"""Airflow's own SDK imports httpx, so it is not enough to look whether it was loaded: who asks for it is recorded."""


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory):
    return tmp_path_factory.mktemp("airflow_home")


@pytest.fixture(scope="module")
def environment(airflow_home):
    return os.environ | {
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(PROJECT / "plugins"),
    }


@pytest.fixture(scope="module")
def bag(airflow_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(airflow_home))
        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - Airflow reads its home when imported

        return DagBag(dag_folder=str(DAGS))


@pytest.fixture(params=sorted(EXAMPLES))
def dag(request, bag):
    return bag.dags[request.param]


@pytest.fixture
def operator(dag):
    """The task that has the arguments; in a group it is the first one."""
    return dag.tasks[0]


def test_every_dag_file_is_imported_without_an_error(bag):
    assert bag.import_errors == {}
    assert set(bag.dags) == EXAMPLES


def test_a_dag_survives_serialization(dag):
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: PLC0415 - see `bag`

    stored = json.dumps(DagSerialization.serialize_dag(dag), sort_keys=True)
    restored = DagSerialization.deserialize_dag(json.loads(stored))
    assert set(restored.task_dict) == set(dag.task_dict)
    assert restored.params.dump() == dag.params.dump()
    assert json.dumps(DagSerialization.serialize_dag(dag), sort_keys=True) == stored


def test_a_serialized_dag_holds_no_memory_address_that_would_make_a_new_version_at_every_parse(dag):
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: PLC0415 - see `bag`

    assert " at 0x" not in json.dumps(DagSerialization.serialize_dag(dag))


def test_parsing_imports_neither_httpx_nor_pyarrow_and_opens_no_data(environment):
    parsed = subprocess.run(
        [sys.executable, "-c", PARSE, *map(str, sorted(DAGS.glob("*.py")))],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert parsed.returncode == 0, parsed.stderr
    assert json.loads(parsed.stdout.splitlines()[-1]) == {"offenders": [], "pyarrow": False}


def test_a_dag_opens_with_what_you_will_see_and_which_connection_it_needs(dag):
    assert "You will see" in dag.doc_md
    assert "`runware_default`" in dag.doc_md


def test_the_files_that_a_dag_names_are_in_include(operator):
    named = [operator.prompt, operator.system_prompt, operator.output_type]
    files = [name for name in named if isinstance(name, str) and name.endswith((".j2", ".json"))]
    assert operator.prompt in files
    assert [name for name in files if not (INCLUDE / name).is_file()] == []


def test_the_columns_that_a_prompt_names_are_in_its_source(operator):
    folder = operator.source.split("/ds=")[0]
    first = next(Path(folder).rglob("*.parquet"))
    columns = pq.read_schema(first).names
    strict = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    template = strict.from_string((INCLUDE / operator.prompt).read_text(encoding="utf-8"))
    assert "seen" in template.render(record=dict.fromkeys(columns, "seen"))


@pytest.mark.parametrize("path", sorted((INCLUDE / "prompts").glob("*.j2")), ids=lambda path: path.name)
def test_a_prompt_needs_nothing_but_the_record_and_puts_it_last(path):
    text = path.read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True)
    if path.name != "system.j2":
        assert meta.find_undeclared_variables(environment.parse(text)) == {"record"}
        assert len(text.rpartition("}}")[2]) < len("\n</document>\n ")
    else:
        assert meta.find_undeclared_variables(environment.parse(text)) == set()


@pytest.mark.parametrize("path", sorted((INCLUDE / "schemas").glob("*.json")), ids=lambda path: path.name)
def test_a_schema_is_a_json_schema_that_describes_every_field(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["required"]) == set(schema["properties"])
    assert all(field["description"] for field in schema["properties"].values())


def test_the_labels_are_those_of_the_samples_and_the_prompt_says_what_they_mean(bag):
    labels = bag.dags["classify_text"].task_dict["classify_text"].output_type
    expected = pq.read_table(INCLUDE / "texts")["expected_label"].unique().to_pylist()
    assert set(labels) == set(expected)
    prompt = (INCLUDE / "prompts" / "label.j2").read_text(encoding="utf-8")
    assert all(f"- {label}: " in prompt for label in labels)


def test_the_invoice_model_takes_every_expected_document(bag):
    invoice = bag.dags["extract_invoices"].task_dict["extract_invoices"].output_type
    fields = set(invoice.model_fields)
    for row in pq.read_table(INCLUDE / "documents-expected.parquet").to_pylist():
        read = invoice.model_validate({name: value for name, value in row.items() if name in fields})
        assert read.total == (None if row["total"] is None else float(row["total"]))


NO_DATE = {"partition_key": None, "params": {"day": None}}
"""What a run has that nobody gave a day: neither a partition nor a logical date."""
DAYS = {
    "classify_text": [{"ds": "2026-01-02"}, {"ds": "2026-01-01", "params": {"day": "2026-01-02"}}],
    "backfill_history": [{"ds": "2026-01-02"}, {"partition_key": "2026-01-02"}],
    "nightly_extraction": [
        {"ds": "2026-01-02"},
        {"partition_key": "2026-01-02"},
        {"ds": "2026-01-01", "params": {"day": "2026-01-02"}},
    ],
}
"""What says which day a run is about."""


@pytest.mark.parametrize("dag_id", DAYS)
def test_the_day_of_a_run_is_its_source_and_its_partition_and_without_one_it_fails(bag, dag_id):
    (task,) = bag.dags[dag_id].tasks

    def rendered(context):
        source, partition = (task.render_template(value, context) for value in (task.source, task.partition))
        assert source == f"{INCLUDE}/texts/ds={partition['ds']}"
        return partition["ds"]

    for told in DAYS[dag_id]:
        assert rendered(NO_DATE | told) == "2026-01-02"
    with pytest.raises(jinja2.UndefinedError, match="'ds' is undefined"):
        rendered(dict(NO_DATE))


def test_a_day_of_the_history_is_a_partition_that_can_be_backfilled(bag):
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: PLC0415 - see `bag`

    stored = DagSerialization.serialize_dag(bag.dags["backfill_history"])
    timetable = DagSerialization.deserialize_dag(stored).timetable
    assert timetable.periodic
    first, last = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 30))
    days = timetable.iter_partition_dagrun_infos(earliest=first, latest=last)
    assert [day.partition_key for day in days] == [f"2026-01-{day:02}" for day in range(1, 31)]


def test_every_wish_of_the_form_is_explained_and_goes_into_the_task(bag):
    dag = bag.dags["nightly_extraction"]
    (task,) = dag.tasks
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema["title"]
        assert param.description
    wanted = {
        "day": "2026-01-03",
        "limit": 5,
        "model": "some:model",
        "budget": 0.5,
        "retry_failed": True,
        "refresh": False,
    }
    assert set(dag.params) == set(wanted)
    arguments = {name: getattr(task, name) for name in task.template_fields}
    rendered = task.render_template(arguments, NO_DATE | {"params": wanted})
    assert rendered["partition"] == {"ds": "2026-01-03"}
    assert (rendered["limit"], rendered["model"], rendered["budget"]) == ("5", "some:model", {"usd": "0.5"})
    assert (rendered["retry_failed"], rendered["refresh"]) == ("True", "False")


GOOD, POOR = {"total": {"hits": 9, "of": 10}}, {"due_date": {"hits": 7, "of": 10}}


@pytest.mark.parametrize(
    ("told", "next_task"),
    [
        ({"report": {"hits": GOOD}}, "load"),
        ({"report": {"hits": POOR | GOOD}}, "tell_somebody"),
        ({"report": {"html": "report.html"}}, "tell_somebody"),
        ({"report": {"hits": GOOD | {"due_date": {"hits": 0, "of": 0}}}}, "tell_somebody"),
        ({}, "tell_somebody"),
    ],
)
def test_the_gate_is_open_only_where_every_field_is_known_to_be_right_often_enough(bag, told, next_task):
    gate = bag.dags["gate_on_quality"].task_dict["good_enough"]
    assert gate.python_callable(told, "0.9") == next_task


def test_the_sharded_example_is_cut_into_several_shards_and_published_once(bag):
    tasks = bag.dags["sharded_extraction"].task_dict
    split, infer, publish = (tasks[f"invoices.{name}"] for name in ("split", "infer", "publish"))
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in Path(split.source).glob("*.parquet"))
    assert split.shards * split.least_rows <= rows
    assert infer.max_active_tis_per_dagrun == split.shards
    assert not [*split.outlets, *infer.outlets]
    declared, of_the_place = publish.outlets
    assert (declared.name, of_the_place.uri) == ("sharded_invoices", f"file://{publish.destination}")


@pytest.mark.parametrize(
    "dag_id", ["extract_invoices", "call_a_tool", "sharded_extraction", "nightly_extraction"]
)
def test_a_limit_is_a_number_or_nothing(bag, dag_id):
    task = bag.dags[dag_id].tasks[0]
    assert task.render_template(task.limit, {"params": {"limit": 5}}) == "5"
    assert task.render_template(task.limit, {"params": {"limit": None}}) == "None"


def test_the_output_goes_where_the_environment_says(environment):
    show = "import runpy, sys; print(*(runpy.run_path(path)['OUTPUT'] for path in sys.argv[1:]), sep='\\n')"
    shown = subprocess.run(
        [sys.executable, "-c", show, *map(str, sorted(DAGS.glob("*.py")))],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"RUNWARE_OUTPUT": "s3://lake/demo"},
    )
    assert shown.stdout.splitlines()[-len(EXAMPLES) :] == ["s3://lake/demo"] * len(EXAMPLES)
