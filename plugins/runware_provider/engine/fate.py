"""What a reply means for each inference that it was about. Pure: replies and time in, phases and entries out.

An error that names a task in a 200 or 400 reply is the API's word on that task. Whatever else went wrong (a lost
reply, garbage, HTTP 5xx) leaves the fate open, and an open fate is asked for before anything is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.flight import MOST_SPENT, Flight, Inference, Phase, is_final
from runware_provider.engine.retry import (
    STEPS,
    Family,
    Step,
    back_off_s,
    family_of,
    family_of_status,
    stop_for,
)
from runware_provider.engine.wire import ApiError, Reply, cost_of, encode_item, read_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.spec import Limits

REPLAY_AFTER_S = 1.0
"""The vendor's SDK waits at least a second before it replays a task."""
REJECTED_POLL_S = 10.0
"""How long a conflicting UUID is polled that had been refused before."""
LONGEST_POLL_S = 10.0
MESSAGE_CHARS = 500


@dataclass
class Effects:
    """What a reply brought, beside the phases that it changed."""

    verdicts: list[tuple[Inference, Entry]] = field(default_factory=list)
    """To be made durable, then to be settled."""
    rejections: list[Entry] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    full: bool = False
    """The API said that it has no room."""
    usable: bool = False
    """The API said something that could be understood."""
    stop: JobStopped | None = None


