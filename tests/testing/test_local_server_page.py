from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runware_provider.testing import AnswerTable, LocalServer, ServerSettings
from runware_provider.testing.__main__ import parser
from tests.answers import committed

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "local-server.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CURLS = [text for language, text in BLOCKS if language == "bash" and text.startswith("curl")]


def test_the_page_lists_every_flag():
    flags = {flag for action in parser()._actions for flag in action.option_strings if flag.startswith("--")}
    listed = set(re.findall(r"^\| `(--[\w-]+)` \|", PAGE, re.MULTILINE))
    assert listed == flags - {"--help"}


@pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="the page's commands use them"
)
@pytest.mark.parametrize("command", CURLS)
def test_the_commands_of_the_page_work(server, command):
    here = command.replace("http://127.0.0.1:8765", server.base_url.removesuffix("/v1"))
    done = subprocess.run(["bash", "-euc", here], capture_output=True, text=True, check=True)
    assert not done.stderr
    assert "errors" not in done.stdout
    for line in done.stdout.replace("}{", "}\n{").replace("][", "]\n[").splitlines():
        json.loads(line)


def test_the_first_request_of_the_page_is_answered_from_the_table_that_it_names():
    if shutil.which("curl") is None:
        pytest.skip("the page's command uses curl")
    with LocalServer(ServerSettings(latency=0, answers=committed())) as server:
        here = CURLS[0].replace("http://127.0.0.1:8765", server.base_url.removesuffix("/v1"))
        done = subprocess.run(["bash", "-euc", here], capture_output=True, text=True, check=True)
    (item,) = json.loads(done.stdout)["data"]
    assert item["tools"][0]["input"] == {"label": "feature_request", "urgent": False, "language": None}


def test_the_python_of_the_page_runs(monkeypatch):
    monkeypatch.chdir(PROJECT)
    for code in [text for language, text in BLOCKS if language == "python"]:
        exec(compile(code, "docs/local-server.md", "exec"), {})  # noqa: S102 - the page's own example


def test_the_join_of_the_page_makes_a_table_of_answers(tmp_path):
    (code,) = [text.split('"')[1] for language, text in BLOCKS if text.startswith("python -c")]
    (tmp_path / "include").symlink_to(PROJECT / "include")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert len(AnswerTable.read(tmp_path / "gold.parquet", "body")) > 230
