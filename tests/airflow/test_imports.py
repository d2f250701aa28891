"""Of Airflow only its SDK is imported, which is what it keeps stable."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SHIPPED = [
    path
    for folder in ("plugins", "dags")
    for path in sorted((PROJECT / folder).rglob("*.py"))
    if "tryout" not in path.parts  # needs a checkout, and reads DAG files as the DAG processor does
]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module))
    return {name for name in names if name.partition(".")[0] == "airflow"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_imports_the_sdk_or_nothing_of_airflow(path: Path) -> None:
    others = {
        name for name in imported(path) if name != "airflow.sdk" and not name.startswith("airflow.sdk.")
    }
    assert others == set()
    assert not [name for name in imported(path) if any(part.startswith("_") for part in name.split("."))]
