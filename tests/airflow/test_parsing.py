"""What the DAG processor meets: imports, serialized DAGs."""

from __future__ import annotations

import json
from typing import Any

import pytest

A_DAG = """
import hashlib, json, sys
from datetime import datetime, timezone
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization
from runware_provider.engine.spec import Limits, Settings, Tool
from runware_provider.decorators import text_inference_task
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator

with DAG("dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
    text_inference_task(lambda: "Secret prompt", task_id="decorated", source="in", destination="out2")()
    TextInferenceOperator(
        task_id="plain", source="in", destination="out/{{ ds }}", prompt="Secret prompt {{ record.body }}",
        settings=Settings(temperature=0.1), partition={"ds": "{{ ds }}"}, outlets=[Asset("file:///out")],
    )
    TextInferenceOperator.partial(
        task_id="mapped", destination="out", prompt="p.j2", settings=Settings(seed=3, extra={"k": 1}),
        limits=Limits(attempts=2), tools=[Tool(name="t", schema={"type": "object"})], tool_choice="t",
    ).expand(source=["a", "b"])
    text_inference_group(
        group_id="shared", source="in", destination="out3", prompt="Secret prompt {{ record.body }}",
        system_prompt="Secret prompt", settings=Settings(seed=3), tools=[Tool(name="t", description="Secret prompt",
        schema={"type": "object"})], tool_choice="t", partition={"ds": "{{ ds }}"}, outlets=[Asset("file:///out3")],
    )
serialized = DagSerialization.serialize_dag(dag)
serialized.pop("fileloc", None)
"""

WITHOUT_HEAVY_MODULES = """
import sys
import airflow.sdk
from airflow.sdk import DAG, Asset, BaseHook, BaseOperator, Connection
from airflow.serialization.serialized_objects import DagSerialization
for heavy in ("aiohttp", "httpx", "jsonschema_rs", "numpy", "obstore", "pyarrow"):
    sys.modules[heavy] = None  # an import of it fails from here on
"""

READ_BACK = """
read = DagSerialization.deserialize_dag(json.loads(json.dumps(serialized)))
"""

LOAD_THE_FILE = """
for heavy in ("aiohttp", "httpx", "jsonschema_rs", "numpy", "obstore", "pyarrow"):
    del sys.modules[heavy]  # that the file needs none of them is not what is asked
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder="{file}")
assert not bag.import_errors, bag.import_errors
"""

MAPPED_WITH_A_MODEL = """
from __future__ import annotations
from datetime import datetime, timezone
from airflow.sdk import DAG
import enum
from typing import Literal
from pydantic import BaseModel
from runware_provider.engine.spec import Answers
from runware_provider.groups import text_inference_group
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.operators import TextInferenceOperator

class Invoice(BaseModel):
    total: float

class Topic(enum.Enum):
    A = "secret label a"
    B = "secret label b"

LABELS = ["secret label a", "secret label b"]

with DAG("dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    TextInferenceOperator.partial(
        task_id="ask", destination="out", prompt="p.j2", output_type=Invoice
    ).expand(source=["a"])
    text_inference_group(group_id="shared", source="in", destination="out", prompt="p.j2", output_type=Invoice)
    for name, output_type in {"list": LABELS, "enum": Topic, "literal": Literal[tuple(LABELS)]}.items():
        TextInferenceOperator.partial(
            task_id=name, destination="out", prompt="p.j2", output_type=output_type,
            answers=Answers(untyped="json", model_profile=ModelProfile(unsupported=("pattern",))),
        ).expand(source=["a"])
"""

SHOW = """
print(json.dumps({
    "tasks": sorted(dag.task_ids),
    "serialized": serialized,
    "template_fields": list(read.get_task("plain").template_fields),
    "are_mapped": [read.get_task(name).is_mapped for name in ("mapped", "shared.infer", "shared.publish")],
    "of_the_group": sorted(read.task_group_dict["shared"].children),
    "from_the_file": DagSerialization.serialize_dag(bag.dags["dag"])["tasks"],
}))
"""


@pytest.fixture(scope="module")
def told(fresh_python: Any, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes that order sets differently say of the two DAGs.

    Airflow takes two seconds to start, so two processes tell all that the tests ask.
    """
    file = tmp_path_factory.mktemp("dags") / "a_dag.py"
    file.write_text(MAPPED_WITH_A_MODEL, encoding="utf-8")
    code = WITHOUT_HEAVY_MODULES + A_DAG + READ_BACK + LOAD_THE_FILE.format(file=str(file)) + SHOW
    printed = [fresh_python(code, environment={"PYTHONHASHSEED": seed}) for seed in "12"]
    return [json.loads(text.splitlines()[-1]) for text in printed]


def test_parsing_a_dag_imports_neither_httpx_nor_pyarrow(told: list[dict[str, Any]]) -> None:
    group = ["shared.infer", "shared.publish", "shared.split"]
    assert told[0]["tasks"] == ["decorated", "mapped", "plain", *group]


def test_two_processes_serialize_the_same_dag(told: list[dict[str, Any]]) -> None:
    first, second = (one["serialized"] for one in told)
    assert first == second
    assert " at 0x" not in json.dumps(first)


def test_a_serialized_task_holds_no_prompt(told: list[dict[str, Any]]) -> None:
    assert "Secret prompt" not in json.dumps(told[0]["serialized"])


def test_a_serialized_dag_is_read_back(told: list[dict[str, Any]]) -> None:
    assert told[0]["template_fields"] == [
        *("source", "destination", "model", "filters", "limit", "partition"),
        *("refresh", "retry_failed", "runware_conn_id", "budget", "failures", "memory", "approve"),
    ]
    assert told[0]["are_mapped"] == [True, True, False]
    assert told[0]["of_the_group"] == ["shared.infer", "shared.publish", "shared.split"]


def test_a_serialized_group_says_how_its_mapped_task_is_tried_again_and_how_many_at_once(
    told: list[dict[str, Any]],
) -> None:
    tasks = {task["__var"]["task_id"]: task["__var"] for task in told[0]["serialized"]["tasks"]}
    kept = tasks["shared.infer"]["partial_kwargs"]
    assert (kept["retries"], kept["max_active_tis_per_dagrun"]) == (2, 4)
    assert kept["retry_delay"] == {"__type": "timedelta", "__var": 10.0}
    assert [
        bool(task.get("outlets")) for name, task in sorted(tasks.items()) if name.startswith("shared.")
    ] == [
        False,
        True,
        False,
    ]


def test_a_mapped_task_with_a_pydantic_model_is_serialized_the_same_twice(
    told: list[dict[str, Any]],
) -> None:
    first, second = (one["from_the_file"] for one in told)
    assert first == second
    assert "<class Invoice " in json.dumps(first)
    assert "total: float" not in json.dumps(first)
    assert "secret label" not in json.dumps(first)
