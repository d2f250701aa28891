"""Where datasets and state live: which store a path or URL means. Everything else speaks to `Storage`."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from runware_provider.engine.errors import BadInput
from runware_provider.engine.shown_urls import without_password
from runware_provider.engine.storage.local import LocalStorage, local_path
from runware_provider.engine.storage.object_place import EXAMPLES, is_object_url, object_place
from runware_provider.engine.storage.port import STALE_S, Bytes, Storage, StoredFile, StoredFiles, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.engine.storage.object_place import Kind, ObjectPlace

_VARIABLES: Final[dict[Kind, str]] = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "google": "GOOGLE_APPLICATION_CREDENTIALS",
    "azure": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}

__all__ = ["STALE_S", "Bytes", "Storage", "StoredFile", "StoredFiles", "Stores", "Version"]


class Stores:
    """Opens stores, and the same one again for the same place; safe to call from many threads.

    Args:
        options_for: the options for a place on an object store, from the Airflow connection that it names; see
            `S3Client` and `ObstoreClient` for what they are. It is asked once for each connection, and for what names
            none; what it leaves out comes from the environment, as the store's own tools read it.
    """

    def __init__(self, options_for: Callable[[ObjectPlace], Mapping[str, str]] | None = None) -> None:
        self._options_for = options_for or _without_airflow
        self._opened: dict[tuple[object, ...], Storage] = {}
        self._options: dict[tuple[object, ...], Mapping[str, str]] = {}
        self._lock = threading.Lock()

    def open(self, url: str, *, field: str = "destination") -> Storage:
        """The store in which a path or URL lies; nothing is asked of it yet.

        Args:
            url: a path, absolute, relative or with `~`; or `file:///...`, whose path is taken as it is written
                (no percent-decoding), as fsspec and Airflow's ObjectStoragePath do; or `s3://bucket/key`,
                `gs://bucket/key`, `abfs://container/key`.
            field: what the user calls it, for the error.

        Raises:
            BadInput: the URL's scheme is not supported, it names another host, no bucket or a connection that there
                is not, or the options are no use.
        """
        _check_name(url, field)
        if not is_object_url(url):
            opened = _open_local(url, field)
            with self._lock:
                return self._opened.setdefault(("local",), opened)
        place = object_place(url, field=field)
        with self._lock:
            # Once: a role that is assumed again has other credentials, and would seem to be another store.
            whose = (place.kind, place.conn_id)
            if whose not in self._options:
                self._options[whose] = self._options_for(place)
            options = self._options[whose]
            key = (place.kind, place.bucket, place.account, *sorted(options.items()))
            if key not in self._opened:
                self._opened[key] = _open_object_store(place, options, partial(self._options_for, place))
            return self._opened[key]

    def open_beside(self, storage: Storage, url: str, *, field: str) -> None:
        """Make sure that a path or URL lies in this very store.

        Raises:
            BadInput: it does not, or as `open`.
        """
        if self.open(url, field=field) is not storage:
            raise BadInput(
                field,
                f"{url} does not lie in the destination's store",
                "Choose folders in one store; on an object store, in one bucket, not the bucket itself, with one connection",
            )


def _check_name(url: str, field: str) -> None:
    """Refuse what no store takes for a name.

    Raises:
        BadInput: there is a NUL in it, or half a surrogate, which UTF-8 cannot hold.
    """
    if "\0" in url:
        raise BadInput(field, f"{without_password(url)!r} has a NUL in it, which no path may", "Take it out")
    try:
        url.encode()
    except UnicodeEncodeError:
        raise BadInput(
            field, f"{without_password(url)!r} has half a surrogate, which is no text", "Mend the name"
        ) from None


def _open_local(url: str, field: str) -> Storage:
    local_path(url, field)
    return LocalStorage()


def _open_object_store(
    place: ObjectPlace, options: Mapping[str, str], renew: Callable[[], Mapping[str, str]]
) -> Storage:
    # The clients are heavy, and whoever stays on local disks needs none of them.
    if place.kind == "s3":
        from runware_provider.engine.storage.s3 import S3Storage  # noqa: PLC0415 - see above

        return S3Storage(place.bucket, options, renew=renew)
    from runware_provider.engine.storage.obstore_storage import ObstoreStorage  # noqa: PLC0415 - see above

    return ObstoreStorage(place, options, renew=renew)


def _without_airflow(place: ObjectPlace) -> Mapping[str, str]:
    if place.conn_id is not None:
        raise BadInput(
            f"connection {place.conn_id!r}",
            "there are no connections outside of Airflow",
            f"Write {EXAMPLES[place.kind]} without it, and set {_VARIABLES[place.kind]}",
        )
    return {}
