"""The matrix: every supported Python that is at hand, with the newest and the oldest dependencies that are allowed.

`make matrix` runs all of it, `nox --list` shows it, `nox --python 3.13 -- tests/engine -k ledger` runs a part. A Python
that is not on the PATH is skipped, and said so.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv"  # for the oldest dependencies, which pip cannot choose
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False

PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))
USUAL = (
    "-n",
    "auto",
    "--dist",
    "loadfile",
    "--no-loadscope-reorder",
    "tests/engine",
    "tests/airflow",
    "tests/packaging",
    "tests/test_dags.py",
)


@nox.session(python=PYTHONS)
@nox.parametrize("dependencies", ["highest", "lowest-direct"])
def tests(session: nox.Session, dependencies: str) -> None:
    """Run the tests, or what stands behind `--`."""
    session.install("--compile-bytecode", "--resolution", dependencies, "-r", "requirements.txt")
    session.install("--compile-bytecode", "-r", "requirements-dev.txt")  # leaves what is installed as it is
    session.run("python", "-m", "pytest", *(session.posargs or USUAL), env={"HYPOTHESIS_PROFILE": "thorough"})