class Fates:
    """Applies replies to a flight.

    Args:
        flight: what is under way.
        limits: the job's limits.
        spread: 0 to 1, different in each process, so that many clients do not come back together.
    """

    def __init__(self, flight: Flight, limits: Limits, *, spread: float) -> None:
        self._flight = flight
        self._limits = limits
        self._spread = spread

    # replies to textInference

    def not_sent(self, chunk: list[Inference], now: float) -> Effects:
        """The connection could not be opened: nothing was sent."""
        for one in chunk:
            one.tries += 1
            self._flight.move(one, Phase.READY, now + self._pause(one))
        return Effects()

    def send_unknown(self, chunk: list[Inference], now: float, *, split: bool) -> Effects:
        """No usable reply came to a request that may have arrived."""
        for one in chunk:
            self._doubt(one, now)
            if split:
                one.together = max(1, len(chunk) // 2)
        return Effects()

    def sent(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to a chunk of tasks."""
        effects = Effects(usable=reply.readable and reply.status < 500)
        for one in chunk:
            name = one.task_uuid
            if name in reply.results:
                self._answered(one, reply.results[name], now, effects)
            elif name in reply.failures:
                self._refused(one, reply.failures[name], reply, now, effects)
            elif name in reply.acknowledged or name in reply.processing:
                self._accepted(one, now, self._limits.deadline_s)
            else:
                self._unnamed(one, len(chunk), reply, now, effects)
        return effects

    def _refused(self, one: Inference, error: ApiError, reply: Reply, now: float, effects: Effects) -> None:
        family = family_of(error.code, reply.status)
        step = STEPS[family]
        if step is Step.STOP:
            self._reject(one, error, reply, now, effects)
            effects.stop = effects.stop or stop_for(family, error.code, error.message)
        elif step is Step.WAIT:
            effects.full = True
            self._reject(one, error, reply, now, effects)
        elif step is Step.POLL:
            self._conflict(one, now)
        elif family is Family.TIMEOUT or reply.status >= 500 or step is Step.LOOK_UP:
            one.otherwise = self._error_entry(one, error, family)
            self._doubt(one, now)
            effects.full = effects.full or reply.status in {503, 504}
        else:
            self._settle(one, self._error_entry(one, error, family), now, effects)

    def _unnamed(self, one: Inference, size: int, reply: Reply, now: float, effects: Effects) -> None:
        """The reply does not name this task: what it says as a whole decides."""
        error = reply.unnamed[0] if reply.unnamed else None
        if error is not None:
            family = family_of(error.code, reply.status)
        elif reply.readable and reply.status < 400:
            self._doubt(one, now)
            return
        else:
            family = family_of_status(reply.status)
            error = ApiError(f"http{reply.status}", f"HTTP {reply.status} without a usable body")
        if STEPS[family] is Step.STOP:
            self._reject(one, error, reply, now, effects)
            effects.stop = effects.stop or stop_for(family, error.code, error.message)
        elif family is Family.RATE:
            effects.full = True
            self._reject(one, error, reply, now, effects)
        elif family is Family.TOO_LARGE and size > 1:
            one.together = max(1, size // 2)
            self._flight.move(one, Phase.READY, now)
        elif size == 1 and family in {Family.TOO_LARGE, Family.VALIDATION, Family.SAFETY}:
            self._settle(one, self._error_entry(one, error, family), now, effects)
        else:
            effects.full = effects.full or reply.status in {503, 504}
            one.together = max(1, size // 2) if family is Family.VALIDATION else one.together
            self._doubt(one, now, reply.retry_after_s)

    def _conflict(self, one: Inference, now: float) -> None:
        """The UUID is in use: proof of acceptance, unless it had been refused before."""
        if one.rejected:
            one.otherwise = one.otherwise or one.entry(Kind.SPENT, code="conflictTaskUUID")
            self._accepted(one, now, REJECTED_POLL_S)
        else:
            self._accepted(one, now, self._limits.deadline_s)

    # replies to getResponse

    def ask_failed(self, chunk: list[Inference], now: float) -> Effects:
        """No usable reply came to a getResponse request."""
        for one in chunk:
            one.tries += 1
            self._flight.move(one, self._asking(one), now + self._pause(one))
        return Effects()

    def asked(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to getResponse."""
        if not reply.readable or reply.status in {408, 429} or reply.status >= 500:
            effects = self.ask_failed(chunk, now)
            effects.full = reply.status in {429, 503, 504}
            return effects
        effects = Effects(usable=True)
        effects.stop = _stop_of_request(reply)
        for one in chunk:
            name = one.task_uuid
            if name in reply.results:
                self._answered(one, reply.results[name], now, effects)
            elif name in reply.failures:
                self._failed_later(one, reply.failures[name], reply, now, effects)
            elif name in reply.processing:
                if not one.accepted:
                    self._accepted(one, now, self._limits.deadline_s)
                else:
                    self._wait_on(one, now)
            elif effects.stop is None and (
                not one.accepted or (one.deadline is not None and now >= one.deadline)
            ):
                self._flight.move(one, Phase.LOOK_UP, now)
            else:
                self._wait_on(one, now)
        return effects

    def _failed_later(
        self, one: Inference, error: ApiError, reply: Reply, now: float, effects: Effects
    ) -> None:
        family = family_of(error.code, None)
        if family is Family.LOST or (not one.accepted and family in {Family.VALIDATION, Family.UNKNOWN}):
            self._flight.move(one, Phase.LOOK_UP, now)
        elif family is Family.CONFLICT:
            self._accepted(one, now, self._limits.deadline_s)
        elif family is Family.RATE:
            # Of the poll or of the task? Only the archive can tell, so ask it after some patience.
            one.tries += 1
            effects.full = True
            one.otherwise = one.entry(Kind.SPENT, family=family.value, code=error.code)
            phase = Phase.LOOK_UP if one.tries > 3 else self._asking(one)
            self._flight.move(one, phase, now + self._pause(one))
        elif STEPS[family] is Step.STOP:
            effects.stop = effects.stop or stop_for(family, error.code, error.message)
            if family is Family.AUTH or reply.status == 402:
                self._wait_on(one, now)
            else:
                self._settle(one, self._error_entry(one, error, family, kind=Kind.SPENT), now, effects)
        else:
            self._settle(one, self._error_entry(one, error, family), now, effects)

    # replies to getTaskDetails

    def looked_up(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came from the archive."""
        if not reply.readable or reply.status in {408, 429} or reply.status >= 500:
            return self.look_up_failed(chunk, now)
        effects = Effects(usable=True)
        effects.stop = _stop_of_request(reply)
        for one in chunk:
            name = one.task_uuid
            error = reply.failures.get(name)
            if name in reply.results:
                self._answered(one, reply.results[name], now, effects)
            elif effects.stop is not None:
                self._flight.move(one, Phase.LOOK_UP, now + 1.0)
            elif error is not None and family_of(error.code) not in {Family.CONFLICT, Family.LOST}:
                self._archived_error(one, error, now, effects)
            elif name in reply.processing or (error is not None and family_of(error.code) is Family.CONFLICT):
                self._known_to_archive(one, now, effects)
            else:
                self._nowhere(one, now, effects)
        return effects

    def look_up_failed(self, chunk: list[Inference], now: float) -> Effects:
        """No usable reply came from the archive; that says nothing about the tasks."""
        for one in chunk:
            one.tries += 1
            self._flight.move(one, Phase.LOOK_UP, now + self._pause(one))
        return Effects()

    def _archived_error(self, one: Inference, error: ApiError, now: float, effects: Effects) -> None:
        family = family_of(error.code)
        stops = STEPS[family] in {Step.STOP, Step.WAIT}
        kind = Kind.SPENT if stops else Kind.ERROR
        self._settle(one, self._error_entry(one, error, family, kind=kind), now, effects)

    def _known_to_archive(self, one: Inference, now: float, effects: Effects) -> None:
        """The archive knows the task and no answer of it: wait, but not for ever."""
        if not one.accepted:
            self._accepted(one, now, self._limits.deadline_s)
        elif one.deadline is not None and now >= one.deadline + self._limits.deadline_s:
            self._nowhere(one, now, effects)
        else:
            self._wait_on(one, now)

    def _nowhere(self, one: Inference, now: float, effects: Effects) -> None:
        """Neither getResponse nor the archive knows of it."""
        if one.otherwise is not None:
            self._settle(one, one.otherwise, now, effects)
        elif one.accepted:
            message = "accepted, then never seen again; it may have been billed"
            lost = one.entry(Kind.ERROR, family=Family.LOST.value, code="taskLost", message=message)
            self._settle(one, lost, now, effects)
        else:
            self._flight.move(one, Phase.READY, now)

    # a verdict that is durable now

    def settled(self, one: Inference, entry: Entry, job_id: bytes, now: float) -> bool:
        """Whether this verdict is the last word; if not, the next attempt is on its way."""
        if entry.kind is Kind.ERROR:
            one.counted += 1
            final = is_final(Family(entry.family or "unknown"), one.counted, self._limits.attempts)
        elif entry.kind is Kind.SPENT:
            one.spent += 1
            final = one.spent > MOST_SPENT
        else:
            final = True
        if final:
            self._flight.move(one, Phase.DONE, now)
        else:
            one.start_attempt(job_id, one.attempt + 1)
            pause = back_off_s(one.counted - 1, spread=self._spread) if entry.kind is Kind.ERROR else 0.0
            self._flight.move(one, Phase.READY, now + pause)
        return final

    # what they share

    def _answered(self, one: Inference, item: Mapping[str, Any], now: float, effects: Effects) -> None:
        result = read_result(item)
        latency = now - one.sent_at if one.sent_at is not None else None
        if latency is not None:
            effects.latencies.append(latency)
        entry = one.entry(
            Kind.ANSWERED,
            cost=result.cost,
            prompt_tokens=result.usage.prompt,
            cached_tokens=result.usage.cached,
            completion_tokens=result.usage.completion,
            latency_s=latency,
            item=encode_item(item),
        )
        self._settle(one, entry, now, effects)

    def _accepted(self, one: Inference, now: float, patience_s: float) -> None:
        one.accepted = True
        one.tries = 0
        one.since = now
        one.deadline = now + patience_s
        self._flight.move(one, Phase.WAITING, now + self._limits.poll_interval_s)

    def _wait_on(self, one: Inference, now: float) -> None:
        one.tries = 0
        interval = self._limits.poll_interval_s
        pause = max(interval, min(LONGEST_POLL_S, 0.2 * (now - one.since)))
        if one.deadline is not None and one.deadline > now:
            pause = min(pause, max(interval, one.deadline - now))
        self._flight.move(one, self._asking(one), now + pause)

    def _doubt(self, one: Inference, now: float, at_least_s: float | None = None) -> None:
        one.tries += 1
        pause = max(REPLAY_AFTER_S, self._pause(one), at_least_s or 0.0)
        self._flight.move(one, Phase.ASK, now + pause)

    def _reject(self, one: Inference, error: ApiError, reply: Reply, now: float, effects: Effects) -> None:
        """It was refused without being run: the same UUID may be sent again, later."""
        if not one.rejected:
            one.rejected = True
            family = family_of(error.code, reply.status)
            effects.rejections.append(one.entry(Kind.REJECTED, family=family.value, code=error.code))
        one.tries += 1
        self._flight.move(one, Phase.READY, now + max(self._pause(one), reply.retry_after_s or 0.0))

    def _settle(self, one: Inference, entry: Entry, now: float, effects: Effects) -> None:
        self._flight.move(one, Phase.SETTLING, now)
        effects.verdicts.append((one, entry))

    @staticmethod
    def _asking(one: Inference) -> Phase:
        return Phase.WAITING if one.accepted else Phase.ASK

    def _pause(self, one: Inference) -> float:
        return back_off_s(one.tries - 1, spread=self._spread)

    @staticmethod
    def _error_entry(one: Inference, error: ApiError, family: Family, kind: Kind = Kind.ERROR) -> Entry:
        message = (
            error.message if error.parameter is None else f"{error.message} (parameter: {error.parameter})"
        )
        return one.entry(
            kind,
            family=family.value,
            code=error.code,
            message=message[:MESSAGE_CHARS],
            cost=cost_of(error.item),
            item=encode_item(error.item),
        )


def _stop_of_request(reply: Reply) -> JobStopped | None:
    """A refusal of the request as a whole that no later request would fare better with."""
    for error in reply.unnamed:
        family = family_of(error.code, reply.status)
        if STEPS[family] is Step.STOP:
            return stop_for(family, error.code, error.message)
    if reply.status in {401, 403} and not reply.results:
        return stop_for(Family.AUTH, f"http{reply.status}", "")
    return None
