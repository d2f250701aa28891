from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from runware_provider.connection_fields import base_url
from runware_provider.engine.endpoint import DEFAULT_BASE_URL
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Limits, Spec
from runware_provider.hook import RunwareHook
from runware_provider.testing import LocalServer, ServerSettings
from tests.said import said

if TYPE_CHECKING:
    from runware_provider.engine.endpoint import Endpoint

KEY = "key-of-the-tests-0123456789"


def a_hook(**fields: Any) -> RunwareHook:
    """A hook whose connection has these fields; none at all when there are none."""

    class Hook(RunwareHook):
        @classmethod
        def get_connection(cls, conn_id: str) -> Connection:
            if not fields:
                raise AirflowNotFoundException(conn_id)
            return Connection(conn_id=conn_id, conn_type="runware", **fields)

    return Hook()


def endpoint(**fields: Any) -> Endpoint:
    return a_hook(password=KEY, **fields).get_endpoint()


def test_the_password_is_the_key_and_the_url_is_the_vendors_by_default() -> None:
    assert (endpoint().key, endpoint().base_url) == (KEY, DEFAULT_BASE_URL)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": ""}, DEFAULT_BASE_URL),
        ({"host": "api.example.com"}, "https://api.example.com/v1"),
        ({"host": "https://api.example.com"}, "https://api.example.com/v1"),
        ({"host": "https://api.example.com/v1/"}, "https://api.example.com/v1"),
        ({"host": "https://api.example.com/proxy/v1"}, "https://api.example.com/proxy/v1"),
        ({"host": "https://api.example.com/"}, "https://api.example.com/v1"),
        ({"host": "https://api.example.com/", "schema": "v2"}, "https://api.example.com/v2"),
        ({"port": 8443}, DEFAULT_BASE_URL),
        ({"host": "api.example.com", "port": 8443}, "https://api.example.com:8443/v1"),
        ({"host": "api.example.com:1", "port": 8443}, "https://api.example.com:1/v1"),
        ({"host": "api.example.com", "schema": "v2"}, "https://api.example.com/v2"),
        ({"host": "127.0.0.1", "port": 80}, "http://127.0.0.1:80/v1"),
        ({"host": "localhost", "schema": "https"}, "https://localhost/v1"),
        ({"host": "http://[::1]", "port": 80}, "http://[::1]:80/v1"),
    ],
)
def test_the_base_url_is_read_from_host_port_and_schema(fields: dict[str, Any], expected: str) -> None:
    assert base_url(Connection(conn_id="c", conn_type="runware", **fields)) == expected


def test_a_connection_written_as_a_uri_means_the_same() -> None:
    connection = Connection.from_uri(f"runware://:{KEY}@127.0.0.1:8123/v1", conn_id="c")
    assert base_url(connection) == "http://127.0.0.1:8123/v1"


@pytest.mark.parametrize("fields", [{}, {"password": " "}, {"host": "127.0.0.1"}])
def test_a_missing_connection_or_password_tells_how_to_make_it(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"AIRFLOW_CONN_RUNWARE_DEFAULT='\{\"conn_type\": \"runware\""):
        a_hook(**fields).get_endpoint()


@pytest.mark.parametrize("host", ["http://api.example.com", f"https://user:{KEY}@api.example.com", "ftp://x"])
def test_a_host_that_would_give_the_key_away_is_refused_without_showing_it(host: str) -> None:
    with pytest.raises(BadInput) as refused:
        endpoint(host=host)
    assert KEY not in str(refused.value)


def test_the_connection_test_never_raises() -> None:
    verdict, message = a_hook().test_connection()
    assert not verdict
    assert "AIRFLOW_CONN_RUNWARE_DEFAULT" in message


def test_the_connection_test_says_that_the_api_takes_the_key() -> None:
    with LocalServer(ServerSettings(key=KEY)) as server:
        verdict, message = a_hook(host=server.base_url, password=KEY).test_connection()
        assert server.bill_summary()["executed"] == 0
    assert verdict, message
    assert KEY not in message


