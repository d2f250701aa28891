"""What a person reads who is to approve of a run, and what the log says of it. Pure.

Airflow keeps the question in its database, and shows the text as Markdown: it holds numbers and names, and no text of a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.approval_plan import APPROVE, MOST_SAMPLES_USD, REFUSE
from runware_provider.engine.job.progress import duration
from runware_provider.engine.plain_text import printable
from runware_provider.engine.shown_urls import without_password
from runware_provider.quality.wording import code, count, counted, table, usd

if TYPE_CHECKING:
    from runware_provider.approval import Approve
    from runware_provider.approval_plan import Foreseen, SamplesCost, SamplesRefused
    from runware_provider.engine.job.run_record import Approval
    from runware_provider.engine.spec import Budget, Spec

MOST_PATH_CHARS: Final = 150
TEXTS_ARE_OFF: Final = (
    "No sample answers were asked for: that needs `[runware] page_texts`, and pages that show texts."
)
IN_SHARDS: Final = "No sample answers were asked for: the dataset is cut into shards already."
FEW: Final = "No sample answers were asked for: there is hardly more to ask than that."
DEARER: Final = (
    "No sample answers are shown: they would have cost more than may be paid before somebody approves."
)


@dataclass(frozen=True)
class Question:
    """What Airflow shows on its page of required actions."""

    subject: str
    body: str
    """Markdown."""


@dataclass(frozen=True)
class About:
    """What a question tells beside its numbers."""

    page: str
    """The URL of the task's page; empty where nobody knows the address of Airflow."""
    wait_s: float
    samples_usd: float = 0.0
    """What the sample answers cost."""
    no_samples: str = ""
    """Why there are none; empty where there are some, or nobody wished for any."""


def question_of(approval: Approval, foreseen: Foreseen, spec: Spec, about: About) -> Question:
    """The question and all that one needs to answer it.

    Args:
        approval: what is asked.
        foreseen: what the run would do.
        spec: the job, with the user's own budget.
        about: the rest.
    """
    lines = [
        *_figures(approval, foreseen, spec),
        f"**{APPROVE}**: the run pays {_amounts(approval)}. {_if_short(spec)} What is paid is kept.",
        "",
        f"**{REFUSE}**: nothing more is paid. The task is skipped, and what comes after it, too.",
        "",
        f"Without an answer the task fails in {_wait(about.wait_s)}, and nothing more is paid.",
        "",
        *_samples(approval, about),
    ]
    if about.page:
        lines += [f"[What this task does]({about.page})", ""]
    return Question(subject_of(approval, spec), "\n".join(lines))


def subject_of(approval: Approval, spec: Spec) -> str:
    """The question in a line; it is the same for the same plan."""
    # With several answers for a record, and records that ask the same, a question is not a record.
    noun = "record" if spec.samples == 1 else "question"
    source = printable(without_password(spec.source), MOST_PATH_CHARS)
    more = " more" if approval.spent_usd else ""
    return f"Ask {counted(approval.to_ask, noun)} of {source} for at most {_most(approval)}{more}?"


def approved_line(approval: Approval) -> str:
    """For the log, of an approval that lets the run go on; a sentence."""
    if approval.verdict == "not_needed" and not approval.to_ask:
        return "nobody has to be asked: there is nothing to pay."
    if approval.verdict == "not_needed":
        most, unasked = _most(approval), usd(approval.above_usd)
        return f"nobody has to be asked: {most} more at most, and {unasked} need no approval."
    when = f" at {approval.at}" if approval.at else ""
    return f"by {approval.by}{when}: {_amounts(approval)}, for {counted(approval.to_ask, 'question')}."


def samples_line(records: int, cost: SamplesCost) -> str:
    """For the log, before samples are paid for; sentences."""
    return (
        f"{counted(records, 'record')} are asked about beforehand, to be looked at before the rest is paid for: likely"
        f" {usd(cost.likely_usd)}, {usd(cost.most_usd)} at most. The run uses the answers."
    )


