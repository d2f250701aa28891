"""What the DAG processor meets: imports, serialized DAGs."""

from __future__ import annotations

import json
from typing import Any

A_DAG = """
import hashlib, json, sys
from datetime import datetime, timezone
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization
from runware_provider.engine.spec import Limits, Settings, Tool
from runware_provider.operators import TextInferenceOperator

with DAG("dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
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
    assert printed.splitlines()[-1] == "['mapped', 'plain']"


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
        "['source', 'destination', 'state', 'partition', 'model', 'limit'] True"
    )
