"""The command `check`: what it says before it asks, what it prints, what it writes, and what it exits with."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.cli import main
from runware_provider.engine.service_check.assumptions import ASSUMPTIONS, TEMPLATE
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.conftest import PROJECT
from tests.receivers import SECRET, ReceiverProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
ANSWER = "an answer that stays here"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=lambda _: ANSWER)) as running:
        yield running


@pytest.fixture
def environment(server: LocalServer) -> dict[str, str]:
    return {"RUNWARE_API_KEY": KEY, "RUNWARE_BASE_URL": server.base_url}


@pytest.fixture
def call(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Calls the command line in this process, with nobody at a terminal."""

    def run(*options: str, **changes: str) -> tuple[int, Any, str]:
        for name, value in (environment | changes).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        code = main(["check", *options])
        out, told = capsys.readouterr()
        return code, json.loads(out) if out else None, told

    return run


def test_a_service_of_which_something_differs_is_told_with_what_to_do(
    call: Callable[..., Any], server: LocalServer, tmp_path: Path
) -> None:
    server.script(Fault("reservation_lapses"))
    # The local answer is no call: a text is said as it is.
    code, printed, told = call("--yes", "--json", str(tmp_path / "result.json"))
    assert (code, printed["status"]) == (1, "differs")
    assert printed["deviations"] == ["reused-uuid", "forced-tool"]
    assert re.match(
        r"\d questions to deepseek-v4-pro at 127\.0\.0\.1, and some twenty that cost nothing\.", told
    )
    assert re.search(r"They may cost 0\.00\d+ USD at most; the price is that of the API's price list\.", told)
    assert re.search(r"reused-uuid +5 \[seen\] +differs +it was answered once more", told)
    assert f"template `{TEMPLATE}`" in " ".join(told.split())
    assert max(map(len, told.replace(str(tmp_path), "").splitlines())) <= 100


def test_on_a_narrow_terminal_no_line_is_wider_than_it(environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = started(environment, "--yes", stderr=theirs)
    os.close(theirs)
    told = read_of_terminal(ours)
    process.communicate(timeout=60)
    assert process.returncode in {0, 1}
    lines = told.decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith((" stream", " bill")) for line in lines) == 2


def read_of_terminal(ours: int) -> bytes:
    """All that is written to a terminal, until nobody has it open."""
    told = b""
    with os.fdopen(ours, "rb", buffering=0) as screen:
        while True:
            try:
                piece = screen.read(4096)
            except OSError:
                return told
            if not piece:
                return told
            told += piece


def test_a_table_has_a_row_for_each_assumption(call: Callable[..., Any]) -> None:
    _, _, told = call("--yes")
    rows = re.findall(
        r"^ ([\w-]+) +(\d+ \[\w+\]) +(as assumed|differs|not seen|skipped) +\S", told, re.MULTILINE
    )
    assert [row[:2] for row in rows] == [(one.id, one.place) for one in ASSUMPTIONS]


