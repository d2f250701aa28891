from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PLUGINS = Path(__file__).parents[2] / "plugins"

LOAD = """
import sys, types, json
import airflow.sdk
from airflow import plugins_manager
before = set(sys.modules)
stdlib = sys.modules["types"]
plugins, errors = plugins_manager._get_plugins()
names = sorted(plugin.name for plugin in plugins if plugin.name == "runware")
top_level = {name for name in set(sys.modules) - before if "." not in name}
ours = {"operators", "hook", "plugin", "retry_policy", "lookup", "job_thread", "errors", "spec", "testing"}
print(json.dumps({
    "names": names,
    "errors": errors,
    "types_untouched": sys.modules["types"] is stdlib,
    "leaked": sorted(top_level & ours),
    "heavy": sorted({"pyarrow", "runware_provider.operators"} & set(sys.modules)),
}))
"""


def test_airflow_finds_one_plugin_and_the_package_stays_a_package(fresh_python: Any) -> None:
    printed = fresh_python(
        LOAD, environment={"AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS), "PYTHONPATH": ""}
    )
    assert json.loads(printed.splitlines()[-1]) == {
        "names": ["runware"],
        "errors": {},
        "types_untouched": True,
        "leaked": [],
        "heavy": [],
    }
