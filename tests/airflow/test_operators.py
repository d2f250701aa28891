from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import signal
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias, task_group
from airflow.sdk.exceptions import AirflowTaskTimeout
from pydantic import BaseModel

from runware_provider.engine import errors
from runware_provider.engine.cli_options import INSTEAD
from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.spec import Settings, Spec, Tool
from runware_provider.engine.spec_options import spec_options
from runware_provider.operators import TextInferenceOperator
from tests.manifests import OF_NO_RECORDS

if TYPE_CHECKING:
    from pathlib import Path

    from runware_provider.engine.endpoint import Endpoint

KEY = "key-of-the-tests-0123456789"
ASKED = {"records": 2, "outcomes": {"succeeded": 2}, "paid_usd": 0.01, "paid_inferences": 2}
MANIFEST = OF_NO_RECORDS | ASKED
SUMMARY = {
    "status": "published",
    "records": 2,
    "outcomes": {"succeeded": 2},
    "paid_usd": 0.01,
    "paid_inferences": 2,
    "reused_inferences": 0,
    "destination": "out",
    "manifest": "out.state/manifest.json",
}
KNOWN = {
    "records": 2000,
    "records_done": 1500,
    "outcomes": {"succeeded": 1500},
    "paid_usd": 0.25,
    "paid_inferences": 1500,
    "state": "out.state/ds=1",
    "still_at_vendor": 64,
}
WEATHER = {"name": "get_weather", "schema": {"type": "object"}}


USER = {"role": "user", "content": "Read: {{ record.body }}"}


class Invoice(BaseModel):
    total: float


def progress(elapsed_s: float, done: int = 1) -> Progress:
    return Progress(done=done, total=2, elapsed_s=elapsed_s, outstanding=1, cost=0.01)


class Told(TextInferenceOperator):
    """The operator over a job that only notes what it was told."""

    specs: list[Spec]
    outcome: Exception | None = None

    def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:  # noqa: ARG002 - the signature is given
        type(self).specs.append(spec)
        self._report(progress(0))
        return self._finish(endpoint)

    async def _finish(self, endpoint: Endpoint) -> dict[str, Any]:
        assert endpoint.key
        if self.outcome:
            raise self.outcome
        return dict(MANIFEST)


class WaitsForStop(TextInferenceOperator):
    """A job that runs until it is stopped, and then takes its time to say so."""

    kill_by_signal = True

    def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:  # noqa: ARG002 - the signature is given
        return self._wait(stop)

    async def _wait(self, stop: asyncio.Event) -> dict[str, Any]:
        if self.kill_by_signal:
            os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        stopped = errors.Interrupted("asked to stop")
        errors.note_how_far(stopped, KNOWN)
        raise stopped


@pytest.fixture(autouse=True)
def _nothing_told_yet() -> None:
    Told.specs = []
    Told.outcome = None


def arguments(**changes: Any) -> dict[str, Any]:
    usual = {"task_id": "ask", "source": "in", "destination": "out", "prompt": "Read: {{ record.body }}"}
    return usual | changes


def a_dag(
    operator: type[TextInferenceOperator] = Told, dag_arguments: dict[str, Any] | None = None, **changes: Any
) -> DAG:
    with DAG("dag", schedule=None, **(dag_arguments or {})) as dag:
        operator(**arguments(**changes))
    return dag


