"""What the local server answers. There is no language model behind it: rules read the document.

The answer depends on the request alone, so that the same request is always answered alike;
``temperature`` and ``seed`` change nothing. A schema (of a tool, of ``jsonSchema``, or written in the
prompt) is filled from the document. Instructions are not understood, those inside a document least
of all. Without a schema the answer is one of the labels that the prompt lists, or the document's
first sentence.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.testing.answering.choosing import best_label, best_tool
from runware_provider.testing.answering.filling import fill, first_sentence
from runware_provider.testing.answering.reading import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

_encode = msgspec.json.Encoder().encode
_scan = json.JSONDecoder()
_SCHEMA_SIGN = re.compile(
    r'"(?:properties|\$defs|\$ref|anyOf|enum)"\s*:|"type"\s*:\s*"(?:object|array|string|number|integer|boolean)"'
)
_OPENING = re.compile(
    r"<(document|doc|text|invoice|receipt|order|record|input|content|body|email|message|ticket|data)>\s*",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^(```\w*|\"\"\"|---+)[ \t]*\n", re.MULTILINE)
_LABELS = re.compile(
    r"(?:one of|labels?|categor\w+|class\w*|choose (?:from|between))[^:\n]{0,60}:\s*((?:[\w/-]+(?: [\w/-]+)?\s*[,|;]\s*)+(?:or )?[\w/-]+)",
    re.IGNORECASE,
)
MAX_BRACES = 24
MAX_INSTRUCTIONS = 4_000
MAX_LABELS = 40
MAX_SCHEMA_SEARCH = 60_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it becomes a result item.

    Attributes:
        text: The text; nothing where tools are called.
        calls: Tool calls, each with ``name`` and ``input``.
        finish_reason: Why the answer ended.
    """

    text: str | None
    calls: tuple[dict[str, Any], ...] = ()
    finish_reason: str = "stop"


def answer(task: Mapping[str, Any]) -> Answer:
    """Answer a checked textInference task."""
    prompt = _asked(task)
    system = task.get("settings", {}).get("systemPrompt", "")
    tool = _chosen_tool(task, prompt)
    if tool is not None:
        return Answer(None, (_call(tool, prompt),), "tool_calls")
    schema, prompt = _schema(task, system, prompt)
    document = document_in(prompt)
    if schema is not None:
        return Answer(_encode(fill(schema, Document(document))).decode())
    if task.get("outputFormat") == "JSON":
        return Answer(_encode({"answer": first_sentence(document)}).decode())
    return Answer(_free_text(system, prompt, document))


def call_all(task: Mapping[str, Any]) -> Answer:
    """Answer a checked textInference task with a call of each of its function tools, in their order."""
    prompt = _asked(task)
    return Answer(None, tuple(_call(tool, prompt) for tool in _functions(task)), "tool_calls")


def _asked(task: Mapping[str, Any]) -> str:
    return "\n".join(message["content"] for message in task["messages"] if message["role"] == "user")


def _functions(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tools that can be called; the others run at the vendor and leave nothing to see."""
    return [tool for tool in task.get("tools", ()) if tool["type"] == "function"]


def _call(tool: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    given = fill(tool["schema"], Document(document_in(prompt)))
    return {"name": tool["name"], "input": given if isinstance(given, dict) else {}}


def document_in(prompt: str) -> str:
    """Give the part of a prompt that is the document: what stands between tags or fences, or all of it."""
    tag = _OPENING.search(prompt)
    if tag is not None:
        end = prompt.lower().rfind(f"</{tag[1].lower()}>")
        return prompt[tag.end() : end if end >= tag.end() else len(prompt)]
    fence = _FENCE.search(prompt)
    if fence is not None:
        end = prompt.rfind(fence[1][:3])
        return prompt[fence.end() : end if end > fence.end() else len(prompt)]
    return prompt


def _chosen_tool(task: Mapping[str, Any], prompt: str) -> Mapping[str, Any] | None:
    tools = _functions(task)
    choice = task.get("toolChoice", {"type": "auto"})
    if not tools or choice["type"] == "none":
        return None
    if choice["type"] == "tool":
        return next((tool for tool in tools if tool["name"] == choice["name"]), None)
    best = best_tool(tools, document_in(prompt)) or best_tool(tools, prompt)
    if best is None and choice["type"] == "any":
        best = tools[0]
    return best


def _schema(task: Mapping[str, Any], system: str, prompt: str) -> tuple[Any, str]:
    """Give the schema that the answer has to fit, and the prompt without it."""
    given = task.get("jsonSchema")
    if given is not None:
        return (msgspec.json.decode(given) if isinstance(given, str) else given), prompt
    schema, _ = _schema_in_system(system)
    if schema is not None:
        return schema, prompt
    return _schema_in(prompt)


@lru_cache(maxsize=256)
def _schema_in_system(text: str) -> tuple[Any, str]:
    return _schema_in(text)


def _schema_in(text: str) -> tuple[Any, str]:
    """Find the first JSON Schema in a text; give it and the text without it."""
    tag = _OPENING.search(text)
    head = text[: tag.start() if tag else MAX_SCHEMA_SEARCH]
    sign = _SCHEMA_SIGN.search(head)
    if sign is None:
        return None, text
    starts = [place for place, c in enumerate(head[: sign.start()]) if c == "{"][:MAX_BRACES]
    for start in starts:
        try:
            value, end = _scan.raw_decode(head, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and end > sign.start():
            return value, f"{text[:start]}\n{text[end:]}"
    return None, text


def _free_text(system: str, prompt: str, document: str) -> str:
    for text in (system, prompt.replace(document, "") if document != prompt else prompt):
        instructions = text[:MAX_INSTRUCTIONS]
        match = _LABELS.search(instructions)
        if match is not None:
            labels = [part.strip().removeprefix("or ") for part in re.split(r"[,|;]", match[1])][:MAX_LABELS]
            return best_label(labels, instructions, document) or labels[-1]
    return first_sentence(document) or "The document is empty."
