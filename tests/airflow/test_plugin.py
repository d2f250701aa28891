from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PLUGINS = Path(__file__).parents[2] / "plugins"
STEMS = {path.stem for path in (PLUGINS / "runware_provider").rglob("*.py")} - {"__main__"}

LOAD = """
import sys, types, json
import airflow.sdk
from airflow import plugins_manager
before = set(sys.modules)
stdlib = sys.modules["types"]
plugins, errors = plugins_manager._get_plugins()
names = sorted(plugin.name for plugin in plugins if plugin.name == "runware")
top_level = {name for name in set(sys.modules) - before if "." not in name}
print(json.dumps({
    "names": names,
    "errors": errors,
    "types_untouched": sys.modules["types"] is stdlib,
    "leaked": sorted(top_level),
    "imported": sorted(name for name in set(sys.modules) - before if name.startswith("runware_provider")),
    "pyarrow": "pyarrow" in sys.modules,
}))
"""


def test_airflow_finds_one_plugin_and_the_package_stays_a_package(fresh_python: Any) -> None:
    printed = fresh_python(
        LOAD, environment={"AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS), "PYTHONPATH": ""}
    )
    told = json.loads(printed.splitlines()[-1])
    told["leaked"] = [name for name in told["leaked"] if name in STEMS]
    assert told == {
        "names": ["runware"],
        "errors": {},
        "types_untouched": True,
        "leaked": [],
        "imported": ["runware_provider", "runware_provider.installation", "runware_provider.plugin"],
        "pyarrow": False,
    }
