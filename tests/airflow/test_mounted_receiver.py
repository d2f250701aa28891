"""What the plugin mounts in the API server, whatever its configuration says. A real API server: `tests/whole_airflow`."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from runware_provider import mounted_receiver
from runware_provider.plugin import RunwarePlugin
from tests.receivers import SECRET, ServedReceiver, Vendor, answer, kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASK = "6a1f9a3e-6f0e-4a9b-8a45-0d3a5e1f7c11"


@pytest.fixture(autouse=True)
def _another_process() -> Iterator[None]:
    """Each test has an application of its own, as each process has."""
    mounted_receiver.fastapi_apps.cache_clear()
    yield
    mounted_receiver.fastapi_apps.cache_clear()


def server() -> Any:
    """An application with a route of its own, and what the plugin brings."""
    apps = RunwarePlugin().fastapi_apps
    mounts = [Mount(each["url_prefix"], each["app"]) for each in apps]

    async def other(_: Any) -> PlainTextResponse:
        return PlainTextResponse("unharmed")

    return Starlette(routes=[*mounts, Route("/{path:path}", other)])


def configure(monkeypatch: pytest.MonkeyPatch, inbox: str, secrets: str) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__WEBHOOK_INBOX", inbox)
    monkeypatch.setenv("AIRFLOW__RUNWARE__WEBHOOK_SECRETS", secrets)


def test_the_hook_is_below_its_prefix_and_other_routes_are_unharmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, str(tmp_path / "inboxes"), SECRET.decode())
    with ServedReceiver(server()) as served:
        vendor = Vendor(served.url)
        with vendor.client:
            assert vendor.call(TASK).status_code == 204
            assert vendor.client.post(served.url).status_code == 404
            assert vendor.client.get(served.url.replace("/runware/hook", "/other")).text == "unharmed"
    assert [json.loads(call.body) for call in kept(tmp_path / "inboxes")] == [answer(TASK)]


@pytest.mark.parametrize(
    ("inbox", "secrets", "told"),
    [
        ("/inboxes", "", ""),
        ("", SECRET.decode(), "[runware] webhook_inbox: it is missing"),
        ("inboxes", SECRET.decode(), "another folder"),
        ("/inboxes", "too-short-a-secret", "18 characters"),
    ],
)
def test_what_cannot_be_read_closes_it_and_lets_the_server_start(
    inbox: str, secrets: str, told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configure(monkeypatch, inbox, secrets)
    with caplog.at_level(logging.WARNING), ServedReceiver(server()) as served:
        vendor = Vendor(served.url)
        with vendor.client:
            assert vendor.call(TASK).status_code == vendor.client.get(served.url).status_code == 404
    assert (told in caplog.text) if told else (not caplog.text)
    assert not secrets or secrets not in caplog.text


def test_a_backend_that_fails_closes_it_and_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise RuntimeError(f"cannot parse {SECRET.decode()}")

    monkeypatch.setattr(mounted_receiver, "webhook_texts", fail)
    with caplog.at_level(logging.WARNING):
        assert mounted_receiver.configured_receiver() is not None
    assert "RuntimeError" in caplog.text
    assert SECRET.decode() not in caplog.text


def test_whoever_asks_gets_the_same_application(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "/inboxes", SECRET.decode())
    assert RunwarePlugin().fastapi_apps[0]["app"] is RunwarePlugin().fastapi_apps[0]["app"]
