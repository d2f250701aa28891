"""Looks on while the questions of a call are answered, and tells how far it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.engine.money import usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.in_memory.attempts import AttemptsInMemory
    from runware_provider.engine.in_memory.feed import QuestionFeed

TOLD_EVERY_S: Final = 30.0


@dataclass(kw_only=True)
class QuestionWatch:
    """Looks on.

    Args:
        feed: the questions.
        attempts: what was paid.
        questions: how many there are.
        now: seconds, from any moment.
        tell: gets a line of progress every half minute.
    """

    feed: QuestionFeed
    attempts: AttemptsInMemory
    questions: int
    now: Callable[[], float]
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        self._told_at = self.now()

    @property
    def proven(self) -> bool:
        """Whether a request like these was answered: the first few tell."""
        return self.attempts.answered > 0

    def failing(self) -> JobStopped | None:
        """Never: whoever asks looks at the clock, and any number of questions may fail."""
        return None

    def undecided(self) -> bool:
        """Never: any number of questions may fail."""
        return False

    def tick(self, trouble: str | None) -> None:
        """Tell how far it is, now and then."""
        now = self.now()
        if now - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = now
        waited = f"{len(self.feed.ended)} of {self.questions} questions have their outcome"
        paid = f", {usd(self.attempts.paid_usd)} paid" if self.attempts.paid_usd else ""
        wrong = f"; {trouble}" if trouble else ""
        self.tell(f"{waited}{paid}{wrong}")
