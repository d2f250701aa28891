"""How many output retries are to be reckoned with: by how many answers have not fitted so far. Pure.

A budget that is spent on first answers alone buys some that do not fit, and has nothing left to have them mended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

from runware_provider.engine.spending.learned import PRIOR_ANSWERS, Learned

PRIOR_MISFITS = 0.1
"""The share of first answers that do not fit, until some were judged."""
PRIOR_MISFITS_AGAIN = 0.3
"""The same of answers to output retries: what went wrong once goes wrong more often."""
PRIOR_BESIDE_TOKENS = 400.0
"""What an output retry says beside the prompt: the answer that does not fit, and what is wrong with it."""


class Reckoned:
    """Output retries that are reckoned with, as a random number."""

    __slots__ = ("mean", "variance")

    def __init__(self, mean: float = 0.0, variance: float = 0.0) -> None:
        self.mean = mean
        self.variance = variance


def _share(prior: float) -> Learned:
    return Learned(prior, sqrt(prior * (1 - prior)), PRIOR_ANSWERS)


@dataclass
class KeptBack:
    """Learns how often answers do not fit, and what asking again says beside the prompt.

    Args:
        most: output retries of one question, at most.
    """

    most: int
    _misfits: Learned = field(default_factory=lambda: _share(PRIOR_MISFITS), repr=False)
    _misfits_again: Learned = field(default_factory=lambda: _share(PRIOR_MISFITS_AGAIN), repr=False)
    _beside: Learned = field(
        default_factory=lambda: Learned(PRIOR_BESIDE_TOKENS, PRIOR_BESIDE_TOKENS, PRIOR_ANSWERS), repr=False
    )

    @property
    def beside_tokens(self) -> float:
        """What an output retry says beside the prompt, by estimate."""
        return self._beside.mean

    def judged(self, beside_tokens: int | None, *, output_retry: bool) -> None:
        """An answer was read.

        Args:
            beside_tokens: what asking again says beside the prompt, by estimate; None where nothing is asked again.
            output_retry: whether it was the answer to one.
        """
        misfits = self._misfits_again if output_retry else self._misfits
        misfits.saw(0.0 if beside_tokens is None else 1.0)
        if beside_tokens is not None:
            self._beside.saw(beside_tokens)

    def after_first(self, answers: int) -> Reckoned:
        """Output retries that so many first answers will need, all in all."""
        if self.most < 1:
            return Reckoned()
        return _reckoned(self._misfits, answers, 1.0 + self._further(self.most - 1))

    def after_retry(self, answers: int) -> Reckoned:
        """Output retries that so many answers to output retries will need."""
        if self.most < 2:
            return Reckoned()
        return _reckoned(self._misfits_again, answers, 1.0 + self._further(self.most - 2))

    def _further(self, most: int) -> float:
        """Output retries after one, where so many may follow."""
        share = self._misfits_again.mean
        return float(sum(share**number for number in range(1, most + 1)))


def _reckoned(misfits: Learned, answers: int, each: float) -> Reckoned:
    """So many answers, of which a share needs so many output retries each."""
    return Reckoned(misfits.mean * answers * each, misfits.variance_of_sum(answers, answers) * each * each)
