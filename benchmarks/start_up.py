"""What the plugin costs every process of Airflow that loads plugins: each task does so before it starts.

Run it from the project's root: ``python benchmarks/start_up.py [--rounds 9]``. Every figure is the median over fresh
processes, in milliseconds. The plugin's own is what loading the plugins took with it, minus without it, in processes
that had imported already what the task runner imports; the ratio is to what Airflow itself takes for that, in the same
run. The bound is 20 ms: beyond it the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
BOUND_MS = 20.0

LOADING = """
import time
began = time.perf_counter()
import airflow.sdk.execution_time.task_runner
from airflow import settings
from airflow.sdk import plugins_manager
settings.prepare_syspath_for_config_and_plugins()
from importlib.metadata import entry_points
entry_points(group="airflow.plugins")
ready = time.perf_counter()
plugins, errors = plugins_manager._get_plugins()
done = time.perf_counter()
assert not errors, errors
print([plugin.name for plugin in plugins].count("runware"), (ready - began) * 1000, (done - ready) * 1000)
"""


def main() -> int:
    """Measure, print, and say by the exit status whether the bound holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="processes per figure")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    rounds = given.rounds
    with tempfile.TemporaryDirectory() as folder:
        _measured(Path(folder), PLUGINS)  # once, for the bytecode
        pairs = [(_measured(Path(folder), PLUGINS), _measured(Path(folder), None)) for _ in range(rounds)]
    airflow = statistics.median(imports for pair in pairs for imports, _ in pair)
    with_it = statistics.median(loading for (_, loading), _ in pairs)
    without = statistics.median(loading for _, (_, loading) in pairs)
    cost = with_it - without
    print(f"Airflow's own imports      {airflow:8.1f} ms")
    print(f"loading plugins, without   {without:8.1f} ms")
    print(f"loading plugins, with ours {with_it:8.1f} ms")
    print(f"the plugin's own           {cost:8.1f} ms, {cost / airflow:.2%} of Airflow's own imports")
    print(f"bound                      {BOUND_MS:8.1f} ms")
    if given.json is not None:
        figures = {"Airflow's own imports": airflow, "loading the plugin": cost}
        given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return int(cost > BOUND_MS)


def _measured(home: Path, plugins: Path | None) -> tuple[float, float]:
    """Milliseconds of Airflow's imports, and of loading the plugins of this folder (or of an empty one)."""
    empty = home / "plugins"
    empty.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins or empty),
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", LOADING],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found, imports, loading = done.stdout.splitlines()[-1].split()
    assert int(found) == (plugins is not None)
    return float(imports), float(loading)


if __name__ == "__main__":
    sys.exit(main())
