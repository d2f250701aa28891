"""From a number to the record: texts of records, their answers and what is wrong with them, as parts of a page.

Whoever calls these has seen that the viewer may read texts. Nothing of it is logged.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.kept_examples import INPUT
from runware_provider.engine.job.run_examples import examples_path
from runware_provider.engine.job.run_records import read_record, record_path
from runware_provider.engine.job.run_request import read_request, request_path
from runware_provider.engine.job.split_record import present_split, shard_folder
from runware_provider.pages.asking_again import AskingAgain
from runware_provider.pages.beneath import LINKED, LinkBelowError
from runware_provider.pages.clipped import clipped
from runware_provider.pages.group_sum import whole_of
from runware_provider.pages.job_state import BUDGET
from runware_provider.pages.links_between import ON_LEAF
from runware_provider.pages.page_bits import Name, Said, Several, Way
from runware_provider.pages.page_parts import Title
from runware_provider.pages.record_parts import (
    answer_parts,
    facts,
    heading,
    input_parts,
    json_parts,
    text_parts,
)
from runware_provider.pages.run_view import MOST_SHARDS, name_of_dataset
from runware_provider.pages.shown_texts import shown_pieces
from runware_provider.pages.text_files import ReadRows, Unshowable, read_json, read_rows
from runware_provider.quality.alignment import Steps
from runware_provider.quality.differences import MOST_STEPS, differences, layout
from runware_provider.quality.parts import Command, Fold, Link, Passage, Words
from runware_provider.quality.wording import code, count, counted, table, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runware_provider.engine.job.run_record import RunRecord
    from runware_provider.pages.opened_place import OpenedPlace
    from runware_provider.pages.page_bits import Bit
    from runware_provider.quality.parts import Part

MOST_RECORDS: Final = 20
"""On a page."""
MOST_LABEL_CHARS: Final = 200
"""Of an error code or a path in a link."""
NEVER_SENT: Final = frozenset({"empty", "too_long", "too_many_tokens", "prompt_error"})
"""Codes of rows that were skipped: no example of them is kept, and none is asked again."""
ENDED: Final = frozenset({"published", "unchanged", "staged"})
"""States of a run in which every record has its row."""
AT_WORK: Final = frozenset({"running", "waiting"})
_INFERENCE: Final = "inference"
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MISSES: Final = frozenset({"record", "field", "got", "expected"})


def failed_parts(place: OpenedPlace, reason: str | None) -> list[Part]:
    """The first records that failed, each with its texts, its answer and what is wrong with it.

    Args:
        place: of the task.
        reason: an error code; None for all.
    """
    head = [_title(place, "Failures", reason)]
    try:
        return [*head, *_failed(place, reason)]
    except (Unshowable, StateUnreadable, OSError, RecursionError) as error:
        return [*head, _why_nothing(error)]


def missed_parts(place: OpenedPlace, field: str | None) -> list[Part]:
    """The first records whose results are not as expected: got beside expected, and what they were read from.

    Args:
        place: of the task.
        field: path of a field of the result; None for all.
    """
    head = [_title(place, "Misses", field)]
    try:
        return [*head, *_missed(place, field)]
    except (Unshowable, StateUnreadable, OSError, RecursionError) as error:
        return [*head, _why_nothing(error)]


def asked_parts(place: OpenedPlace) -> list[Part]:
    """The prompt, the schema and the options of a run, and the command that asks the same."""
    head = [_title(place, "What was asked")]
    try:
        return [*head, *_asked(place)]
    except (Unshowable, StateUnreadable, OSError, RecursionError) as error:
        return [*head, _why_nothing(error)]


def samples_parts(place: OpenedPlace) -> list[Part]:
    """Answers that were asked for beforehand, for whoever approves of a run."""
    head = [_title(place, "Sample answers")]
    try:
        return [*head, *_samples(place)]
    except (Unshowable, StateUnreadable, OSError, RecursionError) as error:
        return [*head, _why_nothing(error)]


def _title(place: OpenedPlace, what: str, of: str | None = None) -> Part:
    """What the page shows, the run that it belongs to, and the way back to that."""
    bit: Bit = Said(what) if of is None else Several([Said(f"{what}: "), Name(of)], between="")
    below: list[Bit] = [Way(Said("Back to the run"), ON_LEAF.to(place.at))]
    dataset = name_of_dataset(place.places.get("output", ""))
    below += [Name(dataset)] if dataset else []
    below += [
        _noun("DAG", place.at.dag_id),
        _noun("task", place.at.task_id),
        _noun("run", place.at.run_id),
    ]
    below += [Said(f"shard {count(place.shard + 1)}")] if place.shard is not None else []
    return Title(bit, below)


def _noun(noun: str, name: str) -> Bit:
    return Several([Said(noun), Name(name)])


def _why_nothing(error: Exception) -> Part:
    """A sentence of ours: what an error of a store says may quote a path, or worse."""
    if isinstance(error, Unshowable):
        return Words([str(error), ""])
    if isinstance(error, StateUnreadable):
        return Words(["What is noted of this run is damaged, or was written by a newer version.", ""])
    if isinstance(error, LinkBelowError):
        return Words([LINKED, ""])
    if isinstance(error, RecursionError):
        return Words(["A value in it is nested too deeply to be shown.", ""])
    return Words([f"The store could not be read ({code(type(error).__name__)}).", ""])


# failures


def _failed(place: OpenedPlace, reason: str | None) -> list[Part]:
    record = _noted(place)
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
    for folder in _folders(place):
        path = examples_path(place.storage, folder, place.run)
        room = MOST_RECORDS - (len(told.rows) if told is not None else 0)
        more = read_rows(
            place.storage,
            path,
            needed=frozenset({_INFERENCE}),
            label=_code_of,
            label_column=f"{_INFERENCE}.error_code",
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


def _folder(place: OpenedPlace) -> str:
    """The state folder of the task itself."""
    return place.state if place.shard is None else shard_folder(place.storage, place.state, place.shard)


def _folders(place: OpenedPlace) -> list[str]:
    if place.shard is not None:
        return [_folder(place)]
    split = present_split(place.storage, place.state)
    # A plain run took over from its shards since.
    if split is None or split.state == "left":
        return [place.state]
    shards = range(min(split.folders, MOST_SHARDS))
    return [place.state, *(shard_folder(place.storage, place.state, number) for number in shards)]


def _noted(place: OpenedPlace) -> RunRecord | None:
    """What the task noted; of a group's, what all its shards did together."""
    own, *shards = (_record(place, folder) for folder in _folders(place))
    return whole_of(own, shards) if shards else own


