"""How a model is made to answer with the fields asked for: natively, by its JSON mode, by a tool that it must call, or by the prompt.

Which models have JSON mode (`outputFormat: "JSON"` with `jsonSchema`) is the vendor's SDK 1.8.0 table; the page
of deepseek-v4-pro allows only `TEXT`, so there a forced tool is the way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from runware_provider.engine.api.schema_restating import restated
from runware_provider.engine.errors import BadInput
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.engine.tools import ToolChoice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.answers import OutputMode
    from runware_provider.engine.tools import Tool

_JSON_MODE = ModelProfile(json_schema=True)
KNOWN_MODELS: Mapping[str, ModelProfile] = {
    "claude-fable-5": _JSON_MODE,
    "deepseek-v4-flash": _JSON_MODE,
    "deepseek-v4-pro": ModelProfile(
        json_schema=False, tools=True, default_max_tokens=32_768, max_tokens=100_000
    ),
    "gemini-3.1-flash-lite": _JSON_MODE,
    "gemini-3.5-flash": _JSON_MODE,
    "gpt-5-mini": _JSON_MODE,
    "gpt-5-nano": _JSON_MODE,
    "gpt-5.5": _JSON_MODE,
    "kimi-k2.6": _JSON_MODE,
}
"""Which keywords of JSON Schema they take is documented for none of them, so all are sent."""
ASKED_IN_PROMPT = "Answer with one JSON object and nothing else: no explanation, no code fence. It must be valid against this JSON Schema:\n"
SYSTEM_PROMPT_MAX = 900_000
_FIELD = "answers.output_mode"
_VERSION = r"(-(v?\d+(\.\d+)*|latest|preview))*"
"""What may follow a model's name without making it another model."""

Reading = Literal["text", "json", "arguments", "calls"]


@dataclass(frozen=True)
class Forced:
    """What the output mode adds to every request, and where the answer is then found."""

    reading: Reading
    """`text` as it is, `json` in the text, the `arguments` of one forced call, or all `calls`."""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Top-level fields of the task."""
    system_prompt: str | None = field(default=None, repr=False)
    tool_name: str | None = None
    calls_required: bool = False


def known_profile(model: str) -> ModelProfile | None:
    """What this model can do; nothing for a model that is in no table."""
    names = re.split(r"[:/@]", model.strip().lower())
    for known, profile in KNOWN_MODELS.items():
        if any(re.fullmatch(re.escape(known) + _VERSION, name) for name in names):
            return profile
    return None


def profile_of(model: str, said: ModelProfile | None) -> ModelProfile | None:
    """What this model can do: what the user says, and the table where the user says nothing.

    Args:
        model: the API's name.
        said: by the user.
    """
    known = known_profile(model)
    return known if said is None else said.or_else(known)


def chosen_mode(wished: OutputMode, model: str, profile: ModelProfile | None) -> OutputMode:
    """The output mode that is taken: native before a tool before the prompt, where the user leaves it open.

    A model of which nothing is known is given a tool; what is not known to be missing may be wished for.

    Args:
        wished: by the user.
        model: named in the refusal.
        profile: what the model can do, as far as it is known.

    Raises:
        BadInput: the model is known not to have the wished one.
    """
    if wished == "auto":
        return _best_mode(profile)
    if profile is None:
        return wished
    if wished == "native" and profile.json_schema is False:
        others = "'prompt'" if profile.tools is False else "'tool' or 'prompt'"
        raise BadInput(_FIELD, f"{model} has no JSON mode", f"Use {others}, or leave it at 'auto'")
    if wished == "tool" and profile.tools is False:
        raise BadInput(_FIELD, f"{model} has no tools", "Use 'prompt', or leave it at 'auto'")
    return wished


def _best_mode(profile: ModelProfile | None) -> OutputMode:
    if profile is None:
        return "tool"
    if profile.json_schema:
        return "native"
    return "prompt" if profile.tools is False else "tool"


def force_schema(  # noqa: PLR0913 - the request's parts that bear on it, and no others
    wished: OutputMode,
    model: str,
    system_prompt: str | None,
    schema: Mapping[str, Any],
    title: str,
    *,
    profile: ModelProfile | None = None,
) -> Forced:
    """The request fields that make the model answer with an object of this schema.

    Keywords that the model does not take are sent in words; in the prompt, all of it is words.

    Args:
        wished: by the user.
        model: looked up in the table.
        system_prompt: the user's.
        schema: inlined; not changed.
        title: names the tool.
        profile: what the user says that the model can do; it outweighs the table where it says something.

    Raises:
        BadInput: the model is known not to have the wished output mode, or the schema does not fit into the prompt.
    """
    profile = profile_of(model, profile)
    chosen = chosen_mode(wished, model, profile)
    if chosen == "prompt":
        return _asked_in_prompt(system_prompt, schema)
    sent = restated(schema, profile.unsupported if profile else ())
    if chosen == "native":
        return Forced("json", {"outputFormat": "JSON", "jsonSchema": sent}, system_prompt)
    name = tool_name(title)
    tool: dict[str, Any] = {"type": "function", "name": name}
    tool["description"] = str(sent.get("description") or "Give the answer by calling this function.")
    tool["schema"] = sent
    fields = {"tools": [tool], "toolChoice": {"type": "tool", "name": name}}
    return Forced("arguments", fields, system_prompt, tool_name=name, calls_required=True)


def _asked_in_prompt(system_prompt: str | None, schema: Mapping[str, Any]) -> Forced:
    asked = ASKED_IN_PROMPT + json.dumps(schema, ensure_ascii=False)
    joined = f"{system_prompt}\n\n{asked}" if system_prompt else asked
    if len(joined) > SYSTEM_PROMPT_MAX:
        raise BadInput(
            "system_prompt",
            f"with the schema it has {len(joined)} characters, the API takes {SYSTEM_PROMPT_MAX}",
            "Shorten it, or force a tool",
        )
    return Forced("json", {}, joined)


def offer_tools(
    tools: tuple[Tool, ...],
    choice: ToolChoice | None,
    system_prompt: str | None,
    *,
    profile: ModelProfile | None = None,
) -> Forced:
    """The request fields that offer the user's own tools.

    Tools that the vendor runs leave no call to read: with none but those, the answer is a text.

    Args:
        tools: in the order in which they are sent.
        choice: how the model picks; it may pick none if nothing is said.
        system_prompt: the user's.
        profile: what the model can do; keywords that it does not take are sent in words.
    """
    picked = choice or ToolChoice(type="auto")
    sent = [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]
    if profile is not None and profile.unsupported:
        for tool in sent:
            if "schema" in tool:
                tool["schema"] = restated(tool["schema"], profile.unsupported)
    fields = {"tools": sent, "toolChoice": picked.model_dump(exclude_none=True)}
    if picked.type == "none" or all(tool.type != "function" for tool in tools):
        return Forced("text", fields, system_prompt)
    return Forced("calls", fields, system_prompt, picked.name, calls_required=picked.type in {"any", "tool"})


def tool_name(title: str) -> str:
    """A name that the API takes for a tool: letters, digits, hyphens, underscores, at most 64."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_")[:64]
    return name or "answer"
