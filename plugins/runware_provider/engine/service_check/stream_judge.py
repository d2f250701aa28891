"""What the bytes of a stream say of the assumption about streams. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.replies import decode
from runware_provider.engine.service_check.findings import differs, holds
from runware_provider.engine.service_check.heard import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.service_check.findings import Finding
    from runware_provider.engine.service_check.heard import Heard

DONE: Final = "[DONE]"
SHOWN: Final = 3
"""Frames whose shape is kept: from the first on, and as many from the last back."""


def events(content: bytes) -> Iterator[str]:
    """The data of each event of a stream, its lines joined; comments and other fields are left out."""
    lines: list[str] = []
    for line in content.decode("utf-8-sig", errors="replace").splitlines():
        if line.startswith("data:"):
            lines.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def joined(content: bytes) -> dict[str, Any]:
    """The item that a stream adds up to: what its frames say, later ones over earlier ones, `text` of all pieces."""
    item: dict[str, Any] = {}
    pieces: list[str] = []
    for frame in _frames(content):
        delta = frame.get("delta")
        piece = delta.get("text") if isinstance(delta, dict) else None
        if isinstance(piece, str):
            pieces.append(piece)
        item.update({name: value for name, value in frame.items() if name != "delta" and value is not None})
    return {**item, "text": "".join(pieces)} if pieces else item


def _frames(content: bytes) -> list[dict[str, Any]]:
    decoded = [decode(event.encode(errors="replace")) for event in events(content) if event != DONE]
    inner = [
        frame["data"] if isinstance(frame, dict) and isinstance(frame.get("data"), dict) else frame
        for frame in decoded
    ]
    return [frame for frame in inner if isinstance(frame, dict)]


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
    return holds("stream", f"{len(frames)} frames, a finish reason, usage, cost, {DONE}", shape)


def _complaint(heard: Heard, frames: list[dict[str, Any]], task_uuid: str) -> str | None:
    """What is otherwise, the gravest first; None where all is as assumed."""
    if not frames:
        return f"no frames: {heard.told}"
    item = joined(heard.content)
    missing = [name for name in ("text", "finishReason", "usage", "cost") if name not in item]
    complaints = (
        (f"no frame has {' or '.join(missing)}", bool(missing)),
        (f"the last line is not {DONE}", list(events(heard.content))[-1] != DONE),
        ("no frame names the task", str(item.get("taskUUID", "")).lower() != task_uuid),
    )
    return next((complaint for complaint, applies in complaints if applies), None)
