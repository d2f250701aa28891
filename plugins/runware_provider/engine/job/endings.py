"""The last words of a job: what happened, what was paid, what is kept, what is still billed, what to do. Pure.

Every way in which a job ends, in Airflow and on the command line, is told here: badly by `bad_end`, well by `good_end`, and
with nothing to do by `empty_end`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import (
    BadInput,
    EngineError,
    JobStopped,
    PublishConflict,
    StateUnreadable,
    how_far,
)
from runware_provider.engine.money import usd
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_CHARS: Final = 600
"""Of what happened; more is cut."""
GO_ON: Final = "Run the same again: it goes on from there and pays for no answer twice."
WORDS_FOLLOW: Final = "; its words follow"
"""Said of an error that is raised on: in a log it comes next."""
_SKIPPED: Final = "skipped"
_BAD: Final = ("failed", "invalid", "refused")


def bad_end(
    error: BaseException,
    *,
    state: str,
    then: str = "",
    asks: bool = True,
    spelt: Callable[[str], str] = str,
) -> list[str]:
    """What a person has to know of a job that ended with an error, in short lines.

    Args:
        error: with which it ended; what it says of how far the job came (`errors.how_far`) is told.
        state: the state folder, if the error does not say so.
        then: said after what to do: how to run again here.
        asks: whether it could have asked, and paid.
        spelt: spells the arguments that a text names as they are written where the job was started.
    """
    known = how_far(error)
    word = "Stopped" if can_go_on(error) else "Error"
    written = "all answers that could be written" if isinstance(error, OSError) else "all answers"
    return _told(
        (word, spelt(_sentence(what_happened(error)))),
        ("Paid", _paid(known) if asks else ""),
        ("Kept", _kept(known, state, written) if asks else ""),
        ("Still billed", _still_billed(known) if asks else ""),
        ("To do", spelt(f"{remedy_of(error)} {then}".strip())),
    )


def good_end(manifest: Mapping[str, Any], *, spelt: Callable[[str], str] = str) -> list[str]:
    """The same of a job that ended well: a dataset that was published, or a preview.

    Args:
        manifest: with which it ended.
        spelt: as of `bad_end`.
    """
    return _told(
        ("Done", f"{_rows(manifest)}."),
        ("Paid", _paid(manifest)),
        ("Kept", _kept_well(manifest)),
        ("Still billed", _still_billed({"still_at_vendor": 0})),
        ("To do", spelt(_to_do_after(manifest))),
    )


def shard_end(told: Mapping[str, Any], state: str) -> list[str]:
    """The same of a shard that was inferred.

    Args:
        told: with which it ended.
        state: the state folder of the job.
    """
    return _told(
        ("Done", f"{_rows(told)}, of shard {told['shard']}."),
        ("Paid", _paid(told)),
        ("Kept", f"the rows and all answers, in {state}. Nothing is published yet."),
        ("Still billed", _still_billed({"still_at_vendor": 0})),
        ("To do", "Publish, when all shards are done."),
    )


def empty_end(reason: str, state: str) -> list[str]:
    """The same of a run that had nothing to do.

    Args:
        reason: why, in a sentence without its full stop.
        state: the state folder.
    """
    return _told(
        ("Nothing to do", f"{reason.rstrip('.')}."),
        ("Paid", "nothing; this run sent nothing."),
        ("Kept", f"what was published before, and whatever was paid for, in {state}."),
        ("Still billed", "nothing by this run."),
        ("To do", "Nothing, unless records were expected: then look at the source."),
    )


def _told(*sections: tuple[str, str]) -> list[str]:
    return [line for label, said in sections if said for line in wrapped(label, said)]


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
        told = f"an error that nobody foresaw, {type(error).__name__}{WORDS_FOLLOW}"
    return told if len(told) <= MOST_CHARS else f"{told[:MOST_CHARS]} ..."


def remedy_of(error: BaseException) -> str:
    """What to do about it, in sentences."""
    if isinstance(error, JobStopped | BadInput):
        return _sentence(error.remedy) if error.remedy else ""
    if isinstance(error, StateUnreadable):
        return (
            "Look at the state folder, and never delete it lightly: it is what was paid for. Then run again."
        )
    if isinstance(error, PublishConflict):
        return "Run again: nothing has to be paid again."
    if isinstance(error, OSError):
        return "Mend that, then run again: what was paid for is kept."
    return GO_ON


def _sentence(text: str) -> str:
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def _paid(known: Mapping[str, Any]) -> str:
    if not known:
        return "nothing; this try sent nothing."
    answers, amount = known.get("paid_inferences", 0), known.get("paid_usd", 0.0)
    unpriced, lost = known.get("cost_unreported", 0), known.get("maybe_billed", 0)
    reused = known.get("reused_inferences", 0)
    paid = f"{usd(amount)} for {number_of(answers, 'answer')} by this run, all its tries together."
    if not answers and not amount:
        paid = "nothing by this run."
    elif not amount and unpriced:
        paid = f"nobody knows how much for {number_of(answers, 'answer')} by this run."
    if reused:
        paid += f" {number_of(reused, 'answer')} of other partitions {_is(reused)} used again."
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
        rows = f"{_finished(known)}; {_answers_kept(known, written)} in {where}."
    if known.get("status") == "published":
        return f"{rows} The dataset was published nevertheless."
    if known.get("publishing"):
        return (
            f"{rows} It was about to publish: as long as _SUCCESS is missing, the dataset is not whole, and the next"
            " run makes it so."
        )
    return f"{rows} Nothing was published."


def _answers_kept(known: Mapping[str, Any], written: str) -> str:
    """What of answers lies in the state folder, with its verb."""
    if not _asked(known):
        return "earlier answers, if any, are"
    # `inferences` counts everything that came to an end there: errors, too, are not asked for again.
    if not known.get("paid_inferences") and not _answered(known):
        return "how each of them failed is written"
    return f"{written} are"


def _kept_well(manifest: Mapping[str, Any]) -> str:
    answers = f"all answers, in {manifest['state']}."
    if manifest["status"] != "published":
        return f"{answers} A run reuses them. Nothing was published."
    failures = manifest.get("failures")
    beside = f"; those that failed, in {failures['destination']} too" if failures else ""
    return f"the rows, in {manifest['destination']}{beside}; {answers}"


def _to_do_after(manifest: Mapping[str, Any]) -> str:
    outcomes = manifest["outcomes"]
    bad = sum(outcomes.get(outcome, 0) for outcome in _BAD)
    advice = []
    if bad:
        which = "row has" if bad == 1 else "rows have"
        advice.append(
            f"{bad:,} {which} no good answer; the column `inference` says why, and retry_failed asks"
            f" {'it' if bad == 1 else 'them'} again."
        )
    if manifest["reasons"].get("prompt_error") and outcomes.get(_SKIPPED):
        advice.append("Of some records the prompt could not be rendered: mend the template, or the data.")
    if manifest["reasons"].get("budget"):
        advice.append("The budget did not reach for all: a run with a larger one asks the rest.")
    if manifest.get("unpriced_file"):
        advice.append(f"{manifest['unpriced_file']} names the tasks without a cost, for the vendor's bill.")
    return " ".join(advice) or "nothing."


def _finished(known: Mapping[str, Any]) -> str:
    """How far the records came; who was never sent was not answered."""
    records, done = known["records"], known["records_done"]
    outcomes = {outcome: rows for outcome, rows in known.get("outcomes", {}).items() if rows}
    skipped = outcomes.get(_SKIPPED, 0)
    if not _asked(known):
        never = f" ({skipped:,} skipped, which are never sent)" if skipped else ""
        return f"none of {number_of(records, 'record')} is answered{never}"
    return f"{done:,} of {number_of(records, 'record')} {_is(done)} finished ({_counted(known, '; ')})"


def _rows(known: Mapping[str, Any]) -> str:
    """What became of the rows."""
    return _counted(known, "; ") or "no rows"


def _counted(known: Mapping[str, Any], between: str) -> str:
    named = ", ".join(f"{rows:,} {outcome}" for outcome, rows in known.get("outcomes", {}).items() if rows)
    reasons = ", ".join(f"{code} {rows:,}" for code, rows in known.get("reasons", {}).items())
    return f"{named}{between}{reasons}" if reasons else named


def _asked(known: Mapping[str, Any]) -> bool:
    """Whether some row has an outcome because it was asked."""
    return any(rows and outcome != _SKIPPED for outcome, rows in known.get("outcomes", {}).items())


def _answered(known: Mapping[str, Any]) -> bool:
    """Whether some row has an outcome because it was answered."""
    outcomes = known.get("outcomes", {})
    return bool(outcomes.get("succeeded") or outcomes.get("invalid"))


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


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
