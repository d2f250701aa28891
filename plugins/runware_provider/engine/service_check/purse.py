"""What the questions may cost, and what they did cost. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from runware_provider.engine.api.results import cost_of
from runware_provider.engine.spending.pricing import prices_of
from runware_provider.engine.spending.tokens import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

UNKNOWN_PRICES: Final = (20e-6, 100e-6)
"""USD per token in and out that a model is taken to cost of which nobody names a price: more than the dearest that is known."""
PROMPT_MARGIN: Final = 3.0
"""A tokenizer may make so many times the tokens that are estimated, with what the service adds around a prompt."""
LEAST_PROMPT_TOKENS: Final = 100


@dataclass(frozen=True)
class Rates:
    """USD per token, and who says so."""

    prompt: float
    completion: float
    said_by: str

    @classmethod
    def of(cls, model: str, listed: Mapping[str, tuple[float, float]]) -> Rates:
        """The prices of a model: as listed, as this version knows them, or else as dear as any."""
        known = prices_of(model, None, listed)
        if known is None:
            return cls(*UNKNOWN_PRICES, "nobody, so that it is taken to be dearer than any that is known")
        return cls(known.prices.prompt, known.prices.completion, known.said_by)

    def at_most(self, sent: bytes, max_tokens: int) -> float:
        """USD that one answer may cost.

        Args:
            sent: the task as JSON.
            max_tokens: of its answer.
        """
        tokens = LEAST_PROMPT_TOKENS + PROMPT_MARGIN * estimated_tokens(sent.decode(errors="replace"))
        return tokens * self.prompt + max_tokens * self.completion


@dataclass
class Purse:
    """Counts what was spent, never less than it can have been.

    Attributes:
        budget_usd: what all questions may cost together.
        worst: by task, what was put aside for it and is not known better.
        paid: by task, what it is said to have cost; in all, however often it ran.
    """

    budget_usd: float
    worst: dict[str, float] = field(default_factory=dict)
    paid: dict[str, float] = field(default_factory=dict)

    @property
    def reported_usd(self) -> float:
        """What the answers say that they cost."""
        return sum(self.paid.values(), 0.0)

    @property
    def at_most_usd(self) -> float:
        """What was spent at most: of what told no cost, all that was put aside for it."""
        unknown = sum(usd for name, usd in self.worst.items() if name not in self.paid)
        return self.reported_usd + unknown

    def has_room_for(self, usd: float) -> bool:
        """Whether so much more stays within the budget.

        A budget that is the sum of the same amounts in another order has room for them all: such sums differ in their last
        digits.
        """
        sum_usd = self.at_most_usd + usd
        return sum_usd <= self.budget_usd or math.isclose(sum_usd, self.budget_usd, rel_tol=1e-9)

    def put_aside(self, name: str, usd: float) -> None:
        """Before a task is sent, what it may cost."""
        self.worst[name] = usd

    def refused(self, name: str) -> None:
        """A task was not taken, and costs nothing."""
        self.worst.pop(name, None)

    def note(self, name: str, item: Mapping[str, Any]) -> None:
        """An answer came, with its cost or without."""
        cost = cost_of(item)
        if cost is not None:
            self.paid[name] = cost
