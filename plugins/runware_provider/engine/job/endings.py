"""The last words of a job: what happened, what was paid, what is kept, what is still billed, what to do. Pure.

Every way in which a job ends badly, in Airflow and on the command line, is told by `bad_end`.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import (
    BadInput,
    EngineError,
    JobStopped,
    PublishConflict,
    StateUnreadable,
    how_far,
)
from runware_provider.engine.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH: Final = 70
"""Characters of a line: with the time and the level that Airflow's page puts before each, it fits 100 columns."""
MOST_CHARS: Final = 600
"""Of what happened; more is cut."""
GO_ON: Final = "Run the same again: it goes on from there and pays for no answer twice."
_SKIPPED: Final = "skipped"


def bad_end(error: BaseException, *, state: str, then: str = "", asks: bool = True) -> list[str]:
    """What a person has to know of a job that ended with an error, in short lines.

    Args:
        error: with which it ended; what it says of how far the job came (`errors.how_far`) is told.
        state: the state folder, if the error does not say so.
        then: said after what to do: how to run again here.
        asks: whether it could have asked, and paid.
    """
    known = how_far(error)
    word = "Stopped" if can_go_on(error) else "Error"
    written = "all answers that could be written" if isinstance(error, OSError) else "all answers"
    sections = [
        (word, f"{what_happened(error).rstrip('.')}."),
        ("Paid", _paid(known) if asks else ""),
        ("Kept", _kept(known, state, written) if asks else ""),
        ("Still billed", _still_billed(known) if asks else ""),
        ("To do", f"{remedy_of(error)} {then}".strip()),
    ]
    return [line for label, said in sections if said for line in wrapped(label, said)]


def wrapped(label: str, said: str) -> list[str]:
    """Some sentences under a label, broken between words; a path that is longer than a line stays whole."""
    shown = printable(said)
    wrapper = textwrap.TextWrapper(
        WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(f"{label}: {shown}")


def can_go_on(error: BaseException) -> bool:
    """Whether another run goes on from there, without anybody mending what the job was told or its state."""
    return isinstance(error, JobStopped | PublishConflict | OSError)


def what_happened(error: BaseException) -> str:
    """The error in a sentence without its full stop; of no foreign error the words, which may quote a value."""
    if isinstance(error, JobStopped):
        told = error.reason
    elif isinstance(error, BadInput):
        told = f"{error.field}: {error.problem}"
    elif isinstance(error, PublishConflict):
        told = f"not published: {error}"
    elif isinstance(error, EngineError):
        told = str(error)
    elif isinstance(error, OSError):
        told = f"the store failed ({error})"
    else:
        told = f"an error that nobody foresaw, {type(error).__name__}; its words follow"
    return told if len(told) <= MOST_CHARS else f"{told[:MOST_CHARS]} ..."


def remedy_of(error: BaseException) -> str:
    """What to do about it, in sentences."""
    if isinstance(error, JobStopped | BadInput):
        return f"{error.remedy.rstrip('.')}." if error.remedy else ""
    if isinstance(error, StateUnreadable):
        return (
            "Look at the state folder, and never delete it lightly: it is what was paid for. Then run again."
        )
    if isinstance(error, PublishConflict):
        return "Run again: nothing has to be paid again."
    if isinstance(error, OSError):
        return "Mend that, then run again: what was paid for is kept."
    return GO_ON


def _paid(known: Mapping[str, Any]) -> str:
    if not known:
        return "nothing; this try sent nothing."
    answers, usd = known.get("paid_inferences", 0), known.get("paid_usd", 0.0)
    unpriced, lost = known.get("cost_unreported", 0), known.get("maybe_billed", 0)
    paid = f"{usd:.4f} USD for {number_of(answers, 'answer')} by this run, all its tries together."
    if not answers and not usd:
        paid = "nothing by this run."
    if unpriced:
        paid += f" Of {number_of(unpriced, 'answer')} the API named no cost."
    if lost:
        paid += f" {number_of(lost, 'attempt')} more may be billed: nobody knows what became of them."
    return paid


def _kept(known: Mapping[str, Any], state: str, written: str) -> str:
    where = known.get("state", state)
    if not known:
        return f"whatever earlier runs have paid for, in {where}." if where else ""
    rows = f"{written}, in {where}."
    if known.get("records_done") is not None:
        these = f"{written} are" if _answered(known) else "earlier answers, if any, are"
        rows = f"{_finished(known)}; {these} in {where}."
    if known.get("status") == "published":
        return f"{rows} The dataset was published nevertheless."
    if known.get("publishing"):
        return (
            f"{rows} It was about to publish: as long as _SUCCESS is missing, the dataset is not whole, and the next"
            " run makes it so."
        )
    return f"{rows} Nothing was published."


def _finished(known: Mapping[str, Any]) -> str:
    """How far the records came; who was never sent was not answered."""
    records, done = known["records"], known["records_done"]
    outcomes = {outcome: rows for outcome, rows in known.get("outcomes", {}).items() if rows}
    skipped = outcomes.get(_SKIPPED, 0)
    if not _answered(known):
        never = f" ({skipped:,} skipped, which are never sent)" if skipped else ""
        return f"none of {number_of(records, 'record')} is answered{never}"
    named = ", ".join(f"{rows:,} {outcome}" for outcome, rows in outcomes.items())
    reasons = ", ".join(f"{code} {rows:,}" for code, rows in known.get("reasons", {}).items())
    why = f"; {reasons}" if reasons else ""
    return f"{done:,} of {number_of(records, 'record')} are finished ({named}{why})"


def _answered(known: Mapping[str, Any]) -> bool:
    """Whether some row has an outcome because it was asked."""
    return any(rows and outcome != _SKIPPED for outcome, rows in known.get("outcomes", {}).items())


def _still_billed(known: Mapping[str, Any]) -> str:
    if not known:
        return "nothing by this try."
    under_way = known.get("still_at_vendor")
    if under_way == 0:
        return "nothing; no inference is under way at the API."
    goes_on = "The next run collects them and does not pay for them again."
    if under_way is None:
        return f"what the API has accepted and not answered. {goes_on}"
    return f"up to {number_of(under_way, 'inference')} that may be under way at the API. {goes_on}"


def number_of(count: int, thing: str) -> str:
    """So many of a thing, in words."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def ending(manifest: Mapping[str, Any]) -> str:
    """One line for a log: what became of the rows of a published dataset, what it cost, and where it is."""
    reasons = manifest["reasons"]
    rows = [f"{count:,} {outcome}" for outcome, count in manifest["outcomes"].items()] or ["no rows"]
    why = f" ({', '.join(f'{code} {count:,}' for code, count in reasons.items())})" if reasons else ""
    paid = f"this run paid {manifest['paid_usd']:.4f} USD for {manifest['paid_inferences']:,} answers"
    reused = f" and reused {manifest['reused_inferences']:,}" if manifest["reused_inferences"] else ""
    return printable(f"{', '.join(rows)}{why}; {paid}{reused}; written to {manifest['destination']}")
