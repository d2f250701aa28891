"""A job whose answers are brought at a thousand a second, while receivers are killed and the store of the inbox fails.

    python tests/torture/webhooks.py --records 10000

Every body that was acknowledged to the vendor is noted; the inbox lies on the S3 protocol
server, in a bucket that keeps what is removed. So it can be told at the end that every acknowledged call was in the inbox,
that every answer is in the output, and that nothing was executed twice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

PROJECT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "plugins")]

import boto3  # noqa: E402 - found by the lines above

from runware_provider.engine.inbox.calls import decoded  # noqa: E402
from runware_provider.testing.api.webhooks import WebhookSender  # noqa: E402
from tests.engine.conftest import Place, places_below  # noqa: E402
from tests.receivers import ReceiverProcess  # noqa: E402
from tests.s3.server import REGION, S3Server  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from tests.forked import CommandLine

SECRET = "a secret of the proof that is long enough for one"
PATIENCE_S = 600.0
RATE = 1_000
LATENCY_S = 1.0
KILLED_AT = (0.2, 0.45)
"""Shares of the calls, acknowledged, at which a receiver dies."""
AWAY_AT = 0.6


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.do(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


@dataclass
class Gate:
    """A TCP relay that can be shut: then nothing behind it can be reached."""

    port_behind: int
    is_shut: bool = False
    port: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def open(self) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        self.is_shut = True
        for writer in list(self._writers):
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_shut:
            writer.close()
            return
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self.port_behind)
        both = {writer, behind_writer}
        self._writers |= both
        try:
            await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))
        finally:
            self._writers -= both


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@dataclass
class Calls:
    """What the vendor called for, and what he was answered."""

    acknowledged: list[bytes] = field(default_factory=list)
    refused: int = 0
    at: list[float] = field(default_factory=list)
    """When each call began."""

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """While the block lasts, every call of a local server in this process is noted."""
        post = WebhookSender._post

        async def noting(sender: WebhookSender, call: Any) -> bool:
            self.at.append(time.monotonic())
            is_acknowledged = await post(sender, call)
            if is_acknowledged:
                self.acknowledged.append(call.body)
            self.refused += not is_acknowledged
            return is_acknowledged

        WebhookSender._post = noting  # type: ignore[method-assign]
        try:
            yield
        finally:
            WebhookSender._post = post  # type: ignore[method-assign]


def stored_in(bucket: str, server: S3Server) -> set[bytes]:
    """The bodies of all calls that were ever in an inbox of this bucket, those that were removed among them."""
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    bodies: set[bytes] = set()
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in page.get("Versions", ()):
            held = client.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            bodies.update(call.body for call in decoded(held["Body"].read(), version["Key"]))
    return bodies


@dataclass(frozen=True)
class Proof:
    """What came of it."""

    manifest: dict[str, Any]
    executed: int
    executed_again: int
    acknowledged: int
    refused: int
    acknowledged_and_not_stored: int
    calls_a_second: float
    """In the busiest five seconds."""
    given_up: int
    seconds: float

    def lines(self) -> list[str]:
        return [
            f"{self.manifest['rows']:,} rows in {self.seconds:.0f} s: {self.manifest['outcomes']}",
            f"executed {self.executed:,}, of these again {self.executed_again}; paid {self.manifest['cost_usd']:.4f} USD",
            f"calls: {self.acknowledged:,} acknowledged, {self.refused:,} refused, {self.given_up:,} given up by the vendor",
            f"{self.calls_a_second:,.0f} calls a second in the busiest five seconds",
            f"acknowledged and never in the inbox: {self.acknowledged_and_not_stored}",
        ]


def prove(
    folder: Path, records: int, *, rate: int = RATE, away_s: float = 30.0, overdue_s: float = 60.0
) -> Proof:
    """Run the job, kill the receiver twice, have the store fail, and compare."""
    calls = Calls()
    with Loop() as loop, S3Server() as server, calls.noted(), places_below(folder) as make:
        place = make("job", latency=LATENCY_S, capacity=int(rate * LATENCY_S))
        place.fill(records)
        bucket = server.new_bucket()
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint_url,
            region_name=REGION,
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        gate = Gate(int(server.endpoint_url.rpartition(":")[2]))
        loop.do(gate.open())
        environment = {
            **server.environment(endpoint=f"http://127.0.0.1:{gate.port}"),
            "RUNWARE_WEBHOOK_INBOX": f"s3://{bucket}/inbox",
            "RUNWARE_WEBHOOK_SECRETS": SECRET,
        }
        began = time.monotonic()
        with ReceiverProcess({**os.environ, **environment}, folder / "receiver.log") as receiver:
            environment["RUNWARE_WEBHOOK_URL"] = receiver.url
            arguments = place.arguments("run", delivery="webhook", webhook_overdue_s=overdue_s)
            with place.start(*arguments, **environment) as job:
                for share in KILLED_AT:
                    _until(calls, share * records, job)
                    receiver.kill()
                    receiver.start()
                _until(calls, AWAY_AT * records, job)
                loop.do(gate.shut())
                threading.Event().wait(away_s)
                gate.is_shut = False
                out, told = job.communicate(timeout=PATIENCE_S)
                assert job.wait() == 0, told[-2_000:]
        seconds = time.monotonic() - began
        manifest = json.loads(out)
        place.audit(manifest, records)
        return _proof(place, manifest, calls, stored_in(bucket, server), seconds)


def _proof(place: Place, manifest: dict[str, Any], calls: Calls, stored: set[bytes], seconds: float) -> Proof:
    bill = place.server.bill_summary()
    return Proof(
        manifest=manifest,
        executed=bill["executed"],
        executed_again=bill["uuids_executed_again"] + bill["requests_executed_again"],
        acknowledged=len(calls.acknowledged),
        refused=calls.refused,
        acknowledged_and_not_stored=len(set(calls.acknowledged) - stored),
        calls_a_second=_busiest(calls.at),
        given_up=bill["webhooks_failed"],
        seconds=seconds,
    )


def _busiest(at: list[float], within_s: float = 5.0) -> float:
    most = first = 0
    for last, moment in enumerate(at):
        while moment - at[first] > within_s:
            first += 1
        most = max(most, last - first + 1)
    return most / within_s


def _until(calls: Calls, acknowledged: float, job: CommandLine) -> None:
    """Wait for so many calls to be acknowledged, or for the job's end."""
    pause = threading.Event()
    until = time.monotonic() + PATIENCE_S
    while len(calls.acknowledged) < acknowledged and job.poll() is None and time.monotonic() < until:
        pause.wait(0.01)


def main() -> int:
    """Print what came of it; 1 where anything was lost or paid twice."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=RATE, help="answers a second")
    parser.add_argument("--away", type=float, default=30.0, help="seconds for which the store fails")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        proof = prove(Path(folder), given.records, rate=given.rate, away_s=given.away)
    sys.stdout.write("\n".join(proof.lines()) + "\n")
    is_well = (
        proof.executed == given.records and not proof.executed_again and not proof.acknowledged_and_not_stored
    )
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
