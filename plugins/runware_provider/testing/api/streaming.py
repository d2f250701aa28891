"""A streamed answer: the events that it consists of, and when each is due.

Frames are those of the contract's section 10: a few tokens each, then one with the finish reason, usage and cost, then
`[DONE]`. A task that ends in an error has a frame with the error, and nothing after it.
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from runware_provider.testing.api.reply import scripted_refusal
from runware_provider.testing.api.usage import CHARACTERS_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runware_provider.testing.api.faults import Fault
    from runware_provider.testing.api.tasks import Task

MEDIA_TYPE = "text/event-stream"
COMMENT = b": keep-alive\n\n"
TOKENS_PER_FRAME = 4
MOST_FRAMES = 200
"""Of a text: a long one comes in larger pieces."""
DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class StreamResponse(Response):
    """A task's stream, as a response whose body is the whole of it.

    Args:
        task: the accepted task.
        faults: those that fire for it, by kind.
        request_faults: those that fire for its request, by kind.
    """

    def __init__(self, task: Task, faults: Mapping[str, Fault], request_faults: Mapping[str, Fault]) -> None:
        events = list(_events(task, "unknown_item" in request_faults))
        self.begins = task.accepted
        self.ends = task.finish
        self.is_cut = "cut_stream" in faults
        self.stalls = "stall_stream" in faults
        if self.is_cut or self.stalls or "error_frame" in faults:
            events = events[: len(events) // 2]
        if "error_frame" in faults:
            refusal = scripted_refusal(faults["error_frame"], "providerError")
            events.append(_event({"errors": [refusal.body("textInference")]}))
        self.events = events
        super().__init__(b"".join(events), 200, {"cache-control": "no-cache"}, MEDIA_TYPE)

    def timed(self) -> Iterator[tuple[float, bytes]]:
        """Each event, and when it is due by the server's clock: evenly, as the task runs, the last ones at its end."""
        for place, event in enumerate(self.events, 1):
            share = min(1.0, place / max(1, len(self.events) - 2))
            # Of a task that never ends, not even the first is due.
            due = self.begins + share * (self.ends - self.begins) if math.isfinite(self.ends) else math.inf
            yield due, event


def _events(task: Task, with_strangers: bool) -> Iterator[bytes]:  # noqa: FBT001 - a fault fires or does not
    data, errors = task.outcome(math.inf)
    if with_strangers:
        yield _event(_frame(str(uuid.uuid4()), {"text": "of a task that nobody sent"}))
    for item in map(_decode, data):
        # A failed task, in the shape in which some stand among the data.
        if "error" in item:
            yield _event(item)
            return
        yield from _events_of_item(item)
    for error in errors:
        yield _event({"errors": [error]})
    if not errors:
        yield DONE


def _events_of_item(item: Mapping[str, Any]) -> Iterator[bytes]:
    reasoning = item.get("reasoningContent") or []
    for step in reasoning if isinstance(reasoning, list) else [reasoning]:
        for piece in _pieces(step):
            told = [piece] if isinstance(reasoning, list) else piece
            yield _event(_frame(item["taskUUID"], {"reasoningContent": told}))
    for piece in _pieces(item["text"] or ""):
        yield _event(_frame(item["taskUUID"], {"text": piece}))
    last = {name: item[name] for name in ("finishReason", "usage", "cost", "seed") if name in item}
    yield _event(_frame(item["taskUUID"], {}) | last)


def _frame(task_uuid: str, delta: Mapping[str, Any]) -> dict[str, Any]:
    return {"taskUUID": task_uuid, "taskType": "textInference", "delta": delta}


def _pieces(text: str) -> Iterator[str]:
    size = max(TOKENS_PER_FRAME * CHARACTERS_PER_TOKEN, math.ceil(len(text) / MOST_FRAMES))
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _event(frame: Mapping[str, Any]) -> bytes:
    return b"data: " + _encode(frame) + b"\n\n"
