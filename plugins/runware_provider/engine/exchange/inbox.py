"""A source of answers: what the vendor has brought, collected from the job's inbox.

The inbox is listed about once a second while anything is waited for. Each file is read once, and what it says of an
inference that waits goes the way of every verdict. A call about an attempt that nobody waits for yet (a resumed run has
not come to its row, or the reply to its sending is not in) is remembered by its UUID and its file, without its body, and
read once more when an inference comes to wait for it: such a call is claimed. A file is removed only when all that it says is durable in the
ledger; what nobody ever asks about goes when the job has published.

Nothing depends on it: what is not brought, or cannot be read, is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from runware_provider.engine.api.replies import read_call
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.exchange.call_replies import AT_REST, Brought
from runware_provider.engine.exchange.effects import Effects
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.inbox.bounded_threads import BoundedThreads
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from concurrent.futures import Executor

    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.exchange.calls import Calls
    from runware_provider.engine.exchange.fate import Fates
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.ports import Right
    from runware_provider.engine.inbox.folder import InboxFolder
    from runware_provider.engine.storage.port import StoredFile

log = logging.getLogger(__name__)

T = TypeVar("T")

EVERY_S: Final = 1.0
"""Between two looks."""
SOON_S: Final = 0.2
"""The same after one that brought much."""
MUCH: Final = 4
"""New files."""
IDLE_S: Final = 60.0
"""Without anything new: from then on looks become rarer."""
RARELY_S: Final = 5.0
BYTES_AT_ONCE: Final = 16_000_000
"""Of files that are read and sorted together; a single one may be larger."""
FILES_AT_ONCE: Final = 64
READERS: Final = 8
"""Threads: an object store takes as long for one file as for eight."""
UNREADABLE_S: Final = 30.0
"""Without a look that worked: then answers are asked for as if nobody brought them."""
WRITTEN_WITHIN_S: Final = 1.0
"""From a call until its file is there, as a rule."""
REMEMBERED: Final = 100_000
"""Attempts whose end is durable, by which calls that come twice are known for what they are."""
MOST_UNKNOWN: Final = 500_000
"""Calls that nobody waits for yet, which are remembered; what is beyond that is asked for."""


class SortedCall(NamedTuple):
    """One call, read and sorted."""

    at_ms: int
    reply: Reply


class _Ending(NamedTuple):
    """An attempt whose end is on its way into the ledger."""

    inference: Inference
    attempt: int
    task_uuid: str

    @classmethod
    def of(cls, inference: Inference) -> _Ending:
        return cls(inference, inference.attempt, inference.task_uuid)

    @property
    def is_durable(self) -> bool:
        """Whether it has arrived there: only then has the inference left the flight, or begun its next attempt."""
        return self.inference.attempt != self.attempt or self.inference.phase is Phase.DONE


@dataclass(eq=False)
class _File:
    """What is known of a file that was read."""

    size: int
    """Bytes."""
    unknown: set[str] = field(default_factory=set)
    """UUIDs in it that nobody waits for yet."""
    ending: list[_Ending] = field(default_factory=list)
    is_left_alone: bool = False
    """Whether it could not be read, or says more than is remembered: it goes when the job has published."""

    @property
    def is_done_with(self) -> bool:
        """Whether all that it says is durable, or of no use."""
        return not (self.unknown or self.ending or self.is_left_alone)


class Inbox:
    """Collects what was brought.

    Args:
        folder: the job's inbox.
        fates: apply it.
        flight: what is under way.
        calls: is told whether the inbox can be read.
        right: whoever has lost it removes nothing.
        now: seconds, as everywhere in the exchange.
        clock: seconds since the epoch, as in the files.
        threads: in which files are read; threads of its own by default.
    """

    def __init__(  # noqa: PLR0913 - by keyword, each a fact of its own
        self,
        *,
        folder: InboxFolder,
        fates: Fates,
        flight: Flight,
        calls: Calls,
        right: Right,
        now: Callable[[], float],
        clock: Callable[[], float] = time.time,
        threads: Executor | None = None,
    ) -> None:
        self._folder = folder
        self._fates = fates
        self._flight = flight
        self._calls = calls
        self._right = right
        self._now = now
        self._clock = clock
        # Beside the threads that all others share: the ledger's writes are not to wait for many reads.
        self._threads = threads or BoundedThreads(READERS, "runware-inbox")
        self._files: dict[str, _File] = {}
        self._unread: deque[StoredFile] = deque()
        """Listed, and not read yet."""
        self._file_of: dict[str, str] = {}
        """The file of each call that is not applied yet, by UUID."""
        self._wanted: dict[str, None] = {}
        """UUIDs of these that are under way, and are claimed as soon as no request is about them."""
        self._to_try_again: list[str] = []
        """UUIDs of these whose file could not be read just now: they are wanted again after the next look that works."""
        self._claimed: dict[str, list[Inference]] = {}
        """Inferences, BUSY with a call that is to be read once more, by its file."""
        self._is_reading_claimed = False
        self._durable: dict[str, None] = {}
        """UUIDs whose end is durable, the oldest first."""
        self._is_looking = False
        self._next_look = 0.0
        self._last_look = -math.inf
        self._last_new: float | None = None
        self._failing_since: float | None = None
        self._has_warned = self._has_warned_that_none_comes = False
        self.was_read = False
        """Whether all that lay there at the beginning was read, or could not be: only then is anything sent or asked for."""
        flight.on_attempt = self._attempt_began

    @property
    def at_once(self) -> int:
        """Reads under way, at most."""
        return READERS

    def due(self) -> float | None:
        """When the next look is due; None where nobody waits for an answer."""
        if self._is_looking or not self._is_awaited():
            return None
        return self._next_look

    def next_request(self, now: float) -> Coroutine[None, None, Effects] | None:
        """What to read next; None where nothing is due."""
        self._claim(now)
        if self._claimed and not self._is_reading_claimed:
            self._is_reading_claimed = True
            return self._read_claimed(self._next_claimed())
        if self._is_looking or not self._is_awaited() or now < self._next_look:
            return None
        self._is_looking = True
        return self._look()

    def lets_send(self, now: float) -> bool:
        """Whether the inbox was read, or could not be; what it answers is claimed, and so not sent.

        The ledger alone does not know: it may be an older copy, or be lost, and what is sent once more is paid once more.
        """
        self._claim(now)
        return self.was_read

    def _is_awaited(self) -> bool:
        # The first look is for what earlier processes have sent, before any of it is asked for.
        return not self.was_read or self._flight.outstanding > 0

    # what is known already, and now waited for

    def _attempt_began(self, task_uuid: str) -> None:
        if task_uuid in self._file_of:
            self._wanted[task_uuid] = None

    def _claim(self, now: float) -> None:
        """Make BUSY, with a call that is there already, whatever came to wait for it.

        An inference may be READY: a restored state folder, or one that was lost, knows nothing of its attempt, which an
        earlier process has sent. It is not sent once more.
        """
        for task_uuid in list(self._wanted):
            inference = self._flight.of_attempt(task_uuid)
            file = self._file_of.get(task_uuid)
            # It has ended otherwise.
            if inference is None or file is None:
                del self._wanted[task_uuid]
            elif inference.phase in AT_REST:
                del self._wanted[task_uuid]
                self._flight.move(inference, Phase.BUSY, now)
                self._claimed.setdefault(file, []).append(inference)

    def _next_claimed(self) -> dict[str, list[Inference]]:
        """Of the files that are to be read once more, as many as there is memory for, and who waits for them."""
        chosen: dict[str, list[Inference]] = {}
        size = 0
        for path in list(self._claimed):
            file = self._files.get(path)
            size += file.size if file is not None else 0
            if chosen and (size > BYTES_AT_ONCE or len(chosen) == FILES_AT_ONCE):
                break
            chosen[path] = self._claimed.pop(path)
        return chosen

    async def _read_claimed(self, claimed: dict[str, list[Inference]]) -> Effects:
        """Read files once more, for inferences that wait for what they say."""
        effects = Effects(is_of_the_api=False)
        try:
            contents = await self._read_all(list(claimed))
        except OSError:
            self._ask_meanwhile(claimed)
        else:
            for (path, inferences), calls in zip(claimed.items(), contents, strict=True):
                self._apply_claimed(path, calls, inferences, effects)
        finally:
            self._is_reading_claimed = False
        return effects

    def _ask_meanwhile(self, claimed: dict[str, list[Inference]]) -> None:
        """The store does not answer just now: they are asked for, as if nobody had called, and the files stay."""
        for inferences in claimed.values():
            for inference in inferences:
                self._fates.not_brought(inference, self._now())
                self._to_try_again.append(inference.task_uuid)

    def _apply_claimed(
        self, path: str, calls: list[SortedCall] | None, inferences: list[Inference], effects: Effects
    ) -> None:
        """Apply what a file says of these."""
        # It is gone, or damaged by now, and so it stays: what it held is asked for, once.
        if calls is None and path in self._files:
            self._files[path].is_left_alone = True
        call_of = _by_task(calls or [])
        for inference in inferences:
            self._forget_file_of(inference.task_uuid)
            call = call_of.get(inference.task_uuid)
            if call is None:
                self._fates.not_brought(inference, self._now())
            else:
                self._apply(path, inference, call, effects)

    # a look

    async def _look(self) -> Effects:
        """List the inbox, read what is new, and remove what is done with."""
        effects = Effects(is_of_the_api=False)
        began, new = self._now(), 0
        try:
            if not self._unread:
                await self._list()
            chosen = self._next_unread()
            new = len(chosen)
            # What was brought is not to wait for what is removed.
            contents, _ = await asyncio.gather(
                self._read_all([file.path for file in chosen]), self._remove_done()
            )
            for file, calls in zip(chosen, contents, strict=True):
                self._take_in(file, calls, effects)
        except OSError as error:
            self._unread.clear()
            self._failed(error, began)
        else:
            self._worked(new)
        finally:
            self._is_looking = False
            self._last_look = began
        self._tell_if_none_comes()
        return effects

    async def _list(self) -> None:
        listed = await self._in_a_thread(self._folder.files)
        self._forget_removed({file.path for file in listed})
        self._unread.extend(file for file in listed if file.path not in self._files)

    def _next_unread(self) -> list[StoredFile]:
        """As many files as there is memory for."""
        chosen: list[StoredFile] = []
        size = 0
        while self._unread and len(chosen) < FILES_AT_ONCE:
            size += self._unread[0].size
            if chosen and size > BYTES_AT_ONCE:
                break
            chosen.append(self._unread.popleft())
        return chosen

    async def _read_all(self, files: list[str]) -> list[list[SortedCall] | None]:
        """What each of some files says; None for one that cannot be read, or is gone."""
        return await asyncio.gather(*(self._in_a_thread(self._calls_in, file) for file in files))

    async def _in_a_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _calls_in(self, file: str) -> list[SortedCall] | None:
        try:
            calls = self._folder.read(file)
        except FileNotFoundError:
            return None
        except StateUnreadable as error:
            _warn(f"{error}.")
            return None
        return [SortedCall(call.at_ms, read_call(call.body)) for call in calls]

    def _take_in(self, listed: StoredFile, calls: list[SortedCall] | None, effects: Effects) -> None:
        """Apply what a new file says to whoever waits for it; remember the rest."""
        path = listed.path
        self._files[path] = _File(listed.size, is_left_alone=calls is None)
        for call in calls or ():
            for task_uuid in _named_in(call.reply):
                self._take_in_call(path, task_uuid, call, effects)

    def _take_in_call(self, path: str, task_uuid: str, call: SortedCall, effects: Effects) -> None:
        file = self._files[path]
        inference = self._flight.of_attempt(task_uuid)
        if inference is not None and inference.phase in AT_REST:
            self._apply(path, inference, call, effects)
            return
        # It comes twice, or came by a poll a moment ago.
        if inference is not None and inference.phase is Phase.SETTLING:
            file.ending.append(_Ending.of(inference))
            return
        if task_uuid in self._durable:
            return
        # There is no more room to remember it: whoever waits for it asks for it.
        if len(self._file_of) >= MOST_UNKNOWN:
            file.is_left_alone = True
            return
        file.unknown.add(task_uuid)
        self._file_of[task_uuid] = path
        # A request is about it just now, such as the one that has sent it.
        if inference is not None:
            self._wanted[task_uuid] = None

    def _apply(self, path: str, inference: Inference, call: SortedCall, effects: Effects) -> None:
        """Apply a call to the inference that waits for it."""
        self._fates.called(
            Brought(inference, call.reply, self._came_at(call, inference)), self._now(), effects
        )
        # What is verified stays until the answer that is fetched is durable. With anything else that is no end, the file
        # is of no more use: the vendor is asked.
        is_kept = inference.phase is Phase.SETTLING or self._calls.verify
        if is_kept and path in self._files:
            self._files[path].ending.append(_Ending.of(inference))

    def _came_at(self, call: SortedCall, inference: Inference) -> float:
        """When a call came, by our clock.

        The receiver's clock may be wrong; but what was not there at the look before has come since then, about.
        """
        now = self._now()
        age_s = max(0.0, self._clock() - call.at_ms / 1000)
        earliest = self._last_look - WRITTEN_WITHIN_S
        begun = inference.since if inference.accepted else (inference.sent_at or now)
        return min(now, max(now - age_s, earliest, begun))

    # what is done with

    async def _remove_done(self) -> None:
        """Remove the files of which everything is durable; not where another process may be at work by now."""
        # Each look goes through all files: while many wait to be read, that is left to the last of them.
        if self._unread:
            return
        for file in self._files.values():
            self._note_ends(file)
        done = [path for path, file in self._files.items() if file.is_done_with]
        if not done or self._right.why_lost is not None or self._right.left_s() <= 0:
            return
        # What cannot be removed now is removed when the job has published.
        with contextlib.suppress(OSError):
            await self._in_a_thread(self._folder.remove, done)
            for path in done:
                self._files.pop(path, None)

    def _note_ends(self, file: _File) -> None:
        """See what of a file has become durable."""
        for task_uuid in list(file.unknown):
            inference = self._flight.of_attempt(task_uuid)
            # It comes twice, and has been durable for a while.
            if task_uuid in self._durable:
                self._forget_file_of(task_uuid)
                file.unknown.discard(task_uuid)
            # Its answer came by a poll, and is on its way into the ledger.
            elif inference is not None and inference.phase is Phase.SETTLING:
                file.ending.append(_Ending.of(inference))
                self._forget_file_of(task_uuid)
                file.unknown.discard(task_uuid)
        for ending in file.ending:
            if ending.is_durable:
                self._remember(ending.task_uuid)
        file.ending = [ending for ending in file.ending if not ending.is_durable]

    def _remember(self, task_uuid: str) -> None:
        self._durable[task_uuid] = None
        if len(self._durable) > REMEMBERED:
            del self._durable[next(iter(self._durable))]

    def _forget_file_of(self, task_uuid: str) -> None:
        path = self._file_of.pop(task_uuid, None)
        if path in self._files:
            self._files[path].unknown.discard(task_uuid)

    def _forget_removed(self, there: set[str]) -> None:
        """Somebody else has removed files: a publish, or a process that took over."""
        for path in self._files.keys() - there:
            for task_uuid in self._files.pop(path).unknown:
                if self._file_of.get(task_uuid) == path:
                    del self._file_of[task_uuid]

    # how it goes

    def _worked(self, new: int) -> None:
        """A look worked, and found so many new files."""
        now = self._now()
        self._failing_since = None
        self._calls.inbox_is_readable = True
        self._wanted.update(dict.fromkeys(self._to_try_again))
        self._to_try_again.clear()
        if new or self._last_new is None:
            self._last_new = now
        self.was_read = self.was_read or not self._unread
        self._next_look = now + self._pause_s(new, now - self._last_new)

    def _pause_s(self, new: int, idle_s: float) -> float:
        if self._unread:
            return 0.0
        if new >= MUCH:
            return SOON_S
        return min(RARELY_S, EVERY_S * max(1.0, idle_s / IDLE_S))

    def _failed(self, error: OSError, began: float) -> None:
        """A look that began then got no answer from the store: answers are asked for, where that goes on."""
        now = self._now()
        self._next_look = now + EVERY_S
        # What lies there is not waited for: what earlier processes have sent is asked for instead.
        self.was_read = True
        if self._failing_since is None:
            self._failing_since = began
        if now - self._failing_since < UNREADABLE_S:
            return
        self._calls.inbox_is_readable = False
        if not self._has_warned:
            self._has_warned = True
            _warn(f"the inbox of webhooks cannot be read ({error}). Answers are asked for until it can.")

    def _tell_if_none_comes(self) -> None:
        """The receiver answers whoever is inside, and the vendor may not come through to it."""
        # While the inbox cannot be read, nobody knows what was brought.
        if not self._calls.inbox_is_readable or self._has_warned_that_none_comes:
            return
        if self._calls.none_come:
            self._has_warned_that_none_comes = True
            _warn(
                f"{self._calls.fetched_since_a_call} answers in a row were there that the vendor has not brought. Can he"
                " reach webhook_url? Answers are asked for until a call comes."
            )


def _warn(what: str) -> None:
    for line in wrapped("Warning", what):
        log.warning("%s", line)


def _named_in(reply: Reply) -> Iterator[str]:
    """The tasks that a call says the end of."""
    yield from reply.results
    yield from reply.failures


def _by_task(calls: list[SortedCall]) -> dict[str, SortedCall]:
    """The last call about each task."""
    call_of: dict[str, SortedCall] = {}
    for call in calls:
        for task_uuid in _named_in(call.reply):
            call_of[task_uuid] = call
    return call_of
