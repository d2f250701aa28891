"""Writes the files of inboxes, below the one root that the receiver's own configuration names."""

from __future__ import annotations

import itertools
import secrets
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from runware_provider.engine.inbox.calls import encoded, file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runware_provider.engine.inbox.calls import Call
    from runware_provider.engine.storage.stores import Storage, Stores


class InboxFiles:
    """The files of one receiver; safe to call from many threads.

    Nothing is opened or imported for it before the first call: a process that is forked before then shares no name.

    Args:
        root: the folder, or URL of an object store, of all inboxes.
        stores: gives what opens it.
    """

    def __init__(self, root: str, stores: Callable[[], Stores]) -> None:
        self._root = root
        self._stores = stores
        self._numbers = itertools.count()
        self._opening = threading.Lock()

    def write(self, inbox: str, calls: Sequence[Call]) -> None:
        """Make calls durable, in a file of their own.

        Args:
            inbox: its id, hexadecimal digits.
            calls: one or more, in the order in which they came; UTF-8.

        Raises:
            OSError: the store is away.
            BadInput: it cannot be used as it is configured.
        """
        with self._opening:
            storage, receiver = self._storage, self._receiver
        name = file_name(calls[0].at_ms, receiver, next(self._numbers))
        path = storage.join(self._root, inbox, name)
        if not storage.create_new(path, encoded(calls)):
            raise FileExistsError(f"{path} is there already, and its name is this receiver's alone")

    @cached_property
    def _storage(self) -> Storage:
        storage = self._stores().open(self._root, field="webhook inbox")
        # Answers lie in it. A folder that is there already keeps its rights.
        storage.keep_private(self._root)
        return storage

    @cached_property
    def _receiver(self) -> str:
        return secrets.token_hex(8)
