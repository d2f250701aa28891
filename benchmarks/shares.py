"""Where the engine's time goes: the share of each of its packages in processor time and in the wall.

    PYTHONPATH=plugins python benchmarks/shares.py --url http://127.0.0.1:8099/v1 --source s.parquet --schema schema.json --destination out

It runs one job in its own process. Two milliseconds after each look, the stacks of all threads are looked at, and what processor time
each thread took since the last look counts for what its stack says: for the innermost package of the engine on it, or, if
`memory` is anywhere on it, for the ledger, which so includes what it stores. What is at imports, at HTTP or in the event loop
beneath that counts for these. Of the wall it is the main thread's stack that counts: what it spends in the ledger is
what the job waits for. Prints JSON.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

EVERY_S = 0.002
LEDGER = "ledger"
IMPORTS = "imports"
HTTP = "HTTP"
LOOP = "event loop"
PACKAGES = {
    "memory": LEDGER,
    "api": "the API's words",
    "exchange": "exchange",
    "schema": "schemas",
    "templates": "prompts",
    "dataset": "Parquet",
    "outcome": "rows",
    "storage": "storage",
}
OTHERS = "job and the rest of the engine"
ENGINE = f"{os.sep}runware_provider{os.sep}engine{os.sep}"
HTTP_LIBRARIES = ("httpx", "httpcore", "h11", "anyio", "aiohttp", "httpx_aiohttp")


class Sampler:
    """Notes on each look what threads are at, weighed by the processor time that they took since the last."""

    def __init__(self) -> None:
        self.processor_s: dict[str, float] = collections.defaultdict(float)
        self.wall_s: dict[str, float] = collections.defaultdict(float)
        self._threads_s: dict[int, float] = {}
        self._looked_at = time.perf_counter()
        self._main = threading.main_thread().ident

    def look(self, _signal: int, interrupted: FrameType | None) -> None:
        """A handler of a signal: it runs in the main thread, which `interrupted` is the frame of."""
        now = time.perf_counter()
        for ident, current in sys._current_frames().items():  # noqa: SLF001 - the only way to another thread's frame
            frame = interrupted if ident == self._main else current
            took_s = self._since_last_look(ident)
            if took_s and frame is not None:
                self.processor_s[place_of(_files(frame))] += took_s
        if interrupted is not None:
            self.wall_s[place_of(_files(interrupted))] += now - self._looked_at
        self._looked_at = now
        # Not by itself again and again: on a busy machine, one look would begin before the other has ended, and so on.
        signal.setitimer(signal.ITIMER_REAL, EVERY_S)

    def _since_last_look(self, ident: int) -> float:
        try:
            so_far = time.clock_gettime(time.pthread_getcpuclockid(ident))
        except OSError:  # the thread has just ended
            return 0.0
        before, self._threads_s[ident] = self._threads_s.get(ident, 0.0), so_far
        return max(0.0, so_far - before)  # an ident is used again by a later thread


def place_of(files: Iterator[str]) -> str:
    """What a stack is about.

    Args:
        files: of its frames, the innermost first.
    """
    innermost, library = "", ""
    for file in files:
        _, within, rest = file.partition(ENGINE)
        if within:
            package = rest.partition(os.sep)[0]
            if package == "memory":
                return LEDGER
            innermost = innermost or PACKAGES.get(package, OTHERS)
        elif not innermost:
            library = library or _library(file)
    return library or innermost or LOOP


def _library(file: str) -> str:
    if "importlib" in file:
        return IMPORTS
    parts = Path(file).parts
    if any(name in parts for name in HTTP_LIBRARIES):
        return HTTP
    return LOOP if "asyncio" in parts or parts[-1] == "selectors.py" else ""


def _files(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


def main() -> None:
    """Run the job, and print what its time went into."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("url", "source", "schema", "destination"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    os.environ["RUNWARE_BASE_URL"] = given.url
    os.environ.setdefault("RUNWARE_API_KEY", "test-key")
    sys.argv = ["runware", "run", "--source", given.source, "--destination", given.destination]
    sys.argv += ["--prompt", "{{ record.prompt }}", "--schema", given.schema]
    sampler, began = Sampler(), time.perf_counter()
    signal.signal(signal.SIGALRM, sampler.look)
    signal.setitimer(signal.ITIMER_REAL, EVERY_S)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            runpy.run_module("runware_provider.engine", run_name="__main__", alter_sys=False)
    finally:
        # A process that ends has no handler any more, and the signal would end it. A look may begin a last one even now.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    print(json.dumps(_told(sampler, time.perf_counter() - began)))


def _told(sampler: Sampler, wall_s: float) -> dict[str, Any]:
    return {
        "processor_s": dict(sampler.processor_s),
        "wall_s": dict(sampler.wall_s),
        "whole_processor_s": time.process_time(),
        "whole_wall_s": wall_s,
    }


if __name__ == "__main__":
    main()
