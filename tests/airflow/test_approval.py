"""A person is asked before anything is paid: real engine, Airflow's real task runner, and the local API server over a socket."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG
from airflow.sdk.serde import deserialize, serialize
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from runware_provider.approval import Approve, NotApproved
from runware_provider.approval_plan import (
    MOST_SAMPLES_USD,
    Foreseen,
    SamplesCost,
    asked_for,
    decided,
    rounded_up,
    samples_refused,
    within,
    within_samples,
)
from runware_provider.approval_words import About, approved_line, question_of
from runware_provider.decorators import text_inference_task
from runware_provider.deferring_task import DeferringTask
from runware_provider.engine.api.client import Client
from runware_provider.engine.errors import BadInput, BudgetExhausted, ModelUnknown
from runware_provider.engine.job.forget_place import forget_place
from runware_provider.engine.job.run_record import Approval, RunRecord
from runware_provider.engine.job.run_records import read_history, read_record, record_path
from runware_provider.engine.job.sample_answers import samples_path
from runware_provider.engine.job.split_record import shard_folder
from runware_provider.engine.money import usd
from runware_provider.engine.spec import DEFAULT_MODEL, Budget, Spec
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import Fault, ServerSettings
from runware_provider.testing.api.catalogue import MODELS
from tests.answers import total_of
from tests.holding_server import HoldingServer, held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "key-of-the-tests-0123456789"
RECORDS = 12
RUN = "dag/ask/run-1/-1"
SECRET = "Confidential"
ADA = {"id": "ada", "name": "ada"}


class Invoice(BaseModel):
    total: float


@pytest.fixture(scope="module")
def server_of_all() -> Iterator[HoldingServer]:
    with HoldingServer(ServerSettings(key=KEY, latency=0, answers=total_of)) as running:
        yield running


@dataclass
class Scene:
    """A source, a place and how a task over them runs and is answered."""

    root: Path
    api: Any
    server: HoldingServer
    run_task: Callable[..., Any]

    def fill(self, records: int, name: str = "a.parquet") -> None:
        (self.root / "in").mkdir(exist_ok=True)
        bodies = [f"{SECRET}: Shop {name} {n}\nTotal: {n}.50 EUR" for n in range(records)]
        pq.write_table(pa.table({"body": bodies}), self.root / "in" / name)

    def arguments(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "source": str(self.root / "in"),
            "destination": str(self.root / "out"),
            "prompt": "What is the total?\n{{ record.body }}",
            "output_type": Invoice,
            "approve": True,
            "limits": {"unreachable_s": 1, "attempts": 2, "poll_interval_s": 0.02},
        }
        return usual | changes

    def dag(self, **changes: Any) -> DAG:
        with DAG("dag", schedule=None) as dag:
            TextInferenceOperator(task_id="ask", **self.arguments(**changes))
        return dag

    def run(self, dag: DAG, task_id: str = "ask", **how: Any) -> Any:
        return self.run_task(dag, task_id, **how)

    def answered(
        self, dag: DAG, parked: Any, *options: str, task_id: str = "ask", map_index: int = -1, **event: Any
    ) -> Any:
        """The task, as Airflow resumes it once somebody has answered."""
        told = {
            "chosen_options": list(options),
            "params_input": {},
            "responded_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "responded_by_user": ADA,
            "timedout": False,
        }
        arguments = {**parked.awaiting.next_kwargs, "event": serialize(event or told)}
        self.api.resumes = (parked.awaiting.next_method, arguments)
        try:
            return self.run_task(dag, task_id, map_index=map_index)
        finally:
            self.api.resumes = None

    @property
    def state(self) -> str:
        return str(self.root / "out.state")

    def record(self, run: str = RUN) -> RunRecord:
        record = read_record(LocalStorage(), self.state, run)
        assert record is not None
        return record

    def approval(self, run: str = RUN) -> Approval:
        approval = self.record(run).approval
        assert approval is not None
        return approval

    def samples(self) -> Path:
        return Path(samples_path(LocalStorage(), self.state, RUN))

    def bill(self) -> float:
        return float(self.server.bill_summary()["cost_usd"])

    def executed(self) -> int:
        return int(self.server.bill_summary()["executed"])

    def rows(self) -> int:
        return sum(pq.read_metadata(part).num_rows for part in (self.root / "out").glob("*.parquet"))


@pytest.fixture
def with_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages may show texts, so that samples are asked for."""
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_TEXTS", "True")


