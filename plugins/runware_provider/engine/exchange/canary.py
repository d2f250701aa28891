"""The first chunk, sent alone, so that a wrong key, model or schema costs five answers and not a batch. Pure.

What the API refuses alike for every record of it is a fault of the request, not of the records: the job stops, and
the records keep their chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import Family
from runware_provider.engine.api.redact import Redactor
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import RequestRefused
from runware_provider.engine.exchange.inference import Inference, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDS = 5
FAMILIES = frozenset({Family.VALIDATION, Family.PROVIDER_FINAL})
"""Refusals that a request can bring about for every record."""

Verdicts = list[tuple[Inference, Entry]]


@dataclass(frozen=True)
class LetThrough:
    """What of some verdicts counts now."""

    verdicts: Verdicts
    rejections: list[Entry] = field(default_factory=list)
    """What the next run has to know instead: these are no verdicts on the records, but the UUIDs were used."""
    stop: RequestRefused | None = None
    refused: Verdicts = field(default_factory=list, repr=False)
    """With a stop: what was refused, and does not count."""


class Canary:
    """Open until one of its records was answered, or all of them have their verdicts.

    Args:
        redactor: knows what of the API's words may be shown.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.open = True
        self._redactor = redactor if redactor is not None else Redactor()
        self._members: list[Inference] = []
        self._awaited: set[Inference] = set()
        self._refusals: Verdicts = []

    @property
    def room(self) -> int:
        """How many records it still lacks."""
        return RECORDS - len(self._members)

    def add(self, chunk: Sequence[Inference]) -> None:
        """Take these in; a record whose first attempt failed may come once more."""
        self._members += [inference for inference in chunk if inference not in self._members]
        self._awaited.update(chunk)

    def due_again(self, now: float, most_bytes: int, most: int = RECORDS) -> list[Inference]:
        """Members that the API had no room for, or that never reached it, for one request of so many tasks at most."""
        chunk: list[Inference] = []
        size = 0
        for inference in self._members:
            if inference.phase is not Phase.READY or inference.due > now:
                continue
            most, size = min(most, inference.together), size + inference.size
            if chunk and (len(chunk) >= most or size > most_bytes):
                break
            chunk.append(inference)
        return chunk

    def next_due(self, now: float) -> float | None:
        """When the next member will be ready to be sent again."""
        dues = [
            inference.due
            for inference in self._members
            if inference.phase is Phase.READY and inference.due > now
        ]
        return min(dues, default=None)

    def let_through(self, verdicts: Verdicts, *, proven: bool) -> LetThrough:
        """Hold refusals of members back until it is clear whether all of them were refused alike.

        Args:
            verdicts: new ones, of members and others.
            proven: whether a request like these was answered before.
        """
        if not self.open:
            return LetThrough(verdicts)
        passed: Verdicts = []
        for inference, entry in verdicts:
            self._awaited.discard(inference)
            if self._is_held_back(inference, entry):
                self._refusals.append((inference, entry))
            else:
                passed.append((inference, entry))
        is_well = any(proven or entry.kind is Kind.ANSWERED for _, entry in verdicts)
        # The request is well, so that refusals are about their records, and count.
        if is_well:
            return self._let_all_through(passed)
        # Others may yet show that it is.
        if self._awaited or not self._members:
            return LetThrough(passed)
        # The request is at fault. The records keep their chance, and nothing more is sent, or paid for.
        if self._all_were_refused_alike():
            kept = [_as_kept(inference, entry) for inference, entry in self._refusals]
            return LetThrough(passed, kept, self._stop(), self._refusals)
        # They failed for reasons of their own.
        return self._let_all_through(passed)

    def _is_held_back(self, inference: Inference, entry: Entry) -> bool:
        """Whether this verdict may be about the request in the place of its record."""
        is_refusal = entry.kind is Kind.ERROR and entry.family in FAMILIES
        return is_refusal and inference in self._members

    def _all_were_refused_alike(self) -> bool:
        codes = {entry.code for _, entry in self._refusals}
        return len(codes) == 1 and len(self._refusals) == len(self._members)

    def _let_all_through(self, passed: Verdicts) -> LetThrough:
        """What was held back counts now, and nothing is held back any more."""
        self.open = False
        return LetThrough(passed + self._refusals)

    def gives_up(self, unpaid: Sequence[Inference]) -> LetThrough:
        """These are not sent after all, for want of money: whoever waits for their verdicts waits no longer."""
        self._members = [inference for inference in self._members if inference not in unpaid]
        self._awaited.difference_update(unpaid)
        return self.let_through([], proven=False)

    def _stop(self) -> RequestRefused:
        entry = self._refusals[0][1]
        who = f"all {len(self._refusals)} records" if len(self._refusals) > 1 else "the record"
        said = self._redactor.said(
            entry.message or "", [text for inference, _ in self._refusals for text in inference.words]
        )
        return RequestRefused(f"the API refused {who} of the first chunk: {entry.code}: {said}")


def _as_kept(inference: Inference, entry: Entry) -> Entry:
    """An accepted task that failed later keeps its UUID and its error: only a new UUID can fare better."""
    refused_at_once = inference.sent_at is not None and not inference.accepted
    return replace(entry, kind=Kind.REJECTED if refused_at_once else Kind.SPENT)
