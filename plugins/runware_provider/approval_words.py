"""What a person reads who is to approve of a run, and what the log says of it. Pure.

Airflow keeps the question in its database, and shows the text as Markdown: it holds numbers and names, and no text of a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.approval_plan import APPROVE, REFUSE
from runware_provider.engine.job.progress import duration
from runware_provider.engine.plain_text import printable
from runware_provider.engine.shown_urls import without_password
from runware_provider.quality.wording import code, count, counted, table, usd

if TYPE_CHECKING:
    from runware_provider.approval_plan import Foreseen
    from runware_provider.engine.job.run_record import Approval
    from runware_provider.engine.spec import Budget, Spec

MOST_PATH_CHARS: Final = 150
TEXTS_ARE_OFF: Final = (
    "No sample answers were asked for: that needs `[runware] page_texts`, and pages that show texts."
)
IN_SHARDS: Final = "No sample answers were asked for: the dataset is cut into shards already."
FEW: Final = "No sample answers were asked for: there is hardly more to ask than that."


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
        f"**{APPROVE}**: the run pays {_most(approval)} at most, and stops there if more is to be asked by then; what is paid is kept.",
        "",
        f"**{REFUSE}**: nothing more is paid. The task is skipped, and what comes after it, too.",
        "",
        f"Without an answer the task fails in {duration(about.wait_s)}, and nothing more is paid.",
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
    return f"Ask {counted(approval.to_ask, noun)} of {source} for at most {_most(approval)}?"


def approved_line(approval: Approval) -> str:
    """For the log, of an approval that lets the run go on; a sentence."""
    if approval.verdict == "not_needed" and not approval.to_ask:
        return "nobody has to be asked: there is nothing to pay."
    if approval.verdict == "not_needed":
        most, unasked = _most(approval), usd(approval.above_usd)
        return f"nobody has to be asked: {most} more at most, and {unasked} need no approval."
    when = f" at {approval.at}" if approval.at else ""
    return f"by {approval.by}{when}: {_most(approval)} at most, for {counted(approval.to_ask, 'question')}."


def why_short(approval: Approval) -> str:
    """What to do where the approval does not reach for all that there is to ask by now; sentences."""
    if approval.verdict == "not_needed":
        return (
            f"The budget is what this run may cost without being approved ({usd(approval.above_usd)} in all); by now there is more"
            " to pay than when it was planned. Clear the task: then a person is asked. What is answered is not paid again."
        )
    return (
        f"The budget is what {approval.by} approved in this run: {_most(approval)} for {counted(approval.to_ask, 'question')};"
        " by now there is more to pay. Start a new run, which is approved anew: what is answered is not paid again."
    )


def _most(approval: Approval) -> str:
    if approval.most_usd is not None:
        return usd(approval.most_usd)
    return f"{count(approval.budget_tokens or 0)} tokens"


def _figures(approval: Approval, foreseen: Foreseen, spec: Spec) -> list[str]:
    """A table, which begins with what decides."""
    unknown = "unknown: nobody names a price of the model"
    rows = [
        ("**at most**", f"**{_most(approval)}**"),
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