@pytest.fixture
def scene(tmp_path: Path, api: Any, server_of_all: HoldingServer, run_task: Callable[..., Any]) -> Scene:
    server_of_all.clear_faults()
    server_of_all.reset()
    api.connections["runware_default"] = {"host": server_of_all.base_url, "password": KEY}
    made = Scene(tmp_path, api, server_of_all, run_task)
    made.fill(RECORDS)
    return made


def test_nothing_is_paid_before_somebody_approves_and_then_exactly_the_records_are(scene: Scene) -> None:
    dag = scene.dag()
    parked = scene.run(dag)
    assert (parked.state, scene.executed(), scene.bill()) == ("awaiting_input", 0, 0)
    assert parked.awaiting.timeout == timedelta(days=1)
    assert (scene.record().state, scene.approval().verdict) == ("planned", "waiting")
    done = scene.answered(dag, parked, "Approve")
    assert done.state == "success", done.error
    assert (scene.executed(), scene.rows()) == (RECORDS, RECORDS)
    approval = scene.approval()
    assert (approval.verdict, approval.by, approval.at) == ("approved", "ada", "2026-01-02T03:04:05+00:00")
    assert 0 < scene.bill() <= (approval.budget_usd or 0)


def test_the_question_tells_how_many_at_what_cost_and_what_follows_and_no_text_of_a_record(
    scene: Scene,
) -> None:
    scene.run(scene.dag(budget={"usd": 90}, approve=Approve(approvers=("ada",), wait_s=7200)))
    (question,) = scene.api.questions
    most = usd(scene.approval().most_usd or 0)
    assert question["subject"] == f"Ask {RECORDS} records of {scene.root}/in for at most {most}?"
    assert question["options"] == ["Approve", "Refuse"]
    assert question["assigned_users"] == [{"id": "ada", "name": "ada"}]
    assert question.get("defaults") is None
    body = question["body"]
    for told in (
        most,
        "deepseek-v4-pro",
        "90.00 USD",
        "fails in 2 h,",
        "**Approve**",
        "**Refuse**",
        "page_texts",
    ):
        assert told in body
    assert SECRET not in json.dumps(question)
    assert "What is the total" not in json.dumps(question)


def test_what_waits_in_airflows_database_are_numbers_alone(scene: Scene) -> None:
    parked = scene.run(scene.dag())
    assert SECRET not in json.dumps(parked.awaiting.next_kwargs)
    assert parked.awaiting.next_method == "answered"


