"""Which lines the history of a place has, once another run has ended. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.job.run_record import PastRun

MOST_PAST: Final = 50
"""Runs that the history keeps."""
LEAST_PUBLISHED: Final = 2
"""Of these, those that published last: a report compares one with the one before."""
ENDED_WELL: Final = frozenset({"published", "unchanged"})


def with_end(before: Sequence[PastRun], past: PastRun) -> list[PastRun]:
    """The history of a place with the end of a run, the newest first and bounded.

    Args:
        before: the history until now.
        past: the run that has ended.
    """
    own = next((other for other in before if is_same_run(other, past)), None)
    if own is not None and _stays(own, past):
        # Its dataset stands, whatever a later try of it came to; what that one paid counts.
        paid = replace(own, paid_usd=max(own.paid_usd, past.paid_usd))
        return [paid if other is own else other for other in before]
    return _bounded([past, *(other for other in before if not _gives_way(other, past))])


def _stays(own: PastRun, past: PastRun) -> bool:
    """Whether the line of a run that ended well stays for a later end of it."""
    if past.state == "stopped":
        return own.state in ENDED_WELL
    return past.state == "unchanged" and own.state == "published"


def _gives_way(other: PastRun, past: PastRun) -> bool:
    """Whether a line of before says nothing beside that of a run that has ended now."""
    # Of runs that found all as it was, the newest says it.
    is_idle = past.state == other.state == "unchanged" and past.publish_id == other.publish_id
    return is_idle or is_same_run(other, past)


def is_same_run(one: PastRun, other: PastRun) -> bool:
    """Whether both are ends of the same run; runs without a name are told apart by their start."""
    if one.run or other.run:
        return one.run == other.run
    return one.started_at == other.started_at


def _bounded(runs: list[PastRun]) -> list[PastRun]:
    """So many of them; the last ones that published stay, however many stopped since."""
    published = [place for place, past in enumerate(runs) if past.state == "published"][:LEAST_PUBLISHED]
    others = [place for place in range(len(runs)) if place not in published]
    kept = sorted([*published, *others][:MOST_PAST])
    return [runs[place] for place in kept]
