"""What a finished item says of the assumptions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs

from runware_provider.engine.api.results import cost_of, read_result, status_of, usage_of
from runware_provider.engine.money import usd
from runware_provider.engine.service_check.findings import differs, holds, judged, unseen
from runware_provider.engine.service_check.heard import shape_of
from runware_provider.engine.service_check.questions import SCHEMA, TOOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.service_check.findings import Finding

ANSWER = ("sync-reply", "plain-text", "finished-status", "reasoning-shape", "cost-reported", "usage-reported")
"""What an answer in text shows."""
CALL = ("forced-tool", "tool-call-shape")
"""What a call shows."""


def judge_answer(item: Mapping[str, Any]) -> list[Finding]:
    """The finished item of a question that is answered in text."""
    shape = shape_of(item)
    return [
        _judge_text(item, shape),
        _judge_plainness(item, shape),
        _judge_status(item, shape),
        _judge_reasoning(item, shape),
        _judge_cost(item, shape),
        _judge_usage(item, shape),
    ]


def _judge_text(item: Mapping[str, Any], shape: Any) -> Finding:
    text, finish = item.get("text"), item.get("finishReason")
    if not isinstance(text, str) or not text.strip():
        kind = "empty" if isinstance(text, str) else type(text).__name__
        return differs("sync-reply", f"`text` is {kind}, finished by {_word(finish)}", shape)
    if not isinstance(finish, str):
        return differs("sync-reply", "there is no `finishReason`", shape)
    # The question is answered with a word: who stops for its length was cut, or thought aloud.
    complaint = None if finish == "stop" else f"finished by {_word(finish)} and not by stop"
    return judged("sync-reply", complaint, "a text, finished by stop", shape)


def _judge_plainness(item: Mapping[str, Any], shape: Any) -> Finding:
    text = item.get("text")
    if not isinstance(text, str):
        return unseen("plain-text", "there is no text")
    if "<think>" in text:
        return differs("plain-text", "the text begins with <think>", shape)
    if "```" in text:
        return differs("plain-text", "the text stands in a code fence", shape)
    return holds("plain-text", "no thoughts and no fence in it")


def _judge_status(item: Mapping[str, Any], shape: Any) -> Finding:
    status = status_of(item)
    complaint = None if status == "success" else f"`status` is {_word(status or None)}"
    return judged("finished-status", complaint, "`status` is success", shape)


def _judge_reasoning(item: Mapping[str, Any], shape: Any) -> Finding:
    reasoning = item.get("reasoningContent")
    if reasoning is None:
        return holds("reasoning-shape", "there is none")
    is_text = isinstance(reasoning, str)
    return judged(
        "reasoning-shape", None if is_text else f"it is a {type(reasoning).__name__}", "it is a text", shape
    )


def _judge_cost(item: Mapping[str, Any], shape: Any) -> Finding:
    cost = cost_of(item)
    if cost is None:
        return differs("cost-reported", "there is no `cost` that can be read", shape)
    if isinstance(item["cost"], str):
        return differs("cost-reported", f"`cost` is a text: {usd(cost)}", shape)
    return holds("cost-reported", usd(cost), shape)


def _judge_usage(item: Mapping[str, Any], shape: Any) -> Finding:
    usage = item.get("usage")
    tokens = tokens_of(item)
    if not isinstance(usage, dict) or tokens is None:
        return differs("usage-reported", "there is no `usage` that can be read", shape)
    told = f"{tokens[0]} tokens in, {tokens[1]} out"
    counts = [usage.get("promptTokens"), usage.get("completionTokens")]
    if None in counts:
        return differs("usage-reported", f"by other names: {told}", shape)
    if any(isinstance(count, str) for count in counts):
        return differs("usage-reported", f"as texts: {told}", shape)
    return holds("usage-reported", told, shape)


def tokens_of(item: Mapping[str, Any]) -> tuple[int, int] | None:
    """Tokens in and out, as reported; None where one of them is not."""
    usage = usage_of(item)
    if usage.prompt is None or usage.completion is None:
        return None
    return usage.prompt, usage.completion


def judge_call(item: Mapping[str, Any]) -> list[Finding]:
    """The finished item of a question that forces a tool."""
    shape = shape_of(item)
    calls = read_result(item).calls
    if not calls:
        finish = f"no call that can be read, finished by {_word(item.get('finishReason'))}"
        where = "there is no call"
        return [differs("forced-tool", finish, shape), unseen("tool-call-shape", where, shape)]
    return [_judge_arguments(calls, shape), _judge_call_shape(item, shape)]


def _judge_arguments(calls: tuple[tuple[str, Any], ...], shape: Any) -> Finding:
    if len(calls) > 1:
        return differs("forced-tool", f"{len(calls)} calls", shape)
    name, arguments = calls[0]
    if name != TOOL:
        return differs("forced-tool", "another tool was called", shape)
    if isinstance(arguments, str):
        return holds("forced-tool", "one call; its arguments are a JSON text", shape)
    if not jsonschema_rs.is_valid(SCHEMA, arguments):
        return differs("forced-tool", "the arguments do not fit the schema", shape)
    return holds("forced-tool", "one call, whose arguments fit", shape)


def _judge_call_shape(item: Mapping[str, Any], shape: Any) -> Finding:
    tools = item.get("tools")
    if not isinstance(tools, list) or not tools:
        return differs("tool-call-shape", "calls stand in `toolCalls`, or in no list", shape)
    call = tools[0]
    if isinstance(call.get("function"), dict):
        return differs("tool-call-shape", "name and arguments stand in `function`", shape)
    if not isinstance(call.get("input"), dict):
        where = "a text in `arguments`" if isinstance(call.get("arguments"), str) else "not in `input`"
        return differs("tool-call-shape", f"the arguments are {where}", shape)
    complaint = None if isinstance(call.get("id"), str) else "a call has no `id`"
    return judged("tool-call-shape", complaint, "`tools: [{id, name, input}]`", shape)


def _word(value: object) -> str:
    """A word of the API as it may be shown, or that there is none."""
    return "nothing" if value is None else str(shape_of(value, "status"))