# What fails the DAG's import


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"temperature": 3}}, "settings.temperature"),
        ({"limits": {"attempts": 0}}, "limits.attempts"),
        ({"samples": 0}, "samples"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": "get_wether"}, "get_weather"),
        ({"tools": [WEATHER], "output_type": Invoice}, "exclude each other"),
        ({"partition": {"no key": "{{ ds }}"}}, "no partition key"),
        ({"partition": {"ds": " "}}, "is empty"),
        ({"limit": "ten"}, "limit"),
        ({"delivery": "stream", "output_type": Invoice}, "plain text only"),
        ({"delivery": "stream", "tools": [WEATHER]}, "plain text only"),
        ({"delivery": "owl"}, "delivery"),
        ({"output_type": "invoice"}, "ends in .json"),
        ({"prompt": "prompts/invoice.txt"}, "names no column"),
        ({"prompt": "  "}, "empty"),
        ({"prompt": None}, "prompt: it is missing"),
        ({"messages": [USER]}, "exclude each other"),
        ({"prompt": None, "messages": []}, "there is no message"),
        ({"prompt": None, "messages": [{**USER, "role": "system"}]}, "say it in system_prompt"),
        ({"prompt": None, "messages": [{**USER, "content": "Hello"}]}, "name no column"),
        ({"prompt": None, "messages": [USER, {**USER, "content": "{{ record."}]}, "message 2: line 1"),
        ({"prompt": None, "messages": "{{ record.chat }} and more"}, "something beside it"),
        ({"source": ""}, "source"),
    ],
)
def test_a_bad_argument_fails_the_construction_and_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        a_dag(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": "{{ params.limit }}"},
        {"model": "{{ params.model }}", "settings": Settings(max_tokens=200_000)},
        {"partition": {"ds": "{{ ds }}", "part": "a"}},
        {"source": "{{ ti.xcom_pull('list') }}"},
        {"output_type": "schemas/none.json", "answers": {"output_mode": "tool"}},
        {"prompt": "prompts/none.j2", "system_prompt": "prompts/none.md"},
        {"tools": [Tool(**WEATHER)], "tool_choice": "get_weather"},
    ],
)
def test_what_is_rendered_or_read_later_is_not_judged_at_construction(changes: dict[str, Any]) -> None:
    assert a_dag(**changes).task_ids == ["ask"]


def test_an_upstream_result_may_be_an_argument() -> None:
    with DAG("dag", schedule=None) as dag:
        first = Told(**arguments(task_id="first"))
        Told(**arguments(source=first.output))
    assert dag.get_task("ask").upstream_task_ids == {"first"}


# What the engine is told


def test_the_manifests_summary_is_the_returned_value(run_task: Any) -> None:
    ran = run_task(a_dag(), "ask")
    assert (ran.state, ran.xcom) == ("success", SUMMARY)


def test_where_the_output_will_be_is_an_xcom_unless_the_task_is_to_push_none(run_task: Any, api: Any) -> None:
    key = ("dag", api.run_id, "ask", "places")
    assert run_task(a_dag(do_xcom_push=False), "ask").state == "success"
    assert api.pushed == {}
    Told.outcome = errors.KeyRefused("the key is wrong")
    assert run_task(a_dag(report=True), "ask").state == "failed"
    assert api.pushed == {
        key: {
            "output": "out",
            "state": "out.state",
            "manifest": "out.state/manifest.json",
            "report": "out.state/reports/report.html",
            "run": f"dag/ask/{api.run_id}/-1",
        }
    }


def test_templated_fields_are_rendered_and_the_prompt_is_not(run_task: Any) -> None:
    dag = a_dag(
        source="in/{{ ds }}",
        partition={"ds": "{{ ds }}"},
        limit="{{ params.limit }}",
        dag_arguments={"params": {"limit": 7}},
    )
    assert run_task(dag, "ask").state == "success"
    (spec,) = Told.specs
    assert (spec.source, spec.partition, spec.limit) == ("in/2026-01-02", {"ds": "2026-01-02"}, 7)
    assert spec.prompt == "Read: {{ record.body }}"


def test_the_prompt_gets_the_variables_of_the_run(run_task: Any) -> None:
    run_task(a_dag(dag_arguments={"params": {"tone": "dry"}}), "ask")
    variables = Told.specs[0].variables
    assert variables["ds"] == "2026-01-02"
    assert variables["params"] == {"tone": "dry"}
    assert variables["run_id"] == "run-1"
    assert variables["dag_id"] == "dag"
    assert variables["data_interval_end"] - variables["logical_date"] == timedelta(days=1)


