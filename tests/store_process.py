"""A server of an object store in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0
"""A busy machine is no failed server."""

_PORT = re.compile(r"(?:^|http://127\.0\.0\.1:)([1-9]\d*)\s*$")


class StoreProcess:
    """Runs from `with` to its end.

    Args:
        command: what starts it. It says its port at the end of a line, alone or in its URL, and ends with its standard
            input, which the kernel closes when its parent dies.
        told: what it is called when it does not start.
    """

    def __init__(self, command: Sequence[str], told: str) -> None:
        self.endpoint_url = ""
        self._command = command
        self._told = told
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
        )
        self._stack.callback(_end, process)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            port = _PORT.search(line)
            if port is not None:
                self.endpoint_url = f"http://127.0.0.1:{port[1]}"
                return self
        raise RuntimeError(f"{self._told} did not start: {''.join(said)}")

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _end(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait(timeout=30)