def test_the_file_has_each_assumption_and_neither_key_nor_answer_nor_uuid(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "result.json"
    _, printed, told = call("--yes", "--json", str(path))
    text = path.read_text(encoding="utf-8")
    whole = json.loads(text)
    assert [one["id"] for one in whole["assumptions"]] == [one.id for one in ASSUMPTIONS]
    assert (whole["service"], whole["model"], whole["format"]) == ("127.0.0.1", "deepseek-v4-pro", 1)
    assert {name: whole[name] for name in printed} == printed
    for said in (text, told, json.dumps(printed)):
        assert KEY not in said
        assert ANSWER not in said
        assert not UUID.search(said)


def test_a_short_key_is_taken_out_of_all_that_is_told(call: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with LocalServer(ServerSettings(key="test-key", latency=0)) as server:
        server.script(Fault("refuse_task", contains="Oslo", code="Test-Key-is-old"))
        _, printed, told = call(
            "--yes", "--json", str(path), RUNWARE_API_KEY="test-key", RUNWARE_BASE_URL=server.base_url
        )
    assert printed["troubles"] == ["the question was not answered: HTTP 400, ***-is-old"]
    assert "test-key" not in (path.read_text(encoding="utf-8") + told).lower()


def test_where_nobody_is_there_to_agree_nothing_is_paid(
    call: Callable[..., Any], server: LocalServer
) -> None:
    code, printed, told = call()
    assert (code, printed) == (1, None)
    assert "--yes: nobody is there to agree" in told
    assert server.bill()["requests"] == 0


@pytest.mark.parametrize("answer", ["no", "yes"])
def test_somebody_at_the_terminal_is_asked(
    environment: dict[str, str], server: LocalServer, answer: str
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keyboard:
        process = started(environment, stdin=theirs)
        os.close(theirs)
        keyboard.write(f"{answer}\n".encode())
        out, told = process.communicate(timeout=60)
    assert "Ask them? [y/N]" in told
    assert bool(server.bill()["executed"]) == (answer == "yes")
    if answer == "no":
        assert (process.returncode, json.loads(out)["status"]) == (3, "stopped")
        assert "nobody agreed; nothing was asked that costs anything" in " ".join(told.split())
        assert "Run it again, and agree, or give --yes." in told


def test_the_first_interrupt_of_whoever_is_asked_ends_the_command(
    environment: dict[str, str], server: LocalServer
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0):
        process = started(environment, stdin=theirs)
        os.close(theirs)
        assert process.stderr is not None
        told = ""
        while "[y/N]" not in told:
            read = process.stderr.read(1)
            assert read, told
            told += read
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["status"]) == (3, "stopped")
    assert "nothing was asked that costs anything" in json.loads(out)["reason"]
    assert server.bill()["executed"] == 0


def started(
    environment: dict[str, str], *options: str, stdin: Any = None, stderr: Any = subprocess.PIPE
) -> subprocess.Popen[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "runware_provider.engine", "check", *options],
        env={**kept, **environment, "PYTHONPATH": str(PROJECT / "plugins")},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_is_told_what_was_found_and_spent(
    environment: dict[str, str], server: LocalServer, number: signal.Signals
) -> None:
    server.script(Fault("delay_reply", contains="Count from", seconds=60))
    process = started(environment, "--yes")
    pause = threading.Event()
    while not server.faults()[0]["fired"] and process.poll() is None:
        pause.wait(0.01)
    process.send_signal(number)
    out, told = process.communicate(timeout=60)
    assert process.returncode == 3, told
    assert json.loads(out)["status"] == "incomplete"
    assert "somebody stopped it" in told
    assert "reused-uuid" in told
    assert json.loads(out)["at_most_usd"] > json.loads(out)["reported_usd"] > 0


def test_a_wrong_key_is_no_deviation(call: Callable[..., Any], server: LocalServer) -> None:
    code, printed, told = call("--yes", RUNWARE_API_KEY="wrong-key-of-the-tests-0123")
    assert (code, printed["status"]) == (3, "stopped")
    assert "Stopped: the API answered invalidApiKey" in told
    assert "as assumed" not in told
    assert server.bill()["executed"] == 0


def test_a_model_that_the_service_does_not_know_is_no_deviation(
    call: Callable[..., Any], server: LocalServer
) -> None:
    code, printed, told = call("--yes", "--model", "gpt-0-nobody")
    assert (code, printed["status"]) == (3, "stopped")
    assert "Check the model's name." in told
    assert "differs" not in told
    assert server.bill()["executed"] == 0


def test_a_base_url_where_nothing_is_is_no_deviation(call: Callable[..., Any], server: LocalServer) -> None:
    code, printed, told = call("--yes", RUNWARE_BASE_URL=f"{server.base_url}/elsewhere")
    assert (code, printed["status"]) == (3, "stopped")
    assert "is not the API: HTTP 404" in " ".join(told.split())
    assert "Check the base URL" in told


def test_a_service_that_does_not_answer_is_incomplete(call: Callable[..., Any], server: LocalServer) -> None:
    server.script(Fault("cut_before_work"))
    code, printed, told = call("--yes")
    assert (code, printed["status"], printed["deviations"]) == (3, "incomplete", [])
    assert "Not all of it could be asked: 3 questions in a row had no reply" in " ".join(told.split())
    assert server.bill()["requests"] <= 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget-usd", "0"), "'0' is no amount"),
        (("--budget-usd", "much"), "'much' is no amount"),
        (("--timeout-s", "nan"), "'nan' is no amount"),
        (("--jsn", "a"), "did you mean --json?"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    call: Callable[..., Any], capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        call("--yes", *options)
    assert left.value.code == 1
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_folder_that_is_not_there_is_found_before_anything_is_paid(
    call: Callable[..., Any], server: LocalServer, tmp_path: Path
) -> None:
    code, _, told = call("--yes", "--json", str(tmp_path / "nowhere" / "result.json"))
    assert code == 1
    assert "there is no such folder" in told
    assert server.bill()["requests"] == 0


def test_a_file_that_is_a_folder_is_found_before_anything_is_paid(
    call: Callable[..., Any], server: LocalServer, tmp_path: Path
) -> None:
    code, _, told = call("--yes", "--json", str(tmp_path))
    assert code == 1
    assert "is no file" in " ".join(told.split())
    assert server.bill()["requests"] == 0


def test_a_folder_that_takes_no_file_is_found_before_anything_is_paid(
    call: Callable[..., Any], server: LocalServer
) -> None:
    code, _, told = call("--yes", "--json", "/proc/result.json")
    assert code == 1
    assert "cannot be written" in " ".join(told.split())
    assert server.bill()["requests"] == 0


def test_what_was_found_is_told_though_the_file_cannot_be_written_in_the_end(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "result.json"

    def answer(_: Any) -> str:
        # Somebody makes a folder of the place while the questions are asked.
        path.mkdir(exist_ok=True)
        return ANSWER

    with LocalServer(ServerSettings(key=KEY, latency=0, answers=answer)) as other:
        code, printed, told = call("--yes", "--json", str(path), RUNWARE_BASE_URL=other.base_url)
    assert code == 1
    assert printed["reported_usd"] > 0
    assert "The whole result could not be written to" in told
    assert list(tmp_path.iterdir()) == [path]


def test_a_small_budget_is_kept_and_said(call: Callable[..., Any], server: LocalServer) -> None:
    code, printed, told = call("--yes", "--budget-usd", "0.001")
    assert "They may cost 0.001 USD at most" in told
    assert printed["troubles"] == ["no room in the budget of 0.001 USD"]
    assert code in {1, 3}
    assert server.bill()["cost_usd"] <= 0.001


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment that job and receiver share, while a receiver listens."""
    environment = {
        "RUNWARE_WEBHOOK_INBOX": str(tmp_path / "inbox"),
        "RUNWARE_WEBHOOK_SECRETS": SECRET.decode(),
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with ReceiverProcess({**kept, **environment}, tmp_path / "receiver.log") as process:
        yield {**environment, "RUNWARE_WEBHOOK_URL": process.url}


def test_a_webhook_is_received_and_nothing_of_it_stays(
    call: Callable[..., Any], receiver: dict[str, str], server: LocalServer, tmp_path: Path
) -> None:
    path = tmp_path / "result.json"
    _, _, told = call("--yes", "--webhook", "--json", str(path), **receiver)
    assert re.search(r"webhook +6 \[doc\] +as assumed +a call came, after", told)
    assert re.search(r"webhook-shape +6 \[doc\] +as assumed +the item itself", told)
    assert server.bill()["webhooks_sent"] == 1
    assert [one for one in (tmp_path / "inbox").rglob("*") if one.is_file()] == []
    assert SECRET.decode() not in told + path.read_text(encoding="utf-8")
    assert "token=" not in told + path.read_text(encoding="utf-8")


def test_a_receiver_that_is_not_there_is_said_before_anything_is_paid(
    call: Callable[..., Any], receiver: dict[str, str], server: LocalServer
) -> None:
    elsewhere = {**receiver, "RUNWARE_WEBHOOK_SECRETS": "another-secret-than-the-receivers-01"}
    code, _, told = call("--yes", "--webhook", **elsewhere)
    assert code == 3
    assert "the vendor could not bring answers" in " ".join(told.split())
    assert server.bill()["executed"] == 0


def test_a_webhook_needs_the_variables(call: Callable[..., Any], server: LocalServer) -> None:
    code, _, told = call("--yes", "--webhook", RUNWARE_WEBHOOK_URL="")
    assert code == 1
    assert "RUNWARE_WEBHOOK_URL: it is missing" in told
    assert server.bill()["executed"] == 0


def test_the_issue_template_that_is_named_is_there() -> None:
    assert (PROJECT / ".github" / "ISSUE_TEMPLATE" / f"{TEMPLATE}.md").is_file()
