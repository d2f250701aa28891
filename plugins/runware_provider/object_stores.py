"""Airflow connections as the credentials of object stores: `s3://conn_id@bucket/key`, as in ObjectStoragePath."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Connection

    from runware_provider.engine.storage.stores import Stores

TYPES: Final = ("aws", "s3")

# What only the Amazon provider knows to turn into credentials; see its page on connections.
_ITS_MATTER: Final = ("role_arn", "profile_name", "session_kwargs")


class StoreOptions(dict[str, str]):
    """The options of a store, which never show their values."""

    def __repr__(self) -> str:
        """Only the names."""
        return f"StoreOptions({', '.join(sorted(self))})"

    __str__ = __repr__


def airflow_stores() -> Stores:
    """Opens stores with Airflow's connections; without one in the URL, with what the environment says."""
    from runware_provider.engine.storage.stores import Stores  # noqa: PLC0415 - heavy, and parsing needs no store

    return Stores(lambda conn_id: StoreOptions() if conn_id is None else options_of(conn_id))


def options_of(
    conn_id: str,
    *,
    connection_of: Callable[[str], Connection] = BaseHook.get_connection,
    credentials_of: Callable[[str], Mapping[str, str]] | None = None,
) -> StoreOptions:
    """What a connection of type `aws` (or `s3`) says about its store.

    Read are login, password and, of the extra, `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`,
    `region_name`, `endpoint_url` and `service_config.s3.endpoint_url`; the last one precedes. What it leaves out comes
    from the environment. Roles to assume and profiles are left to the Amazon provider, if it is installed; of its
    other settings (`config_kwargs`, `verify`) none is read.

    Args:
        conn_id: the connection's id.
        connection_of: looks it up.
        credentials_of: the Amazon provider's credentials for a connection: key, secret and token.

    Returns:
        `key`, `secret`, `token`, `region` and `endpoint`, as far as they are known.

    Raises:
        BadInput: there is no such connection, it is of another type, or it needs the Amazon provider and that is
            missing or refuses it.
    """
    try:
        connection = connection_of(conn_id)
    except AirflowNotFoundException:
        raise BadInput(_name(conn_id), "there is none of this name", _how_to_make_it(conn_id)) from None
    if connection.conn_type not in TYPES:
        raise BadInput(
            _name(conn_id), f"its type is {connection.conn_type!r}, not 'aws'", _how_to_make_it(conn_id)
        )
    extra = connection.extra_dejson
    key, secret = _key(conn_id, connection, extra)
    found = {
        "key": key,
        "secret": secret,
        "token": extra.get("aws_session_token"),
        "region": extra.get("region_name"),
        "endpoint": _endpoint(extra),
    }
    if any(extra.get(name) for name in _ITS_MATTER):
        found |= (credentials_of or _of_the_amazon_provider)(conn_id)
    return StoreOptions({name: str(value) for name, value in found.items() if value})


def _key(conn_id: str, connection: Connection, extra: Mapping[str, Any]) -> tuple[str | None, str | None]:
    pairs = (
        (connection.login, connection.password),
        (extra.get("aws_access_key_id"), extra.get("aws_secret_access_key")),
    )
    for key, secret in pairs:
        if bool(key) != bool(secret):
            raise BadInput(
                _name(conn_id),
                "it has a key without its secret, or a secret without its key",
                "Fill in both, or neither to use the machine's own role",
            )
    return next((pair for pair in pairs if pair[0]), (None, None))


def _endpoint(extra: Mapping[str, Any]) -> str | None:
    services = extra.get("service_config") or {}
    return (services.get("s3") or {}).get("endpoint_url") or extra.get("endpoint_url")


def _of_the_amazon_provider(conn_id: str) -> Mapping[str, str]:
    try:
        provider = importlib.import_module("airflow.providers.amazon.aws.hooks.base_aws")
    except ImportError:
        raise BadInput(
            _name(conn_id),
            f"only the Amazon provider understands {', '.join(_ITS_MATTER)}, and it is not installed",
            "Install apache-airflow-providers-amazon, or give key and secret as login and password",
        ) from None
    try:
        # It masks them in the log, too.
        frozen = provider.AwsBaseHook(aws_conn_id=conn_id, client_type="s3").get_credentials()
    except Exception as error:  # noqa: BLE001 - whatever it raises, the connection is no use
        # Its type only: a refusal may quote what was asked.
        raise BadInput(
            _name(conn_id),
            f"the Amazon provider gets no credentials from it ({type(error).__name__})",
            "Test the connection in Airflow's UI (Admin, Connections)",
        ) from None
    return {"key": frozen.access_key, "secret": frozen.secret_key, "token": frozen.token or ""}


def _name(conn_id: str) -> str:
    return f"connection {conn_id!r}"


def _how_to_make_it(conn_id: str) -> str:
    return (
        "Make it in Airflow's UI (Admin, Connections, Amazon Web Services), or set the environment variable "
        f'AIRFLOW_CONN_{conn_id.upper()}=\'{{"conn_type": "aws", "login": "<key>", "password": "<secret>"}}\''
    )
