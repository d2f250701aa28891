from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Connection, task
from airflow.sdk.exceptions import AirflowNotFoundException

from runware_provider.aws_connections import aws_options
from runware_provider.azure_connections import azure_options
from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_place import object_place
from runware_provider.engine.storage.stores import Stores
from runware_provider.google_connections import google_options
from runware_provider.object_stores import StoreOptions, airflow_stores, options_of
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import total_of
from tests.azure.server import ACCOUNT
from tests.azure.server import KEY as AZURE_KEY
from tests.google.server import shared_google
from tests.s3.server import KEY, REGION, SECRET, shared_server
from tests.store_servers import server_of

if TYPE_CHECKING:
    from collections.abc import Mapping

API_KEY = "key-of-the-tests-0123456789"
ROLE = {"role_arn": "arn:aws:iam::123456789012:role/lake"}
ASSUMED = {"key": "temporary", "secret": "temporary-secret", "token": "temporary-token"}


TYPES = {"s3": "aws", "gs": "google_cloud_platform", "abfs": "wasb"}
KEY_FILE = {"type": "service_account", "client_email": "somebody", "private_key": "very-secret"}


def connection(conn_type: str, extra: Mapping[str, Any] | None = None, **fields: Any) -> Connection:
    return Connection(conn_id="lake_conn", conn_type=conn_type, extra=json.dumps(extra or {}), **fields)


def options(extra: Mapping[str, Any] | None = None, **fields: Any) -> StoreOptions:
    conn_type = fields.pop("conn_type", "aws")
    return aws_options(connection(conn_type, fields.pop("extra", extra), **fields), lambda _: ASSUMED)


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
    with pytest.raises(BadInput, match=r"connection 'lake_conn': only the Amazon provider .*Install apache-"):
        aws_options(connection("aws", ROLE))


@pytest.mark.parametrize("scheme", TYPES)
def test_a_connection_that_there_is_not_is_refused_with_how_to_make_it(scheme: str) -> None:
    def connection_of(conn_id: str) -> Connection:
        raise AirflowNotFoundException(conn_id)

    told = rf'connection .lake_conn.: there is none .*AIRFLOW_CONN_LAKE_CONN=.*"conn_type": "{TYPES[scheme]}"'
    with pytest.raises(BadInput, match=told):
        options_of(object_place(f"{scheme}://lake_conn@lake"), connection_of=connection_of)


@pytest.mark.parametrize("scheme", TYPES)
def test_a_connection_for_another_store_is_refused(scheme: str) -> None:
    others = [other for other in (*TYPES.values(), "http") if other != TYPES[scheme]]
    for other in others:
        with pytest.raises(BadInput, match=rf"its type is '{other}', not '{TYPES[scheme]}'"):
            options_of(
                object_place(f"{scheme}://lake_conn@lake"),
                connection_of=lambda _, other=other: connection(other, login="k", password="s"),
            )


@pytest.mark.parametrize("scheme", TYPES)
def test_a_url_without_a_connection_leaves_all_to_the_environment(scheme: str) -> None:
    assert options_of(object_place(f"{scheme}://lake/out"), connection_of=pytest.fail) == {}


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, {}),
        ({"project": "mine", "num_retries": 5}, {}),
        ({"keyfile_dict": KEY_FILE}, {"service_account": json.dumps(KEY_FILE)}),
        ({"keyfile_dict": json.dumps(KEY_FILE)}, {"service_account": json.dumps(KEY_FILE)}),
        (
            {"extra__google_cloud_platform__keyfile_dict": json.dumps(KEY_FILE)},
            {"service_account": json.dumps(KEY_FILE)},
        ),
        ({"key_path": "/run/secrets/key.json"}, {"key_path": "/run/secrets/key.json"}),
        ({"is_anonymous": True, "keyfile_dict": KEY_FILE}, {"anonymous": "true"}),
        ({"gcs.endpoint": "http://127.0.0.1:9"}, {"endpoint": "http://127.0.0.1:9"}),
        ({"impersonation_chain": "a@b", "keyfile_dict": KEY_FILE}, {"token": "given"}),
        ({"credential_config_file": "/federated.json"}, {"token": "given"}),
        ({"key_secret_name": "key"}, {"token": "given"}),
    ],
)
def test_a_google_connection_says_who_asks(extra: dict[str, Any], expected: dict[str, str]) -> None:
    assert google_options(connection("google_cloud_platform", extra), lambda _: "given") == expected


