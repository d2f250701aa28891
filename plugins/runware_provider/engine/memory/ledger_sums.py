"""What entries come to: counts, tokens and money, each over one sorted run of columns. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from runware_provider.engine.api.error_families import MAYBE_RUN
from runware_provider.engine.attempt import Kind
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.entry_columns import UNKNOWN
from runware_provider.engine.spending.picodollars import PICO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runware_provider.engine.memory.entry_columns import EntryColumns, Words

    Mask: TypeAlias = NDArray[np.bool_]

Of: TypeAlias = Literal["used", "fresh", "all"]


@dataclass(frozen=True)
class Totals:
    """Sums over distinct task UUIDs of this job; what was copied from other partitions is in `reused` only."""

    inferences: int = 0
    answered: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    """USD."""
    cost_unreported: int = 0
    """Answers whose cost the API did not say."""
    maybe_billed: int = 0
    """Attempts that never showed up again and may have been billed."""
    reused: int = 0
    """Inferences of other partitions, whose bill they are on."""
    reused_cost: float = 0.0
    """USD that other partitions paid for those."""

    def __add__(self, other: Totals) -> Totals:
        """Sums over both, which have no task UUID in common."""
        return Totals(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Totals)))


@dataclass(frozen=True)
class LedgerSums:
    """What a ledger of a place has come to, or several of them."""

    paid: Totals = field(default_factory=Totals)
    """By the run that asks, with all its tries; nothing where it has no name."""
    ever: Totals = field(default_factory=Totals)


@dataclass(frozen=True)
class Statistics:
    """Of the answers in the ledger; None where nothing is known."""

    answered: int
    mean_prompt_tokens: float | None
    mean_completion_tokens: float | None
    sd_completion_tokens: float | None
    """Of the population, in tokens."""
    mean_cost: float | None
    """USD."""


class _Facts:
    """What is true of each entry, whatever is summed.

    What a forgotten attempt was goes on counting: the bill does not change because an answer was erased.
    """

    def __init__(self, entries: EntryColumns, words: Words) -> None:
        was, family, kind = entries.was, entries.family, entries.kind
        answered, error, lost, spent = (words.number(word) for word in ("answered", "error", "lost", "spent"))
        maybe_run = np.isin(family, [words.number(each.value) for each in sorted(MAYBE_RUN)])
        self.own = ~entries.copied()
        self.forgotten = was != words.number(None)
        self.inference = (kind >= Kind.ERROR) | np.isin(was, (answered, error, lost))
        self.answered = (kind == Kind.ANSWERED) | (was == answered)
        self.lost = (np.isin(kind, (Kind.SPENT, Kind.ERROR)) & maybe_run) | (was == lost)
        self.spent = ((kind == Kind.SPENT) & ~self.forgotten) | (was == spent)
        self.unpriced = entries.cost == UNKNOWN
        self.in_doubt = in_doubt(entries)


def in_doubt(entries: EntryColumns) -> Mask:
    """Whether attempts of this job may have been sent, and nothing is known of them since."""
    return np.isin(entries.kind, (Kind.INTENT, Kind.SENT_AGAIN)) & ~entries.copied()


def totals(entries: EntryColumns | None, of: Of, words: Words) -> Totals:
    """Return the sums over what is used, what is fresh, or everything.

    Args:
        entries: everything, as one run; None where there is nothing.
        of: which entries count.
        words: of the entries.
    """
    if entries is None:
        return Totals()
    facts = _Facts(entries, words)
    left = _left(entries, facts, of)
    counted = ((entries.kind >= Kind.SPENT) | left) & _mine(entries, facts, of)
    own = counted & facts.own
    maybe = facts.spent | (facts.lost & facts.unpriced) | left
    shown_copies = counted & _shown_copies(entries)
    return Totals(
        inferences=int((facts.inference & own).sum()),
        answered=int((facts.answered & own).sum()),
        prompt_tokens=_sum(entries.prompt_tokens, own),
        cached_tokens=_sum(entries.cached_tokens, own),
        completion_tokens=_sum(entries.completion_tokens, own),
        cost=_sum(entries.cost, own) / PICO,
        cost_unreported=int((facts.answered & facts.unpriced & own).sum()),
        maybe_billed=int((maybe & own).sum()),
        reused=int((facts.inference & shown_copies).sum()),
        reused_cost=_sum(entries.cost, shown_copies) / PICO,
    )


def unpriced(entries: EntryColumns | None, of: Of, words: Words) -> list[tuple[Key, int]]:
    """Return attempts without a reported cost that were or may have been billed, in order; arguments as of `totals`."""
    if entries is None:
        return []
    facts = _Facts(entries, words)
    billed = np.isin(entries.kind, (Kind.ANSWERED, Kind.SPENT)) | facts.lost | _left(entries, facts, of)
    return _attempts(
        entries, billed & facts.unpriced & facts.own & ~facts.forgotten & _mine(entries, facts, of)
    )


def given_up(entries: EntryColumns | None, words: Words) -> list[tuple[Key, int]]:
    """Return attempts that may have been billed without an answer that anybody knows, in order; arguments as of `totals`."""
    if entries is None:
        return []
    facts = _Facts(entries, words)
    may_be_billed = ((facts.lost | facts.spent) & facts.unpriced & facts.own) | facts.in_doubt
    # What was erased at somebody's wish does not come back.
    return _attempts(entries, may_be_billed & ~facts.answered & ~facts.forgotten)


def unsettled(entries: EntryColumns | None, of: Literal["fresh", "all"]) -> list[tuple[Key, int]]:
    """Return attempts that may have been sent, and of which nothing is known since, in order."""
    if entries is None:
        return []
    doubted = in_doubt(entries)
    return _attempts(entries, doubted & entries.fresh if of == "fresh" else doubted)


def places_in_doubt(entries: EntryColumns | None) -> list[tuple[tuple[Key, int], int, int]]:
    """Return what is `unsettled`, and of each attempt the segment and the row of the entry that says so."""
    if entries is None:
        return []
    doubted = in_doubt(entries)
    segments, rows = entries.segment[doubted].tolist(), entries.row[doubted].tolist()
    return list(zip(_attempts(entries, doubted), segments, rows, strict=True))


def unpriced_tokens(
    entries: EntryColumns | None, of: Of, words: Words
) -> list[tuple[int | None, int | None]]:
    """Return tokens of prompts and answers that may be charged at a cost that was not reported; as of `totals`."""
    if entries is None:
        return []
    facts = _Facts(entries, words)
    charged = facts.answered | facts.lost
    mine = entries.take(charged & facts.unpriced & facts.own & _mine(entries, facts, of))
    pairs = zip(mine.prompt_tokens.tolist(), mine.completion_tokens.tolist(), strict=True)
    return [(_or_none(prompt), _or_none(completion)) for prompt, completion in pairs]


def statistics(entries: EntryColumns | None) -> Statistics:
    """Return means and deviations of the answers."""
    if entries is None:
        return Statistics(0, None, None, None, None)
    answers = entries.take(entries.kind == Kind.ANSWERED)
    completion = _reported(answers.completion_tokens)
    mean_cost = _mean(_reported(answers.cost))
    return Statistics(
        answered=len(answers),
        mean_prompt_tokens=_mean(_reported(answers.prompt_tokens)),
        mean_completion_tokens=_mean(completion),
        sd_completion_tokens=float(completion.std()) if len(completion) else None,
        mean_cost=None if mean_cost is None else mean_cost / PICO,
    )


def _mine(entries: EntryColumns, facts: _Facts, of: Of) -> Mask:
    if of == "used":
        return entries.used | facts.in_doubt
    return entries.fresh if of == "fresh" else np.ones(len(entries), bool)


def _left(entries: EntryColumns, facts: _Facts, of: Of) -> Mask:
    """Which attempts in doubt may have been billed.

    Of an own attempt that nobody knows the end of, all that can be said when a run is over is that it may have been
    billed, whoever asked for it. While a run is under way, that is true only beside a copy that took its place: else it
    is about to be collected.
    """
    if of == "used" or facts.own.all():
        return facts.in_doubt if of == "used" else np.zeros(len(entries), bool)
    copied_answers = ~facts.own & (entries.kind == Kind.ANSWERED)
    last = _over_inferences(entries, np.where(copied_answers, entries.attempt(), -1), np.maximum)
    return facts.in_doubt & (last >= entries.attempt())


def _shown_copies(entries: EntryColumns) -> Mask:
    """Which copies the rows show.

    An own answer is what the rows show, not a copy of the same attempt; an own answer with a higher number was asked for
    because the copies before it did not fit, and they stay. Copies behind the own answers follow them, unless another
    ledger answered the same attempt, too.
    """
    copied = entries.copied()
    if not copied.any():
        return copied
    own_answers = ~copied & (entries.kind == Kind.ANSWERED)
    never = np.iinfo(np.int64).max
    first = _over_inferences(entries, np.where(own_answers, entries.attempt(), never), np.minimum)
    last = _over_inferences(entries, np.where(own_answers, entries.attempt(), -1), np.maximum)
    # A copy stands directly behind the own attempt of its number.
    beside = np.zeros(len(entries), bool)
    beside[1:] = (
        copied[1:]
        & own_answers[:-1]
        & (entries.kind[1:] == Kind.ANSWERED)
        & (entries.attempt()[1:] == entries.attempt()[:-1])
        & (entries.inference()[1:] == entries.inference()[:-1])
        & (entries.high[1:] == entries.high[:-1])
        & (entries.low[1:] == entries.low[:-1])
    )
    twice = _over_inferences(entries, beside.astype(np.int64), np.maximum) > 0
    return copied & ((first > entries.attempt()) | (~twice & (entries.attempt() > last)))


def _over_inferences(
    entries: EntryColumns, numbers: NDArray[np.int64], reduce: np.ufunc
) -> NDArray[np.int64]:
    """The least or greatest number among all attempts of each entry's inference."""
    inference = entries.inference()
    begins = np.ones(len(entries), bool)
    begins[1:] = (
        (entries.high[1:] != entries.high[:-1])
        | (entries.low[1:] != entries.low[:-1])
        | (inference[1:] != inference[:-1])
    )
    reduced = reduce.reduceat(numbers, np.flatnonzero(begins))
    return np.asarray(reduced[np.cumsum(begins) - 1], np.int64)


def _attempts(entries: EntryColumns, chosen: Mask) -> list[tuple[Key, int]]:
    some = entries.take(chosen)
    columns = (
        some.fingerprints(),
        some.sample().tolist(),
        some.generation().tolist(),
        some.attempt().tolist(),
    )
    return [
        (Key(fingerprint, sample, generation), attempt)
        for fingerprint, sample, generation, attempt in zip(*columns, strict=True)
    ]


def _sum(numbers: NDArray[np.int64] | NDArray[np.int32], chosen: Mask) -> int:
    """The sum of what was reported."""
    return int(numbers[chosen & (numbers != UNKNOWN)].sum(dtype=np.int64))


def _reported(numbers: NDArray[np.int64] | NDArray[np.int32]) -> NDArray[np.float64]:
    return np.asarray(numbers[numbers != UNKNOWN], np.float64)


def _mean(numbers: NDArray[np.float64]) -> float | None:
    return float(numbers.mean()) if len(numbers) else None


def _or_none(number: int) -> int | None:
    return None if number == UNKNOWN else number
