"""Requests to one bucket of Google Cloud Storage or Azure, by way of obstore: how long, how often, what an answer means."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import obstore

from runware_provider.engine.storage import forked_runtime
from runware_provider.engine.storage.obstore_errors import (
    as_os_error,
    code,
    has_expired,
    heard,
    names_the_missing,
    passes,
)
from runware_provider.engine.storage.obstore_options import from_environment, located
from runware_provider.engine.storage.obstore_stores import (
    FOREIGN,
    connected,
    content,
    copy_whole,
    listed,
    size_and_version,
)
from runware_provider.engine.storage.renewing import Renewing
from runware_provider.engine.storage.tries import BACK_OFF, bounded_tries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import tenacity

    from runware_provider.engine.storage.object_client import Content, Listed, Span
    from runware_provider.engine.storage.object_place import ObjectPlace
    from runware_provider.engine.storage.obstore_stores import Stores
    from runware_provider.engine.storage.port import Version

T = TypeVar("T")

PIECE_BYTES: Final = 5 << 20
"""Of a file that is sent in pieces; the least that Google takes."""
PIECES_AT_ONCE: Final = 4

_NOWHERE: Final = ".no-such-folder/"


class ObstoreClient:
    """An `ObjectClient`; its errors are those of `as_os_error`.

    Args:
        place: the bucket; the key does not matter.
        options: see `config_of`, and `give_up_s`; what is missing comes from the environment.
        renew: gives the options anew when a token has expired.
        back_off: how long to wait before a further try.

    Raises:
        BadInput: the options cannot be used.
    """

    def __init__(
        self,
        place: ObjectPlace,
        options: Mapping[str, str],
        *,
        renew: Callable[[], Mapping[str, str]] | None = None,
        back_off: tenacity.wait.wait_base = BACK_OFF,
    ) -> None:
        options = from_environment(place, options, os.environ)
        self.place = located(place, options, os.environ)
        self._google = place.kind == "google"
        self._stores = Renewing(partial(connected, self.place), options, renew, _has_expired)
        self._retrying = bounded_tries(_passes, code, options, back_off)

    def __repr__(self) -> str:
        """Without credentials."""
        return f"ObstoreClient({self.place.bucket!r})"

    def get(self, key: str, path: str, *, span: Span | None = None, version: Version = "") -> Content:
        wanted: dict[str, Any] = {} if span is None else {"range": span}
        if not version:
            return self._get(key, path, wanted)
        if not self._google:
            return self._get(key, path, {**wanted, "if_match": version})
        try:
            return self._get(key, path, {**wanted, "version": version})
        except FileNotFoundError:
            # Google is asked for the generation of this number, and has it no more.
            raise FileExistsError(errno.EEXIST, "is no longer what it was", path) from None

    def tail(self, key: str, path: str, length: int) -> Content:
        if self._google:
            return self._get(key, path, {"range": {"suffix": length}})
        # Azure counts no ranges from the end.
        size, version = self._ask(path, lambda stores: size_and_version(stores.exact, key))
        span = (max(size - length, 0), size) if size else None
        return self.get(key, path, span=span, version=version)

    def has(self, key: str, path: str) -> bool:
        try:
            self._ask(path, lambda stores: obstore.head(stores.exact, key))
        except FileNotFoundError:
            return False
        return True

    def create(self, key: str, path: str, data: bytes) -> None:
        self._write(key, path, data, "create")

    def replace(self, key: str, path: str, data: bytes, version: Version) -> None:
        self._write(key, path, data, {"version" if self._google else "e_tag": version})

    def put(self, key: str, path: str, data: bytes | BinaryIO) -> None:
        if isinstance(data, bytes):
            self._write(key, path, data, "overwrite")
            return

        def send(stores: Stores) -> None:
            data.seek(0)  # an earlier try has read it
            obstore.put(stores.patient, key, data, chunk_size=PIECE_BYTES, max_concurrency=PIECES_AT_ONCE)

        self._ask(path, send)

    def copy(self, key: str, other: str, path: str) -> None:
        self._ask(path, lambda stores: copy_whole(stores.exact, key, other))

    def delete(self, key: str, path: str) -> None:
        with suppress(FileNotFoundError):
            self._ask(path, lambda stores: obstore.delete(stores.exact, key))

    def listing(self, prefix: str, path: str, *, recursive: bool = True) -> Iterator[Listed]:
        """All pages are asked for at once."""
        return iter(self._ask(path, lambda stores: listed(stores.patient, prefix, recursive=recursive)))

    def _get(self, key: str, path: str, wanted: dict[str, Any]) -> Content:
        return self._ask(path, lambda stores: content(stores.exact, key, wanted))

    def _write(self, key: str, path: str, data: bytes, mode: Any) -> None:
        def send(stores: Stores) -> None:
            store = stores.exact if len(data) <= PIECE_BYTES else stores.patient
            obstore.put(store, key, data, mode=mode, use_multipart=False)

        self._ask(path, send)

    def _ask(self, path: str, ask: Callable[[Stores], T]) -> T:
        forked_runtime.use(path)
        try:
            answer: T = self._retrying(self._stores.ask, ask)
        except FOREIGN as error:
            said = heard(error)
        else:
            return answer
        if not names_the_missing(said):
            # It may be the bucket; a listing's answer says so.
            self._ask(path, lambda stores: listed(stores.exact, _NOWHERE, recursive=False))
        # Not beside the error, which quotes the store at length.
        raise as_os_error(said, self.place.bucket, path)


def _has_expired(error: Exception) -> bool:
    return isinstance(error, FOREIGN) and has_expired(heard(error))


def _passes(error: BaseException) -> bool:
    return isinstance(error, FOREIGN) and passes(heard(error))
