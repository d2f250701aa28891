"""What is waited for, and since when: for the line that tells how far a job is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.exchange.inference import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runware_provider.engine.exchange.inference import Inference

ANSWERS = "answers"
REPLIES = "replies to what was sent"
WHETHER_SENT = "word whether they arrived"
ROOM = "room at the API"


@dataclass(frozen=True)
class Wait:
    """Inferences that wait for the same."""

    what: str
    inferences: int
    longest_s: float
    """Of the one that has waited for longest."""


def waits(inferences: Iterable[Inference], now: float) -> list[Wait]:
    """What the inferences under way wait for, the longest wait first."""
    longest: dict[str, float] = {}
    numbers: dict[str, int] = {}
    for what, since in _waited_for(inferences):
        numbers[what] = numbers.get(what, 0) + 1
        longest[what] = max(longest.get(what, 0.0), now - since)
    found = [Wait(what, numbers[what], longest[what]) for what in numbers]
    return sorted(found, key=lambda wait: -wait.longest_s)


def _waited_for(inferences: Iterable[Inference]) -> Iterator[tuple[str, float]]:
    for inference in inferences:
        if inference.phase is Phase.SENDING and inference.sent_at is not None:
            yield REPLIES, inference.sent_at
        elif inference.phase is Phase.READY and inference.no_room_since is not None:
            yield ROOM, inference.no_room_since
        elif inference.phase in {Phase.SENDING, Phase.READY, Phase.SETTLING, Phase.DONE}:
            continue
        elif inference.accepted:
            yield ANSWERS, inference.since
        elif inference.doubted_at is not None:
            yield WHETHER_SENT, inference.doubted_at
