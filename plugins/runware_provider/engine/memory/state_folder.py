"""The state folder: whose it is, in which format, and which generation a run asks in.

    <state folder>/
      job.json                 format, job_id, destination; created once, exclusively
      leases/00000001.lease    who may work on the folder now: the newest file says it
      generations/000001.json  one wish to ask anew, created exclusively
      ledger/                  the ledger: numbered segments, and base.json, which names those that were merged
      staged/<publish id>/     batches that wait for the publish
      replaced/                parts of the publish before, for readers of its manifest
      manifest.json            what the current publish holds
      pace.json                how much was under way at last, a hint for the next process

One state folder belongs to one destination, or to one partition of it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.state_records import damaged, decoded, encoded

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage

FORMAT = 1
JOB_FORMAT = 3
"""Of `job.json`. Versions that know no leases refuse 2 and above, so that none of them is at work beside a lease."""
PROVEN_SINCE = 3
"""From this format on `job.json` has to prove its content."""
JOB_ID_BYTES = 16


@dataclass(frozen=True)
class JobIdentity:
    """Who this job is."""

    job_id: bytes
    """16 random bytes; every task UUID of the job is derived from them."""
    destination: str = ""
    """As it was written when the job was created."""
    service: str = ""
    """The host that answers came from, without its port."""


def find_job(storage: Storage, folder: str) -> JobIdentity | None:
    """The job that this state folder belongs to, if there is one.

    Raises:
        StateUnreadable: `job.json` is damaged, of a newer format, or gone while a ledger is there.
    """
    path = storage.join(folder, "job.json")
    if not storage.exists(path) and not _lost(storage, folder, path):
        return None
    held = decoded(storage.read(path), path, newest=JOB_FORMAT, proven_since=PROVEN_SINCE)
    try:
        job_id = bytes.fromhex(held["job_id"])
    except (KeyError, TypeError, ValueError):
        job_id = b""
    if len(job_id) != JOB_ID_BYTES:
        raise StateUnreadable(f"{path} holds no valid job_id; restore it from a backup")
    told = {name: held.get(name) or "" for name in ("destination", "service")}
    if not all(isinstance(text, str) for text in told.values()):
        raise damaged(path)
    return JobIdentity(job_id, **told)


def _lost(storage: Storage, folder: str, path: str) -> bool:
    """Whether another process created `job.json` this moment; a ledger without one is an error.

    Under a new job_id, what the old one had under way would be sent, and paid, again.
    """
    ledger = storage.join(folder, "ledger")
    # A listing may be late; but a ledger begins with its first segment, which goes only once base.json is there.
    begun = any(storage.exists(storage.join(ledger, name)) for name in ("base.json", "00000001.segment"))
    if not begun and not storage.list(ledger):
        return False
    if storage.exists(path):
        return True
    raise StateUnreadable(
        f"{path} is missing, but {folder} holds a ledger; restore it from a backup, or remove the whole folder to"
        " pay for everything again"
    )


def open_job(
    storage: Storage, folder: str, destination: str, created_at: str, *, service: str = ""
) -> JobIdentity:
    """The job of this state folder, created if it is new; of two creators at once, one wins for both."""
    known = find_job(storage, folder)
    if known is not None:
        _raise_format(storage, storage.join(folder, "job.json"))
        return known
    job_id = secrets.token_bytes(JOB_ID_BYTES)
    record = {
        "format": JOB_FORMAT,
        "job_id": job_id.hex(),
        "destination": destination,
        "service": service,
        "created_at": created_at,
    }
    if storage.create_new(storage.join(folder, "job.json"), encoded(record, proven=True)):
        return JobIdentity(job_id, destination=destination, service=service)
    won = find_job(storage, folder)
    if won is None:
        raise StateUnreadable(f"{folder}/job.json appeared and vanished; is somebody clearing the folder?")
    return won


def _raise_format(storage: Storage, path: str) -> None:
    """Lock out versions that know no leases, or ask for no proof. Of two who do so at once, either does it for both.

    Raises:
        StateUnreadable: the file vanished.
    """
    read = storage.read_versioned(path)
    if read is None:
        raise StateUnreadable(f"{path} has vanished; is somebody clearing the folder?")
    record = decoded(read[0], path, newest=JOB_FORMAT, proven_since=PROVEN_SINCE)
    if record["format"] < JOB_FORMAT:
        storage.replace_if(path, encoded({**record, "format": JOB_FORMAT}, proven=True), read[1])


def below(state_root: str, state_folder: str) -> str:
    """A partition's state folder as it is written in files: below the state root."""
    return state_folder.removeprefix(state_root.rstrip("/")).strip("/")


def wish_of(refresh: str | None, retry_failed: str | None) -> str | None:
    """How a wish to ask anew is written down; nothing where the user has none.

    Args:
        refresh: the name of a wish to ask everything anew.
        retry_failed: the name of a wish to ask again what did not succeed.
    """
    return refresh if retry_failed is None else f"retry failed: {retry_failed}"


def generation_of(storage: Storage, folder: str, wish: str | None, created_at: str) -> int:
    """The generation to ask in: the newest one, or for a wish to ask anew the one opened for that wish.

    The same wish finds its generation again, so that a retry does not ask anew.

    Raises:
        StateUnreadable: a generation's file is damaged, of a newer format, or none of ours.
    """
    newest = _newest(storage, folder)
    found = _opened_for(storage, folder, wish, newest)
    if wish is None or found is not None:
        return newest if found is None else found
    number = newest + 1
    record = {"format": FORMAT, "wish": wish, "created_at": created_at}
    while not storage.create_new(_generation(storage, folder, number), encoded(record)):
        if _read(storage, _generation(storage, folder, number)).get("wish") == wish:
            return number
        number += 1
    return number


def expected_generation(storage: Storage, folder: str, wish: str | None) -> int:
    """What `generation_of` would say now; a generation that a wish still lacks is counted, and not opened.

    Raises:
        StateUnreadable: a generation's file is damaged, of a newer format, or none of ours.
    """
    newest = _newest(storage, folder)
    if wish is None:
        return newest
    found = _opened_for(storage, folder, wish, newest)
    return newest + 1 if found is None else found


def _newest(storage: Storage, folder: str) -> int:
    opened = storage.list(storage.join(folder, "generations"))
    newest = max((_number_of(entry.path) for entry in opened), default=0)
    while storage.exists(_generation(storage, folder, newest + 1)):  # a listing may be late
        newest += 1
    return newest


def _opened_for(storage: Storage, folder: str, wish: str | None, newest: int) -> int | None:
    for number in range(1, newest + 1) if wish is not None else ():
        path = _generation(storage, folder, number)
        if storage.exists(path) and _read(storage, path).get("wish") == wish:
            return number
    return None


def _generation(storage: Storage, folder: str, number: int) -> str:
    return storage.join(folder, "generations", f"{number:06d}.json")


def _number_of(path: str) -> int:
    found = re.fullmatch(r"(\d{6,})\.json", path.rsplit("/", 1)[-1])
    if found is None:
        raise StateUnreadable(f"{path} is no generation of this job; remove it, or restore it from a backup")
    return int(found[1])


def _read(storage: Storage, path: str) -> dict[str, Any]:
    return decoded(storage.read(path), path, newest=FORMAT)
