"""Whether obstore can still be used in this process: its threads do not outlive a fork, and its calls wait for them.

A process that is forked off one which has asked a store would wait for ever. Airflow forks its tasks off processes that
ask no store, so it is the code of a task which forks that meets this.
"""

from __future__ import annotations

import errno
import os


class _Uses:
    def __init__(self) -> None:
        self.begun = False
        self.lost = False

    def forget_threads(self) -> None:
        self.lost = self.begun


_uses = _Uses()
os.register_at_fork(after_in_child=_uses.forget_threads)


def use(path: str) -> None:
    """Note that a store is asked now.

    Raises:
        OSError: this process was forked off one that had asked a store before.
    """
    if _uses.lost:
        raise OSError(
            errno.ENOTRECOVERABLE,
            "this process was forked off one that has spoken to the store; start it anew ('spawn'), or fork before",
            path,
        )
    _uses.begun = True
