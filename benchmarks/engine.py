"""What the engine costs beside the API: processor time and memory per record, against a bare request loop.

    PYTHONPATH=plugins python benchmarks/engine.py --records 20000

Three processes are measured one after the other against the same local API server, by the operating system's account
of each: the engine (plan, ledger, 50 tasks a POST, polling, schema check, Parquet out), the engine again on the
finished job (nothing to pay), and a loop that does no more than one aiohttp POST per record with sync delivery, 100
at once, and counts the answers; for that one, install aiohttp, which the project itself does not need.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KEY = "test-key"
AT_ONCE = 100
SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": ["bug", "praise", "other"]},
        "floor": {"type": ["integer", "null"]},
    },
    "required": ["label", "floor"],
    "additionalProperties": False,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--skip-loop", action="store_true", help="measure the engine only")
    parser.add_argument("--loop", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        asyncio.run(_loop(options.loop, options.records))
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.records, loop=not options.skip_loop)


def _measure(folder: Path, records: int, *, loop: bool) -> None:
    source = folder / "source.parquet"
    pq.write_table(pa.table({"id": range(records), "body": [_body(one) for one in range(records)]}), source)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    ready = folder / "ready"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "runware_provider.testing", "--latency", "0.2", "--capacity", "100000"),
            *("--key", KEY, "--ready-file", str(ready)),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not ready.exists():
            assert server.poll() is None, "the local API server ended"
            time.sleep(0.05)
        url = ready.read_text().strip()
        engine = [sys.executable, "-m", "runware_provider.engine", "run", "--source", str(source)]
        engine += ["--destination", str(folder / "out"), "--prompt", "Classify: {{ record.body }}"]
        engine += ["--schema", str(folder / "schema.json"), "--max-outstanding", "5000"]
        first = _timed("engine, all to pay", engine, url, records)
        _timed("engine, nothing to pay", engine, url, records)
        if loop and importlib.util.find_spec("aiohttp"):
            bare = _timed("bare aiohttp loop", [*_again(records), "--loop", url], url, records)
            print(f"engine / bare loop, processor time: {first / bare:.2f}")
    finally:
        server.terminate()
        server.wait()


def _again(records: int) -> list[str]:
    return [sys.executable, __file__, "--records", str(records)]


def _timed(name: str, command: list[str], url: str, records: int) -> float:
    """Processor seconds of a command, printed with its peak memory."""
    environment = {**os.environ, "RUNWARE_API_KEY": KEY, "RUNWARE_BASE_URL": url}
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{name} ended with {process.returncode}"
    cpu = usage.ru_utime + usage.ru_stime
    wall = time.monotonic() - started
    print(
        f"{name:24} {cpu:7.2f} s processor ({1e6 * cpu / records:6.0f} us a record), {wall:7.2f} s wall,"
        f" peak {usage.ru_maxrss / 1024:6.0f} MB"
    )
    return cpu


def _body(number: int) -> str:
    return f"Ticket {number}: the printer on floor {number % 40} is broken again, please send somebody"


def _task(number: int) -> bytes:
    task = {
        "taskType": "textInference",
        "taskUUID": str(uuid.uuid4()),
        "model": "deepseek-v4-pro",
        "messages": [{"role": "user", "content": f"Classify: {_body(number)}"}],
        "tools": [{"type": "function", "name": "answer", "description": "The answer", "schema": SCHEMA}],
        "toolChoice": {"type": "tool", "name": "answer"},
        "deliveryMethod": "sync",
        "includeCost": True,
    }
    return json.dumps([task]).encode()


async def _loop(url: str, records: int) -> None:
    import aiohttp  # noqa: PLC0415 - the benchmark runs without it, then without this part

    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    numbers = iter(range(records))
    answered = 0
    async with aiohttp.ClientSession(headers=headers) as client:

        async def work() -> None:
            nonlocal answered
            for number in numbers:
                async with client.post(url, data=_task(number)) as reply:
                    answered += len((await reply.json())["data"])

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    assert answered == records


if __name__ == "__main__":
    main()
