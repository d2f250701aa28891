"""How far a job is: rate, time left, cost so far, in one line that a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FORESEEN_FROM = 5
"""Rows that this run worked for, from which on their cost says something of the rest's: those of the canary."""


@dataclass(frozen=True)
class Progress:
    """A job at one moment."""

    done: int
    """Rows that have their outcome."""
    total: int
    elapsed_s: float
    outstanding: int
    """Inferences under way at the vendor."""
    cost: float
    """USD paid by this run so far, as far as the API reported it."""
    reused: int = 0
    """Of the rows done, those that were answered before this run."""
    trouble: str | None = None
    """What is wrong, while the API gives no usable answer."""

    @property
    def rate(self) -> float:
        """Rows per second that this run worked for."""
        return (self.done - self.reused) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds left at this rate; nothing while there is no rate."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    @property
    def foreseen_cost(self) -> float | None:
        """USD that this run will have paid in the end, if the rest is like what was done; nothing at its ends."""
        worked = self.done - self.reused
        if worked < FORESEEN_FROM or self.done >= self.total or not self.cost:
            return None
        return self.cost + (self.total - self.done) * self.cost / worked

    def line(self) -> str:
        """One line for a log."""
        share = f" ({100 * self.done // self.total} %)" if self.total else ""
        parts = [f"{self.done:,} of {self.total:,} rows done{share}"]
        if self.reused:
            parts.append(f"{self.reused:,} of them answered before")
        if self.rate:
            parts.append(
                f"{self.rate:,.1f} a second" if self.rate >= 1 else f"{60 * self.rate:,.1f} a minute"
            )
        left = self.left_s
        if left is not None and self.done < self.total:
            parts.append(f"about {_duration(left)} left")
        if self.outstanding:
            parts.append(f"{self.outstanding:,} under way")
        foreseen = self.foreseen_cost
        in_all = f", about {foreseen:.{2 if foreseen >= 1 else 4}f} in all" if foreseen is not None else ""
        parts.append(f"{self.cost:.4f} USD so far{in_all}")
        if self.trouble:
            parts.append(f"no usable answer from the API ({self.trouble})")
        return ", ".join(parts)


def ending(manifest: Mapping[str, Any]) -> str:
    """One line for a log: what became of the rows of a published dataset, what it cost, and where it is."""
    reasons = manifest["reasons"]
    rows = [f"{count:,} {outcome}" for outcome, count in manifest["outcomes"].items()] or ["no rows"]
    why = f" ({', '.join(f'{code} {count:,}' for code, count in reasons.items())})" if reasons else ""
    paid = f"this run paid {manifest['paid_usd']:.4f} USD for {manifest['paid_inferences']:,} answers"
    reused = f" and reused {manifest['reused_inferences']:,}" if manifest["reused_inferences"] else ""
    return f"{', '.join(rows)}{why}; {paid}{reused}; written to {manifest['destination']}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
