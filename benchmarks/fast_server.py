"""Start the fast server: it answers like the API, checks nothing, and takes next to no processor time.

    python benchmarks/fast_server.py --port 8099 --latency-s 0.2

It is written in C (`fast_server.c`) and built with the machine's `cc` on the first start. It prints its URL and runs until
it is ended. `python benchmarks/fast_server.py --help` lists what can be set; a script has `fast_server(...)` instead.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from measured import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_suffix(".c")
BUILT = Path(__file__).resolve().parents[1] / "build"
OPTIONS = {
    "port": "where it listens; 0 for a free one",
    "latency-s": "seconds that an inference takes; the median of them, with --sigma",
    "sigma": "standard deviation of the logarithm of the latency; 0 for none",
    "tail-share": "share of the inferences that take 100 times as long",
    "slots": "inferences at work at once; 0 for all",
    "queue": "inferences that wait for a slot at most; more are refused (HTTP 429)",
    "answer": "the JSON object that every answer is",
}


def build() -> Path:
    """The server's program, built where its source is newer than it.

    Raises:
        subprocess.CalledProcessError: `cc` failed.
        FileNotFoundError: there is no `cc`.
    """
    name = hashlib.blake2b(SOURCE.read_bytes(), digest_size=8).hexdigest()
    program = BUILT / f"fast_server-{name}"
    if not program.exists():
        BUILT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILT) as folder:
            fresh = Path(folder) / "fast_server"
            # The machine's own compiler, wherever it is.
            subprocess.run(["cc", "-O2", "-o", str(fresh), str(SOURCE), "-lm"], check=True)  # noqa: S607
            fresh.replace(program)
    return program


@contextlib.contextmanager
def fast_server(**options: float | str) -> Iterator[LocalServer]:
    """Run it on a free port.

    Args:
        options: as on the command line, with underscores: `latency_s=0.2, slots=64`.
    """
    command = [str(build())]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, "the fast server did not start"
            yield LocalServer(url, process.pid)
        finally:
            process.terminate()


def main() -> None:
    """Become the server."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, told in OPTIONS.items():
        parser.add_argument(f"--{name}", help=told)
    command = [str(build())]
    for name, value in vars(parser.parse_args()).items():
        if value is not None:
            command += [f"--{name.replace('_', '-')}", value]
    os.execv(command[0], command)  # noqa: S606 - it becomes the server


if __name__ == "__main__":
    main()
