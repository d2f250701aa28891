"""The assets that a task reads and writes, made of its source and destination while the DAG is parsed. Pure.

An asset is known by its URI: whoever declares `Asset("s3://lake/invoices")` elsewhere means the same one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Asset

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_place import is_object_url, object_place
from runware_provider.values_of_a_run import waits

if TYPE_CHECKING:
    from collections.abc import Iterable

_WILD = re.compile(r"[*?\[]")
_FILE: Final = "file://"
_SPECIAL = re.compile(r"[?#%\x00-\x1f\x7f]")
"""What means something else in a URI than in a path."""


def asset_uri(path: object) -> str | None:
    """The URI of the folder or file at a path or URL, as Airflow spells it; None where the path says too little.

    That is: a template, or what another task returns, is known when the task runs; where a relative path leads depends on the
    process; and Airflow would read `?` and `#` of a name as parts of the URI. Credentials and wildcards are left out:
    `s3://reader@lake/raw/*.parquet` is `s3://lake/raw`.
    """
    if not isinstance(path, str) or waits(path):
        return None
    whole = path.strip()
    if is_object_url(whole):
        return _of_object(fixed(whole))
    local = whole.removeprefix(_FILE)
    if not local.startswith("/"):
        return None
    folder = fixed(local).rstrip("/")
    return None if not folder or _SPECIAL.search(folder) else f"{_FILE}{folder}"


def asset_of(path: object) -> Asset | None:
    """The asset at a path or URL; None as of `asset_uri`, or where Airflow takes no such URI."""
    uri = asset_uri(path)
    if uri is None:
        return None
    try:
        # An installed provider may refuse a URI of its store, and a database may not hold one: that is no reason for a DAG to
        # be refused.
        return Asset(uri)
    except ValueError:
        return None


def with_asset(given: Iterable[Any], path: object) -> list[Any]:
    """Inlets or outlets, and beside them the asset at a path or URL, unless it is among them by whatever name.

    Args:
        given: by the DAG's author.
        path: of a source or destination.
    """
    listed = list(given)
    asset = asset_of(path)
    if asset is None or asset.uri in {getattr(each, "uri", None) for each in listed}:
        return listed
    return [*listed, asset]


def _of_object(url: str) -> str | None:
    try:
        place = object_place(url)
    except BadInput:
        return None
    return None if _SPECIAL.search(place.key) else place.canonical


def fixed(path: str) -> str:
    """What comes before the first name with a wildcard."""
    wild = _WILD.search(path)
    return path if wild is None else path[: path.rfind("/", 0, wild.start()) + 1]
