"""`@task.text_inference` as `text_inference_task`, with the real engine against the local API server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, task
from pydantic import BaseModel

from runware_provider.decorators import text_inference_task
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Limits, Memory, Spec
from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import total_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
BODIES = ["Invoice from Shop 1 GmbH\nTotal: 1.50 EUR", "Invoice from Shop 2 GmbH\nTotal: 2.50 EUR"]
PROMPT = "What is the total?\n{{ record.body }}"


class Invoice(BaseModel):
    total: float


@pytest.fixture
def server(api: Any) -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=total_of)) as running:
        api.connections["runware_default"] = {"host": running.base_url, "password": KEY}
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"body": BODIES, "country": ["de", "fr"]}), tmp_path / "in.parquet")
    return tmp_path


def usual(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "source": str(folder / "in.parquet"),
        "destination": str(folder / "out"),
        "output_type": Invoice,
        "limits": Limits(unreachable_s=1, poll_interval_s=0.05),
    } | changes


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(folder.glob("*.parquet")) for row in pq.read_table(part).to_pylist()]


def totals(folder: Path) -> list[float]:
    return [row["result"]["total"] for row in rows(folder)]


# What a function may return


def test_a_function_returns_the_prompt(server: LocalServer, run_task: Any, folder: Path) -> None:
    with DAG("dag", schedule=None) as dag:

        @text_inference_task(**usual(folder))
        def ask() -> str:
            return PROMPT

        ask()
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert totals(folder / "out") == [1.5, 2.5]
    assert ran.xcom["outcomes"] == {"succeeded": 2}
    assert server.bill_summary()["executed"] == 2


MESSAGES = [
    {"role": "user", "content": "What is the total?\n{{ record.body }}"},
    {"role": "assistant", "content": "Of which invoice?"},
    {"role": "user", "content": "Of this one, from {{ record.country }}."},
]


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        ({}, MESSAGES),
        ({}, {"messages": MESSAGES}),
        ({"prompt": PROMPT}, MESSAGES),
        ({"messages": MESSAGES}, {"limit": 2}),
        ({"messages": MESSAGES[2:]}, {"messages": MESSAGES}),
    ],
)
def test_messages_may_be_given_or_returned(
    server: LocalServer, run_task: Any, folder: Path, given: dict[str, Any], returned: Any
) -> None:
    with DAG("dag", schedule=None) as dag:
        text_inference_task(lambda: returned, task_id="ask", **usual(folder), **given)()
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert totals(folder / "out") == [1.5, 2.5]
    server.clear_faults()


def test_a_returned_prompt_precedes_messages(server: LocalServer, run_task: Any, folder: Path) -> None:
    with DAG("dag", schedule=None) as dag:
        text_inference_task(lambda: PROMPT, task_id="ask", **usual(folder), messages=MESSAGES[2:])()
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert server.bill_summary()["executed"] == 2


def test_a_function_that_returns_both_is_refused(server: LocalServer, run_task: Any, folder: Path) -> None:
    both = {"prompt": PROMPT, "messages": MESSAGES}
    with DAG("dag", schedule=None) as dag:
        text_inference_task(lambda: both, task_id="ask", **usual(folder))()
    assert "exclude each other" in str(run_task(dag, "ask").error)
    assert server.bill_summary()["requests"] == 0


def test_a_prompt_may_be_the_file_that_the_function_names(
    server: LocalServer, run_task: Any, folder: Path
) -> None:
    (folder / "total.j2").write_text(PROMPT, encoding="utf-8")
    with DAG("dag", schedule=None, template_searchpath=[str(folder)]) as dag:
        text_inference_task(lambda: "total.j2", task_id="ask", **usual(folder))()
    assert run_task(dag, "ask").state == "success"
    assert server.bill_summary()["executed"] == 2


def test_a_function_returns_arguments_which_precede_the_decorators(
    server: LocalServer, run_task: Any, folder: Path
) -> None:
    with DAG("dag", schedule=None) as dag:

        @text_inference_task(destination="/nowhere", output_type=Invoice, limit=2)
        def ask() -> dict[str, Any]:
            chosen = {"destination": folder / "chosen", "memory": Memory(state=str(folder / "kept"))}
            return usual(folder) | chosen | {"prompt": PROMPT, "publish": {"columns": ["body"]}, "limit": 1}

        ask()
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert totals(folder / "chosen") == [1.5]
    assert set(rows(folder / "chosen")[0]) == {"body", "result", "inference"}
    assert (folder / "kept" / "job.json").exists()
    assert ran.xcom["records"] == 1, "the task returns the manifest, whatever the function's annotation says"
    assert server.bill_summary()["executed"] == 1


def test_a_function_returns_a_whole_spec_and_its_prompt_gets_the_variables_of_the_run(
    server: LocalServer, run_task: Any, folder: Path
) -> None:
    with DAG("dag", schedule=None) as dag:

        @text_inference_task
        def ask() -> Spec:
            return Spec(**usual(folder), prompt="On {{ ds }}: " + PROMPT)

        ask()
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert server.bill_summary()["executed"] == 2


# TaskFlow


def test_arguments_may_be_values_templates_context_variables_and_results_of_other_tasks(
    server: LocalServer, run_task: Any, folder: Path
) -> None:
    with DAG("dag", schedule=None) as dag:

        @task
        def country() -> str:
            return "de"

        @text_inference_task(**usual(folder))
        def ask(filters: Any, day: str, ds: str | None = None, *, word: str = "total") -> dict[str, Any]:
            assert day == ds == "2026-01-02"
            return {"prompt": f"What is the {word}?\n{{{{ record.body }}}}", "filters": filters}

        first = country()
        ask([("country", "==", "de")], "{{ ds }}", word="sum")
        assert ask.override(task_id="later")(first, "x").operator.upstream_task_ids == {"country"}
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert len(rows(folder / "out")) == 1
    assert server.bill_summary()["executed"] == 1


def test_a_decorated_task_is_mapped_and_each_writes_its_own_partition(
    server: LocalServer, run_task: Any, folder: Path
) -> None:
    with DAG("dag", schedule=None) as dag:

        @text_inference_task(**usual(folder, system_prompt="Be exact."))
        def ask(country: str, word: str) -> dict[str, Any]:
            return {
                "prompt": f"What is the {word}?\n{{{{ record.body }}}}",
                "filters": [("country", "==", country)],
                "partition": {"land": country},
            }

        ask.partial(word="total").expand(country=["de", "fr"])
    for index in (0, 1):
        ran = run_task(dag, "ask", map_index=index)
        assert ran.state == "success", ran.error
    assert totals(folder / "out" / "land=de") == [1.5]
    assert totals(folder / "out" / "land=fr") == [2.5]
    assert server.bill_summary()["executed"] == 2


def test_override_changes_an_argument_of_the_operator(
    server: LocalServer, run_task: Any, folder: Path
) -> None:
    with DAG("dag", schedule=None) as dag:

        @text_inference_task(**usual(folder))
        def ask() -> str:
            return PROMPT

        ask.override(limit=1, task_id="one")()
    assert run_task(dag, "one").state == "success"
    assert len(rows(folder / "out")) == server.bill_summary()["executed"] == 1


def test_default_arguments_of_the_dag_reach_it(server: LocalServer, run_task: Any, folder: Path) -> None:
    defaults = usual(folder)
    output_type = defaults.pop("output_type")
    with DAG("dag", schedule=None, default_args=defaults | {"limit": 1}) as dag:
        text_inference_task(lambda: PROMPT, task_id="ask", output_type=output_type)()
    ran = run_task(dag, "ask")
    assert ran.state == "success", ran.error
    assert server.bill_summary()["executed"] == 1


# What fails, before anything is paid


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "the function 'ask'.*NoneType.*Return the prompt"),
        (["a"], "list"),
        ("no column", "names no column"),
        ({"prompt": PROMPT, "modle": "x"}, "'modle'.*no argument.*model"),
        ({"prompt": PROMPT, "retries": 3}, "'retries'"),
        ({"prompt": PROMPT, "source": "in/{{ ds }}"}, "source.*nothing renders"),
        ({"prompt": PROMPT, "filters": [("day", "==", "{{ ds }}")]}, "filters.*nothing renders"),
        ({"prompt": PROMPT, "samples": 0}, "samples"),
        ({"limit": 1}, "prompt.*neither the decorator nor the function 'ask' gives it"),
        (Spec(source="a", destination="b", prompt=PROMPT), "whole Spec.*destination.*besides"),
    ],
)
def test_what_a_function_must_not_return_fails_at_once_and_is_named(
    returned: Any, message: str, server: LocalServer, run_task: Any, folder: Path
) -> None:
    with DAG("dag", schedule=None) as dag:

        @text_inference_task(retries=3, **usual(folder))
        def ask() -> Any:
            return returned

        ask()
    ran = run_task(dag, "ask")
    assert (ran.state, type(ran.error)) == ("failed", BadInput)
    with pytest.raises(BadInput, match=message):
        raise ran.error
    assert server.bill_summary()["executed"] == 0


def test_a_bad_argument_of_the_decorator_fails_the_import() -> None:
    with DAG("dag", schedule=None), pytest.raises(BadInput, match="samples"):
        text_inference_task(lambda: PROMPT, task_id="ask", samples=0)()


def test_an_async_function_is_refused() -> None:
    async def ask() -> str:
        return PROMPT

    with DAG("dag", schedule=None), pytest.raises(BadInput, match=r"async.*plain def"):
        text_inference_task(ask, source="a", destination="b")()


# What is stored


def test_no_text_of_a_decorated_task_is_in_the_serialized_dag() -> None:
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: PLC0415 - seconds

    with DAG("dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:

        @text_inference_task(
            source="a",
            destination="b",
            system_prompt="Secret one",
            settings={"extra": {"note": "Secret two"}},
        )
        def ask(country: str) -> str:
            return "Secret three {{ record.body }}" + country

        ask("de")
        ask.expand(country=["de", "fr"])
        ask.override(system_prompt="Secret four").partial().expand(country=["de"])
        ask.partial().override(system_prompt="Secret five").expand(country=["de"])
    stored = json.dumps(DagSerialization.serialize_dag(dag))
    assert "ecret" not in stored
    assert " at 0x" not in stored
    assert "@task.text_inference" in stored
