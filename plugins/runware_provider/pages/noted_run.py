"""What a run noted beside its state, as the pages with texts read it: its record, its folders, what it asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.job.run_records import read_record
from runware_provider.engine.job.run_request import read_request, request_path
from runware_provider.engine.job.split_record import present_split, shard_folder
from runware_provider.pages.asking_again import AskingAgain
from runware_provider.pages.clipped import clipped
from runware_provider.pages.group_sum import whole_of
from runware_provider.pages.run_view import MOST_SHARDS

if TYPE_CHECKING:
    from runware_provider.engine.job.run_record import RunRecord
    from runware_provider.pages.opened_place import OpenedPlace


def noted_folders(place: OpenedPlace) -> list[str]:
    """The state folders in which a task notes: its own, and those of the shards of its group.

    Raises:
        OSError: the store failed.
        StateUnreadable: what is noted of the shards is damaged.
    """
    if place.shard is not None:
        return [shard_folder(place.storage, place.state, place.shard)]
    split = present_split(place.storage, place.state)
    # A plain run took over from its shards since.
    if split is None or split.state == "left":
        return [place.state]
    shards = range(min(split.folders, MOST_SHARDS))
    return [place.state, *(shard_folder(place.storage, place.state, number) for number in shards)]


def noted_record(place: OpenedPlace) -> RunRecord | None:
    """What the task noted; of a group's, what all its shards did together. None where nobody noted anything.

    Raises:
        OSError: the store failed.
        StateUnreadable: a record is damaged.
    """
    own, *shards = (_record_in(place, folder) for folder in noted_folders(place))
    return whole_of(own, shards) if shards else own


def noted_request(place: OpenedPlace, record: RunRecord | None) -> AskingAgain | None:
    """What a run asked; None where nobody noted it.

    Args:
        place: of the task.
        record: of the run.

    Raises:
        OSError: the store failed.
        StateUnreadable: the request is damaged.
    """
    if record is None or not record.request:
        return None
    request = read_request(place.storage, place.state, record.request)
    if request is None:
        return None
    return AskingAgain(request_path(place.storage, place.state, record.request), request)


def _record_in(place: OpenedPlace, folder: str) -> RunRecord | None:
    record = read_record(place.storage, folder, place.run)
    return None if record is None else clipped(record)
