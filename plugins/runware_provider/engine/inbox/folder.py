"""The inbox of one job: the files of calls in it, as a store has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from runware_provider.engine.inbox.bounded_threads import BoundedThreads, in_time, result_in_time
from runware_provider.engine.inbox.calls import decoded, is_file_of_calls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runware_provider.engine.inbox.calls import Call
    from runware_provider.engine.storage.port import Storage, StoredFile

AT_ONCE: Final = 8
"""An object store takes as long for one file as for eight."""


@dataclass(frozen=True)
class InboxFolder:
    """The folder that receivers write into for one job. It blocks, for as long as a store may take at most: for threads.

    Args:
        storage: in which all inboxes lie.
        path: of the job's.
    """

    storage: Storage
    path: str
    _threads: BoundedThreads = field(
        default_factory=lambda: BoundedThreads(AT_ONCE, "runware-inbox-store"), repr=False, compare=False
    )

    @classmethod
    def of(cls, storage: Storage, root: str, job_id: bytes) -> InboxFolder:
        """The inbox of a job.

        Args:
            storage: in which all inboxes lie.
            root: of all inboxes.
            job_id: of the job; its digits are the inbox's name.
        """
        return cls(storage, storage.join(root, job_id.hex()))

    def files(self) -> list[StoredFile]:
        """The files of calls that are there now, in the order in which they came; none where nobody has called yet.

        Raises:
            OSError: the store could not be reached.
        """
        listed = in_time(self._threads, partial(self.storage.list, self.path, recursive=False, links=False))
        return [file for file in listed if is_file_of_calls(file.path.rpartition("/")[2])]

    def read(self, file: str) -> list[Call]:
        """The calls that a file holds.

        Args:
            file: its path, as it was listed.

        Raises:
            FileNotFoundError: somebody has removed it.
            OSError: the store could not be reached.
            StateUnreadable: it is damaged, or was written by a newer version.
        """
        return decoded(in_time(self._threads, self.storage.read, file), file)

    def remove(self, files: Iterable[str]) -> None:
        """Remove files that nobody needs any more; one that is gone already does not matter.

        Raises:
            OSError: the store could not be reached.
        """
        removing = [self._threads.submit(self.storage.delete, file) for file in files]
        try:
            for removal in removing:
                result_in_time(removal)
        finally:
            # After an error nobody waits for the rest.
            for removal in removing:
                removal.cancel()
