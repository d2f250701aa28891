"""What a reply brought, beside the phases that it changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.exchange.inference import Inference


def trouble_of(reply: Reply, *, has_no_room: bool = False) -> str:
    """What is wrong with a reply of which nothing can be used, for a person.

    Args:
        reply: from which nothing usable came.
        has_no_room: whether that is what it comes to, also where it does not say so as a whole.
    """
    if 300 <= reply.status < 400:
        return f"HTTP {reply.status}, a redirect, which is not followed"
    if not reply.readable:
        return f"HTTP {reply.status}, and no JSON"
    if has_no_room or reply.throttled:
        return f"HTTP {reply.status}: it has no room"
    return f"HTTP {reply.status}"


class Ended(NamedTuple):
    """An inference that is under way no longer. Who is told of it knows it again by the exact time of its acceptance."""

    accepted_at: float
    """With sync delivery, which has no acceptance, when it was sent."""
    at: float

    @property
    def latency_s(self) -> float:
        """Seconds between the two."""
        return self.at - self.accepted_at


@dataclass
class Effects:
    """What a reply brought, beside the phases that it changed."""

    verdicts: list[tuple[Inference, Entry]] = field(default_factory=list)
    """To be made durable, then to be settled."""
    rejections: list[Entry] = field(default_factory=list)
    answered: list[Ended] = field(default_factory=list)
    """Each answer to what this process sent."""
    ended_otherwise: list[Ended] = field(default_factory=list)
    """Each of the others that the API is done with: they ended in an error."""
    accepted: int = 0
    """Tasks that the API has taken now."""
    accepted_at: float = 0.0
    """When that was, as each of them has it in `Inference.since`."""
    refused: int = 0
    """Tasks for which it had no room."""
    usable: bool = False
    """The API said something that could be understood, other than that it has no room."""
    throttled: bool = False
    """It said that it has no room, and nothing else: it is there, and does nothing."""
    stop: JobStopped | None = None
    trouble: str | None = None
    """What went wrong where nothing usable came, for a person."""
    remedy: str = ""
    """What to do about that, in a sentence; empty where nothing is known to help."""
    is_of_the_api: bool = True
    """Whether it came from the API, or failed to: what lies in an inbox says nothing of whether the API can be reached."""
    sent_at: float | None = None
    """When the request was handed over; None for one that sends no tasks."""
    chunk: Sequence[Inference] = field(default=(), repr=False)
    """What the reply was about: its messages may quote their prompts."""
