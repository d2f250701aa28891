"""Airflow's connections of type `aws` as the credentials of S3."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import BadInput
from runware_provider.store_connections import (
    StoreOptions,
    extra_of,
    name_of,
    no_credentials,
    not_installed,
    options_with,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Connection

TYPES: Final = ("aws", "s3")
EXAMPLE: Final = '{"conn_type": "aws", "login": "<key>", "password": "<secret>"}'

ITS_MATTER: Final = ("role_arn", "profile_name", "session_kwargs")
"""What only the Amazon provider knows to turn into credentials; see its page on connections."""


def aws_options(
    connection: Connection, credentials_of: Callable[[str], Mapping[str, str]] | None = None
) -> StoreOptions:
    """What a connection says about its store.

    Read are login, password and, of the extra, `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`,
    `region_name`, `endpoint_url` and `service_config.s3.endpoint_url`; the last one precedes. What it leaves out comes
    from the environment. Roles to assume and profiles are left to the Amazon provider, if it is installed; of its
    other settings (`config_kwargs`, `verify`) none is read.

    Args:
        connection: of one of `TYPES`.
        credentials_of: the Amazon provider's credentials for a connection: key, secret and token.

    Returns:
        `key`, `secret`, `token`, `region` and `endpoint`, as far as they are known.

    Raises:
        BadInput: it has half a credential, or needs the Amazon provider and that is missing or refuses it.
    """
    extra = extra_of(connection)
    key, secret = _key(connection, extra)
    found = {
        "key": key,
        "secret": secret,
        "token": extra.get("aws_session_token"),
        "region": extra.get("region_name"),
        "endpoint": endpoint_of(extra),
    }
    if any(extra.get(name) for name in ITS_MATTER):
        found |= (credentials_of or _of_the_amazon_provider)(str(connection.conn_id))
    return options_with(found)


def _key(connection: Connection, extra: Mapping[str, Any]) -> tuple[str | None, str | None]:
    pairs = (
        (connection.login, connection.password),
        (extra.get("aws_access_key_id"), extra.get("aws_secret_access_key")),
    )
    for key, secret in pairs:
        if bool(key) != bool(secret):
            raise BadInput(
                name_of(connection.conn_id),
                "it has a key without its secret, or a secret without its key",
                "Fill in both, or neither to use the machine's own role",
            )
    return next((pair for pair in pairs if pair[0]), (None, None))


def endpoint_of(extra: Mapping[str, Any]) -> str | None:
    """Where the store answers, as the extra of a connection says; None for Amazon's own."""
    services = extra.get("service_config") or {}
    return (services.get("s3") or {}).get("endpoint_url") or extra.get("endpoint_url")


def _of_the_amazon_provider(conn_id: str) -> Mapping[str, str]:
    try:
        provider = importlib.import_module("airflow.providers.amazon.aws.hooks.base_aws")
    except ImportError:
        raise not_installed(
            conn_id, "amazon", ITS_MATTER, "give key and secret as login and password"
        ) from None
    try:
        # It masks them in the log, too.
        frozen = provider.AwsBaseHook(aws_conn_id=conn_id, client_type="s3").get_credentials()
    except Exception as error:  # noqa: BLE001 - whatever it raises, the connection is no use
        raise no_credentials(conn_id, "amazon", error) from None
    return {"key": frozen.access_key, "secret": frozen.secret_key, "token": frozen.token or ""}
