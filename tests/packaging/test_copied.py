"""The folder `plugins/`, copied into projects that know nothing of this one; and what is said where the wheel is, too."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.deployment import PROJECT, Deployment, complaints

if TYPE_CHECKING:
    from pathlib import Path

    from runware_provider.testing import LocalServer

LOAD = """
import json, sys
import airflow.sdk
from airflow import plugins_manager, settings
settings.prepare_syspath_for_config_and_plugins()
before = set(sys.modules)
plugins, errors = plugins_manager._get_plugins()
leaked = {name for name in set(sys.modules) - before if name.split(".")[0] != "runware_provider"} & set(sys.argv[1:])
from airflow.sdk import plugins_manager as in_a_task
in_task, errors_in_task = in_a_task._get_plugins()
import runware_provider
print(json.dumps({
    "plugins": [plugin.name for plugin in plugins if plugin.name == "runware"],
    "in_a_task": [plugin.name for plugin in in_task if plugin.name == "runware"],
    "errors": errors,
    "errors_in_a_task": errors_in_task,
    "leaked": sorted(leaked),
    "in_use": runware_provider.__path__[0],
}))
"""
STEMS = sorted(
    {path.stem for path in (PROJECT / "plugins" / "runware_provider").rglob("*.py")} - {"__init__"}
)

ASTRO_FILES = {
    "Dockerfile": "FROM runtime\n",
    "packages.txt": "",
    "airflow_settings.yaml": "airflow:\n  connections: []\n",
    ".env": "",
}


def project_of(folder: Path, database: Path) -> Path:
    """A project with the examples and what they use, as somebody copies them; an Airflow home at once."""
    for name in ("dags", "include"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "requirements.txt", folder / "requirements.txt")
    shutil.copy(database, folder / "airflow.db")
    return folder


@pytest.fixture
def plain(tmp_path: Path, bare_python: Path, database: Path, server: LocalServer) -> Deployment:
    """Plain Airflow; the plugins copied by `*`, which leaves `plugins/.airflowignore` behind."""
    folder = project_of(tmp_path / "airflow", database)
    (folder / "plugins").mkdir()
    subprocess.run(["bash", "-c", f"cp -r {PROJECT}/plugins/* {folder}/plugins/"], check=True, timeout=60)
    assert not (folder / "plugins" / ".airflowignore").exists()
    return Deployment(folder, bare_python, server)


@pytest.fixture
def astro(tmp_path: Path, bare_python: Path, database: Path, server: LocalServer) -> Deployment:
    """The layout of an Astro project: it has plugins of its own, and its root is on the Python path."""
    folder = project_of(tmp_path / "airflow", database)
    for name, text in ASTRO_FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copytree(PROJECT / "plugins", folder / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "plugins" / "of_the_project.py").write_text("IN_PLACE = True\n", encoding="utf-8")
    return Deployment(folder, bare_python, server, {"PYTHONPATH": str(folder)})


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Deployment:
    return request.getfixturevalue(request.param)


def loaded(deployment: Deployment) -> dict[str, object]:
    return json.loads(deployment.run("-c", LOAD, *STEMS).stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("project", "runs"),
    [("plain", []), ("astro", ["dags test classify_text 2026-01-02", "dags test sharded_extraction"])],
    indirect=["project"],
)
def test_a_copy_of_plugins_is_one_plugin_and_runs_the_examples(project: Deployment, runs: list[str]) -> None:
    assert loaded(project) == {
        "plugins": ["runware"],
        "in_a_task": ["runware"],
        "errors": {},
        "errors_in_a_task": {},
        "leaked": [],
        "in_use": str(project.folder / "plugins" / "runware_provider"),
    }
    ran = project.airflow("dags list --local --output json", *runs)
    shown, _ = json.JSONDecoder().raw_decode(ran.stdout[ran.stdout.index("[{") :])
    assert {dag["dag_id"] for dag in shown} == {path.stem for path in (PROJECT / "dags").glob("*.py")}
    assert (ran.stdout + ran.stderr).count("state=success") >= len(runs)
    assert complaints(ran) == []


def test_no_module_is_run_as_a_plugin_even_without_the_file_that_forbids_it_in_the_other_syntax(
    plain: Deployment,
) -> None:
    plain.settings["AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX"] = "regexp"  # glob is the default
    told = loaded(plain)
    assert (told["plugins"], told["errors"], told["leaked"]) == (["runware"], {}, [])


@pytest.mark.parametrize("first", ["the wheel", "the copy"])
def test_a_copy_beside_the_wheel_is_told_of_and_nothing_else_breaks(
    plain: Deployment, wheel_python: Path, first: str
) -> None:
    both = Deployment(plain.folder, wheel_python, plain.server)
    copy = both.folder / "plugins"
    if first == "the copy":
        both.settings["PYTHONPATH"] = str(copy)
    told = loaded(both)
    installed = str(wheel_python.parents[1])
    assert str(told["in_use"]).startswith(installed if first == "the wheel" else str(copy))
    assert told["plugins"] == told["in_a_task"] == ["runware"]
    assert told["errors"] == told["errors_in_a_task"]
    ((place, said),) = told["errors"].items()  # type: ignore[attr-defined] # it is a dict of texts
    assert place == str(copy / "runware_plugin.py")
    assert str(copy / "runware_provider") in said
    assert installed in said
    assert f"In use is {told['in_use']}" in said
    assert "Keep one of them: delete" in said
    assert "or uninstall airflow-provider-runware; then restart Airflow" in said


def test_dags_are_parsed_and_run_with_both(plain: Deployment, wheel_python: Path) -> None:
    both = Deployment(plain.folder, wheel_python, plain.server)
    ran = both.run("-m", "airflow", "dags", "test", "call_a_tool", "--conf", '{"limit": 2}')
    assert "state=success" in ran.stdout + ran.stderr
    assert "The Runware provider is here twice" in ran.stdout + ran.stderr