def _record(place: OpenedPlace, folder: str) -> RunRecord | None:
    record = read_record(place.storage, folder, place.run)
    return None if record is None else clipped(record)


def _code_of(row: Mapping[str, Any]) -> str:
    return str(_struct(row.get(_INFERENCE)).get("error_code"))


def _struct(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
    others = _named(examples.seen - {reason}) if examples is not None else []
    links: list[Part] = [
        Link(f"Those with the code {visible(name)}", f"failed?{urlencode({'reason': name})}")
        for name in others[:MOST_RECORDS]
        if reason is not None or len(others) > 1
    ]
    if reason is not None and others:
        links.append(Link("All failures", "failed"))
    return [Fold("Other codes" if reason is not None else "By code", links, "codes")] if links else []


def _named(labels: Iterable[str | None]) -> list[str]:
    """Those that may stand in a link."""
    return sorted(label for label in labels if label is not None and len(label) <= MOST_LABEL_CHARS)


def _failed_again(
    place: OpenedPlace, record: RunRecord | None, examples: ReadRows, reason: str | None
) -> list[Part]:
    again = _asking_again(place, record)
    if again is None:
        return [Words([_NOT_NOTED, ""])]
    waits: list[Part] = []
    if record is not None and record.state in AT_WORK:
        waits.append(
            Words(["The run may still be at work: a command waits for it, for five minutes at most.", ""])
        )
    codes = examples.seen | (set(record.reasons) if record is not None else set())
    is_all = reason is None or not (codes - NEVER_SENT - {reason})
    if is_all:
        return [*_everything(again, record, codes), *waits]
    rest = _and_go_on(record)
    uuids = _uuids(_struct(row.get(_INFERENCE)) for row in examples.rows)
    if not uuids:
        return [*_command(again, f"Ask what has no answer{rest}", again.unasked()), *waits]
    told = f"Ask {_these(uuids)} again{rest}"
    return [*_command(again, f"{told}: what was answered is forgotten first", again.these(uuids)), *waits]


def _everything(again: AskingAgain, record: RunRecord | None, codes: set[str]) -> list[Part]:
    """The command for all that has no good answer.

    Args:
        again: what the run asked.
        record: of the run.
        codes: of its rows that did not succeed.
    """
    # What was never sent has not failed, and is sent by who goes on.
    if codes - NEVER_SENT - {BUDGET}:
        return _command(again, f"Ask again everything that failed{_and_go_on(record)}", again.failed())
    if _is_all_asked(record):
        return []
    return _command(again, "Go on with what is not asked yet", again.unasked())


def _these(uuids: Sequence[str]) -> str:
    return "this record" if len(uuids) == 1 else f"these {counted(len(uuids), 'record')}"


def _and_go_on(record: RunRecord | None) -> str:
    return "" if _is_all_asked(record) else ", and go on with what is not asked yet"


def _is_all_asked(record: RunRecord | None) -> bool:
    return record is None or (record.state in ENDED and BUDGET not in record.reasons)


_NOT_NOTED: Final = "What this run asked is not noted, so there is no command that asks it again: run the task again with `retry_failed=True`."


def _command(again: AskingAgain, title: str, text: str) -> list[Part]:
    parts: list[Part] = []
    if again.has_command:
        parts.append(Command(title, text))
    if again.why_not:
        parts.append(Words([again.why_not, ""]))
    if again.record.get("from_class") and again.has_command:
        told = "The command checks answers by the JSON Schema of the pydantic class, without its validators."
        parts.append(Words([told, ""]))
    return parts


def _asking_again(place: OpenedPlace, record: RunRecord | None) -> AskingAgain | None:
    """What the run asked; None where nobody noted it."""
    if record is None or not record.request:
        return None
    request = read_request(place.storage, place.state, record.request)
    if request is None:
        return None
    return AskingAgain(request_path(place.storage, place.state, record.request), request)


def _uuids(inferences: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those that are UUIDs: whatever else stands there has no place in a command."""
    given = (facts.get("task_uuid") for facts in inferences)
    return [uuid for uuid in given if isinstance(uuid, str) and _UUID.fullmatch(uuid)]


def _failure(number: int, row: Mapping[str, Any], inputs: int | None) -> list[Part]:
    names = list(row)[:inputs] if inputs is not None else [each for each in row if each != "result"]
    given = {name: row[name] for name in names if name != _INFERENCE}
    inference = _struct(row.get(_INFERENCE))
    return [
        heading(number, given),
        facts(inference),
        *answer_parts(inference, f"failure-{number}"),
        *input_parts(given, f"failure-{number}"),
    ]


# misses


def _missed(place: OpenedPlace, field: str | None) -> list[Part]:
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
    parts: list[Part] = [Words([told, ""]), *_other_fields(misses, field)]
    record = read_record(place.storage, place.state, place.run)
    again = _asking_again(place, record)
    uuids = list(dict.fromkeys(_uuids(misses.rows)))
    if again is None:
        parts.append(Words([_NOT_NOTED, ""]))
    elif uuids:
        title = f"Ask {_these(uuids)} again: what was answered is forgotten first"
        parts += _command(again, title, again.these(uuids))
    steps = Steps(MOST_STEPS)
    for number, row in enumerate(misses.rows, start=1):
        parts += _miss(number, row, steps)
    return parts


def _field_of(row: Mapping[str, Any]) -> str:
    return str(row.get("field"))


def _other_fields(misses: ReadRows, field: str | None) -> list[Part]:
    others = _named(misses.seen - {field})
    links: list[Part] = [
        Link(f"Those of {visible(name)}", f"missed?{urlencode({'field': name})}")
        for name in others[:MOST_RECORDS]
        if field is not None or len(others) > 1
    ]
    if field is not None and others:
        links.append(Link("All misses", "missed"))
    return [Fold("Other fields" if field is not None else "By field", links, "fields")] if links else []


def _miss(number: int, row: Mapping[str, Any], steps: Steps) -> list[Part]:
    sides = differences(str(row.get("got")), str(row.get("expected")), steps=steps)
    named = [("field", code(_field_of(row)))]
    if isinstance(row.get("sample"), int) and row["sample"]:
        named.append(("sample", f"{row['sample']:,}"))
    if isinstance(row.get("task_uuid"), str):
        named.append(("task", code(row["task_uuid"])))
    given = _struct(row.get("input"))
    return [
        # As the page of failures names it.
        heading(number, given, str(row.get("record"))),
        Words(table(["", ""], named)),
        Passage("Got", shown_pieces(sides.got)),
        Passage("Expected", shown_pieces(sides.expected)),
        *input_parts(given, f"miss-{number}"),
    ]


# what was asked


def _asked(place: OpenedPlace) -> list[Part]:
    record = _noted(place)
    again = _asking_again(place, record)
    if again is None:
        return [Words(["What this run asked is not noted.", ""])]
    spec = _struct(again.record.get("spec"))
    parts: list[Part] = [Words(table(["", ""], _options(spec)))]
    parts += text_parts("System prompt", spec.get("system_prompt"), "system", folds=False)
    parts += text_parts("Prompt, rendered once per record", spec.get("prompt"), "prompt", folds=False)
    parts += _messages(spec.get("messages"))
    if isinstance(spec.get("output_type"), dict):
        parts += json_parts("JSON Schema that every answer must fit", spec["output_type"], "schema")
    if again.record.get("from_class"):
        told = f"It was made of the pydantic class {code(str(again.record['from_class']))}, whose validators check besides."
        parts.append(Words([told, ""]))
    if spec.get("tools"):
        parts += json_parts("Tools that the model may call", spec["tools"], "tools")
    rest = {name: value for name, value in spec.items() if name not in _SHOWN_APART}
    parts += json_parts("All other options", rest, "options", folds=True)
    left_out = again.record.get("left_out")
    if isinstance(left_out, list) and left_out:
        named = ", ".join(code(str(name)) for name in left_out[:MOST_RECORDS])
        told = f"Not noted, since it may be a secret, or is nothing that JSON can say: {named}."
        parts.append(Words([told, ""]))
    command = _everything(again, record, set(record.reasons) if record is not None else set())
    cost = _command(again, "What that would cost", again.cost())[:1] if command and not again.why_not else []
    return [*parts, *command, *cost]


_SHOWN_APART: Final = frozenset({"system_prompt", "prompt", "messages", "output_type", "tools"})
_SHORT: Final = ("source", "destination", "model", "delivery", "samples", "limit")


def _options(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = [(name, code(spec[name])) for name in _SHORT if spec.get(name) is not None]
    settings = {
        name: value for name, value in _struct(spec.get("settings")).items() if value not in (None, {})
    }
    told += [(f"settings.{name}", code(value)) for name, value in settings.items() if name.isidentifier()]
    return told


def _messages(messages: Any) -> list[Part]:
    if isinstance(messages, str):
        return text_parts("Messages, taken from the record", messages, "messages", folds=False)
    parts: list[Part] = []
    for number, message in enumerate(messages if isinstance(messages, list) else [], start=1):
        said = _struct(message)
        who = "the user" if said.get("role") == "user" else "the model"
        parts += text_parts(
            f"Message {number}, of {who}", said.get("content"), f"message-{number}", folds=False
        )
    return parts


# samples


def _samples(place: OpenedPlace) -> list[Part]:
    name = record_path(place.storage, "", place.run).rpartition("/")[2]
    samples = read_json(place.storage, place.storage.join(place.state, "samples", name))
    if samples is None:
        return [Words(["There are no sample answers: none were asked for, or the run went on since.", ""])]
    rows = _struct(samples).get("rows")
    if not isinstance(rows, list):
        raise Unshowable("The file of these records is damaged, or none that this package wrote.")
    parts: list[Part] = []
    for number, row in enumerate(rows[:MOST_RECORDS], start=1):
        parts += _sample(number, _struct(row))
    if len(rows) > MOST_RECORDS:
        parts.append(Words([f"{counted(len(rows) - MOST_RECORDS, 'more row')} are left out.", ""]))
    return parts or [Words(["There are no sample answers.", ""])]


def _sample(number: int, row: Mapping[str, Any]) -> list[Part]:
    given, inference = _struct(row.get("input")), _struct(row.get(_INFERENCE))
    answer: list[Part] = answer_parts(inference, f"sample-{number}")
    if row.get("result") is not None:
        result = row["result"]
        text = result if isinstance(result, str) else layout(json.loads(json.dumps(result, default=str)))
        answer = [*text_parts("Result", text, f"sample-{number}-result", folds=False), *answer]
    return [heading(number, given), facts(inference), *answer, *input_parts(given, f"sample-{number}")]
