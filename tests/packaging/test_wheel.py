"""The wheel, installed, its source gone: provider, connection form, hook, decorator, command, and a DAG that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

import pyarrow.parquet as pq
import pytest

from tests.packaging.conftest import LEFT_BEHIND
from tests.packaging.deployment import KEY, PATIENCE_S, PROJECT, Deployment, complaints

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runware_provider.testing import LocalServer

A_DAG = '''
"""Labels by country, the question made when the task runs."""
from pathlib import Path
from airflow.sdk import DAG, task

FOLDER = Path(__file__).parents[1]

with DAG("by_function"):

    @task
    def words():
        return "What is the total?"

    @task.text_inference(source=str(FOLDER / "include/documents"), destination=str(FOLDER / "out"), limit=4)
    def ask(question):
        return question + "\\n{{ record.body }}"

    ask(words())
'''

LOOK = """
import json, pkgutil, sys
import runware_provider
from airflow.sdk import BaseHook, task
from airflow.providers_manager import ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
from airflow import plugins_manager
from airflow.configuration import conf
from importlib import import_module
manager = ProvidersManager()
plugins, errors = plugins_manager._get_plugins()
modules = [module.name for module in pkgutil.walk_packages(runware_provider.__path__, "runware_provider.")]
for name in modules:
    if not name.endswith("__main__"):
        import_module(name)
print(json.dumps({
    "place": runware_provider.__file__,
    "modules": len(modules),
    "version": manager.providers["airflow-provider-runware"].version,
    "hook": type(BaseHook.get_hook("runware_default")).__module__,
    "decorator": task.text_inference.__module__,
    "plugins": [[plugin.name, str(plugin.source)] for plugin in plugins if plugin.name == "runware"],
    "errors": errors,
    "option": conf.get("runware", "progress_interval_s"),
}))
"""

PARSE = """
import json, runpy, sys
from airflow.sdk import DAG, Asset, BaseHook, BaseOperator, Connection, task
from airflow.serialization.serialized_objects import DagSerialization
for heavy in ("aiohttp", "httpx", "pyarrow"):
    sys.modules[heavy] = None  # an import of it fails from here on
with DAG("by_function") as dag:
    runpy.run_path(sys.argv[1])["ask"]("a question")
