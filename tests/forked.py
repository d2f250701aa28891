"""Processes of their own that start at once, because they are forked from one that has loaded the engine.

Starting Python and importing the engine takes most of a second of computing, and tests that kill command lines start
some fifty of them.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Self

import runware_provider
from runware_provider.engine.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.context import ForkServerContext

PROJECT = Path(__file__).resolve().parents[1]
PLUGINS = Path(runware_provider.__file__).parents[1]
LOADED_BEFORE = ("__main__", "tests.forked", "tests.torture.victim")
"""What all that is forked has loaded already."""
FAMILY = threading.Lock()
"""Starting a process asks all its siblings how they ended, and an exit code can be read only once."""


@cache
def nursery() -> ForkServerContext:
    """Return what starts processes by forking one that has loaded the engine and nothing of this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED_BEFORE))
    before = os.environ.get("PYTHONPATH")
    # Python 3.11 does not hand on `sys.path` to what is loaded before the first fork.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(PROJECT), str(PLUGINS), *filter(None, sys.path)])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


class CommandLine:
    """The engine's command line in a forked process, with what tests use of `subprocess.Popen`.

    Args:
        arguments: those of the command line.
        environment: its whole environment.
        folder: in which it runs.
    """

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._outputs = tempfile.TemporaryDirectory(prefix="outputs-")
        self._process = nursery().Process(
            target=_run, args=(arguments, environment, folder, Path(self._outputs.name))
        )
        with FAMILY:
            self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self._process.close()
        self._outputs.cleanup()

    def poll(self) -> int | None:
        """Return the exit status, negative after a signal, or None while it runs."""
        if self.returncode is None:
            with FAMILY:
                self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status as soon as there is one.

        Raises:
            subprocess.TimeoutExpired: there was none after so many seconds.
        """
        wait([self._process.sentinel], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it wrote to standard output and standard error until it ended."""
        self.wait(timeout)
        return self._written("stdout"), self._written("stderr")

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once, by SIGKILL."""
        if self.poll() is None:
            self._process.kill()

    def _written(self, name: str) -> str:
        path = Path(self._outputs.name, name)
        # One that was killed at once may not have opened its outputs.
        return path.read_text(encoding="utf-8") if path.exists() else ""


_OUTPUTS = {"stdout": 1, "stderr": 2}
"""The files that hold what it writes, and the numbers of the streams."""


def _run(arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path, outputs: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for name, number in _OUTPUTS.items():
        opened = os.open(outputs / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.exit(main(arguments))
