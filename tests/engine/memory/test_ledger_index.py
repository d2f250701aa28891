"""The index against a plain model of what the ledger says: whatever comes, in whatever order, in however many pieces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.error_families import MAYBE_RUN
from runware_provider.engine.attempt import FORGOTTEN, Entry, Kind
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.ledger_index import LedgerIndex
from runware_provider.engine.memory.ledger_sums import Statistics, Totals

FINGERPRINTS = [bytes(8) + bytes([n]) * 8 for n in range(2)] + [bytes([255]) * 16]
"""Two with the same first half."""
KEYS = st.builds(Key, st.sampled_from(FINGERPRINTS), st.integers(0, 1), st.integers(0, 2))
WAS_RANK = {"answered": 4, "error": 3, "lost": 3, "spent": 2}
NUMBERS = st.none() | st.integers(0, 3)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(list(Kind)))
    families = {
        Kind.SPENT: [FORGOTTEN, "conflict", None],
        Kind.ERROR: ["lost", "timeout", "conflict", "validation"],
        Kind.REJECTED: ["withdrawn", "rate"],
    }
    family = draw(st.sampled_from(families.get(kind, [None])))
    code = draw(st.sampled_from([*WAS_RANK])) if family == FORGOTTEN else draw(st.sampled_from([None, "a"]))
    is_answer = kind is Kind.ANSWERED
    return Entry(
        draw(KEYS),
        draw(st.integers(1, 3)),
        kind,
        family=family,
        code=code,
        cost=draw(st.none() | st.sampled_from([0.0, 0.5, 1.25])),
        prompt_tokens=draw(NUMBERS),
        cached_tokens=draw(NUMBERS),
        completion_tokens=draw(NUMBERS),
        origin=draw(st.sampled_from([None, None, bytes(16)])) if is_answer else None,
    )


def says(entry: Entry) -> tuple[Any, ...]:
    was = entry.code if entry.family == FORGOTTEN else None
    numbers = (entry.cost, entry.completion_tokens, entry.prompt_tokens, entry.cached_tokens)
    told = tuple(-1 if number is None else number for number in numbers)
    is_lost = was == "lost" or entry.family in MAYBE_RUN
    return (entry.kind, WAS_RANK.get(was or "", 1), *told, is_lost, entry.family or "")


def shows_copy(number: int, own: list[int], copies: list[int]) -> bool:
    """Whether a copy of this number counts beside own answers: before them, or behind them as what followed."""
    if not own or number < min(own):
        return True
    return not set(own) & set(copies) and number > max(own)


@dataclass
class Model:
    """What holds of each attempt, entry by entry."""

    standing: dict[tuple[Key, int, bool], tuple[Entry, int, bool]] = field(default_factory=dict)
    """The entry, its row, and whether this run added it."""
    used: set[Key] = field(default_factory=set)

    def add(self, entry: Entry, row: int, *, fresh: bool) -> None:
        at = (entry.key, entry.attempt, entry.origin is not None)
        known = self.standing.get(at)
        if known is None or says(entry) > says(known[0]):
            self.standing[at] = (entry, row, fresh)

    def history(self, fingerprint: bytes, sample: int, at_least: int, below: int | None) -> Any:
        of_it = {
            at: (entry, row)
            for at, (entry, row, _) in self.standing.items()
            if (at[0].fingerprint, at[0].sample) == (fingerprint, sample)
            and at_least <= at[0].generation < (9 if below is None else below)
        }
        if not of_it:
            return None
        newest = max(key.generation for key, _, _ in of_it)
        newest_of_it = sorted(
            (number, copied, entry.kind, entry.family, row)
            for (key, number, copied), (entry, row) in of_it.items()
            if key.generation == newest
        )
        own = [number for number, copied, kind, *_ in newest_of_it if kind == Kind.ANSWERED and not copied]
        copies = [number for number, copied, kind, *_ in newest_of_it if kind == Kind.ANSWERED and copied]
        shown = [one for one in newest_of_it if not one[1] or shows_copy(one[0], own, copies)]
        return newest, [(number, kind, family, row) for number, _, kind, family, row in shown]

    def is_answered(self, key: Key, at_least: int) -> bool:
        kinds = [entry.kind for at, (entry, _, _) in self.standing.items() if at[0] == key]
        return kinds == [Kind.ANSWERED] and key.generation >= at_least

    def in_doubt(self) -> set[tuple[Key, int]]:
        return {
            (key, number)
            for (key, number, copied), (entry, _, _) in self.standing.items()
            if entry.kind in {Kind.INTENT, Kind.SENT_AGAIN} and not copied
        }

    def mine(self, of: str) -> list[tuple[Key, int, bool, Entry]]:
        listed = []
        for (key, number, copied), (entry, _, fresh) in self.standing.items():
            is_used = key in self.used or (not copied and (key, number) in self.in_doubt())
            if {"used": is_used, "fresh": fresh, "all": True}[of]:
                listed.append((key, number, copied, entry))
        return listed

    def answered(self, key: Key, *, copied: bool) -> list[int]:
        return [
            at[1]
            for at, (entry, _, _) in self.standing.items()
            if at[0] == key and at[2] == copied and entry.kind is Kind.ANSWERED
        ]

    def is_left(self, key: Key, number: int, of: str) -> bool:
        if (key, number) not in self.in_doubt():
            return False
        return of == "used" or any(copy >= number for copy in self.answered(key, copied=True))

    def totals(self, of: str) -> Totals:
        sums = dict.fromkeys(Totals.__dataclass_fields__, 0)
        for key, number, copied, entry in self.mine(of):
            is_left = not copied and self.is_left(key, number, of)
            if entry.kind < Kind.SPENT and not is_left:
                continue
            was = entry.code if entry.family == FORGOTTEN else None
            is_inference = entry.kind >= Kind.ERROR or was in {"answered", "error", "lost"}
            is_answer = entry.kind is Kind.ANSWERED or was == "answered"
            is_lost = (entry.kind is Kind.ERROR and entry.family in MAYBE_RUN) or was == "lost"
            is_spent = (entry.kind is Kind.SPENT and was is None) or was == "spent"
            if copied:
                own, copies = self.answered(key, copied=False), self.answered(key, copied=True)
                is_shown = shows_copy(number, own, copies)
                sums["reused"] += is_inference and is_shown
                sums["reused_cost"] += (entry.cost or 0) if is_shown else 0
                continue
            sums["inferences"] += is_inference
            sums["answered"] += is_answer
            sums["prompt_tokens"] += entry.prompt_tokens or 0
            sums["cached_tokens"] += entry.cached_tokens or 0
            sums["completion_tokens"] += entry.completion_tokens or 0
            sums["cost"] += entry.cost or 0
            sums["cost_unreported"] += is_answer and entry.cost is None
            sums["maybe_billed"] += is_spent or (is_lost and entry.cost is None) or is_left
        return Totals(**sums)

    def unpriced(self, of: str) -> list[tuple[Key, int]]:
        found = []
        for key, number, copied, entry in self.mine(of):
            if copied or entry.cost is not None or entry.family == FORGOTTEN:
                continue
            is_lost = entry.kind is Kind.ERROR and entry.family in MAYBE_RUN
            if entry.kind in {Kind.ANSWERED, Kind.SPENT} or is_lost or self.is_left(key, number, of):
                found.append((key, number))
        return sorted(found, key=in_order)


def in_order(at: tuple[Key, int]) -> tuple[bytes, int, int, int]:
    key, number = at
    return (key.fingerprint, key.sample, key.generation, number)


ADDED = st.lists(st.tuples(entries(), st.booleans()), max_size=30)


@given(
    pieces=st.lists(ADDED, max_size=5),
    used=st.sets(KEYS),
    sorted_between=st.sampled_from(["pieces", "nothing"]),
)
def test_the_index_says_what_the_entries_say_one_by_one(
    pieces: list[list[tuple[Entry, bool]]], used: set[Key], sorted_between: str
) -> None:
    index, model = LedgerIndex(), Model()
    row = 0
    for piece in pieces:
        rows = range(row, row + len(piece))
        row += len(piece)
        index.add(
            [entry for entry, _ in piece],
            [(0, number) for number in rows],
            copied=[entry.origin is not None for entry, _ in piece],
            fresh=[fresh for _, fresh in piece],
        )
        for number, (entry, fresh) in zip(rows, piece, strict=True):
            model.add(entry, number, fresh=fresh)
        if sorted_between == "pieces":  # so that it is sorted piece by piece
            index.histories([(FINGERPRINTS[0], 0)], 0)
    present = {key for key, _, _ in model.standing}
    index.mark_used(used)
    model.used = used & present
    asked = [(fingerprint, sample) for fingerprint in FINGERPRINTS for sample in (0, 1)]
    for at_least, below in ((0, None), (1, None), (0, 2), (1, 1)):
        for place, history in enumerate(index.histories(asked, at_least, below)):
            told = history and (
                history.generation,
                [(one.number, one.kind, one.family, one.row) for one in history.attempts],
            )
            assert told == model.history(*asked[place], at_least, below)
    for at_least in (0, 1):
        told_of = zip(asked, index.answered_once(asked, at_least), strict=True)
        for at, once in told_of:
            # Where it is said, the history is that; where it is not, it may be that all the same.
            assert not once or [kind for _, kind, *_ in model.history(*at, at_least, None)[1]] == [
                Kind.ANSWERED
            ]
            is_only = [key for key, _, _ in model.standing if (key.fingerprint, key.sample) == at]
            assert once or len(is_only) != 1 or not model.is_answered(is_only[0], at_least)
    for of in ("used", "fresh", "all"):
        assert index.totals(of) == model.totals(of)
        assert index.unpriced(of) == model.unpriced(of)
    assert index.unsettled("all") == sorted(model.in_doubt(), key=in_order)
    assert [index.is_used(key) for key in sorted(present, key=str)] == [
        key in used for key in sorted(present, key=str)
    ]
    assert index.rows_of(0) == sorted(place for _, place, _ in model.standing.values())


def test_an_empty_index_knows_nothing() -> None:
    index = LedgerIndex()
    assert index.histories([(FINGERPRINTS[0], 0)], 0) == [None]
    assert index.histories([], 0) == []
    assert index.totals("all") == Totals()
    assert index.statistics() == Statistics(0, None, None, None, None)
    assert (index.unpriced("all"), index.unsettled("all"), index.unpriced_tokens("all")) == ([], [], [])
    assert index.rows_of(0) == []


def test_what_was_seen_is_told_once_however_much_was_seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runware_provider.engine.memory.ledger_index._Seen.MOST_UNSORTED", 10)
    index = LedgerIndex()
    keys = [Key(number.to_bytes(16, "big"), sample, 0) for number in range(100) for sample in (0, 1)]
    for start in range(0, len(keys), 7):
        assert all(index.first_seen(keys[start : start + 7]))
    assert not any(index.first_seen(keys))


def test_a_number_that_cannot_be_one_of_ours_is_refused() -> None:
    entry = Entry(Key(FINGERPRINTS[0], 0, 0), 2**16, Kind.INTENT)
    with pytest.raises(ValueError, match="out of range"):
        LedgerIndex().add([entry], [(0, 0)], copied=[False], fresh=[False])
