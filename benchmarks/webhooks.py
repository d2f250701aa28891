"""What the receiver of webhooks takes: processor time a call, calls a second, how long a call waits until it is durable.

    python benchmarks/webhooks.py                       10,000 calls, as fast as they go and 1,000 a second, onto the local disk
    python benchmarks/webhooks.py --store s3            the same into an S3 server in a process of its own (moto's)
    python benchmarks/webhooks.py --host airflow        the same in Airflow's API server instead of alone
    python benchmarks/webhooks.py --sender server       called by the local API server, whose own processor time is told, too

The receiver runs in a process of its own. Each call has another task, and an answer of so many characters; after each
measurement every acknowledged call has to be in the inbox, or the script fails.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "plugins")]

from runware_provider.engine.inbox.addresses import HookAddress  # noqa: E402 - the path comes before
from runware_provider.engine.inbox.calls import decoded  # noqa: E402
from runware_provider.engine.storage.stores import Stores  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SECRET = "a-secret-for-the-benchmark-of-webhooks"  # noqa: S105 - of this process alone
INBOXES = tuple(f"{number:032x}" for number in range(64))


@dataclass
class Figures:
    """Of one measurement."""

    calls: int
    acknowledged: int
    seconds: float
    receiver_ms: float
    """Of processor time a call."""
    files: int
    waits_ms: list[float] = field(default_factory=list)
    """Of each call from its first byte to its answer; nobody knows where the local API server calls."""
    sender_ms: float | None = None
    """Of processor time a call, of the local API server."""

    def told(self) -> dict[str, Any]:
        """For people and programs."""
        waits = sorted(self.waits_ms)
        quantiles = {f"p{q}_ms": round(waits[len(waits) * q // 100], 1) for q in (50, 99)} if waits else {}
        return {
            "calls": self.calls,
            "acknowledged": self.acknowledged,
            "per_second": round(self.acknowledged / self.seconds),
            "receiver_ms": round(self.receiver_ms, 3),
            **({"sender_ms": round(self.sender_ms, 3)} if self.sender_ms is not None else {}),
            **quantiles,
            "files": self.files,
        }


@dataclass(frozen=True)
class Load:
    """How this process calls."""

    rate: float
    """Calls a second; 0 for as many as go."""
    at_once: int
    """Connections."""
    inboxes: int
    """Over how many jobs the calls are spread."""
    chars: int
    """Of each answer."""


@dataclass(frozen=True)
class Place:
    """A receiver that runs, and where it writes."""

    url: str
    root: str
    process: psutil.Process
    options: Mapping[str, str]

    def tasks_by_file(self) -> list[list[str]]:
        """What lies in all inboxes."""
        storage = Stores(lambda _: self.options).open(self.root)
        files = [entry.path for entry in storage.list(self.root)]
        return [
            [json.loads(call.body)["taskUUID"] for call in decoded(storage.read(path), path)]
            for path in files
        ]

    def processor_s(self) -> float:
        """Of the receiver, so far."""
        return _processor_s(self.process)


@contextlib.contextmanager
def receiver(host: str, store: str) -> Iterator[Place]:
    """Run one, alone or in Airflow, that writes onto the local disk or into an S3 server, in an empty place."""
    with contextlib.ExitStack() as stack:
        variables: dict[str, str] = {}
        options: dict[str, str] = {}
        if store == "s3":
            from tests.s3.server import S3Server  # noqa: PLC0415 - needs moto

            server = stack.enter_context(S3Server())
            root, variables, options = server.new_place() + "/inboxes", server.environment(), server.options()
        else:
            root = stack.enter_context(tempfile.TemporaryDirectory()) + "/inboxes"
        run = _in_airflow if host == "airflow" else _alone
        url, process = stack.enter_context(run({**os.environ, **variables}, root))
        yield Place(url, root, psutil.Process(process.pid), options)


@contextlib.contextmanager
def _alone(environment: Mapping[str, str], root: str) -> Iterator[tuple[str, subprocess.Popen[Any]]]:
    variables = {
        **environment,
        "PYTHONPATH": str(PROJECT / "plugins"),
        "RUNWARE_WEBHOOK_INBOX": root,
        "RUNWARE_WEBHOOK_SECRETS": SECRET,
    }
    command = [sys.executable, "-m", "runware_provider.web", "--port", "0"]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = next(word.rstrip(",") for word in process.stdout.readline().split() if word.startswith("http"))
        try:
            yield url, process
        finally:
            process.terminate()


@contextlib.contextmanager
def _in_airflow(environment: Mapping[str, str], root: str) -> Iterator[tuple[str, subprocess.Popen[Any]]]:
    from runware_provider.testing.tryout import standalone, surroundings  # noqa: PLC0415 - only here
    from tests.real_airflow import answers, until  # noqa: PLC0415 - only here

    port = surroundings.free_port()
    nobody = surroundings.Service("http://127.0.0.1:9/v1", "no-key", local=True)
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        home = Path(folder) / "home"
        variables = {
            **surroundings.environment_of_airflow(environment, home, nobody, home),
            **standalone.settings(port),
            "AIRFLOW__RUNWARE__WEBHOOK_INBOX": root,
            "AIRFLOW__RUNWARE__WEBHOOK_SECRETS": SECRET,
        }
        surroundings.migrate(variables, home)
        with surroundings.running(["-m", "airflow", "api-server"], variables, log) as process:
            until(
                lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}"), "Airflow answers"
            )
            yield f"http://127.0.0.1:{port}/runware/hook", process


def measured(place: Place, calls: int, load: Load) -> Figures:
    """Call from this process, and see that all that was acknowledged is there."""
    tasks = [str(uuid.uuid4()) for _ in range(calls)]
    requests = [
        _request(place.url, task, INBOXES[n % load.inboxes], load.chars) for n, task in enumerate(tasks)
    ]
    before = place.processor_s()
    began = time.perf_counter()
    answered = asyncio.run(_call(place.url, requests, load))
    seconds = time.perf_counter() - began
    figures = Figures(
        calls=calls,
        acknowledged=sum(status == 204 for status, _ in answered),
        seconds=seconds,
        receiver_ms=(place.processor_s() - before) * 1000 / calls,
        files=0,
        waits_ms=[wait_s * 1000 for _, wait_s in answered],
    )
    files = place.tasks_by_file()
    there = {task for file in files for task in file}
    missing = {task for task, (status, _) in zip(tasks, answered, strict=True) if status == 204} - there
    assert not missing, f"{len(missing)} acknowledged calls are in no inbox"
    figures.files = sum(not of_file.isdisjoint(tasks) for of_file in map(set, files))
    return figures


def _request(url: str, task: str, inbox: str, chars: int) -> bytes:
    address = urlsplit(HookAddress(url, inbox, SECRET.encode()).of(task, int(time.time()) + 86_400))
    item = {
        "taskType": "textInference",
        "taskUUID": task,
        "text": "a" * chars,
        "finishReason": "stop",
        "cost": 0.0001,
        "usage": {"promptTokens": 100, "completionTokens": 100, "totalTokens": 200},
        "status": "success",
    }
    body = json.dumps(item).encode()
    head = f"POST {address.path}?{address.query} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _call(url: str, requests: Sequence[bytes], load: Load) -> list[tuple[int, float]]:
    """Status and seconds of each."""
    where = urlsplit(url)
    answered: list[tuple[int, float]] = [(0, 0.0)] * len(requests)
    numbers = iter(range(len(requests)))
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        for number in numbers:
            if load.rate:
                await asyncio.sleep(began + number / load.rate - loop.time())
            sent = loop.time()
            writer.write(requests[number])
            head = await reader.readuntil(b"\r\n\r\n")
            answered[number] = int(head[9:12]), loop.time() - sent
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(load.at_once)))
    return answered


def called_by_the_server(place: Place, calls: int, *, inboxes: int) -> Figures:
    """Have the local API server call, as fast as it does."""
    import httpx  # noqa: PLC0415 - only here

    command = [
        sys.executable,
        "-m",
        "runware_provider.testing",
        "--port",
        "0",
        "--latency",
        "0",
        "--key",
        "k",
    ]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        bill_url = base_url.removesuffix("/v1") + "/_local/bill"
        server = psutil.Process(process.pid)
        with httpx.Client(trust_env=False, headers={"authorization": "Bearer k"}, timeout=60) as client:
            # What the same tasks take without a webhook is not the sender's.
            bare_s = _processor_s(server)
            _submit(client, base_url, [_task() for _ in range(calls)])
            bare_s = _processor_s(server) - bare_s
            before, before_server, began = place.processor_s(), _processor_s(server), time.perf_counter()
            tasks = [_task() for _ in range(calls)]
            for number, task in enumerate(tasks):
                address = HookAddress(place.url, INBOXES[number % inboxes], SECRET.encode())
                task["webhookURL"] = address.of(task["taskUUID"], int(time.time()) + 86_400)
            _submit(client, base_url, tasks)
            sent = 0
            while sent < calls:
                bill = client.get(bill_url).json()
                assert not bill["webhooks_failed"]
                sent = bill["webhooks_sent"]
                time.sleep(0.05)
            seconds = time.perf_counter() - began
            sender_s = _processor_s(server) - before_server - bare_s
            process.terminate()
    files = place.tasks_by_file()
    there = {task for file in files for task in file}
    assert there >= {task["taskUUID"] for task in tasks}, "acknowledged calls are in no inbox"
    return Figures(
        calls,
        sent,
        seconds,
        (place.processor_s() - before) * 1000 / calls,
        len(files),
        sender_ms=sender_s * 1000 / calls,
    )


def _task() -> dict[str, Any]:
    return {
        "taskType": "textInference",
        "taskUUID": str(uuid.uuid4()),
        "model": "deepseek-v4-pro",
        "messages": [{"role": "user", "content": "The sun is shining. It is warm."}],
        "deliveryMethod": "async",
    }


def _submit(client: Any, url: str, tasks: Sequence[dict[str, Any]]) -> None:
    for first in range(0, len(tasks), 100):
        client.post(url, json=tasks[first : first + 100]).raise_for_status()


def _processor_s(process: psutil.Process) -> float:
    """Of a process and those that it started."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=10_000, help="calls of each measurement")
    parser.add_argument(
        "--host", choices=("alone", "airflow"), default="alone", help="where the receiver runs"
    )
    parser.add_argument("--store", choices=("local", "s3"), default="local", help="where the inbox is")
    parser.add_argument("--sender", choices=("here", "server"), default="here", help="who calls")
    parser.add_argument("--rate", type=float, default=1_000, help="calls a second of the second measurement")
    parser.add_argument("--at-once", type=int, default=256, help="connections")
    parser.add_argument("--inboxes", type=int, default=1, help="jobs that the calls are for, 64 at most")
    parser.add_argument("--chars", type=int, default=500, help="characters of an answer")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with receiver(given.host, given.store) as place:
        if given.sender == "server":
            figures["called by the local API server"] = called_by_the_server(
                place, given.calls, inboxes=given.inboxes
            ).told()
        else:
            for name, rate in (("as fast as they go", 0.0), (f"{given.rate:g} a second", given.rate)):
                load = Load(rate, given.at_once, given.inboxes, given.chars)
                figures[name] = measured(place, given.calls, load).told()
    for name, told in figures.items():
        print(f"{name}: {json.dumps(told)}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
