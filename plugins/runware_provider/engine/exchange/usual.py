"""How long answers take while nothing has to wait for a slot: what every later latency is measured by. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHORTEST_S = 0.05
"""Latencies below this are noise of the network."""
NEAR = 1.15
"""Times the usual latency: up to here it says nothing of load."""
WAVES = 0.2
"""Answers that differ by less among themselves come back as they were sent: in waves."""
OFF_BY_CHANCE = 2.0
"""Times what the canary's answers took: up to here they may have been fast ones."""
FASTER_AT_ONCE = 0.5
"""Of the way to a latency that is clearly faster, which goes without load."""
AVERAGED = 0.2
"""The same to one that differs no more than chance has it."""
DRIFT = 0.01
"""The same to one that is slower: as a rule it waited for slots."""


@dataclass
class Usual:
    """The usual latency: an average, seconds."""

    latency_s: float
    measured_on: int
    """Answers."""
    spread: float
    """By what share answers differ from the average, about."""
    is_a_guess: bool = False
    """Whether it was measured on so few answers, those of the canary, that the next ones know it better."""

    def __post_init__(self) -> None:
        self.latency_s = max(SHORTEST_S, self.latency_s)

    @property
    def comes_in_waves(self) -> bool:
        """Whether answers come back together that were sent together."""
        return self.spread < WAVES

    def slower(self, latency_s: float) -> float:
        """How many times the usual latency this is."""
        return max(SHORTEST_S, latency_s) / self.latency_s

    def chance(self, answers: int) -> float:
        """By what share the average of so many is off by chance."""
        return chance_of(self.spread, answers)

    def is_known_better(self, latency_s: float, spread: float, times: float = OFF_BY_CHANCE) -> bool:
        """Whether a guess has to give way to the first of many; not where these waited for slots.

        Args:
            latency_s: of these.
            spread: of these; those that come in waves are measured by the guess.
            times: the guess, up to which it may be off by chance.
        """
        return self.is_a_guess and spread >= WAVES and self.slower(latency_s) < times

    def measure(self, latency_s: float, spread: float) -> None:
        """Others were answered, while as much was under way as fits, or a little more."""
        slower = self.slower(latency_s)
        # What some waited for a slot is no difference between answers.
        if slower <= NEAR:
            self.spread += AVERAGED * (spread - self.spread)
        if slower > NEAR:
            share = DRIFT
        elif slower > 1 / NEAR:
            share = AVERAGED
        else:
            share = FASTER_AT_ONCE
        self.latency_s = max(SHORTEST_S, self.latency_s + share * (latency_s - self.latency_s))


def chance_of(spread: float, answers: int) -> float:
    """By what share the average of so many answers is off by chance, which differ by such a share among themselves."""
    return spread / math.sqrt(max(1, answers))
