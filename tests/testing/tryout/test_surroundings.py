from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

import pytest

from runware_provider.testing.tryout import surroundings
from runware_provider.testing.tryout.demo import OURS, records
from runware_provider.testing.tryout.surroundings import Service, TryOutFailed

if TYPE_CHECKING:
    from pathlib import Path

    import psutil  # type: ignore[import-untyped]  # its types are a package of their own

KEY = "key-of-the-tests-0123456789"
LOCAL = Service("http://127.0.0.1:1/v1", "local", local=True)
REAL = Service("", KEY, local=False)

A_PARENT = """
import subprocess, sys, signal
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE)
child.wait()
"""


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The parent and its child, once both are up."""
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    family = surroundings.descendants(process.pid)
    assert len(family) == 2
    return family


@pytest.mark.parametrize("arguments", [[], ["stubborn"]])
def test_a_process_ends_with_its_block_and_takes_its_children_along(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "STOP_S", 1.0)
    with surroundings.running(["-c", A_PARENT, *arguments], os.environ, subprocess.PIPE) as process:
        family = _family(process)
    assert not [member for member in family if surroundings.alive(member)]


def test_an_interrupted_block_leaves_no_process_either() -> None:
    family: list[psutil.Process] = []

    def interrupted() -> None:
        with surroundings.running(["-c", A_PARENT], os.environ, subprocess.PIPE) as process:
            family.extend(_family(process))
            os.kill(os.getpid(), signal.SIGTERM)

    with surroundings.interruptible(), pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not [member for member in family if surroundings.alive(member)]


def test_without_a_key_a_local_server_answers_for_as_long_as_the_block(tmp_path: Path) -> None:
    with surroundings.service({"PATH": os.environ["PATH"]}, tmp_path) as asked:
        assert asked.local
        port = int(asked.base_url.rpartition(":")[2].partition("/")[0])
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/_local/bill") as answer:
            assert json.load(answer)["executed"] == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_with_a_key_the_real_service_is_asked(tmp_path: Path) -> None:
    environment = {"RUNWARE_API_KEY": KEY, "RUNWARE_BASE_URL": "https://proxy.example.com/v1"}
    with surroundings.service(environment, tmp_path) as asked:
        assert not asked.local
        assert json.loads(asked.connection()) == {
            "conn_type": "runware",
            "host": "https://proxy.example.com/v1",
            "password": KEY,
        }
        assert KEY not in repr(asked)


def test_the_users_own_airflow_is_left_out_of_the_environment(tmp_path: Path) -> None:
    users = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://production", "AIRFLOW_HOME": "/home"}
    made = surroundings.environment_of_airflow(users, tmp_path / "home", LOCAL, tmp_path / "out")
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in made
    assert made["AIRFLOW_HOME"] == str(tmp_path / "home")
    assert made["RUNWARE_OUTPUT"] == str(tmp_path / "out")


def test_an_output_of_the_users_own_is_kept(tmp_path: Path) -> None:
    made = surroundings.environment_of_airflow({"RUNWARE_OUTPUT": "/mine"}, tmp_path, LOCAL, tmp_path)
    assert made["RUNWARE_OUTPUT"] == "/mine"


def test_a_proxy_is_not_used_for_this_machine() -> None:
    made = surroundings.environment_of_python({"http_proxy": "http://proxy", "NO_PROXY": "example.com"})
    assert made["no_proxy"] == made["NO_PROXY"] == "example.com,127.0.0.1,localhost"


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert surroundings.free_port(port) not in {0, port}


@pytest.mark.parametrize(
    ("environment", "asked", "number"),
    [({}, LOCAL, None), ({}, REAL, 10), ({"RECORDS": "3"}, REAL, 3), ({"RECORDS": "3"}, LOCAL, 3)],
)
def test_only_a_few_documents_go_where_they_cost_money(
    environment: dict[str, str], asked: Service, number: int | None
) -> None:
    assert records(environment, asked) == number


@pytest.mark.parametrize("text", ["ten", "0", "-1"])
def test_a_number_of_records_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TryOutFailed, match="RECORDS"):
        records({"RECORDS": text}, LOCAL)


def test_the_operators_lines_are_told_from_airflows() -> None:
    ours = (
        "2026-11-23T06:52:21.255080Z [info     ] 1 of 2 rows done               "
        "[airflow.task.operators.runware_provider.operators.TextInferenceOperator] loc=operators.py:258"
    )
    theirs = "2026-11-23T06:52:21.253960Z [info     ] ::endgroup::             [task] loc=task_runner.py:2232"
    found = OURS.match(ours)
    assert found is not None
    assert found["text"] == "1 of 2 rows done"
    assert OURS.match(theirs) is None


def test_this_python_is_the_one_that_is_started() -> None:
    with surroundings.running(
        ["-c", "import sys; print(sys.executable)"], os.environ, subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        assert one.stdout.read().decode().strip() == sys.executable
