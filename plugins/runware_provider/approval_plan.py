"""Whether a person has to be asked before a run pays, what follows from the answer, and what binds the run then. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from runware_provider.engine.job.run_record import Approval
from runware_provider.engine.limits import Budget
from runware_provider.engine.plain_text import printable
from runware_provider.engine.spending.budget import NEXT_TO_NOTHING_USD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.approval import Approve
    from runware_provider.engine.job.run_record import Verdict

APPROVE: Final = "Approve"
REFUSE: Final = "Refuse"
MOST_SAMPLES_USD: Final = 0.01
"""What sample answers may be expected to cost together: they are paid before anybody approves."""
MOST_NAME_CHARS: Final = 200
_TELLING_DIGITS: Final = 4
"""Of an amount below ten dollars; from there on it is told to the cent (`money.usd`)."""


@dataclass(frozen=True)
class Foreseen:
    """What a run would do and cost, as `plan` has it."""

    records: int
    """That are chosen."""
    answered: int
    """Questions that are settled: never paid again."""
    to_ask: int
    """Questions to be paid for, with those that were sent before and of which nobody knows what became."""
    prompt_tokens: int
    """By estimate, as the next one."""
    completion_tokens: int
    likely_usd: float | None
    most_usd: float | None
    """What is still to be paid, at most; None where nobody knows."""
    most_tokens: int
    spent_usd: float
    """By the run so far, with all its tries."""
    spent_tokens: int
    short: str
    """Why the user's own budget would not last, so that the run would be refused; empty where it would go."""

    @classmethod
    def of(cls, planned: Mapping[str, Any], budget: Budget | None) -> Foreseen:
        """Read it from what `plan` returns; what the user's own budget does not pay for is not reckoned with.

        Args:
            planned: by `engine.job.plan`.
            budget: of the run, as the user gave it.
        """
        estimate, bound = planned["estimate"], planned["upper_bound"]
        most_usd, most_tokens = bound["usd"], bound["tokens"]
        if budget is not None and budget.usd is not None:
            most_usd = _least(most_usd, max(0.0, budget.usd - bound["spent_usd"]))
        if budget is not None and budget.tokens is not None:
            most_tokens = min(most_tokens, max(0, budget.tokens - bound["spent_tokens"]))
        exceeded = (planned["budget"] or {}).get("exceeded") or ""
        # What was sent before is paid for whether or not more is sent, so such a run is not refused.
        refused = bool(planned["to_pay"]) and budget is not None and budget.when_short == "stop"
        return cls(
            records=planned["records"],
            answered=planned["answered_before"] + planned["failed_before"],
            to_ask=planned["to_pay"] + planned["fate_unknown"],
            prompt_tokens=estimate["prompt_tokens"],
            completion_tokens=estimate["completion_tokens"],
            likely_usd=None if most_usd is None else _least(estimate["cost_usd"], most_usd),
            most_usd=None if most_usd is None else rounded_up(most_usd),
            most_tokens=most_tokens,
            spent_usd=bound["spent_usd"],
            spent_tokens=bound["spent_tokens"],
            short=exceeded if refused else "",
        )


def must_ask(foreseen: Foreseen, wish: Approve) -> bool:
    """Whether somebody has to agree to what is foreseen."""
    if not foreseen.to_ask:
        return False
    # Nobody can say that it stays below an amount.
    if foreseen.most_usd is None:
        return True
    return foreseen.spent_usd + foreseen.most_usd > wish.above_usd


@dataclass(frozen=True)
class SamplesCost:
    """What sample answers come to, as their share of the whole run."""

    likely_usd: float
    most_usd: float

    @classmethod
    def of(cls, foreseen: Foreseen, questions: int) -> SamplesCost | None:
        """Of so many questions; None where nobody knows the price."""
        if foreseen.likely_usd is None or foreseen.most_usd is None or not foreseen.to_ask:
            return None
        share = questions / foreseen.to_ask
        return cls(foreseen.likely_usd * share, foreseen.most_usd * share)


SamplesRefused = Literal["no price", "likely too much", "too much at most"]


def samples_refused(cost: SamplesCost | None, foreseen: Foreseen, wish: Approve) -> SamplesRefused | None:
    """Why no samples may be paid for before somebody approves; None where they may.

    Args:
        cost: of all of them; None where nobody knows the price.
        foreseen: what the run would cost.
        wish: the user's.
    """
    if cost is None:
        return "no price"
    if cost.likely_usd > MOST_SAMPLES_USD:
        return "likely too much"
    # Without an amount that needs no approval, nothing but what they are likely to cost lets them be asked for.
    if wish.above_usd and foreseen.spent_usd + cost.most_usd > wish.above_usd:
        return "too much at most"
    return None


