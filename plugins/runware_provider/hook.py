"""The Airflow connection as the engine's endpoint."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import DEFAULT_BASE_URL, Endpoint, Limits, Spec

if TYPE_CHECKING:
    from airflow.sdk import Connection

DEFAULT_CONN_ID: Final = "runware_default"
TEST_TIMEOUT_S: Final = 10.0
"""Seconds that the connection test may take: somebody is waiting for it in front of a form."""

BOUNDS: Final = ("max_outstanding", "requests")
"""The limits that a connection may lower for all tasks that use it: fields of its extra, named as in `Limits`."""

_DEFAULT_PATH: Final = urlsplit(DEFAULT_BASE_URL).path
_SCHEMES: Final = frozenset({"http", "https"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class RunwareHook(BaseHook):
    """Reads the connection: its password is the API key, its host the base URL, its extra may hold bounds.

    Args:
        runware_conn_id: the connection's id. The host may be left out (the vendor's URL is taken), may
            come with or without its scheme, and with or without the path `/v1`.
    """

    conn_name_attr = "runware_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "runware"
    hook_name = "Runware"

    def __init__(self, runware_conn_id: str = DEFAULT_CONN_ID, *, logger_name: str | None = None) -> None:
        super().__init__(logger_name=logger_name)
        self.runware_conn_id = runware_conn_id

    def get_endpoint(self) -> Endpoint:
        """Where the API answers, and the key.

        Raises:
            BadInput: there is no such connection, it has no password, or its host is no usable URL.
        """
        try:
            connection = self.get_connection(self.runware_conn_id)
        except AirflowNotFoundException:
            raise BadInput(
                f"connection {self.runware_conn_id!r}", "there is none of this name", self._how_to_make_it()
            ) from None
        key = (connection.password or "").strip()
        if not key:
            raise BadInput(
                f"connection {self.runware_conn_id!r}",
                "it has no password, which is where the API key goes",
                self._how_to_make_it(),
            )
        return Endpoint(base_url=base_url(connection), key=key)

    def within_bounds(self, spec: Spec) -> Spec:
        """The same job, with no more under way at once than the connection allows a task.

        Raises:
            BadInput: a bound of the connection is no number, or none that `Limits` takes.
        """
        bounds = self._bounds(self.get_connection(self.runware_conn_id))
        lower = {name: min(bound, getattr(spec.limits, name)) for name, bound in bounds.items()}
        return spec.model_copy(update={"limits": spec.limits.model_copy(update=lower)})

    def _bounds(self, connection: Connection) -> dict[str, int]:
        extra = connection.extra_dejson
        given = {name: extra[name] for name in BOUNDS if extra.get(name) not in (None, "")}
        try:
            limits = Limits(**given)
        except BadInput as wrong:
            field = wrong.field.removeprefix("limits.")
            raise BadInput(
                f"connection {self.runware_conn_id!r}, field {field}", wrong.problem, wrong.remedy
            ) from None
        return {name: getattr(limits, name) for name in given}

    def test_connection(self) -> tuple[bool, str]:
        """Whether the API takes the key; asks it without cost, and never raises.

        Returns:
            The verdict and a sentence that says why; the sentence never holds the key.
        """
        key = ""
        try:
            endpoint = self.get_endpoint()
            key = endpoint.key
            self._bounds(self.get_connection(self.runware_conn_id))
            # A thread of its own, since whoever asks may have an event loop running in this one.
            with ThreadPoolExecutor(max_workers=1) as thread:
                verdict, message = True, thread.submit(asyncio.run, _check_key(endpoint)).result()
        except TimeoutError:
            verdict, message = False, f"The API did not answer within {TEST_TIMEOUT_S:.0f} seconds."
        except Exception as error:  # noqa: BLE001 - the caller shows the sentence to a person
            verdict, message = False, str(error) or type(error).__name__
        return verdict, message.replace(key, "***") if key else message

    def _how_to_make_it(self) -> str:
        variable = f"AIRFLOW_CONN_{self.runware_conn_id.upper()}"
        return (
            "Make it in Airflow's UI (Admin, Connections; the type may be Generic), or set the environment variable "
            f'{variable}=\'{{"conn_type": "runware", "password": "<API key>"}}\''
        )


def base_url(connection: Connection) -> str:
    """The base URL that a connection means, without a trailing slash.

    Without a scheme it is https, but http for this machine itself; without a path it is the vendor's, `/v1`.
    The field `schema` may hold either: Airflow's HTTP connections write the scheme there, and a connection
    given as a URI has its path there.
    """
    host = (connection.host or "").strip()
    if not host:
        return DEFAULT_BASE_URL
    url = urlsplit(host if "://" in host else f"//{host}")
    place = url.netloc
    if connection.port and not _names_a_port(place):
        place = f"{place}:{connection.port}"
    schema = (connection.schema or "").strip("/")
    scheme = url.scheme or (schema if schema in _SCHEMES else _default_scheme(url.hostname))
    path = url.path or (f"/{schema}" if schema and schema not in _SCHEMES else _DEFAULT_PATH)
    return urlunsplit((scheme, place, path.rstrip("/"), "", ""))


def _default_scheme(hostname: str | None) -> str:
    return "http" if hostname in _LOOPBACK else "https"


def _names_a_port(netloc: str) -> bool:
    return ":" in netloc.rpartition("@")[2].rpartition("]")[2]


async def _check_key(endpoint: Endpoint) -> str:
    from runware_provider.engine.client import Client  # noqa: PLC0415 - heavy, and parsing needs no client

    async with Client(endpoint) as client:
        return await asyncio.wait_for(client.check_key(), TEST_TIMEOUT_S)
