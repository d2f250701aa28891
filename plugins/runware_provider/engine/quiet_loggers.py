"""Loggers of libraries that are silent about our requests, and about nobody else's.

httpx tells every request at INFO, thousands of lines in a task's log; botocore tells whole requests and replies at
DEBUG, with session tokens and what is written. A filter that lets everything pass but ours leaves the loggers' levels,
and what other code of the same process logs, alone.
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_request_is_ours: ContextVar[bool] = ContextVar("runware_request_is_ours", default=False)


def silence_about_us(*names: str) -> None:
    """Silence the loggers of these names whenever they speak from within `our_request`."""
    for name in names:
        logging.getLogger(name).addFilter(_is_not_ours)


@contextlib.contextmanager
def our_request() -> Iterator[None]:
    """A block in which a library carries out a request of ours."""
    token = _request_is_ours.set(True)
    try:
        yield
    finally:
        _request_is_ours.reset(token)


def _is_not_ours(_record: logging.LogRecord) -> bool:
    return not _request_is_ours.get()
