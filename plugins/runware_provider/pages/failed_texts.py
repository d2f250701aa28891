"""The records of a run that failed, each with its texts, its answer and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.job.kept_examples import INPUT
from runware_provider.engine.job.run_examples import examples_path
from runware_provider.pages.again_parts import (
    NEVER_SENT,
    NOT_NOTED,
    and_go_on,
    command_parts,
    everything_again,
    these_records,
    uuids_of,
)
from runware_provider.pages.noted_run import noted_folders, noted_record, noted_request
from runware_provider.pages.record_parts import answer_parts, facts, heading, input_parts
from runware_provider.pages.text_bits import INFERENCE, MOST_RECORDS, Labelled, other_labels, struct
from runware_provider.pages.text_files import ReadRows, read_rows
from runware_provider.quality.parts import Words
from runware_provider.quality.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.job.run_record import RunRecord
    from runware_provider.pages.opened_place import OpenedPlace
    from runware_provider.quality.parts import Part

_BY_CODE: Final = Labelled(
    leaf="failed", key="reason", noun="code", each="Those with the code", whole="All failures"
)
_AT_WORK: Final = frozenset({"running", "waiting"})


def failed_rows(place: OpenedPlace, reason: str | None) -> list[Part]:
    """The first of them, and the commands that ask them again.

    Args:
        place: of the task.
        reason: an error code; None for all.

    Raises:
        OSError: the store failed.
        RecursionError: a value is nested too deeply.
        StateUnreadable: what is noted of the run is damaged.
        Unshowable: a file of examples is none of ours, or too large.
    """
    record = noted_record(place)
    examples = _examples(place, reason)
    if examples is None or not examples.rows:
        return [Words([_why_no_failure(record, reason), ""]), *_other_reasons(examples, reason)]
    parts: list[Part] = [Words([_how_many(record, examples, reason), ""])]
    parts += _other_reasons(examples, reason)
    parts += _failed_again(place, record, examples, reason)
    inputs = _inputs(examples)
    for number, row in enumerate(examples.rows, start=1):
        parts += _failure(number, row, inputs)
    return parts


def _examples(place: OpenedPlace, reason: str | None) -> ReadRows | None:
    """Rows that were kept by the task, or by the shards of its group; None where none were."""
    told: ReadRows | None = None
    for folder in noted_folders(place):
        path = examples_path(place.storage, folder, place.run)
        room = MOST_RECORDS - (len(told.rows) if told is not None else 0)
        more = read_rows(
            place.storage,
            path,
            needed=frozenset({INFERENCE}),
            label=_code_of,
            label_column=f"{INFERENCE}.error_code",
            wanted=reason,
            most=max(0, room),
        )
        if told is None:
            told = more
        elif more is not None:
            told.rows += more.rows
            told.matching += more.matching
            told.seen |= more.seen
    return told


def _code_of(row: Mapping[str, Any]) -> str:
    return str(struct(row.get(INFERENCE)).get("error_code"))


def _inputs(examples: ReadRows) -> int | None:
    """How many columns are the input's; None where the file does not say."""
    written = examples.metadata.get(INPUT, b"")
    return int(written) if written.isdigit() and len(written) < 6 else None


def _why_no_failure(record: RunRecord | None, reason: str | None) -> str:
    if reason in NEVER_SENT:
        return "Rows with this code were never sent, so there is no answer to look at: look for them in the dataset."
    if record is None:
        return "Nothing is noted of this run."
    if reason is None and not sum(record.reasons.values()):
        return "No row of this run has failed."
    if reason is not None and reason not in record.reasons:
        return "No row of this run has failed with this code."
    return (
        "No example of these rows was kept by this run, or it was removed: somebody had something forgotten, or it is one of"
        " the older runs. The rows themselves are in the dataset."
    )


def _how_many(record: RunRecord | None, examples: ReadRows, reason: str | None) -> str:
    kept, shown = examples.matching, len(examples.rows)
    failed = kept
    if record is not None:
        codes = record.reasons if reason is None else {reason: record.reasons.get(reason, 0)}
        failed = max(kept, sum(rows for name, rows in codes.items() if name not in NEVER_SENT))
    told = f"{counted(failed, 'row')} failed."
    if shown < failed:
        told += f" These are {shown:,} of the first; {counted(failed - shown, 'row')} more are left out."
    return told


def _other_reasons(examples: ReadRows | None, reason: str | None) -> list[Part]:
    return [] if examples is None else other_labels(_BY_CODE, examples.seen, reason)


def _failed_again(
    place: OpenedPlace, record: RunRecord | None, examples: ReadRows, reason: str | None
) -> list[Part]:
    again = noted_request(place, record)
    if again is None:
        return [Words([NOT_NOTED, ""])]
    waits: list[Part] = []
    if record is not None and record.state in _AT_WORK:
        waits.append(
            Words(["The run may still be at work: a command waits for it, for five minutes at most.", ""])
        )
    codes = examples.seen | (set(record.reasons) if record is not None else set())
    # One command for all of them sends what failed alone; one for some forgets what those were answered.
    is_all = reason is None or not (codes - NEVER_SENT - {reason})
    if is_all:
        return [*everything_again(again, record, codes), *waits]
    rest = and_go_on(record)
    uuids = uuids_of(struct(row.get(INFERENCE)) for row in examples.rows)
    # Rows without a task were never sent, and cost nothing so far.
    if not uuids:
        return [*command_parts(again, f"Ask what has no answer{rest}", again.unasked()), *waits]
    told = f"Ask {these_records(uuids)} again{rest}"
    return [
        *command_parts(again, f"{told}: what was answered is forgotten first", again.these(uuids)),
        *waits,
    ]


def _failure(number: int, row: Mapping[str, Any], inputs: int | None) -> list[Part]:
    names = list(row)[:inputs] if inputs is not None else [each for each in row if each != "result"]
    given = {name: row[name] for name in names if name != INFERENCE}
    inference = struct(row.get(INFERENCE))
    return [
        heading(number, given),
        facts(inference),
        *answer_parts(inference, f"failure-{number}"),
        *input_parts(given, f"failure-{number}"),
    ]