def test_without_the_google_provider_an_impersonation_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadInput, match=r"only the Google provider .*Install apache-airflow-providers-google"):
        google_options(connection("google_cloud_platform", {"impersonation_chain": "a@b"}))


@pytest.mark.parametrize("written", ["{very-secret", '"very-secret"', ["very-secret"]])
def test_a_key_file_that_is_none_is_refused_without_quoting_it(written: Any) -> None:
    with pytest.raises(BadInput, match="keyfile_dict is no JSON object") as refused:
        google_options(connection("google_cloud_platform", {"keyfile_dict": written}))
    assert "very-secret" not in f"{refused.value}{refused.value.__cause__}"


HOST = "https://acc.blob.core.windows.net"
PLACE = {"account": "acc", "endpoint": HOST}


@pytest.mark.parametrize(
    ("conn_type", "fields", "expected"),
    [
        ("wasb", {"login": "acc", "password": "k"}, {"account": "acc", "key": "k"}),
        ("wasb", {"host": HOST, "extra": {"shared_access_key": "k"}}, {**PLACE, "key": "k"}),
        ("wasb", {"login": "acc", "extra": {"account_key": "k"}}, {"account": "acc", "key": "k"}),
        ("wasb", {"host": HOST, "extra": {"sas_token": "sv=1&sig=a"}}, {**PLACE, "sas_token": "sv=1&sig=a"}),
        ("wasb", {"host": HOST, "extra": {"sas_token": "?sv=1&sig=a"}}, {**PLACE, "sas_token": "sv=1&sig=a"}),
        ("wasb", {"extra": {"sas_token": f"{HOST}/?sv=1&sig=a"}}, {**PLACE, "sas_token": "sv=1&sig=a"}),
        (
            "wasb",
            {"host": HOST, "login": "app", "password": "s", "extra": {"tenant_id": "t"}},
            {**PLACE, "tenant_id": "t", "client_id": "app", "client_secret": "s"},
        ),
        (
            "wasb",
            {"extra": {"extra__wasb__connection_string": "AccountName=acc;AccountKey=k"}},
            {"account": "acc", "key": "k"},
        ),
        ("wasb", {"host": HOST}, PLACE),
        (
            "wasb",
            {"host": HOST, "extra": {"managed_identity_client_id": "me", "workload_identity_tenant_id": "t"}},
            {**PLACE, "client_id": "me", "tenant_id": "t"},
        ),
        ("adls", {"host": "acc", "password": "k"}, {"account": "acc", "key": "k"}),
        ("adls", {"host": "https://acc.dfs.core.windows.net/", "password": "k"}, {**PLACE, "key": "k"}),
        (
            "azure_data_lake",
            {"extra": {"account_name": "acc", "account_key": "k"}},
            {"account": "acc", "key": "k"},
        ),
    ],
)
def test_an_azure_connection_says_who_asks_and_where(
    conn_type: str, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    extra = fields.pop("extra", {})
    assert azure_options(connection(conn_type, extra, **fields)) == expected


def test_an_azure_connection_that_names_no_account_is_refused() -> None:
    with pytest.raises(BadInput, match=r"connection 'lake_conn': nothing in it names the storage account"):
        azure_options(connection("wasb", {"tenant_id": "t"}, login="app", password="very-secret"))


@pytest.mark.parametrize("fields", [{"login": "k"}, {"password": "very-secret"}])
def test_half_a_credential_is_refused_without_quoting_it(fields: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="a key without its secret") as refused:
        options(**fields)
    assert "very-secret" not in str(refused.value)


@pytest.mark.parametrize(
    "found",
    [
        google_options(connection("google_cloud_platform", {"keyfile_dict": KEY_FILE})),
        azure_options(connection("wasb", login="acc", password="very-secret")),
    ],
)
def test_no_options_show_what_they_hold(found: StoreOptions) -> None:
    assert "very-secret" not in f"{found!r}{found}"


def test_options_never_show_what_they_hold() -> None:
    found = options({"aws_session_token": "token-of-somebody"}, login="k", password="very-secret")
    for shown in (repr(found), str(found), f"{found}"):
        assert shown == "StoreOptions(key, secret, token)"


def s3_connection() -> dict[str, Any]:
    extra = {"endpoint_url": shared_server().endpoint_url, "region_name": REGION}
    return {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": json.dumps(extra)}


def google_connection() -> dict[str, Any]:
    server = shared_google()
    extra = {"keyfile_dict": server.key_file(), "gcs.endpoint": server.endpoint_url}
    return {"conn_type": "google_cloud_platform", "extra": json.dumps(extra)}


def azure_connection() -> dict[str, Any]:
    endpoint = f"{server_of('azure').endpoint_url}/{ACCOUNT}"
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={AZURE_KEY};BlobEndpoint={endpoint}"
    )
    return {"conn_type": "wasb", "extra": json.dumps({"connection_string": text})}


MADE = {"s3": s3_connection, "google": google_connection, "azure": azure_connection}


@pytest.mark.parametrize("name", MADE)
def test_a_task_writes_to_a_bucket_with_its_connection(api: Any, run_task: Any, name: str) -> None:
    place = server_of(name).new_place()
    api.connections["lake_conn"] = MADE[name]()
    url = place.replace("://", "://lake_conn@") + "/out/a"

    @task
    def write() -> str:
        storage = airflow_stores().open(url)
        assert storage.create_new(url, b"content")
        return storage.list(url.removesuffix("/out/a"))[0].path

    with DAG("dag", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
        write()
    ran = run_task(dag, "write")
    assert ran.error is None
    assert ran.xcom == url


@pytest.mark.parametrize("name", MADE)
def test_an_operator_reads_and_publishes_where_connections_lead(api: Any, run_task: Any, name: str) -> None:
    api.connections["lake_conn"] = MADE[name]()
    root = server_of(name).new_place()
    options = server_of(name).options()
    lake = Stores(lambda _: options).open(root)
    with lake.writing(f"{root}/in/a.parquet") as file:
        pq.write_table(pa.table({"body": [f"Total: {n}.50 EUR" for n in range(12)]}), file)
    named = root.replace("://", "://lake_conn@")
    with (
        LocalServer(ServerSettings(key=API_KEY, latency=0, answers=total_of)) as server,
        DAG("dag", schedule=None) as dag,
    ):
        api.connections["runware_default"] = {"host": server.base_url, "password": API_KEY}
        TextInferenceOperator(
            task_id="ask",
            source=f"{named}/in/*.parquet",
            destination=f"{named}/out",
            prompt="What is the total?\n{{ record.body }}",
        )
        ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert ran.xcom["outcomes"] == {"succeeded": 12}
    parts = [entry.path for entry in lake.list(f"{root}/out") if entry.path.endswith(".parquet")]
    assert sum(pq.read_metadata(io.BytesIO(lake.read(part))).num_rows for part in parts) == 12


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
        "print(sorted({'pyarrow', 'boto3', 'botocore', 'httpx', 'obstore'} & set(sys.modules)))"
    )
    before = fresh_python(
        "import sys, airflow.sdk\nprint(sorted({'pyarrow', 'boto3', 'botocore', 'httpx', 'obstore'} & set(sys.modules)))"
    )
    assert fresh_python(code).split("\n")[-2] == before.split("\n")[-2]
