"""The receiver as a process of its own: what it needs, what it says, and what is left when it is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.receivers import PROJECT, SECRET, ReceiverProcess, Vendor, kept

if TYPE_CHECKING:
    from pathlib import Path

CALLS = 150
ROUNDS = 2
NEEDED = ("uvicorn", "msgspec", "pyarrow", "numpy")
"""What the page says, and what that needs itself."""
WITH_LITTLE = """
import sys
from importlib.metadata import packages_distributions

known = set(packages_distributions()) - {"runware_provider", "click", "h11", "httptools", "uvloop", "typing_extensions"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in known - set(NEEDED):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Missing())
import runware_provider.web.__main__ as alone
from runware_provider.engine.inbox.calls import Call
from runware_provider.web.inbox_files import InboxFiles
alone.receiver_of({"RUNWARE_WEBHOOK_INBOX": "/inboxes", "RUNWARE_WEBHOOK_SECRETS": "a" * 32})
print(sorted({"pyarrow", "numpy"} & set(sys.modules)))
InboxFiles(ROOT, alone._stores).write("ab" * 16, [Call(1, b"{}")])
"""


def environment(root: Path, **variables: str) -> dict[str, str]:
    usual = {"RUNWARE_WEBHOOK_INBOX": str(root), "RUNWARE_WEBHOOK_SECRETS": SECRET.decode()}
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **usual,
        **variables,
    }


def test_what_was_acknowledged_is_there_when_it_is_killed_and_it_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    root, log = tmp_path / "inboxes", tmp_path / "log"
    acknowledged: set[str] = set()
    with ReceiverProcess(environment(root), log) as receiver:
        vendor = Vendor(receiver.url)
        for _ in range(ROUNDS):
            acknowledged |= acknowledged_until_killed(receiver, vendor)
            receiver.start()
        assert vendor.call(str(uuid.uuid4())).status_code == 204
        vendor.client.close()
    there = {json.loads(call.body)["taskUUID"] for call in kept(root)}
    assert len(acknowledged) >= ROUNDS * CALLS // 3
    assert acknowledged <= there
    assert SECRET.decode() not in log.read_text(encoding="utf-8")


def acknowledged_until_killed(receiver: ReceiverProcess, vendor: Vendor) -> set[str]:
    """Call and call, and kill the receiver amid what it reads, holds and writes; gives the tasks that it took."""

    def call(task: str) -> str | None:
        try:
            return task if vendor.call(task).status_code == 204 else None
        except httpx.TransportError:
            return None

    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(call, str(uuid.uuid4())) for _ in range(CALLS)]
        for _ in islice(as_completed(calls), CALLS // 3):
            pass
        receiver.kill()
        tasks = [each.result() for each in calls]
    return {task for task in tasks if task is not None}


def test_its_log_shows_no_url(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ReceiverProcess(environment(tmp_path / "inboxes"), log) as receiver:
        vendor = Vendor(receiver.url)
        task = str(uuid.uuid4())
        assert vendor.call(task).status_code == 204
        assert (
            Vendor(receiver.url, secret=b"of somebody else", client=vendor.client).call(task).status_code
            == 404
        )
        vendor.client.close()
    told = log.read_text(encoding="utf-8")
    assert "refused with 404" in told
    assert "token" not in told
    assert task not in told


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("RUNWARE_WEBHOOK_SECRETS", "", "missing"),
        ("RUNWARE_WEBHOOK_SECRETS", "too-short-a-secret", "18 characters"),
        ("RUNWARE_WEBHOOK_INBOX", "", "missing"),
        ("RUNWARE_WEBHOOK_INBOX", "inboxes", "another folder"),
    ],
)
def test_it_does_not_start_with_what_it_cannot_use(
    name: str, value: str, problem: str, tmp_path: Path
) -> None:
    started = run(
        "-m", "runware_provider.web", "--port", "0", variables=environment(tmp_path, **{name: value})
    )
    assert (started.returncode, started.stdout) == (1, "")
    assert f"cannot start: {name}: " in started.stderr
    assert problem in started.stderr
    assert "too-short-a-secret" not in started.stderr


def test_it_needs_no_airflow_and_little_else_and_loads_nothing_heavy_before_the_first_call(
    tmp_path: Path,
) -> None:
    code = f"NEEDED = {NEEDED!r}; ROOT = {str(tmp_path)!r}\n{WITH_LITTLE}"
    loaded = run("-c", code, variables=environment(tmp_path))
    assert (loaded.stdout, loaded.stderr) == ("[]\n", "")
    assert [call.body for call in kept(tmp_path, "ab" * 16)] == [b"{}"]


def run(*arguments: str, variables: dict[str, str]) -> Any:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**variables, "PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
