"""From an accepted task to its result items: tokens, price, and the faults of an answer."""

from __future__ import annotations

import hashlib
import uuid as uuids
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.testing.answering import Answer, answer, call_all
from runware_provider.testing.api.usage import CHARACTERS_PER_TOKEN, Usage, count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.testing.answering import Answers
    from runware_provider.testing.api.faults import Fault
    from runware_provider.testing.api.state import State

DEFAULT_MAX_TOKENS = 32_768
DELIVERY_FIELDS = ("taskType", "taskUUID", "deliveryMethod", "webhookURL", "includeCost", "includeUsage")
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Inference:
    """What one task comes to.

    Attributes:
        items: The encoded result items, one per wanted result.
        usage: Tokens of all results together.
        cost_nano: Price of all results together, in billionths of a USD.
    """

    items: tuple[msgspec.Raw, ...]
    usage: Usage
    cost_nano: int


def fingerprint(task: Mapping[str, Any]) -> int:
    """Hash what a task asks, without its UUID and without how it is delivered: 64 bits, stable."""
    asked = {name: value for name, value in task.items() if name not in DELIVERY_FIELDS}
    return int.from_bytes(hashlib.blake2b(_encode_sorted(asked), digest_size=8).digest(), "big")


def prompt_text(task: Mapping[str, Any]) -> str:
    """Return the text whose tokens are the prompt's: tools, system prompt, then the messages in order."""
    parts = [_encode(task[name]).decode() for name in ("tools", "jsonSchema") if name in task]
    parts.append(task.get("settings", {}).get("systemPrompt", ""))
    for message in task["messages"]:
        parts.append(message.get("content") or "")
        if "tools" in message:
            parts.append(_encode(message["tools"]).decode())
    return "\n".join(parts) if len(parts) > 1 else parts[0]


def infer(task: Mapping[str, Any], prompt: str, state: State, faults: Mapping[str, Fault]) -> Inference:
    """Answer a task.

    Args:
        task: The checked task object.
        prompt: Its `prompt_text`.
        state: Its models, what is known of answers, and where the beginnings of prompts are remembered.
        faults: The faults that fire for this task, by kind.
    """
    model = state.models[task["model"]]
    given = _limit(_spoil(_answered(task, faults, state.settings.answers), faults), task)
    count = task.get("numberResults", 1)
    completion = count_tokens(given.text or "") + sum(
        count_tokens(_encode(call).decode()) for call in given.calls
    )
    one = Usage(count_tokens(prompt), state.cache.cached_tokens(model.id, prompt), completion)
    cost = one.cost_nano(model)
    item = _item(task, given, one.old_body() if "old_usage" in faults else one.body(), cost)
    _misshape(item, faults)
    seed = _seed(task)
    items = tuple(msgspec.Raw(_encode({**item, "seed": seed + place})) for place in range(count))
    return Inference(items, Usage(one.prompt * count, one.cached * count, completion * count), cost * count)


def error_item(error: Mapping[str, Any]) -> msgspec.Raw:
    """Return the shape in which some failed tasks stand inside ``data``."""
    item = {
        "taskType": error.get("taskType"),
        "taskUUID": error.get("taskUUID"),
        "status": "error",
        "error": {"code": error["code"], "message": error["message"]},
    }
    if "cost" in error:
        item["cost"] = error["cost"]
    return msgspec.Raw(_encode(item))


def _answered(task: Mapping[str, Any], faults: Mapping[str, Fault], answers: Answers | None) -> Answer:
    if "say" in faults:
        return Answer(faults["say"].body or "")
    return call_all(task, answers) if "all_tools" in faults else answer(task, answers)


def _limit(given: Answer, task: Mapping[str, Any]) -> Answer:
    settings = task.get("settings", {})
    text = given.text or ""
    for stop in settings.get("stopSequences", ()):
        text = text.split(stop, 1)[0]
    room = settings.get("maxTokens", DEFAULT_MAX_TOKENS) * CHARACTERS_PER_TOKEN
    if len(text) > room:
        return Answer(text[:room], (), "length")
    if sum(len(_encode(call)) for call in given.calls) > room:
        return Answer("", (), "length")
    return replace(given, text=text) if given.text is not None and text != given.text else given


def _spoil(given: Answer, faults: Mapping[str, Fault]) -> Answer:
    if not faults:
        return given
    if "content_filter" in faults:
        return Answer("", (), "content_filter")
    if "empty_text" in faults:
        return Answer("", (), "stop")
    if "null_text" in faults:
        return Answer(None, (), "stop")
    if "break_schema" in faults:
        given = _broken(given)
    if "truncate" in faults:
        text = given.text or (_encode(given.calls[0]["input"]).decode() if given.calls else "")
        return Answer(text[: len(text) // 2], (), "length")
    return replace(given, text=_dressed(given.text, faults))


def _broken(given: Answer) -> Answer:
    wrong = {"unexpected": ["this", "breaks", "the", "schema"]}
    if given.calls:
        return replace(given, calls=tuple({**call, "input": wrong} for call in given.calls))
    return replace(given, text=_encode(wrong).decode())


def _dressed(text: str | None, faults: Mapping[str, Fault]) -> str | None:
    if "fence" in faults and text:
        text = f"```json\n{text}\n```"
    if "prose" in faults and text:
        text = f"Here is what you asked for:\n\n{text}\n\nLet me know if you need anything else."
    if "think" in faults:
        text = f"<think>\nThe document has to be read line by line.\n</think>\n\n{text or ''}"
    return text


def _item(task: Mapping[str, Any], given: Answer, usage: Mapping[str, Any], cost_nano: int) -> dict[str, Any]:
    item: dict[str, Any] = {
        "taskType": "textInference",
        "taskUUID": task["taskUUID"],
        "status": "success",
        "text": given.text,
        "finishReason": given.finish_reason,
    }
    if given.calls:
        item["tools"] = _calls(task["taskUUID"], given)
    if task.get("includeUsage"):
        item["usage"] = usage
    if task.get("includeCost"):
        item["cost"] = cost_nano / 1_000_000_000
    return item


def _calls(uuid: str, given: Answer) -> list[dict[str, Any]]:
    return [{"id": f"call_{uuid[:8]}_{place}", **call} for place, call in enumerate(given.calls)]


def _misshape(item: dict[str, Any], faults: Mapping[str, Fault]) -> None:
    if "string_arguments" in faults and "tools" in item:
        for call in item["tools"]:
            call["arguments"] = _encode(call.pop("input")).decode()
    if "tool_calls_key" in faults and "tools" in item:
        item["toolCalls"] = item.pop("tools")
    if "reasoning_list" in faults:
        said = faults["reasoning_list"].body
        steps = ["The document has to be read line by line.", "Then the fields are filled."]
        item["reasoningContent"] = steps if said is None else [said]
    if "no_status" in faults:
        del item["status"]
    if "no_cost" in faults:
        item.pop("cost", None)
    if "number_texts" in faults:
        item["usage"] = {name: _as_text(value) for name, value in item.get("usage", {}).items()}
        if "cost" in item:
            item["cost"] = f"{item['cost']:.9f}"


def _as_text(value: Any) -> Any:
    """A number as a text; within an object, too."""
    if isinstance(value, dict):
        return {name: _as_text(inner) for name, inner in value.items()}
    return str(value) if isinstance(value, int | float) else value


def _seed(task: Mapping[str, Any]) -> int:
    seed = task.get("seed")
    return int(seed) if seed is not None else uuids.UUID(task["taskUUID"]).int & 0xFFFFFFFF
