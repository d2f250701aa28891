"""What is worth a line in a log and may come a thousand times a second: told at once, then once a minute with a count."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

EVERY_S: Final = 60.0


class Seldom:
    """Tells of each kind of thing at most once a minute; of one event loop.

    Args:
        log: where to.
        clock: seconds that never go back.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._told_at: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def warn(self, kind: str, remark: str = "") -> None:
        """Something happened.

        Args:
            kind: a sentence without its full stop that is true of each.
            remark: about this one.
        """
        self._untold[kind] += 1
        now = self._clock()
        if now - self._told_at.get(kind, -EVERY_S) < EVERY_S:
            return
        self._told_at[kind] = now
        shown = f"{kind} ({remark})" if remark else kind
        self._log.warning("%s; calls since this was last said: %d", shown, self._untold.pop(kind))
