"""A bound on a request as a whole: httpx bounds each read, so that a byte now and then would keep it open for ever."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONNECTING = 0.9
"""Of the time for the whole, what may pass until the connection stands: so that a request which was never written is told
from one that may have arrived."""


class TookTooLong(Exception):  # noqa: N818 - says what is the case
    """A request was not answered as a whole in its time; its message says which."""


@contextlib.asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Bound what is done inside: to connect, to write and to read, in sum.

    Args:
        seconds: by the event loop's clock.

    Raises:
        TookTooLong: they passed; what was done inside has been cancelled.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TookTooLong(f"no whole reply within {seconds:g} seconds") from None
