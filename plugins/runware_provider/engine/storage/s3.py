"""S3, and what speaks its protocol, behind the port to storage.

A store must know conditional writes: `If-None-Match: *` and `If-Match` on PUT. Whether it does shows only when one
tries (`check_conditions`): one that does not know them mostly ignores them.

There are no folders and no temporary files: an object is there as a whole or not at all.
"""

from __future__ import annotations

import errno
import secrets
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.port import StoredFile, StoredFiles
from runware_provider.engine.storage.s3_client import S3Client
from runware_provider.engine.storage.s3_place import S3Place, is_s3, s3_place
from runware_provider.engine.storage.s3_reader import S3Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runware_provider.engine.storage.port import Bytes, Version

_REFUSED = (errno.EOPNOTSUPP, errno.EINVAL)
_NO_OBJECT = '"00000000000000000000000000000000"'


class _Opened(pa.PythonFile):  # type: ignore[misc]  # pyarrow has no types
    """An object that is read, with its ETag."""

    def __init__(self, reader: S3Reader, mode: str) -> None:  # noqa: ARG002 - pyarrow takes it when the object is made
        self.etag = reader.etag


class S3Storage:
    """One bucket.

    Args:
        bucket: its name.
        options: credentials and endpoint; see `S3Client`.
        renew: gives the options anew when the credentials have expired.
        client: what asks, instead of one made of the options.
    """

    def __init__(
        self,
        bucket: str,
        options: Mapping[str, str] | None = None,
        *,
        renew: Callable[[], Mapping[str, str]] | None = None,
        client: S3Client | None = None,
    ) -> None:
        self.bucket = bucket
        self._client = client or S3Client(bucket, options or {}, renew=renew)

    def __repr__(self) -> str:
        """Without credentials."""
        return f"S3Storage({self.bucket!r})"

    def keep_private(self, folder: str) -> None:
        """Nothing: a bucket's policy says who may read what."""

    def list(self, folder: str, *, recursive: bool = True, links: bool = True) -> StoredFiles:  # noqa: ARG002 - there are none
        key = self._place(folder).key.rstrip("/")
        prefix = f"{key}/" if key else ""
        spelled = folder.rstrip("/")
        found = [
            StoredFile(
                f"{spelled}/{item['Key'][len(prefix) :]}", item["Size"], item["LastModified"].timestamp()
            )
            for page in self._client.pages(prefix, folder, **({} if recursive else {"Delimiter": "/"}))
            for item in page.get("Contents", [])
            if not item["Key"].endswith("/")  # what some tools write to show an empty folder
        ]
        return sorted(found, key=lambda entry: entry.path)

    def is_link(self, path: str) -> bool:  # noqa: ARG002 - there are none
        return False

    def exists(self, path: str) -> bool:
        key = self._place(path).key
        if not key or key.endswith("/"):
            return False
        try:
            self._client.size(key, path)
        except FileNotFoundError:
            next(self._client.pages(key, path, MaxKeys=1))  # says so, should it be the bucket that is missing
            return False
        return True

    def read(self, path: str) -> bytes:
        return self._client.get(self._key(path), path).data

    def read_versioned(self, path: str) -> tuple[bytes, Version] | None:
        try:
            content = self._client.get(self._key(path), path)
        except FileNotFoundError:
            return None
        return content.data, content.etag

    def create_new(self, path: str, data: Bytes) -> bool:
        return self._put(path, bytes(data), IfNoneMatch="*")

    def replace_if(self, path: str, data: Bytes, version: Version | None) -> bool:
        if version is None:
            return self.create_new(path, data)
        return self._put(path, bytes(data), IfMatch=version)

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        """By way of a file on this machine, which is sent in one request when it is whole."""
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
        return _Opened(S3Reader(self._client, self._key(path), path), mode="r")

    def stamp(self, path: str, opened: pa.NativeFile) -> Version:
        # Ranges are asked for under the ETag of the beginning.
        return opened.etag if isinstance(opened, _Opened) else self._client.get(self._key(path), path).etag

    def join(self, folder: str, *names: str) -> str:
        return "/".join([folder.rstrip("/"), *(name.strip("/") for name in names)])

    def canonical(self, path: str) -> str:
        return s3_place(path).canonical if is_s3(path) else path

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
                "Choose a store that checks If-None-Match and If-Match when it writes, as S3 itself does",
            )

    def _try_conditions(self, probe: str) -> str:
        """What the store lacks; empty if nothing."""
        first, second = secrets.token_bytes(16), secrets.token_bytes(16)
        try:
            if not self.create_new(probe, first) or self.create_new(probe, second):
                return "does not refuse to create what exists"
            if self.replace_if(probe, second, _NO_OBJECT):
                return "does not refuse to replace what has changed"
            held = self.read_versioned(probe)
            if held is None or held[0] != first or not self.replace_if(probe, second, held[1]):
                return "does not replace what has not changed"
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            return f"knows no conditional writes ({error.strerror})"
        finally:
            with suppress(OSError):
                self.delete(probe)
        return ""

    def _put(self, path: str, data: bytes, **condition: str) -> bool:
        try:
            self._client.put(self._key(path), path, data, **condition)
        except (FileExistsError, FileNotFoundError):
            # An earlier try of ours may have gone through although its reply was lost.
            held = self.read_versioned(path)
            return held is not None and held[0] == data
        return True

    def _key(self, path: str) -> str:
        key = self._place(path).key
        if not key:
            raise IsADirectoryError(errno.EISDIR, "is a bucket, not an object", path)
        return key

    def _place(self, path: str) -> S3Place:
        place = s3_place(path, field=path)
        if place.bucket != self.bucket:
            raise BadInput(path, f"it is not in the bucket {self.bucket!r}", "Choose a place in that bucket")
        return place