def within_samples(budget: Budget | None, foreseen: Foreseen, wish: Approve) -> Budget:
    """What the run may have spent once the samples are answered; it stops where they would cost more.

    Args:
        budget: the user's own, which holds all the same.
        foreseen: what the run would cost.
        wish: the user's.
    """
    bounds = [foreseen.spent_usd + MOST_SAMPLES_USD]
    if wish.above_usd:
        bounds.append(wish.above_usd)
    if budget is not None and budget.usd is not None:
        bounds.append(budget.usd)
    if budget is None:
        return Budget(usd=min(bounds))
    return budget.model_copy(update={"usd": min(bounds), "when_short": "stop"})


def asked_for(foreseen: Foreseen, wish: Approve, *, samples: int, asks: str = "") -> Approval:
    """What a person is asked.

    Args:
        foreseen: what the run would cost.
        wish: the user's.
        samples: answers that were asked for beforehand, to be looked at.
        asks: what the questions hash to.
    """
    priced = foreseen.most_usd is not None
    return Approval(
        to_ask=foreseen.to_ask,
        most_usd=foreseen.most_usd,
        likely_usd=foreseen.likely_usd,
        above_usd=wish.above_usd,
        verdict="waiting",
        samples=samples,
        budget_usd=None if foreseen.most_usd is None else foreseen.spent_usd + foreseen.most_usd,
        budget_tokens=None if priced else foreseen.spent_tokens + foreseen.most_tokens,
        spent_usd=foreseen.spent_usd,
        asks=asks,
    )


def is_about_another(asked: Approval, asks: str) -> bool:
    """Whether a person was asked about other questions than those that the run would ask by now.

    Args:
        asked: what was asked, or decided.
        asks: what the questions hash to by now.
    """
    # Where nobody had to be asked, the amount alone binds.
    return asked.verdict != "not_needed" and bool(asked.asks) and asked.asks != asks


def not_needed(foreseen: Foreseen, wish: Approve, *, samples: int, asks: str = "") -> Approval:
    """What is noted where nobody has to be asked: the run may pay what needs no approval, and no more; arguments as above."""
    priced = foreseen.most_usd is not None
    unasked = max(wish.above_usd, foreseen.spent_usd, NEXT_TO_NOTHING_USD)
    return replace(
        asked_for(foreseen, wish, samples=samples, asks=asks),
        verdict="not_needed",
        budget_usd=unasked if priced else None,
        budget_tokens=None if priced else max(foreseen.spent_tokens, 1),
    )


def decided(asked: Approval, event: Mapping[str, Any] | None) -> Approval:
    """The approval with what Airflow says was answered; it stays `waiting` where nobody can tell a clear answer of a person.

    Args:
        asked: what was asked.
        event: with which Airflow resumes the task.
    """
    told = event or {}
    if told.get("error_type") == "timeout":
        return replace(asked, verdict="timed_out")
    verdicts: dict[str, Verdict] = {APPROVE: "approved", REFUSE: "refused"}
    options, user = told.get("chosen_options") or [], told.get("responded_by_user")
    # Only one clear word of somebody with a name lets money go.
    if len(options) != 1 or options[0] not in verdicts or not user or told.get("timedout"):
        return asked
    return replace(asked, verdict=verdicts[options[0]], by=name_of(user), at=_time(told.get("responded_at")))


def name_of(user: Mapping[str, Any]) -> str:
    """Who answered, as Airflow's auth manager has it."""
    name, known_as = (printable(str(user.get(field) or ""), MOST_NAME_CHARS) for field in ("name", "id"))
    if not name or not known_as or name == known_as:
        return name or known_as
    return f"{name} ({known_as})"


def within(budget: Budget | None, approval: Approval) -> Budget:
    """What the run may spend in all: what was approved, and no more than the user's own budget.

    Args:
        budget: the user's own.
        approval: one that lets the run go on.
    """
    if budget is None:
        return Budget(usd=approval.budget_usd, tokens=approval.budget_tokens)
    usd, tokens = (
        _least(budget.usd, approval.budget_usd),
        _least(budget.tokens, approval.budget_tokens),
    )
    return budget.model_copy(update={"usd": usd, "tokens": tokens})


def binds(budget: Budget | None, approval: Approval) -> bool:
    """Whether it is the approval that bounds the run, and not the user's own budget; arguments as of `within`."""
    if budget is None:
        return True
    bounded = within(budget, approval)
    return (bounded.usd, bounded.tokens) != (budget.usd, budget.tokens)


def rounded_up(usd: float) -> float:
    """An amount that is told without being rounded: never less than it was, to the cent from ten dollars on."""
    if usd <= 0:
        return 0.0
    digits = 2 if usd >= 10 else _TELLING_DIGITS - 1 - math.floor(math.log10(usd))
    scale = 10.0**digits
    # Rounded first, to take away what a calculation with floats has added.
    return math.ceil(round(usd * scale, 6)) / scale


def _least(first: Any, second: Any) -> Any:
    """The smaller of two bounds, either of which may be None for no bound."""
    bounds = [bound for bound in (first, second) if bound is not None]
    return min(bounds, default=None)


def _time(at: object) -> str:
    """In UTC, as Airflow has it."""
    return at.isoformat(timespec="seconds") if isinstance(at, datetime) else ""