def test_a_refused_run_is_skipped_and_pays_nothing(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    dag = scene.dag()
    refused = scene.answered(dag, scene.run(dag), "Refuse")
    assert (refused.state, scene.executed(), scene.bill()) == ("skipped", 0, 0)
    assert (scene.record().state, scene.approval().verdict) == ("refused", "refused")
    assert "Refused: ada refused it" in "".join(capfd.readouterr())


def test_a_refused_run_that_is_cleared_asks_again(scene: Scene) -> None:
    dag = scene.dag()
    scene.answered(dag, scene.run(dag), "Refuse")
    assert scene.run(dag, try_number=2).state == "awaiting_input"
    assert scene.executed() == 0


def test_without_an_answer_the_task_fails_at_once_and_pays_nothing(scene: Scene) -> None:
    dag = scene.dag(retries=3)
    late = scene.answered(dag, scene.run(dag), error="too late", error_type="timeout")
    assert (late.state, type(late.error), scene.bill()) == ("failed", NotApproved, 0)
    assert "nobody answered in time" in str(late.error)
    assert scene.approval().verdict == "timed_out"
    assert scene.record().remedy == late.error.remedy


@pytest.mark.parametrize(
    "event",
    [
        {"chosen_options": ["Approve"], "responded_by_user": None},
        {"chosen_options": ["Approve"], "responded_by_user": ADA, "timedout": True},
        {"chosen_options": ["Approve", "Refuse"], "responded_by_user": ADA},
        {"chosen_options": ["approve"], "responded_by_user": ADA},
        {"error": "broken", "error_type": "unknown"},
    ],
)
def test_what_is_no_clear_word_of_a_person_lets_no_money_go(scene: Scene, event: dict[str, Any]) -> None:
    dag = scene.dag()
    ended = scene.answered(dag, scene.run(dag), **event)
    assert (ended.state, type(ended.error), scene.bill()) == ("failed", NotApproved, 0)


def test_a_retry_of_an_approved_run_does_not_ask_again(scene: Scene) -> None:
    dag = scene.dag(retries=3)
    parked = scene.run(dag)
    scene.server.script(Fault("refuse_task", code="insufficientCredits"))
    failed = scene.answered(dag, parked, "Approve")
    assert failed.state != "success"
    scene.server.clear_faults()
    done = scene.run(dag, try_number=2)
    assert done.state == "success", done.error
    assert (len(scene.api.questions), scene.executed()) == (1, RECORDS)


def test_a_run_whose_record_is_lost_asks_again_rather_than_paying_unasked(scene: Scene) -> None:
    dag = scene.dag()
    scene.server.script(Fault("refuse_task", code="insufficientCredits"))
    scene.answered(dag, scene.run(dag), "Approve")
    scene.server.clear_faults()
    LocalStorage().delete(record_path(LocalStorage(), scene.state, RUN))
    assert scene.run(dag, try_number=2).state == "awaiting_input"
    assert scene.executed() == 0


def test_a_question_that_airflow_does_not_show_is_not_answered_by_the_one_that_it_shows(scene: Scene) -> None:
    dag = scene.dag()
    scene.answered(dag, scene.run(dag), "Refuse")
    scene.fill(3, "b.parquet")
    scene.api.shown_question = scene.api.questions[0]
    ended = scene.run(dag, try_number=2)
    assert (ended.state, type(ended.error), scene.bill()) == ("failed", NotApproved, 0)
    assert f"{RECORDS} records" in str(ended.error)
    assert "15 records" in str(ended.error)
    assert (scene.record().state, scene.record().remedy) == ("stopped", ended.error.remedy)


def test_a_source_that_grew_meanwhile_is_paid_up_to_what_was_approved(scene: Scene) -> None:
    # Short answers, so that at most is not much more than likely.
    dag = scene.dag(settings={"max_tokens": 30}, output_type=None)
    parked = scene.run(dag)
    scene.fill(400, "b.parquet")
    short = scene.answered(dag, parked, "Approve")
    assert type(short.error) is BudgetExhausted
    assert "ada approved" in short.error.remedy
    # The page says what the log says.
    assert (scene.record().state, scene.record().remedy) == ("stopped", short.error.remedy)
    assert scene.approval().verdict == "approved"
    # The estimate exceeds it, so that nothing is sent.
    assert scene.executed() == 0
    assert scene.bill() <= (scene.approval().budget_usd or 0)
    assert scene.rows() == 0


def test_the_users_own_smaller_budget_still_holds(scene: Scene) -> None:
    dag = scene.dag(budget={"usd": 0.05, "when_short": "partial"})
    parked = scene.run(dag)
    assert scene.approval().most_usd == 0.05
    assert scene.answered(dag, parked, "Approve").state == "success"


def test_a_budget_that_would_not_last_is_told_before_anybody_is_asked(scene: Scene) -> None:
    short = scene.run(scene.dag(budget={"usd": 0.0001}))
    assert (type(short.error), scene.api.questions) == (BudgetExhausted, [])


def test_a_tight_job_of_one_record_runs_within_what_was_approved(scene: Scene) -> None:
    dag = scene.dag(limit=1, settings={"max_tokens": 20}, output_type=None)
    done = scene.answered(dag, scene.run(dag), "Approve")
    assert done.state == "success", done.error
    assert scene.executed() == 1


def test_below_the_amount_nobody_is_asked(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    done = scene.run(scene.dag(approve=50.0))
    assert done.state == "success", done.error
    assert (scene.api.questions, scene.executed()) == ([], RECORDS)
    assert (scene.approval().verdict, scene.approval().budget_usd) == ("not_needed", 50.0)
    assert "nobody has to be asked" in "".join(capfd.readouterr())


def test_above_the_amount_somebody_is_asked(scene: Scene) -> None:
    assert scene.run(scene.dag(approve=0.0001)).state == "awaiting_input"
    assert scene.bill() == 0


def unpriced(monkeypatch: pytest.MonkeyPatch) -> str:
    """A model of which nobody knows the price."""

    async def names_none(_: Client) -> dict[str, tuple[float, float]]:
        return {}

    monkeypatch.setattr(Client, "prices", names_none)
    return next(model.id for model in MODELS if model.id != DEFAULT_MODEL and not model.async_only)


def test_a_model_without_a_price_counts_as_above_every_amount_and_its_tokens_bind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = unpriced(monkeypatch)
    dag = scene.dag(approve=1e9, model=other, output_type=None)
    parked = scene.run(dag)
    assert parked.state == "awaiting_input", parked.error
    assert "tokens?" in scene.api.questions[0]["subject"]
    done = scene.answered(dag, parked, "Approve")
    assert done.state == "success", done.error
    assert scene.approval().budget_usd is None
    assert (scene.approval().budget_tokens or 0) > 0


def test_without_a_price_list_a_known_model_is_asked_about_at_the_price_that_is_known_of_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpriced(monkeypatch)
    dag = scene.dag()
    parked = scene.run(dag)
    assert parked.state == "awaiting_input", parked.error
    assert "USD?" in scene.api.questions[0]["subject"]
    assert scene.answered(dag, parked, "Approve").state == "success"
    assert scene.bill() <= (scene.approval().budget_usd or 0)


def test_where_nothing_is_to_be_paid_nobody_is_asked(scene: Scene) -> None:
    scene.run(scene.dag(approve=False))
    paid = scene.bill()
    scene.api.run_id = "run-2"
    again = scene.run(scene.dag())
    assert again.state == "success", again.error
    assert (scene.api.questions, scene.bill()) == ([], paid)
    assert scene.approval("dag/ask/run-2/-1").verdict == "not_needed"


def test_with_texts_allowed_samples_are_paid_once_shown_and_used(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_TEXTS", "True")
    dag = scene.dag()
    parked = scene.run(dag)
    assert (parked.state, scene.executed()) == ("awaiting_input", 3)
    kept = json.loads(scene.samples().read_text(encoding="utf-8"))
    assert (kept["format"], len(kept["rows"])) == (1, 3)
    assert SECRET in kept["rows"][0]["input"]["body"]
    assert kept["rows"][0]["result"]["total"] == total_in(kept["rows"][0]["input"]["body"])
    assert kept["rows"][0]["inference"]["outcome"] == "succeeded"
    question = scene.api.questions[0]
    assert f"Ask {RECORDS - 3} records" in question["subject"]
    assert "3 sample answers" in question["body"]
    assert SECRET not in json.dumps(question)
    # A worker that died while somebody thinks it over asks the same, and for no more samples.
    assert scene.run(dag, try_number=2).state == "awaiting_input"
    assert scene.executed() == 3
    assert scene.api.questions[1]["subject"] == question["subject"]
    done = scene.answered(dag, parked, "Approve")
    assert done.state == "success", done.error
    assert (scene.executed(), scene.rows()) == (RECORDS, RECORDS)
    assert not scene.samples().exists()


def test_samples_are_of_the_records_that_the_run_is_about(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_TEXTS", "True")
    dag = scene.dag(limit=5)
    done = scene.answered(dag, scene.run(dag), "Approve")
    assert done.state == "success", done.error
    assert (scene.executed(), scene.rows()) == (5, 5)


@pytest.mark.parametrize("end", ["Refuse", "forget"])
def test_samples_go_when_they_are_refused_and_when_they_are_to_be_forgotten(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_TEXTS", "True")
    dag = scene.dag()
    parked = scene.run(dag)
    assert scene.samples().exists()
    if end == "Refuse":
        assert scene.answered(dag, parked, "Refuse").state == "skipped"
    else:
        forget_place(LocalStorage(), scene.state, containing=["whatever else"])
    assert not scene.samples().exists()
    assert scene.executed() == 3


@pytest.mark.usefixtures("with_texts")
@pytest.mark.parametrize("fewer", [{"limit": 3}, {"limit": 1, "samples": 3}])
def test_a_source_with_no_more_to_ask_than_samples_is_not_asked_about_beforehand(
    scene: Scene, fewer: dict[str, Any]
) -> None:
    assert scene.run(scene.dag(**fewer)).state == "awaiting_input"
    assert scene.executed() == 0


@pytest.mark.usefixtures("with_texts")
@pytest.mark.parametrize("end", ["nobody yet", "Refuse", "timeout"])
def test_what_was_paid_for_samples_is_told_whatever_is_decided(scene: Scene, end: str) -> None:
    dag = scene.dag()
    parked = scene.run(dag)
    if end == "Refuse":
        scene.answered(dag, parked, "Refuse")
    if end == "timeout":
        scene.answered(dag, parked, error="too late", error_type="timeout")
    assert scene.executed() == 3
    assert scene.record().paid_usd == pytest.approx(scene.bill())
    assert scene.record().rows == RECORDS
    assert read_history(LocalStorage(), scene.state) == []


@pytest.mark.usefixtures("with_texts")
def test_the_question_the_log_and_the_page_tell_the_same_amounts(scene: Scene) -> None:
    dag = scene.dag()
    parked = scene.run(dag)
    asked = scene.approval()
    more, in_all = usd(asked.most_usd or 0), usd(asked.budget_usd or 0)
    assert asked.budget_usd == pytest.approx((asked.most_usd or 0) + scene.bill())
    body = scene.api.questions[0]["body"]
    assert scene.api.questions[0]["subject"].endswith(f"at most {more} more?")
    assert f"pays {more} more at most, {in_all} in all" in body
    scene.answered(dag, parked, "Approve")
    assert f"{more} more at most, {in_all} in all" in approved_line(scene.approval())
    assert scene.record().budget_usd == asked.budget_usd


@pytest.mark.usefixtures("with_texts")
def test_samples_that_fail_are_no_run_and_say_that_they_were_samples(scene: Scene) -> None:
    stopped = scene.run(scene.dag(model="nobody:knows@1", budget={"usd": 50, "usd_per_million": (0.1, 0.1)}))
    assert type(stopped.error) is ModelUnknown
    record = scene.record()
    assert (record.state, record.rows, record.rows_done, scene.bill()) == ("stopped", RECORDS, 0, 0)
    assert "sample answers" in str(stopped.error)
    assert "sample answers" in record.reason
    assert record.remedy == stopped.error.remedy
    assert scene.api.questions == []
    assert read_history(LocalStorage(), scene.state) == []


@pytest.mark.usefixtures("with_texts")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"budget": {"usd": 900, "usd_per_million": (100, 100)}}, "would likely cost"),
        ({"approve": 0.001}, "may cost"),
    ],
)
def test_samples_that_are_not_tiny_are_not_paid_for_before_somebody_approves(
    scene: Scene, arguments: dict[str, Any], told: str
) -> None:
    parked = scene.run(scene.dag(**arguments))
    assert (parked.state, scene.executed()) == ("awaiting_input", 0)
    assert f"No sample answers were asked for: they {told}" in scene.api.questions[0]["body"]


@pytest.mark.usefixtures("with_texts")
def test_without_a_price_no_samples_are_asked_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    other = unpriced(monkeypatch)
    parked = scene.run(scene.dag(model=other, output_type=None))
    assert (parked.state, scene.executed()) == ("awaiting_input", 0)
    assert "nobody knows what they would cost" in scene.api.questions[0]["body"]


@pytest.mark.usefixtures("with_texts")
def test_samples_that_turn_out_dearer_end_before_much_is_paid_and_the_person_is_asked_without(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runware_provider.approval_plan.MOST_SAMPLES_USD", 0.002)
    parked = scene.run(scene.dag())
    assert parked.state == "awaiting_input", parked.error
    assert scene.bill() <= 0.002
    assert scene.approval().samples == 0
    assert "they would have cost more" in scene.api.questions[0]["body"]


def test_the_links_lead_to_the_pages_of_this_task(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/of/us/")
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_TEXTS", "True")
    scene.run(scene.dag())
    page = "https://airflow.example.com/of/us/runware/jobs/dag/run-1/ask/-1"
    body = scene.api.questions[0]["body"]
    assert f"({page})" in body
    assert f"({page}/samples)" in body


def total_in(body: str) -> float:
    return float(body.rpartition("Total: ")[2].removesuffix(" EUR"))


def test_an_approved_task_that_gives_its_worker_back_goes_on_without_asking_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeferringTask, "_worth_s", 0.0)
    scene.server.script(held(after=5))
    dag = scene.dag(deferrable=True)
    left = scene.answered(dag, scene.run(dag), "Approve")
    assert left.state == "deferred", left.error
    scene.server.let_go()
    arguments: Any = deserialize(left.deferred.trigger_kwargs)
    handover = arguments["handover"]
    scene.api.resumes = ("resume", serialize({"event": {**handover, "why": "deadline"}}))
    done = scene.run(dag)
    assert done.state == "success", done.error
    assert (len(scene.api.questions), scene.executed()) == (1, RECORDS)


def test_a_function_that_returns_a_whole_spec_may_be_asked_about(scene: Scene) -> None:
    spec = Spec(
        source=str(scene.root / "in"),
        destination=str(scene.root / "out"),
        prompt="What is the total?\n{{ record.body }}",
    )
    with DAG("dag", schedule=None) as dag:

        @text_inference_task(approve=True)
        def ask() -> Spec:
            return spec

        ask()
    parked = scene.run(dag)
    assert parked.state == "awaiting_input", parked.error
    assert scene.answered(dag, parked, "Approve").state == "success"
    assert scene.executed() == RECORDS


def test_each_of_mapped_tasks_is_asked_about_by_itself(scene: Scene) -> None:
    arguments = {name: value for name, value in scene.arguments().items() if name != "destination"}
    places = [str(scene.root / "out"), str(scene.root / "other")]
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator.partial(task_id="ask", **arguments).expand(destination=places)
    for index in range(2):
        assert scene.run(dag, map_index=index).state == "awaiting_input"
    assert (len(scene.api.questions), scene.bill()) == (2, 0)


def test_a_mapped_task_goes_on_with_its_own_answer(scene: Scene) -> None:
    arguments = {name: value for name, value in scene.arguments().items() if name != "destination"}
    places = [str(scene.root / "out"), str(scene.root / "other")]
    with DAG("dag", schedule=None) as dag:
        TextInferenceOperator.partial(task_id="ask", **arguments).expand(destination=places)
    parked = [scene.run(dag, map_index=index) for index in range(2)]
    assert scene.answered(dag, parked[0], "Refuse", map_index=0).state == "skipped"
    done = scene.answered(dag, parked[1], "Approve", map_index=1)
    assert done.state == "success", done.error
    assert (scene.executed(), scene.rows()) == (RECORDS, 0)
    assert scene.approval("dag/ask/run-1/0").verdict == "refused"


# what changed meanwhile


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Who wrote it?\n{{ record.body }}"},
        {"model": next(model.id for model in MODELS if model.id != DEFAULT_MODEL and not model.async_only)},
        {"system_prompt": "Be brief."},
        {"settings": {"max_tokens": 900}},
        {"output_type": None},
    ],
)
def test_another_question_than_the_one_that_was_approved_is_not_asked(
    scene: Scene, change: dict[str, Any]
) -> None:
    parked = scene.run(scene.dag())
    ended = scene.answered(scene.dag(**change), parked, "Approve")
    assert (ended.state, type(ended.error), scene.executed()) == ("failed", NotApproved, 0)
    assert "Start a new run" in scene.record().remedy
    # Cleared, it is still not what somebody was asked about.
    again = scene.run(scene.dag(**change), try_number=2)
    assert (type(again.error), scene.executed(), len(scene.api.questions)) == (NotApproved, 0, 1)


