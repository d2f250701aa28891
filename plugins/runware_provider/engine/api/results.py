"""A finished item in one shape: its text, its calls, its tokens, its cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.api.redact import one_line, storable
from runware_provider.engine.api.reported_numbers import (
    MOST_COST_USD,
    MOST_TOKENS,
    number_in,
    whole_number_in,
)
from runware_provider.engine.api.request_bodies import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_FINISH_CHARS = 64
UNFINISHED = ("processing", "queued", "pending", "running", "started", "inProgress", "in_progress")


def status_of(item: Mapping[str, Any]) -> str:
    """The status where it is a word."""
    status = item.get("status")
    return status if isinstance(status, str) else ""


def objects(held: Any) -> Iterable[Mapping[str, Any]]:
    """The objects of a list, or the one that stands without a list."""
    return [one for one in (held if isinstance(held, list) else [held]) if isinstance(one, dict)]


def is_finished(item: Mapping[str, Any]) -> bool:
    """A finished item may lack `status`: a text or tool calls end it, and so does a finish reason."""
    status = status_of(item)
    if status in UNFINISHED:
        return False
    if status == "success":
        return True
    return holds_answer(item)


def holds_answer(item: Mapping[str, Any]) -> bool:
    """Whether there is a text, a call, or a reason why there is none."""
    return item.get("text") is not None or bool(_raw_calls(item)) or item.get("finishReason") is not None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the API counted them; nothing where it did not say."""

    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished item says, in one shape."""

    text: str | None = field(repr=False)
    calls: tuple[tuple[str, Any], ...] = field(repr=False)
    """Name and arguments of each tool call; the arguments as they came, an object or a string."""
    finish_reason: str | None
    reasoning: str | None = field(default=None, repr=False)
    """What the model thought, where the API tells it apart from the text."""


def read_result(item: Mapping[str, Any]) -> Result:
    """What a finished item says, in whichever of the known shapes it came; what it cost, `usage_of` and `cost_of` tell."""
    finish = item.get("finishReason")
    return Result(
        text=_text_of(item.get("text")),
        calls=tuple(_raw_calls(item)),
        finish_reason=one_line(finish, MOST_FINISH_CHARS) if finish is not None else None,
        reasoning=_reasoning_of(item.get("reasoningContent")),
    )


def _reasoning_of(reasoning: object) -> str | None:
    """A text, or a list of texts."""
    pieces = reasoning if isinstance(reasoning, list) else [reasoning]
    return "".join(piece for piece in pieces if isinstance(piece, str)) or None


def _text_of(text: object) -> str | None:
    """The text; as JSON where it came as something else."""
    if text is None or isinstance(text, str):
        return text
    try:
        return encoded(text).decode()
    except RecursionError:
        return None


def cost_of(item: Mapping[str, Any]) -> float | None:
    """USD of a result or of an error; None where none was reported, or none that can be."""
    return number_in(item.get("cost"), MOST_COST_USD)


def _raw_calls(item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """No source shows the shape of a call: `tools` or `toolCalls`, flat or OpenAI's nested `function`."""
    return _calls_of(item.get("tools")) or _calls_of(item.get("toolCalls"))


def _calls_of(told: Any) -> list[tuple[str, Any]]:
    if told is None:
        return []
    calls: list[tuple[str, Any]] = []
    for call in objects(told):
        inner = call["function"] if isinstance(call.get("function"), dict) else call
        arguments: Any = inner.get("input")
        if arguments is None:
            arguments = inner.get("arguments", {})
        calls.append((storable(inner.get("name") or ""), arguments))
    return calls


def usage_of(item: Mapping[str, Any]) -> Usage:
    """Tokens of a finished item, in whichever of the known shapes they came."""
    usage = item.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("promptTokensDetails")
    nested = details if isinstance(details, dict) else {}
    return Usage(
        prompt=_count(usage.get("promptTokens"), usage.get("inputTokens")),
        cached=_count(
            usage.get("cachedTokens"),
            usage.get("cachedPromptTokens"),
            usage.get("cachedInputTokens"),
            usage.get("promptCacheHitTokens"),
            nested.get("cachedTokens"),
        ),
        completion=_count(usage.get("completionTokens"), usage.get("outputTokens")),
    )


def _count(*candidates: object) -> int | None:
    """The first of the candidates that is a number of tokens."""
    for candidate in candidates:
        # Most of the names are those of other shapes: every answer comes by here.
        if candidate is None:
            continue
        count = whole_number_in(candidate, MOST_TOKENS)
        if count is not None:
            return count
    return None
