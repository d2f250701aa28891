"""Google Cloud Storage and Azure Blob Storage behind the port to storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_storage import ObjectStorage
from runware_provider.engine.storage.obstore_client import ObstoreClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.engine.storage.object_place import ObjectPlace

_NO_NAMES = frozenset({"", ".", ".."})


class ObstoreStorage(ObjectStorage):
    """One bucket, or container.

    Args:
        place: the bucket; the key does not matter.
        options: credentials and endpoint; see `ObstoreClient`.
        renew: gives the options anew when a token has expired.
        client: what asks, instead of one made of the options.
    """

    def __init__(
        self,
        place: ObjectPlace,
        options: Mapping[str, str] | None = None,
        *,
        renew: Callable[[], Mapping[str, str]] | None = None,
        client: ObstoreClient | None = None,
    ) -> None:
        asking = client or ObstoreClient(place, options or {}, renew=renew)
        super().__init__(asking.place, asking)

    def _place(self, path: str) -> ObjectPlace:
        place = super()._place(path)
        if place.key and not _NO_NAMES.isdisjoint(place.key.rstrip("/").split("/")):
            # obstore would take some for another key, and refuse the others in words of its own.
            raise BadInput(path, "it has a name that is empty, '.' or '..' in it", "Write it without")
        return place
