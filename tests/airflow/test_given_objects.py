"""Value objects as an operator's arguments: templates in them, results of other tasks, and names that they had before."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow.serialization.serialized_objects import DagSerialization

from runware_provider.decorators import text_inference_task
from runware_provider.engine.earlier_names import NOW
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Answers, Budget, Failures, Limits, Memory, Spec
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator
from tests.manifests import OF_NO_RECORDS

if TYPE_CHECKING:
    import asyncio

    from runware_provider.engine.endpoint import Endpoint

NEEDED = {"source": "in", "destination": "out", "prompt": "Read: {{ record.body }}"}
MOVED = sorted(name for name in NOW if "." not in name and name not in Spec.model_fields)


class Told(TextInferenceOperator):
    """The operator over a job that only notes what it was told."""

    specs: list[Spec]

    def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Any:  # noqa: ARG002 - the signature is given
        type(self).specs.append(spec)
        return self._finish()

    async def _finish(self) -> dict[str, Any]:
        return dict(OF_NO_RECORDS)


@pytest.fixture(autouse=True)
def _nothing_told_yet() -> None:
    Told.specs = []


def a_dag(params: dict[str, Any] | None = None, **arguments: Any) -> DAG:
    with DAG("dag", schedule=None, params=params) as dag:
        Told(task_id="ask", **NEEDED, **arguments)
    return dag


def told(run_task: Any, dag: DAG) -> Spec:
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    (spec,) = Told.specs
    return spec


# what an argument is


def test_the_usual_arguments_come_first_and_each_is_a_field_of_the_spec() -> None:
    taken = {
        name: parameter
        for name, parameter in inspect.signature(TextInferenceOperator.__init__).parameters.items()
        if name not in {"self", "kwargs"}
    }
    # The usual five, with what may stand in the place of the prompt beside it.
    assert list(taken)[:6] == ["source", "destination", "prompt", "messages", "output_type", "model"]
    of_airflow = {"report", "approve", "deferrable", "assets", "runware_conn_id", "retry_policy"}
    fields = {name: field for name, field in Spec.model_fields.items() if name not in {"run", "variables"}}
    assert list(taken) == [*fields, *(name for name in taken if name in of_airflow)]
    for name, field in fields.items():
        default = taken[name].default
        if default is inspect.Parameter.empty:
            assert field.is_required(), name
        # A wish has no name yet, and where None is given, the spec has its default.
        elif default not in {None, False}:
            assert default == field.default, name


# templates


def test_templates_in_value_objects_are_rendered_and_their_other_fields_kept(run_task: Any) -> None:
    spec = told(
        run_task,
        a_dag(
            {"failed": "failed/x"},
            memory=Memory(state="state/{{ ds }}", reuse="dataset", retention_days=9),
            failures=Failures(most=3, dataset="{{ params.failed }}"),
        ),
    )
    assert spec.memory == Memory(state="state/2026-01-02", reuse="dataset", retention_days=9)
    assert spec.failures == Failures(most=3, dataset="failed/x")


def test_in_a_dict_a_template_may_stand_for_a_number(run_task: Any) -> None:
    dag = a_dag(
        {"usd": 2.5, "failed": 0.25, "days": None},
        budget={"usd": "{{ params.usd }}", "when_short": "partial"},
        failures={"most": "{{ params.failed }}"},
        memory={"state": "{{ params.days }}"},
    )
    spec = told(run_task, dag)
    assert spec.budget == Budget(usd=2.5, when_short="partial")
    assert (spec.failures, spec.memory) == (Failures(most=0.25), Memory())


@pytest.mark.parametrize(
    ("params", "budget"),
    [
        ({"usd": None, "tokens": None}, None),
        ({"usd": "", "tokens": None}, None),
        ({"usd": None, "tokens": 500}, Budget(tokens=500, when_short="partial")),
    ],
)
def test_a_bound_that_a_form_leaves_empty_is_none(
    run_task: Any, params: dict[str, Any], budget: Budget | None
) -> None:
    bounds = {name: f"{{{{ params.{name} }}}}" for name in params}
    dag = a_dag(params, budget={**bounds, "when_short": "partial"})
    assert told(run_task, dag).budget == budget


def test_a_result_of_another_task_may_be_a_field(run_task: Any) -> None:
    with DAG("dag", schedule=None) as dag:

        @task
        def where() -> str:
            return "elsewhere"

        Told(task_id="ask", **NEEDED, memory={"state": where()})
    assert dag.get_task("ask").upstream_task_ids == {"where"}
    assert run_task(dag, "where").state == "success"
    assert told(run_task, dag).memory.state == "elsewhere"


def test_what_is_rendered_shows_in_airflow_as_a_dict_of_what_was_given(run_task: Any) -> None:
    dag = a_dag(memory=Memory(state="state/{{ ds }}"), budget=Budget(usd=1))
    stored = DagSerialization.to_dict(dag)["dag"]["tasks"][0]["__var"]
    assert (stored["memory"], stored["budget"]) == ({"state": "state/{{ ds }}"}, {"usd": 1.0})
    assert run_task(dag, "ask").task.memory == {"state": "state/2026-01-02"}


def test_a_mapped_task_has_templates_in_value_objects_too(run_task: Any) -> None:
    with DAG("dag", schedule=None) as dag:
        Told.partial(
            task_id="ask",
            prompt="{{ record.body }}",
            memory=Memory(state="state/{{ ti.map_index }}"),
            answers=Answers(output_retries=2),
        ).expand(source=["a", "b"], destination=["x", "y"])
    stored = DagSerialization.to_dict(dag)["dag"]["tasks"][0]["__var"]["partial_kwargs"]
    assert stored["memory"]["__var"] == {"state": "state/{{ ti.map_index }}"}
    ran = run_task(dag, "ask", map_index=1)
    assert ran.state == "success", ran.error
    (spec,) = Told.specs
    assert (spec.memory.state, spec.answers.output_retries) == ("state/1", 2)


def test_value_objects_may_be_what_a_task_is_mapped_over(run_task: Any) -> None:
    with DAG("dag", schedule=None) as dag:
        Told.partial(task_id="ask", prompt="{{ record.body }}", source="in").expand_kwargs(
            [{"destination": name, "failures": Failures(dataset=f"{name}/{{{{ ds }}}}")} for name in "xy"]
        )
    ran = run_task(dag, "ask", map_index=1)
    assert ran.state == "success", ran.error
    assert Told.specs[0].failures.dataset == "y/2026-01-02"


# what fails the DAG's import


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"memory": {"state": "{{ ds }}", "reuse": "datset"}}, r"memory\.reuse: 'datset' is not one of"),
        ({"memory": {"stat": "{{ ds }}"}}, r"memory\.stat: .* Memory takes: state, reuse"),
        ({"budget": {"usd": "{{ params.usd }}", "when_short": "later"}}, r"budget\.when_short"),
        ({"failures": {"most": 1.5, "dataset": "{{ ds }}"}}, r"failures\.most"),
        ({"memory": Failures()}, "memory: a Failures is no Memory"),
        ({"budget": "{{ params.budget }}"}, "budget: a str is no Budget"),
        ({"publish": Limits()}, "publish: a Limits does not fit. Give a Publish, or a dict"),
        ({"answers": Limits()}, "answers: a Limits does not fit. Give an Answers, or a dict"),
        ({"budget": 3}, "budget: an int is no Budget. Give a Budget, or a dict"),
        ({"failures": "s3://lake/failed"}, r"Write failures=Failures\(dataset=...\)"),
    ],
)
def test_what_no_rendering_can_mend_fails_the_import(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        a_dag(**arguments)
    with pytest.raises(BadInput, match=message), DAG("dag", schedule=None):
        text_inference_group(group_id="ask", **NEEDED, **arguments)


@pytest.mark.parametrize("name", MOVED)
def test_an_argument_that_has_moved_fails_the_import_wherever_it_is_written(name: str) -> None:
    given: dict[str, Any] = {name: "x"}
    message = rf"{name}: there is no such argument any more\. Write \w+=[A-Z]\w+\("
    with pytest.raises(BadInput, match=message):
        a_dag(**given)
    with pytest.raises(BadInput, match=message):
        TextInferenceOperator.partial(task_id="ask", **NEEDED, **given)
    with DAG("dag", schedule=None, default_args=given), pytest.raises(BadInput, match=message):
        Told(task_id="ask", **NEEDED)
    with DAG("dag", schedule=None), pytest.raises(BadInput, match=message):
        text_inference_task(**given)(lambda: "Read: {{ record.body }}")()
    with DAG("dag", schedule=None), pytest.raises(BadInput, match=message):
        text_inference_group(group_id="ask", **NEEDED, **given)


# what a function returns


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"memory": Memory(state="{{ ds }}")}, "memory.*nothing renders"),
        ({"state": "x"}, r"no argument of the operator. Write memory=Memory\(state=...\)"),
        ({"memory": Budget(usd=1)}, "a Budget is no Memory"),
    ],
)
def test_what_a_function_returns_is_held_to_the_same(
    run_task: Any, returned: dict[str, Any], message: str
) -> None:
    with DAG("dag", schedule=None) as dag:
        text_inference_task(lambda: returned, task_id="ask", **NEEDED)()
    with pytest.raises(BadInput, match=message):
        raise run_task(dag, "ask").error


def test_a_path_will_do_where_a_text_does(tmp_path: Path) -> None:
    given = {"memory": Memory(state=tmp_path / "state"), "failures": {"dataset": tmp_path / "failed"}}  # type: ignore[arg-type]
    task = TextInferenceOperator(
        task_id="ask", source="in", destination="out", prompt="{{ record.body }}", **given
    )
    assert task.memory == {"state": str(tmp_path / "state")}
    assert task.failures == {"dataset": str(tmp_path / "failed")}


@pytest.mark.parametrize(
    ("given", "instead"), [(20, "most"), (0.1, "most"), ("failed", "dataset"), (Path("failed"), "dataset")]
)
def test_what_was_given_for_failures_is_told_where_it_belongs_now(given: object, instead: str) -> None:
    with pytest.raises(BadInput, match=rf"Write failures=Failures\({instead}=\.\.\.\)"):
        TextInferenceOperator(
            task_id="ask", source="in", destination="out", prompt="{{ record.body }}", failures=given
        )


# what templates render to


def natively(dag: DAG) -> DAG:
    dag.render_template_as_native_obj = True
    return dag


TEXTS = ("2026", "00", "01", "1_000", "1.50", "1e3", "0x10", "None", "True", "[1]", "2026-01-02")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("native", [False, True], ids=["as text", "natively"])
def test_the_text_that_a_template_says_stays_that_text(run_task: Any, *, native: bool, text: str) -> None:
    params = {"text": text}
    dag = a_dag(params, partition={"hour": "{{ params.text }}", "ds": "{{ ds }}"}, model="{{ params.text }}")
    spec = told(run_task, natively(dag) if native else dag)
    assert spec.partition == {"hour": text, "ds": "2026-01-02"}
    assert list(spec.partition) == ["hour", "ds"]
    assert spec.model == text


def test_places_stay_texts_and_numbers_become_numbers_where_templates_render_natively(run_task: Any) -> None:
    dag = a_dag(
        {"text": "0017", "n": 3, "usd": 2.5, "prices": [1.0, 2.0]},
        memory={"state": "{{ params.text }}", "retention_days": "{{ params.n }}"},
        failures={"most": "{{ params.n }}", "dataset": "{{ params.text }}"},
        budget={"usd": "{{ params.usd }}", "usd_per_million": "{{ params.prices }}"},
        limit="{{ params.n }}",
        filters=[
            [("hour", "==", "{{ params.text }}"), ("total", ">", "{{ params.n }}")],
            [("hour", "in", ["{{ params.text }}", "01"])],
        ],
    )
    spec = told(run_task, natively(dag))
    assert spec.memory == Memory(state="0017", retention_days=3)
    assert spec.failures == Failures(most=3, dataset="0017")
    assert spec.budget == Budget(usd=2.5, usd_per_million=(1.0, 2.0))
    assert spec.limit == 3
    assert spec.filters == (
        (("hour", "==", "0017"), ("total", ">", "3")),
        (("hour", "in", ("0017", "01")),),
    )


@pytest.mark.parametrize("native", [False, True], ids=["as text", "natively"])
@pytest.mark.parametrize("kind", [set, frozenset])
def test_texts_in_a_set_are_rendered_and_stay_texts(run_task: Any, kind: Any, *, native: bool) -> None:
    dag = a_dag(
        {"hour": "00", "other": "0x10"},
        filters=[("a", "in", kind({"{{ params.hour }}", "{{ params.other }}"}))],
    )
    spec = told(run_task, natively(dag) if native else dag)
    assert spec.filters == ((("a", "in", ("00", "0x10")),),)


def test_a_mapped_tasks_texts_stay_texts_where_templates_render_natively(run_task: Any) -> None:
    with DAG("dag", schedule=None, render_template_as_native_obj=True) as dag:
        Told.partial(task_id="ask", prompt="{{ record.body }}", source="in", destination="out").expand(
            partition=[{"hour": "{{ '0' + ti.map_index | string }}"}, {"hour": "{{ '00' }}"}]
        )
    for index in (0, 1):
        assert run_task(dag, "ask", map_index=index).state == "success"
    assert [spec.partition for spec in Told.specs] == [{"hour": "00"}] * 2


def test_a_result_of_another_task_may_be_a_partition_where_templates_render_natively(run_task: Any) -> None:
    with DAG("dag", schedule=None, render_template_as_native_obj=True) as dag:

        @task
        def day() -> str:
            return "01"

        Told(task_id="ask", **NEEDED, partition={"day": day()})
    assert run_task(dag, "day").state == "success"
    assert told(run_task, dag).partition == {"day": "01"}


@pytest.mark.parametrize("native", [False, True], ids=["as text", "natively"])
@pytest.mark.parametrize("nothing", [None, ""], ids=repr)
def test_a_template_that_renders_to_nothing_means_the_default(
    run_task: Any, nothing: Any, *, native: bool
) -> None:
    said = "{{ params.nothing }}"
    dag = a_dag(
        {"nothing": nothing},
        memory={"state": said, "reuse": said, "retention_days": said},
        budget={"usd": 1, "tokens": said, "when_short": said},
        limit=said,
        failures={"dataset": said},
    )
    spec = told(run_task, natively(dag) if native else dag)
    assert (spec.memory, spec.budget, spec.failures) == (Memory(), Budget(usd=1), Failures())
    assert spec.limit is None


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda text: Failures(most=text), "failures={'most': '{{ ... }}'}"),
        (lambda text: Memory(retention_days=text), "memory={'retention_days': '{{ ... }}'}"),
        (lambda text: Budget(usd=text), "budget={'usd': '{{ ... }}'}"),
        (lambda text: Budget(tokens=text), "budget={'tokens': '{{ ... }}'}"),
    ],
    ids=["most", "retention_days", "usd", "tokens"],
)
def test_a_template_in_the_place_of_a_number_is_refused_with_the_dict_that_takes_it(
    run_task: Any, make: Any, remedy: str
) -> None:
    template = "{{ params.n }}"
    with pytest.raises(BadInput) as refused:
        make(template)
    assert remedy in str(refused.value)
    argument, _, field = refused.value.field.partition(".")
    spec = told(run_task, a_dag({"n": 7}, **{argument: {field: template}}))
    assert getattr(getattr(spec, argument), field) == 7
