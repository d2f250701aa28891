"""The results of a run that are not as expected: got beside expected, and what they were read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.job.run_records import read_record
from runware_provider.pages.again_parts import NOT_NOTED, command_parts, these_records, uuids_of
from runware_provider.pages.noted_run import noted_request
from runware_provider.pages.record_parts import heading, input_parts
from runware_provider.pages.shown_texts import shown_pieces
from runware_provider.pages.text_bits import MOST_RECORDS, Labelled, other_labels, struct
from runware_provider.pages.text_files import read_rows
from runware_provider.quality.alignment import Steps
from runware_provider.quality.differences import MOST_STEPS, differences
from runware_provider.quality.parts import Passage, Words
from runware_provider.quality.wording import code, counted, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.pages.opened_place import OpenedPlace
    from runware_provider.quality.parts import Part

_BY_FIELD: Final = Labelled(leaf="missed", key="field", noun="field", each="Those of", whole="All misses")
_MISSES: Final = frozenset({"record", "field", "got", "expected"})


def missed_rows(place: OpenedPlace, field: str | None) -> list[Part]:
    """The first of them, and the command that asks them again.

    Args:
        place: of the task.
        field: path of a field of the result; None for all.

    Raises:
        OSError: the store failed.
        RecursionError: a value is nested too deeply.
        StateUnreadable: what is noted of the run is damaged.
        Unshowable: the file of misses is none of ours, or too large.
    """
    path = place.storage.join(place.state, "reports", "misses.parq")
    misses = read_rows(
        place.storage,
        path,
        needed=_MISSES,
        label=_field_of,
        label_column="field",
        wanted=field,
        most=MOST_RECORDS,
    )
    if misses is None:
        told = "No misses are noted: the report writes them, where it is given expected values."
        return [Words([told, ""])]
    if not misses.rows:
        return [Words(["Nothing is missed here." if field is None else "This field is missed nowhere.", ""])]
    left_out = misses.matching - len(misses.rows)
    differ = "differs" if misses.matching == 1 else "differ"
    told = f"{counted(misses.matching, 'value')} of the published dataset {differ} from what was expected"
    told += f"; these are the first, {left_out:,} more are left out." if left_out else "."
    parts: list[Part] = [Words([told, ""]), *other_labels(_BY_FIELD, misses.seen, field)]
    record = read_record(place.storage, place.state, place.run)
    again = noted_request(place, record)
    uuids = list(dict.fromkeys(uuids_of(misses.rows)))
    if again is None:
        parts.append(Words([NOT_NOTED, ""]))
    elif uuids:
        title = f"Ask {these_records(uuids)} again: what was answered is forgotten first"
        parts += command_parts(again, title, again.these(uuids))
    steps = Steps(MOST_STEPS)
    for number, row in enumerate(misses.rows, start=1):
        parts += _miss(number, row, steps)
    return parts


def _field_of(row: Mapping[str, Any]) -> str:
    return str(row.get("field"))


def _miss(number: int, row: Mapping[str, Any], steps: Steps) -> list[Part]:
    sides = differences(str(row.get("got")), str(row.get("expected")), steps=steps)
    named = [("field", code(_field_of(row)))]
    if isinstance(row.get("sample"), int) and row["sample"]:
        named.append(("sample", f"{row['sample']:,}"))
    if isinstance(row.get("task_uuid"), str):
        named.append(("task", code(row["task_uuid"])))
    given = struct(row.get("input"))
    return [
        # As the page of failures names it.
        heading(number, given, str(row.get("record"))),
        Words(table(["", ""], named)),
        Passage("Got", shown_pieces(sides.got)),
        Passage("Expected", shown_pieces(sides.expected)),
        *input_parts(given, f"miss-{number}"),
    ]
