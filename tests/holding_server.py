"""A local API server that holds answers until the test has seen what it waits for.

An answer that takes "long enough" takes too little on a machine that is busy enough, and too much on every other one.
"""

from __future__ import annotations

import time
from typing import Any

from runware_provider.testing import Fault, LocalServer, ServerSettings

_HELD_S = 86_400.0
"""Longer than any test waits."""
HELD_DEADLINE_S = 3_600.0
"""For `limits.deadline_s` of a job one of whose answers is held: until then it is not given up, and not asked for anew."""


def held(contains: str | None = None, **when: Any) -> Fault:
    """The fault of tasks whose answers a `HoldingServer` holds until it lets go of them."""
    return Fault("delay_task", contains=contains, seconds=_HELD_S, **when)


class HoldingServer(LocalServer):
    """The server on a clock that a test can put forward. Only polls look at that clock again: no sync reply, no webhook."""

    def __init__(self, settings: ServerSettings) -> None:
        self._ahead_s = 0.0
        super().__init__(settings, clock=lambda: time.monotonic() + self._ahead_s)

    def let_go(self) -> None:
        """Hold nothing any more: what is under way is done, as if a day had passed."""
        scripted = [Fault(**state["fault"]) for state in self.faults()]
        for fault in scripted:
            if fault.seconds == _HELD_S:
                self.remove_fault(fault)
        self._ahead_s += _HELD_S
