"""The receiver of webhooks in Airflow's real API server: the hook answers, and everything else is as it was."""

from __future__ import annotations

import json
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from runware_provider.engine.inbox.calls import decoded
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing.tryout import standalone, surroundings
from tests.real_airflow import Api, answers, complaints, until
from tests.receivers import INBOX, SECRET, Vendor
from tests.s3.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS = 200
AT_ONCE = 16
NEXT_SECRET = "the-secret-that-replaces-it-one-day"


@dataclass(frozen=True)
class Seen:
    """An API server whose inbox is in a store that a connection of Airflow's database opens."""

    page: str
    vendor: Vendor
    s3: S3Server
    root: str
    log: Path

    def tasks(self) -> list[str]:
        """Those of all calls in the inbox."""
        storage = Stores(lambda _: self.s3.options()).open(self.root)
        files = [entry.path for entry in storage.list(storage.join(self.root, INBOX))]
        return [
            json.loads(call.body)["taskUUID"] for path in files for call in decoded(storage.read(path), path)
        ]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("api-server")
    home, log, port = folder / "home", folder / "api-server.log", surroundings.free_port()
    home.mkdir()
    shutil.copy(database, home / "airflow.db")
    nobody = surroundings.Service("http://127.0.0.1:9/v1", "no-key", local=True)
    with S3Server() as s3, log.open("wb") as output:
        bucket = s3.new_bucket()
        environment = {
            **surroundings.environment_of_airflow({}, home, nobody, folder / "out"),
            **standalone.settings(port),
            "AIRFLOW__RUNWARE__WEBHOOK_INBOX": f"s3://inbox_store@{bucket}/inboxes",
            "AIRFLOW__RUNWARE__WEBHOOK_SECRETS": f"{NEXT_SECRET},{SECRET.decode()}",
        }
        page = f"http://127.0.0.1:{port}"
        with surroundings.running(["-m", "airflow", "api-server"], environment, output) as process:
            until(lambda: process.poll() is not None or answers(page), "Airflow answers")
            Api(page)("connections", "POST", connection(s3))
            vendor = Vendor(f"{page}/runware/hook")
            yield Seen(page, vendor, s3, f"s3://{bucket}/inboxes", log)
            vendor.client.close()


def connection(s3: S3Server) -> dict[str, str]:
    options = s3.options()
    extra = {"endpoint_url": options["endpoint"], "region_name": options["region"]}
    return {
        "connection_id": "inbox_store",
        "conn_type": "aws",
        "login": options["key"],
        "password": options["secret"],
        "extra": json.dumps(extra),
    }


def test_what_proves_itself_is_kept_and_nothing_else_and_no_log_tells_of_it(seen: Seen) -> None:
    tasks = [str(uuid.uuid4()) for _ in range(CALLS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        replied = list(pool.map(lambda task: seen.vendor.call(task).status_code, tasks))
    forged = Vendor(seen.vendor.url, secret=b"a-secret-of-somebody-else-entirely", client=seen.vendor.client)
    refused = [
        forged.call(tasks[0]),
        seen.vendor.client.post(seen.vendor.url, json={}),
        seen.vendor.call(tasks[0], {}),
    ]
    assert set(replied) == {204}
    assert [(reply.status_code, reply.content) for reply in refused] == [(404, b"")] * len(refused)
    assert sorted(seen.tasks()) == sorted(tasks)
    told = seen.log.read_text(encoding="utf-8")
    proof = seen.vendor.address(tasks[0]).rpartition("=")[2]
    for secret in (SECRET.decode(), NEXT_SECRET, proof, "An answer."):
        assert secret not in told
    assert complaints(told) == []


def test_other_routes_are_unharmed(seen: Seen) -> None:
    with httpx.Client(base_url=seen.page, trust_env=False, timeout=60) as client:
        assert client.get("/api/v2/version").status_code == 200
        assert client.get("/api/v2/connections").json()["total_entries"] == 1
        assert client.get("/").status_code == 200
        assert client.get("/runware/hook").status_code == 405
        assert client.get("/runware/other").status_code == 404
    (plugin,) = [each for each in Api(seen.page)("plugins")["plugins"] if each["name"] == "runware"]
    assert [app["url_prefix"] for app in plugin["fastapi_apps"]] == ["/runware/jobs", "/runware"]
