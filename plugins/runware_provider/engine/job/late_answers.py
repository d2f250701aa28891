"""What the vendor brought after the job had given it up: paid for, so that it goes into the ledger before its file goes.

An attempt that ended as lost, or timed out, may have been run all the same. Where a call says later that it was answered,
the answer outranks that end in the ledger: its cost is on the bill, and the next run shows it instead of paying again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runware_provider.engine.api.replies import read_call
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.exchange.transitions import answer_entry
from runware_provider.engine.identity import task_uuid
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.identity import Key
    from runware_provider.engine.inbox.folder import InboxFolder
    from runware_provider.engine.memory.ledger import Ledger

    Attempts = dict[str, tuple[Key, int]]
    """By task UUID: inference and number of the attempt."""

log = logging.getLogger(__name__)


def _given_up(ledger: Ledger, job_id: bytes) -> Attempts:
    """The attempts that may have been billed, and of which nobody knows an answer; in most jobs none.

    Args:
        ledger: of the job.
        job_id: of the job.
    """
    return {task_uuid(job_id, key, number): (key, number) for key, number in ledger.given_up()}


def late_answers(folder: InboxFolder, ledger: Ledger, job_id: bytes) -> list[Entry]:
    """The answers in an inbox to attempts that were given up; it blocks.

    Where nothing was given up, nothing is read. What cannot be read stays where it is, with a warning.

    Args:
        folder: the job's inbox.
        ledger: of the job.
        job_id: of the job.
    """
    attempts = _given_up(ledger, job_id)
    if not attempts:
        return []
    entries: dict[str, Entry] = {}
    try:
        for file in folder.files():
            for reply in _replies(folder, file.path):
                for name in reply.results.keys() & attempts.keys():
                    entries[name] = answer_entry(*attempts[name], reply.results[name])
    except OSError as error:
        told = f"the inbox was not looked through for late answers ({error}). The next run does it."
        for line in wrapped("Warning", told):
            log.warning("%s", line)
    return list(entries.values())


def of_no_more_use(folder: InboxFolder, ledger: Ledger, job_id: bytes) -> list[str]:
    """The files of an inbox that hold no answer to an attempt which was given up; it blocks.

    Args:
        folder: the job's inbox.
        ledger: of the job; what was taken from the inbox is in it.
        job_id: of the job.

    Raises:
        OSError: the store could not be reached.
    """
    attempts = _given_up(ledger, job_id)
    files = [file.path for file in folder.files()]
    # Nearly always: every answer that was paid for is in the ledger.
    if not attempts:
        return files
    return [file for file in files if not _answers_any(folder, file, attempts)]


def _answers_any(folder: InboxFolder, file: str, attempts: Attempts) -> bool:
    return any(reply.results.keys() & attempts.keys() for reply in _replies(folder, file))


def _replies(folder: InboxFolder, file: str) -> Iterator[Reply]:
    """What the calls in a file say; nothing where it is gone or damaged."""
    try:
        calls = folder.read(file)
    except (FileNotFoundError, StateUnreadable):
        return
    for call in calls:
        yield read_call(call.body)
