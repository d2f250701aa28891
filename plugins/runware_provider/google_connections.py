"""Airflow's connections of type `google_cloud_platform` as the credentials of Google Cloud Storage."""

from __future__ import annotations

import importlib
import json
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
    from collections.abc import Callable

    from airflow.sdk import Connection

TYPES: Final = ("google_cloud_platform",)
EXAMPLE: Final = '{"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": {...}}}'

ITS_MATTER: Final = ("impersonation_chain", "credential_config_file", "key_secret_name", "idp_issuer_url")
"""What only the Google provider knows to turn into a token; see its page on connections."""


def google_options(connection: Connection, token_of: Callable[[str], str] | None = None) -> StoreOptions:
    """What a connection says about its store.

    Read are, of the extra, `keyfile_dict`, `key_path`, `is_anonymous` and `gcs.endpoint`, as the Google provider's
    ObjectStoragePath has them. Without any of them, credentials come from the environment: Composer's own, or those that
    `gcloud auth application-default login` has left. Impersonation, federated identities, keys in the Secret Manager and
    identity providers are left to the Google provider, if it is installed. `project`, scopes and `quota_project_id` are
    not read.

    Args:
        connection: of one of `TYPES`.
        token_of: the Google provider's token for a connection.

    Returns:
        `service_account`, `key_path`, `token`, `anonymous` and `endpoint`, as far as they are known.

    Raises:
        BadInput: the key is no JSON, or it needs the Google provider and that is missing or refuses it.
    """
    extra = extra_of(connection)
    found = {"endpoint": extra.get("gcs.endpoint"), **_credentials(connection, token_of)}
    return options_with(found)


def _credentials(connection: Connection, token_of: Callable[[str], str] | None) -> dict[str, Any]:
    # In the provider's order.
    extra = extra_of(connection)
    if _is_set(extra.get("is_anonymous")):
        return {"anonymous": "true"}
    if any(extra.get(name) for name in ITS_MATTER):
        return {"token": (token_of or _of_the_google_provider)(str(connection.conn_id))}
    if extra.get("keyfile_dict"):
        return {"service_account": _key_file(connection.conn_id, extra["keyfile_dict"])}
    return {"key_path": extra.get("key_path")}


def _is_set(value: Any) -> bool:
    return value is True or str(value).lower() in {"true", "1"}


def _key_file(conn_id: str | None, written: Any) -> str:
    """The text of a key file, which a form keeps as text, too."""
    try:
        key = json.loads(written) if isinstance(written, str) else written
    except ValueError:
        key = None
    if not isinstance(key, dict):
        raise BadInput(
            name_of(conn_id),
            "its keyfile_dict is no JSON object",
            "Paste the whole key file of the service account",
        )
    return json.dumps(key)


def _of_the_google_provider(conn_id: str) -> str:
    try:
        provider = importlib.import_module("airflow.providers.google.common.hooks.base_google")
        transport = importlib.import_module("google.auth.transport.requests")
    except ImportError:
        raise not_installed(conn_id, "google", ITS_MATTER, "give the key file as keyfile_dict") from None
    try:
        credentials = provider.GoogleBaseHook(gcp_conn_id=conn_id).get_credentials()
        credentials.refresh(transport.Request())
    except Exception as error:  # noqa: BLE001 - whatever it raises, the connection is no use
        raise no_credentials(conn_id, "google", error) from None
    return str(credentials.token)
