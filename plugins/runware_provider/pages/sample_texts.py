"""Answers that were asked for beforehand, for whoever approves of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runware_provider.engine.job.run_records import record_path
from runware_provider.pages.record_parts import answer_parts, facts, heading, input_parts, text_parts
from runware_provider.pages.text_bits import INFERENCE, MOST_RECORDS, struct
from runware_provider.pages.text_files import Unshowable, read_json
from runware_provider.quality.differences import layout
from runware_provider.quality.parts import Words
from runware_provider.quality.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.pages.opened_place import OpenedPlace
    from runware_provider.quality.parts import Part


def sample_rows(place: OpenedPlace) -> list[Part]:
    """Each of them, with what it was read from.

    Args:
        place: of the task.

    Raises:
        OSError: the store failed.
        RecursionError: a value is nested too deeply.
        Unshowable: the file of samples is none of ours, or too large.
    """
    name = record_path(place.storage, "", place.run).rpartition("/")[2]
    samples = read_json(place.storage, place.storage.join(place.state, "samples", name))
    if samples is None:
        return [Words(["There are no sample answers: none were asked for, or the run went on since.", ""])]
    rows = struct(samples).get("rows")
    if not isinstance(rows, list):
        raise Unshowable("The file of these records is damaged, or none that this package wrote.")
    parts: list[Part] = []
    for number, row in enumerate(rows[:MOST_RECORDS], start=1):
        parts += _sample(number, struct(row))
    if len(rows) > MOST_RECORDS:
        parts.append(Words([f"{counted(len(rows) - MOST_RECORDS, 'more row')} are left out.", ""]))
    return parts or [Words(["There are no sample answers.", ""])]


def _sample(number: int, row: Mapping[str, Any]) -> list[Part]:
    given, inference = struct(row.get("input")), struct(row.get(INFERENCE))
    answer: list[Part] = answer_parts(inference, f"sample-{number}")
    if row.get("result") is not None:
        result = row["result"]
        text = result if isinstance(result, str) else layout(json.loads(json.dumps(result, default=str)))
        answer = [*text_parts("Result", text, f"sample-{number}-result", folds=False), *answer]
    return [heading(number, given), facts(inference), *answer, *input_parts(given, f"sample-{number}")]
