"""What all Airflow connections of object stores have in common: how they are looked up, read and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.sdk.exceptions import AirflowNotFoundException

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Connection

_FORMS: Final = {
    "aws": "Amazon Web Services",
    "google_cloud_platform": "Google Cloud",
    "wasb": "Azure Blob Storage",
}


class StoreOptions(dict[str, str]):
    """The options of a store, which never show their values."""

    def __repr__(self) -> str:
        """Only the names."""
        return f"StoreOptions({', '.join(sorted(self))})"

    __str__ = __repr__


def looked_up(
    conn_id: str, types: tuple[str, ...], example: str, connection_of: Callable[[str], Connection]
) -> Connection:
    """A connection of one of these types.

    Args:
        conn_id: its id.
        types: the first one is the usual.
        example: how it is written as JSON.
        connection_of: looks it up.

    Raises:
        BadInput: there is none, or it is of another type.
    """
    remedy = (
        f"Make it in Airflow's UI (Admin, Connections, {_FORMS[types[0]]}), or set the environment variable "
        f"AIRFLOW_CONN_{conn_id.upper()}='{example}'"
    )
    try:
        connection = connection_of(conn_id)
    except AirflowNotFoundException:
        raise BadInput(name_of(conn_id), "there is none of this name", remedy) from None
    if connection.conn_type not in types:
        raise BadInput(name_of(conn_id), f"its type is {connection.conn_type!r}, not {types[0]!r}", remedy)
    return connection


def name_of(conn_id: str | None) -> str:
    """What errors call a connection."""
    return f"connection {conn_id!r}"


def extra_of(connection: Connection) -> Mapping[str, Any]:
    """The fields of its extra; those of Airflow 1 had the connection's type in their names."""
    old = f"extra__{connection.conn_type}__"
    said = connection.extra_dejson
    named = {name.removeprefix(old): value for name, value in said.items() if name.startswith(old)}
    return {**named, **{name: value for name, value in said.items() if not name.startswith(old)}}


def options_with(found: Mapping[str, Any]) -> StoreOptions:
    """Those that have a value."""
    return StoreOptions({name: str(value) for name, value in found.items() if value})


def not_installed(conn_id: str | None, provider: str, fields: tuple[str, ...], instead: str) -> BadInput:
    """For a field that only a provider understands, which is not there.

    Args:
        conn_id: of the connection.
        provider: the package's name behind `apache-airflow-providers-`.
        fields: that it understands.
        instead: what can be done without it.
    """
    return BadInput(
        name_of(conn_id),
        f"only the {provider.capitalize()} provider understands {', '.join(fields)}, and it is not installed",
        f"Install apache-airflow-providers-{provider}, or {instead}",
    )


def no_credentials(conn_id: str | None, provider: str, error: Exception) -> BadInput:
    """For a provider that gets none. Only the error's type is told: a refusal may quote what was asked."""
    return BadInput(
        name_of(conn_id),
        f"the {provider.capitalize()} provider gets no credentials from it ({type(error).__name__})",
        "Test the connection in Airflow's UI (Admin, Connections)",
    )
