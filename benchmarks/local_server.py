"""Tasks per second of the local API server: arrays of 50, submitted async and polled until done.

Run it from the project's root: ``python benchmarks/local_server.py [--seconds 5]``. Two loads: a trivial
document answered with text, which measures the protocol, and a receipt that is looked up in a table of a
thousand answers and fills a schema. The server runs in a process of its own; its processor time is measured
beside the wall clock, because the client here may be the slower of the two.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from measured import PLUGINS, processor_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 50
ANSWERS = 1_000
AT_ONCE = 16
RECEIPT = """CORNER BOOKS LTD
12 Mill Lane
Leeds LS1 4DY
VAT Reg No: 123456789
Receipt No: R-20931
Date: 14/03/2026 10:22
Notebook A5
  2 x 3.50                      7.00
Fountain pen
  1 x 24.90                    24.90
TOTAL                         £31.90
CASH                           40.00
CHANGE                          8.10
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "company": {"type": ["string", "null"]},
        "date": {"type": ["string", "null"], "format": "date"},
        "address": {"type": ["string", "null"]},
        "total": {"type": ["number", "null"]},
    },
    "required": ["company", "date", "address", "total"],
}


@contextlib.contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Start the command line on a free port; yield the base URL and the process id."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "url"
        answers = Path(folder) / "answers.parquet"
        texts = [RECEIPT, *(f"{RECEIPT}Branch {branch}" for branch in range(ANSWERS - 1))]
        pq.write_table(pa.table({"text": texts, "company": ["Corner Books Ltd"] * ANSWERS}), answers)
        flags = [
            "--ready-file",
            str(ready),
            "--latency",
            "0.05",
            "--capacity",
            "5000",
            "--answers",
            str(answers),
        ]
        environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
        command = [sys.executable, "-m", "runware_provider.testing", *flags]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                while not ready.exists():
                    assert process.poll() is None, "the server did not start"
                    time.sleep(0.02)
                yield ready.read_text(encoding="utf-8"), process.pid
            finally:
                process.terminate()


def trivial(number: int) -> dict[str, Any]:
    """Return a task whose answer needs no schema."""
    return _task([{"role": "user", "content": f"Document number {number}."}])


def receipt(number: int) -> dict[str, Any]:
    """Return a task whose forced tool is filled from the table of answers."""
    tools = [{"type": "function", "name": "save", "description": "Save the receipt.", "schema": SCHEMA}]
    content = f"Fill in the fields.\n<document>\n{RECEIPT}No. {number}\n</document>"
    return {
        **_task([{"role": "user", "content": content}]),
        "tools": tools,
        "toolChoice": {"type": "tool", "name": "save"},
    }


def _task(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "taskType": "textInference",
        "taskUUID": str(uuid.uuid4()),
        "model": "deepseek-v4-pro",
        "messages": messages,
        "deliveryMethod": "async",
        "includeCost": True,
        "includeUsage": True,
    }


async def one_chunk(client: httpx.AsyncClient, tasks: list[dict[str, Any]]) -> None:
    """Submit one array, and poll it until every task is done."""
    reply = await client.post("", json=tasks)
    assert reply.status_code == 200, reply.text
    waiting = {task["taskUUID"] for task in tasks}
    while waiting:
        await asyncio.sleep(0.06)
        reply = await client.post(
            "", json=[{"taskType": "getResponse", "taskUUID": each} for each in waiting]
        )
        waiting -= {item["taskUUID"] for item in reply.json()["data"] if item.get("status") == "success"}


async def measure(url: str, make: Any, seconds: float) -> int:
    """Keep some chunks in the air for a while; return the number of tasks that came back."""
    headers = {"authorization": "Bearer test-key"}
    done = 0
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        end = time.monotonic() + seconds

        async def worker() -> None:
            nonlocal done
            while time.monotonic() < end:
                await one_chunk(client, [make(done + place) for place in range(CHUNK)])
                done += CHUNK

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
    return done


def main() -> None:
    """Measure both loads and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="per load (default: 5)")
    seconds = min(parser.parse_args().seconds, 30.0)
    with server() as (url, pid):
        executed = 0
        for name, make in (("trivial document, text", trivial), ("receipt, forced tool", receipt)):
            used, began = processor_seconds(pid), time.monotonic()
            done = asyncio.run(measure(url, make, seconds))
            used, wall = processor_seconds(pid) - used, time.monotonic() - began
            executed += done
            print(
                f"{name:24} {done:7} tasks, {done / wall:7.0f} a second through one client; "
                f"{used / done * 1e6:5.0f} µs of server processor time a task = {done / used:6.0f} a second and core"
            )
        bill = httpx.get(url.removesuffix("/v1") + "/_local/bill?summary=1", trust_env=False).json()
        assert bill["executed"] == bill["distinct_uuids"] == executed, bill


if __name__ == "__main__":
    main()
