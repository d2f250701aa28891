"""How long an API is tried that gives no usable answer. Pure: time comes as a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.errors import Unreachable
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from runware_provider.engine.exchange.effects import Effects

FIRST_CONTACT_S = 30.0
"""How long an API that never answered is tried, at most: it is rather a wrong address than an outage."""


class Reach:
    """Whether the API can be reached.

    Args:
        unreachable_s: how long it may give no usable answer, once it gave one.
    """

    def __init__(self, unreachable_s: float) -> None:
        self._unreachable_s = unreachable_s
        self._was_there = False
        self._failing_since: float | None = None
        self.trouble: str | None = None
        """What is wrong while no usable answer comes, for a person."""
        self._remedy = ""
        """What to do about it; empty where nothing is known to help."""
        self._told = False

    def saw(self, effects: Effects, now: float) -> None:
        """A request ended."""
        if effects.usable:
            self._was_there, self._failing_since, self.trouble = True, None, None
            return
        self._was_there = self._was_there or effects.throttled
        if self._failing_since is None:
            self._failing_since = now
        if effects.trouble:
            self.trouble, self._remedy = effects.trouble, effects.remedy

    def first_trouble(self) -> list[str]:
        """Lines for a person, once, when the API was never reached: it is rather a wrong address than an outage."""
        if self.trouble is None or self._was_there or self._told:
            return []
        self._told = True
        lines = [f"No usable answer from the API: {self.trouble}."]
        if self._remedy:
            lines.append(self._remedy)
        lines.append(f"It is tried for {min(self._unreachable_s, FIRST_CONTACT_S):.0f} s.")
        return [short for line in lines for short in wrapped("", line)]

    def stop(self, now: float) -> Unreachable | None:
        """Why the job should stop, if no usable answer came for too long."""
        patience_s = self._unreachable_s
        if not self._was_there:
            patience_s = min(patience_s, FIRST_CONTACT_S)
        if self._failing_since is None or now - self._failing_since <= patience_s:
            return None
        last = f"; the last try: {self.trouble}" if self.trouble else ""
        reason = f"the API gave no usable answer for {patience_s:.0f} seconds{last}"
        return Unreachable(reason, remedy=self._remedy or None)
