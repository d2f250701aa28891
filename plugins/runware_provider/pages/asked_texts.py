"""What a run asked: its prompt, its schema, its options, and the command that asks the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.pages.again_parts import command_parts, everything_again
from runware_provider.pages.noted_run import noted_record, noted_request
from runware_provider.pages.record_parts import json_parts, text_parts
from runware_provider.pages.text_bits import MOST_RECORDS, struct
from runware_provider.quality.parts import Words
from runware_provider.quality.wording import code, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.pages.opened_place import OpenedPlace
    from runware_provider.quality.parts import Part

_SHOWN_APART: Final = frozenset({"system_prompt", "prompt", "messages", "output_type", "tools"})
_SHORT: Final = ("source", "destination", "model", "delivery", "samples", "limit")


def asked_request(place: OpenedPlace) -> list[Part]:
    """All of it that was noted.

    Args:
        place: of the task.

    Raises:
        OSError: the store failed.
        RecursionError: a value is nested too deeply.
        StateUnreadable: what is noted of the run is damaged.
    """
    record = noted_record(place)
    again = noted_request(place, record)
    if again is None:
        return [Words(["What this run asked is not noted.", ""])]
    spec = struct(again.record.get("spec"))
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
    command = everything_again(again, record, set(record.reasons) if record is not None else set())
    cost = (
        command_parts(again, "What that would cost", again.cost())[:1]
        if command and not again.why_not
        else []
    )
    return [*parts, *command, *cost]


def _options(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = [(name, code(spec[name])) for name in _SHORT if spec.get(name) is not None]
    settings = {
        name: value for name, value in struct(spec.get("settings")).items() if value not in (None, {})
    }
    told += [(f"settings.{name}", code(value)) for name, value in settings.items() if name.isidentifier()]
    return told


def _messages(messages: Any) -> list[Part]:
    if isinstance(messages, str):
        return text_parts("Messages, taken from the record", messages, "messages", folds=False)
    parts: list[Part] = []
    for number, message in enumerate(messages if isinstance(messages, list) else [], start=1):
        said = struct(message)
        who = "the user" if said.get("role") == "user" else "the model"
        parts += text_parts(
            f"Message {number}, of {who}", said.get("content"), f"message-{number}", folds=False
        )
    return parts
