from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, Asset

from runware_provider.assets import asset_uri
from runware_provider.decorators import text_inference_task
from runware_provider.engine.errors import BadInput
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator

ARGUMENTS: dict[str, Any] = {
    "source": "s3://reader@lake/raw/*.parquet",
    "destination": "/data/invoices/",
    "prompt": "Read: {{ record.body }}",
}
SOURCE, DESTINATION = "s3://lake/raw", "file:///data/invoices"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/data/out", "file:///data/out"),
        ("file:///data/out/", "file:///data/out"),
        ("/data//raw/./a/../b/", "file:///data/raw/b"),
        ("/data/../raw", "file:///raw"),
        ("//data/raw", "file:///data/raw"),
        ("file://localhost/data/raw", "file:///data/raw"),
        ("file://server/data/raw", None),
        ("s3a://conn@lake//raw/", "s3://lake/raw"),
        ("gcs://lake/raw/a.parquet", "gs://lake/raw/a.parquet"),
        ("abfs://conn@lake/raw", "abfs://lake/raw"),
        ("abfss://lake@account.dfs.core.windows.net/raw", "abfss://lake@account.dfs.core.windows.net/raw"),
        ("out/relative", None),
        ("~/out", None),
        ("/", None),
        ("/data/50%/out", None),
        ("/data/out#1", None),
        ("s3://x", None),
        ("s3://key:secret@lake/raw", None),
        ("/data/ds={{ ds }}", None),
        (object(), None),
    ],
)
def test_a_path_is_an_asset_where_it_says_enough(path: object, uri: str | None) -> None:
    assert asset_uri(path, is_glob=False) == uri
    assert asset_uri(path, is_glob=True) == uri


@pytest.mark.parametrize(
    ("path", "of_a_source", "of_a_destination"),
    [
        ("/data/ds=*/part.parquet", "file:///data", "file:///data/ds=*/part.parquet"),
        ("/lake/out[v2]", "file:///lake", "file:///lake/out[v2]"),
        ("s3://lake/raw/out[v2]", "s3://lake/raw", "s3://lake/raw/out[v2]"),
        ("/data/a?.parquet", "file:///data", None),
    ],
)
def test_wildcards_are_cut_from_a_source_and_are_part_of_a_destination(
    path: str, of_a_source: str, of_a_destination: str | None
) -> None:
    assert asset_uri(path, is_glob=True) == of_a_source
    assert asset_uri(path, is_glob=False) == of_a_destination
    assert assets(a_task(source=path, destination=path)) == (
        [of_a_source],
        [] if of_a_destination is None else [of_a_destination],
    )


def assets(operator: Any) -> tuple[list[str], list[str]]:
    return [asset.uri for asset in operator.inlets], [asset.uri for asset in operator.outlets]


def a_task(**changes: Any) -> Any:
    with DAG("dag", schedule=None):
        return TextInferenceOperator(task_id="ask", **{**ARGUMENTS, **changes})


def test_source_and_destination_are_inlet_and_outlet_beside_what_the_author_gives() -> None:
    assert assets(a_task()) == ([SOURCE], [DESTINATION])
    more = a_task(inlets=[Asset("prompts")], outlets=[Asset("invoices")])
    assert assets(more) == (["prompts", SOURCE], ["invoices", DESTINATION])


def test_what_the_author_declares_by_another_name_is_not_made_again() -> None:
    named = Asset("invoices", uri="file:///data/invoices/")
    assert a_task(outlets=[named]).outlets == [named]
    assert len(a_task(outlets=[Asset.ref(uri=DESTINATION)]).outlets) == 1


def test_beside_a_reference_by_name_none_is_made_since_nobody_knows_its_uri() -> None:
    reference = Asset.ref(name="invoices")
    task = a_task(outlets=[reference])
    assert (task.outlets, [asset.uri for asset in task.inlets]) == ([reference], [SOURCE])
    task = a_task(inlets=[reference])
    assert (task.inlets, [asset.uri for asset in task.outlets]) == ([reference], [DESTINATION])


def test_a_template_makes_none() -> None:
    assert assets(a_task(source="/in/{{ ds }}", destination="/out/{{ ds }}")) == ([], [])


def test_the_task_and_the_configuration_switch_them_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert assets(a_task(assets=False)) == ([], [])
    monkeypatch.setenv("AIRFLOW__RUNWARE__ASSETS", "False")
    assert assets(a_task()) == ([], [])
    assert assets(a_task(assets=True)) == ([SOURCE], [DESTINATION])


def test_a_switch_that_is_neither_is_refused() -> None:
    with pytest.raises(BadInput, match="assets: it is 'no'"):
        a_task(assets="no")


def test_split_has_the_inlet_and_publish_the_outlet() -> None:
    given = {"inlets": [Asset("prompts")], "outlets": [Asset("invoices")]}
    with DAG("dag", schedule=None) as dag:
        text_inference_group(group_id="read", **ARGUMENTS, **given)
    assert assets(dag.get_task("read.split")) == (["prompts", SOURCE], [])
    assert assets(dag.get_task("read.infer")) == ([], [])
    assert assets(dag.get_task("read.publish")) == ([], ["invoices", DESTINATION])


def test_a_decorated_task_has_those_that_the_decorator_gives() -> None:
    with DAG("dag", schedule=None) as dag:

        @text_inference_task(source=ARGUMENTS["source"])
        def ask() -> dict[str, str]:
            return {"destination": "/out", "prompt": "{{ record.body }}"}

        ask()
    assert assets(dag.get_task("ask")) == ([SOURCE], [])


def test_mapped_tasks_give_no_event(run_task: Any) -> None:
    class Told(TextInferenceOperator):
        def start_job(self, *_: Any) -> Any:
            return self._nothing()

        async def _nothing(self) -> dict[str, Any]:
            raise RuntimeError("outlets: " + str(self.outlets))

    with DAG("dag", schedule=None) as dag:
        Told.partial(
            task_id="ask", **ARGUMENTS, partition={"ds": "{{ ti.map_index }}"}, outlets=[Asset("given")]
        ).expand(limit=[1, 2])
    ran = run_task(dag, "ask", map_index=1)
    assert "Asset(name='given'" in str(ran.error)
    assert DESTINATION not in str(ran.error)