print(json.dumps(DagSerialization.serialize_dag(dag)["tasks"], sort_keys=True))
"""


@pytest.fixture(scope="module")
def airflow(
    wheel_python: Path, database: Path, server: LocalServer, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    folder = tmp_path_factory.mktemp("deployment") / "airflow"
    for name in ("dags", "include"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "dags" / "by_function.py").write_text(A_DAG, encoding="utf-8")
    shutil.copy(database, folder / "airflow.db")
    return Deployment(folder, wheel_python, server)


def test_the_wheel_holds_the_package_and_nothing_that_needs_a_checkout(wheel: Path) -> None:
    package = PROJECT / "plugins" / "runware_provider"
    written = {str(path.relative_to(package.parent)) for path in package.rglob("*") if path.is_file()}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    needed = {
        name for name in written if "__pycache__" not in name and "/tryout/" not in name and "/." not in name
    }
    assert held == needed


def test_the_same_commit_makes_the_same_bytes_whoever_builds_it_and_when(tmp_path: Path) -> None:
    made = []
    for name, umask, modified in (("one", 0o022, 1_000_000_000), ("other", 0o077, 1_700_000_000)):
        copy = tmp_path / name / "project"
        shutil.copytree(PROJECT, copy, ignore=LEFT_BEHIND)
        for path in sorted(copy.rglob("*"), reverse=name == "other"):
            os.utime(path, (modified, modified))
            path.chmod(path.stat().st_mode & ~umask)
        # The environment is there: nothing is installed into it.
        command = ["make", "wheel", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.installed-dev"]
        built = subprocess.run(
            command,
            cwd=copy,
            env={**os.environ, "SOURCE_DATE_EPOCH": "1600000000"},
            umask=umask,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert built.returncode == 0, built.stdout + built.stderr
        made.append({path.name: path.read_bytes() for path in (copy / "dist").iterdir()})
    assert [name.rpartition(".")[2] for name in sorted(made[0])] == ["whl", "gz"]
    assert made[0] == made[1]


def test_the_source_distribution_holds_what_its_tests_need(artefacts: Path) -> None:
    (source,) = artefacts.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        modes = {one.name.partition("/")[2]: one.mode for one in archive.getmembers()}
    held = set(modes)
    needed = {
        ".ci/run",
        ".github/workflows/ci.yml",
        "SECURITY.md",
        ".gitignore",
        ".pre-commit-config.yaml",
        "pyproject.toml",
        "requirements-docs.txt",
        "setup.cfg",
        "tests/docs/blocks.py",
        "LICENSE",
        "Makefile",
        "README.md",
        ".importlinter",
        "requirements.txt",
        "requirements-dev.txt",
        "plugins/.airflowignore",
        "plugins/runware_plugin.py",
        "dags/extract_invoices.py",
        "include/documents/documents.parquet",
        "tests/conftest.py",
        "tests/packaging/test_wheel.py",
    }
    assert needed - held == set()
    assert modes[".ci/run"] & 0o100, "make ci could not run it"
    assert not [
        name for name in held if "__pycache__" in name or name.startswith((".venv", ".git/", "build/"))
    ]


def test_a_copy_of_the_plugins_from_the_source_distribution_brings_nothing_but_the_plugins(
    artefacts: Path,
) -> None:
    (source,) = artefacts.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        parts = [name.split("/") for name in archive.getnames()]
    held = {part[2] for part in parts if part[1:2] == ["plugins"] and len(part) > 2}
    assert held == {".airflowignore", "runware_plugin.py", "runware_provider"}


def test_airflow_knows_provider_hook_decorator_plugin_and_configuration(
    airflow: Deployment, wheel_python: Path
) -> None:
    told = airflow.told(LOOK)
    assert told.pop("place").startswith(str(wheel_python.parents[1]))
    assert told.pop("modules") > 100
    ((name, source),) = told.pop("plugins")
    assert name == "runware"
    assert "airflow-provider-runware==" in source
    assert told == {
        "version": "0.1.0",
        "hook": "runware_provider.hook",
        "decorator": "runware_provider.decorators",
        "errors": {},
        "option": "30",
    }


def test_a_dag_with_the_decorator_is_parsed_without_httpx_and_pyarrow(airflow: Deployment) -> None:
    file = str(airflow.folder / "dags" / "by_function.py")
    assert "@task.text_inference" in airflow.run("-c", PARSE, file).stdout.splitlines()[-1]


def test_the_command_runs_a_job(airflow: Deployment, server: LocalServer, tmp_path: Path) -> None:
    command = [str(airflow.python.parent / "runware"), "run", "--limit", "3"]
    command += [
        "--source",
        str(airflow.folder / "include" / "documents"),
        "--destination",
        str(tmp_path / "out"),
    ]
    command += ["--prompt", "What is this?\n{{ record.body }}"]
    ran = subprocess.run(
        command,
        env=airflow.environment | {"RUNWARE_API_KEY": KEY, "RUNWARE_BASE_URL": server.base_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["outcomes"] == {"succeeded": 3}


def test_a_dag_with_the_decorator_and_an_example_run_without_a_complaint(airflow: Deployment) -> None:
    dags = ("by_function", "extract_invoices")
    ran = airflow.airflow(*(f'dags test {dag} --conf {{"limit":5}}' for dag in dags))
    for dag in dags:
        assert re.search(rf"DagRun Finished.*dag_id={dag}.* state=success", ran.stdout + ran.stderr)
    assert complaints(ran) == []
    rows = [
        row for part in (airflow.folder / "out").glob("*.parquet") for row in pq.read_table(part).to_pylist()
    ]
    assert [row["inference"]["outcome"] for row in rows] == ["succeeded"] * 4


# The connection, as its form in the UI meets it


class Api:
    """Airflow's REST API and that of its pages."""

    def __init__(self, port: int) -> None:
        self.page = f"http://127.0.0.1:{port}"
        self.open = build_opener(ProxyHandler({})).open
        self.token = ""

    def __call__(self, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        asked = Request(f"{self.page}/{path}", data=data, headers=headers)  # noqa: S310 - loopback
        with self.open(asked, timeout=60) as reply:
            return json.load(reply)


@pytest.fixture(scope="module")
def api(airflow: Deployment) -> Iterator[Api]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = airflow.folder / "api-server.log"
    command = ["-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [str(airflow.python), *command],
            cwd=airflow.folder.parent,
            env=airflow.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield ready(Api(port), process, log)
        finally:
            process.terminate()
            process.wait(timeout=60)


def ready(api: Api, process: subprocess.Popen[bytes], log: Path) -> Api:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            api.token = api("auth/token")["access_token"]
        except OSError:
            try:
                process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
            break
        return api
    raise AssertionError(log.read_text(encoding="utf-8")[-6000:])


def test_the_form_shows_the_connections_own_fields(api: Api) -> None:
    (shown,) = [one for one in api("ui/connections/hook_meta") if one["connection_type"] == "runware"]
    assert shown["hook_name"] == "Runware"
    assert shown["standard_fields"]["password"]["title"] == "API key"
    assert shown["standard_fields"]["host"] == {
        "hidden": False,
        "title": "Base URL",
        "placeholder": "https://api.runware.ai/v1",
    }
    assert shown["standard_fields"]["login"]["hidden"]
    assert {name: field["schema"]["title"] for name, field in shown["extra_fields"].items()} == {
        "max_outstanding": "Inferences at once",
        "requests": "Requests at once",
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, "")),
        ({"password": "a-wrong-key-0123456789"}, (False, "key")),
        ({"extra": '{"requests": 0}'}, (False, "field requests")),
    ],
)
def test_the_test_button_says_whether_the_key_is_good(
    changes: dict[str, str], expected: tuple[bool, str], api: Api, server: LocalServer
) -> None:
    connection = {"connection_id": "mine", "conn_type": "runware", "host": server.base_url, "password": KEY}
    said = api("api/v2/connections/test", connection | changes)
    verdict, part = expected
    assert said["status"] is verdict, said
    assert part in said["message"]
    assert not [key for key in (KEY, "a-wrong-key-0123456789") if key in said["message"]]


def test_the_page_of_plugins_shows_one_and_no_error(api: Api) -> None:
    assert [plugin["name"] for plugin in api("api/v2/plugins")["plugins"] if plugin["name"] == "runware"] == [
        "runware"
    ]
    assert api("api/v2/plugins/importErrors")["total_entries"] == 0
