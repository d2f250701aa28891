"""What tests of the pages in a real Airflow have in common: the Airflow, its users, and how they look."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from runware_provider.pages.run_view import URL_PREFIX, TaskAt
from tests.real_airflow import Api, RealAirflow
from tests.whole_airflow.told_jobs import jobs_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

    from tests.holding_server import HoldingServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium; on Debian and Ubuntu: apt install chromium"
)
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'`{{ 7*7 }}](javascript:alert(3))"
"""What does something wherever a text is taken for markup."""
PATIENCE_MS = 60_000
PLUGINS = Path(__file__).parents[2] / "plugins"
_OPENER = build_opener(ProxyHandler({}))


@dataclass
class Scene:
    """An Airflow in which the DAG ran."""

    airflow: RealAirflow
    run: str
    """The path of the run in Airflow's REST API."""
    folder: Path
    browser: Browser
    server: HoldingServer
    """Of the task whose page is looked at, while it runs if one of its answers is held."""
    misbehaved: list[str] = field(default_factory=list)
    """Dialogs, and requests to anywhere else."""

    @property
    def run_id(self) -> str:
        return unquote(self.run.rpartition("/")[2])

    def at(self, task: str, index: int = -1) -> TaskAt:
        return TaskAt("looked_at", self.run_id, task, index)

    def as_user(self, name: str | None) -> BrowserContext:
        context = self.browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        if name is not None:
            token = Api(self.airflow.api.page, (name, name)).token
            context.add_cookies([{"name": "_token", "value": token, "url": self.airflow.api.page}])
        context.on("dialog", lambda dialog: self._note(f"dialog {dialog.message}", dialog.dismiss))
        context.on("request", lambda request: self._watch(request.url))
        return context

    def open(self, page: Page, task: str, index: int | None = None) -> None:
        """Go to Airflow's page of a task."""
        mapped = "" if index is None else f"/mapped/{index}"
        page.goto(f"{self.airflow.api.page}/dags/looked_at/runs/{self.run_id}/tasks/{task}{mapped}")

    def tab(self, page: Page, task: str, index: int | None = None) -> FrameLocator:
        """Go to the tab of a task, as a person does."""
        self.open(page, task, index)
        # The page in the navigation is called Runware, too, and may be there before the tab.
        page.locator('a[href$="/runware"]').click()
        return page.frame_locator("iframe[title=Runware]")

    def get(self, path: str, user: str | None) -> tuple[int, str]:
        """A page as a program gets it."""
        headers = (
            {"Authorization": f"Bearer {Api(self.airflow.api.page, (user, user)).token}"} if user else {}
        )
        asked = Request(f"{self.airflow.api.page}{URL_PREFIX}{path}", headers=headers)  # noqa: S310 - loopback
        try:
            with _OPENER.open(asked, timeout=60) as reply:
                return reply.status, reply.read().decode()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def _note(self, what: str, then: Any) -> None:
        self.misbehaved.append(what)
        then()

    def _watch(self, url: str) -> None:
        there, here = urlsplit(url), urlsplit(self.airflow.api.page)
        if there.scheme in {"http", "https"} and there.netloc != here.netloc:
            self.misbehaved.append(url)


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as launched,
    ):
        yield launched


def variables_of(places: dict[str, Any], folder: Path) -> dict[str, str]:
    """Those with which the pages show all that there is, texts too, of jobs that go into these places."""
    return {
        **jobs_in(places, limits={"poll_interval_s": 0.1}),
        "HOSTILE": HOSTILE,
        "PYTHONPATH": str(PLUGINS),
        "AIRFLOW__RUNWARE__PROGRESS_INTERVAL_S": "1",
        "AIRFLOW__RUNWARE__PAGE_ROOTS": str(folder),
        "AIRFLOW__RUNWARE__PAGE_TEXTS": "True",
    }
