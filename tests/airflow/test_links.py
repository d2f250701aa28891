from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from runware_provider.engine.spec import Memory
from runware_provider.links import LINKS, browser_url, links_to
from runware_provider.operators import TextInferenceOperator
from runware_provider.places import Places
from runware_provider.provider_info import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Mapping

S3 = "https://console.aws.amazon.com/s3"


@pytest.mark.parametrize(
    ("url", "is_folder", "settings", "shown"),
    [
        ("s3://lake/a b/out", True, {}, f"{S3}/buckets/lake?prefix=a%20b/out/"),
        ("s3a://conn@lake/out/m.json", False, {}, f"{S3}/object/lake?prefix=out/m.json"),
        (
            "s3://lake/out",
            True,
            {"region": "cn-north-1"},
            "https://console.amazonaws.cn/s3/buckets/lake?prefix=out/",
        ),
        ("s3://lake/out", True, {"endpoint": "http://minio:9000"}, None),
        (
            "gs://conn@lake/out/ds=2026-01-02",
            True,
            {},
            "https://console.cloud.google.com/storage/browser/lake/out/ds%3D2026-01-02",
        ),
        ("gs://lake/r/report.html", False, {}, "https://storage.cloud.google.com/lake/r/report.html"),
        ("abfs://conn@lake/out", True, {}, None),
        ("abfss://lake@account.dfs.core.windows.net/out", True, {}, None),
    ],
)
def test_a_link_leads_where_a_browser_shows_the_place(
    url: str, settings: Mapping[str, str], shown: str | None, *, is_folder: bool
) -> None:
    assert browser_url(url, settings, is_folder=is_folder) == shown


def test_there_is_no_link_to_a_local_file() -> None:
    assert links_to(Places("/out", "/out.state", "/out.state/manifest.json", None)) == {}


def test_another_store_that_the_environment_names_has_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places("s3://lake/out", "s3://lake/out.state", "s3://lake/out.state/manifest.json", None)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    assert set(links_to(places)) == {"output", "manifest"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    assert links_to(places) == {}


def test_a_connection_to_another_store_or_a_missing_one_has_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"endpoint_url": "http://minio:9000"}
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", json.dumps({"conn_type": "aws", "extra": extra}))
    for conn_id in ("minio", "no_such"):
        places = Places(f"s3://{conn_id}@lake/out", "", f"s3://{conn_id}@lake/m.json", None)
        assert links_to(places) == {}


@pytest.mark.parametrize("state", ["/local/state", "relative", "https://host/state", "s3://x"])
def test_a_state_folder_without_a_page_has_no_link_and_is_left_to_the_engine(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    places = Places("s3://lake/out", state, f"{state}/manifest.json", f"{state}/reports/report.html")
    assert set(links_to(places)) == {"output"}


def test_each_place_is_linked_by_the_settings_of_its_own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    places = Places("s3://lake/out", "gs://lake/state", "gs://lake/state/manifest.json", None)
    assert links_to(places) == {"manifest": "https://storage.cloud.google.com/lake/state/manifest.json"}


def test_a_state_folder_in_another_store_gets_the_engines_own_refusal(run_task: Any) -> None:
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator(
            task_id="ask",
            source="in",
            destination="s3://lake/out",
            prompt="{{ record.a }}",
            memory=Memory(state="/local/state"),
        )
    error = run_task(dag, "ask").error
    assert "memory.state" in str(error)


def test_a_secret_in_a_url_is_neither_taken_for_a_connection_nor_told(
    run_task: Any, api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator(
            task_id="ask",
            source="in",
            destination="s3://AKIAKEY:sec/ret@lake/out",
            prompt="{{ record.a }}",
        )
    ran = run_task(dag, "ask")
    assert "may be a password" in str(ran.error)
    assert "places" in str(api.pushed)
    for told in (str(ran.error), str(api.pushed), caplog.text):
        assert "sec/ret" not in told


def test_the_page_knows_the_links_of_plain_and_mapped_tasks_and_the_provider_lists_them() -> None:
    arguments: dict[str, Any] = {"source": "in", "prompt": "{{ record.a }}"}
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator(task_id="plain", destination="s3://lake/out", **arguments)
        TextInferenceOperator.partial(task_id="mapped", **arguments).expand(destination=["s3://lake/out"])
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: PLC0415 - heavy

    stored = json.dumps(DagSerialization.serialize_dag(dag))
    for link in LINKS:
        assert stored.count(link.xcom_key) == 2
        assert f"{type(link).__module__}.{type(link).__name__}" in get_provider_info()["extra-links"]
