"""The assets that a task reads and writes, made of its source and destination while the DAG is parsed. Pure.

An asset is known by its URI: whoever declares `Asset("s3://lake/invoices")` elsewhere means the same one.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Asset
from airflow.sdk.definitions.asset import AssetNameRef

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_place import is_object_url, object_place
from runware_provider.values_of_a_run import waits

if TYPE_CHECKING:
    from collections.abc import Iterable

_WILD = re.compile(r"[*?\[]")
_FILE: Final = "file://"
_FILE_URL = re.compile(r"file:(?://(?:localhost)?(?=/)|(?=/(?!/)))", re.IGNORECASE)
_SPECIAL = re.compile(r"[?#%\x00-\x1f\x7f]")
"""What means something else in a URI than in a path."""


def asset_uri(path: object, *, is_glob: bool) -> str | None:
    """The URI of the folder or file at a path or URL, as Airflow spells it; None where the path says too little.

    That is: a template, or what another task returns, is known when the task runs; where a relative path leads depends on the
    process; and Airflow would read `?` and `#` of a name as parts of the URI. Connections and wildcards are left out:
    the source `s3://reader@lake/raw/*.parquet` is `s3://lake/raw`.

    Args:
        path: of a source or destination.
        is_glob: whether `*`, `?` and `[` are wildcards in it: they are in a source, and part of a destination's name.
    """
    if not isinstance(path, str) or waits(path):
        return None
    whole = before_wildcards(path.strip()) if is_glob else path.strip()
    if is_object_url(whole):
        return _of_object(whole)
    if not _path_in(whole).startswith("/"):
        return None
    folder = local_folder(whole)
    return None if folder == "/" or _SPECIAL.search(folder) else f"{_FILE}{folder}"


def asset_of(path: object, *, is_glob: bool) -> Asset | None:
    """The asset at a path or URL; the arguments are those of `asset_uri`.

    None as there, or where Airflow takes no such URI.
    """
    uri = asset_uri(path, is_glob=is_glob)
    if uri is None:
        return None
    try:
        # An installed provider may refuse a URI of its store, and a database may not hold one: that is no reason for a DAG to
        # be refused.
        return Asset(uri)
    except ValueError:
        return None


def with_asset(given: Iterable[Any], path: object, *, is_glob: bool) -> list[Any]:
    """Inlets or outlets, and beside them the asset at a path or URL, unless it is among them by whatever name.

    Args:
        given: by the DAG's author.
        path: of a source or destination.
        is_glob: as of `asset_uri`.
    """
    listed = list(given)
    # Nobody knows here which URI goes by that name. If it is this one, Airflow would refuse it a second name, and the task.
    if any(isinstance(each, AssetNameRef) for each in listed):
        return listed
    asset = asset_of(path, is_glob=is_glob)
    if asset is None or asset.uri in {getattr(each, "uri", None) for each in listed}:
        return listed
    return [*listed, asset]


def _of_object(url: str) -> str | None:
    try:
        place = object_place(url)
    except BadInput:
        return None
    return None if _SPECIAL.search(place.key) else place.canonical


def local_folder(path: str) -> str:
    """A local path or `file:` URL as an absolute path without `..` and doubled slashes; links are not followed."""
    absolute = os.path.abspath(os.path.expanduser(_path_in(path)))  # noqa: PTH100, PTH111 - without following links
    # Two slashes at the beginning are left alone by POSIX, and mean nothing else to a kernel that runs Airflow.
    return f"/{absolute.lstrip('/')}"


def _path_in(path: str) -> str:
    """The path of a `file:` URL; any other path as it is."""
    url = _FILE_URL.match(path)
    return path if url is None else path[url.end() :]


def before_wildcards(path: str) -> str:
    """What comes before the first name with a wildcard."""
    wild = _WILD.search(path)
    return path if wild is None else path[: path.rfind("/", 0, wild.start()) + 1]
