"""obstore's own objects: made of options, and asked once for something."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_client import (
    CONNECT_TIMEOUT_S,
    GIVE_UP_S,
    READ_TIMEOUT_S,
    Content,
    Listed,
)
from runware_provider.engine.storage.obstore_listing import objects_in
from runware_provider.engine.storage.obstore_options import config_of, speaks_plain_http

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore import ObjectMeta

    from runware_provider.engine.storage.object_place import ObjectPlace
    from runware_provider.engine.storage.port import Version

Store: TypeAlias = GCSStore | AzureStore

FOREIGN: Final = (BaseError, OSError, NotImplementedError)
"""What obstore raises for what happened outside of this process."""

WHOLE_TIMEOUT_S: Final = 600.0
"""Seconds that a whole answer may take, however steadily it comes."""
PIECE_TIMEOUT_S: Final = 120.0
"""Seconds until a piece of an upload has been sent and answered."""


class UnfinishedCopyError(BaseError):
    """The store has begun to copy, and not come to the end."""


class NoVersionError(BaseError):
    """The store says nothing by which an object could be replaced safely."""


@dataclass(frozen=True)
class Stores:
    """Two for the same bucket."""

    exact: Store
    """Makes each request once, so that each try is ours to judge."""
    patient: Store
    """Has more time for each request, and makes it again by itself."""


def connected(place: ObjectPlace, options: Mapping[str, str]) -> Stores:
    """Nothing is asked of the store yet.

    Args:
        place: as `located` gives it.
        options: see `config_of`, and `give_up_s`.

    Raises:
        BadInput: the options cannot be used.
    """
    plain = speaks_plain_http(place, options, os.environ)
    common = {
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
        "timeout": timedelta(seconds=WHOLE_TIMEOUT_S),
        "allow_http": plain,
    }
    # Until an answer begins to come, which for an upload is after all has been sent.
    hasty = {**common, "read_timeout": timedelta(seconds=READ_TIMEOUT_S)}
    steady = {**common, "read_timeout": timedelta(seconds=PIECE_TIMEOUT_S)}
    again = timedelta(seconds=float(options.get("give_up_s", GIVE_UP_S)))
    make: Any = GCSStore if place.kind == "google" else AzureStore
    try:
        config = config_of(place, options)
        return Stores(
            make(place.bucket, config=config, client_options=hasty, retry_config={"max_retries": 0}),
            make(place.bucket, config=config, client_options=steady, retry_config={"retry_timeout": again}),
        )
    except (ValueError, *FOREIGN) as error:
        raise BadInput(
            place.canonical,
            f"its endpoint or credentials cannot be used ({type(error).__name__})",
            "Check the connection, or the GOOGLE_* or AZURE_* variables of the environment",
        ) from None


def content(store: Store, key: str, wanted: Mapping[str, Any]) -> Content:
    """An object, or what `wanted` says of it, in obstore's words."""
    answer = obstore.get(store, key, options=dict(wanted))  # type: ignore[arg-type]  # no dict is a TypedDict to mypy
    data = bytes(answer.bytes())
    return Content(data, _version(store, answer.meta), answer.meta["size"])


def size_and_version(store: Store, key: str) -> tuple[int, Version]:
    """Of an object."""
    found = obstore.head(store, key)
    return found["size"], _version(store, found)


def listed(store: Store, prefix: str, *, recursive: bool) -> list[Listed]:
    """The objects whose keys begin so; the prefix is empty, or ends with a slash."""
    folder = prefix.rstrip("/") or None
    if recursive:
        pages = obstore.list(store, folder)
        return list(objects_in(prefix, [_as_listed(entry) for page in pages for entry in page]))
    level = obstore.list_with_delimiter(store, folder)
    return list(objects_in(prefix, map(_as_listed, level["objects"]), level["common_prefixes"]))


def copy_whole(store: Store, key: str, other: str) -> None:
    """Copy an object.

    Raises:
        UnfinishedCopyError: Azure answers when it has begun to; the same request says later whether it has ended.
    """
    obstore.copy(store, key, other)
    if (
        isinstance(store, AzureStore)
        and obstore.head(store, other)["size"] != obstore.head(store, key)["size"]
    ):
        raise UnfinishedCopyError


def _as_listed(entry: ObjectMeta) -> Listed:
    return Listed(entry["path"], entry["size"], entry["last_modified"].timestamp())


def _version(store: Store, found: ObjectMeta) -> Version:
    version = found["version"] if isinstance(store, GCSStore) else found["e_tag"]
    if not version:
        raise NoVersionError
    return version
