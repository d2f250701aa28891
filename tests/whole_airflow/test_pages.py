"""The pages of jobs in a real Airflow, with real users, in a real Chromium."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from runware_provider.pages.run_view import URL_PREFIX, TaskAt
from runware_provider.testing import Fault
from tests.engine.conftest import KEY, SCHEMA, body_of, places_below
from tests.holding_server import held
from tests.real_airflow import Api, RealAirflow, real_airflow, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

    from tests.holding_server import HoldingServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium; on Debian and Ubuntu: apt install chromium"
)

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'`{{ 7*7 }}](javascript:alert(3))"
"""What does something wherever a text is taken for markup."""
DAG_FILE = """
import json
import os

from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator

jobs, hostile = json.loads(os.environ["JOBS"]), os.environ["HOSTILE"]
with DAG("looked_at", dag_display_name=hostile, schedule=None):
    TextInferenceOperator(task_id="plain", task_display_name=hostile, runware_conn_id="runware_plain", **jobs["plain"])
    TextInferenceOperator(
        task_id="fails", runware_conn_id="runware_fails", failures={"most": 1}, retries=0, **jobs["fails"]
    )
    text_inference_group(
        group_id="shared", shards=3, least_rows=10, retry_delay=0, runware_conn_id="runware_shared", **jobs["shared"]
    )
    EmptyOperator(task_id="nothing")
