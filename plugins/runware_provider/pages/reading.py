"""From the places that a task pushed to what a page shows of it. Reads records alone: no part of a dataset, and no ledger."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from runware_provider.engine.errors import BadInput, EngineError, StateUnreadable
from runware_provider.engine.job.run_records import read_history, read_record
from runware_provider.engine.job.split_record import present_split, shard_folder
from runware_provider.engine.storage.bounded_reading import TooLargeError, read_at_most
from runware_provider.pages.beneath import LINKED, LinkBelowError, LocalBeneath, bounded
from runware_provider.pages.clipped import clipped
from runware_provider.pages.reads import Kept, StoreSilent
from runware_provider.pages.roots import OPTION, is_local, root_of, roots_of
from runware_provider.pages.run_view import MOST_SHARDS, NOTHING_YET, ShardView
from runware_provider.quality.spec import FOLDER, REPORT
from runware_provider.web.seldom import Seldom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from runware_provider.engine.job.run_record import PastRun, RunRecord
    from runware_provider.engine.storage.stores import Storage, Stores
    from runware_provider.pages.beneath import Readable
    from runware_provider.pages.reads import Reads

T = TypeVar("T")

MOST_PAST: Final = 50
"""Runs of a history that are shown."""
MOST_REPORT_BYTES: Final = 16 * 2**20
NO_ROOTS: Final = f"{OPTION} is empty, so nothing is read of what tasks write: whoever runs this Airflow lists the folders there."
BAD_ROOTS: Final = f"{OPTION} cannot be read, so nothing else is; the log of the API server says why."
OUTSIDE: Final = (
    f"The task's state folder lies below none of the folders that {OPTION} lists, so nothing is read of it."
)
NOT_ITS_OWN: Final = (
    "What the task told of its places names another run than its own, so nothing is read of them."
)
SILENT: Final = "The store does not answer in time. This page tries again."
UNREADABLE: Final = "A record in the state folder is damaged, or of a newer version of this package."
NO_REPORT: Final = "There is no report on this dataset."
TOO_LONG: Final = "The report is too long to be shown here; open it where it lies."
FAILED: Final = "The store cannot be read; the log of the API server says more."
_COUNT_KEPT_S: Final = 60.0
_SELDOM: Final = Seldom(logging.getLogger(__name__))


class NotShown(Exception):  # noqa: N818 - it says what is the case
    """Nothing of a place may be read, or can be.

    Args:
        why: a sentence of ours for whoever looks.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Folder:
    """A state folder below a root."""

    root: str
    storage: Storage
    """For reading alone."""
    state: str


@dataclass(frozen=True)
class PlaceRead:
    """What was read of a place."""

    folder: Folder | None = None
    """None where nothing may be read of it, or where this run has left nothing there."""
    record: RunRecord | None = None
    shards: tuple[ShardView, ...] = ()
    shards_left_out: int = 0
    past: tuple[PastRun, ...] = ()
    has_report: bool = False
    trouble: str = ""
    read_at: str = ""
    """When, in UTC (ISO 8601)."""


@dataclass
class _Attempt:
    """Reads of which each may fail by itself."""

    trouble: str = ""

    async def of(self, reading: Awaitable[T]) -> T | None:
        try:
            return await reading
        except Exception as error:  # noqa: BLE001 - whatever a store or a record does, the page shows the rest
            self.trouble = _told(error)
            return None


