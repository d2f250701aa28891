"""What is waited for, and since when: for the line that tells how far a job is. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.engine.exchange.inference import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runware_provider.engine.exchange.inference import Inference

ANSWERS = "answers"
REPLIES = "replies to what was sent"
WHETHER_SENT = "word whether they arrived"
ROOM = "room at the API"
AGES_S: Final = (10.0, 30.0, 60.0, 300.0, 1_800.0)
"""By which stragglers are told apart."""


@dataclass(frozen=True)
class Wait:
    """Inferences that wait for the same."""

    what: str
    inferences: int
    longest_s: float
    """Of the one that has waited for longest."""
    older: tuple[tuple[float, int], ...] = ()
    """Of `AGES_S` those that any has waited for, with how many have waited for longer than that."""


def waits(inferences: Iterable[Inference], now: float) -> list[Wait]:
    """What the inferences under way wait for, the longest wait first."""
    begun: dict[str, list[float]] = {}
    for what, since in _waited_for(inferences):
        begun.setdefault(what, []).append(since)
    found = [_wait(what, sorted(begins), now) for what, begins in begun.items()]
    return sorted(found, key=lambda wait: -wait.longest_s)


def _wait(what: str, begins: Sequence[float], now: float) -> Wait:
    """Of inferences that wait for the same, by when they began to, in order."""
    counts = [(age_s, bisect_left(begins, now - age_s)) for age_s in AGES_S]
    older = tuple((age_s, inferences) for age_s, inferences in counts if inferences)
    return Wait(what, len(begins), max(0.0, now - begins[0]), older)


def _waited_for(inferences: Iterable[Inference]) -> Iterator[tuple[str, float]]:
    # Ten thousand are gone through each second, and to look a member of an Enum up takes longer than all the rest.
    sending, ready, settling, done = Phase.SENDING, Phase.READY, Phase.SETTLING, Phase.DONE
    for inference in inferences:
        phase = inference.phase
        if phase is sending:
            if inference.sent_at is not None:
                yield REPLIES, inference.sent_at
        elif phase is ready:
            if inference.no_room_since is not None:
                yield ROOM, inference.no_room_since
        elif phase is settling or phase is done:
            continue
        elif inference.accepted:
            yield ANSWERS, inference.since
        elif inference.doubted_at is not None:
            yield WHETHER_SENT, inference.doubted_at
