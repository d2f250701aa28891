"""Starting and stopping the local server: in a thread for tests, in the foreground for the command."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from runware_provider.testing.api.app import build_app
from runware_provider.testing.api.connections import Connections
from runware_provider.testing.api.settings import ServerSettings
from runware_provider.testing.api.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from runware_provider.testing.api.faults import Fault

T = TypeVar("T")
KEEP_ALIVE_SECONDS = 75
START_SECONDS = 30
TURNS_TO_ACCEPT = 3
"""Of the loop, until connections that wait to be accepted are noted."""


def listen(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; port 0 takes a free one.

    Raises:
        OSError: The address is in use or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the base URL of a server on this socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


class _Uvicorn(uvicorn.Server):
    """A uvicorn server that says when it listens and leaves signals to whoever runs it."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: State,
        connections: Connections,
        when_started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._connections = connections
        self._state = state
        self._when_started = when_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def reset(self) -> None:
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        self._connections.forget()
        self._state.reset()

    def stop(self) -> None:
        self._state.let_go.set()
        self.should_exit = True


def _cuttable(connections: Connections) -> type[asyncio.Protocol]:
    """Make a protocol that notes its connections, so that a fault can cut one."""

    class Noted(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen by uvicorn at import
        def connection_made(self, transport: asyncio.Transport) -> None:
            # None where the client has gone by now.
            self._peer = (transport.get_extra_info("peername") or ("", 0))[:2]
            connections.made(self._peer, transport)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.lost(self._peer)
            super().connection_lost(exc)

    return Noted


def _uvicorn(state: State, when_started: Callable[[], None]) -> _Uvicorn:
    connections = Connections()
    config = uvicorn.Config(
        build_app(state, connections),
        http=_cuttable(connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
    )
    return _Uvicorn(config, state, connections, when_started)


def run_in_foreground(settings: ServerSettings, when_listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: How the server behaves.
        when_listening: Called with the base URL once connections are accepted.

    Raises:
        OSError: The address cannot be listened on.
    """
    listener = listen(settings.host, settings.port)
    server = _uvicorn(State(settings, time.monotonic), lambda: when_listening(url_of(listener)))

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        await server.serve([listener])

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(serve())


class LocalServer:
    """A local server in a thread of its own, on a free port unless the settings name one.

    Use it as a context: ``with LocalServer(ServerSettings(latency=0)) as server: ...``

    Args:
        settings: How the server behaves.
        clock: Returns seconds that never go back; a test's own clock makes waiting explicit.
    """

    def __init__(
        self, settings: ServerSettings | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings or ServerSettings()
        self._state = State(self.settings, clock)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._started = False
        self._url = ""

    def __enter__(self) -> Self:
        """Start, and return when connections are accepted.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: The server did not start.
        """
        self._listener = listen(self.settings.host, self.settings.port)
        self._url = url_of(self._listener)
        self._thread = threading.Thread(target=self._serve, name="runware-local-server", daemon=True)
        self._thread.start()
        self._ready.wait(START_SECONDS)
        if not self._started:
            raise RuntimeError("the local server did not start") from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and return when the thread has ended."""
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join()

    @property
    def base_url(self) -> str:
        """The URL that a client needs, with ``/v1``."""
        return self._url

    @property
    def key(self) -> str:
        """The API key that is accepted."""
        return self.settings.key

    def bill(self) -> dict[str, Any]:
        """Return the bill, with one entry per executed task under ``tasks``."""
        return self._call(lambda: self._state.bill.itemised(self._state.tasks))

    def bill_summary(self) -> dict[str, Any]:
        """Return the totals of the bill."""
        return self._call(lambda: self._state.bill.summary())  # noqa: PLW0108 - reset replaces the bill

    def balance(self) -> float:
        """Return what is left on the account, USD."""
        return self._call(lambda: self._state.balance_nano) / 1_000_000_000

    def resize(self, capacity: int, queue: int | None = None) -> None:
        """Have so many slots and so long a queue from now on; see `ServerSettings`."""
        self._call(lambda: self._state.resize(capacity, queue))

    def script(self, *faults: Fault) -> None:
        """Add faults."""
        self._call(lambda: self._state.faults.add(*faults))

    def faults(self) -> list[dict[str, Any]]:
        """Return the active faults, with how often each matched and fired."""
        return self._call(self._state.faults.state)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call(self._state.faults.clear)

    def remove_fault(self, fault: Fault) -> None:
        """Remove a fault, however often it was added; the others go on counting."""
        self._call(lambda: self._state.faults.remove(fault))

    def reset(self) -> None:
        """Forget tasks, bill, balance and all requests that came before, served or not; the faults stay.

        Connections are closed, since the client of one may be gone, and its request still be on its way.
        """
        asyncio.run_coroutine_threadsafe(self._server.reset(), self._loop).result(START_SECONDS)

    def _when_started(self) -> None:
        self._started = True
        self._ready.set()

    def _serve(self) -> None:
        try:
            self._server = _uvicorn(self._state, self._when_started)
            with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
                self._loop = runner.get_loop()
                runner.run(self._server.serve([self._listener]))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failure = error
        finally:
            self._ready.set()

    def _call(self, function: Callable[[], T]) -> T:
        """Run a function on the server's loop, where its state lives."""

        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(START_SECONDS)