def test_a_run_of_a_partition_lends_its_key(run_task: Any, api: Any) -> None:
    api.logical_date, api.partition_key = None, "de"
    assert run_task(a_dag(partition={"country": "{{ partition_key }}"}), "ask").state == "success"
    (spec,) = Told.specs
    assert (spec.partition, spec.variables["partition_key"]) == ({"country": "de"}, "de")


def test_a_run_without_logical_date_lends_no_dates(run_task: Any, api: Any) -> None:
    api.logical_date = None
    assert run_task(a_dag(), "ask").state == "success"
    assert set(Told.specs[0].variables) == {"params", "run_id", "dag_id"}


def test_a_refresh_has_one_name_for_all_tries_of_a_run(run_task: Any) -> None:
    run_task(a_dag(refresh=True), "ask", try_number=1)
    run_task(a_dag(refresh=True), "ask", try_number=2)
    assert [spec.refresh for spec in Told.specs] == ["dag/ask/run-1/-1"] * 2


@pytest.mark.parametrize("field", ["refresh", "retry_failed"])
@pytest.mark.parametrize(("param", "wished"), [(False, False), (None, False), ("no", False), (True, True)])
def test_a_wish_may_come_from_a_param_and_false_is_no(
    run_task: Any, field: str, param: object, *, wished: bool
) -> None:
    dag = a_dag(dag_arguments={"params": {"wish": param}}, **{field: "{{ params.wish }}"})
    assert run_task(dag, "ask").state == "success"
    assert (getattr(Told.specs[0], field) is not None) == wished


@pytest.mark.parametrize("wish", ["sometimes", 2, 1.0, ["yes"]])
def test_a_wish_that_is_neither_yes_nor_no_is_refused_at_import(wish: object) -> None:
    with pytest.raises(BadInput, match=r"refresh: .* is neither yes nor no"):
        TextInferenceOperator(**arguments(refresh=wish))


@pytest.mark.parametrize(
    ("field", "text"),
    [("prompt", "{{ record.a "), ("prompt", "{% if %}{{ record.a }}")],
)
def test_a_template_that_is_malformed_fails_the_import(field: str, text: str) -> None:
    with pytest.raises(BadInput, match=field):
        TextInferenceOperator(**arguments(**{field: text}))


@pytest.mark.parametrize(
    "filters",
    [
        ("day", "==", "{{ ds }}"),
        [("day", "like", "{{ ds }}")],
        [("country", "in", "{{ params.countries }}")],
        "day == 1",
    ],
)
def test_filters_of_another_shape_fail_the_import_whatever_is_rendered_later(filters: Any) -> None:
    with pytest.raises(BadInput, match="filters: "):
        TextInferenceOperator(**arguments(filters=filters))


def test_filters_are_rendered_at_any_depth(run_task: Any) -> None:
    filters = [
        [("day", ">=", "{{ ds }}"), ("country", "in", ["{{ params.country }}", "fr"])],
        [("total", "is null")],
    ]
    dag = a_dag(dag_arguments={"params": {"country": "de"}}, filters=filters)
    assert run_task(dag, "ask").state == "success"
    (spec,) = Told.specs
    assert spec.filters == (
        (("day", ">=", "2026-01-02"), ("country", "in", ("de", "fr"))),
        (("total", "is null"),),
    )


def test_where_fails_the_import_with_the_way_to_write_it_now() -> None:
    for make in (TextInferenceOperator, TextInferenceOperator.partial):
        with pytest.raises(BadInput, match=r"where: there is no such argument any more\. .*filters="):
            make(**arguments(where="record.country == 'de'"))


def test_without_refresh_nothing_is_asked_anew(run_task: Any) -> None:
    run_task(a_dag(), "ask")
    assert Told.specs[0].refresh is None


def test_the_value_objects_reach_the_engine(run_task: Any) -> None:
    run_task(
        a_dag(settings=Settings(temperature=0.5), limits={"attempts": 2}, tools=[WEATHER], tool_choice="any"),
        "ask",
    )
    (spec,) = Told.specs
    assert (spec.settings.temperature, spec.limits.attempts) == (0.5, 2)
    assert (spec.tools[0].name, spec.tool_choice.type) == ("get_weather", "any")


