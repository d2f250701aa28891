"""`make airflow`: Airflow's own `standalone`, with the example DAGs and something to ask.

Without a key in `RUNWARE_API_KEY` the DAGs ask the local API server, which costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.request import ProxyHandler, build_opener

from runware_provider.testing.tryout import surroundings
from runware_provider.testing.tryout.surroundings import PROJECT, TryOutFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.testing.tryout.surroundings import Service

FOLDER: Final = PROJECT / ".airflow"
PORT: Final = 8080
READY_S: Final = 180
"""Seconds that Airflow may take until its web page answers."""


def settings(port: int) -> dict[str, str]:
    """Airflow's settings for one person on one machine.

    Workers find the API server by its base URL, not by its port, so both are given. Everybody who can reach
    the loopback address is an administrator, so nobody else is let in.
    """
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(surroundings.free_port(8793)),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(surroundings.free_port(8794)),
    }


def pages_of(output: str) -> dict[str, str]:
    """Airflow's settings with which the pages of jobs show all that there is: whoever tries this out is alone with it.

    Args:
        output: the folder or URL below which the example DAGs write.
    """
    root = output if "://" in output else str(Path(output).absolute())
    return {"AIRFLOW__RUNWARE__PAGE_ROOTS": root, "AIRFLOW__RUNWARE__PAGE_TEXTS": "True"}


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run until Ctrl-C; returns the exit code."""
    home, log = FOLDER / "home", FOLDER / "standalone.log"
    home.mkdir(parents=True, exist_ok=True)
    with surroundings.interruptible():
        try:
            with surroundings.service(environment, FOLDER) as asked, log.open("wb") as output:
                _run(environment, home, asked, output, log)
        except KeyboardInterrupt:
            _say("Stopped; nothing is left running.")
        except TryOutFailed as failure:
            _say(str(failure))
            return 1
    return 0


def _run(environment: Mapping[str, str], home: Path, asked: Service, output: object, log: Path) -> None:
    port = surroundings.free_port(PORT)
    folder = PROJECT / ".demo" / ("output" if asked.local else "output-live")
    variables = surroundings.environment_of_airflow(environment, home, asked, folder) | settings(port)
    variables |= pages_of(variables["RUNWARE_OUTPUT"])
    _say(f"Starting Airflow; this takes about half a minute. Its log: {log}")
    with surroundings.running(["-m", "airflow", "standalone"], variables, output) as airflow:
        _wait_for_page(airflow, port, log)
        _say(
            f"\nAirflow:    http://127.0.0.1:{port}  (no password: who reaches this address is administrator)"
            f"\nDAGs:       {PROJECT / 'dags'}; trigger extract_invoices first"
            f"\nConnection: runware_default, from the environment (so not in the page's list): {_whom(asked)}"
            f"\nOutput:     {variables['RUNWARE_OUTPUT']}"
            "\n\nCtrl-C stops everything."
        )
        code = airflow.wait()
    raise TryOutFailed(
        f"Airflow ended by itself, with exit code {code}. {log} ends with:\n{surroundings.tail(log)}"
    )


def _whom(asked: Service) -> str:
    if asked.local:
        return f"the local API server at {asked.base_url}, which is no model and costs nothing"
    return f"{asked.base_url or 'the real service'}: what the DAGs ask is billed to your account"


def _wait_for_page(airflow: subprocess.Popen[bytes], port: int, log: Path) -> None:
    opener = build_opener(ProxyHandler({}))  # never by a proxy: it is this machine
    for _ in range(READY_S):
        with contextlib.suppress(OSError):  # nobody listens yet; URLError is one of them
            opener.open(f"http://127.0.0.1:{port}/api/v2/version", timeout=5).close()
            return
        try:
            airflow.wait(1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise TryOutFailed(f"Airflow did not start. {log} ends with:\n{surroundings.tail(log)}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