@dataclass(frozen=True)
class Reading:
    """Reads places.

    Args:
        roots: `[runware] page_roots`, as it is written.
        stores: opens those that lie elsewhere, always the same; called in threads.
        reads: in threads, with a bound.
        local: the files below a root of this machine; called in threads.
        now: the time in UTC.
    """

    roots: str
    stores: Callable[[], Stores]
    reads: Reads
    local: Callable[[str], Readable] = LocalBeneath
    now: Callable[[], datetime] = _utc_now
    _shards: Kept[int] = field(default_factory=lambda: Kept(_COUNT_KEPT_S), init=False)

    async def place(
        self, places: Mapping[str, str], *, is_group: bool, shard: int | None = None, brief: bool = False
    ) -> PlaceRead:
        """What there is to see in the place that a task pushed; it does not raise.

        Args:
            places: as the task pushed them.
            is_group: whether its run is that of a group.
            shard: of the group, the one whose page it is.
            brief: without the shards, and without looking for a report.
        """
        own = None if brief or not is_group else shard
        # The first shards are read for everybody.
        beyond = own if own is not None and own >= MOST_SHARDS else None
        key = (places["state"], places["run"], is_group, brief, beyond)
        try:
            root = self.root_of(places["state"])
            return await self.reads.shared(
                root, key, lambda: self._place(root, places, is_group=is_group, own=own, brief=brief)
            )
        except Exception as error:  # noqa: BLE001 - see `_told`
            return PlaceRead(trouble=_told(error))

    def root_of(self, state: str) -> str:
        """The root in which a state folder lies.

        Raises:
            NotShown: it lies in none.
        """
        try:
            roots = roots_of(self.roots)
        except BadInput as wrong:
            _SELDOM.warn("The pages read nothing", str(wrong))
            raise NotShown(BAD_ROOTS) from None
        if not roots:
            raise NotShown(NO_ROOTS)
        root = root_of(state, roots)
        if root is None:
            raise NotShown(OUTSIDE)
        return root

    async def report(self, folder: Folder) -> bytes:
        """The page of the report on quality.

        Raises:
            NotShown: there is none, or it cannot be read.
        """
        try:
            return await self.reads.alone(folder.root, _report, folder)
        except Exception as error:
            raise NotShown(_told(error)) from error

    async def _place(
        self, root: str, places: Mapping[str, str], *, is_group: bool, own: int | None, brief: bool
    ) -> PlaceRead:
        folder = await self.reads.in_thread(root, self._open, root, places["state"])
        attempt, run = _Attempt(), places["run"]
        record, past, has_report, shards = await asyncio.gather(
            attempt.of(self.reads.in_thread(root, _record, folder.storage, folder.state, run)),
            attempt.of(self.reads.in_thread(root, _past, folder)),
            self._looks_for_report(folder, attempt, wanted=not brief),
            self._of_shards(folder, run, attempt, own, wanted=is_group and not brief),
        )
        views, left_out = shards
        # The record of this very run is what shows that the place is its own: else an XCom that somebody else wrote would
        # open the place of another DAG.
        if record is None and not any(view.record for view in views):
            return PlaceRead(trouble=attempt.trouble or NOTHING_YET)
        return PlaceRead(
            folder,
            record,
            views,
            left_out,
            tuple(past or ()),
            has_report,
            attempt.trouble,
            self.now().isoformat(timespec="seconds"),
        )

    async def _looks_for_report(self, folder: Folder, attempt: _Attempt, *, wanted: bool) -> bool:
        if not wanted:
            return False
        return bool(await attempt.of(self.reads.in_thread(folder.root, _has_report, folder)))

    async def _of_shards(
        self, folder: Folder, run: str, attempt: _Attempt, own: int | None, *, wanted: bool
    ) -> tuple[tuple[ShardView, ...], int]:
        shards = (await attempt.of(self._count_shards(folder)) or 0) if wanted else 0
        numbers = _read_shards(shards, own)
        records = await asyncio.gather(
            *(attempt.of(self._of_shard(folder, run, number)) for number in numbers)
        )
        views = tuple(ShardView(number, record) for number, record in zip(numbers, records, strict=True))
        return views, max(0, shards - len(views))

    async def _count_shards(self, folder: Folder) -> int:
        # The record of a split lists all files, and may be long.
        known = self._shards.get(folder.state)
        if known is not None:
            return known
        split = await self.reads.in_thread(folder.root, present_split, folder.storage, folder.state)
        shards = 0 if split is None or split.state == "left" else len(split.shards)
        if shards:
            self._shards.put(folder.state, shards)
        return shards

    def _of_shard(self, folder: Folder, run: str, number: int) -> Awaitable[RunRecord | None]:
        own = shard_folder(folder.storage, folder.state, number)
        return self.reads.in_thread(folder.root, _record, folder.storage, own, run)

    def _open(self, root: str, state: str) -> Folder:
        """A state folder below a root, for reading alone; blocking."""
        files = self.local(root) if is_local(state) else self.stores().open(state)
        return Folder(root, bounded(files), state)


def _read_shards(shards: int, own: int | None) -> Sequence[int]:
    """The numbers of the shards that are read: the first ones, and the one whose page it is."""
    first = range(min(shards, MOST_SHARDS))
    return first if own is None or own in first else [*first, own]


def _record(storage: Storage, folder: str, run: str) -> RunRecord | None:
    record = read_record(storage, folder, run)
    return None if record is None else clipped(record)


def _past(folder: Folder) -> list[PastRun]:
    return [clipped(past) for past in read_history(folder.storage, folder.state)[:MOST_PAST]]


def _report(folder: Folder) -> bytes:
    try:
        page = read_at_most(folder.storage, _report_path(folder), MOST_REPORT_BYTES)
    except TooLargeError:
        raise NotShown(TOO_LONG) from None
    if page is None:
        raise NotShown(NO_REPORT)
    return page


def _has_report(folder: Folder) -> bool:
    return folder.storage.exists(_report_path(folder))


def _report_path(folder: Folder) -> str:
    return folder.storage.join(folder.state, FOLDER, f"{REPORT}.html")


def _told(error: Exception) -> str:
    """Why something is missing, for the page; the rest is for the log, without words that may be a stranger's."""
    if isinstance(error, NotShown):
        return error.why
    if isinstance(error, StoreSilent):
        return SILENT
    if isinstance(error, StateUnreadable):
        return UNREADABLE
    if isinstance(error, LinkBelowError):
        return LINKED
    remark = str(error) if isinstance(error, EngineError) else type(error).__name__
    _SELDOM.warn("A page could not read a store", remark)
    return FAILED
