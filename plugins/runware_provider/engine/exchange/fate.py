"""What a reply means for each inference that it was about. Pure: replies and time in, phases and entries out.

An error that names a task in a 200 or 400 reply is the API's word on that task. Whatever else went wrong (a lost
reply, garbage, HTTP 5xx) leaves the fate open, and an open fate is asked for before anything is sent again. A refused
question, to getResponse or to the archive, is no word on the task that it asked for.
"""

from __future__ import annotations

from ctypes import c_float
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.api.error_families import (
    MAYBE_RUN,
    STEPS,
    Family,
    Step,
    back_off_s,
    stop_for,
)
from runware_provider.engine.api.redact import Redactor
from runware_provider.engine.api.replies import bare_status, encode_item
from runware_provider.engine.api.results import cost_of, read_result
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import Unreachable
from runware_provider.engine.exchange.flight import Flight, Inference, Phase
from runware_provider.engine.exchange.latencies import Latencies
from runware_provider.engine.outcome.standing import MOST_SPENT, is_final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.api.replies import ApiError, Reply
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.spec import Limits

REPLAY_AFTER_S = 1.0
"""The vendor's SDK waits at least a second before it replays a task."""
REJECTED_POLL_S = 10.0
"""How long a conflicting UUID is polled that had been refused before and was never sent without a reply."""
SETTLE_IN_S = 60.0
"""How long an accepted task may be unknown to everybody: stores may lag behind the acceptance."""
PATIENCE = 3
"""Errors in a row that may be about a question or about its task, until they are taken for the task's."""
LOOK_UPS = 5
"""Failed look-ups in a row, until a task that was never accepted is sent again, under the same UUID."""
TRIES_TOGETHER = 3
"""Sends in a row without a usable reply, until the inferences of a request are told apart."""
PROCESSING_DEADLINES = 10
"""After how many deadlines a task that is said to be processing is given up."""
LONGEST_POLL_S = 10.0
MESSAGE_CHARS = 500
TROUBLES = frozenset({Family.RATE, Family.SERVER, Family.TIMEOUT, Family.UNKNOWN})
"""What may be said of a question as well as of its task."""


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
    """The API said something that could be understood, other than that it has no room."""
    throttled: bool = False
    """It said that it has no room, and nothing else: it is there, and does nothing."""
    stop: JobStopped | None = None
    trouble: str | None = None
    """What went wrong where nothing usable came, for a person."""
    remedy: str = ""
    """What to do about that, in a sentence; empty where nothing is known to help."""
    chunk: Sequence[Inference] = field(default=(), repr=False)
    """What the reply was about: its messages may quote their prompts."""


