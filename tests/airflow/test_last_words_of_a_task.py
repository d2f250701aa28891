"""Every way in which a task ends says the five things that a person on call needs, in lines that fit its log's page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG
from pydantic import BaseModel

from runware_provider.engine.plain_text import WIDTH
from runware_provider.engine.spec import Budget, Limits
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.answers import total_of
from tests.said import said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
ENTRY = re.compile(r"^\S+Z \[(\w+) *\] (.*?) *\[((?:runware_provider|airflow\.task\.operators)[\w.]*)\] ")
FIRST = ("Done", "Nothing to do", "Stopped", "Error")
LABELS = ("Paid", "Kept", "Still billed", "To do")


class Invoice(BaseModel):
    total: float


@dataclass(frozen=True)
class End:
    """How a task is brought to its end, and what has to be said of it."""

    state: str
    says: tuple[str, ...]
    level: str = "error"
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the server."""
    faults: tuple[Fault, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    records: int = 12
    connection: dict[str, Any] = field(default_factory=dict)


RETRIED = "In Airflow that is a retry"
NOT_RETRIED = "Airflow does not retry this: clear the task when that is done."
ENDS = {
    "published": End(
        "success", ("Done: 12 succeeded.", "for 12 answers by this run", "To do: nothing."), "info"
    ),
    "published with bad rows": End(
        "success",
        ("Done: 3 failed, 9 succeeded; providerBadRequest 3.", "and retry_failed asks them again"),
        "info",
        faults=(Fault("fail_task", code="providerBadRequest", times=3),),
        arguments={"failures": {"most": 0.5}},
    ),
    "an empty source that is skipped": End(
        "skipped",
        ("Nothing to do: in holds no record.",),
        "info",
        arguments={"publish": {"on_empty": "skip"}},
        records=0,
    ),
    "bad input": End(
        "failed", ("Error: source: there is nothing at 'no'.", NOT_RETRIED), arguments={"source": "no"}
    ),
    "a wrong key": End(
        "failed", ("Paid: nothing by this run.", NOT_RETRIED), connection={"password": "another"}
    ),
    "no credit": End("failed", ("Top up the account",), settings={"balance": 0.0}),
    "an API that fails every task": End(
        "failed",
        ("rows failed", "which no other prompt mends", "run with retry_failed"),
        faults=(Fault("fail_task", code="internalServerError"),),
        arguments={"failures": {"most": 0.1}},
    ),
    "a budget that is too small": End(
        "failed",
        ("exceed the budget of 0.000001 USD; nothing was sent", "with when_short='partial'"),
        arguments={"budget": Budget(usd=1e-6)},
    ),
    "nobody listens": End(
        "up_for_retry",
        ("nobody listens at 127.0.0.1:9", RETRIED),
        connection={"host": "http://127.0.0.1:9", "password": KEY},
    ),
    "an execution_timeout": End(
        "up_for_retry",
        (
            "execution_timeout of 0:00:02 is over",
            "that may be under way at the API",
            "a longer execution_timeout",
        ),
        faults=(Fault("never_finish"),),
        arguments={"execution_timeout": timedelta(seconds=2)},
    ),
}


def entries(told: str) -> list[tuple[str, str]]:
    """The level and the words of each entry of ours, before Airflow tells of the error itself."""
    found = (ENTRY.match(line) for line in told.partition("Task failed with exception")[0].splitlines())
    return [(match[1], match[2]) for match in found if match is not None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the task runs, so that its paths are short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ENDS)
def test_an_end_says_what_happened_was_paid_is_kept_is_still_billed_and_what_to_do(
    run_task: Callable[..., Any],
    api: Any,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
) -> None:
    end = ENDS[name]
    (folder / "in").mkdir()
    bodies = pa.array([f"Total: {number}.50 EUR" for number in range(end.records)], pa.string())
    pq.write_table(pa.table({"body": bodies}), "in/a.parquet")
    arguments = {
        "task_id": "ask",
        "source": "in",
        "destination": "out",
        "prompt": "What is the total?\n{{ record.body }}",
        "output_type": Invoice,
        "retries": 3,
        "limits": Limits(unreachable_s=1, attempts=1, poll_interval_s=0.05),
        **end.arguments,
    }
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=total_of, **end.settings)) as server:
        for fault in end.faults:
            server.script(fault)
        api.connections["runware_default"] = {"host": server.base_url, "password": KEY, **end.connection}
        with DAG("dag", schedule=None) as dag:
            TextInferenceOperator(**arguments)
        ran = run_task(dag, "ask")
    told = entries("".join(capfd.readouterr()))
    assert ran.state == end.state, told
    assert [words for _, words in told if len(words) > WIDTH] == []
    last = [words for level, words in told if level == end.level]
    labels = [words.partition(":")[0] for words in last if not words.startswith("  ")]
    assert labels[-5] in FIRST
    assert tuple(labels[-4:]) == LABELS
    for words in end.says:
        assert words in said(last)
