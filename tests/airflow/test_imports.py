"""Of Airflow only its SDK is imported, which is what it keeps stable; and what there is nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SHIPPED = [
    path
    for folder in ("plugins", "dags")
    for path in sorted((PROJECT / folder).rglob("*.py"))
    if "tryout" not in path.parts  # needs a checkout, and reads DAG files as the DAG processor does
]
NOWHERE_ELSE = {
    "plugins/runware_provider/triggers.py": {"airflow.triggers.base"},
    "plugins/runware_provider/lineage.py": {"airflow.providers.openlineage.extractors"},
    "plugins/runware_provider/pages/application.py": {
        "airflow.api_fastapi.auth.managers.models.resource_details",
        "airflow.api_fastapi.core_api.security",
    },
}
"""Documented for the authors of triggers, of operators that tell their lineage, and of plugins with pages, which run in the API
server and ask its own rights; not in the SDK of 3.3."""


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module))
    return {name for name in names if name.partition(".")[0] == "airflow"}


def is_stable(name: str) -> bool:
    within_the_sdk = name == "airflow.sdk" or name.startswith("airflow.sdk.")
    return within_the_sdk and not any(part.startswith("_") for part in name.split("."))


def test_every_module_imports_the_sdk_or_nothing_of_airflow() -> None:
    names = {str(path.relative_to(PROJECT)): imported(path) for path in SHIPPED}
    assert any(names.values())
    unstable = {
        path: others
        for path, of_airflow in names.items()
        if (others := {name for name in of_airflow if not is_stable(name)})
    }
    assert unstable == NOWHERE_ELSE