class Fates:
    """Applies replies to a flight.

    Args:
        flight: what is under way.
        limits: the job's limits.
        spread: 0 to 1, different in each process, so that many clients do not come back together.
        redactor: knows what of the API's words may be shown.
    """

    def __init__(
        self, flight: Flight, limits: Limits, *, spread: float, redactor: Redactor | None = None
    ) -> None:
        self._flight = flight
        self._limits = limits
        self._spread = spread
        self._latencies = Latencies()
        self.redactor = redactor if redactor is not None else Redactor()

    # replies to textInference

    def not_sent(self, chunk: list[Inference], now: float) -> Effects:
        """The connection could not be opened: nothing was sent."""
        for one in chunk:
            one.tries += 1
            if one.doubted_at is None:
                one.sent_at = None
            self._flight.move(one, Phase.READY, now + self._pause(one))
        return Effects()

    def send_unknown(self, chunk: list[Inference], now: float, *, split: bool) -> Effects:
        """No usable reply came to a request that may have arrived."""
        for one in chunk:
            self._doubt(one, now)
            if split or one.tries >= TRIES_TOGETHER:
                one.together = max(1, len(chunk) // 2)
        return Effects()

    def sent(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to a chunk of tasks."""
        throttled = reply.throttled
        effects = Effects(usable=reply.from_the_api and not throttled, throttled=throttled, chunk=chunk)
        named = (reply.results, reply.failures, reply.acknowledged, reply.processing)
        nameless = sum(not any(one.task_uuid in names for names in named) for one in chunk)
        for one in chunk:
            name = one.task_uuid
            if name in reply.results:
                self._answered(one, reply.results[name], now, effects)
            elif name in reply.failures:
                self._refused(one, reply.failures[name], reply, now, effects)
            elif name in reply.acknowledged or name in reply.processing:
                self._accepted(one, now, self._limits.deadline_s)
            else:
                self._unnamed(one, nameless, reply, now, effects)
        if effects.full or not effects.usable:
            effects.stop = effects.stop or self._too_late(reply)
        return effects

    def _too_late(self, reply: Reply) -> JobStopped | None:
        """Nobody waits longer for room than for an API that does not answer."""
        after_s, patience_s = reply.retry_after_s, self._limits.unreachable_s
        if after_s is None or after_s <= patience_s:
            return None
        return Unreachable(
            f"the API answered HTTP {reply.status} and asks to come back in {after_s:,.0f} seconds, and the job"
            f" waits {patience_s:,.0f} at most (limits.unreachable_s)"
        )

    def _refused(self, one: Inference, error: ApiError, reply: Reply, now: float, effects: Effects) -> None:
        step = STEPS[error.family]
        if step is Step.STOP:
            self._reject(one, error, reply, now, effects)
            effects.stop = effects.stop or self._stop_for(error, effects.chunk)
        elif step is Step.WAIT:
            effects.full = True
            self._reject(one, error, reply, now, effects)
        elif step is Step.POLL:
            self._conflict(one, now)
        elif error.family is Family.TIMEOUT or reply.status >= 500 or step is Step.LOOK_UP:
            one.otherwise = self._error_entry(one, error)
            self._doubt(one, now)
            effects.full = effects.full or reply.status in {503, 504}
        else:
            self._settle(one, self._error_entry(one, error), now, effects)

    def _unnamed(self, one: Inference, nameless: int, reply: Reply, now: float, effects: Effects) -> None:
        """The reply does not name this task, and so many in all: what it says as a whole decides."""
        if not reply.unnamed and reply.readable and reply.status < 300:
            self._doubt(one, now)
            return
        said = reply.as_a_whole
        # Whatever the code: nothing of it was run.
        too_large = said.family is Family.TOO_LARGE or reply.status == 413
        if STEPS[said.family] in {Step.STOP, Step.WAIT}:
            self._refused(one, said, reply, now, effects)
        elif too_large and nameless > 1:
            one.together = max(1, nameless // 2)
            self._flight.move(one, Phase.READY, now)
        elif nameless == 1 and (too_large or (bool(reply.unnamed) and reply.from_the_api)):
            self._refused(one, said, reply, now, effects)
        else:
            effects.full = effects.full or reply.status in {503, 504}
            self._doubt(one, now, reply.retry_after_s)
            if 400 <= reply.status < 500 or reply.status == 504 or one.tries >= TRIES_TOGETHER:
                one.together = max(1, nameless // 2)

    def _conflict(self, one: Inference, now: float) -> None:
        """The UUID is in use."""
        if one.rejected:
            self._refused_and_in_use(one, now)
        elif one.unexplained:
            self._in_use_by_nobody_known(one, now)
        else:
            # It was sent before, by this process or by one whose intent is in the ledger: proof of acceptance.
            self._accepted(one, now, self._limits.deadline_s)

    def _refused_and_in_use(self, one: Inference, now: float) -> None:
        """It had been refused before: its UUID may be used up without its having been run."""
        message = "the UUID was refused, then in use; if it was run, nothing is known of an answer"
        spent = one.entry(Kind.SPENT, family=Family.CONFLICT.value, code="conflictTaskUUID", message=message)
        one.otherwise = one.otherwise or spent
        patience_s = self._limits.deadline_s
        if one.doubted_at is None:
            patience_s = min(patience_s, REJECTED_POLL_S)
        self._accepted(one, now, patience_s)

    def _in_use_by_nobody_known(self, one: Inference, now: float) -> None:
        """It was sent by nobody that this ledger knows: by whom the state folder was copied from, or before it was lost.

        Its answer is waited for as long as one may take. If nobody has it then, the record failed: it was run, and
        paid for, so that it is not asked again unless the user wishes it.
        """
        message = (
            "its taskUUID was used before, though nothing in the state folder says so (was it restored from a backup,"
            " or copied?), and neither the API nor its archive has the answer; it may have been billed"
        )
        one.otherwise = one.entry(
            Kind.ERROR, family=Family.CONFLICT.value, code="lost", message=message[:MESSAGE_CHARS]
        )
        one.sent_at = None  # nobody knows when it was: the wait for its answer is no latency of the API
        patience_s = max(SETTLE_IN_S, self._latencies.several_s)
        self._accepted(one, now, min(patience_s, self._limits.deadline_s))

    # replies to getResponse

    def ask_failed(self, chunk: list[Inference], now: float) -> Effects:
        """No usable reply came to a getResponse request."""
        for one in chunk:
            one.tries += 1
            self._flight.move(one, self._asking(one), now + self._pause(one))
        return Effects()

    def asked(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to getResponse."""
        if not reply.readable:
            self.ask_failed(chunk, now)
            return Effects(full=reply.status in {429, 503, 504})
        effects = self._effects_of_a_question(chunk, reply)
        unheard = reply.unheard
        for one in chunk:
            name = one.task_uuid
            if name in reply.results:
                self._answered(one, reply.results[name], now, effects)
            elif name in reply.failures:
                self._failed_later(one, reply.failures[name], reply, now, effects)
            elif name in reply.processing:
                self._processing(one, now)
            elif effects.stop is not None:
                self._wait_on(one, now)
            elif unheard:
                self.ask_failed([one], now)
            else:
                self._not_found(one, now)
        return effects

    def _processing(self, one: Inference, now: float) -> None:
        if not one.accepted:
            self._accepted(one, now, self._limits.deadline_s)
        elif now >= one.since + PROCESSING_DEADLINES * self._limits.deadline_s:
            self._flight.move(one, Phase.LOOK_UP, now)
        else:
            self._wait_on(one, now)

    def _not_found(self, one: Inference, now: float) -> None:
        """Said of what is unknown, of what is expired, and of what is still running."""
        if not one.accepted or (one.deadline is not None and now >= one.deadline):
            self._flight.move(one, Phase.LOOK_UP, now)
        else:
            self._wait_on(one, now)

    def _failed_later(
        self, one: Inference, error: ApiError, reply: Reply, now: float, effects: Effects
    ) -> None:
        family = error.family
        if family is Family.LOST or (not one.accepted and family in {Family.VALIDATION, Family.UNKNOWN}):
            self._flight.move(one, Phase.LOOK_UP, now)
        elif family is Family.CONFLICT:
            if one.accepted:
                self._not_found(one, now)
            else:
                self._accepted(one, now, self._limits.deadline_s)
        elif family is Family.RATE or (reply.question_in_trouble and family in TROUBLES):
            self._of_poll_or_task(one, error, now, effects)
        elif STEPS[family] is Step.STOP:
            effects.stop = effects.stop or self._stop_for(error, effects.chunk)
            if family is Family.AUTH or reply.status == 402:
                self._wait_on(one, now)
            else:
                self._settle(one, self._error_entry(one, error, kind=Kind.SPENT), now, effects)
        else:
            self._settle(one, self._error_entry(one, error), now, effects)

    def _of_poll_or_task(self, one: Inference, error: ApiError, now: float, effects: Effects) -> None:
        """Was it the poll that was refused, or the task? Only the archive can tell; ask it after some patience."""
        one.tries += 1
        one.blamed += 1
        full = error.family is Family.RATE
        effects.full = effects.full or full
        phase = self._asking(one)
        if one.blamed > PATIENCE:
            phase = Phase.LOOK_UP
            if one.accepted:
                kind = Kind.SPENT if full else Kind.ERROR
                one.otherwise = one.otherwise or self._error_entry(one, error, kind=kind)
        self._flight.move(one, phase, now + self._pause(one))

    # replies to getTaskDetails

    def looked_up(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came from the archive."""
        if not reply.readable:
            return self.look_up_failed(chunk, now)
        effects = self._effects_of_a_question(chunk, reply)
        unheard = reply.unheard
        for one in chunk:
            name = one.task_uuid
            if name in reply.results:
                self._answered(one, reply.results[name], now, effects)
            elif effects.stop is not None:
                self._flight.move(one, Phase.LOOK_UP, now + 1.0)
            elif name in reply.failures:
                self._archived_error(one, reply.failures[name], now, effects)
            elif name in reply.processing:
                self._known_to_archive(one, now, effects)
            elif unheard:
                self.look_up_failed([one], now, effects)
            else:
                self._nowhere(one, now, effects)
        return effects

    def look_up_failed(self, chunk: list[Inference], now: float, effects: Effects | None = None) -> Effects:
        """No usable reply came from the archive; that says nothing about the tasks."""
        effects = effects if effects is not None else Effects()
        for one in chunk:
            one.tries += 1
            given_up = one.tries > LOOK_UPS and not one.accepted and now >= one.not_before
            if given_up and one.only_look_for:
                # Nobody can say whether it was sent: it stays in doubt, and a later run looks for it.
                self._settle(one, one.intent(), now, effects)
            else:
                self._flight.move(one, Phase.READY if given_up else Phase.LOOK_UP, now + self._pause(one))
        return effects

    def _archived_error(self, one: Inference, error: ApiError, now: float, effects: Effects) -> None:
        family = error.family
        if family is Family.LOST:
            self._nowhere(one, now, effects)
        elif family is Family.CONFLICT:
            self._known_to_archive(one, now, effects)
        elif error.item.get("taskType") == "getTaskDetails" and family in {*TROUBLES, Family.VALIDATION}:
            if one.accepted:
                self._known_to_archive(one, now, effects)
            else:
                self.look_up_failed([one], now, effects)
        elif family in TROUBLES and one.blamed < PATIENCE:
            one.blamed += 1
            self.look_up_failed([one], now, effects)
        else:
            kind = Kind.SPENT if STEPS[family] in {Step.STOP, Step.WAIT} else Kind.ERROR
            self._settle(one, self._error_entry(one, error, kind=kind), now, effects)

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
        doubted_at = now if one.doubted_at is None else one.doubted_at
        told_error = one.otherwise is not None and one.otherwise.family != Family.CONFLICT.value
        if not told_error and one.accepted and now < min(one.since + SETTLE_IN_S, one.deadline or now):
            self._wait_on(one, now)
        elif one.otherwise is not None:
            self._settle(one, one.otherwise, now, effects)
        elif one.accepted:
            self._lose(one, "accepted, then never seen again; it may have been billed", now, effects)
        elif now < one.not_before:
            # The process before may have sent it a moment ago, and the API may know it a moment later. It is asked for
            # once more then.
            self._flight.move(one, Phase.ASK, one.not_before)
        elif now >= max(doubted_at, one.not_before) + self._limits.deadline_s:
            self._lose(one, "sent again and again without a usable reply", now, effects)
        elif one.only_look_for:
            # This run does not want it, and nobody has it: what was meant to be sent is taken back.
            self._settle(one, one.withdrawal(), now, effects)
        else:
            one.unknown_to_all = True
            self._flight.move(one, Phase.READY, now)

    def _lose(self, one: Inference, message: str, now: float, effects: Effects) -> None:
        lost = one.entry(Kind.ERROR, family=Family.LOST.value, code="taskLost", message=message)
        self._settle(one, lost, now, effects)

    # a verdict that is durable now

    def settled(self, one: Inference, entry: Entry, job_id: bytes, now: float) -> bool:
        """Whether this verdict is the last word; if not, the next attempt is on its way."""
        if entry.kind is Kind.ERROR:
            one.counted += 1
            limits = self._limits
            final = is_final(entry.family, one.counted, limits.attempts, retry_lost=limits.retry_lost)
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

    def _effects_of_a_question(self, chunk: Sequence[Inference], reply: Reply) -> Effects:
        return Effects(
            usable=reply.from_the_api and not reply.question_in_trouble,
            full=reply.status in {429, 503, 504},
            stop=self._stop_of_request(chunk, reply),
            chunk=chunk,
        )

    def _stop_of_request(self, chunk: Sequence[Inference], reply: Reply) -> JobStopped | None:
        """A refusal of the request as a whole that no later request would fare better with."""
        gravest = reply.gravest
        if gravest is not None and STEPS[gravest.family] is Step.STOP:
            return self._stop_for(gravest, chunk)
        if reply.status in {401, 403} and not reply.results:
            return stop_for(Family.AUTH, bare_status(reply.status).code, "")
        return None

    def _stop_for(self, error: ApiError, chunk: Sequence[Inference]) -> JobStopped:
        prompts = [text for one in chunk for text in one.words]
        return stop_for(
            error.family, self.redactor.code(error.code, prompts), self.redactor.said(error.message, prompts)
        )

    def _answered(self, one: Inference, item: Mapping[str, Any], now: float, effects: Effects) -> None:
        result = read_result(item)
        latency = now - one.sent_at if one.sent_at is not None else None
        if latency is not None:
            effects.latencies.append(latency)
            self._latencies.saw(latency)
        entry = one.entry(
            Kind.ANSWERED,
            cost=result.cost,
            prompt_tokens=result.usage.prompt,
            cached_tokens=result.usage.cached,
            completion_tokens=result.usage.completion,
            latency_s=None if latency is None else c_float(latency).value,  # as exact as the ledger keeps it
            item=encode_item(item),
        )
        self._settle(one, entry, now, effects)

    def _accepted(self, one: Inference, now: float, patience_s: float) -> None:
        one.accepted = True
        one.tries = one.blamed = 0
        one.since = now
        one.deadline = now + patience_s
        self._flight.move(one, Phase.WAITING, now + self._limits.poll_interval_s)

    def _wait_on(self, one: Inference, now: float) -> None:
        one.tries = one.blamed = 0
        interval = self._limits.poll_interval_s
        pause = max(interval, min(LONGEST_POLL_S, 0.2 * (now - one.since)))
        if one.deadline is not None and one.deadline > now:
            pause = min(pause, max(interval, one.deadline - now))
        self._flight.move(one, self._asking(one), now + pause)

    def _doubt(self, one: Inference, now: float, at_least_s: float | None = None) -> None:
        one.tries += 1
        one.doubted_at = now if one.doubted_at is None else one.doubted_at
        pause = max(REPLAY_AFTER_S, self._pause(one), at_least_s or 0.0)
        self._flight.move(one, Phase.ASK, now + pause)

    def _reject(self, one: Inference, error: ApiError, reply: Reply, now: float, effects: Effects) -> None:
        """It was refused without being run: the same UUID may be sent again, later."""
        if not one.rejected:
            one.rejected = True
            kind = Kind.REJECTED if one.doubted_at is None else Kind.SENT_AGAIN
            effects.rejections.append(one.entry(kind, family=error.family.value, code=error.code))
            one.intended = False
        one.tries += 1
        one.sent_at = None  # the wait for room is no latency of the API
        self._flight.move(one, Phase.READY, now + max(self._pause(one), reply.retry_after_s or 0.0))

    def _settle(self, one: Inference, entry: Entry, now: float, effects: Effects) -> None:
        self._flight.move(one, Phase.SETTLING, now)
        effects.verdicts.append((one, entry))

    @staticmethod
    def _asking(one: Inference) -> Phase:
        return Phase.WAITING if one.accepted else Phase.ASK

    def _pause(self, one: Inference) -> float:
        return back_off_s(one.tries - 1, spread=self._spread)

    def _error_entry(self, one: Inference, error: ApiError, kind: Kind = Kind.ERROR) -> Entry:
        message = (
            error.message if error.parameter is None else f"{error.message} (parameter: {error.parameter})"
        )
        return one.entry(
            kind,
            family=error.family.value,
            code=self.redactor.code(error.code, one.words),
            message=message[:MESSAGE_CHARS],
            cost=cost_of(error.item),
            item=encode_item(error.item),
        )


def may_be_billed(entry: Entry) -> bool:
    """Whether a verdict is about work that the vendor charges, or may charge, whatever cost it reported."""
    return entry.kind is Kind.ANSWERED or entry.cost is not None or entry.family in MAYBE_RUN
