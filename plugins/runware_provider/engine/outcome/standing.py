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


def standing(history: History | None, allowed_attempts: int, *, retry_lost: bool = True) -> Standing:
    """What is known of an inference, and what its next attempt would be."""
    if history is not None and len(history.attempts) == 1 and history.attempts[0].kind is Kind.ANSWERED:
        answer = history.attempts[0]  # nearly always
        return Standing(answer.number + 1, 0, 0, shown=answer, answers=(answer,))
    attempts = sorted(history.attempts, key=lambda attempt: attempt.number) if history else []
    answers = tuple(attempt for attempt in attempts if attempt.kind is Kind.ANSWERED)
    errors = [attempt for attempt in attempts if attempt.kind is Kind.ERROR]
    used_up = [attempt for attempt in attempts if attempt.kind is Kind.SPENT]
    spent = [attempt for attempt in used_up if attempt.family != FORGOTTEN]
    final = bool(errors) and is_final(errors[-1].family, len(errors), allowed_attempts, retry_lost=retry_lost)
    errors_usd = sum_of_known(error.cost for error in errors)
    ended_by = _ended_by(answers, errors if final else [], spent)

    # Nothing more is asked: its rows show the last answer, or else the error that ended it.
    if ended_by is not None:
        shown = answers[-1] if answers else ended_by
        return Standing(
            shown.number,
            len(errors),
            len(spent),
            shown=shown,
            answers=answers,
            ended_by=ended_by,
            errors_usd=errors_usd,
        )

    number = 1 + max((attempt.number for attempt in (*errors, *used_up, *answers)), default=0)
    known = Standing(
        number,
        len(errors),
        len(spent),
        shown=answers[-1] if answers else None,
        answers=answers,
        errors_usd=errors_usd,
    )
    current = next((attempt for attempt in attempts if attempt.number == number), None)
    return known if current is None else _with_current(known, current)


def _ended_by(
    answers: Sequence[Attempt], final_errors: Sequence[Attempt], spent: Sequence[Attempt]
) -> Attempt | None:
    """The attempt after which nothing more is asked; an answer that came later asks further by itself."""
    last_answer = answers[-1].number if answers else 0
    if final_errors and final_errors[-1].number > last_answer:
        return final_errors[-1]
    if len(spent) > MOST_SPENT and spent[-1].number > last_answer:
        return spent[-1]
    return None


def _with_current(known: Standing, current: Attempt) -> Standing:
    """What is known of the attempt that comes next: an earlier process meant to send it, or did."""
    # It was taken back before anybody got it: it is sent as if nothing had been.
    if current.kind is Kind.REJECTED and current.family == WITHDRAWN:
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
    return history is None or all(
        one.kind is Kind.REJECTED and one.family == WITHDRAWN for one in history.attempts
    )


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
