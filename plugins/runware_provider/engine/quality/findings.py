"""What a report and a comparison say, before it is written down. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.quality.chance import SIGNIFICANT, holm, mcnemar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.quality.expected import FieldHits
    from runware_provider.engine.quality.profile import FieldProfile
    from runware_provider.engine.quality.tally import Tally

SHARES = (0.5, 0.9, 0.99)
"""The percentiles of the latency that are told."""


@dataclass(frozen=True)
class Run:
    """A published dataset: what its manifest says, and what its rows add up to."""

    manifest: Mapping[str, Any]
    tally: Tally

    @property
    def destination(self) -> str:
        """The dataset's folder."""
        return str(self.manifest.get("destination", ""))

    @property
    def model(self) -> str:
        """As asked."""
        return str(self.manifest.get("model", ""))

    @property
    def finished_at(self) -> str:
        """UTC, to the minute."""
        return str(self.manifest.get("finished_at", ""))[:16].replace("T", " ")

    @property
    def publish_id(self) -> str:
        """Names this publish."""
        return str(self.manifest["publish_id"])

    @property
    def rows(self) -> int:
        """As counted."""
        return self.tally.rows

    @property
    def records(self) -> int:
        """Records in; rows are records times samples."""
        return int(self.manifest.get("records", self.rows))

    def number(self, key: str) -> float:
        """A number of the manifest; 0 where an older one has none."""
        return self.manifest.get(key) or 0

    @property
    def cost_per_thousand(self) -> float | None:
        """USD for 1,000 rows."""
        return 1000 * self.number("cost_usd") / self.rows if self.rows else None

    @property
    def cost_per_thousand_succeeded(self) -> float | None:
        """USD for 1,000 rows that succeeded."""
        answered = self.tally.answered
        return 1000 * self.number("cost_usd") / answered if answered else None

    @property
    def latencies(self) -> tuple[float, ...] | None:
        """Seconds at the percentiles `SHARES`, then the longest."""
        found = self.tally.latency.percentiles(*SHARES)
        longest = self.tally.latency.highest
        return (*found, longest) if found and longest is not None else None


@dataclass(frozen=True)
class Hits:
    """The comparison of a dataset with expected values."""

    fields: tuple[FieldHits, ...]
    compared: int
    without_result: int
    """Rows with expected values and no result; they are in no rate."""
    expected: int
    """Records with expected values."""
    left_out: tuple[str, ...]
    """Columns of the expected values that are no field of the result."""
    tolerance: float
    """How far numbers may be apart."""


@dataclass(frozen=True)
class Findings:
    """What a report says."""

    run: Run
    fields: tuple[FieldProfile, ...]
    hits: Hits | None


@dataclass(frozen=True)
class Change:
    """A record whose value differs."""

    key: Any = field(repr=False)
    first: Any = field(repr=False)
    second: Any = field(repr=False)


@dataclass(frozen=True)
class FieldChanges:
    """A field in two datasets, over the records that succeeded in both."""

    path: str
    same: int = 0
    """Both null included."""
    changed: int = 0
    only_first: int = 0
    """Null in the second."""
    only_second: int = 0
    """Null in the first."""
    examples: tuple[Change, ...] = ()

    @property
    def of(self) -> int:
        """Records compared."""
        return self.same + self.changed + self.only_first + self.only_second


@dataclass(frozen=True)
class Duel:
    """A field's hits in two datasets, on the same records; no result counts as wrong."""

    path: str
    both: int
    only_first: int
    only_second: int
    neither: int
    chance: float = 1.0
    """How likely so uneven a split is when neither is better, corrected for the number of fields."""

    @property
    def of(self) -> int:
        """Records compared."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def first(self) -> int:
        """Hits of the first."""
        return self.both + self.only_first

    @property
    def second(self) -> int:
        """Hits of the second."""
        return self.both + self.only_second

    @property
    def winner(self) -> str:
        """`A`, `B`, or nothing where chance explains the difference."""
        if self.chance >= SIGNIFICANT:
            return ""
        return "A" if self.only_first > self.only_second else "B"


def judged(duels: list[Duel]) -> tuple[Duel, ...]:
    """The duels with their chances: McNemar's exact test, Holm's correction."""
    chances = holm([mcnemar(duel.only_first, duel.only_second) for duel in duels])
    return tuple(
        Duel(duel.path, duel.both, duel.only_first, duel.only_second, duel.neither, chance)
        for duel, chance in zip(duels, chances, strict=True)
    )


@dataclass(frozen=True)
class Differences:
    """What a comparison says."""

    first: Run
    second: Run
    key: str | None
    """The column that joins them; None for the order of the rows."""
    joined: int
    """Rows in both."""
    only_first: int
    only_second: int
    outcomes: Mapping[tuple[str, str], int]
    """Rows by outcome in the first and in the second."""
    both_succeeded: int
    fields: tuple[FieldChanges, ...]
    incomparable: tuple[str, ...]
    """Fields of one dataset only, or of unlike types."""
    duels: tuple[Duel, ...] | None
    """Nothing without expected values."""
    expected: int
    """Records with expected values that were compared."""
    tolerance: float
    """How far numbers may be apart."""
