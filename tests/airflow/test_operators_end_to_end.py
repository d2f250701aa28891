"""The operator with the real engine, against the local API server over a socket."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Asset
from pydantic import BaseModel

from runware_provider.engine import errors
from runware_provider.engine.spec import Limits
from runware_provider.operators import TextInferenceOperator
from runware_provider.quality import keeping
from runware_provider.quality.spec import Report
from runware_provider.report_wish import remember_hits
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.answers import total_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.airflow.conftest import Counters

LOG = logging.getLogger(__name__)
KEY = "key-of-the-tests-0123456789"
BODIES = [f"Invoice from Shop {n} GmbH\nTotal: {n}.50 EUR" for n in range(1, 13)]


class Invoice(BaseModel):
    total: float


@pytest.fixture
def server(api: Any) -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=total_of)) as running:
        api.connections["runware_default"] = {"host": running.base_url, "password": KEY}
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "documents"
    path.mkdir()
    for name, bodies in (("a", BODIES[:6]), ("b", BODIES[6:])):
        pq.write_table(pa.table({"body": bodies}), path / f"{name}.parquet")
    return path


def a_dag(folder: Path, operator: type[TextInferenceOperator] = TextInferenceOperator, **changes: Any) -> DAG:
    usual = {
        "task_id": "ask",
        "source": str(folder),
        "destination": str(folder.parent / "out"),
        "prompt": "What is the total?\n{{ record.body }}",
        "output_type": Invoice,
        "retries": 3,
        "limits": Limits(unreachable_s=1, attempts=2, poll_interval_s=0.05),
    }
    with DAG("dag", schedule=None, template_searchpath=[str(folder.parent)]) as dag:
        operator(**(usual | changes))
    return dag


def rows(folder: Path) -> list[dict[str, Any]]:
    return [
        row for part in sorted(folder.glob("*.parquet")) for row in pq.ParquetFile(part).read().to_pylist()
    ]


def test_every_record_gets_its_row_and_the_manifest_agrees_with_the_bill(
    server: LocalServer, run_task: Any, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran = run_task(a_dag(source, outlets=[Asset("file:///out")]), "ask")
    assert ran.state == "success", ran.error
    written = rows(source.parent / "out")
    assert [row["body"] for row in written] == BODIES
    assert {row["inference"]["outcome"] for row in written} == {"succeeded"}
    assert written[0]["result"]["total"] == 1.5
    assert ran.xcom["outcomes"] == {"succeeded": 12}
    assert ran.xcom["paid_usd"] == pytest.approx(server.bill_summary()["cost_usd"])
    assert ran.outlet_events[0]["extra"] == ran.xcom == json.loads(json.dumps(ran.xcom))
    assert "To ask: 12 inferences." in caplog.text
    assert "Cost: about 0." in caplog.text


@pytest.mark.parametrize(
    ("manifest", "hits"),
    [
        ({}, {"total": {"hits": 1, "of": 2}}),
        ({"state": "/nowhere", "publish_id": "abc"}, {"total": "an answer of somebody's"}),
    ],
)
def test_whatever_is_wrong_with_hits_fails_no_task_that_has_published(
    manifest: dict[str, Any], hits: Any, caplog: pytest.LogCaptureFixture
) -> None:
    remember_hits(manifest, {"hits": hits}, LOG)
    assert "The history of runs lacks the report" in caplog.text
    assert "somebody" not in caplog.text


@pytest.mark.parametrize("harm", ['{"format": 99}', None])
def test_hits_that_no_history_takes_are_told_of_and_fail_no_task(
    harm: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "out.state"
    state.mkdir()
    history = state / "history.json"
    if harm is None:
        history.mkdir()
    else:
        history.write_text(harm, encoding="utf-8")
    manifest = {"state": str(state), "publish_id": "abc"}
    remember_hits(manifest, {"html": "report.html"}, LOG)
    assert not caplog.records
    remember_hits(manifest, {"hits": {"total": {"hits": 1, "of": 2}}}, LOG)
    assert "The history of runs lacks the report" in caplog.text


@pytest.mark.usefixtures("server")
def test_a_report_with_hit_rates_is_kept_beside_the_dataset_and_no_value_reaches_the_log(
    run_task: Any, api: Any, source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    right = source.parent / "right.parquet"
    pq.write_table(pa.table({"body": BODIES, "total": [1.5] * 11 + [None]}), right)
    wish = Report(expected=str(right), key="body")
    ran = run_task(a_dag(source, report=wish, outlets=[Asset("file:///out")]), "ask")
    assert ran.state == "success", ran.error
    told = ran.xcom["report"]
    page = source.parent / "out.state" / "reports" / "report.html"
    assert told == {"html": str(page), "hits": {"total": {"hits": 1, "of": 12}}}
    assert "| `total` | 8.3 % | 1.5\u201335.4 % | 1 | 12 |" in page.with_suffix(".md").read_text(
        encoding="utf-8"
    )
    assert ran.outlet_events[0]["extra"] == ran.xcom
    history = json.loads((source.parent / "out.state" / "history.json").read_text(encoding="utf-8"))
    (past,) = history["runs"]
    assert (past["run"], past["hits"]) == (f"dag/ask/{api.run_id}/-1", told["hits"])
    logged = "".join(capfd.readouterr())
    assert told["html"] in logged
    assert "Shop" not in logged


def test_expected_values_that_do_not_go_with_the_job_are_refused_before_anything_is_paid(
    server: LocalServer, run_task: Any, source: Path
) -> None:
    right = source.parent / "right.parquet"
    pq.write_table(pa.table({"body": BODIES, "sum": [1.5] * 12}), right)
    ran = run_task(a_dag(source, report={"expected": str(right), "key": "body"}), "ask")
    assert (ran.state, type(ran.error)) == ("failed", errors.BadInput)
    assert str(ran.error).startswith("report.expected: ")
    assert "named like a field of the result (total)" in str(ran.error)
    assert server.bill_summary()["executed"] == 0


@pytest.mark.usefixtures("server")
def test_a_dataset_without_its_report_stands(
    run_task: Any, source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = source.parent / "out.state"
    state.mkdir()
    (state / "reports").write_text("no folder", encoding="utf-8")
    ran = run_task(a_dag(source, report=True), "ask")
    assert (ran.state, ran.xcom["rows"], "report" in ran.xcom) == ("success", 12, False)
    assert "There is no report: the dataset is published." in "".join(capfd.readouterr())


@pytest.mark.usefixtures("server")
def test_a_report_that_fails_for_whatever_reason_fails_no_task_and_puts_no_value_into_the_log(
    run_task: Any, source: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise pa.ArrowInvalid("Shop 1 is out of range")

    monkeypatch.setattr(keeping, "report_on", fail)
    ran = run_task(a_dag(source, report=True), "ask")
    assert (ran.state, ran.xcom["rows"], "report" in ran.xcom) == ("success", 12, False)
    logged = "".join(capfd.readouterr())
    assert "There is no report: the dataset is published. ArrowInvalid in fail," in logged
    assert "Shop 1" not in logged


def test_a_second_run_has_nothing_to_pay_and_a_refresh_asks_anew_once(
    server: LocalServer, run_task: Any, source: Path
) -> None:
    executed = []
    for changes in ({}, {}, {"refresh": True}, {"refresh": True}):
        assert run_task(a_dag(source, **changes), "ask").state == "success"
        executed.append(server.bill_summary()["executed"])
    assert executed == [12, 12, 24, 24]


def test_a_try_that_stops_and_the_next_one_count_what_each_has_paid(
    server: LocalServer, run_task: Any, source: Path, counters: Counters
) -> None:
    server.script(Fault("refuse_task", code="insufficientCredits", after=5))
    assert isinstance(run_task(a_dag(source), "ask").error, errors.BalanceExhausted)
    paid = server.bill_summary()
    assert 0 < paid["executed"] < len(BODIES)
    assert counters.sums["runware.usd"] == pytest.approx(paid["cost_usd"])
    server.clear_faults()
    assert run_task(a_dag(source), "ask", try_number=2).state == "success"
    assert counters.sums["runware.usd"] == pytest.approx(server.bill_summary()["cost_usd"])
    assert counters.sums["runware.records"] == len(BODIES)


def test_a_wrong_key_fails_at_once_in_spite_of_retries(
    server: LocalServer, run_task: Any, source: Path, api: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = "wrong-key-0123456789"
    api.connections["runware_default"]["password"] = wrong
    ran = run_task(a_dag(source), "ask")
    assert (ran.state, type(ran.error)) == ("failed", errors.KeyRefused)
    assert server.bill_summary()["executed"] == 0
    assert wrong not in str(ran.error)
    told = "".join(capfd.readouterr())
    assert wrong not in told
    assert "Paid: nothing by this run." in told
    assert "Kept: none of 12 records is answered;" in told
    assert "Still billed: nothing; no inference is under way at the API." in told


def test_a_service_that_does_not_answer_is_retried_and_the_reason_is_named_at_once(
    run_task: Any, source: Path, api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with LocalServer(ServerSettings(key=KEY)) as server:
        gone = server.base_url
    api.connections["runware_default"] = {"host": gone, "password": KEY}
    ran = run_task(a_dag(source), "ask")
    assert (ran.state, type(ran.error)) == ("up_for_retry", errors.Unreachable)
    assert "connection refused: nobody listens at 127.0.0.1:" in str(ran.error)
    assert "No usable answer from the API: connection refused" in caplog.text
    assert "Check host and port of the base URL, and that the service runs." in caplog.text


def test_a_missing_source_fails_at_once_and_nothing_is_sent(
    server: LocalServer, run_task: Any, source: Path
) -> None:
    ran = run_task(a_dag(source, source=str(source / "none")), "ask")
    assert (ran.state, type(ran.error)) == ("failed", errors.BadInput)
    assert server.bill_summary()["requests"] == 0


def test_an_unknown_column_in_a_prompt_file_fails_at_once(
    server: LocalServer, run_task: Any, source: Path
) -> None:
    (source.parent / "p.j2").write_text("{{ record.bdy }}", encoding="utf-8")
    ran = run_task(a_dag(source, prompt="p.j2"), "ask")
    assert ran.state == "failed"
    assert "body" in str(ran.error)
    assert server.bill_summary()["requests"] == 0


def test_prompt_system_prompt_and_schema_come_from_files(
    server: LocalServer, run_task: Any, source: Path
) -> None:
    folder = source.parent
    (folder / "p.j2").write_text("Asked on {{ ds }}: {{ record.body }}", encoding="utf-8")
    (folder / "s.md").write_text("You read invoices.", encoding="utf-8")
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    (folder / "s.json").write_text(json.dumps(schema), encoding="utf-8")
    ran = run_task(a_dag(source, prompt="p.j2", system_prompt="s.md", output_type="s.json"), "ask")
    assert ran.state == "success", ran.error
    assert rows(folder / "out")[11]["result"] == {"total": 12.5}
    assert server.bill_summary()["executed"] == 12


def test_a_date_in_the_prompt_of_a_run_without_one_is_named(
    server: LocalServer, run_task: Any, source: Path, api: Any
) -> None:
    api.logical_date = None
    ran = run_task(a_dag(source, prompt="{{ ds }} {{ record.body }}"), "ask")
    assert (ran.state, type(ran.error)) == ("failed", errors.BadInput)
    assert "ds" in str(ran.error)
    assert server.bill_summary()["requests"] == 0


def test_an_empty_source_is_skipped_when_asked_to(server: LocalServer, run_task: Any, source: Path) -> None:
    empty = source.parent / "empty.parquet"
    pq.write_table(pa.table({"body": pa.array([], pa.string())}), empty)
    assert run_task(a_dag(source, source=str(empty), publish={"on_empty": "skip"}), "ask").state == "skipped"
    assert server.bill_summary()["requests"] == 0


def test_mapped_tasks_write_a_dataset_each(server: LocalServer, run_task: Any, source: Path) -> None:
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator.partial(
            task_id="ask", prompt="{{ record.body }}", output_type=Invoice, limits=Limits()
        ).expand_kwargs(
            [
                {"source": str(source / f"{name}.parquet"), "destination": str(source.parent / name)}
                for name in "ab"
            ]
        )
    for index in (0, 1):
        ran = run_task(dag, "ask", map_index=index)
        assert ran.state == "success", ran.error
    assert [row["body"] for name in "ab" for row in rows(source.parent / name)] == BODIES
    assert server.bill_summary()["executed"] == 12


def test_a_killed_task_keeps_its_answers_and_the_retry_does_not_pay_for_them(
    server: LocalServer, run_task: Any, source: Path
) -> None:
    class KilledAfterTheFirstAnswers(TextInferenceOperator):
        def start_job(self, spec: Any, endpoint: Any, stop: asyncio.Event) -> Any:
            return self._killed_beside(super().start_job(spec, endpoint, stop))

        async def _killed_beside(self, job: Any) -> Any:
            running = asyncio.create_task(job)
            for _ in range(100_000):
                if (await asyncio.to_thread(server.bill_summary))["executed"]:
                    break
            os.kill(os.getpid(), signal.SIGTERM)
            return await running

    ran = run_task(a_dag(source, KilledAfterTheFirstAnswers), "ask")
    assert (ran.state, type(ran.error)) == ("up_for_retry", errors.Interrupted)
    assert 0 < server.bill_summary()["executed"] < len(BODIES)
    assert run_task(a_dag(source), "ask", try_number=2).state == "success"
    summary = server.bill_summary()
    assert (summary["executed"], summary["requests_executed_again"]) == (len(BODIES), 0)