def why_no_samples(refused: SamplesRefused, cost: SamplesCost | None, wish: Approve) -> str:
    """Why no samples are paid for before somebody approves; a sentence.

    Args:
        refused: why, in a word.
        cost: of all of them; None where nobody knows the price.
        wish: the user's.
    """
    if cost is None or refused == "no price":
        return "No sample answers were asked for: nobody knows what they would cost."
    if refused == "likely too much":
        least = f"more than {usd(MOST_SAMPLES_USD)} is paid only once somebody approves"
        return (
            f"No sample answers were asked for: they would likely cost {usd(cost.likely_usd)}, and {least}."
        )
    return (
        f"No sample answers were asked for: they may cost {usd(cost.most_usd)} at most, and no more than"
        f" {usd(wish.above_usd)} in all needs no approval."
    )


def samples_stopped(reason: str) -> str:
    """Why a run stopped that got no further than its samples, in a sentence without its full stop."""
    return f"while sample answers were asked for, before anybody was asked to approve: {reason}"


def why_short(approval: Approval) -> str:
    """What to do where the approval does not reach for all that there is to ask by now; sentences."""
    if approval.verdict == "not_needed":
        return (
            f"The budget is what this run may cost without being approved ({usd(approval.above_usd)} in all); by now there is more"
            " to pay than when it was planned. Clear the task: then a person is asked. What is answered is not paid again."
        )
    return (
        f"The budget is what {approval.by} approved in this run: {_amounts(approval)}, for {counted(approval.to_ask, 'question')};"
        " by now there is more to pay. Start a new run, which is approved anew: what is answered is not paid again."
    )


def _most(approval: Approval) -> str:
    if approval.most_usd is not None:
        return usd(approval.most_usd)
    return f"{count(approval.budget_tokens or 0)} tokens"


def _amounts(approval: Approval) -> str:
    """How much the run may pay from now on, and how much that is in all: by the latter the run is bound."""
    if approval.most_usd is None or approval.budget_usd is None or not approval.spent_usd:
        return f"{_most(approval)} at most"
    return f"{_most(approval)} more at most, {usd(approval.budget_usd)} in all with what it has paid so far"


def _if_short(spec: Spec) -> str:
    """What becomes of a run that would cost more by then; a sentence."""
    if spec.budget is not None and spec.budget.when_short == "partial":
        return "Is there more to ask by then, it goes as far as that amount gets."
    return "Is there so much more to ask by then that this would not last, it stops before it sends anything."


def _wait(seconds: float) -> str:
    return duration(seconds).removesuffix(" 0 min").removesuffix(" 0 s")


def _figures(approval: Approval, foreseen: Foreseen, spec: Spec) -> list[str]:
    """A table, which begins with what decides."""
    unknown = "unknown: nobody names a price of the model"
    rows = [
        ("**at most**", f"**{_most(approval)}**{' more' if approval.spent_usd else ''}"),
        ("likely", unknown if approval.likely_usd is None else usd(approval.likely_usd)),
        ("questions to pay for", count(foreseen.to_ask)),
        ("answered before, not paid again", count(foreseen.answered)),
        ("records", count(foreseen.records)),
        (
            "tokens, by estimate",
            f"{count(foreseen.prompt_tokens)} in, {count(foreseen.completion_tokens)} out",
        ),
    ]
    if foreseen.spent_usd:
        rows.append(("paid by this run so far", usd(foreseen.spent_usd)))
    if foreseen.spent_usd and approval.budget_usd is not None:
        rows.append(("in all, at most", usd(approval.budget_usd)))
    if spec.budget is not None:
        rows.append(("the run's own budget", _budget(spec.budget)))
    rows += [
        ("model", code(spec.model)),
        ("source", code(without_password(spec.source), MOST_PATH_CHARS)),
        ("writes", code(without_password(spec.destination), MOST_PATH_CHARS)),
    ]
    return table(["", ""], rows)


def _budget(budget: Budget) -> str:
    bounds = [usd(budget.usd)] if budget.usd is not None else []
    bounds += [f"{count(budget.tokens)} tokens"] if budget.tokens is not None else []
    return " and ".join(bounds)


def _samples(approval: Approval, about: About) -> list[str]:
    if about.no_samples:
        return [about.no_samples, ""]
    if not approval.samples:
        return []
    look = f": [look at them]({about.page}/samples)" if about.page else ""
    cost = f" They cost {usd(about.samples_usd)}." if about.samples_usd else ""
    return [
        f"{counted(approval.samples, 'sample answer')} were asked for beforehand{look}.{cost} The run uses them.",
        "",
    ]
