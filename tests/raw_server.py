"""A server on this machine that does with each connection what a test says, and leaves none open."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@contextlib.asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncIterator[int]:
    """Listen, and yield the port.

    At the end what is still being served is cancelled and each connection is closed: what an event loop leaves open when it
    ends is told by the garbage collector, as a warning in whichever test happens to run then.

    Args:
        serve: called with each connection's reader and writer.
        options: further ones of `asyncio.start_server`.
    """
    connections: list[tuple[asyncio.Task[Any], asyncio.StreamWriter]] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.append((task, writer))
        await serve(reader, writer)

    server = await asyncio.start_server(served, "127.0.0.1", 0, **options)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for task, writer in connections:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                writer.transport.abort()
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await writer.wait_closed()
