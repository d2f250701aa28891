from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, Connection, task
from airflow.sdk.exceptions import AirflowNotFoundException

from runware_provider.engine.errors import BadInput
from runware_provider.object_stores import StoreOptions, airflow_stores, options_of
from tests.s3.server import KEY, REGION, SECRET, shared_server

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLE = {"role_arn": "arn:aws:iam::123456789012:role/lake"}
ASSUMED = {"key": "temporary", "secret": "temporary-secret", "token": "temporary-token"}


def options(extra: Mapping[str, Any] | None = None, **fields: Any) -> StoreOptions:
    def connection_of(conn_id: str) -> Connection:
        return Connection(conn_id=conn_id, **{"conn_type": "aws", "extra": json.dumps(extra or {}), **fields})

    return options_of("lake_aws", connection_of=connection_of, credentials_of=lambda _: ASSUMED)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"login": "k", "password": "s"}, {"key": "k", "secret": "s"}),
        ({"conn_type": "s3", "login": "k", "password": "s"}, {"key": "k", "secret": "s"}),
        ({"extra": {"aws_access_key_id": "k", "aws_secret_access_key": "s"}}, {"key": "k", "secret": "s"}),
        (
            {"login": "k", "password": "s", "extra": {"aws_session_token": "t"}},
            {"key": "k", "secret": "s", "token": "t"},
        ),
        ({"extra": {"region_name": "eu-west-1"}}, {"region": "eu-west-1"}),
        ({"extra": {"endpoint_url": "http://minio:9000"}}, {"endpoint": "http://minio:9000"}),
        (
            {
                "extra": {
                    "endpoint_url": "http://all",
                    "service_config": {"s3": {"endpoint_url": "http://only-s3"}},
                }
            },
            {"endpoint": "http://only-s3"},
        ),
        (
            {
                "extra": {
                    "endpoint_url": "http://all",
                    "service_config": {"sts": {"endpoint_url": "http://sts"}},
                }
            },
            {"endpoint": "http://all"},
        ),
    ],
)
def test_a_connection_says_who_asks_and_where(fields: dict[str, Any], expected: dict[str, str]) -> None:
    assert options(**fields) == expected


@pytest.mark.parametrize(
    "extra", [ROLE, {"profile_name": "lake"}, {"session_kwargs": {"profile_name": "lake"}}]
)
def test_roles_and_profiles_are_the_amazon_providers_matter(extra: dict[str, Any]) -> None:
    assert options({**extra, "region_name": "eu-west-1"}, login="k", password="s") == {
        **ASSUMED,
        "region": "eu-west-1",
    }


def test_without_the_amazon_provider_a_role_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadInput, match=r"connection 'lake_aws': only the Amazon provider .*Install apache-"):
        options_of(
            "lake_aws",
            connection_of=lambda _: Connection(conn_id="c", conn_type="aws", extra=json.dumps(ROLE)),
        )


def test_a_connection_that_there_is_not_is_refused_with_how_to_make_it() -> None:
    def connection_of(conn_id: str) -> Connection:
        raise AirflowNotFoundException(conn_id)

    with pytest.raises(BadInput, match=r"connection 'lake_aws': there is none .*AIRFLOW_CONN_LAKE_AWS="):
        options_of("lake_aws", connection_of=connection_of)


def test_a_connection_of_another_type_is_refused() -> None:
    with pytest.raises(BadInput, match="its type is 'http', not 'aws'"):
        options(conn_type="http", login="k", password="s")


@pytest.mark.parametrize("fields", [{"login": "k"}, {"password": "very-secret"}])
def test_half_a_credential_is_refused_without_quoting_it(fields: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="a key without its secret") as refused:
        options(**fields)
    assert "very-secret" not in str(refused.value)


def test_options_never_show_what_they_hold() -> None:
    found = options({"aws_session_token": "token-of-somebody"}, login="k", password="very-secret")
    for shown in (repr(found), str(found), f"{found}"):
        assert shown == "StoreOptions(key, secret, token)"


def test_a_task_writes_to_a_bucket_with_its_connection(api: Any, run_task: Any) -> None:
    server = shared_server()
    bucket = server.new_bucket()
    extra = json.dumps({"endpoint_url": server.endpoint_url, "region_name": REGION})
    api.connections["lake_aws"] = {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": extra}
    url = f"s3://lake_aws@{bucket}/out/a"

    @task
    def write() -> str:
        storage = airflow_stores().open(url)
        assert storage.create_new(url, b"content")
        return storage.canonical(storage.list(f"s3://lake_aws@{bucket}")[0].path)

    with DAG("dag", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
        write()
    ran = run_task(dag, "write")
    assert ran.error is None
    assert ran.xcom == f"s3://{bucket}/out/a"


def test_a_task_with_a_connection_that_there_is_not_says_so(api: Any, run_task: Any) -> None:
    @task
    def write() -> None:
        airflow_stores().open("s3://no_such@bucket/out", field="destination")

    with DAG("dag", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
        write()
    ran = run_task(dag, "write")
    assert isinstance(ran.error, BadInput)
    assert "connection 'no_such'" in str(ran.error)
    assert api.xcoms == []


def test_parsing_needs_no_pyarrow_and_no_client(fresh_python: Any) -> None:
    code = (
        "import sys, runware_provider.object_stores\n"
        "print(sorted({'pyarrow', 'boto3', 'botocore', 'httpx'} & set(sys.modules)))"
    )
    before = fresh_python(
        "import sys, airflow.sdk\nprint(sorted({'pyarrow', 'boto3', 'botocore', 'httpx'} & set(sys.modules)))"
    )
    assert fresh_python(code).split("\n")[-2] == before.split("\n")[-2]