def test_an_approved_run_that_is_cleared_with_another_prompt_is_not_paid_for(scene: Scene) -> None:
    dag = scene.dag()
    assert scene.answered(dag, scene.run(dag), "Approve").state == "success"
    ended = scene.run(scene.dag(prompt="Who?\n{{ record.body }}"), try_number=2)
    assert (type(ended.error), scene.executed()) == (NotApproved, RECORDS)
    assert "ada approved" in str(ended.error)


def test_a_budget_that_was_lowered_meanwhile_holds(scene: Scene) -> None:
    parked = scene.run(scene.dag())
    short = scene.answered(scene.dag(budget={"usd": 0.0001}), parked, "Approve")
    assert (type(short.error), scene.executed()) == (BudgetExhausted, 0)


def test_a_refusal_counts_where_the_author_asks_nobody_any_more(scene: Scene) -> None:
    parked = scene.run(scene.dag())
    refused = scene.answered(scene.dag(approve=None), parked, "Refuse")
    assert (refused.state, scene.executed()) == ("skipped", 0)


def test_a_cleared_run_that_is_done_asks_nobody_and_pays_nothing(scene: Scene) -> None:
    dag = scene.dag()
    assert scene.answered(dag, scene.run(dag), "Approve").state == "success"
    paid = scene.bill()
    again = scene.run(dag, try_number=2)
    assert again.state == "success", again.error
    assert (len(scene.api.questions), scene.bill()) == (1, paid)


