from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from runware_provider.testing.__main__ import main, parser, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


@contextmanager
def started(*flags: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command line; its first line has been read when this gives the process."""
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    command = [sys.executable, "-m", "runware_provider.testing", *flags]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_listens_and_ends_cleanly_on_a_signal(number, tmp_path, make):
    ready = tmp_path / "url"
    with started("--ready-file", str(ready), "--key", "k1", "--latency", "0") as process:
        line = process.stdout.readline()
        url = ready.read_text(encoding="utf-8")
        headers = {"authorization": "Bearer k1"}
        reply = httpx.post(url, json=[make(deliveryMethod="sync")], headers=headers, trust_env=False)
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    assert url in line
    assert "k1" in line
    assert reply.json()["data"][0]["status"] == "success"
    assert list(tmp_path.iterdir()) == [ready]


def test_a_killed_server_loses_its_memory_and_nothing_else(make):
    task = make()
    for _ in range(2):
        with started("--latency", "0") as process:
            url = process.stdout.readline().split()[4]
            reply = httpx.post(
                url, json=[task], headers={"authorization": "Bearer test-key"}, trust_env=False
            )
        assert reply.status_code == 200


def test_every_flag_becomes_a_setting(tmp_path):
    models, faults = tmp_path / "models.json", tmp_path / "faults.json"
    models.write_text(json.dumps([{"id": "m", "name": "M", "json_mode": True}]), encoding="utf-8")
    faults.write_text(json.dumps({"kind": "think", "every": 2}), encoding="utf-8")
    flags = "--queue 5 --max-wait 2 --balance 3.5 --seed 9 --latency-sigma 0.4 --reserve-rejected"
    settings = settings_of(
        parser().parse_args([*flags.split(), "--models", str(models), "--faults", str(faults)])
    )
    assert (settings.queue, settings.max_wait, settings.balance, settings.seed) == (5, 2.0, 3.5, 9)
    assert settings.latency_sigma == 0.4
    assert settings.reserve_rejected
    assert [model.id for model in settings.models] == ["m"]
    assert settings.faults[0].kind == "think"


@pytest.mark.parametrize(
    ("flag", "content"),
    [
        ("--faults", '[{"kind": "unheard of"}]'),
        ("--faults", "nonsense"),
        ("--models", "[]"),
        ("--models", '[{"id": 1}]'),
    ],
)
def test_a_file_that_makes_no_sense_is_told_in_one_line(flag, content, tmp_path, capsys):
    file = tmp_path / "file.json"
    file.write_text(content, encoding="utf-8")
    assert main([flag, str(file)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("cannot start:")
    assert told.count("\n") == 1


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path, capsys):
    assert main(["--faults", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
