"""The pages of jobs behind Flask AppBuilder, whose roles may see one DAG and not another: a real Airflow, a real Chromium."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runware_provider.testing import Fault
from tests.docs.blocks import blocks
from tests.engine.conftest import body_of, places_below
from tests.real_airflow import real_airflow, until
from tests.whole_airflow.looked_at import HOSTILE, PLUGINS, Scene, chromium, needs_chromium, variables_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FAB = Path(__file__).parents[2] / ".fab"
"""Where make installs it."""
pytestmark = [
    needs_chromium,
    pytest.mark.skipif(
        not (FAB / ".installed").exists(), reason="Flask AppBuilder is not installed: `make .fab/.installed`"
    ),
]
DAG_FILE = """
import json
import os

from airflow.sdk import DAG
from runware_provider.operators import TextInferenceOperator

jobs = json.loads(os.environ["JOBS"])
for name, access in {"looked_at": None, "other": {"outsider": {"DAGs": {"can_read"}}}}.items():
    with DAG(name, schedule=None, access_control=access):
        TextInferenceOperator(task_id=name, runware_conn_id=f"runware_{name}", **jobs[name])
"""
RECORDS = 10
READS = ["Website", "DAG Runs", "Task Instances", "XComs"]
USERS = {
    "admin": "Admin",
    "editor": "User",
    "viewer": "Viewer",
    "onlooker": "onlooker",
    "outsider": "outsider",
}
"""Each user's role; the last two are made here."""
COMMANDS = [
    ["db", "migrate"],
    ["roles", "create", "onlooker", "outsider"],
    # All DAGs, and no page of any plugin.
    ["roles", "add-perms", "onlooker", "-a", "can_read", "-r", "DAGs", *READS],
    # Pages of plugins, and no DAG but the one that names this role.
    ["roles", "add-perms", "outsider", "-a", "can_read", "-r", "Plugins", *READS],
    *(
        [
            *("users", "create", "--username", name, "--password", name, "--role", role),
            *("--email", f"{name}@example.com", "--firstname", name, "--lastname", name),
        ]
        for name, role in USERS.items()
    ),
]
TEXTS = ("/failed", "/missed", "/asked", "/samples", "/report")


def told() -> list[list[str]]:
    """The commands that the documentation has the reader carry out."""
    texts = [block.text.replace("\\\n", " ") for block in blocks("how-to/see-a-job.md")]
    lines = [line for text in texts for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("airflow roles ")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("airflow")
    wrong = Fault("fail_task", contains="Shop 7 GmbH", code="timeoutProvider", message=HOSTILE)
    with chromium() as browser, places_below(folder) as new_place:
        places = {name: new_place(name, latency=0.0, faults=(wrong,)) for name in ("looked_at", "other")}
        for place in places.values():
            place.fill([f"{body_of(number)} {HOSTILE}" for number in range(RECORDS)])
        (folder / "dags").mkdir()
        (folder / "dags" / "looked_at.py").write_text(DAG_FILE, encoding="utf-8")
        variables = {
            **variables_of(places, folder),
            "PYTHONPATH": f"{PLUGINS}:{FAB}",
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        }
        with real_airflow(
            folder, folder / "dags", variables, login=("admin", "admin"), commands=[*COMMANDS, *told()]
        ) as airflow:
            until(
                lambda: airflow.api("dags")["total_entries"] == len(places), "the DAGs are known", every_s=0.2
            )
            runs = [airflow.api.trigger(name) for name in reversed(places)]
            until(
                lambda: all(airflow.api(run)["state"] == "success" for run in runs),
                "the runs end",
                every_s=0.5,
            )
            yield Scene(airflow, runs[-1], folder, browser, places["looked_at"].server)


def test_a_viewer_sees_the_tab_and_reads_no_text(scene: Scene) -> None:
    with scene.as_user("viewer") as context:
        tab = scene.tab(context.new_page(), "looked_at")
        tab.get_by_text("Published:").wait_for()
        assert "timeoutProvider" in tab.locator("main").inner_text()
    for leaf in TEXTS:
        assert scene.get(f"{scene.at('looked_at').path}{leaf}", "viewer")[0] == 403, leaf
    assert scene.misbehaved == []


def test_whoever_may_edit_tasks_reads_a_failed_record(scene: Scene) -> None:
    with scene.as_user("editor") as context:
        tab = scene.tab(context.new_page(), "looked_at")
        tab.locator("a[href*='failed']").first.click()
        tab.get_by_text("Shop 7 GmbH").first.wait_for()
        assert HOSTILE in tab.locator("main").inner_text()
    assert scene.misbehaved == []


def test_nobody_who_is_not_signed_in_sees_anything(scene: Scene) -> None:
    for path in ("/", *(f"{scene.at('looked_at').path}{leaf}" for leaf in ("", *TEXTS))):
        status, told = scene.get(path, None)
        assert status == 401, path
        assert "looked_at" not in told


def test_a_role_that_may_see_another_dag_sees_nothing_of_this_one(scene: Scene) -> None:
    for leaf in ("", *TEXTS):
        status, told = scene.get(f"{scene.at('looked_at').path}{leaf}", "outsider")
        assert status == 403, leaf
        assert "Published" not in told
    other = replace(scene.at("other"), dag_id="other", run_id=run_of_other(scene))
    assert "Published:" in scene.get(other.path, "outsider")[1]
    listed = scene.get("/", "outsider")[1]
    assert "/other/" in listed
    assert "/looked_at/" not in listed
    assert all(f"/{name}/" in scene.get("/", "viewer")[1] for name in ("other", "looked_at"))


def test_a_role_without_the_right_to_plugins_is_shown_no_tab_and_has_the_page_by_its_address(
    scene: Scene,
) -> None:
    # By the answer to this Airflow's page learns which tabs there are.
    with scene.as_user("onlooker") as context:
        page = context.new_page()
        with page.expect_response(lambda reply: reply.url.partition("?")[0].endswith("/plugins")) as answered:
            scene.open(page, "looked_at")
        assert answered.value.status == 403
        page.locator('a[href$="/tasks/looked_at"]').first.wait_for()
        assert page.locator('a[href$="/runware"]').count() == 0
    assert "Published:" in scene.get(scene.at("looked_at").path, "onlooker")[1]


def run_of_other(scene: Scene) -> str:
    (run,) = scene.airflow.api("dags/other/dagRuns")["dag_runs"]
    return str(run["dag_run_id"])
