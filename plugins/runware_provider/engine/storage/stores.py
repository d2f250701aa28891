"""Where datasets and state live: which store a path or URL means. Everything else speaks to `Storage`."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.local import LocalStorage, local_path
from runware_provider.engine.storage.port import STALE_S, Bytes, Storage, StoredFile, StoredFiles, Version
from runware_provider.engine.storage.s3_place import is_s3, s3_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["STALE_S", "Bytes", "Storage", "StoredFile", "StoredFiles", "Stores", "Version"]


class Stores:
    """Opens stores, and the same one again for the same place; safe to call from many threads.

    Args:
        options_for: the options that an Airflow connection's id stands for: `key`, `secret`, `token`, `region` and
            `endpoint`, and `give_up_s`, the seconds for which a request is tried again. It is asked once, for
            `None` where a URL names no connection; what it leaves out comes from the environment, as AWS's own tools
            read it.
    """

    def __init__(self, options_for: Callable[[str | None], Mapping[str, str]] | None = None) -> None:
        self._options_for = options_for or _without_airflow
        self._opened: dict[tuple[object, ...], Storage] = {}
        self._options: dict[str | None, Mapping[str, str]] = {}
        self._lock = threading.Lock()

    def open(self, url: str, *, field: str = "destination") -> Storage:
        """The store in which a path or URL lies; nothing is asked of it yet.

        Args:
            url: a path, absolute, relative or with `~`; or `file:///...`, whose path is taken as it is written
                (no percent-decoding), as fsspec and Airflow's ObjectStoragePath do; or `s3://bucket/key`.
            field: what the user calls it, for the error.

        Raises:
            BadInput: the URL's scheme is not supported, it names another host, no bucket or a connection that there
                is not, or the options are no use.
        """
        _check_name(url, field)
        if not is_s3(url):
            opened = _open_local(url, field)
            with self._lock:
                return self._opened.setdefault(("local",), opened)
        place = s3_place(url, field=field)
        # Heavy, and whoever stays on local disks needs none of it.
        from runware_provider.engine.storage.s3 import S3Storage  # noqa: PLC0415 - see above

        with self._lock:
            # Once: a role that is assumed again has other credentials, and would seem to be another store.
            if place.conn_id not in self._options:
                self._options[place.conn_id] = self._options_for(place.conn_id)
            options = self._options[place.conn_id]
            key = ("s3", place.bucket, *sorted(options.items()))
            if key not in self._opened:
                renew = partial(self._options_for, place.conn_id)
                self._opened[key] = S3Storage(place.bucket, options, renew=renew)
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
                "Choose folders in one store; on S3, in one bucket, not the bucket itself, with one connection",
            )


def _check_name(url: str, field: str) -> None:
    """Refuse what no store takes for a name.

    Raises:
        BadInput: there is a NUL in it, or half a surrogate, which UTF-8 cannot hold.
    """
    if "\0" in url:
        raise BadInput(field, f"{url!r} has a NUL in it, which no path may", "Take it out")
    try:
        url.encode()
    except UnicodeEncodeError:
        raise BadInput(field, f"{url!r} has half a surrogate, which is no text", "Mend the name") from None


def _open_local(url: str, field: str) -> Storage:
    local_path(url, field)
    return LocalStorage()


def _without_airflow(conn_id: str | None) -> Mapping[str, str]:
    if conn_id is not None:
        raise BadInput(
            f"connection {conn_id!r}",
            "there are no connections outside of Airflow",
            "Write s3://bucket/folder without it, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    return {}
