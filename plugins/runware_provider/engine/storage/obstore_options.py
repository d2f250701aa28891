"""From the options of a place on Google Cloud Storage or Azure to the configuration that obstore takes. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.storage.object_place import ObjectPlace

CONNECTION_STRING: Final = "AZURE_STORAGE_CONNECTION_STRING"
"""The one variable of Azure's own tools that obstore does not read."""
ACCOUNT_VARIABLE: Final = "AZURE_STORAGE_ACCOUNT_NAME"
ENDPOINT_VARIABLES: Final = {
    "google": ("GOOGLE_BASE_URL",),
    "azure": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
"""By whose protocol is spoken; obstore reads them."""
PUBLIC_CLOUD: Final = "core.windows.net"

_CLOUD: Final = re.compile(r"https?://[^/.]+\.blob\.(?P<cloud>[a-z0-9.-]+)")

_GOOGLE: Final = {
    "service_account": "service_account_key",
    "key_path": "service_account",
    "token": "bearer_token",
    "endpoint": "base_url",
}
"""obstore's names for our options."""
_AZURE: Final = {
    "account": "account_name",
    "key": "account_key",
    "sas_token": "sas_token",
    "client_id": "client_id",
    "client_secret": "client_secret",
    "tenant_id": "tenant_id",
    "token": "token",
    "endpoint": "endpoint",
}
_FORCED: Final = {
    "token": "bearer_token",
    "key": "access_key",
    "client_secret": "client_secret",
    "sas_token": "sas_token",
}
"""Of several credentials obstore chooses by an order of its own, and a variable of the environment would precede the
connection; so it is told which one is meant."""


def located(place: ObjectPlace, options: Mapping[str, str], environment: Mapping[str, str]) -> ObjectPlace:
    """The place, on Azure with its account.

    Raises:
        BadInput: nothing says which account.
    """
    if place.kind != "azure":
        return place
    account = place.account or options.get("account") or environment.get(ACCOUNT_VARIABLE)
    if not account:
        raise BadInput(
            f"abfs://{place.bucket}",
            "nothing says in which storage account this container is",
            f"Write abfs://{place.bucket}@<account>.dfs.{PUBLIC_CLOUD}/folder, or name it in the connection, or in "
            f"{ACCOUNT_VARIABLE}",
        )
    named = _CLOUD.match(options.get("endpoint", ""))
    return replace(place, account=account, cloud=place.cloud or (named["cloud"] if named else PUBLIC_CLOUD))


def from_environment(
    place: ObjectPlace, options: Mapping[str, str], environment: Mapping[str, str]
) -> Mapping[str, str]:
    """The options, those of Azure's connection string where there are no others.

    Raises:
        BadInput: that string cannot be read.
    """
    text = environment.get(CONNECTION_STRING)
    if place.kind != "azure" or not text or options.get("account"):
        return options
    in_the_string = of_connection_string(text, CONNECTION_STRING)
    # Its endpoint and its key are those of its own account: they would lead the requests for another one astray.
    if place.account and place.account != in_the_string["account"]:
        return options
    return {**in_the_string, **options}


def of_connection_string(text: str, field: str) -> dict[str, str]:
    """The options that a connection string of Azure's portal stands for.

    Args:
        text: such as `DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net`.
        field: what the user calls it, for the error.

    Raises:
        BadInput: it names no account.
    """
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    said = {name.strip().lower(): value.strip() for name, _, value in pairs}
    endpoint, suffix = said.get("blobendpoint", "").rstrip("/"), said.get("endpointsuffix")
    account = said.get("accountname") or _account_in(endpoint)
    if not account:
        raise BadInput(field, "this connection string names no account", "Copy it anew from Azure's portal")
    if not endpoint and suffix:
        endpoint = f"{said.get('defaultendpointsprotocol', 'https')}://{account}.blob.{suffix}"
    options = {
        "account": account,
        "key": said.get("accountkey"),
        "sas_token": said.get("sharedaccesssignature"),
        "endpoint": endpoint,
    }
    return {name: value for name, value in options.items() if value}


def _account_in(endpoint: str) -> str:
    host = endpoint.partition("://")[2].partition("/")[0]
    return host.partition(".")[0] if ".blob." in host else ""


def config_of(place: ObjectPlace, options: Mapping[str, str]) -> dict[str, str]:
    """What obstore is told of a located place; what is missing it looks up in the environment.

    Args:
        place: as `located` gives it.
        options: for Google `service_account` (a key file's text), `key_path` (that file), `token`, `anonymous` and
            `endpoint`; for Azure `account`, `key`, `sas_token`, `client_id`, `client_secret`, `tenant_id`, `token` and
            `endpoint`.
    """
    if place.kind == "google":
        config = _named(_GOOGLE, options)
        return {**config, "skip_signature": "true"} if options.get("anonymous") else config
    config = _named(_AZURE, {**options, "account": place.account})
    if place.cloud != PUBLIC_CLOUD:
        config.setdefault("endpoint", f"https://{place.account}.blob.{place.cloud}")
    forced = next((kind for name, kind in _FORCED.items() if options.get(name)), None)
    return config if forced is None else {**config, "credential_type": forced}


def speaks_plain_http(place: ObjectPlace, options: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Whether the endpoint is an `http://` one, as stores for tests have it."""
    variables = ENDPOINT_VARIABLES.get(place.kind, ())
    named = [options.get("endpoint"), *(environment.get(variable) for variable in variables)]
    endpoint = next(filter(None, named), "")
    return endpoint.startswith("http://")


def _named(names: Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    return {theirs: options[ours] for ours, theirs in names.items() if options.get(ours)}