def test_each_day_of_a_backfill_is_asked_about_by_itself(scene: Scene) -> None:
    days = ["2026-01-02", "2026-01-03", "2026-01-04"]
    dags = {day: scene.dag(partition={"ds": day}) for day in days}
    parked = {}
    for day, dag in dags.items():
        scene.api.run_id = f"backfill__{day}"
        parked[day] = scene.run(dag)
        assert parked[day].state == "awaiting_input", parked[day].error
    for day, option in zip(days, ["Approve", "Refuse", "Approve"], strict=True):
        scene.api.run_id = f"backfill__{day}"
        ended = scene.answered(dags[day], parked[day], option)
        assert ended.state == ("success" if option == "Approve" else "skipped"), ended.error
    assert (len(scene.api.questions), scene.executed()) == (3, 2 * RECORDS)


def test_a_run_of_dag_test_says_at_once_what_to_do_and_waits_for_nobody(scene: Scene) -> None:
    scene.api.triggered_by = "dag_test"
    ended = scene.run(scene.dag())
    assert (ended.state, type(ended.error), scene.executed()) == ("failed", NotApproved, 0)
    assert "run_conf" in ended.error.remedy
    assert scene.api.questions == []
    assert scene.run(scene.dag(approve=50.0)).state == "success"


# a group


