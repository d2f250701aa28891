"""Where it lies what runs asked, for whoever looks on, or asks again (docs/decisions/0020).

<state folder>/requests/<digest>.json     prompt, schema, options (`asked_again`), written once for all runs that ask the same

Nothing of the engine decides by them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import BadInput, StateUnreadable
from runware_provider.engine.job.asked_again import FORMAT, asked_in, digest_of_request, values_in
from runware_provider.engine.job.run_records import record_paths, records_in
from runware_provider.engine.state_records import damaged, decoded, encoded, understood
from runware_provider.engine.storage.bounded_reading import read_at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.engine.memory.mentions import Mentions
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.port import StoredFile
    from runware_provider.engine.storage.stores import Storage, Stores

FOLDER: Final = "requests"
MOST_BYTES: Final = 16_000_000
"""Of one that is read; the longest prompt is a fifteenth of it."""
MOST_OTHERS: Final = 50
"""Files that no record of a run names; once there are more, half of them go."""
OPTION: Final = "--request"
_DIGEST = re.compile(r"[0-9a-f]{20}")
_NAME = re.compile(r"[0-9a-f]{20}\.json")
_FIND_ONE = "Take the path that the page of the task shows, or one of `requests/` in the state folder"


@dataclass(frozen=True)
class Given:
    """What a file of a request holds."""

    path: str
    """Of the file, for messages."""
    values: Mapping[str, Any]
    """Arguments of `Spec`."""
    left_out: frozenset[str] = frozenset()
    """Paths of those that are not among them, since they may have held a password, or are nothing that JSON can say."""
    asks_the_same: bool = True
    """Whether they ask the same of the model; not where a class said what its JSON Schema cannot."""


def request_path(storage: Storage, state: str, digest: str) -> str:
    """Where a request lies below a place's state folder."""
    return storage.join(state, FOLDER, f"{digest}.json")


def write_request(
    storage: Storage,
    state: str,
    spec: Spec,
    digests: Mapping[str, str],
    *,
    has_time: Callable[[], bool] = lambda: True,
) -> str:
    """Note what a run asks, unless another run that asks the same has done so.

    Args:
        storage: of the state folder.
        state: the place's, also for a shard.
        spec: what the user asked for.
        digests: of the parts of the request.
        has_time: whether old ones may still be removed; asked again and again.

    Returns:
        Its digest.

    Raises:
        OSError: the store failed.
        ValueError: it holds what JSON cannot say.
        BadInput: the schema asks for nothing that can be had; a job has found that out before.
    """
    record = asked_in(spec, digests)
    digest = digest_of_request(record)
    path = request_path(storage, state, digest)
    if not storage.exists(path):
        storage.create_new(path, encoded(record))
        _remove_others(storage, state, has_time)
    return digest


def forget_requests(storage: Storage, state: str, texts: Mentions) -> int:
    """Remove the files of requests that hold one of these texts; returns how many it were.

    Args:
        storage: of the state folder.
        state: the place's.
        texts: that are to go.

    Raises:
        OSError: the store failed.
    """
    if not texts:
        return 0
    paths = [file.path for file in _files(storage, state)]
    concerned = [path for path in paths if texts.occur_in(storage.read(path))]
    for path in concerned:
        storage.delete(path)
    return len(concerned)


def _remove_others(storage: Storage, state: str, has_time: Callable[[], bool]) -> None:
    """Remove the older ones of those that no run names whose record is kept."""
    files = _files(storage, state)
    # No run names more than one, so that there are too many others only then; whoever is about to name one made it just now.
    if len(files) <= MOST_OTHERS or len(files) <= MOST_OTHERS + len(record_paths(storage, state)):
        return
    named: set[str] = set()
    for record in records_in(storage, state):
        named.add(request_path(storage, state, record.request))
        if not has_time():
            return
    others = sorted((file for file in files if file.path not in named), key=_written, reverse=True)
    for file in others[MOST_OTHERS // 2 :]:
        if not has_time():
            return
        storage.delete(file.path)


def _written(file: StoredFile) -> float:
    """When; what the store does not know the time of counts as new."""
    return math.inf if file.modified is None else file.modified


def _files(storage: Storage, state: str) -> list[StoredFile]:
    files = storage.list(storage.join(state, FOLDER), recursive=False, links=False)
    return [file for file in files if _NAME.fullmatch(file.path.rpartition("/")[2])]


def read_request(storage: Storage, state: str, digest: str) -> dict[str, Any] | None:
    """What a run asked, as `asked_again.asked_in` describes it; None where it was not noted.

    Raises:
        StateUnreadable: it is damaged, or of a newer format.
        OSError: the store failed, or the file is too large to be one.
    """
    if not _DIGEST.fullmatch(digest):
        return None
    return _read(storage, request_path(storage, state, digest))


def options_in(stores: Stores, path: str) -> Given:
    """The arguments of `Spec` that the file holds which somebody named on the command line.

    Raises:
        BadInput: there is none, or it holds no request that this version can read.
        OSError: the store failed.
    """
    storage = stores.open(path, field=OPTION)
    try:
        record = _read(storage, path)
    except StateUnreadable as error:
        raise BadInput(OPTION, str(error).rstrip("."), _FIND_ONE) from None
    except IsADirectoryError:
        raise BadInput(OPTION, f"{path} is a folder", _FIND_ONE) from None
    if record is None:
        raise BadInput(OPTION, f"there is no file {path}", _FIND_ONE)
    try:
        same = record.get("asks_the_same", True) is True
        return Given(path, values_in(record), frozenset(record.get("left_out", ())), same)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
        raise BadInput(OPTION, f"{path} is damaged", _FIND_ONE) from None


def _read(storage: Storage, path: str) -> dict[str, Any] | None:
    data = read_at_most(storage, path, MOST_BYTES)
    if data is None:
        return None
    record = decoded(data, path, newest=FORMAT, remedy=_FIND_ONE)
    with understood(path, _FIND_ONE):
        if not isinstance(record["spec"], dict):
            raise damaged(path, _FIND_ONE)
    return record
