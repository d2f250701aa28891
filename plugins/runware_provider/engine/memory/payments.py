"""What attempts came to, as the one process that wrote down their ends counts it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runware_provider.engine.attempt import Entry


@dataclass(frozen=True)
class Payments:
    """Sums over attempts, as far as the API reported them."""

    prompt_tokens: int = 0
    """Those that were cached at the vendor among them."""
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    @classmethod
    def of(cls, entry: Entry) -> Payments:
        """Of one attempt that has ended."""
        return cls(
            entry.prompt_tokens or 0,
            entry.cached_tokens or 0,
            entry.completion_tokens or 0,
            entry.cost or 0.0,
        )

    def __add__(self, other: Payments) -> Payments:
        """Of attempts that are not the same."""
        return Payments(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.usd + other.usd,
        )

    def __sub__(self, other: Payments) -> Payments:
        """Without some of the attempts."""
        return Payments(
            self.prompt_tokens - other.prompt_tokens,
            self.cached_tokens - other.cached_tokens,
            self.completion_tokens - other.completion_tokens,
            self.usd - other.usd,
        )