def group_dag(scene: Scene, **changes: Any) -> DAG:
    with DAG("dag", schedule=None) as dag:
        text_inference_group(group_id="read", shards=2, least_rows=1, **scene.arguments(**changes))
    return dag


def test_a_group_asks_once_before_it_is_cut_and_its_shards_share_what_was_approved(scene: Scene) -> None:
    dag = group_dag(scene)
    parked = scene.run(dag, "read.split")
    assert (parked.state, scene.bill()) == ("awaiting_input", 0)
    split = scene.answered(dag, parked, "Approve", task_id="read.split")
    assert split.state == "success", split.error
    assert scene.bill() == 0
    for shard in range(len(split.xcom)):
        ran = scene.run(dag, "read.infer", map_index=shard)
        assert ran.state == "success", ran.error
    published = scene.run(dag, "read.publish")
    assert published.state == "success", published.error
    assert (len(scene.api.questions), scene.executed(), scene.rows()) == (1, RECORDS, RECORDS)
    record = json.loads((scene.root / "out.state" / "split.json").read_text(encoding="utf-8"))
    dealt_out = sum(allowance["usd"] for allowance in record["allowances"])
    assert dealt_out == pytest.approx(scene.approval("dag/read/run-1/-1").budget_usd)


def test_a_shard_pays_nothing_where_nobody_can_tell_that_its_run_was_approved(scene: Scene) -> None:
    dag = group_dag(scene)
    split = scene.answered(dag, scene.run(dag, "read.split"), "Approve", task_id="read.split")
    assert split.state == "success", split.error
    LocalStorage().delete(record_path(LocalStorage(), scene.state, "dag/read/run-1/-1"))
    ran = scene.run(dag, "read.infer", map_index=0)
    assert (type(ran.error), scene.bill()) == (NotApproved, 0)


