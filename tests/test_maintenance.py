"""What maintainers are told is there: commands, hooks, the matrix, the licence."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).resolve().parents[1]
BIN = Path(sys.prefix) / "bin"
PAGES = ("CONTRIBUTING.md", "RELEASING.md", "SECURITY.md")
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def text(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_file_that_a_page_names_exists(page: str) -> None:
    for target in set(re.findall(r"`(?:\w+=\S+ )*make ([\w-]+)`", text(page))):
        ran = subprocess.run(
            ["make", "--dry-run", target],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
    files = set(re.findall(r"`([\w./-]+\.(?:py|md|txt|toml))`", text(page))) - {"x/y.py", "tests/x/test_y.py"}
    files |= set(re.findall(r"(benchmarks/\w+\.py)", text(page)))
    below = ("", "plugins/runware_provider", "plugins/runware_provider/engine")
    assert [name for name in files if not any((PROJECT / folder / name).exists() for folder in below)] == []


def test_the_hooks_ask_no_host_and_run_programs_that_the_requirements_bring() -> None:
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
    for hook in hooks["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        (program,) = re.findall(r"\.venv/bin/([\w-]+)", hook["entry"])
        assert (BIN / program).exists()
    checked = subprocess.run(
        [BIN / "pre-commit", "validate-config", PROJECT / ".pre-commit-config.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_matrix_has_every_python_of_the_metadata_with_both_ends_of_the_dependencies() -> None:
    listed = subprocess.run(
        [BIN / "nox", "--list", "-f", PROJECT / "noxfile.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    sessions = set(re.findall(r"^\* tests-([\d.]+)\(dependencies='([\w-]+)'\)", listed, re.MULTILINE))
    classified = [line.rpartition(" :: ")[2] for line in PYPROJECT["project"]["classifiers"]]
    pythons = [version for version in classified if re.fullmatch(r"3\.\d+", version)]
    assert sessions == {(version, end) for version in pythons for end in ("highest", "lowest-direct")}
    assert all(version in SpecifierSet(PYPROJECT["project"]["requires-python"]) for version in pythons)


def test_the_hosted_checks_run_the_same_commands_on_every_python() -> None:
    jobs = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]
    classified = [line.rpartition(" :: ")[2] for line in PYPROJECT["project"]["classifiers"]]
    pythons = [version for version in classified if re.fullmatch(r"3\.\d+", version)]
    assert jobs["ci"]["strategy"]["matrix"]["python"] == pythons
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = [run.removeprefix("make ") for run in runs if run.startswith("make ")]
    assert ".ci/run" in runs
    assert all(re.search(rf"^{target}:", text("Makefile"), re.MULTILINE) for target in targets)


def test_airflow_is_bounded_to_what_is_supported() -> None:
    needed = [Requirement(line) for line in text("requirements.txt").splitlines() if line[:1].isalpha()]
    (airflow,) = [one for one in needed if one.name == "apache-airflow"]
    assert airflow.specifier == SpecifierSet(">=3.3,<4")
    told = text("docs/how-to/install.md")
    assert "Airflow 3.3 or newer, below 4, and Python 3.11, 3.12 or 3.13" in told


def test_the_licence_stands_once_and_no_file_repeats_it() -> None:
    assert "Apache License" in text("LICENSE")
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    code = [
        path
        for folder in ("plugins", "dags", "tests", "benchmarks")
        for path in (PROJECT / folder).rglob("*.py")
    ]
    headers = [
        path
        for path in code
        if re.match(r"#.*(licen[cs]e|SPDX)", path.read_text(encoding="utf-8"), re.IGNORECASE)
    ]
    assert headers == []
