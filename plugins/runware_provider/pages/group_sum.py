"""A group as one run: its shards added up. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from runware_provider.engine.job.run_record import Older, RunRecord, Waited
from runware_provider.pages.moments import seconds_between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runware_provider.engine.job.run_record import State

_Some = TypeVar("_Some")
_Number = TypeVar("_Number", int, float)

MOST_REASONS: Final = 20
MOST_WAITS: Final = 10
FIRST_STATES: Final[tuple[State, ...]] = ("running", "waiting", "planned", "stopped", "refused")
"""As long as one shard is in the first of these, the group is."""
UNFINISHED: Final = frozenset({"running", "waiting", "planned"})
NOTED_WHOLE: Final = frozenset({"published", "unchanged", "refused", "stopped", "planned"})
"""States in which what `split` or `publish` noted says more of the group than its shards do."""
COUNTED_WHOLE: Final = frozenset({"published", "unchanged"})
"""States in which whoever noted them has counted the rows of all shards."""


def sum_of(shards: Sequence[RunRecord]) -> RunRecord:
    """One record of all.

    What nobody can add up is None or what the slowest says: of a latency the rows' mean of the medians, and the largest
    of what is slow; the time left is that of the rest at the rate of all.

    Args:
        shards: one at least.
    """
    first = shards[0]
    begun = RunRecord(
        run=first.run,
        state=_state(shards),
        started_at=min(shard.started_at for shard in shards),
        try_started_at=max(shard.try_started_at for shard in shards),
        at=max(shard.at for shard in shards),
        source=first.source,
        destination=first.destination,
        model=first.model,
        rows=_added(shards, lambda shard: shard.rows),
        rows_done=_added(shards, lambda shard: shard.rows_done),
        reason=_most_frequent(shard.reason for shard in shards),
        remedy=_most_frequent(shard.remedy for shard in shards),
        request=_most_frequent(shard.request for shard in shards),
    )
    return _with_work(_with_money(_with_rows(begun, shards), shards), shards)


def _with_rows(whole: RunRecord, shards: Sequence[RunRecord]) -> RunRecord:
    """With what became of the rows."""
    return replace(
        whole,
        reused=_added(shards, lambda shard: shard.reused),
        earlier_tries=_added(shards, lambda shard: shard.earlier_tries),
        outcomes=dict(_counted(shard.outcomes for shard in shards)),
        reasons=dict(_counted(shard.reasons for shard in shards).most_common(MOST_REASONS)),
        latency_median_s=_mean_median(shards),
        latency_slow_s=max(_known([shard.latency_slow_s for shard in shards]), default=None),
        quiet_s=_quiet_s(shards, whole.at),
    )


def _with_money(whole: RunRecord, shards: Sequence[RunRecord]) -> RunRecord:
    """With what is paid, and what may be."""
    return replace(
        whole,
        paid_usd=sum(shard.paid_usd for shard in shards),
        foreseen_usd=_foreseen(shards),
        budget_usd=_added_all([shard.budget_usd for shard in shards]),
        budget_tokens=_added_all([shard.budget_tokens for shard in shards]),
    )


def _with_work(whole: RunRecord, shards: Sequence[RunRecord]) -> RunRecord:
    """With what is done at this moment, by those that do anything."""
    at_work = [shard for shard in shards if shard.state in UNFINISHED]
    rate = sum(shard.rows_a_second for shard in at_work)
    return replace(
        whole,
        under_way=_added(at_work, lambda shard: shard.under_way),
        window=_added_known([shard.window for shard in at_work]),
        window_reason=_most_frequent(shard.window_reason for shard in at_work),
        rows_a_second=rate,
        left_s=_left_s(at_work, whole.rows - whole.rows_done, rate),
        asked_again=_added(at_work, lambda shard: shard.asked_again),
        waits=_waits(at_work),
        trouble=_most_frequent(shard.trouble for shard in at_work),
    )


def whole_of(noted: RunRecord | None, shards: Sequence[RunRecord | None]) -> RunRecord | None:
    """The group as one run: its shards added up, and what its other tasks noted of the whole.

    Args:
        noted: by `split` or `publish`; None where they noted nothing.
        shards: None for each that has not begun.
    """
    begun = _known(shards)
    if not begun:
        return noted
    summed = sum_of(begun)
    if noted is None:
        return _without_whole(summed, all_begun=len(begun) == len(shards))
    whole = _with_whole(noted, summed)
    return _counted_whole(noted, whole) if whole.state in COUNTED_WHOLE else whole


def _without_whole(summed: RunRecord, *, all_begun: bool) -> RunRecord:
    """Where nobody noted anything of the whole."""
    return replace(
        summed,
        state=_before_publishing(summed.state),
        # Nobody knows the rows of those that have not begun.
        left_s=summed.left_s if all_begun else None,
        foreseen_usd=summed.foreseen_usd if all_begun else None,
    )


def _counted_whole(noted: RunRecord, whole: RunRecord) -> RunRecord:
    """With the rows of all shards, of which not all may have been read."""
    if not noted.outcomes:
        return whole
    return replace(
        whole,
        rows=noted.rows,
        rows_done=noted.rows_done,
        outcomes=noted.outcomes,
        reasons=noted.reasons,
        under_way=noted.under_way,
    )


def _with_whole(noted: RunRecord, summed: RunRecord) -> RunRecord:
    """The sum with what was noted of the whole."""
    # The rest is as slow and as dear as what has begun.
    larger_by = max(1.0, noted.rows / max(1, summed.rows))
    # A plan is older than its shards, and so is what stopped before shards that run.
    is_older = noted.state == "planned" or summed.state in UNFINISHED
    speaks_for_all = noted.state in NOTED_WHOLE and not is_older
    return replace(
        summed,
        state=noted.state if speaks_for_all else _before_publishing(summed.state),
        rows=max(noted.rows, summed.rows),
        started_at=min(noted.started_at, summed.started_at),
        at=max(noted.at, summed.at),
        # A shard is dealt a part of the budget; who dealt it out knows the whole.
        budget_usd=summed.budget_usd if noted.budget_usd is None else noted.budget_usd,
        budget_tokens=summed.budget_tokens if noted.budget_tokens is None else noted.budget_tokens,
        # What is told of the whole holds what its shards paid.
        paid_usd=max(noted.paid_usd, summed.paid_usd),
        left_s=_scaled_rest(summed, noted.rows),
        foreseen_usd=None if summed.foreseen_usd is None else summed.foreseen_usd * larger_by,
        reason=noted.reason if speaks_for_all else summed.reason,
        remedy=noted.remedy if speaks_for_all else summed.remedy,
        publish_id=noted.publish_id,
        request=noted.request or summed.request,
        approval=noted.approval,
    )


def _before_publishing(state: State) -> State:
    """A group whose shards are all done is not: its dataset is to be published, and others may be to begin."""
    return "running" if state == "staged" else state


def _scaled_rest(summed: RunRecord, rows: int) -> float | None:
    """Seconds left of so many rows."""
    if summed.left_s is None or rows <= summed.rows:
        return summed.left_s
    return (rows - summed.rows_done) / summed.rows_a_second


def _state(shards: Sequence[RunRecord]) -> State:
    states = {shard.state for shard in shards}
    return next((state for state in FIRST_STATES if state in states), shards[0].state)


def _added(shards: Sequence[RunRecord], of_each: Callable[[RunRecord], int]) -> int:
    return sum(map(of_each, shards))


def _counted(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def _known(values: Sequence[_Some | None]) -> list[_Some]:
    return [value for value in values if value is not None]


def _added_known(values: Sequence[int | None]) -> int | None:
    known = _known(values)
    return sum(known) if known else None


def _added_all(values: Sequence[_Number | None]) -> _Number | None:
    """None where one of them is: then there is no bound of the whole."""
    known = _known(values)
    return sum(known) if len(known) == len(values) else None


def _most_frequent(texts: Iterable[str]) -> str:
    ranked = Counter(text for text in texts if text).most_common(1)
    return ranked[0][0] if ranked else ""


def _left_s(at_work: Sequence[RunRecord], rows_left: int, rate: float) -> float | None:
    # Stragglers, of which a rate says nothing, are all that is left.
    if not any(shard.left_s is not None for shard in at_work) or rate <= 0:
        return None
    return rows_left / rate


def _mean_median(shards: Sequence[RunRecord]) -> float | None:
    told = [
        (shard.latency_median_s, max(1, shard.rows_done))
        for shard in shards
        if shard.latency_median_s is not None
    ]
    if not told:
        return None
    return sum(median * rows for median, rows in told) / sum(rows for _, rows in told)


def _waits(shards: Sequence[RunRecord]) -> list[Waited]:
    """By what is waited for, the longest wait first."""
    added: dict[str, Waited] = {}
    for wait in (wait for shard in shards for wait in shard.waits):
        before = added.get(wait.what, Waited(wait.what, 0, 0.0))
        longest_s = max(before.longest_s, wait.longest_s)
        older = _older([*before.older, *wait.older])
        added[wait.what] = Waited(wait.what, before.inferences + wait.inferences, longest_s, older)
    return sorted(added.values(), key=lambda wait: -wait.longest_s)[:MOST_WAITS]


def _older(counts: Sequence[Older]) -> list[Older]:
    """By age, the shortest first."""
    added: Counter[float] = Counter()
    for older in counts:
        added[older.than_s] += older.inferences
    return [Older(than_s, inferences) for than_s, inferences in sorted(added.items())]


def _quiet_s(shards: Sequence[RunRecord], now: str) -> float:
    """Seconds since any shard had a row done: of one that is done, that was at its end."""
    since = [
        (seconds_between(shard.at, now), 0.0 if shard.state == "staged" else shard.quiet_s)
        for shard in shards
    ]
    return max(0.0, min((age_s + quiet_s for age_s, quiet_s in since if age_s is not None), default=0.0))


def _foreseen(shards: Sequence[RunRecord]) -> float | None:
    """Of a shard that is done, what it paid; None where one at work cannot tell."""
    of_each = [shard.foreseen_usd if shard.state in UNFINISHED else shard.paid_usd for shard in shards]
    # Where all is done, nothing is foreseen any more.
    if not any(shard.state in UNFINISHED for shard in shards):
        return None
    return _added_all(of_each)