def test_a_group_that_is_cleared_in_part_asks_nobody_and_pays_nothing_twice(scene: Scene) -> None:
    dag = group_dag(scene)
    split = scene.answered(dag, scene.run(dag, "read.split"), "Approve", task_id="read.split")
    for shard in range(len(split.xcom)):
        assert scene.run(dag, "read.infer", map_index=shard).state == "success"
    for task_id, at in (("read.split", {}), ("read.infer", {"map_index": 1}), ("read.publish", {})):
        again = scene.run(dag, task_id, try_number=2, **at)
        assert again.state == "success", again.error
    assert (len(scene.api.questions), scene.executed(), scene.rows()) == (1, RECORDS, RECORDS)


def test_a_shard_whose_part_of_what_was_approved_does_not_last_says_so_on_its_own_page(scene: Scene) -> None:
    dag = group_dag(scene)
    split = scene.answered(dag, scene.run(dag, "read.split"), "Approve", task_id="read.split")
    assert split.state == "success", split.error
    path = scene.root / "out.state" / "split.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["allowances"][1]["usd"] = 1e-9
    path.write_text(json.dumps(record), encoding="utf-8")
    short = scene.run(dag, "read.infer", map_index=1)
    assert type(short.error) is BudgetExhausted
    run, folder = "dag/read/run-1/-1", shard_folder(LocalStorage(), scene.state, 1)
    of_shard = read_record(LocalStorage(), folder, run)
    assert of_shard is not None
    assert "ada approved" in short.error.remedy
    assert of_shard.remedy == short.error.remedy
    assert scene.record(run).state != "stopped"


def test_a_refused_group_is_skipped_at_its_first_task(scene: Scene) -> None:
    dag = group_dag(scene)
    refused = scene.answered(dag, scene.run(dag, "read.split"), "Refuse", task_id="read.split")
    assert (refused.state, scene.bill()) == ("skipped", 0)
    assert not (scene.root / "out.state" / "split.json").exists()


# what a DAG may write


@pytest.mark.parametrize(
    ("given_value", "told"),
    [
        (math.nan, "approve.above_usd"),
        (math.inf, "approve.above_usd"),
        (-1, "approve.above_usd"),
        ("yes", "approve: a str is no Approve"),
        ("{{ params.approve }}", "approve: a str is no Approve"),
        ({"above_usd": True}, "approve.above_usd"),
        ({"samples": 6}, "approve.samples"),
        ({"samples": -1}, "approve.samples"),
        ({"wait_s": 0}, "approve.wait_s"),
        ({"wait_s": 1e12}, "approve.wait_s"),
        ({"approvers": "ada"}, "approve.approvers"),
        ({"approver": ["ada"]}, "approve.approver"),
        ([50], "approve: a list is no Approve"),
    ],
)
def test_what_cannot_be_meant_so_fails_the_import(scene: Scene, given_value: Any, told: str) -> None:
    with pytest.raises(BadInput) as refused:
        scene.dag(approve=given_value)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize("given_value", [False, None])
