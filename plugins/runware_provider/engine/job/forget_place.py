"""Forgetting reaches every ledger of a place, its own and those of the shards that it has or had, and their inboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runware_provider.engine.api.replies import read_call
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.run_request import forget_requests
from runware_provider.engine.job.sample_answers import forget_samples
from runware_provider.engine.job.split_record import present_split, shard_folder
from runware_provider.engine.memory.forgetting import forget
from runware_provider.engine.memory.mentions import Mentions
from runware_provider.engine.memory.state_folder import find_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from runware_provider.engine.inbox.calls import Call
    from runware_provider.engine.inbox.folder import InboxFolder
    from runware_provider.engine.storage.stores import Storage

_COUNTS = ("forgotten", "answers", "segments", "removed", "staged", "replaced", "reports", "examples")


def forget_place(  # noqa: PLR0913 - keywords, each a fact of its own
    storage: Storage,
    state_folder: str,
    *,
    task_uuids: Iterable[str] = (),
    containing: Iterable[str] = (),
    older_than: datetime | None = None,
    inbox_of: Callable[[bytes], InboxFolder] | None = None,
) -> dict[str, Any]:
    """Erase answers and errors wherever a destination, or a partition of it, keeps them; see `forgetting.forget`.

    A shard whose staged rows are removed with that has to be inferred again before it can be published. Sample answers of a
    plan that waits for a person are removed as a whole, and so is the file of what a run asked that holds such a text: in its
    prompt, its schema or its variables.

    Args:
        storage: where the state folder lies.
        state_folder: the place's.
        task_uuids: as in the column `inference.task_uuid` of the dataset.
        containing: texts, of which one occurs in the answer or error.
        older_than: with a time zone; what was written before.
        inbox_of: the inbox of a job, by its id; None where nobody knows of inboxes, and none is reached.

    Returns:
        As `forget`, summed over all ledgers, in `requests` the number of files of what runs asked that were removed, and in
        `inbox` the number of files that were removed from inboxes: whole files,
        in which a call names such a task, or holds such a text, or is as old. None where no inbox is known.

    Raises:
        AtWork: a run did not end in time.
        BadInput: as of `forget`.
        StateUnreadable: the state folder cannot be read, or somebody rewrote a ledger meanwhile.
        OSError: the store could not write.
    """
    names, texts = list(task_uuids), list(containing)
    folders = [state_folder, *_shards(storage, state_folder)]
    told = [
        forget(storage, folder, task_uuids=names, containing=texts, older_than=older_than)
        for folder in folders
    ]
    erased = dict.fromkeys(name for each in told for name in each["task_uuids"])
    forget_samples(storage, state_folder)
    requests = forget_requests(storage, state_folder, Mentions(texts))
    removed = None
    if inbox_of is not None:
        before_ms = older_than.timestamp() * 1000 if older_than is not None else None
        concerned = _Concerned({name.lower() for name in (*names, *erased)}, Mentions(texts), before_ms)
        removed = sum(_remove_calls(inbox_of(job_id), concerned) for job_id in _jobs(storage, folders))
    unknown = set.intersection(*(set(each["unknown_task_uuids"]) for each in told))
    return {
        **{name: sum(each[name] for each in told) for name in _COUNTS},
        "requests": requests,
        "inbox": removed,
        "task_uuids": list(erased),
        "unknown_task_uuids": sorted(unknown),
    }


class _Concerned(NamedTuple):
    """What of an inbox is to go."""

    task_uuids: set[str]
    mentions: Mentions
    before_ms: float | None

    def holds_for(self, call: Call) -> bool:
        """Whether a call is among it."""
        if self.before_ms is not None and call.at_ms < self.before_ms:
            return True
        reply = read_call(call.body)
        if not self.task_uuids.isdisjoint({*reply.results, *reply.failures}):
            return True
        return bool(self.mentions) and self.mentions.occur_in(call.body)


def _remove_calls(folder: InboxFolder, concerned: _Concerned) -> int:
    """Remove the files with such a call; whatever else is in one is asked for."""
    gone: list[str] = []
    for file in folder.files():
        try:
            calls = folder.read(file.path)
        except FileNotFoundError:
            continue
        # Nobody can say what it holds.
        except StateUnreadable:
            gone.append(file.path)
            continue
        if any(map(concerned.holds_for, calls)):
            gone.append(file.path)
    folder.remove(gone)
    return len(gone)


def _jobs(storage: Storage, folders: Iterable[str]) -> list[bytes]:
    """The ids of the jobs whose state is in these folders."""
    jobs = [find_job(storage, folder) for folder in folders]
    return [job.job_id for job in jobs if job is not None]


def _shards(storage: Storage, state_folder: str) -> list[str]:
    """The state folders of shards in which something was asked."""
    split = present_split(storage, state_folder)
    numbers = range(split.folders) if split is not None else ()
    folders = [shard_folder(storage, state_folder, number) for number in numbers]
    return [folder for folder in folders if find_job(storage, folder) is not None]
