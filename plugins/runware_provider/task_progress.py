"""How far a task is, in Airflow's task state store, where the page of a running task shows it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from runware_provider.engine.plain_text import printable

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

    from runware_provider.engine.job.progress import Progress

LINE: Final = "progress"
"""The key of the line for a person: the page shows a text at once, and folds up a dict."""
NUMBERS: Final = "progress_numbers"
FIRST_S: Final = 2.0
"""After which the first one is written: by then there is something to tell."""
LAST_S: Final = 10.0
"""That a task whose work is done waits for Airflow to take its last progress; a slow API server takes some five."""
MOST_CHARS: Final = 300
"""Of the line; a reason of the API's may be longer."""
MOST_PAUSE_S: Final = 600.0
"""Between two writes, where the store keeps failing."""


class Store(Protocol):
    """Airflow's `task_state_store`."""

    def set(self, key: str, value: Any) -> None:
        """Write or overwrite a JSON value."""


def told(progress: Progress, at: datetime) -> dict[str, Any]:
    """What is stored, by key: one line for a person, and its numbers."""
    return {
        LINE: printable(progress.line(), MOST_CHARS),
        NUMBERS: {
            "rows_done": progress.done,
            "rows": progress.total,
            "under_way": progress.outstanding,
            "paid_usd": round(progress.cost, 9),
            "at": at.isoformat(timespec="seconds"),
        },
    }


class TaskProgress:
    """Writes the newest progress now and then, and once more at its end; nothing that fails here fails the task.

    It has a thread of its own. Airflow interrupts the main thread by exceptions, which must not hit it amid a conversation with
    the supervisor, and a slow API server must not hold up the event loop of the job. The end waits a while for the last write:
    where Airflow does not answer, the last progress is lost, and nothing else. The one request that is under way then runs to its
    end, and no other one is begun.

    Args:
        store: of the task instance.
        every_s: seconds between two writes.
        log: is told once if the store fails.
        first_s: seconds until the first write, once there is something to write.
        last_s: seconds that the end waits for the last write.
    """

    def __init__(
        self,
        store: Store,
        *,
        every_s: float,
        log: Logger,
        first_s: float = FIRST_S,
        last_s: float = LAST_S,
    ) -> None:
        self._store = store
        self._every_s = every_s
        self._log = log
        self._first_s = min(first_s, every_s)
        self._last_s = last_s
        self._newest: Progress | None = None
        self._written: Progress | None = None
        self._end = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="runware-progress", daemon=True)
        self._fails = False

    def saw(self, progress: Progress) -> None:
        """Take note; from any thread."""
        self._newest = progress

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end.set()
            self._thread.join(self._last_s)
        finally:
            # Also where Airflow interrupts the waiting: at the end of the process no conversation may be half-way.
            self._given_up.set()
        if self._thread.is_alive():
            self._warn("Airflow does not answer")

    def _write_on(self) -> None:
        pause_s = self._first_s
        while not self._end.wait(pause_s):
            # Nothing to tell yet: what comes is the first one, and is looked for as early.
            if self._newest is None:
                continue
            is_written = self._write()
            pause_s = self._every_s if is_written else min(MOST_PAUSE_S, 2 * max(pause_s, self._every_s))
        self._write()

    def _write(self) -> bool:
        """Whether the store has the newest."""
        newest = self._newest
        if newest is None or newest is self._written:
            return True
        try:
            for key, value in told(newest, datetime.now(UTC)).items():
                if self._given_up.is_set():
                    return False
                self._store.set(key, value)
        except Exception as error:  # noqa: BLE001 - whatever it is, the task goes on
            self._warn(type(error).__name__)
            return False
        self._written = newest
        return True

    def _warn(self, reason: str) -> None:
        if not self._fails:
            self._log.warning("Progress is not shown in the task state store: %s. The task goes on.", reason)
        self._fails = True
