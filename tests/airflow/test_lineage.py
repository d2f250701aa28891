"""What Airflow's OpenLineage provider is told; that it takes it, tests/whole_airflow/test_seen.py holds with the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from runware_provider.assets import asset_uri
from runware_provider.groups import text_inference_group
from runware_provider.lineage import dataset_name
from runware_provider.operators import TextInferenceOperator


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("s3://reader@lake/raw/*.parquet", ("s3://lake", "raw")),
        ("s3a://lake//raw//a/", ("s3://lake", "raw/a")),
        ("gcs://lake/raw", ("gs://lake", "raw")),
        (
            "abfss://lake@account.dfs.core.windows.net/raw",
            ("abfss://lake@account.dfs.core.windows.net", "raw"),
        ),
        ("s3://lake", ("s3://lake", "/")),
        ("/data/ds=*/a.parquet", ("file", "/data")),
        ("file:///data/raw", ("file", "/data/raw")),
        ("raw/*.parquet", ("file", str(Path.cwd() / "raw"))),
        ("*.parquet", ("file", str(Path.cwd()))),
    ],
)
def test_a_path_is_named_as_other_tools_name_it(path: str, named: tuple[str, str]) -> None:
    assert dataset_name(path, is_glob=True) == named


def test_of_a_destination_wildcards_are_part_of_the_name() -> None:
    assert dataset_name("/lake/out[v2]", is_glob=False) == ("file", "/lake/out[v2]")
    assert dataset_name("s3://lake/out[v2]", is_glob=False) == ("s3://lake", "out[v2]")


@pytest.mark.parametrize("path", ["/data//raw", "//data/raw", "/data/x/../raw/", "file://localhost/data/raw"])
def test_lineage_and_assets_mean_the_same_folder(path: str) -> None:
    namespace, name = dataset_name(path, is_glob=False)
    assert (namespace, name) == ("file", "/data/raw")
    assert asset_uri(path, is_glob=False) == f"file://{name}"


def test_every_task_reads_the_source_and_the_one_that_publishes_writes_the_destination() -> None:
    arguments = {"source": "/in", "destination": "/out", "prompt": "{{ record.a }}"}
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator(task_id="ask", **arguments)
        text_inference_group(group_id="read", **arguments)
    told = {name: dag.get_task(name)._lineage() for name in ("ask", "read.split", "read.publish")}
    assert {name: (lineage.source, lineage.output) for name, lineage in told.items()} == {
        "ask": ("/in", "/out"),
        "read.split": ("/in", None),
        "read.publish": ("/in", "/out"),
    }