"""
USERS = {"admin": "admin", "editor": "user", "viewer": "viewer"}
RECORDS = 30
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
    """Of the task whose page is looked at while it runs: one answer is held."""
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

    def tab(self, page: Page, task: str, index: int | None = None) -> FrameLocator:
        """Go to the tab of a task, as a person does."""
        mapped = "" if index is None else f"/mapped/{index}"
        page.goto(f"{self.airflow.api.page}/dags/looked_at/runs/{self.run_id}/tasks/{task}{mapped}")
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as launched,
    ):
        yield launched


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("airflow")
    wrong = Fault("fail_task", contains="Shop 7 GmbH", code="timeoutProvider", message=HOSTILE)
    all_wrong = Fault("fail_task", contains="GmbH", code="timeoutProvider", message=HOSTILE)
    faults = {"plain": (held("Shop 9 GmbH"), wrong), "fails": (all_wrong,), "shared": ()}
    with places_below(folder) as new_place:
        places = {name: new_place(name, latency=0.0, faults=those) for name, those in faults.items()}
        for place in places.values():
            place.fill([f"{body_of(number)} {HOSTILE}" for number in range(RECORDS)])
        (folder / "dags").mkdir()
        (folder / "dags" / "looked_at.py").write_text(DAG_FILE, encoding="utf-8")
        with (
            real_airflow(
                folder, folder / "dags", variables(places, folder), login=("admin", "admin")
            ) as airflow,
        ):
            until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
            yield Scene(airflow, airflow.api.trigger("looked_at"), folder, browser, places["plain"].server)


@pytest.fixture(scope="module")
def ended(scene: Scene) -> Scene:
    """The same after its run."""
    scene.server.let_go()
    until(lambda: scene.airflow.api(scene.run)["state"] in {"success", "failed"}, "the run ends", every_s=0.5)
    return scene


def variables(places: dict[str, Any], folder: Path) -> dict[str, str]:
    jobs = {
        name: {
            "source": str(place.source),
            "destination": str(place.destination),
            "prompt": "What is the total?\n{{ record.body }}",
            "output_type": SCHEMA,
            "limits": {"poll_interval_s": 0.1},
        }
        for name, place in places.items()
    }
    connections = {
        f"AIRFLOW_CONN_RUNWARE_{name.upper()}": json.dumps(
            {"conn_type": "runware", "host": place.server.base_url, "password": KEY}
        )
        for name, place in places.items()
    }
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in USERS}), encoding="utf-8")
    return {
        **connections,
        "JOBS": json.dumps(jobs),
        "HOSTILE": HOSTILE,
        "PYTHONPATH": str(PLUGINS),
        "AIRFLOW__RUNWARE__PROGRESS_INTERVAL_S": "1",
        "AIRFLOW__RUNWARE__PAGE_ROOTS": str(folder),
        "AIRFLOW__RUNWARE__PAGE_TEXTS": "True",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{name}:{role}" for name, role in USERS.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }


def test_the_tab_shows_a_run_while_it_goes_and_by_itself_how_it_ended(scene: Scene) -> None:
    with scene.as_user("viewer") as context:
        page = context.new_page()
        until(lambda: "28" in scene.get(scene.at("plain").path, "viewer")[1], "rows are done", every_s=0.5)
        tab = scene.tab(page, "plain")
        tab.get_by_text("Running:").wait_for()
        scene.server.let_go()
        # Nobody reloads it: the page renews itself.
        tab.get_by_text("Published:").wait_for()
        assert "29" in tab.locator("main").inner_text()
    assert scene.misbehaved == []


def test_a_run_that_failed_says_why(ended: Scene) -> None:
    with ended.as_user("viewer") as context:
        tab = ended.tab(context.new_page(), "fails")
        tab.get_by_text("Stopped:").wait_for()
        told = tab.locator("main").inner_text()
    assert "timeoutProvider" in told
    assert ended.misbehaved == []


@pytest.mark.parametrize(
    ("task", "index"), [("shared.split", None), ("shared.infer", 1), ("shared.publish", None)]
)
def test_each_task_of_a_group_shows_the_shards_side_by_side(
    task: str, index: int | None, ended: Scene
) -> None:
    with ended.as_user("viewer") as context:
        tab = ended.tab(context.new_page(), task, index)
        tab.locator("main h1").wait_for()
        told = tab.locator("main").inner_text()
    assert "3 shards" in told or "of 3" in told
    assert "10" in told


def test_a_task_that_is_not_ours_says_so_in_one_line(ended: Scene) -> None:
    with ended.as_user("viewer") as context:
        tab = ended.tab(context.new_page(), "nothing")
        tab.locator("main p").wait_for()
        assert tab.locator("main").inner_text().strip() == "This task is not one of Runware's."


def test_the_page_in_the_navigation_leads_to_the_run_of_a_dataset(ended: Scene) -> None:
    with ended.as_user("viewer") as context:
        page = context.new_page()
        page.goto(ended.airflow.api.page)
        page.get_by_role("link", name="Runware", exact=True).click()
        frame = page.frame_locator("iframe[title=Runware]")
        frame.locator("main table").wait_for()
        told = frame.locator("main").inner_text()
        for name in ("plain", "fails", "shared"):
            assert f"/{name}/" in told
        frame.locator("main table a").first.click()
        frame.get_by_text("looked_at").first.wait_for()
    assert ended.misbehaved == []


def test_nobody_who_is_not_signed_in_sees_anything(ended: Scene) -> None:
    for path in (
        "/",
        *(route_to(ended, leaf) for leaf in ("", "/failed", "/missed", "/asked", "/samples", "/report")),
    ):
        status, told = ended.get(path, None)
        assert status == 401, path
        assert "looked_at" not in told
    with ended.as_user(None) as context:
        page = context.new_page()
        reply = page.goto(f"{ended.airflow.api.page}{URL_PREFIX}{route_to(ended, '')}")
        assert reply is not None
        assert reply.status == 401
        assert "not signed in" in page.inner_text("main")


def test_a_viewer_without_rights_reads_no_text(ended: Scene) -> None:
    for leaf in ("/failed", "/missed", "/asked", "/samples", "/report"):
        assert ended.get(route_to(ended, leaf), "viewer")[0] == 403, leaf
        assert ended.get(route_to(ended, leaf), "editor")[0] == 200, leaf
    assert "/failed" not in ended.get(route_to(ended, ""), "viewer")[1]
    assert "/failed" in ended.get(route_to(ended, ""), "editor")[1]


def test_whoever_may_edit_reads_a_failed_record_beside_its_error(ended: Scene) -> None:
    with ended.as_user("editor") as context:
        tab = ended.tab(context.new_page(), "plain")
        tab.get_by_role("link", name="timeoutProvider").or_(tab.locator("a[href*='failed']")).first.click()
        tab.get_by_text("Shop 7 GmbH").first.wait_for()
        assert HOSTILE in tab.locator("main").inner_text()
    assert ended.misbehaved == []


def test_hostile_text_in_every_field_does_nothing(ended: Scene) -> None:
    with ended.as_user("editor") as context:
        page = context.new_page()
        for task in ("plain", "fails"):
            for leaf in ("", "/failed", "/missed", "/asked", "/samples", "/report"):
                page.goto(f"{ended.airflow.api.page}{URL_PREFIX}{ended.at(task).path}{leaf}")
                assert page.locator("main script, main img, main [onerror]").count() == 0, leaf
                assert page.locator("main").inner_text()
        page.goto(f"{ended.airflow.api.page}{URL_PREFIX}/")
        page.locator("main table").wait_for()
    assert ended.misbehaved == []


def test_airflow_makes_no_complaint_about_the_pages(ended: Scene) -> None:
    told = ended.airflow.log.read_text(encoding="utf-8", errors="replace")
    assert "A page failed" not in told
    assert "could not read" not in told
    assert HOSTILE not in told.replace("looked_at", "")


def test_the_pages_are_below_the_path_that_airflow_is_served_at(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "dags").mkdir()
    with (
        real_airflow(tmp_path, tmp_path / "dags", {"PYTHONPATH": str(PLUGINS)}, path="/air/flow") as airflow,
    ):
        page = browser.new_context().new_page()
        styled: list[int] = []
        page.on("response", lambda reply: styled.append(reply.status) if "page.css" in reply.url else None)
        page.goto(f"{airflow.api.page}/auth/token/login")
        page.get_by_role("link", name="Runware", exact=True).click()
        frame = page.frame_locator("iframe[title=Runware]")
        frame.get_by_text("has written a dataset with Runware yet").wait_for()
        assert styled == [200]


def route_to(scene: Scene, leaf: str) -> str:
    return f"{scene.at('plain').path}{leaf}"
