from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_place import object_place
from runware_provider.engine.storage.obstore_options import (
    config_of,
    from_environment,
    located,
    of_connection_string,
    speaks_plain_http,
)

if TYPE_CHECKING:
    from runware_provider.engine.storage.object_place import ObjectPlace

GOOGLE = object_place("gs://lake/a")
AZURE = object_place("abfs://lake/a")
NAMED = object_place("abfs://lake@named.dfs.core.windows.net/a")
PORTAL = (
    "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn"
)


@pytest.mark.parametrize(
    ("options", "environment", "account", "cloud"),
    [
        ({"account": "acc"}, {}, "acc", "core.windows.net"),
        ({}, {"AZURE_STORAGE_ACCOUNT_NAME": "env"}, "env", "core.windows.net"),
        ({"account": "acc"}, {"AZURE_STORAGE_ACCOUNT_NAME": "env"}, "acc", "core.windows.net"),
        ({"account": "acc", "endpoint": "https://acc.blob.core.x.gov"}, {}, "acc", "core.x.gov"),
        ({"account": "acc", "endpoint": "http://127.0.0.1:1/acc"}, {}, "acc", "core.windows.net"),
    ],
)
def test_a_container_is_in_the_account_that_is_named(
    options: dict[str, str], environment: dict[str, str], account: str, cloud: str
) -> None:
    place = located(AZURE, options, environment)
    assert (place.account, place.cloud) == (account, cloud)


def test_the_account_in_a_url_precedes_all_others() -> None:
    assert located(NAMED, {}, {"AZURE_STORAGE_ACCOUNT_NAME": "env"}) == NAMED


def test_a_container_in_no_account_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing says in which storage account"):
        located(AZURE, {}, {})
    assert located(GOOGLE, {}, {}) == GOOGLE


@pytest.mark.parametrize(
    ("options", "config"),
    [
        ({}, {}),
        ({"service_account": "{}", "give_up_s": "1"}, {"service_account_key": "{}"}),
        ({"key_path": "/key"}, {"service_account": "/key"}),
        ({"token": "t", "endpoint": "http://e"}, {"bearer_token": "t", "base_url": "http://e"}),
        ({"anonymous": "true"}, {"skip_signature": "true"}),
    ],
)
def test_googles_options_are_told_in_obstores_words(options: dict[str, str], config: dict[str, str]) -> None:
    assert config_of(GOOGLE, options) == config


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, {}),
        ({"key": "k"}, {"account_key": "k", "credential_type": "access_key"}),
        ({"sas_token": "s"}, {"sas_token": "s", "credential_type": "sas_token"}),
        ({"token": "t"}, {"token": "t", "credential_type": "bearer_token"}),
        ({"client_id": "c"}, {"client_id": "c"}),
        (
            {"client_id": "c", "client_secret": "s", "tenant_id": "t"},
            {"client_id": "c", "client_secret": "s", "tenant_id": "t", "credential_type": "client_secret"},
        ),
    ],
)
def test_azures_options_are_told_in_obstores_words_and_which_of_them_count(
    options: dict[str, str], told: dict[str, str]
) -> None:
    assert config_of(NAMED, options) == {"account_name": "named", **told}


def test_an_account_in_another_cloud_has_another_host() -> None:
    place = object_place("abfs://lake@acc.dfs.core.usgovcloudapi.net/a")
    assert config_of(place, {})["endpoint"] == "https://acc.blob.core.usgovcloudapi.net"
    assert config_of(place, {"endpoint": "https://private"})["endpoint"] == "https://private"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PORTAL, {"account": "acc", "key": "a2V5==", "endpoint": "https://acc.blob.core.chinacloudapi.cn"}),
        ("AccountName=acc;AccountKey=k;", {"account": "acc", "key": "k"}),
        (
            "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=a%3D",
            {
                "account": "acc",
                "sas_token": "sv=1&sig=a%3D",
                "endpoint": "https://acc.blob.core.windows.net",
            },
        ),
    ],
)
def test_a_connection_string_is_read(text: str, expected: dict[str, str]) -> None:
    assert of_connection_string(text, "connection") == expected


@given(text=st.text(st.sampled_from("a;= /:.")))
def test_what_names_no_account_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(BadInput, match=r"^connection: this connection string names no account\. Copy it"):
        of_connection_string(text, "connection")


def test_the_environments_connection_string_counts_where_nothing_else_is_said() -> None:
    environment = {"AZURE_STORAGE_CONNECTION_STRING": PORTAL}
    in_its_account = object_place("abfs://lake@acc.dfs.core.chinacloudapi.cn/a")
    assert from_environment(AZURE, {"give_up_s": "1"}, environment)["account"] == "acc"
    assert from_environment(in_its_account, {}, environment)["key"] == "a2V5=="
    assert from_environment(AZURE, {"account": "own"}, environment) == {"account": "own"}
    assert from_environment(AZURE, {}, {}) == {}
    assert from_environment(GOOGLE, {}, environment) == {}


def test_the_environments_connection_string_says_nothing_of_another_account() -> None:
    environment = {"AZURE_STORAGE_CONNECTION_STRING": PORTAL}
    options = from_environment(NAMED, {}, environment)
    assert config_of(located(NAMED, options, environment), options) == {"account_name": "named"}


@pytest.mark.parametrize(
    ("place", "options", "environment", "plain"),
    [
        (GOOGLE, {}, {}, False),
        (GOOGLE, {"endpoint": "http://127.0.0.1:1"}, {}, True),
        (GOOGLE, {"endpoint": "https://e"}, {"GOOGLE_BASE_URL": "http://127.0.0.1:1"}, False),
        (GOOGLE, {}, {"GOOGLE_BASE_URL": "http://127.0.0.1:1"}, True),
        (AZURE, {}, {"AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:1"}, True),
        (AZURE, {}, {"GOOGLE_BASE_URL": "http://127.0.0.1:1"}, False),
    ],
)
def test_only_an_endpoint_that_says_so_is_spoken_to_without_tls(
    place: ObjectPlace, options: dict[str, str], environment: dict[str, str], plain: object
) -> None:
    assert speaks_plain_http(place, options, environment) is plain
