"""Airflow connections as the credentials of object stores: `s3://conn_id@bucket/key`, as in ObjectStoragePath."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from runware_provider import aws_connections, azure_connections, google_connections
from runware_provider.store_connections import StoreOptions, looked_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Connection

    from runware_provider.engine.storage.object_place import ObjectPlace
    from runware_provider.engine.storage.stores import Stores

__all__ = ["StoreOptions", "airflow_stores", "options_of"]


def airflow_stores() -> Stores:
    """Opens stores with Airflow's connections; without one in the URL, with what the environment says."""
    from runware_provider.engine.storage.stores import Stores  # noqa: PLC0415 - heavy, and parsing needs no store

    return Stores(options_of)


def options_of(
    place: ObjectPlace, *, connection_of: Callable[[str], Connection] = BaseHook.get_connection
) -> StoreOptions:
    """What the connection that a URL names says about its store; nothing if it names none.

    Args:
        place: what the URL says.
        connection_of: looks a connection up.

    Raises:
        BadInput: there is no such connection, it is one for another store, or it cannot be used.
    """
    if place.conn_id is None:
        return StoreOptions()
    if place.kind == "s3":
        aws = aws_connections
        return aws.aws_options(looked_up(place.conn_id, aws.TYPES, aws.EXAMPLE, connection_of))
    if place.kind == "google":
        google = google_connections
        return google.google_options(looked_up(place.conn_id, google.TYPES, google.EXAMPLE, connection_of))
    azure = azure_connections
    return azure.azure_options(looked_up(place.conn_id, azure.TYPES, azure.EXAMPLE, connection_of))