def test_the_connection_test_says_that_the_api_refuses_the_key() -> None:
    with LocalServer(ServerSettings(key="another-key")) as server:
        verdict, message = a_hook(host=server.base_url, password=KEY).test_connection()
    assert not verdict
    assert KEY not in message


def test_the_connection_test_does_not_show_the_id_that_airflow_gives_for_the_test() -> None:
    verdict, message = a_hook(password=" ").test_connection()
    assert (verdict, "runware_default" in message.lower()) == (False, False)
    assert message.startswith("the connection: it has no password")


def test_the_connection_test_says_what_to_do_where_there_is_no_api() -> None:
    with LocalServer(ServerSettings(key=KEY)) as server:
        host = f"{server.base_url}/elsewhere"
        verdict, message = a_hook(host=host, password=KEY).test_connection()
    assert not verdict
    assert f"{host} answered HTTP 404" in message
    assert f"Check the base URL; the vendor's is {DEFAULT_BASE_URL}" in message


async def test_the_connection_test_works_inside_an_event_loop() -> None:
    with LocalServer(ServerSettings(key=KEY)) as server:
        assert a_hook(host=server.base_url, password=KEY).test_connection()[0]


def test_the_connection_test_says_that_nobody_answers() -> None:
    with LocalServer(ServerSettings(key=KEY)) as server:
        gone = server.base_url
    verdict, message = a_hook(host=gone, password=KEY).test_connection()
    assert not verdict
    assert gone in message


def test_the_hook_shows_no_key() -> None:
    hook = a_hook(password=KEY)
    assert KEY not in repr(hook)
    assert KEY not in repr(hook.get_endpoint())


# Bounds


def a_spec(**limits: int) -> Spec:
    return Spec(source="in", destination="out", prompt="{{ record.a }}", limits=Limits(**limits))


def test_a_bound_of_the_connection_lowers_a_limit_and_never_raises_it() -> None:
    hook = a_hook(password=KEY, extra='{"max_outstanding": 40, "requests": 8}')
    bounded = hook.within_bounds(a_spec(requests=2)).limits
    assert (bounded.max_outstanding, bounded.requests) == (40, 2)
    assert bounded.attempts == Limits().attempts


@pytest.mark.parametrize("extra", ["", "{}", '{"max_outstanding": null, "requests": ""}', '{"other": 3}'])
def test_a_connection_without_bounds_leaves_the_limits_alone(extra: str) -> None:
    assert a_hook(password=KEY, extra=extra).within_bounds(a_spec()) == a_spec()


def test_a_bound_may_be_a_number_as_a_text() -> None:
    assert a_hook(password=KEY, extra='{"requests": "3"}').within_bounds(a_spec()).limits.requests == 3


@pytest.mark.parametrize("value", ['"many"', "0", "4001", "[1]"])
def test_a_bound_that_is_none_is_refused_by_its_name_also_by_the_connection_test(value: str) -> None:
    hook = a_hook(password=KEY, extra=f'{{"requests": {value}}}')
    with pytest.raises(BadInput, match=r"connection 'runware_default', field requests: "):
        hook.within_bounds(a_spec())
    verdict, message = hook.test_connection()
    assert (verdict, message.startswith("the connection, field requests: ")) == (False, True)


def test_a_misspelt_bound_is_warned_of_also_by_the_connection_test(caplog: pytest.LogCaptureFixture) -> None:
    sentence = (
        "its extra has max_oustanding, which this provider does not read; it reads max_outstanding, requests"
    )
    with LocalServer(ServerSettings(key=KEY)) as server:
        hook = a_hook(password=KEY, host=server.base_url, extra='{"max_oustanding": 40, "requests": 8}')
        verdict, message = hook.test_connection()
    hook._log = logging.getLogger("of.this.test")  # Airflow's own does not reach the root
    assert (verdict, sentence in message) == (True, True)
    assert hook.within_bounds(a_spec()).limits.max_outstanding == Limits().max_outstanding
    assert said(caplog.messages).endswith(f"Warning: connection 'runware_default': {sentence}.")
