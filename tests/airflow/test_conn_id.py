"""Which connection a task asks with may be a template: for one task, for mapped ones, for a group, and for a function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from runware_provider.decorators import TextInferenceDecoratedOperator
from runware_provider.engine.errors import BadInput
from runware_provider.groups import text_inference_group
from runware_provider.hook import RunwareHook
from runware_provider.operators import TextInferenceOperator
from tests.manifests import OF_NO_RECORDS

if TYPE_CHECKING:
    import asyncio

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.spec import Spec

ACCOUNT = "{{ params.account }}"
KEYS = {"runware_eu": "key-of-europe-0123456789", "runware_us": "key-of-america-0123456789"}
WORDS = {"task_id": "ask", "source": "in", "destination": "out", "prompt": "Read: {{ record.body }}"}


class Keys:
    """The keys that jobs were started with."""

    used: list[str]


async def _nothing() -> dict[str, Any]:
    return dict(OF_NO_RECORDS)


def _noted(_self: Any, _spec: Spec, endpoint: Endpoint, _stop: asyncio.Event) -> Any:
    Keys.used.append(endpoint.key)
    return _nothing()


class Noting(TextInferenceOperator):
    start_job = _noted


class NotingFunction(TextInferenceDecoratedOperator):
    start_job = _noted


@pytest.fixture(autouse=True)
def _accounts(api: Any) -> None:
    Keys.used = []
    api.connections = {name: {"password": key} for name, key in KEYS.items()}


def a_dag(**arguments: Any) -> DAG:
    return DAG("dag", schedule=None, params={"account": "runware_eu"}, **arguments)


def test_a_template_chooses_the_connection(run_task: Any) -> None:
    with a_dag() as dag:
        Noting(**WORDS, runware_conn_id=ACCOUNT)
    ran = run_task(dag, "ask")
    assert (ran.state, Keys.used) == ("success", [KEYS["runware_eu"]])
    assert ran.task.runware_conn_id == "runware_eu"


@pytest.mark.parametrize("name", ["4711", "00"])
def test_the_name_of_a_connection_stays_a_text_where_templates_render_natively(
    run_task: Any, api: Any, name: str
) -> None:
    api.connections = {name: {"password": KEYS["runware_eu"]}}
    with DAG("dag", schedule=None, params={"account": name}, render_template_as_native_obj=True) as dag:
        Noting(**WORDS, runware_conn_id=ACCOUNT)
    ran = run_task(dag, "ask")
    assert (ran.state, ran.task.runware_conn_id) == ("success", name)
    assert Keys.used == [KEYS["runware_eu"]]


def test_a_number_is_no_name_of_a_connection() -> None:
    number: Any = 4711
    with pytest.raises(BadInput, match=r"^runware_conn_id: it is 4711\. Give the id of a connection, a text"):
        RunwareHook(number).get_endpoint()


def test_mapped_tasks_ask_with_one_connection_each(run_task: Any) -> None:
    with a_dag() as dag:
        Noting.partial(**WORDS | {"destination": "out/{{ ti.map_index }}"}).expand(runware_conn_id=[*KEYS])
    assert [run_task(dag, "ask", map_index=index).state for index in range(2)] == ["success"] * 2
    assert Keys.used == [*KEYS.values()]


def test_what_mapped_tasks_share_may_be_a_template(run_task: Any) -> None:
    words = {name: value for name, value in WORDS.items() if name != "source"}
    with a_dag() as dag:
        Noting.partial(**words | {"destination": "out/{{ ti.map_index }}"}, runware_conn_id=ACCOUNT).expand(
            source=["a", "b"]
        )
    assert run_task(dag, "ask", map_index=1).state == "success"
    assert Keys.used == [KEYS["runware_eu"]]


def test_every_task_of_a_group_has_it_rendered() -> None:
    with a_dag() as dag:
        text_inference_group(
            group_id="all", source="in", destination="out", prompt="p.j2", runware_conn_id=ACCOUNT
        )
    for task_id in ("all.split", "all.infer", "all.publish"):
        task = dag.get_task(task_id)
        assert "runware_conn_id" in task.template_fields
        given = task.partial_kwargs if task.is_mapped else vars(task)
        assert given["runware_conn_id"] == ACCOUNT


def test_a_function_may_return_it(run_task: Any) -> None:
    with a_dag() as dag:
        NotingFunction(
            **{name: value for name, value in WORDS.items() if name != "prompt"},
            python_callable=lambda params: {
                "prompt": "Read: {{ record.body }}",
                "runware_conn_id": f"runware_{params['account'][-2:]}",
            },
        )
    assert (run_task(dag, "ask").state, Keys.used) == ("success", [KEYS["runware_eu"]])


def test_a_template_that_a_function_returns_is_refused(run_task: Any) -> None:
    with a_dag() as dag:
        NotingFunction(
            **{name: value for name, value in WORDS.items() if name != "prompt"},
            python_callable=lambda: {"prompt": "{{ record.body }}", "runware_conn_id": ACCOUNT},
        )
    ran = run_task(dag, "ask")
    assert isinstance(ran.error, BadInput)
    assert ran.error.field.startswith("runware_conn_id, as the function")


def test_airflow_is_shown_the_name_of_the_connection_and_nothing_of_what_it_holds(
    run_task: Any, api: Any
) -> None:
    with a_dag() as dag:
        Noting(**WORDS, runware_conn_id=ACCOUNT)
    sent: list[str] = []
    answer = api.answer
    api.answer = lambda request: (sent.append(f"{request.url} {request.content.decode()}"), answer(request))[
        1
    ]
    assert run_task(dag, "ask").state == "success"
    (rendered,) = [text for text in sent if "/rtif" in text]
    assert json.loads(rendered.partition(" ")[2])["runware_conn_id"] == "runware_eu"
    assert not [text for text in sent if any(key in text for key in KEYS.values())]


@pytest.mark.parametrize("nothing", ["", " ", None])
def test_a_template_that_comes_to_nothing_is_refused_by_its_name(run_task: Any, nothing: Any) -> None:
    with DAG("dag", schedule=None, params={"account": nothing}) as dag:
        Noting(**WORDS, runware_conn_id=ACCOUNT)
    ran = run_task(dag, "ask")
    assert isinstance(ran.error, BadInput)
    assert (ran.error.field, Keys.used) == ("runware_conn_id", [])
