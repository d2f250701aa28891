"""Airflow's connections of type `wasb` and `adls` as the credentials of Azure Blob Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.obstore_options import of_connection_string
from runware_provider.store_connections import StoreOptions, extra_of, name_of, options_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

TYPES: Final = ("wasb", "adls", "azure_data_lake")
EXAMPLE: Final = '{"conn_type": "wasb", "login": "<account>", "password": "<key>"}'


def azure_options(connection: Connection) -> StoreOptions:
    """What a connection says about its store.

    Read as the Azure provider's ObjectStoragePath and hooks do: `connection_string` of the extra before all others;
    with `tenant_id` login and password are an application's id and secret; else the password, or `account_key` or
    `shared_access_key` of the extra, is the account's key, or `sas_token` a signature. Without any of them, the
    environment's or the machine's identity is taken, that of `managed_identity_client_id` if it is given. The account is
    `account_name` of the extra, or comes from host or login. `client_secret_auth_config` is not read.

    Args:
        connection: of one of `TYPES`.

    Returns:
        `account`, `key`, `sas_token`, `client_id`, `client_secret`, `tenant_id` and `endpoint`, as far as they are known.

    Raises:
        BadInput: nothing in it names the account.
    """
    extra = extra_of(connection)
    if extra.get("connection_string"):
        text = str(extra["connection_string"])
        return StoreOptions(of_connection_string(text, name_of(connection.conn_id)))
    return options_with({**_place(connection, extra), **_credentials(connection, extra)})


def _place(connection: Connection, extra: Mapping[str, Any]) -> dict[str, Any]:
    address = urlsplit(_url(connection, extra))
    host = address.hostname or ""
    account = extra.get("account_name") or host.partition(".")[0]
    # With a tenant the login is an application's id, and no account.
    if not account and not extra.get("tenant_id"):
        account = connection.login
    if not account:
        raise BadInput(
            name_of(connection.conn_id),
            "nothing in it names the storage account",
            "Give its URL, https://<account>.blob.core.windows.net, as the host, or account_name in the extra",
        )
    # A host without a dot is an account's name.
    return {"account": account, "endpoint": _endpoint(address.geturl()) if "." in host else None}


def _url(connection: Connection, extra: Mapping[str, Any]) -> str:
    """The store's URL, as far as the connection says it: a signature may come as a URL, too."""
    url = str(connection.host or extra.get("account_url") or "").rstrip("/")
    signature = str(extra.get("sas_token") or "")
    if not url and signature.startswith("https://"):
        url = signature.partition("?")[0].rstrip("/")
    return url if "://" in url else f"https://{url}"


def _endpoint(url: str) -> str:
    """Of the service that speaks blobs; that of the data lake is another host of the same account."""
    return url.replace(".dfs.", ".blob.", 1).rstrip("/")


def _credentials(connection: Connection, extra: Mapping[str, Any]) -> dict[str, Any]:
    if extra.get("tenant_id"):
        return {
            "tenant_id": extra["tenant_id"],
            "client_id": connection.login,
            "client_secret": connection.password,
        }
    key = extra.get("shared_access_key") or extra.get("account_key") or connection.password
    if key:
        return {"key": key}
    signature = str(extra.get("sas_token") or "")
    if signature:
        return {"sas_token": signature.partition("?")[2] or signature}
    return {
        "client_id": extra.get("managed_identity_client_id") or extra.get("workload_identity_client_id"),
        "tenant_id": extra.get("workload_identity_tenant_id"),
    }