def test_without_a_wish_nobody_is_asked_and_nothing_is_noted(scene: Scene, given_value: Any) -> None:
    done = scene.run(scene.dag(approve=given_value))
    assert (done.state, scene.api.questions) == ("success", [])


@pytest.mark.parametrize(
    "written", [True, 0, {}, {"above_usd": 0.0}, Approve(), {"above_usd": "{{ params.none }}"}]
)
def test_each_way_to_write_that_somebody_is_always_asked(scene: Scene, written: Any) -> None:
    scene.api.conf = {"none": ""}
    with DAG("dag", schedule=None, params={"none": ""}) as dag:
        TextInferenceOperator(task_id="ask", **scene.arguments(approve=written))
    assert scene.run(dag).state == "awaiting_input"


def test_the_amount_may_come_from_a_trigger_form(scene: Scene) -> None:
    with DAG("dag", schedule=None, params={"unasked": 50}) as dag:
        TextInferenceOperator(task_id="ask", **scene.arguments(approve={"above_usd": "{{ params.unasked }}"}))
    assert scene.run(dag).state == "success"
    assert scene.approval().budget_usd == 50


# what decides


@given(st.floats(min_value=1e-12, max_value=1e9))
def test_an_amount_is_told_as_it_binds_and_never_as_less_than_it_was(amount: float) -> None:
    shown = rounded_up(amount)
    assert shown >= amount * (1 - 1e-9)
    assert shown <= amount * 1.002 + 0.01 * (amount >= 10)
    assert usd(shown) == usd(float(usd(shown).removesuffix(" USD").replace(",", "")))


@given(
    st.one_of(st.none(), st.floats(0.01, 1e6)),
    st.one_of(st.none(), st.integers(1, 10**9)),
    st.floats(0.01, 1e6),
)
def test_neither_the_approval_nor_the_own_budget_is_ever_exceeded(
    own_usd: float | None, own_tokens: int | None, approved: float
) -> None:
    own = None if own_usd is None and own_tokens is None else Budget(usd=own_usd, tokens=own_tokens)
    approval = Approval(1, approved, None, 0.0, "approved", budget_usd=approved)
    bounded = within(own, approval)
    assert bounded.usd == min(approved, own_usd or approved)
    assert bounded.tokens == own_tokens


@given(
    st.none() | st.floats(1e-9, 1e3),
    st.floats(0, 1e3),
    st.floats(0, 10),
    st.none() | st.floats(1e-6, 1e3),
    st.integers(1, 5),
)
def test_samples_are_never_let_go_beyond_a_cent_the_amount_and_the_own_budget(
    most: float | None, above: float, spent: float, own: float | None, questions: int
) -> None:
    likely = None if most is None else most / 3
    foreseen = Foreseen(9, 0, 10, 1, 1, likely, most, 2, spent, 0, "")
    wish, cost = Approve(above_usd=above), SamplesCost.of(foreseen, questions)
    if samples_refused(cost, foreseen, wish) is not None:
        return
    assert cost is not None
    assert cost.likely_usd <= MOST_SAMPLES_USD
    assert not above or spent + cost.most_usd <= above
    bound = within_samples(None if own is None else Budget(usd=own, when_short="partial"), foreseen, wish)
    assert bound.usd is not None
    assert bound.usd <= min(spent + MOST_SAMPLES_USD, above or math.inf, own or math.inf)
    assert bound.when_short == "stop"


@given(st.dictionaries(st.text(max_size=20), st.none() | st.text(max_size=5) | st.lists(st.text(max_size=9))))
def test_no_event_but_a_clear_one_approves(event: dict[str, Any]) -> None:
    asked = Approval(1, 1.0, None, 0.0, "waiting", budget_usd=1.0)
    assert decided(asked, event).verdict in {"waiting", "timed_out"}


def test_hostile_names_in_a_question_are_code() -> None:
    spec = Spec(
        source="in/`|<script>alert(1)</script>\n# x",
        destination="out/[a](javascript:x)",
        model="a:b@1",
        prompt="{{ record.a }}",
    )
    foreseen = Foreseen(1, 0, 1, 1, 1, 0.1, 0.2, 2, 0.0, 0, "")
    asked = asked_for(foreseen, Approve(), samples=0)
    question = question_of(asked, foreseen, spec, About("", 60))
    assert "<script>" not in question.body
    assert "\n" not in question.subject
    assert "[a](javascript:x)" not in question.body.replace("`out/[a](javascript:x)`", "")
