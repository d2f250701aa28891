"""The Airflow connection as the engine's endpoint."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from runware_provider.engine.address import whole_address
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BadInput
from runware_provider.engine.plain_text import wrapped
from runware_provider.engine.spec import Limits, Spec

if TYPE_CHECKING:
    from airflow.sdk import Connection

DEFAULT_CONN_ID: Final = "runware_default"
TEST_TIMEOUT_S: Final = 10.0
"""Seconds that the connection test may take: somebody is waiting for it in front of a form."""

BOUNDS: Final = ("max_outstanding", "requests")
"""The limits that a connection may lower for all tasks that use it: fields of its extra, named as in `Limits`."""

_SCHEMES: Final = frozenset({"http", "https"})


class RunwareHook(BaseHook):
    """Reads the connection: its password is the API key, its host the base URL, its extra may hold bounds.

    Args:
        runware_conn_id: the connection's id. Its host may be empty, for the vendor's URL; where it has
            one, the scheme and the path `/v1` may be left out.
        logger_name: as every hook of Airflow takes it.
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
        return _endpoint_of(self._connection(), self._named(), self._how_to_make_it())

    async def aget_endpoint(self) -> Endpoint:
        """`get_endpoint` for who runs in an event loop, as a trigger does; errors as there."""
        try:
            connection = await self.aget_connection(self.runware_conn_id)
        except AirflowNotFoundException:
            raise self._missing() from None
        return _endpoint_of(connection, self._named(), self._how_to_make_it())

    def within_bounds(self, spec: Spec) -> Spec:
        """The same job, with no more under way at once than the connection allows a task.

        Fields of the extra that nobody reads are told in the log, since one may be a misspelt bound.

        Raises:
            BadInput: there is no such connection, or a bound of the connection is no number, or none that `Limits` takes.
        """
        connection = self._connection()
        unread = _unread(connection)
        if unread:
            for line in wrapped(f"Warning: {self._named()}", f"{unread}."):
                self.log.warning("%s", line)
        bounds = _bounds_of(connection, self._named())
        lower = {name: min(bound, getattr(spec.limits, name)) for name, bound in bounds.items()}
        return spec.model_copy(update={"limits": spec.limits.model_copy(update=lower)})

    def test_connection(self) -> tuple[bool, str]:
        """Whether the API takes the key; asks it without cost, and never raises.

        Returns:
            The verdict and a sentence that says why; the sentence never holds the key. Nor does it name the
            connection that it found: behind Airflow's Test button that one has a passing, random id.
        """
        key = ""
        try:
            connection = self._connection()
            endpoint = _endpoint_of(connection, "the connection", "Write it there")
            key = endpoint.key
            _bounds_of(connection, "the connection")
            # A thread of its own, since whoever asks may have an event loop running in this one.
            with ThreadPoolExecutor(max_workers=1) as thread:
                said = thread.submit(asyncio.run, _check_key(endpoint)).result()
            verdict, message = True, ". ".join(filter(None, (said, _unread(connection))))
        except TimeoutError:
            verdict, message = False, f"The API did not answer within {TEST_TIMEOUT_S:.0f} seconds."
        except Exception as error:  # noqa: BLE001 - the caller shows the sentence to a person
            verdict, message = False, str(error) or type(error).__name__
        return verdict, message.replace(key, "***") if key else message

    def _connection(self) -> Connection:
        try:
            return self.get_connection(self.runware_conn_id)
        except AirflowNotFoundException:
            raise self._missing() from None

    def _missing(self) -> BadInput:
        return BadInput(self._named(), "there is none of this name", self._how_to_make_it())

    def _named(self) -> str:
        return f"connection {self.runware_conn_id!r}"

    def _how_to_make_it(self) -> str:
        variable = f"AIRFLOW_CONN_{self.runware_conn_id.upper()}"
        return (
            "Make it in Airflow's UI (Admin, Connections; type Runware, or Generic where only the plugin was copied),"
            " or set the environment variable "
            f'{variable}=\'{{"conn_type": "runware", "password": "<API key>"}}\''
        )


def base_url(connection: Connection) -> str:
    """The base URL that a connection means, without a trailing slash.

    As for `whole_address`. The field `schema` may hold either: Airflow's HTTP connections write the scheme there, and a connection
    given as a URI has its path there.
    """
    schema = (connection.schema or "").strip("/")
    said = {"scheme": schema} if schema in _SCHEMES else {"path": schema}
    return whole_address(connection.host or "", port=connection.port, **said)


def _endpoint_of(connection: Connection, called: str, remedy: str) -> Endpoint:
    key = (connection.password or "").strip()
    if not key:
        raise BadInput(called, "it has no password, which is where the API key goes", remedy)
    return Endpoint(base_url=base_url(connection), key=key)


def _bounds_of(connection: Connection, called: str) -> dict[str, int]:
    extra = connection.extra_dejson
    given = {name: extra[name] for name in BOUNDS if extra.get(name) not in (None, "")}
    try:
        limits = Limits(**given)
    except BadInput as wrong:
        field = wrong.field.removeprefix("limits.")
        raise BadInput(f"{called}, field {field}", wrong.problem, wrong.remedy) from None
    return {name: getattr(limits, name) for name in given}


def _unread(connection: Connection) -> str:
    """A sentence about the fields of the extra that have no meaning here; empty where there are none."""
    names = sorted(str(name) for name in connection.extra_dejson if name not in BOUNDS)
    if not names:
        return ""
    return (
        f"its extra has {', '.join(names)}, which this provider does not read; it reads {', '.join(BOUNDS)}"
    )


async def _check_key(endpoint: Endpoint) -> str:
    from runware_provider.engine.api.client import Client  # noqa: PLC0415 - heavy, and parsing needs no client

    async with Client(endpoint) as client:
        return await asyncio.wait_for(client.check_key(), TEST_TIMEOUT_S)
