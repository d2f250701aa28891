"""The pages of jobs in a real Airflow, with real users, in a real Chromium."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.pages.run_view import URL_PREFIX
from runware_provider.testing import Fault
from tests.engine.conftest import body_of, places_below
from tests.holding_server import held
from tests.real_airflow import real_airflow, until
from tests.whole_airflow.looked_at import HOSTILE, PLUGINS, Scene, chromium, needs_chromium, variables_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


pytestmark = needs_chromium
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
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
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in USERS}), encoding="utf-8")
    return {
        **variables_of(places, folder),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{name}:{role}" for name, role in USERS.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }


def test_the_tab_shows_a_run_while_it_goes_and_by_itself_how_it_ended(scene: Scene) -> None:
    with scene.as_user("viewer") as context:
        page = context.new_page()
        until(
            lambda: "29 of 30" in said(scene, "plain"),
            "all rows but the one that is held are done",
            every_s=0.5,
        )
        tab = scene.tab(page, "plain")
        tab.get_by_text("Running:").wait_for()
        scene.server.let_go()
        # Nobody reloads it: the page renews itself.
        tab.get_by_text("Published:").wait_for()
        assert re.search(r"29\s+succeeded", tab.locator("main").inner_text())
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


def said(scene: Scene, task: str) -> str:
    """The words on the page of a task, as its viewer gets them."""
    page = scene.get(scene.at(task).path, "viewer")[1]
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def route_to(scene: Scene, leaf: str) -> str:
    return f"{scene.at('plain').path}{leaf}"
