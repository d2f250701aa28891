"""Where a question stands by the ledger: what was answered, what is over, what its next attempt would be. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import FINAL, Family
from runware_provider.engine.attempt import FORGOTTEN, WITHDRAWN, Kind
from runware_provider.engine.spending.picodollars import sum_of_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.attempt import Attempt, History

MOST_SPENT = 5
"""Attempts whose UUID was used up without an answer or an error of their own, until a question is over."""


@dataclass(frozen=True)
class Standing:
    """Where an inference stands by the ledger."""

    attempt: int
    counted: int
    spent: int
    shown: Attempt | None = None
    """What its rows show if nothing more is asked: the last answer, or else the error that ended it; None where neither
    is there yet, so that it has to be asked."""
    answers: tuple[Attempt, ...] = ()
    """All answers, the oldest first."""
    ended_by: Attempt | None = None
    """The error that used up its attempts. Nothing more is asked then, also where an answer before it does not fit."""
    fate_unknown: bool = False
    rejected: bool = False
    withdrawn: bool = False
    """The current attempt was meant to be sent, and never was."""
    sent_again: bool = False
    """Rejected, and perhaps sent since."""
    errors_usd: float | None = None
    """What all attempts that ended without an answer cost; None where no cost was reported."""

    @property
    def begun(self) -> bool:
        """Whether anything of it was sent, or may have been."""
        return self.fate_unknown or self.attempt > 1 or self.shown is not None


@dataclass(frozen=True)
class _Past:
    """The attempts at an inference that the ledger knows, in order, and apart by what became of them."""

    attempts: Sequence[Attempt]
    answers: tuple[Attempt, ...]
    errors: Sequence[Attempt]
    used_up: Sequence[Attempt]
    """Attempts whose UUID is gone, without an answer or an error of their own."""
    spent: Sequence[Attempt]
    """Of these, those that count: the vendor did not just forget them."""


NOTHING_KNOWN = Standing(attempt=1, counted=0, spent=0)
"""Of what was never asked."""


def standing(history: History | None, allowed_attempts: int, *, retry_lost: bool = True) -> Standing:
    """What is known of an inference, and what its next attempt would be."""
    if history is None:
        return NOTHING_KNOWN
    # Nearly always there is one attempt, and it was answered.
    if len(history.attempts) == 1 and history.attempts[0].kind is Kind.ANSWERED:
        answer = history.attempts[0]
        return Standing(answer.number + 1, 0, 0, shown=answer, answers=(answer,))
    past = _past(history)
    ended_by = _ended_by(past, allowed_attempts, retry_lost=retry_lost)
    # Nothing more is asked: its rows show the last answer, or else the error that ended it.
    if ended_by is not None:
        shown = past.answers[-1] if past.answers else ended_by
        return replace(_known(past, shown.number), shown=shown, ended_by=ended_by)
    finished = (*past.errors, *past.used_up, *past.answers)
    number = 1 + max((attempt.number for attempt in finished), default=0)
    known = _known(past, number)
    current = next((attempt for attempt in past.attempts if attempt.number == number), None)
    # Nothing of the next attempt was ever meant to be sent.
    if current is None:
        return known
    return _with_current(known, current)


def _past(history: History) -> _Past:
    attempts = sorted(history.attempts, key=lambda attempt: attempt.number)
    used_up = [attempt for attempt in attempts if attempt.kind is Kind.SPENT]
    return _Past(
        attempts=attempts,
        answers=tuple(attempt for attempt in attempts if attempt.kind is Kind.ANSWERED),
        errors=[attempt for attempt in attempts if attempt.kind is Kind.ERROR],
        used_up=used_up,
        spent=[attempt for attempt in used_up if attempt.family != FORGOTTEN],
    )


def _known(past: _Past, number: int) -> Standing:
    """Where an inference stands before its attempt of this number; what it shows is the last answer, if there is one."""
    return Standing(
        number,
        len(past.errors),
        len(past.spent),
        shown=past.answers[-1] if past.answers else None,
        answers=past.answers,
        errors_usd=sum_of_known(error.cost for error in past.errors),
    )


def _ended_by(past: _Past, allowed_attempts: int, *, retry_lost: bool) -> Attempt | None:
    """The attempt after which nothing more is asked; an answer that came later asks further by itself."""
    last_answer = past.answers[-1].number if past.answers else 0
    if past.errors:
        error = past.errors[-1]
        ends = is_final(error.family, len(past.errors), allowed_attempts, retry_lost=retry_lost)
        # The vendor's last word, or as many errors as are allowed.
        if ends and error.number > last_answer:
            return error
    # Its UUIDs are used up without a word, again and again.
    if len(past.spent) > MOST_SPENT and past.spent[-1].number > last_answer:
        return past.spent[-1]
    return None


def _with_current(known: Standing, current: Attempt) -> Standing:
    """What is known of the attempt that comes next: an earlier process meant to send it, or did."""
    # It is sent as if nothing had been.
    if _is_withdrawn(current):
        return replace(known, withdrawn=True)
    # Whatever else is known of it, it is asked for before it is sent.
    return replace(
        known,
        fate_unknown=True,
        rejected=current.kind in {Kind.REJECTED, Kind.SENT_AGAIN},
        sent_again=current.kind is Kind.SENT_AGAIN,
    )


def never_begun(history: History | None) -> bool:
    """Whether nothing of an inference was ever sent, or refused: what was withdrawn is none."""
    if history is None:
        return True
    return all(_is_withdrawn(attempt) for attempt in history.attempts)


def _is_withdrawn(attempt: Attempt) -> bool:
    """Whether an attempt was taken back before anybody got it."""
    return attempt.kind is Kind.REJECTED and attempt.family == WITHDRAWN


def may_have_been_sent(known: Standing) -> bool:
    """Whether the current attempt may be at the vendor: it was about to be sent, and was not refused."""
    return known.fate_unknown and (known.sent_again or not known.rejected)


def is_final(family: str | None, counted: int, allowed_attempts: int, *, retry_lost: bool = True) -> bool:
    """Whether an error verdict is the last word on its record.

    Args:
        family: as the ledger has it; one that only another version knows is tried again.
        counted: how many attempts have now ended without an answer.
        allowed_attempts: how many may.
        retry_lost: whether what never showed up, and may have been billed, gets a further attempt.
    """
    if family in FINAL:
        return True
    if family == Family.LOST and not retry_lost:
        return True
    return counted >= allowed_attempts
