"""The receiver of webhooks between a vendor that calls without pause and a store that fails, killed meanwhile."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx

from runware_provider.engine.inbox.calls import decoded
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import LocalServer, ServerSettings
from tests.real_airflow import until
from tests.receivers import INBOX, SECRET, ReceiverProcess, Vendor
from tests.s3.proxy import FaultProxy, LoseReply, Refuse
from tests.s3.server import S3Server

if TYPE_CHECKING:
    from pathlib import Path

    from runware_provider.engine.storage.stores import Storage

CALLS = 3_000
A_CHUNK = 100
PATIENT = {"webhook_tries": 60, "webhook_backoff": 0.1}
"""A vendor that does not give up: what it gives up is asked for, and that is not the receiver's."""


def test_every_call_that_was_acknowledged_is_in_the_inbox(tmp_path: Path) -> None:
    with (
        S3Server() as s3,
        FaultProxy(s3.endpoint_url) as proxy,
        # Answers come for some seconds, as a log-normal distribution has it.
        LocalServer(ServerSettings(latency=2.0, latency_sigma=0.7, capacity=CALLS, **PATIENT)) as server,
    ):
        root = f"s3://{s3.new_bucket()}/inboxes"
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {
            **kept,
            **s3.environment(endpoint=proxy.endpoint_url),
            "RUNWARE_WEBHOOK_INBOX": root,
            "RUNWARE_WEBHOOK_SECRETS": SECRET.decode(),
        }
        with ReceiverProcess(environment, tmp_path / "log") as receiver:
            tasks = submitted(server, receiver.url)

            def sent(count: int) -> None:
                until(
                    lambda: server.bill_summary()["webhooks_sent"] >= count, f"{count} calls are acknowledged"
                )

            sent(CALLS // 10)
            receiver.kill()
            receiver.start()
            proxy.add(LoseReply(), method="PUT", times=3)
            sent(CALLS // 4)
            refusing = proxy.add(Refuse(503), method="PUT")
            until(lambda: refusing.met > 3, "the store has refused")
            receiver.kill()
            receiver.start()
            until(lambda: refusing.met > 6, "the store has refused the restarted receiver")
            proxy.clear()
            sent(CALLS)
        told = server.bill_summary()
        storage = Stores(lambda _: s3.options()).open(root)
        there = in_the_inbox(storage, root)
    assert told["webhooks_sent"] == CALLS
    assert told["webhooks_failed"] == 0
    assert set(there) == set(tasks)
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert SECRET.decode() not in log
    assert "token" not in log


def submitted(server: LocalServer, hook: str) -> list[str]:
    """The UUIDs of tasks that call the hook when they are done."""
    vendor = Vendor(hook)
    vendor.client.close()
    tasks = [str(uuid.uuid4()) for _ in range(CALLS)]
    headers = {"authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False, timeout=60) as client:
        for first in range(0, CALLS, A_CHUNK):
            chunk = [task_of(task, vendor.address(task)) for task in tasks[first : first + A_CHUNK]]
            client.post("", json=chunk).raise_for_status()
    return tasks


def task_of(task: str, url: str) -> dict[str, Any]:
    return {
        "taskType": "textInference",
        "taskUUID": task,
        "model": "deepseek-v4-pro",
        "messages": [{"role": "user", "content": "The sun is shining. It is warm."}],
        "deliveryMethod": "async",
        "webhookURL": url,
    }


def in_the_inbox(storage: Storage, root: str) -> Counter[str]:
    """How often each task's answer lies there."""
    files = [entry.path for entry in storage.list(storage.join(root, INBOX))]
    calls = [call for path in files for call in decoded(storage.read(path), path)]
    return Counter(json.loads(call.body)["taskUUID"] for call in calls)
