"""Which of two datasets is better, and what it costs, in plain words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.quality.standout import Remark
from runware_provider.engine.quality.wording import count, counted, seconds, share, usd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.quality.findings import Differences, Duel

BASIS = (
    "Over the records with expected values that at least one of both was asked about; no result counts as wrong."
    " A field is called better when so uneven a split would be chance in less than 5 of 100 cases"
    " (McNemar's exact test, corrected by Holm for the number of fields)."
)
NAMES = 6
NOTICEABLE = 0.01


def reading(duel: Duel) -> str:
    """What a field's hits say."""
    chance = "p < 0.001" if duel.chance < 0.001 else f"p = {duel.chance:.3f}"
    if duel.winner:
        return f"{duel.winner} is better ({chance})"
    if not duel.only_first + duel.only_second:
        return "no difference"
    return f"no clear difference ({chance})"


def in_short(found: Differences) -> list[Remark]:
    """What a reader takes home."""
    if not found.joined:
        return [Remark("bad", "The two have no record in common.")]
    return [
        *_rightness(found),
        *_outcomes(found),
        *_changes(found),
        *_uncompared(found),
        *_price(found),
        *_unmet(found),
    ]


def _rightness(found: Differences) -> Iterator[Remark]:
    if found.duels is None:
        yield Remark("note", "Without expected values it cannot be said which one is right.")
        return
    if not found.expected:
        yield Remark("bad", "No record in both has expected values: check the key.")
        return
    for letter in ("A", "B"):
        won = [duel.path for duel in found.duels if duel.winner == letter]
        if won:
            more = f" and {len(won) - NAMES} more" if len(won) > NAMES else ""
            fields = ", ".join("{}" for _ in won[:NAMES])
            yield Remark("note", f"{letter} is right more often in {fields}{more}.", tuple(won[:NAMES]))
    if not any(duel.winner for duel in found.duels):
        yield Remark("note", f"On {counted(found.expected, 'record')} neither is clearly right more often.")


def _outcomes(found: Differences) -> Iterator[Remark]:
    moved = {pair: rows for pair, rows in found.outcomes.items() if pair[0] != pair[1]}
    lost = sum(rows for (a, _), rows in moved.items() if a == "succeeded")
    won = sum(rows for (_, b), rows in moved.items() if b == "succeeded")
    if not moved:
        yield Remark("note", "Every record has the same outcome in both.")
    elif lost or won:
        yield Remark(
            "note",
            f"{counted(lost, 'record')} succeeded in A only, {count(won)} in B only, of {count(found.joined)}.",
        )
    else:
        yield Remark("note", "The same records succeeded in both.")


def _changes(found: Differences) -> Iterator[Remark]:
    compared = [one for one in found.fields if one.of]
    if not compared:
        return
    least = min(compared, key=lambda one: (one.same / one.of, one.path))
    if least.same == least.of:
        what = "All values that can be compared are" if found.incomparable else "All values are"
        yield Remark(
            "note", f"{what} the same in the {counted(found.both_succeeded, 'row')} that succeeded in both."
        )
    else:
        differ = share(least.of - least.same, least.of)
        yield Remark(
            "note", f"They differ most in {{}}: in {differ} of {count(least.of)} rows.", (least.path,)
        )


def _uncompared(found: Differences) -> Iterator[Remark]:
    if not found.incomparable:
        return
    named = found.incomparable[:NAMES]
    more = len(found.incomparable) - len(named)
    told = ", ".join("{}" for _ in named) + (f" and {more} more" if more else "")
    if not found.fields and found.both_succeeded:
        yield Remark("bad", f"No field could be compared: {told}.", named)
    else:
        yield Remark("bad", f"Not compared: {told}.", named)


def _price(found: Differences) -> Iterator[Remark]:
    a, b = found.first.cost_per_thousand, found.second.cost_per_thousand
    if a and b:
        yield Remark("note", f"1,000 rows cost {usd(a)} with A and {usd(b)} with B: {_against(a, b)}.")
    times = [run.latencies for run in (found.first, found.second)]
    if times[0] and times[1]:
        first, second = times[0][0], times[1][0]
        yield Remark(
            "note", f"Half of the answers came within {seconds(first)} from A and {seconds(second)} from B."
        )


def _against(a: float, b: float) -> str:
    change = b / a - 1
    if abs(change) < NOTICEABLE:
        return "about the same"
    return f"B is {100 * abs(change):.0f} % {'dearer' if change > 0 else 'cheaper'}"


def _unmet(found: Differences) -> Iterator[Remark]:
    if found.only_first or found.only_second:
        yield Remark(
            "note",
            f"{counted(found.only_first, 'row')} of A and {count(found.only_second)} of B have no counterpart"
            " and were left out of the comparison.",
        )
