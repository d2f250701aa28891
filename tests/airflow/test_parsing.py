"""What the DAG processor meets: imports, serialized DAGs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

A_DAG = """
import hashlib, json, sys
from datetime import datetime, timezone
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization
from runware_provider.engine.spec import Limits, Settings, Tool
from runware_provider.decorators import text_inference_task
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
serialized = DagSerialization.serialize_dag(dag)
serialized.pop("fileloc", None)
"""

WITHOUT_HEAVY_MODULES = """
import sys
import airflow.sdk
from airflow.sdk import DAG, Asset, BaseHook, BaseOperator, Connection
from airflow.serialization.serialized_objects import DagSerialization
for heavy in ("httpx", "pyarrow"):
    sys.modules[heavy] = None  # an import of it fails from here on
"""


def test_parsing_a_dag_imports_neither_httpx_nor_pyarrow(fresh_python: Any) -> None:
    printed = fresh_python(WITHOUT_HEAVY_MODULES + A_DAG + "print(sorted(dag.task_ids))")
    assert printed.splitlines()[-1] == "['decorated', 'mapped', 'plain']"


def test_two_processes_serialize_the_same_dag(fresh_python: Any) -> None:
    show = "print(json.dumps(serialized, sort_keys=True))"
    first, second = (
        fresh_python(A_DAG + show, environment={"PYTHONHASHSEED": seed}).splitlines()[-1] for seed in "12"
    )
    assert json.loads(first) == json.loads(second)
    assert " at 0x" not in first


def test_a_serialized_task_holds_no_prompt(fresh_python: Any) -> None:
    printed = fresh_python(A_DAG + "print(json.dumps(serialized))")
    assert "Secret prompt" not in printed


def test_a_serialized_dag_is_read_back(fresh_python: Any) -> None:
    printed = fresh_python(
        A_DAG + "read = DagSerialization.deserialize_dag(json.loads(json.dumps(serialized)));"
        "print(read.get_task('plain').template_fields, read.get_task('mapped').is_mapped)"
    )
    assert printed.splitlines()[-1] == (
        "['source', 'destination', 'state', 'partition', 'failures', 'model', 'filters', 'limit', 'refresh',"
        " 'retry_failed'] True"
    )


MAPPED_WITH_A_MODEL = """
from __future__ import annotations
from datetime import datetime, timezone
from airflow.sdk import DAG
import enum
from typing import Literal
from pydantic import BaseModel
from runware_provider.engine.spec import Structured
from runware_provider.engine.traits import ModelTraits
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
    for name, output_type in {"list": LABELS, "enum": Topic, "literal": Literal[tuple(LABELS)]}.items():
        TextInferenceOperator.partial(
            task_id=name, destination="out", prompt="p.j2", output_type=output_type,
            structured=Structured(untyped="json", traits=ModelTraits(unsupported=("pattern",))),
        ).expand(source=["a"])
"""

SERIALIZE_THE_FILE = """
import json
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(dag_folder="a_dag.py")
assert not bag.import_errors, bag.import_errors
print(json.dumps(DagSerialization.serialize_dag(bag.dags["dag"])["tasks"]))
"""


def test_a_mapped_task_with_a_pydantic_model_is_serialized_the_same_twice(
    fresh_python: Any, tmp_path: Path
) -> None:
    (tmp_path / "a_dag.py").write_text(MAPPED_WITH_A_MODEL, encoding="utf-8")
    first, second = (
        fresh_python(SERIALIZE_THE_FILE, environment={"PYTHONHASHSEED": seed}).splitlines()[-1]
        for seed in "12"
    )
    assert json.loads(first) == json.loads(second)
    assert "<class Invoice " in first
    assert "total: float" not in first
    assert "secret label" not in first
