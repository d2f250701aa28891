"""What an argument may not be given as, wherever it is written: it fails the DAG's import, or else the task before anything is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, TaskGroup, task
from airflow.serialization.serialized_objects import DagSerialization

from runware_provider.decorators import text_inference_task
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Answers, Limits, Publish, Settings
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator
from runware_provider.quality.spec import Report

if TYPE_CHECKING:
    from collections.abc import Callable

NEEDED: dict[str, Any] = {
    "source": "in",
    "destination": "out/{{ ti.map_index }}",
    "prompt": "{{ record.body }}",
}
LEFT_OUT = object()
SECRET = "zqsecret"
TEXTS: dict[str, Any] = {
    "prompt": f"{SECRET}: {{{{ record.body }}}}",
    "messages": [{"role": "user", "content": f"{SECRET}: {{{{ record.body }}}}"}],
    "system_prompt": SECRET,
    "output_type": {"description": SECRET, "properties": {"a": {"type": "string"}}},
    "tools": [{"name": "note", "description": SECRET, "schema": {"type": "object"}}],
    "settings": {"stop_sequences": [SECRET]},
}


def arguments(given: dict[str, Any], *left_out: str) -> dict[str, Any]:
    whole = {**NEEDED, **given}
    if "messages" in given:  # which are asked in the prompt's place
        del whole["prompt"]
    return {name: value for name, value in whole.items() if name not in left_out and value is not LEFT_OUT}


def one_task(**given: Any) -> None:
    TextInferenceOperator(task_id="ask", **arguments(given))


def mapped(**given: Any) -> None:
    TextInferenceOperator.partial(task_id="ask", **arguments(given, "source")).expand(source=["a", "b"])


def mapped_by_kwargs(**given: Any) -> None:
    partial = TextInferenceOperator.partial(task_id="ask", **arguments(given, "source"))
    partial.expand_kwargs([{"source": "a"}, {"source": "b"}])


def a_group(**given: Any) -> None:
    text_inference_group(group_id="ask", **arguments({"destination": "out", **given}))


def decorated(**given: Any) -> None:
    @text_inference_task(task_id="ask", **arguments(given))
    def ask() -> dict[str, Any]:
        return {}

    ask()


def decorated_and_mapped(**given: Any) -> None:
    @text_inference_task(task_id="ask", **arguments(given))
    def ask(place: str) -> dict[str, Any]:
        return {"destination": place}

    ask.expand(place=["a", "b"])


def decorated_and_mapped_by_kwargs(**given: Any) -> None:
    @text_inference_task(task_id="ask", **arguments(given))
    def ask(place: str) -> dict[str, Any]:
        return {"destination": place}

    ask.expand_kwargs([{"place": "a"}])


WAYS: list[Callable[..., None]] = [
    one_task,
    mapped,
    mapped_by_kwargs,
    a_group,
    decorated,
    decorated_and_mapped,
    decorated_and_mapped_by_kwargs,
]
everywhere = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def stored(dag: DAG) -> str:
    return json.dumps(DagSerialization.to_dict(dag))


# texts in default_args


@everywhere
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_in_the_dags_default_args_fails_the_import(way: Callable[..., None], name: str) -> None:
    with (
        DAG("dag", schedule=None, default_args={name: TEXTS[name]}),
        pytest.raises(BadInput, match=rf"^{name}: .* which Airflow stores .* Give it to the task") as refused,
    ):
        way(**{name: LEFT_OUT})
    assert SECRET not in str(refused.value)


@everywhere
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_the_tasks_own_is_taken_and_not_stored(way: Callable[..., None], name: str) -> None:
    with DAG("dag", schedule=None) as dag:
        way(**{name: TEXTS[name]})
    assert SECRET not in stored(dag)


@everywhere
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_in_the_dags_default_args_that_the_task_does_not_take_is_stored_and_refused_all_the_same(
    way: Callable[..., None], name: str
) -> None:
    with (
        DAG("dag", schedule=None, default_args={name: TEXTS[name]}) as dag,
        pytest.raises(BadInput, match=rf"^{name}: .* which Airflow stores"),
    ):
        way(**({} if name == "prompt" else {name: {} if name == "settings" else None}))
    assert SECRET in stored(dag)


@everywhere
@pytest.mark.parametrize("name", TEXTS)
def test_default_args_of_a_task_group_or_of_the_task_are_taken_and_not_stored(
    way: Callable[..., None], name: str
) -> None:
    given = {name: TEXTS[name]}
    with DAG("dag", schedule=None) as dag, TaskGroup("inner", default_args=given):
        way(**{name: LEFT_OUT})
    assert SECRET not in stored(dag)
    with DAG("dag", schedule=None) as dag:
        way(**{name: LEFT_OUT}, default_args=given)
    assert SECRET not in stored(dag)


@pytest.mark.parametrize("settings", [{"temperature": 0}, Settings(max_tokens=100)], ids=str)
@everywhere
def test_numbers_among_the_settings_may_stand_in_default_args(
    way: Callable[..., None], settings: Any
) -> None:
    with DAG("dag", schedule=None, default_args={"settings": settings, "model": "vendor:model"}):
        way()


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_a_task_is_mapped_over_are_not_stored_and_reach_the_task(run_task: Any, name: str) -> None:
    taken: list[Any] = []

    class Taking(TextInferenceOperator):
        def carry_out(self, context: Any) -> Any:  # noqa: ARG002 - the signature is given
            taken.append(getattr(self, name))
            return {}

    given = arguments({name: LEFT_OUT})
    with DAG("dag", schedule=None) as dag:
        Taking.partial(task_id="ask", **given).expand(**{name: [TEXTS[name]]})
        Taking.partial(task_id="by_kwargs", **given).expand_kwargs([{name: TEXTS[name]}])
    assert SECRET not in stored(dag)
    for task_id in ("ask", "by_kwargs"):
        assert run_task(dag, task_id, map_index=0).state == "success"
    assert taken == [TEXTS[name]] * 2


# earlier names


@everywhere
@pytest.mark.parametrize(
    ("name", "instead"),
    [("state", "memory=Memory"), ("columns", "publish=Publish"), ("max_failed", "failures=Failures")],
)
def test_an_earlier_name_fails_the_import_wherever_it_is_written(
    way: Callable[..., None], name: str, instead: str
) -> None:
    message = rf"^{name}: there is no such argument any more\. Write {instead}"
    with DAG("dag", schedule=None), pytest.raises(BadInput, match=message):
        way(**{name: "x"})
    with DAG("dag", schedule=None, default_args={name: "x"}), pytest.raises(BadInput, match=message):
        way()
    with (
        DAG("dag", schedule=None),
        TaskGroup("inner", default_args={name: "x"}),
        pytest.raises(BadInput, match=message),
    ):
        way()


def test_an_earlier_name_among_what_a_task_is_mapped_over_fails_the_import() -> None:
    message = r"^state: .* Write memory=Memory\(state=\.\.\.\)"
    with DAG("dag", schedule=None):
        with pytest.raises(BadInput, match=message):
            TextInferenceOperator.partial(task_id="ask", **NEEDED).expand(state=["a", "b"])
        with pytest.raises(BadInput, match=message):
            TextInferenceOperator.partial(task_id="ask", **NEEDED).expand_kwargs([{"state": "a"}])
        with pytest.raises(BadInput, match=message):
            text_inference_task(task_id="ask", **NEEDED)(lambda: "{{ record.body }}").override(state="a")


def test_an_earlier_name_that_another_task_returns_fails_the_task_before_anything_is_sent(
    run_task: Any, api: Any
) -> None:
    with DAG("dag", schedule=None) as dag:

        @task
        def places() -> list[dict[str, str]]:
            return [{"source": "a", "state": "b"}]

        TextInferenceOperator.partial(task_id="ask", **arguments({}, "source")).expand_kwargs(places())
    assert run_task(dag, "places").state == "success"
    api.connections.clear()
    with pytest.raises(BadInput, match=r"state: .* Write memory=Memory"):
        raise run_task(dag, "ask", map_index=0).error


# templates where nothing renders them


STRAY: dict[str, Any] = {
    "samples": "{{ params.n }}",
    "delivery": "{{ params.delivery }}",
    "deferrable": "{{ params.deferrable }}",
    "settings": {"temperature": "{{ params.t }}", "stop_sequences": ["{{"]},
    "publish": Publish(columns=("{{ params.column }}",)),
    "answers": {"output_retries": "{{ params.n }}"},
    "limits": {"attempts": "{% if params.n %}1{% endif %}"},
    "report": Report(expected="right/{{ ds }}.parquet", key="id"),
    "output_type": "schemas/{{ params.schema }}.json",
    "system_prompt": "system/{{ params.system }}.txt",
    "prompt": "prompts/{{ params.prompt }}.j2",
    "messages": "messages/{{ params.messages }}.json",
}


@pytest.mark.parametrize("name", STRAY)
@everywhere
def test_a_template_where_airflow_renders_none_fails_the_import(way: Callable[..., None], name: str) -> None:
    with (
        DAG("dag", schedule=None),
        pytest.raises(BadInput, match=rf"^{name}: .*Airflow renders (no template|neither) there\. .*@task"),
    ):
        way(**{name: STRAY[name]})


IN_DEFAULT_ARGS = [name for name in STRAY if name not in TEXTS]


@pytest.mark.parametrize("name", IN_DEFAULT_ARGS)
@everywhere
def test_a_template_that_tasks_inherit_where_airflow_renders_none_fails_the_import(
    way: Callable[..., None], name: str
) -> None:
    with (
        DAG("dag", schedule=None, default_args={name: STRAY[name]}),
        pytest.raises(BadInput, match=rf"^{name}: .*Airflow renders neither there\. .*@task"),
    ):
        way()


@pytest.mark.parametrize("name", STRAY)
def test_a_template_among_what_tasks_are_mapped_over_is_refused_where_airflow_renders_none(name: str) -> None:
    rest = arguments({}, name, "destination")
    message = rf"^{name}: .*Airflow renders (no template|neither) there"
    with DAG("dag", schedule=None):
        with pytest.raises(BadInput, match=message):
            TextInferenceOperator.partial(task_id="ask", **rest, destination="out").expand(
                **{name: [STRAY[name]]}
            )
        with pytest.raises(BadInput, match=message):
            TextInferenceOperator.partial(task_id="ask", **rest).expand_kwargs(
                [{"destination": "a"}, {"destination": "b", name: STRAY[name]}]
            )


def test_a_template_among_what_tasks_are_mapped_over_is_rendered_where_airflow_renders(run_task: Any) -> None:
    taken: list[Any] = []

    class Taking(TextInferenceOperator):
        def carry_out(self, context: Any) -> Any:  # noqa: ARG002 - the signature is given
            taken.append((self.destination, self.budget, self.limits))
            return {}

    rows = [{"destination": "out/{{ ds }}", "budget": {"usd": "{{ params.usd }}"}, "limits": {"attempts": 2}}]
    with DAG("dag", schedule=None, params={"usd": 2}) as dag:
        Taking.partial(task_id="ask", **arguments({}, "destination")).expand_kwargs(rows)
    assert run_task(dag, "ask", map_index=0).state == "success"
    assert taken == [("out/2026-01-02", {"usd": "2"}, {"attempts": 2})]


NO_SETTINGS: list[tuple[Any, str]] = [
    ("{{ params.s }}", r"it holds a template, or the result of another task, .*@task"),
    ("cold", r"'cold' does not fit\. Give a Settings, or a dict of its arguments"),
    (5, r"5 does not fit\. Give a Settings, or a dict of its arguments"),
    ([1], r"a list does not fit\. Give a Settings, or a dict of its arguments"),
]


@pytest.mark.parametrize(("settings", "told"), NO_SETTINGS, ids=str)
@everywhere
def test_settings_that_are_none_fail_the_import_in_a_sentence(
    way: Callable[..., None], settings: Any, told: str
) -> None:
    with DAG("dag", schedule=None), pytest.raises(BadInput, match=rf"^settings: {told}"):
        way(settings=settings)
    with (
        DAG("dag", schedule=None),
        TaskGroup("inner", default_args={"settings": settings}),
        pytest.raises(BadInput, match=rf"^settings: {told}"),
    ):
        way()
    stored_text = "it stands in the DAG's default_args" if isinstance(settings, str) else told
    with (
        DAG("dag", schedule=None, default_args={"settings": settings}),
        pytest.raises(BadInput, match=rf"^settings: {stored_text}"),
    ):
        way()


@pytest.mark.parametrize(("settings", "told"), NO_SETTINGS, ids=str)
def test_settings_that_tasks_are_mapped_over_and_that_are_none_fail_the_import(
    settings: Any, told: str
) -> None:
    with DAG("dag", schedule=None), pytest.raises(BadInput, match=rf"^settings: {told}"):
        TextInferenceOperator.partial(task_id="ask", **NEEDED).expand(settings=[settings])


@pytest.mark.parametrize("name", ["samples", "tools", "settings", "system_prompt", "output_type", "limits"])
def test_the_result_of_another_task_where_airflow_resolves_none_fails_the_import(name: str) -> None:
    with DAG("dag", schedule=None):

        @task
        def other() -> int:
            return 2

        with pytest.raises(BadInput, match=rf"^{name}: .* the result of another task"):
            one_task(**{name: other()})


@pytest.mark.parametrize(
    "given",
    [
        {"system_prompt": "Answer with {{name}} as it stands."},
        {"settings": {"stop_sequences": ["{{"], "extra": {"note": "{% raw %}"}}},
        {"tools": [{"name": "note", "description": "{{ this }}", "schema": {"type": "object"}}]},
        {"output_type": {"description": "{{ this }}", "properties": {"a": {"type": "string"}}}},
    ],
    ids=str,
)
def test_braces_in_a_text_that_is_sent_as_it_is_are_taken(given: dict[str, Any]) -> None:
    with DAG("dag", schedule=None):
        one_task(**given)


def test_a_bad_value_beside_braces_fails_the_import() -> None:
    with DAG("dag", schedule=None), pytest.raises(BadInput, match=r"^tools\.name: "):
        one_task(tools=[{"name": "a b", "description": "{{ this }}", "schema": {"type": "object"}}])


@pytest.mark.parametrize(
    ("kind", "field"), [(Limits, "attempts"), (Answers, "output_retries"), (Settings, "max_tokens")]
)
def test_a_template_in_a_value_object_that_is_not_templated_is_refused_with_what_to_do(
    kind: Any, field: str
) -> None:
    with pytest.raises(BadInput, match=rf"{field}: .* No template is rendered here: write the value"):
        kind(**{field: "{{ params.n }}"})
