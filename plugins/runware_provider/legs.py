"""The legs of a task that gives its worker back while it waits: what one hands to the next, and how long it waits. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runware_provider.engine.job.leg import AllSent

MOST_LEGS: Final = 4
"""Of one try of a task. The last one stays on its worker: each costs a start, and reads the source anew."""
WORTH_S: Final = 60.0
"""Seconds for which the answers have to be expected to stay away."""
QUIET_S: Final = 15.0
"""For which a trigger says nothing: Airflow may fail a task whose trigger fires within seconds of its deferral."""
SAMPLE: Final = 64
"""Inferences that a trigger asks for, in one request."""
SHARE: Final = 0.9
"""Of them, which are answered before the task goes on: at half, it would go on twice as often."""
LOOKS: Final = 20
"""In the time that the answers are expected to take."""
SOONEST_LOOK_S: Final = 10.0
LATEST_LOOK_S: Final = 30.0
LATE_CALLS: Final = 3.0
"""Times as long as about half of the answers should take: what the vendor has not brought by then, he is asked for."""
SOONEST_OVERDUE_S: Final = 60.0
GRACE_S: Final = 600.0
"""By which Airflow's own timeout of a deferral is later than ours, which ends better."""


class Why(StrEnum):
    """Why a trigger fires."""

    ANSWERS = "answers"
    """Most of the answers are there."""
    DEADLINE = "deadline"
    """Nobody waits any longer."""
    TROUBLE = "trouble"
    """The API cannot be asked, or will not answer; a worker meets the same, and can say what to do."""


@dataclass(frozen=True)
class Handover:
    """What a leg hands to the next one, by way of the trigger and its event: Airflow's database holds it in plain text.

    Args:
        legs: that have ended.
        begun: when the first leg began, in seconds since 1970.
        published: the version of the manifest that the first leg found; None where it found none.
    """

    legs: int
    begun: float
    published: str | None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Handover | None:
        """Read it from the event of a trigger, that of an older version too; None where it is not there as a whole."""
        legs, begun, published = (event.get(name) for name in ("legs", "begun", "published"))
        if not isinstance(legs, int) or not isinstance(begun, int | float):
            return None
        return cls(legs, begun, published if isinstance(published, str) else None)

    def told(self) -> dict[str, Any]:
        """Say it as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Wait:
    """What a trigger waits for, and how; all of it lies in Airflow's database in plain text.

    Args:
        task_uuids: a sample of the inferences that are awaited.
        share: of them, which are to be there.
        quiet_s: seconds from its start on in which it says nothing.
        every_s: seconds between two looks.
        overdue_at: in seconds since 1970, when about half of the answers should be there; or, where the vendor brings them,
            when he is asked for those that he has not brought.
        give_up_at: in seconds since 1970, when it waits no longer.
        handover: for the next leg.
        inbox: the folder into which the vendor brings the answers; None where they are asked for.
    """

    task_uuids: list[str]
    share: float
    quiet_s: float
    every_s: float
    overdue_at: float
    give_up_at: float
    handover: dict[str, Any]
    inbox: str | None = None

    def most_s(self, now: float) -> float:
        """Seconds after which Airflow may give it up, since it has not done so itself."""
        return max(0.0, self.give_up_at - now) + self.quiet_s + self.every_s + GRACE_S


def may_leave_again(handover: Handover, event: Mapping[str, Any]) -> bool:
    """Whether the leg that an event begins may leave in its turn.

    Where the trigger had to give up, or could not ask, another one would hardly fare better.
    """
    return event.get("why") == Why.ANSWERS and handover.legs + 1 < MOST_LEGS


def wait_for(  # noqa: PLR0913 - by keyword, each a fact of its own
    sent: AllSent,
    *,
    legs: int,
    begun: float,
    now: float,
    timeout_s: float | None,
    quiet_s: float,
    choose: Callable[[Sequence[str], int], list[str]],
) -> Wait:
    """How to wait for what a leg has left.

    Args:
        sent: what it left.
        legs: that have ended, with this one.
        begun: when the first one began, in seconds since 1970.
        now: the same of now.
        timeout_s: seconds that all legs may take together; None where nobody says.
        quiet_s: of the trigger.
        choose: draws so many at random.
    """
    give_up_at = now + sent.given_up_s
    if timeout_s is not None:
        give_up_at = min(give_up_at, begun + timeout_s)
    return Wait(
        task_uuids=choose(sent.task_uuids, min(SAMPLE, len(sent.task_uuids))),
        share=SHARE,
        quiet_s=quiet_s,
        every_s=min(LATEST_LOOK_S, max(SOONEST_LOOK_S, sent.expected_s / LOOKS)),
        overdue_at=now + _overdue_s(sent),
        give_up_at=give_up_at,
        handover=Handover(legs, begun, sent.published).told(),
        inbox=sent.inbox,
    )


def _overdue_s(sent: AllSent) -> float:
    """Seconds until what nobody knows of is to be looked for."""
    if sent.inbox is None:
        return sent.expected_s
    return max(SOONEST_OVERDUE_S, LATE_CALLS * sent.expected_s)
