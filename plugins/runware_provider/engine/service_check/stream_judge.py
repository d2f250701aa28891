"""What the bytes of a stream say of the assumption about streams. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.event_stream import EventStream
from runware_provider.engine.api.replies import decode
from runware_provider.engine.api.reply_bytes import ReplyBroken, ReplyTooLarge
from runware_provider.engine.api.results import objects
from runware_provider.engine.api.streamed_reply import DONE, StreamedReply
from runware_provider.engine.service_check.findings import differs, holds
from runware_provider.engine.service_check.heard import Heard, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.service_check.findings import Finding

SHOWN: Final = 3
"""Frames whose shape is kept: from the first on, and as many from the last back."""


def events(content: bytes) -> list[bytes]:
    """The data of each event of a stream, read as the engine reads it."""
    stream = EventStream()
    whole = list(stream.events(content))
    rest = stream.rest()
    return whole if rest is None else [*whole, rest]


def joined(content: bytes) -> dict[str, Any]:
    """The fields of all frames of a stream beside their pieces of text; of each the last one counts."""
    item: dict[str, Any] = {}
    for frame in _frames(content):
        item.update({name: value for name, value in frame.items() if name != "delta" and value is not None})
    return item


def _frames(content: bytes) -> list[Mapping[str, Any]]:
    frames: list[Mapping[str, Any]] = []
    for event in events(content):
        for frame in objects(decode(event)):
            # An older API wraps frames in `data`: one, or a list of them.
            frames += list(objects(frame.get("data"))) or [frame]
    return frames


def tells_error(heard: Heard) -> bool:
    """Whether a frame says that something went wrong, which is a word about the task and not about streams."""
    item = joined(heard.content)
    return "error" in item or "errors" in item


def judge_stream(heard: Heard, task_uuid: str) -> Finding:
    """The reply to a task that is to be streamed, whole."""
    frames = _frames(heard.content)
    shape = [shape_of(frame) for frame in (*frames[:SHOWN], *frames[SHOWN:][-SHOWN:])]
    complaint = _complaint(heard, frames, task_uuid)
    if complaint is not None:
        return differs("stream", complaint, shape or heard.shape)
    return holds("stream", f"{len(frames)} frames, a finish reason, usage, cost, {DONE.decode()}", shape)


def _complaint(heard: Heard, frames: list[Mapping[str, Any]], task_uuid: str) -> str | None:
    """What is otherwise, the gravest first; None where all is as assumed."""
    if not frames:
        return f"no frames: {heard.told}"
    item = joined(heard.content)
    missing = [name for name in ("finishReason", "usage", "cost") if name not in item]
    if not any(map(_has_text, frames)):
        missing.insert(0, "text")
    if missing:
        return f"no frame has {' or '.join(missing)}"
    if events(heard.content)[-1].strip() != DONE:
        return f"the last line is not {DONE.decode()}"
    if str(item.get("taskUUID", "")).lower() != task_uuid:
        return "no frame names the task"
    return _complaint_of_the_engine(heard, task_uuid)


def _has_text(frame: Mapping[str, Any]) -> bool:
    delta = frame.get("delta")
    return isinstance(delta, dict) and delta.get("text") is not None


def _complaint_of_the_engine(heard: Heard, task_uuid: str) -> str | None:
    """Why a job would take the same bytes for no answer; None where it would take them for one."""
    reply = StreamedReply(task_uuid, heard.status, "", lambda _: None)
    try:
        reply.add(heard.content)
        body = reply.body()
    except (ReplyBroken, ReplyTooLarge) as error:
        return str(error)
    is_read = task_uuid in Heard(heard.status, body).submission.results
    return None if is_read else "no answer can be read out of it"
