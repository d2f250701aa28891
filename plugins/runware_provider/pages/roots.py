"""Below which folders and URLs the pages may read: what `[runware] page_roots` says, and whether a place lies there.

Nothing is decoded, and nothing is put right: what is spelt in a way that one store reads so and another so lies nowhere. Places
are compared as they are spelt: that no link leads out is for whoever opens them (`beneath`). Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from runware_provider.engine.errors import BadInput
from runware_provider.engine.shown_urls import without_password
from runware_provider.engine.storage.object_place import is_object_url, object_place

OPTION: Final = "[runware] page_roots"
_REMEDY: Final = (
    "Write absolute folders or URLs of object stores, with commas between, such as /data/lake, s3://lake/out"
)
_MOST_CHARS: Final = 4096
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_FILE: Final = re.compile(r"file:(?://(?:localhost)?)?(?=/)", re.IGNORECASE)


@dataclass(frozen=True)
class Spot:
    """A folder as it is compared."""

    store: tuple[str, ...]
    """Which store, in full: its kind, the bucket and the account; only `file` for this machine."""
    names: tuple[str, ...]
    """From the outermost folder inwards."""
    conn_id: str | None = None
    """The connection that a URL names."""

    def holds(self, other: Spot) -> bool:
        """Whether another folder is this one or lies in it. A root that names no connection is a root for all of them."""
        if self.store != other.store:
            return False
        if self.conn_id is not None and self.conn_id != other.conn_id:
            return False
        return other.names[: len(self.names)] == self.names


def roots_of(text: str) -> tuple[str, ...]:
    """The roots that the option names, as they are written; empty where it names none.

    Raises:
        BadInput: one of them could mean several places.
    """
    roots = tuple(root.strip() for root in text.split(",") if root.strip())
    for root in roots:
        if spot(root) is None:
            raise BadInput(
                OPTION, f"{without_password(root)!r} is no folder that pages can be bound to", _REMEDY
            )
    return roots


def spot(place: str) -> Spot | None:
    """Where a path or URL is; None where it is relative, has a `..` in it, or is no place that is known here."""
    if not place or len(place) > _MOST_CHARS or _CONTROL.search(place):
        return None
    if is_object_url(place):
        return _object_spot(place)
    local = _FILE.sub("", place)
    # A relative path or one of a home means other folders for workers than for the API server.
    if not local.startswith("/"):
        return None
    return _spot_of(("file",), local)


def is_local(place: str) -> bool:
    """Whether it is a path on this machine, of which links have to be resolved."""
    found = spot(place)
    return found is not None and found.store == ("file",)


def root_of(place: str, roots: tuple[str, ...]) -> str | None:
    """The first root that a place is or lies in, as it is written; None where it lies in none."""
    asked = spot(place)
    if asked is None:
        return None
    for root in roots:
        here = spot(root)
        if here is not None and here.holds(asked):
            return root
    return None


def names_below(place: str, root: str) -> tuple[str, ...]:
    """The names that lead from a root to a place in it, from the outermost folder inwards; empty where it lies in none."""
    asked, here = spot(place), spot(root)
    if asked is None or here is None or not here.holds(asked):
        return ()
    return asked.names[len(here.names) :]


def _object_spot(url: str) -> Spot | None:
    try:
        place = object_place(url)
    except BadInput:
        return None
    return _spot_of((place.kind, place.bucket, place.account, place.cloud), place.key, place.conn_id)


def _spot_of(store: tuple[str, ...], path: str, conn_id: str | None = None) -> Spot | None:
    names = tuple(name for name in path.split("/") if name)
    # A store may have an object of that name, and what carries the request to it may take it for the folder above.
    if any(name in {".", ".."} for name in names):
        return None
    return Spot(store, names, conn_id)
