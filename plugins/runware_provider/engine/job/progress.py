"""How far a job is: rate, time left, cost so far, in short lines that a person can read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.money import digits, usd
from runware_provider.engine.plain_text import packed, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.exchange.waits import Wait
    from runware_provider.engine.memory.payments import Payments

FORESEEN_FROM = 5
"""Rows from which on their cost says something of the rest's: those of the canary."""
STRAGGLERS = 0.05
"""So few of the rows, when all that is left of them is under way, are the slow ones: the rate says nothing of them."""
QUIET_S = 10.0
"""A silence that is worth telling."""
BESIDE_A_BAR = 58
"""Characters that a terminal of 100 columns has beside the bar."""


@dataclass(frozen=True)
class Progress:
    """A job at one moment, as one process of its run sees it."""

    done: int
    """Rows that have their outcome."""
    total: int
    elapsed_s: float
    """Since this process began with its rows."""
    outstanding: int
    """Inferences under way at the vendor."""
    cost: float
    """USD paid by this run so far, by all its tries, as far as the API reported it."""
    reused: int = 0
    """Of the rows done, those that were answered before this process began."""
    skipped: int = 0
    """Of the rows done, those that are never sent, which took no time and cost nothing."""
    trouble: str | None = None
    """What is wrong, while the API gives no usable answer."""
    cost_here: float | None = None
    """How much of the cost this process paid; None where nobody knows, and all rows done count as having cost alike."""
    asked_again: int = 0
    """Questions that are asked once more, since their last answers do not fit."""
    paid_of_asked_again: float = 0.0
    """USD that the answers to these have cost so far."""
    quiet_s: float = 0.0
    """Since a row was done."""
    waits: Sequence[Wait] = ()
    """What is waited for; a line tells of it only while no row is done."""
    window: int | None = None
    """Inferences that may be under way; None where nobody says."""
    window_reason: str = ""
    """Why so many."""
    decided: Mapping[str, int] = field(default_factory=dict)
    """Rows that were asked, by the outcome that this process gave them."""
    payments: Mapping[str, Payments] = field(default_factory=dict)
    """What this process learnt to be paid, by the outcome of what was paid for; never told by two processes."""
    streamed_chars: int = 0
    """Of answers that are not whole yet, what open streams have brought so far."""
    brought: int = 0
    """Calls of the vendor that said what became of an attempt, in this process."""
    fetched: int = 0
    """Answers that were to be brought, and were there when they were asked for."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Rows done, by outcome, whenever they were answered."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Rows that did not succeed, by error code; the most frequent ones."""
    latency_median_s: float | None = None
    """Of answers of late; None as long as nobody knows."""
    latency_slow_s: float | None = None
    """Of a hundred answers of late, 95 were faster."""
    earlier_tries: int = 0
    """Of the rows that were answered before this process began, those that earlier tries of the same run asked."""

    @property
    def worked(self) -> int:
        """Rows done that this process worked for."""
        return self.done - self.reused - self.skipped

    @property
    def rest(self) -> int:
        """Rows that have no outcome yet."""
        return self.total - self.done

    @property
    def to_ask(self) -> float:
        """Of the rest, about how many rows are asked, if as many are skipped as of the rows that were read by now."""
        read = self.done + self.outstanding
        return self.rest * (1 - self.skipped / read) if self.skipped else self.rest

    @property
    def rate(self) -> float:
        """Rows per second that this process worked for."""
        return self.worked / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds left at this rate; None where the rate says nothing of the rest.

        It says nothing of stragglers, nor once no row was done for longer than all of the rest should have taken.
        """
        few = self.rest <= STRAGGLERS * self.worked
        if self.rate <= 0 or (few and self._all_under_way):
            return None
        left = self.to_ask / self.rate
        return left if left >= self.quiet_s else None

    @property
    def foreseen_cost(self) -> float | None:
        """USD that this run will have paid in the end, if the rest is asked, and like what was asked; None at its ends.

        What is asked again will have cost as much once more, and as large a share of the rest is asked again.
        """
        done = self.done - self.skipped if self.cost_here is None else self.worked
        paid = self.cost if self.cost_here is None else self.cost_here
        if done < FORESEEN_FROM or not self.rest or not paid:
            return None
        of_each = (paid + self.paid_of_asked_again) / (done + self.asked_again)
        untouched = max(0.0, self.to_ask - self.asked_again)
        return self.cost + self.paid_of_asked_again + untouched * of_each

    def line(self) -> str:
        """One line, however long."""
        return printable(", ".join(self._facts()))

    def lines(self) -> list[str]:
        """The same in short lines, for a log."""
        return packed(self._facts())

    def short_line(self) -> str:
        """What a bar does not show already, in `BESIDE_A_BAR` characters at most."""
        parts = [*self._pace(), usd(self.cost), *self._streamed()]
        return printable(", ".join([self.trouble, *parts] if self.trouble else parts), BESIDE_A_BAR)

    def _facts(self) -> list[str]:
        """What a person wants to know, the most important first."""
        share = f" ({100 * self.done // self.total} %)" if self.total else ""
        facts = [f"{self.done:,} of {self.total:,} rows done{share}"]
        if self.reused:
            facts.append(f"{self.reused:,} answered before")
        facts += self._pace()
        if self.asked_again:
            facts.append(f"{self.asked_again:,} asked again, as their answers do not fit")
        if self.outstanding:
            facts.append(self._under_way())
        facts += [*self._streamed(), *self._brought()]
        if self.rest and self.quiet_s >= QUIET_S:
            facts += map(_described, self.waits)
        foreseen = self.foreseen_cost
        in_all = f", about {digits(foreseen)} in all" if foreseen is not None else ""
        facts.append(f"{usd(self.cost)} so far{in_all}")
        if self.trouble:
            facts.append(f"no usable answer from the API ({self.trouble})")
        return facts

    def _streamed(self) -> list[str]:
        return [f"{self.streamed_chars:,} characters streaming in"] if self.streamed_chars else []

    def _brought(self) -> list[str]:
        # Nothing where answers come otherwise.
        if not self.brought and not self.fetched:
            return []
        return [f"{self.brought:,} brought by webhook, {self.fetched:,} fetched"]

    def _under_way(self) -> str:
        # Once all of the rest is under way, more could not be.
        if self.window is None or self._all_under_way:
            return f"{self.outstanding:,} under way"
        return f"{self.outstanding:,} under way of at most {self.window:,} ({self.window_reason})"

    def _pace(self) -> list[str]:
        """The rate, and how long the rest will take, or what can be said in place of that."""
        parts = []
        if self.rate >= 1:
            parts.append(f"{self.rate:,.1f} a second")
        elif self.rate:
            parts.append(f"{60 * self.rate:,.1f} a minute")
        return parts + self._waited_for() if self.rest else parts

    @property
    def _all_under_way(self) -> bool:
        """Whether there is nothing left to send; rows that ask the same share an inference, and may hide that."""
        return self.rest <= self.outstanding

    def _waited_for(self) -> list[str]:
        """How long the rest will take, or what can be said in place of that."""
        if self.left_s is not None:
            return [f"about {duration(self.left_s)} left"]
        since = f" for {duration(self.quiet_s)}" if self.quiet_s >= QUIET_S else ""
        if self._all_under_way:
            return [f"waiting{since} for the last {self.rest:,}"]
        return [f"no row{since}"] if since else []


def _described(wait: Wait) -> str:
    return f"waiting for {wait.what} ({wait.inferences:,}, the first for {duration(wait.longest_s)})"


def duration(seconds: float) -> str:
    """As a person says it: `4 min 10 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
