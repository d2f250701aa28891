"""Where datasets and state live: which store a path or URL means. Everything else speaks to `Storage`."""

from __future__ import annotations

from runware_provider.engine.local_storage import LocalStorage, local_path
from runware_provider.engine.storage_port import STALE_S, Bytes, Entries, Entry, Storage, Version

__all__ = ["STALE_S", "Bytes", "Entries", "Entry", "Storage", "Version", "open_storage"]


def open_storage(url: str, *, field: str = "destination") -> Storage:
    """The store in which a path or URL lies.

    Args:
        url: a path, absolute, relative or with `~`, or `file:///...`, whose path is taken as it is written
            (no percent-decoding), as fsspec and Airflow's ObjectStoragePath do.
        field: what the user calls it, for the error.

    Raises:
        BadInput: the URL's scheme is not supported, or it names another host.
    """
    local_path(url, field)
    return LocalStorage()
