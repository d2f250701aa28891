"""Every command and every code block of the README runs, in a copy of the project, as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLACEHOLDER_KEY = "..."
PAGES = ("README.md", "include/README.md")


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and text of each code block in this language."""
    return [
        (page, text)
        for page in PAGES
        for found, text in BLOCK.findall((PROJECT / page).read_text(encoding="utf-8"))
        if found == language
    ]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=PLACEHOLDER_KEY, answers=committed())) as running:
        yield running


def environment(server: LocalServer) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "RUNWARE", "PYTHONPATH", "MAKE"))
    }
    return {**kept, "RUNWARE_BASE_URL": server.base_url}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def run(script: str, folder: Path, env: dict[str, str]) -> str:
    ran = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, f"{script}\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout + ran.stderr


def test_the_shell_commands_run_in_their_order(copy: Path, server: LocalServer) -> None:
    said = {}
    (copy / "somebodys-airflow").mkdir()
    for _, text in blocks("bash"):
        env = environment(server) | {"AIRFLOW_HOME": str(copy / "somebodys-airflow")}
        said[text] = run(text.replace("8788", free_port()), copy, env)
    demo, real = said["make demo\n"], next(out for text, out in said.items() if "RECORDS=20" in text)
    in_one_line = " ".join(demo.split())
    assert "240 rows (1 invalid, 3 skipped, 236 succeeded)" in in_one_line
    assert "no language model" in in_one_line
    assert "as expected" in demo
    page = copy / ".demo" / "output" / "invoices.state" / "reports" / "report.html"
    assert str(page) in demo
    assert "as expected" in page.read_text(encoding="utf-8").lower()
    vendor = re.search(
        r"\| `vendor` \|.*\| (\d+) \| 236 \|", page.with_suffix(".md").read_text(encoding="utf-8")
    )
    assert vendor is not None
    assert int(vendor[1]) == 233  # of three documents the customer is taken for the vendor
    assert (copy / "somebodys-airflow" / "plugins" / ".airflowignore").is_file()
    assert "py3-none-any.whl" in said["make wheel\n"]
    assert "18 of 20 documents" in real  # one of the first twenty is empty, one is null: never sent
    assert server.bill_summary()["executed"] == 18


def test_the_dag_of_the_first_screen_runs_through_airflow(
    copy: Path, server: LocalServer, database: Path, tmp_path: Path
) -> None:
    (page, text), *rest = blocks("python")
    assert page == "README.md"
    assert not rest
    assert len([line for line in text.splitlines() if line]) == 10
    assert "in ten lines" in README
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "read_invoices.py").write_text(text, encoding="utf-8")
    (tmp_path / "airflow").mkdir()
    shutil.copy(database, tmp_path / "airflow" / "airflow.db")
    env = environment(server) | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(copy / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_RUNWARE_DEFAULT": (
            f'{{"conn_type": "runware", "password": "{PLACEHOLDER_KEY}", "host": "{server.base_url}"}}'
        ),
    }
    said = run(".venv/bin/airflow dags test read_invoices", copy, env)
    assert "state=success" in said
    assert (copy / ".demo" / "read_invoices" / "_SUCCESS").exists()
    rows = pq.read_table(copy / ".demo" / "read_invoices", columns=["document_id", "result", "inference"])
    written = {row["document_id"]: row for row in rows.to_pylist()}
    shown = re.findall(
        r"^\| (doc-\d+) \| (.+?) \| (.+?) \| (\w+).*?\| (\d) \| ([\d.]+|null) \|", README, re.MULTILINE
    )
    assert len(shown) == 5
    for name, vendor, total, outcome, attempts, cost in shown:
        result, inference = written[name]["result"] or {}, written[name]["inference"]
        assert [str(result.get(key)) for key in ("vendor", "total")] == [
            "None" if cell == "null" else cell for cell in (vendor, total)
        ]
        assert (inference["outcome"], str(inference["attempts"])) == (outcome, attempts)
        paid = inference["cost_usd"]
        assert cost == ("null" if paid is None else f"{paid:.6f}")


def test_every_make_target_that_the_readme_names_exists(copy: Path, server: LocalServer) -> None:
    named = sorted(set(re.findall(r"`make (\w+)`", (PROJECT / "README.md").read_text(encoding="utf-8"))))
    assert named == ["airflow", "check", "ci", "demo", "docs", "test", "wheel"]
    for target in named:
        run(f"make --dry-run {target}", copy, environment(server))


def test_every_link_leads_to_a_file() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", (PROJECT / page).read_text(encoding="utf-8")):
            if "://" not in target:
                assert ((PROJECT / page).parent / target).exists(), f"{page} links to {target}"


def test_every_guarantee_names_tests_that_there_are() -> None:
    section = README.partition("## What you can rely on")[2].partition("\n## ")[0]
    guarantees = re.findall(r"^- \*\*(.+?)\*\*(.*?)(?=^- |\Z)", section, re.MULTILINE | re.DOTALL)
    assert len(guarantees) >= 5
    for guarantee, said in guarantees:
        named = re.findall(r"\]\((tests/[\w/]+\.py) \"(test_\w+)\"\)", said)
        assert named, f"{guarantee} names no test"
        for file, test in named:
            assert f"def {test}(" in (PROJECT / file).read_text(encoding="utf-8"), f"{file} has no {test}"
