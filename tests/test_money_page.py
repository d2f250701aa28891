"""docs/money-and-failures.md: its examples work, and its numbers are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from runware_provider.engine.cli_options import PREVIEW_RECORDS, moment_of, parsed, partition_of
from runware_provider.engine.exchange import canary, conversation, patience, reach, sending
from runware_provider.engine.job import failure_watch
from runware_provider.engine.job.manifest import UNPRICED_SHOWN
from runware_provider.engine.limits import FIRST_LOOK_UP_S, Limits
from runware_provider.engine.spec import Failures
from runware_provider.engine.spec_options import spec_of
from runware_provider.operators import TextInferenceOperator
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs" / "money-and-failures.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCK.findall(PAGE) if language == "python"]
COMMANDS = [
    line
    for language, text in BLOCK.findall(PAGE)
    if language == "bash"
    for line in text.replace("\\\n", " ").splitlines()
]
NUMBERS = {5: "five"}


@pytest.mark.parametrize("code", PYTHON)
def test_each_python_example_makes_an_operator(code: str) -> None:
    last = code.rindex("TextInferenceOperator(")
    names: dict[str, object] = {}
    exec(compile(f"{code[:last]}made = {code[last:]}", "money-and-failures.md", "exec"), names)  # noqa: S102 - the page's own example
    assert isinstance(names["made"], TextInferenceOperator)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_one_that_the_command_line_takes(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    python, dash_m, module, *arguments = shlex.split(command)
    assert (python, dash_m, module) == ("python", "-m", "runware_provider")
    options = parsed(arguments)
    if options.command == "forget":
        moment_of(options.older_than)
        partition_of(options)
        assert options.containing or options.task_uuid or options.older_than
    else:
        spec_of(options)


def test_the_numbers_are_those_of_the_code() -> None:
    told = (
        f"asks about {NUMBERS[PREVIEW_RECORDS]} records",
        f"The first {NUMBERS[canary.RECORDS]} records go alone",
        f"`failures.most` (default `{Failures().most}`)",
        f"of the last {failure_watch.WINDOW} answers ({failure_watch.FEWEST} at least)",
        f"for up to {conversation.DRAIN_S:.0f} s",
        f"{sending.SYNC_TASKS_PER_REQUEST} times `limits.requests`",
        f"| an answer | {FIRST_LOOK_UP_S:.0f} s, {2 * FIRST_LOOK_UP_S:.0f} s, {4 * FIRST_LOOK_UP_S / 60:.0f} min and so on",
        f"`limits.deadline_s` ({Limits().deadline_s / 60:.0f} min)",
        f"{patience.PROCESSING_DEADLINES} times `limits.deadline_s`",
        f"{patience.LOOK_UPS + 1} requests to `getResponse`, {patience.LOOK_UPS + 1} to the archive",
        f"{reach.FIRST_CONTACT_S:.0f} s where the API never answered",
        f"`unpriced_tasks` names up to {UNPRICED_SHOWN}",
    )
    assert [one for one in told if one not in WORDS] == []
    assert failure_watch.CHANCE == 1e-9


def test_the_errors_that_airflow_does_not_retry_are_those_of_the_policy() -> None:
    excepted = [rule.exception for rule in ONLY_WHAT_A_RETRY_MENDS.rules]
    hopeless = {one.__name__ for one in excepted if isinstance(one, type)}
    table = re.findall(r"^\| (`.*?) \| (yes|no) \|", PAGE, re.MULTILINE)
    listed: dict[str, set[str]] = {"yes": set(), "no": set()}
    for names, retried in table:
        listed[retried] |= set(re.findall(r"`(\w+)`", names))
    assert listed["no"] == hopeless
    assert not listed["yes"] & hopeless


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (PROJECT / "docs" / target).exists(), target
