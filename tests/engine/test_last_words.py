"""Every way in which the command line ends says, in lines that fit a terminal, the five things that a person on call needs."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from runware_provider.testing import Fault
from tests.said import said

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = 100
FIRST = ("Done", "Nothing to do", "Stopped", "Error")
LABELS = ("Paid", "Kept", "Still billed", "To do")
PAUSE_S = 0.01
LOOKS = 6_000


@dataclass(frozen=True)
class End:
    """How a job is brought to its end, and what has to be said of it."""

    status: int
    says: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the server."""
    faults: tuple[Fault, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    records: int | list[Any] = 6
    before: dict[str, Any] | None = None
    """Options of a run before it; None for none."""
    then: Callable[[Any], None] = lambda _: None
    """Done between the two."""
    key: str | None = None
    address: str | None = None
    command: str = "run"


def damage(place: Any) -> None:
    segment = min((place.state / "ledger").glob("*.segment"))
    segment.write_bytes(segment.read_bytes()[:-40])


def take_records_away(place: Any) -> None:
    place.put(pa.table({"n": pa.array([], pa.int64()), "body": pa.array([], pa.string())}))


BREAKS = Fault("break_schema")
DOWN = Fault("fail_task", code="internalServerError")
ENDS = {
    "published": End(0, ("Done: 6 succeeded.", "for 6 answers by this run", "Kept: the rows, in out;")),
    "published without costs": End(
        0,
        ("Of 6 answers the API named no cost.", "names the tasks without a cost"),
        faults=(Fault("no_cost"),),
    ),
    "published with bad rows": End(
        0,
        ("2 invalid, 4 succeeded; schema 2", "2 rows have no good answer", "--retry-failed asks them again"),
        faults=(Fault("break_schema", times=2),),
    ),
    "nothing to pay": End(0, ("Paid: nothing by this run.",), before={}),
    "a preview": End(
        0,
        ("Done: 2 succeeded.", "A run reuses them. Nothing was published."),
        options={"limit": 2},
        command="preview",
    ),
    "an empty source that is skipped": End(
        0,
        ("Nothing to do: in holds no record.", "Paid: nothing; this run sent nothing."),
        options={"on_empty": "skip"},
        records=0,
    ),
    "a source that is not there": End(
        1, ("Error: --source: there is nothing at 'nowhere'.",), options={"source": "nowhere"}
    ),
    "a glob that meets nothing": End(
        1,
        (
            "Error: --source: nothing fits 'in/2027-*.parquet'; 'in' has 1 Parquet file(s), such as 'a.parquet'.",
        ),
        options={"source": "in/2027-*.parquet"},
    ),
    "a wrong key": End(3, ("Stopped: the API answered", "Paid: nothing by this run."), key="somebody-elses"),
    "no credit": End(3, ("Top up the account",), settings={"balance": 0.0}),
    "an unknown model": End(3, ("Check the model's name.",), options={"model": "nobody:1@1"}),
    "requests that the API does not take": End(
        3,
        ("the API refused all 5 records of the first chunk",),
        faults=(Fault("refuse_task", code="unsupportedParameter"),),
    ),
    "an API that fails every task": End(
        3,
        (
            "rows failed",
            "how each of them failed is written in out.state",
            "which no other prompt mends",
            "run with --retry-failed",
        ),
        faults=(DOWN,),
        options={"max_failed": 0.1, "attempts": 1},
    ),
    "answers that never fit": End(
        3,
        (
            "The answers do not fit",
            "(6 invalid; schema 6); all answers are in out.state",
            "a larger --max-failed",
        ),
        faults=(BREAKS,),
        options={"max_failed": 0.1},
    ),
    "a budget that is too small": End(
        3,
        ("exceed the budget of 0.000001 USD; nothing was sent", "--when-short partial"),
        options={"budget_usd": 0.000001},
    ),
    "a budget that reaches for some": End(
        0,
        ("Done: 6 skipped; budget 6.", "a run with a larger one asks the rest"),
        options={"budget_tokens": 1, "when_short": "partial"},
    ),
    "nobody listens": End(
        3,
        ("nobody listens at 127.0.0.1:9", "Check host and port of the base URL"),
        options={"unreachable_s": 1},
        address="http://127.0.0.1:9/v1",
    ),
    "a state that is damaged": End(1, ("cannot be read", "never delete it lightly"), before={}, then=damage),
    "a source that lost its records": End(
        0, ("Done: no rows.", "Kept: the rows, in out;"), before={}, then=take_records_away
    ),
    "shards that are not split": End(1, ("Error: ",), options={"split": "ab12"}, command="shards publish"),
}


def brought(place: Any, end: End, **options: Any) -> tuple[int, list[str], str]:
    words = place.arguments(end.command, **{"source": "in", "destination": "out", **options})
    environment = {} if end.key is None else {"RUNWARE_API_KEY": end.key}
    environment |= {} if end.address is None else {"RUNWARE_BASE_URL": end.address}
    ended = place.call(*end.command.split(), *words[1:], **environment)
    return ended.returncode, ended.stderr.splitlines(), ended.stdout


def check_lines(lines: list[str]) -> None:
    """The last lines are a first one and the four labels, in order, and none is wider than a terminal."""
    assert [line for line in lines if len(line) > COLUMNS] == []
    labels = [line.partition(":")[0] for line in lines if not line.startswith("  ")]
    assert labels[-5] in FIRST
    assert tuple(labels[-4:]) == LABELS
    assert not any("columns=[" in line or "limits." in line for line in lines)


@pytest.mark.parametrize("name", ENDS)
def test_an_end_says_what_happened_was_paid_is_kept_is_still_billed_and_what_to_do(
    new_place: Callable[..., Any], name: str
) -> None:
    end = ENDS[name]
    place = new_place(**end.settings)
    place.fill(end.records)
    if end.before is not None:
        assert brought(place, End(0, ()), **end.before)[0] == 0
    end.then(place)
    for fault in end.faults:
        place.server.script(fault)
    status, lines, printed = brought(place, end, **end.options)
    assert status == end.status, lines
    check_lines(lines)
    for words in end.says:
        assert words in said(lines)
    if status == 3:
        told = json.loads(printed)
        assert told["status"] == "stopped"
        assert "limits." not in told["remedy"]


def test_a_run_that_is_told_to_stop_says_the_same(place: Any) -> None:
    place.fill(40)
    place.server.script(Fault("never_finish"))
    with place.start(*place.arguments(source="in", destination="out")) as process:
        pause = threading.Event()
        for _ in range(LOOKS):
            if place.executed():
                break
            pause.wait(PAUSE_S)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.wait() == 3
    lines = told.splitlines()
    check_lines(lines)
    assert "that may be under way at the API" in said(lines)


def test_a_second_run_that_may_not_wait_says_the_same(place: Any) -> None:
    place.fill(6)
    place.server.script(Fault("never_finish"))
    with place.start(*place.arguments(source="in", destination="out")) as process:
        pause = threading.Event()
        for _ in range(LOOKS):
            if place.executed():
                break
            pause.wait(PAUSE_S)
        status, lines, _ = brought(place, End(3, ()), lease_wait_s=0.1)
        process.kill()
        process.communicate()
    assert status == 3, lines
    check_lines(lines)
    assert "another run is at work on out.state" in said(lines)
    assert "--lease-wait-s" in said(lines)
