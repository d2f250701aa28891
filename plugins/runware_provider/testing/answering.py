"""What the local server says in answer to a task: what its user knows of the answer, in the way that the task asks for it.

There is no language model here. The answer is the user's, of a table or a callable (`ServerSettings.answers`), else the
least that fits: a schema (of a tool, of `jsonSchema`, or written in a prompt) is filled minimally, and a question
without a schema is answered with `NOTHING_KNOWN`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from runware_provider.testing.filling import fill, properties_of

Answers = Callable[[Mapping[str, Any]], Any]
"""A function of a task, as it was sent; returns its answer, or None if it knows none.

A text is said as it is; where an object is asked for, a JSON text is that object. An object (or any other value) is
fitted to what is asked for: fields by name, days and decimals as JSON, and what is missing is filled minimally.
"""
NOTHING_KNOWN: Final = "The local API server has no answer to this: it is no language model."
MAX_SCHEMA_SEARCH: Final = 60_000
MAX_BRACES: Final = 24
_SCHEMA_KEYWORDS: Final = frozenset(
    {"type", "properties", "$ref", "$defs", "anyOf", "oneOf", "allOf", "enum"}
)
_RECORD: Final = re.compile(r"<(?:document|message|text|record|input|data)>", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode
_scan = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it becomes a result item.

    Attributes:
        text: The text; None where tools are called.
        calls: Tool calls, each with `name` and `input`.
        finish_reason: Why the answer ended.
    """

    text: str | None
    calls: tuple[dict[str, Any], ...] = ()
    finish_reason: str = "stop"


def answer(task: Mapping[str, Any], answers: Answers | None = None) -> Answer:
    """Answer a checked textInference task."""
    known = None if answers is None else answers(task)
    tool = _chosen_tool(task, known)
    if tool is not None:
        called = _fitted(tool["schema"], known)
        # A text that is no object is no tool's input: it is said, as a model that ignores its tools would.
        if isinstance(called, dict) or known is None:
            return Answer(None, (_call(tool, called),), "tool_calls")
    if isinstance(known, str) and _object_in(known) is not None:
        return Answer(known)
    schema = _schema(task)
    if schema is not None:
        return Answer(_as_text(_fitted(schema, known)))
    if task.get("outputFormat") == "JSON":
        in_an_object = {"answer": NOTHING_KNOWN if known is None else known}
        return Answer(_as_text(fill({}, known if isinstance(known, dict) else in_an_object)))
    if isinstance(known, dict) and len(known) == 1:  # a table with one field, such as a label
        known = next(iter(known.values()))
    return Answer(NOTHING_KNOWN if known is None else _as_text(fill({}, known)))


def call_all(task: Mapping[str, Any], answers: Answers | None = None) -> Answer:
    """Answer a checked textInference task with a call of each of its function tools, in their order."""
    known = None if answers is None else answers(task)
    calls = tuple(_call(tool, _fitted(tool["schema"], known)) for tool in _functions(task))
    return Answer(None, calls, "tool_calls")


def asked(task: Mapping[str, Any]) -> str:
    """Return what the user's turns of a task say."""
    return "\n".join(turns_of_the_user(task))


def turns_of_the_user(task: Mapping[str, Any]) -> list[str]:
    """Return what each of them says, in order."""
    return [message["content"] for message in task["messages"] if message["role"] == "user"]


def _functions(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tools that can be called; the others run at the vendor and leave nothing to see."""
    return [tool for tool in task.get("tools", ()) if tool["type"] == "function"]


def _call(tool: Mapping[str, Any], called: Any) -> dict[str, Any]:
    return {"name": tool["name"], "input": called if isinstance(called, dict) else {}}


def _chosen_tool(task: Mapping[str, Any], known: Any) -> Mapping[str, Any] | None:
    """Return the tool to call: the one that is named, else the first that has most of the known fields."""
    tools = _functions(task)
    choice = task.get("toolChoice", {"type": "auto"})
    if not tools or choice["type"] == "none":
        return None
    if choice["type"] == "tool":
        return next((tool for tool in tools if tool["name"] == choice["name"]), None)
    fields = _object_in(known)
    if choice["type"] == "auto" and known is not None and fields is None:
        return None
    names = set(fields or ())
    return max(tools, key=lambda tool: len(names & set(properties_of(tool["schema"]))))


def _fitted(schema: Any, known: Any) -> Any:
    """Return a known answer as a value of a schema; a text that is a JSON object is taken at its word."""
    if isinstance(known, str):
        said = _object_in(known)
        if said is not None:
            return said
    if known is not None and not isinstance(known, dict):
        names = properties_of(schema)
        if len(names) == 1:  # a label, or another lone value, in the object that had to be asked for
            return fill(schema, {names[0]: known})
        if isinstance(known, str):
            return known
    return fill(schema, known)


def _object_in(known: Any) -> dict[str, Any] | None:
    """Return the object that an answer is or that its text holds, or None."""
    if isinstance(known, str):
        try:
            known = json.loads(known)
        except ValueError:
            return None
    return known if isinstance(known, dict) else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()


def _schema(task: Mapping[str, Any]) -> Any:
    """Return the schema that a text has to fit: of the task, else one that is written in its prompts."""
    schema = task.get("jsonSchema")
    if schema is not None:
        return json.loads(schema) if isinstance(schema, str) else schema
    return _schema_in(task.get("settings", {}).get("systemPrompt", "")) or _schema_in(asked(task))


def _schema_in(text: str) -> dict[str, Any] | None:
    """Return the first JSON Schema in a text, of what stands before a record."""
    record = _RECORD.search(text)
    head = text[: record.start() if record else MAX_SCHEMA_SEARCH]
    place = -1
    for _ in range(MAX_BRACES):
        place = head.find("{", place + 1)
        if place < 0:
            break
        try:
            value, end = _scan.raw_decode(head, place)
        except (ValueError, RecursionError):
            continue
        if value.keys() & _SCHEMA_KEYWORDS:
            return dict(value)
        place = end - 1
    return None
