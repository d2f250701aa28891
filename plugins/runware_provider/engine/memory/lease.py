"""The right to work on a state folder, of one process at a time."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.errors import Overtaken, StateUnreadable
from runware_provider.engine.memory.lease_rules import Grant, Holder, may_resend_after_s, may_take
from runware_provider.engine.memory.processes import has_ended, holds, holds_no_more, this_process
from runware_provider.engine.state_records import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.storage.stores import Storage

FORMAT = 1
FOLDER = "leases"
LEASE_S = 60.0
"""Seconds after which a process that gave no sign is taken for dead."""
KEPT_S = 600.0
"""Seconds for which old lease files stay: a process that looked before and creates after must not find a hole."""
SWEPT_EVERY = 40
"""Renewals."""
SILENT = "this process was silent for so long that another run took over"
_LOOKS = 5
_NAME = re.compile(r"(\d{8,})\.lease")


def seconds_since_boot() -> float:
    """Seconds on a clock that goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


@dataclass(frozen=True)
class InTheWay:
    """Who holds a lease that this process would like to have."""

    holder: Holder
    silent_s: float
    """Seconds since its last sign, as far as this process saw."""


class Lease:
    """A lease that this process takes, renews and gives back. Not thread-safe, where nothing else is said.

    Args:
        storage: where the state folder lies.
        folder: the state folder, or that of a shard.
        for_s: seconds for which it is taken at a time; it has to be renewed several times within them.
        clock: seconds that go on while the machine sleeps.
        holder: who takes it; this process by default.
        ended: whether a holder is known to be gone.
    """

    def __init__(  # noqa: PLR0913 - what a test replaces, by keyword
        self,
        storage: Storage,
        folder: str,
        *,
        for_s: float = LEASE_S,
        clock: Callable[[], float] = seconds_since_boot,
        holder: Holder | None = None,
        ended: Callable[[Holder], bool] = has_ended,
    ) -> None:
        self.storage = storage
        self.folder = folder
        self.for_s = for_s
        self.holder = holder if holder is not None else this_process()
        self.why_lost: Overtaken | None = None
        """Why this process neither sends, stages nor publishes any more; None while it may."""
        self.may_resend_after_s = 0.0
        """Seconds after it was taken within which nothing is sent that the process before may have sent."""
        self._renewing = threading.Lock()
        self._clock = clock
        self._ended = ended
        self._number = 0
        """Of the newest grant that is ours; 0 where none is."""
        self._until = 0.0
        self._renewals = 0
        self._seen: Grant | None = None
        self._seen_at = 0.0

    @property
    def lost(self) -> bool:
        """Whether this process neither sends, stages nor publishes any more."""
        return self.why_lost is not None

    def left_s(self) -> float:
        """Seconds for which this process may go on sending; 0 or less when it may not."""
        return 0.0 if self.lost or not self._number else self._until - self._clock()

    # taking it

    def try_to_take(self) -> InTheWay | None:
        """Take it if nobody is in the way; else say who is.

        Raises:
            StateUnreadable: a lease file is damaged, or of a newer format.
            OSError: the store failed.
        """
        # The lease is counted from before the look: what happens between look and creation must not lengthen it.
        looked_at = self._clock()
        newest = self._newest()
        unchanged_s = self._unchanged_s(newest, looked_at)
        ended = newest is not None and self._ended(newest.holder)
        if not may_take(newest, unchanged_s=unchanged_s, ended=ended):
            assert newest is not None  # noqa: S101 - else it could be taken
            return InTheWay(newest.holder, unchanged_s)
        number = newest.number + 1 if newest is not None else 1
        # Before it can be read: another lease of this process would take one that is not known here for given up.
        holds(self.holder.nonce)
        try:
            created = self._create(number)
        except BaseException:
            holds_no_more(self.holder.nonce)
            raise
        if not created:  # somebody was faster
            holds_no_more(self.holder.nonce)
            return InTheWay(self.holder if newest is None else newest.holder, 0.0)
        self._number, self._until = number, looked_at + self.for_s
        self.may_resend_after_s = may_resend_after_s(newest, ended=ended)
        self._sweep()
        return None

    def _unchanged_s(self, newest: Grant | None, looked_at: float) -> float:
        if newest is None or newest != self._seen:
            self._seen, self._seen_at = newest, self._clock()
            return 0.0
        return looked_at - self._seen_at

    # keeping it

    def check_still_mine(self) -> None:
        """See that this process has it, with a look where it has lapsed.

        Raises:
            Overtaken: it has it no more.
            StateUnreadable: a lease file is damaged, or of a newer format.
            OSError: the store failed.
        """
        if self.left_s() <= 0:
            self.renew()
        if self.left_s() <= 0:
            raise self.why_lost or Overtaken(SILENT)

    def renew(self) -> None:
        """Have it for longer; `lost` says whether somebody else has it. Safe to call from any thread.

        Raises:
            StateUnreadable: a lease file is damaged, or of a newer format.
            OSError: the store failed; whether it was renewed is unknown, and it counts as not renewed.
        """
        with self._renewing:
            self._renew()

    def _renew(self) -> None:
        if self.lost or not self._number:
            return
        began = self._clock()
        # It ended before it was renewed. Others may have had it since and given it back.
        if began >= self._until and not self._is_newest():
            self._lose()
            return
        if self._create(self._number + 1):
            self._number += 1
            self._until = began + self.for_s
            self._renewals += 1
            if self._renewals % SWEPT_EVERY == 0:
                self._sweep()
            return
        self._take_note_of_next()

    def _take_note_of_next(self) -> None:
        """The next number is there: written by a renewal of ours that seemed to fail, or by whoever took over."""
        grant = self._read(self._number + 1)
        if grant is None or grant.holder != self.holder:
            self._lose()
            return
        # When it was written is not known, so that it lengthens nothing. The next renewal does.
        self._number += 1
        self._renew()

    def _is_newest(self) -> bool:
        newest = self._newest()
        return newest is not None and newest.holder == self.holder

    def end_early(self, why: Overtaken) -> None:
        """Send nothing more, since nobody wants this work any more; to give it back is still to be done."""
        self.why_lost = why

    def _lose(self) -> None:
        self.why_lost = Overtaken(SILENT)
        self._number = 0
        holds_no_more(self.holder.nonce)

    def release(self) -> None:
        """Give it back. Where that cannot be written, others wait until it has ended."""
        if not self._number:
            return
        number, self._number = self._number, 0
        try:
            with contextlib.suppress(OSError):
                self._create(number + 1, released=True)
        finally:
            holds_no_more(self.holder.nonce)

    # files

    def _create(self, number: int, *, released: bool = False) -> bool:
        grant = Grant(number, self.holder, self.for_s, released)
        return self.storage.create_new(self._path(number), encoded({"format": FORMAT, **grant.record()}))

    def _newest(self) -> Grant | None:
        """The newest grant; one that is swept between listing and reading is not the newest any more."""
        number = 0
        for _ in range(_LOOKS):
            number = max(self._numbers(), default=0)
            while self.storage.exists(self._path(number + 1)):  # a listing may be late
                number += 1
            if not number:
                return None
            grant = self._read(number)
            if grant is not None:
                return grant
        raise StateUnreadable(f"{self._path(number)} is listed and cannot be found; run again")

    def _numbers(self) -> dict[int, float | None]:
        """Of the files that there are; of each, when it was written."""
        written: dict[int, float | None] = {}
        for entry in self.storage.list(self.storage.join(self.folder, FOLDER), recursive=False):
            named = _NAME.fullmatch(entry.path.rpartition("/")[2])
            if named is not None:
                written[int(named[1])] = entry.modified
        return written

    def _read(self, number: int) -> Grant | None:
        path = self._path(number)
        try:
            data = self.storage.read(path)
        except FileNotFoundError:
            return None
        return Grant.of(decoded(data, path, newest=FORMAT), path)

    def _path(self, number: int) -> str:
        return self.storage.join(self.folder, FOLDER, f"{number:08d}.lease")

    def _sweep(self) -> None:
        """Remove what is old by the store's own clock; what fails here, the next one removes."""
        with contextlib.suppress(OSError):
            written = self._numbers()
            now = written.get(max(written, default=0))
            for number, at in written.items():
                if now is not None and at is not None and at < now - KEPT_S:
                    self.storage.delete(self._path(number))
