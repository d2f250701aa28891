"""How a structured answer is forced: by JSON mode, by a forced tool, or by asking in the prompt.

Which models have JSON mode (`outputFormat: "JSON"` with `jsonSchema`) is the vendor's SDK 1.8.0 table; the page
of deepseek-v4-pro allows only `TEXT`, so there a forced tool is the way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Forcing, Tool, ToolChoice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON_MODE_MODELS = (
    "claude-fable-5",
    "deepseek-v4-flash",
    "gemini-3.1-flash-lite",
    "gemini-3.5-flash",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-5.5",
    "kimi-k2.6",
)
TOOL_MODELS = ("deepseek-v4-pro",)
ASKED_IN_PROMPT = "Answer with one JSON object and nothing else: no explanation, no code fence. It must be valid against this JSON Schema:\n"
SYSTEM_PROMPT_MAX = 900_000
_VERSION = r"(-(v?\d+(\.\d+)*|latest|preview))*"
"""What may follow a model's name without making it another model."""

Reading = Literal["text", "json", "arguments", "calls"]


@dataclass(frozen=True)
class Forced:
    """What forcing adds to every request, and where the answer is then found."""

    reading: Reading
    """`text` as it is, `json` in the text, the `arguments` of one forced call, or all `calls`."""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Top-level fields of the task."""
    system_prompt: str | None = field(default=None, repr=False)
    tool_name: str | None = None
    calls_required: bool = False


def known_forcing(model: str) -> Literal["json_schema", "tool"] | None:
    """What this model is known to do; nothing for a model that is in no table."""
    names = re.split(r"[:/@]", model.strip().lower())
    if _is_one_of(names, TOOL_MODELS):
        return "tool"
    return "json_schema" if _is_one_of(names, JSON_MODE_MODELS) else None


def _is_one_of(names: Sequence[str], known: Sequence[str]) -> bool:
    return any(re.fullmatch(re.escape(one) + _VERSION, name) for one in known for name in names)


def force_schema(
    forcing: Forcing, model: str, system_prompt: str | None, schema: Mapping[str, Any], title: str
) -> Forced:
    """The request fields that make the model answer with an object of this schema.

    Raises:
        BadInput: the model is known not to have the wished way, or the schema does not fit into the prompt.
    """
    known = known_forcing(model)
    if forcing == "json_schema" and known == "tool":
        raise BadInput(
            "forcing", f"{model} has no JSON mode", "Use forcing='tool' or 'prompt', or leave it at 'auto'"
        )
    chosen = (known or "tool") if forcing == "auto" else forcing
    if chosen == "json_schema":
        return Forced("json", {"outputFormat": "JSON", "jsonSchema": dict(schema)}, system_prompt)
    if chosen == "prompt":
        asked = ASKED_IN_PROMPT + json.dumps(schema, ensure_ascii=False)
        joined = f"{system_prompt}\n\n{asked}" if system_prompt else asked
        if len(joined) > SYSTEM_PROMPT_MAX:
            raise BadInput(
                "system_prompt",
                f"with the schema it has {len(joined)} characters, the API takes {SYSTEM_PROMPT_MAX}",
                "Shorten it, or force a tool",
            )
        return Forced("json", {}, joined)
    name = tool_name(title)
    tool: dict[str, Any] = {"type": "function", "name": name}
    tool["description"] = str(schema.get("description") or "Give the answer by calling this function.")
    tool["schema"] = dict(schema)
    fields = {"tools": [tool], "toolChoice": {"type": "tool", "name": name}}
    return Forced("arguments", fields, system_prompt, tool_name=name, calls_required=True)


def offer_tools(tools: tuple[Tool, ...], choice: ToolChoice | None, system_prompt: str | None) -> Forced:
    """The request fields that offer the user's own tools.

    Tools that the vendor runs leave no call to read: with none but those, the answer is a text.
    """
    picked = choice or ToolChoice(type="auto")
    sent = [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]
    fields = {"tools": sent, "toolChoice": picked.model_dump(exclude_none=True)}
    if picked.type == "none" or all(tool.type != "function" for tool in tools):
        return Forced("text", fields, system_prompt)
    return Forced("calls", fields, system_prompt, picked.name, calls_required=picked.type in {"any", "tool"})


def tool_name(title: str) -> str:
    """A name that the API takes for a tool: letters, digits, hyphens, underscores, at most 64."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_")[:64]
    return name or "answer"