def test_a_pydantic_model_reaches_the_engine_as_it_is(run_task: Any) -> None:
    run_task(a_dag(output_type=Invoice), "ask")
    assert Told.specs[0].output_type is Invoice


def test_every_mapped_task_asks_for_its_own_part(run_task: Any) -> None:
    with DAG("dag", schedule=None) as dag:
        Told.partial(
            task_id="ask", destination="out", prompt="{{ record.body }}", settings=Settings(seed=1)
        ).expand_kwargs([{"source": name, "partition": {"part": name}} for name in "ab"])
    for index in (0, 1):
        assert run_task(dag, "ask", map_index=index).state == "success"
    assert [spec.source for spec in Told.specs] == ["a", "b"]


OWN_PLACES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"destination": ["x", "y"]}),
    ({"destination": "out"}, {"partition": [{"part": "a"}, {"part": "b"}]}),
    ({"destination": "out/{{ ti.map_index }}"}, {}),
    ({"destination": "out", "partition": {"part": "{{ task.source }}"}}, {}),
]


@pytest.mark.parametrize(("fixed", "expanded"), OWN_PLACES)
def test_mapped_tasks_with_a_place_each_run(
    run_task: Any, fixed: dict[str, Any], expanded: dict[str, Any]
) -> None:
    with DAG("dag", schedule=None) as dag:
        Told.partial(task_id="ask", prompt="{{ record.body }}", **fixed).expand(source=["a", "b"], **expanded)
    assert run_task(dag, "ask", map_index=1).state == "success"


@pytest.mark.parametrize(
    "fixed", [{}, {"partition": {"ds": "{{ ds }}"}}, {"memory": {"state": "s/{{ ti.map_index }}"}}]
)
def test_mapped_tasks_that_would_replace_each_others_rows_are_refused(
    run_task: Any, fixed: dict[str, Any]
) -> None:
    with DAG("dag", schedule=None) as dag:
        Told.partial(task_id="ask", destination="out", prompt="{{ record.body }}", **fixed).expand(
            source=["a", "b"]
        )
    ran = run_task(dag, "ask", map_index=1)
    # The oldest Airflow asks no retry policy about a mapped task, and would try again.
    assert ran.state in {"failed", "up_for_retry"}
    assert isinstance(ran.error, BadInput)
    assert "'out' for each of the mapped tasks" in str(ran.error)
    assert Told.specs == []


def test_tasks_of_a_mapped_group_have_a_place_each_or_are_refused(run_task: Any) -> None:
    for destination in ("out", "out/{{ ti.map_index }}", None):
        with DAG("dag", schedule=None) as dag:

            @task_group
            def group(part: Any, place: str | None = destination) -> None:
                Told(
                    task_id="ask",
                    source=part,
                    destination=part if place is None else place,
                    prompt="{{ record.body }}",
                )

            group.expand(part=["a", "b"])
        state = run_task(dag, "group.ask", map_index=1).state
        assert state == ("failed" if destination == "out" else "success")


