"""One question on its way to a verdict: what this process knows of its current attempt. Pure: time comes as a number."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import WITHDRAWN, Entry, Kind
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.spending.tokens import estimated_tokens
from runware_provider.engine.turns import contents_of

if TYPE_CHECKING:
    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.turns import Turns

NO_LIMIT = 1_000_000


class Phase(StrEnum):
    """Where an inference stands in this process."""

    READY = "ready"
    SENDING = "sending"
    ASK = "ask"
    WAITING = "waiting"
    LOOK_UP = "look_up"
    BUSY = "busy"
    """In a getResponse or getTaskDetails request."""
    SETTLING = "settling"
    DONE = "done"


OUTSTANDING = frozenset({Phase.SENDING, Phase.ASK, Phase.WAITING, Phase.LOOK_UP, Phase.BUSY})
ARRIVED = frozenset({Phase.WAITING, Phase.LOOK_UP, Phase.BUSY})
"""The API has it, as far as is known."""


@dataclass(slots=True, eq=False)
class Inference:
    """One request on its way to a verdict."""

    key: Key
    turns: Turns = field(repr=False)
    size: int
    """Bytes of the task as sent, about."""
    attempt: int
    counted: int
    """Attempts that ended without an answer, as the policy counts them."""
    task_uuid: str
    tokens: int = 0
    """Of the prompt side, by estimate."""
    follow_up: FollowUp | None = field(default=None, repr=False)
    """What this attempt says beside the prompt, where an answer before did not fit."""
    spent: int = 0
    errors_usd: float | None = None
    """What the attempts that ended without an answer cost; None where no cost was reported."""
    phase: Phase = Phase.READY
    due: float = 0.0
    deadline: float | None = None
    """When to stop waiting for it; none while it is not known to be accepted."""
    accepted: bool = False
    rejected: bool = False
    """This UUID was refused before, so a conflict no longer proves acceptance."""
    unexplained: bool = False
    """This UUID was in use when it was sent for the first time, and no intent in the ledger says by whom."""
    withdrawn: bool = False
    """An intent of an earlier run was taken back: the next one has to say more than that to hold against it."""
    intended: bool = False
    """That it is sent, or sent again after a refusal, is durable."""
    only_look_for: bool = False
    """It may have been sent by a run that wanted it. This run collects it if it is there, and never sends it."""
    found_nowhere: bool = False
    """Neither getResponse nor the archive knew of it, and it was not sent since."""
    can_be_withdrawn: bool = False
    """Its intent is the only one there ever was, and it was handed to no request: it can be withdrawn."""
    verdict_if_not_found: Entry | None = None
    """How the attempt ended, unless its answer is found after all; None while nothing says that it ended."""
    sent_at: float | None = None
    doubted_at: float | None = None
    """When it was first sent without learning what became of it."""
    not_before: float = 0.0
    """When it may be sent again at the earliest: another process may have sent it a moment ago."""
    since: float = 0.0
    """When the waiting began; polls become rarer with its age."""
    looked_at: float = 0.0
    """When getResponse said last that there is no answer yet; as `since` before it was asked."""
    no_room_since: float | None = None
    """Since when the API has no room for it."""
    verdict_is_a_guess: bool = False
    """It follows from an error that named nobody, so that it holds only where the archive does not know the attempt."""
    look_up_at: float = math.inf
    """When the archive is asked for an answer that getResponse may yet give; each look doubles the wait for the next."""
    processing: bool = False
    """getResponse said last that it is at work on it."""
    said_lost: bool = False
    """getResponse said last that it has no answer to give."""
    asked_alone: bool = False
    """In a getResponse request of its own, so that an error which names nobody can only be about it."""
    archive_silent_since: float | None = None
    """Since when the archive brought no word on it; None while the last look-up did."""
    failed_polls: int = 0
    """getResponse requests in a row that brought no word on it."""
    failed_look_ups: int = 0
    """getTaskDetails requests in a row that brought no word on it."""
    refused_look_ups: int = 0
    """Of these, those that the API itself refused."""
    unanswered_sends: int = 0
    """Sends in a row without a usable reply."""
    failed_requests: int = 0
    """Requests about it in a row that brought nothing usable, for the back-off."""
    doubtful_errors: int = 0
    """Errors in a row that may be about a question as well as about this task."""
    together: int = NO_LIMIT
    """With at most so many others in a request: halved when a request was too large or took too long."""
    streamed_chars: int = 0
    """Of its answer, what its open stream has brought so far."""
    ticket: int = 0

    @property
    def may_be_billed(self) -> bool:
        """Whether it may have been sent, and nobody knows what became of it.

        What neither the API nor the archive knows was never sent, whatever an earlier process meant to send.
        """
        return self.doubted_at is not None and not self.found_nowhere

    def saw_characters(self, count: int) -> None:
        """Its open stream brought so many more."""
        self.streamed_chars += count

    def start_attempt(self, job_id: bytes, number: int) -> None:
        """Begin the given attempt: a new UUID, of which nothing is known."""
        self.attempt = number
        self.task_uuid = task_uuid(job_id, self.key, number)
        self.deadline = self.sent_at = self.doubted_at = self.verdict_if_not_found = None
        self.not_before = 0.0
        self.accepted = self.rejected = self.withdrawn = self.intended = self.can_be_withdrawn = False
        self.only_look_for = self.found_nowhere = self.unexplained = False
        self.look_up_at = math.inf
        self.processing = self.said_lost = self.asked_alone = self.verdict_is_a_guess = False
        self.archive_silent_since = self.no_room_since = None
        self.failed_polls = self.failed_look_ups = self.refused_look_ups = 0
        self.failed_requests = self.doubtful_errors = self.unanswered_sends = 0

    def say(self, follow_up: FollowUp | None) -> None:
        """Say this beside the prompt, instead of what was said before; only while it is not under way."""
        for text in self.follow_up.words if self.follow_up is not None else ():
            self.size -= len(text.encode(errors="replace"))
        self.tokens = self.prompt_tokens
        self.follow_up = follow_up
        for text in follow_up.words if follow_up is not None else ():
            self.size += len(text.encode(errors="replace"))
            self.tokens += estimated_tokens(text)

    @property
    def is_output_retry(self) -> bool:
        """Whether it asks again about an answer that does not fit."""
        return self.follow_up is not None

    @property
    def prompt_tokens(self) -> int:
        """Of the prompt side without what is said beside the prompt, by estimate."""
        beside = self.follow_up.words if self.follow_up is not None else ()
        return self.tokens - sum(estimated_tokens(text) for text in beside)

    @property
    def words(self) -> tuple[str, ...]:
        """The texts that it sends and that others do not: what an error may quote."""
        return (*contents_of(self.turns), *(self.follow_up.words if self.follow_up is not None else ()))

    @property
    def never_sent(self) -> bool:
        """Whether, as far as this process knows, its UUID has reached the API in no request yet."""
        return self.sent_at is None and self.doubted_at is None and not self.rejected

    @property
    def refused_or_withdrawn(self) -> bool:
        """Whether the ledger says that this attempt was refused or withdrawn."""
        return self.rejected or self.withdrawn

    def intent(self) -> Entry:
        """What has to be durable before it is sent."""
        return self.entry(Kind.SENT_AGAIN if self.refused_or_withdrawn else Kind.INTENT)

    def withdrawal(self) -> Entry:
        """What takes an intent back: as after a refusal, the same attempt may be sent later."""
        return self.entry(Kind.REJECTED, family=WITHDRAWN)

    def entry(self, kind: Kind, **facts: object) -> Entry:
        """An entry about the current attempt."""
        return Entry(self.key, self.attempt, kind, **facts)  # type: ignore[arg-type] # names are checked by Entry
