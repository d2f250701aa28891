"""A bucket behind the port to storage, whichever client asks it.

A store must know conditional writes: on a new object, and on the version that was read. Whether it does shows only when
one tries (`check_conditions`): one that does not know them mostly ignores them.

There are no folders and no temporary files: an object is there as a whole or not at all.
"""

from __future__ import annotations

import errno
import secrets
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, Final

import pyarrow as pa

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_place import ObjectPlace, is_object_url, object_place
from runware_provider.engine.storage.object_reader import ObjectReader
from runware_provider.engine.storage.port import StoredFile, StoredFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runware_provider.engine.storage.object_client import ObjectClient
    from runware_provider.engine.storage.object_place import Kind
    from runware_provider.engine.storage.port import Bytes, Version

_REFUSED = (errno.EOPNOTSUPP, errno.EINVAL)
# Versions that no object has, in each store's form: ETags, and the number of a generation.
_NO_VERSION: Final[dict[Kind, Version]] = {
    "s3": '"00000000000000000000000000000000"',
    "google": "1",
    "azure": '"0x0000000000000000"',
}


class _Opened(pa.PythonFile):  # type: ignore[misc]  # pyarrow has no types
    """An object that is read, with its version."""

    def __init__(self, reader: ObjectReader, mode: str) -> None:  # noqa: ARG002 - pyarrow takes it when the object is made
        self.version = reader.version


class ObjectStorage:
    """One bucket.

    Args:
        place: the bucket; the key does not matter.
        client: what asks it.
    """

    def __init__(self, place: ObjectPlace, client: ObjectClient) -> None:
        self._bucket = place
        self._client = client

    def __repr__(self) -> str:
        """Without credentials."""
        return f"{type(self).__name__}({self._bucket.bucket!r})"

    def keep_private(self, folder: str) -> None:
        """Nothing: a bucket's policy says who may read what."""

    def list(self, folder: str, *, recursive: bool = True, links: bool = True) -> StoredFiles:  # noqa: ARG002 - there are none
        key = self._place(folder).key.rstrip("/")
        prefix = f"{key}/" if key else ""
        spelled = folder.rstrip("/")
        found = [
            StoredFile(f"{spelled}/{item.key[len(prefix) :]}", item.size, item.modified)
            for item in self._client.listing(prefix, folder, recursive=recursive)
        ]
        return sorted(found, key=lambda entry: entry.path)

    def is_link(self, path: str) -> bool:  # noqa: ARG002 - there are none
        return False

    def exists(self, path: str) -> bool:
        key = self._place(path).key
        if not key or key.endswith("/"):
            return False
        return self._client.has(key, path)

    def read(self, path: str) -> bytes:
        return self._client.get(self._key(path), path).data

    def read_versioned(self, path: str) -> tuple[bytes, Version] | None:
        try:
            content = self._client.get(self._key(path), path)
        except FileNotFoundError:
            return None
        return content.data, content.version

    def create_new(self, path: str, data: Bytes) -> bool:
        content, key = bytes(data), self._key(path)
        return self._written(path, content, lambda: self._client.create(key, path, content))

    def replace_if(self, path: str, data: Bytes, version: Version | None) -> bool:
        if version is None:
            return self.create_new(path, data)
        content, key = bytes(data), self._key(path)
        return self._written(path, content, lambda: self._client.replace(key, path, content, version))

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        """By way of a file on this machine, which is sent when it is whole."""
        key = self._key(path)
        with tempfile.TemporaryFile() as file:
            yield file
            self._client.put(key, path, file)

    def copy(self, source: str, target: str) -> None:
        try:
            self._client.copy(self._key(source), self._key(target), source)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            # A store that does not copy by itself.
            self._client.put(self._key(target), target, self.read(source))

    def delete(self, path: str) -> None:
        self._client.delete(self._key(path), path)

    def sweep(self, folder: str) -> None:
        """Nothing: dead processes leave nothing behind."""

    def open(self, path: str) -> pa.NativeFile:
        return _Opened(ObjectReader(self._client, self._key(path), path), mode="r")

    def stamp(self, path: str, opened: pa.NativeFile) -> Version:
        # Ranges are asked for under the version of the beginning.
        return (
            opened.version if isinstance(opened, _Opened) else self._client.get(self._key(path), path).version
        )

    def join(self, folder: str, *names: str) -> str:
        return "/".join([folder.rstrip("/"), *(name.strip("/") for name in names)])

    def canonical(self, path: str) -> str:
        if not is_object_url(path):
            return path
        place = object_place(path)
        if not place.account and (place.kind, place.bucket) == (self._bucket.kind, self._bucket.bucket):
            # A container's name alone says little: each account may have one of that name.
            place = replace(place, account=self._bucket.account, cloud=self._bucket.cloud)
        return place.canonical

    def check_conditions(self, folder: str, *, field: str = "destination") -> None:
        try:
            trouble = self._try_conditions(self.join(folder, f".conditions-{secrets.token_hex(8)}"))
        except (PermissionError, NotADirectoryError) as error:
            raise BadInput(
                field,
                f"{folder} cannot be used ({error.strerror})",
                "Check bucket, region and credentials; it must be allowed to list, read, write and delete there",
            ) from None
        if trouble:
            raise BadInput(
                field,
                f"the store of {folder} {trouble}, without which two runs could overwrite each other's work",
                "Choose a store that checks the conditions of a write, as S3, Google Cloud Storage and Azure do",
            )

    def _try_conditions(self, probe: str) -> str:
        """What the store lacks; empty if nothing."""
        first, second = secrets.token_bytes(16), secrets.token_bytes(16)
        try:
            if not self.create_new(probe, first) or self.create_new(probe, second):
                return "does not refuse to create what exists"
            if self.replace_if(probe, second, _NO_VERSION[self._bucket.kind]):
                return "does not refuse to replace what has changed"
            there = self.read_versioned(probe)
            if there is None or there[0] != first or not self.replace_if(probe, second, there[1]):
                return "does not replace what has not changed"
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            return f"knows no conditional writes ({error.strerror})"
        finally:
            with suppress(OSError):
                self.delete(probe)
        return ""

    def _written(self, path: str, content: bytes, write: Callable[[], None]) -> bool:
        """Whether what lies there now is ours."""
        try:
            write()
        except (FileExistsError, FileNotFoundError):
            # An earlier try of ours may have gone through although its reply was lost.
            there = self.read_versioned(path)
            return there is not None and there[0] == content
        return True

    def _key(self, path: str) -> str:
        key = self._place(path).key
        if not key:
            raise IsADirectoryError(errno.EISDIR, "is a bucket, not an object", path)
        return key

    def _place(self, path: str) -> ObjectPlace:
        place = object_place(path, field=path)
        elsewhere = (place.kind, place.bucket) != (self._bucket.kind, self._bucket.bucket)
        if elsewhere or place.account not in {"", self._bucket.account}:
            raise BadInput(
                path, f"it is not in the bucket {self._bucket.bucket!r}", "Choose a place in that bucket"
            )
        return place