def test_progress_is_logged_and_neither_key_nor_prompt_is(
    run_task: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run_task(a_dag(), "ask")
    logged = "".join(capsys.readouterr())
    assert "1 of 2 rows done" in logged
    assert "Done: 2 succeeded." in logged
    assert "Paid: 0.01 USD for 2 answers by this run" in logged
    assert "Kept: the rows, in out;" in logged
    assert KEY not in logged
    assert "Read:" not in logged


def test_a_long_job_reports_every_half_minute_and_at_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    operator = Told(**arguments())
    for second in range(600):
        operator._report(progress(second))
    operator._report(progress(600, done=2))
    lines = capsys.readouterr().out.splitlines()
    reports = [line for line in lines if "of 2 rows done" in line]
    assert 20 <= len(reports) <= 40
    assert "2 of 2 rows done" in reports[-1]


# Outlets


def test_every_asset_event_carries_the_summary_and_an_alias_is_left_alone(run_task: Any) -> None:
    ran = run_task(a_dag(outlets=[Asset("file:///out"), AssetAlias("later")]), "ask")
    assert ran.state == "success", ran.error
    (event,) = ran.outlet_events
    assert event["extra"] == SUMMARY


# Errors


@pytest.mark.parametrize(
    "error",
    [
        BadInput("source", "is missing", "Mend it"),
        errors.KeyRefused("the key is wrong"),
        errors.BalanceExhausted("no credit"),
        errors.ModelUnknown("no such model"),
        errors.RequestRefused("unsupported parameter"),
        errors.StateUnreadable("written by a newer version"),
    ],
)
def test_what_a_retry_cannot_mend_fails_at_once_in_spite_of_retries(run_task: Any, error: Exception) -> None:
    Told.outcome = error
    ran = run_task(a_dag(retries=3), "ask")
    assert (ran.state, type(ran.error)) == ("failed", type(error))


@pytest.mark.parametrize(
    "error",
    [
        errors.Unreachable("no reply"),
        errors.Interrupted("killed"),
        errors.PublishConflict("another run"),
        RuntimeError("anything"),
    ],
)
def test_what_a_retry_can_mend_is_retried(run_task: Any, error: Exception) -> None:
    Told.outcome = error
    assert run_task(a_dag(retries=3), "ask").state == "up_for_retry"


@pytest.mark.usefixtures("policies_of_mapped_tasks")
def test_a_mapped_task_fails_at_once_as_well(run_task: Any) -> None:
    Told.outcome = errors.KeyRefused("the key is wrong")
    with DAG("dag", schedule=None) as dag:
        Told.partial(task_id="ask", destination="out", prompt="{{ record.body }}", retries=3).expand(
            source=["a"]
        )
    assert run_task(dag, "ask", map_index=0).state == "failed"


def test_a_policy_of_the_users_own_is_kept(run_task: Any) -> None:
    Told.outcome = errors.KeyRefused("the key is wrong")
    assert run_task(a_dag(retries=3, retry_policy=None), "ask").state == "up_for_retry"


def test_an_empty_source_skips_the_task_when_asked_to(run_task: Any) -> None:
    Told.outcome = errors.NothingToDo("the source holds no record")
    assert run_task(a_dag(publish={"on_empty": "skip"}), "ask").state == "skipped"


def last_words(capfd: pytest.CaptureFixture[str]) -> str:
    """What the task said at level error before Airflow told of the error itself, in one line."""
    told = "".join(capfd.readouterr()).partition("Task failed with exception")[0]
    lines = re.findall(r"\[error +\] (.*?) +\[airflow\.task\.operators\.", told)
    assert all(len(line) <= 100 for line in lines)
    return " ".join(line.strip() for line in lines)


def test_a_stopped_job_says_all_that_a_person_needs_before_the_error_which_is_short(
    run_task: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    Told.outcome = errors.Unreachable("the API did not answer for 300 s")
    errors.note_how_far(Told.outcome, KNOWN)
    ran = run_task(a_dag(), "ask")
    assert str(ran.error) == "the API did not answer for 300 s"
    assert ran.error.manifest == KNOWN
    assert last_words(capfd) == (
        "Stopped: the API did not answer for 300 s."
        " Paid: 0.25 USD for 1,500 answers by this run, all its tries together."
        " Kept: 1,500 of 2,000 records are finished (1,500 succeeded); all answers are in out.state/ds=1."
        " Nothing was published."
        " Still billed: up to 64 inferences that may be under way at the API."
        " The next run collects them and does not pay for them again."
        f" To do: {errors.Unreachable.remedy}"
        " In Airflow that is a retry, which comes by itself while some are left, or a cleared task."
    )


ENDS: dict[str, tuple[BaseException, str]] = {
    "refused input": (
        errors.BadInput("prompt", "it is empty", "Write one"),
        "Kept: whatever earlier runs have paid for, in out.state. Still billed: nothing by this try. To do: Write one.",
    ),
    "a key": (
        errors.KeyRefused("invalidApiKey"),
        "Airflow does not retry this: clear the task when that is done.",
    ),
    "a twin": (errors.AtWork("another run is at work"), "In Airflow that is a retry"),
    "a damaged state": (errors.StateUnreadable("it is damaged"), "Error: it is damaged."),
    "a store": (OSError(28, "No space left"), "Stopped: the store failed ([Errno 28] No space left)."),
    "a mistake of ours": (
        AssertionError("a value"),
        "Error: an error that nobody foresaw, AssertionError; its words",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_whatever_ends_a_task_is_told_alike(
    run_task: Any, capfd: pytest.CaptureFixture[str], end: str
) -> None:
    Told.outcome, said = ENDS[end]
    ran = run_task(a_dag(), "ask")
    assert ran.error is Told.outcome
    assert said in last_words(capfd)


def test_an_error_on_purpose_shows_no_inside_of_the_engine(run_task: Any) -> None:
    Told.outcome = errors.TooManyFailed("too many")
    functions = [frame.name for frame in traceback.extract_tb(run_task(a_dag(), "ask").error.__traceback__)]
    assert functions[-1] == "execute"


def test_a_missing_connection_says_how_to_make_one(run_task: Any, api: Any) -> None:
    api.connections.clear()
    ran = run_task(a_dag(retries=3), "ask")
    assert ran.state == "failed"
    assert "AIRFLOW_CONN_RUNWARE_DEFAULT" in str(ran.error)


# The command line


def test_every_argument_has_an_option_of_the_command_line_or_a_word_on_what_to_write_instead() -> None:
    names = set(inspect.signature(TextInferenceOperator.__init__).parameters) - {"self", "kwargs"}
    written = {f"--{name.replace('_', '-')}" for name in names}
    assert written - {option.flag for option in spec_options()} - INSTEAD.keys() == {"--settings"}


# Stopping


def test_a_kill_stops_the_job_gracefully_and_it_can_be_retried(
    run_task: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = run_task(a_dag(WaitsForStop), "ask")
    assert (ran.state, type(ran.error)) == ("up_for_retry", errors.Interrupted)
    told = "".join(capfd.readouterr())
    assert "Stopping: it was asked to stop; every answer until now is kept." in told
    assert told.index("Stopping: ") < told.index("Stopped: ") < told.index("Task failed with exception")


def test_a_kill_that_does_not_wake_the_waiting_thread_is_heard_all_the_same(run_task: Any) -> None:
    class KilledInItsThread(WaitsForStop):
        kill_by_signal = False

        async def _wait(self, stop: asyncio.Event) -> dict[str, Any]:
            signal.raise_signal(
                signal.SIGTERM
            )  # to this thread alone, as if it came while the other fell asleep
            async with asyncio.timeout(60):
                return await super()._wait(stop)

    assert type(run_task(a_dag(KilledInItsThread), "ask").error) is errors.Interrupted


def test_an_execution_timeout_stops_the_job_gracefully_and_is_told_like_a_kill(
    run_task: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    class WaitsForTimeout(WaitsForStop):
        kill_by_signal = False

    ran = run_task(a_dag(WaitsForTimeout, execution_timeout=timedelta(seconds=1)), "ask")
    assert (ran.state, type(ran.error)) == ("up_for_retry", AirflowTaskTimeout)
    told = last_words(capfd)
    assert "Stopped: the task's execution_timeout of 0:00:01 is over." in told
    assert "Paid: 0.25 USD for 1,500 answers" in told
    assert "up to 64 inferences" in told
    assert "a longer execution_timeout" in told


def test_a_timeout_that_came_as_the_job_ended_says_that_it_is_published(
    run_task: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    class EndsAllTheSame(Told):
        def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:  # noqa: ARG002 - the signature is given
            async def job() -> dict[str, Any]:
                await stop.wait()
                return {**KNOWN, "status": "published", "still_at_vendor": 0}

            return job()

    run_task(a_dag(EndsAllTheSame, execution_timeout=timedelta(seconds=1)), "ask")
    assert "The dataset was published nevertheless." in last_words(capfd)


def test_a_kill_before_the_job_began_is_not_forgotten(run_task: Any) -> None:
    class KilledEarly(WaitsForStop):
        kill_by_signal = False

        def make_spec(self, context: Any) -> Spec:
            self.on_kill()
            return super().make_spec(context)

    assert type(run_task(a_dag(KilledEarly), "ask").error) is errors.Interrupted


# Files


def _with_file(tmp_path: Path, name: str, text: str, **changes: Any) -> DAG:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8")
    return a_dag(dag_arguments={"template_searchpath": [str(tmp_path)]}, **changes)


def test_a_prompt_file_is_read_as_it_is(run_task: Any, tmp_path: Path) -> None:
    dag = _with_file(tmp_path, "prompts/p.j2", "Räd {{ record.body }} {{ ds }}\n", prompt="prompts/p.j2")
    assert run_task(dag, "ask").state == "success"
    assert Told.specs[0].prompt == "Räd {{ record.body }} {{ ds }}\n"


def test_messages_reach_the_engine_and_airflow_renders_nothing_in_them(run_task: Any) -> None:
    given = [{"role": "user", "content": "{{ ds }}"}, {"role": "assistant", "content": "Yes"}, USER]
    assert run_task(a_dag(prompt=None, messages=given), "ask").state == "success"
    assert run_task(a_dag(prompt=None, messages="{{ record.chat }}"), "ask").state == "success"
    written, whole = Told.specs
    assert [message.model_dump() for message in written.messages or ()] == given
    assert whole.messages == "{{ record.chat }}"


def test_messages_may_be_a_file_and_so_may_each_content(run_task: Any, tmp_path: Path) -> None:
    (tmp_path / "last.j2").write_text("Räd {{ record.body }}", encoding="utf-8")
    examples = [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}]
    given = [*examples, {"role": "user", "content": "last.j2"}]
    # Some editors put a byte order mark before it.
    for mark in ("", "\ufeff"):
        dag = _with_file(tmp_path, "m.json", mark + json.dumps(given), prompt=None, messages="m.json")
        run_task(dag, "ask")
    run_task(_with_file(tmp_path, "m.json", "", prompt=None, messages=given), "ask")
    read = [*examples, {"role": "user", "content": "Räd {{ record.body }}"}]
    assert [[part.model_dump() for part in spec.messages] for spec in Told.specs] == [read] * 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "no JSON array"),
        ("[1", "no JSON"),
        ("[" * 100_000, "no JSON (it is nested too deeply)"),
        ("[" + "1" * 5_000 + "]", "no JSON"),
        ('[{"role": "system", "content": "x"}]', "system_prompt"),
    ],
)
def test_a_file_of_messages_that_cannot_work_fails_the_task(
    run_task: Any, tmp_path: Path, content: str, said: str
) -> None:
    error = run_task(_with_file(tmp_path, "m.json", content, prompt=None, messages="m.json"), "ask").error
    assert isinstance(error, BadInput)
    assert (error.field, said in str(error)) == ("messages", True)


@pytest.mark.parametrize("name", ["s.md", "s.txt", "s.j2"])
def test_a_system_prompt_file_is_read_as_it_is(run_task: Any, tmp_path: Path, name: str) -> None:
    run_task(_with_file(tmp_path, name, "You {{ read }}", system_prompt=name), "ask")
    assert Told.specs[0].system_prompt == "You {{ read }}"


def test_a_schema_file_is_read_as_json(run_task: Any, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"total": {"type": "number"}}}
    dag = _with_file(
        tmp_path, "s.json", json.dumps(schema), output_type="s.json", answers={"output_mode": "tool"}
    )
    run_task(dag, "ask")
    assert Told.specs[0].output_type == schema


def test_a_missing_file_fails_at_once_and_lists_the_places(run_task: Any, tmp_path: Path) -> None:
    dag = _with_file(tmp_path, "other.j2", "", prompt="prompts/none.j2", retries=3)
    ran = run_task(dag, "ask")
    assert ran.state == "failed"
    assert str(tmp_path / "prompts/none.j2") in str(ran.error)
    assert dag.folder in str(ran.error)
