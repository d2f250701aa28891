"""Where a question stands by the ledger: what was answered, what is over, what its next attempt would be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import FINAL, Family
from runware_provider.engine.attempt import FORGOTTEN, WITHDRAWN, Kind

if TYPE_CHECKING:
    from runware_provider.engine.attempt import Attempt, History

MOST_SPENT = 5
"""Attempts whose UUID was used up without an answer or an error of their own, until a question is over."""


@dataclass(frozen=True)
class Standing:
    """Where an inference stands by the ledger."""

    attempt: int
    counted: int
    spent: int
    settled: Attempt | None = None
    """The attempt whose verdict is the last word, unless it is an answer that is to be asked about further."""
    answers: tuple[Attempt, ...] = ()
    """All answers, the oldest first."""
    over: Attempt | None = None
    """The error after which nothing more is asked."""
    fate_unknown: bool = False
    rejected: bool = False
    withdrawn: bool = False
    """The current attempt was meant to be sent, and never was."""
    sent_again: bool = False
    """Rejected, and perhaps sent since."""

    @property
    def begun(self) -> bool:
        """Whether anything of it was sent, or may have been."""
        return self.fate_unknown or self.attempt > 1 or self.settled is not None


def standing(history: History | None, allowed_attempts: int, *, retry_lost: bool = True) -> Standing:
    """What is known of an inference, and what its next attempt would be."""
    if history is not None and len(history.attempts) == 1 and history.attempts[0].kind is Kind.ANSWERED:
        answer = history.attempts[0]  # nearly always
        return Standing(answer.number + 1, 0, 0, settled=answer, answers=(answer,))
    attempts = sorted(history.attempts, key=lambda one: one.number) if history else []
    answers = tuple(one for one in attempts if one.kind is Kind.ANSWERED)
    last_answer = answers[-1].number if answers else 0
    errors = [one for one in attempts if one.kind is Kind.ERROR]
    used_up = [one for one in attempts if one.kind is Kind.SPENT]
    spent = [one for one in used_up if one.family != FORGOTTEN]
    over = None
    if (
        errors
        and errors[-1].number > last_answer
        and is_final(errors[-1].family, len(errors), allowed_attempts, retry_lost=retry_lost)
    ):
        over = errors[-1]
    elif len(spent) > MOST_SPENT and spent[-1].number > last_answer:
        over = spent[-1]
    settled = answers[-1] if answers else over
    if over is not None and settled is not None:
        return Standing(settled.number, len(errors), len(spent), settled=settled, answers=answers, over=over)
    number = 1 + max((one.number for one in (*errors, *used_up, *answers)), default=0)
    current = next((one for one in attempts if one.number == number), None)
    withdrawn = current is not None and current.kind is Kind.REJECTED and current.family == WITHDRAWN
    return Standing(
        number,
        len(errors),
        len(spent),
        settled=settled,
        answers=answers,
        fate_unknown=current is not None and not withdrawn,
        rejected=current is not None and not withdrawn and current.kind in {Kind.REJECTED, Kind.SENT_AGAIN},
        withdrawn=withdrawn,
        sent_again=current is not None and current.kind is Kind.SENT_AGAIN,
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
