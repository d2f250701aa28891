"""Questions that the code of a DAG asks through the hook: in tasks, by Airflow's real task runner, over a socket."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowTaskTimeout
from pydantic import BaseModel

from runware_provider.engine.errors import BadInput, BudgetExhausted, KeyRefused, Unreachable
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.hook import NoAnswer, OfferedModel, RunwareHook
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.answers import total_of
from tests.raw_server import raw_server
from tests.said import said

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "key-of-the-tests-0123456789"
QUESTION = "Invoice 7\nTotal: 7.50 EUR"


class Invoice(BaseModel):
    total: float


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take whatever comes."""
    while await reader.read(65_536):
        pass


@pytest.fixture(scope="module")
def server_of_all() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=total_of, balance=12.5)) as running:
        yield running


@pytest.fixture
def server(api: Any, server_of_all: LocalServer, monkeypatch: pytest.MonkeyPatch) -> LocalServer:
    server_of_all.clear_faults()
    server_of_all.reset()
    connect(api, monkeypatch, host=server_of_all.base_url, password=KEY)
    return server_of_all


def connect(api: Any, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """The connection, for tasks and for whoever asks without one."""
    api.connections["runware_default"] = fields
    monkeypatch.setenv("AIRFLOW_CONN_RUNWARE_DEFAULT", json.dumps({"conn_type": "runware", **fields}))


def in_a_task(run_task: Any, function: Any) -> Any:
    with DAG("dag", schedule=None) as dag:
        task(task_id="ask")(function)()
    return run_task(dag, "ask")


def test_a_task_asks_and_returns_what_it_likes(run_task: Any, server: LocalServer) -> None:
    def read() -> dict[str, Any]:
        answer = RunwareHook().ask(QUESTION, output_type=Invoice)
        return {"total": answer.value.total, "usd": answer.cost_usd}

    ran = in_a_task(run_task, read)
    assert (ran.state, ran.error) == ("success", None)
    assert ran.xcom == {"total": 7.5, "usd": server.bill_summary()["cost_usd"]}


def test_an_async_task_awaits_its_answers(run_task: Any, server: LocalServer) -> None:
    async def read() -> list[float]:
        hook = RunwareHook()
        one, several = await asyncio.gather(
            hook.aask(QUESTION, output_type=Invoice),
            hook.aask_all([QUESTION, "Total: 1.50"], output_type=Invoice),
        )
        return [one.value.total, *(answer.value.total for answer in several)]

    ran = in_a_task(run_task, read)
    assert (ran.state, ran.error, ran.xcom) == ("success", None, [7.5, 7.5, 1.5])
    assert server.bill_summary()["executed"] == 3


def test_a_task_without_an_answer_fails_and_its_log_holds_neither_question_nor_answer(
    run_task: Any, server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script(Fault("say", body="a secret answer"))

    def read() -> None:
        RunwareHook().ask("A secret question", output_type=Invoice)

    ran = in_a_task(run_task, read)
    assert isinstance(ran.error, NoAnswer)
    assert "the question ended as invalid (unreadable) after 2 attempts for 0.0" in str(ran.error)
    told = said(caplog.messages)
    assert "1 question: 1 invalid; " in told
    assert not [word for word in ("secret", KEY) if word in told + caplog.text.replace(__file__, "")]


async def test_asking_in_an_event_loop_is_refused_with_what_to_write(server: LocalServer) -> None:
    with pytest.raises(BadInput, match=r"Write `await hook\.aask"):
        RunwareHook().ask(QUESTION)
    assert server.bill_summary()["requests"] == 0


def test_a_timeout_of_the_task_ends_the_call(server: LocalServer) -> None:
    server.script(Fault("never_finish"))

    def ring(*_: object) -> None:
        raise AirflowTaskTimeout("over")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(AirflowTaskTimeout):
            RunwareHook().ask(QUESTION)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("runware-job")]


def test_an_unknown_word_is_refused_by_name(server: LocalServer) -> None:
    wish: Any = {"destination": "out"}
    with pytest.raises(
        BadInput,
        match=r"destination: a question has no such argument\. It takes: output_type, .*, timeout_s$",
    ):
        RunwareHook().ask(QUESTION, **wish)
    assert server.bill_summary()["requests"] == 0


def test_the_bounds_of_the_connection_hold(
    api: Any, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(api, monkeypatch, host=server.base_url, password=KEY, extra={"max_outstanding": 1})
    answers = RunwareHook().ask_all([f"Total: {number}.5" for number in range(8)], output_type=Invoice)
    assert [answer.value and answer.value.total for answer in answers] == [
        number + 0.5 for number in range(8)
    ]
    assert server.bill_summary()["requests"] >= 16


def test_the_default_budget_of_this_airflow_holds(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__DEFAULT_BUDGET_USD", "0.00001")
    with pytest.raises(BudgetExhausted, match="nothing was sent"):
        RunwareHook().ask(QUESTION)
    assert server.bill_summary()["executed"] == 0


@pytest.mark.usefixtures("server")
def test_the_balance_is_what_is_left() -> None:
    hook = RunwareHook()
    assert hook.balance() == 12.5
    paid = hook.ask(QUESTION).cost_usd
    assert paid
    assert hook.balance() == pytest.approx(12.5 - paid, abs=1e-9)


@pytest.mark.usefixtures("server")
async def test_the_balance_may_be_asked_for_in_an_event_loop() -> None:
    assert RunwareHook().balance() == 12.5


@pytest.mark.usefixtures("server")
def test_an_async_task_asks_for_the_balance_in_a_thread(run_task: Any) -> None:
    async def look() -> float:
        return await asyncio.to_thread(RunwareHook().balance)

    assert in_a_task(run_task, look).xcom == 12.5


@pytest.mark.parametrize("ask", [RunwareHook.balance, RunwareHook.models])
async def test_an_api_that_takes_the_request_and_says_nothing_is_said_to_do_so(
    api: Any, monkeypatch: pytest.MonkeyPatch, ask: Any
) -> None:
    async with raw_server(say_nothing) as port:
        url = f"http://127.0.0.1:{port}/v1"
        connect(api, monkeypatch, host=url, password=KEY)
        with pytest.raises(Unreachable) as silent:
            await asyncio.to_thread(ask, RunwareHook(), timeout_s=0.2)
    assert str(silent.value) == f"{url} did not answer: no whole reply within 0.2 seconds"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("ask", [RunwareHook.balance, RunwareHook.models])
def test_a_time_for_the_account_that_is_none_is_refused(ask: Any) -> None:
    with pytest.raises(BadInput, match=r"^timeout_s: 0 is no number of seconds"):
        ask(RunwareHook(), timeout_s=0)


def test_the_models_come_with_their_prices_and_what_is_known_of_them(server: LocalServer) -> None:
    models = {model.id: model for model in RunwareHook().models()}
    assert models["deepseek-v4-pro"] == OfferedModel(
        id="deepseek-v4-pro",
        name="DeepSeek-V4-Pro",
        usd_per_million=(0.961, 1.922),
        context_length=1_048_576,
        max_output_tokens=384_000,
        profile=ModelProfile(json_schema=False, tools=True, default_max_tokens=32_768, max_tokens=100_000),
    )
    assert models["qwen-3.5-plus"].profile is None
    assert server.bill_summary()["executed"] == 0


@pytest.mark.parametrize("ask", [RunwareHook.balance, RunwareHook.models])
def test_a_wrong_key_is_said_to_be_one(
    api: Any, server: LocalServer, monkeypatch: pytest.MonkeyPatch, ask: Any
) -> None:
    connect(api, monkeypatch, host=server.base_url, password="another-key-012345")
    with pytest.raises(KeyRefused):
        ask(RunwareHook())


@pytest.mark.parametrize("ask", [RunwareHook.balance, RunwareHook.models])
def test_no_api_is_said_to_be_none(
    api: Any, server: LocalServer, monkeypatch: pytest.MonkeyPatch, ask: Any
) -> None:
    connect(api, monkeypatch, host=f"{server.base_url}/elsewhere", password=KEY)
    with pytest.raises(Unreachable, match="HTTP 404"):
        ask(RunwareHook())
