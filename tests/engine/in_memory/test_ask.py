"""Questions that no dataset holds, against the local API server, over a real socket."""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import (
    BadInput,
    BudgetExhausted,
    Interrupted,
    KeyRefused,
    RequestRefused,
    Unreachable,
)
from runware_provider.engine.in_memory.answer import Answer, NoAnswer
from runware_provider.engine.in_memory.ask import ask_in_memory, question_spec
from runware_provider.engine.messages import Message
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.answers import total_of
from tests.raw_server import raw_server
from tests.said import said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KEY = "key-of-the-tests-0123456789"
TOOL = {"name": "note", "schema": {"type": "object", "properties": {}}}
QUICK = {"poll_interval_s": 0.02, "unreachable_s": 60.0}
OTHERS = 20
"""Questions beside one that fares worse: more than are sent to see whether the request is well."""


class Invoice(BaseModel):
    total: float


class Detailed(BaseModel):
    """What a schema says and JSON does not."""

    paid_on: date
    total: Decimal = Field(max_digits=20, decimal_places=2)
    anything: dict[str, Any] = {}


class Topic(Enum):
    BILLING = "billing"
    BUG = "bug"


@pytest.fixture(scope="module")
def server_of_all() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=total_of)) as running:
        yield running


@pytest.fixture
def server(server_of_all: LocalServer) -> LocalServer:
    server_of_all.clear_faults()
    server_of_all.reset()
    return server_of_all


def invoice(number: int) -> str:
    return f"Invoice {number}\nTotal: {number}.50 EUR"


def ask(
    server: LocalServer, questions: Sequence[Any], *, key: str = KEY, timeout_s: float = 60.0, **wish: Any
) -> list[Answer[Any]]:
    wished = {"output_type": Invoice, "limits": QUICK, **wish}
    endpoint = Endpoint(server.base_url, key)
    return asyncio.run(ask_in_memory(questions, question_spec(wished), endpoint, timeout_s=timeout_s))


def answering(answers: Any, **changes: Any) -> LocalServer:
    return LocalServer(ServerSettings(key=KEY, answers=answers, **{"latency": 0, **changes}))


def executed(server: LocalServer) -> int:
    bill = server.bill_summary()
    assert bill["uuids_executed_again"] == 0
    return int(bill["executed"])


def paid(answers: Sequence[Answer[Any]]) -> float:
    return sum(answer.cost_usd or 0.0 for answer in answers)


# What comes back


def test_each_question_has_its_answer_in_order_and_the_costs_are_the_bill(server: LocalServer) -> None:
    answers = ask(server, [invoice(number) for number in range(OTHERS)])
    assert [answer.value for answer in answers] == [Invoice(total=n + 0.5) for n in range(OTHERS)]
    assert {answer.outcome for answer in answers} == {"succeeded"}
    assert paid(answers) == pytest.approx(server.bill_summary()["cost_usd"], abs=1e-12)
    assert sum(answer.prompt_tokens or 0 for answer in answers) == server.bill_summary()["prompt_tokens"]


def test_what_is_asked_twice_is_paid_once_and_the_copy_is_its_own(server: LocalServer) -> None:
    first, blank, second = ask(server, [invoice(1), " \n", invoice(1)])
    assert executed(server) == 1
    assert (first.value, first.attempts) == (second.value, 1)
    assert first.value is not second.value
    assert (second.attempts, second.cost_usd, second.completion_tokens) == (0, 0.0, 0)
    assert (blank.outcome, blank.code, blank.value, blank.cost_usd) == ("skipped", "empty", None, 0.0)


def test_a_question_may_be_a_conversation_which_is_sent_as_it_is(server: LocalServer) -> None:
    chat = [
        {"role": "user", "content": f"{{{{ {invoice(3)} }}}}"},
        {"role": "assistant", "content": "Which one?"},
        Message(role="user", content="The total, {% please %}"),
    ]
    alone = [{"role": "user", "content": invoice(4)}]
    answers = ask(server, [chat, invoice(4), alone], output_type=Invoice)
    assert [answer.value.total for answer in answers] == [3.5, 4.5, 4.5]
    assert [answer.attempts for answer in answers] == [1, 1, 0], (
        "one message is the question that its text is"
    )
    assert executed(server) == 2


def test_no_question_is_no_request(server: LocalServer) -> None:
    assert ask(server, []) == []
    assert server.bill_summary()["requests"] == 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions=st.lists(st.text(st.characters(codec="utf-8")), max_size=6))
def test_any_text_is_sent_as_it_is_and_has_exactly_one_outcome(
    server: LocalServer, questions: list[str]
) -> None:
    server.reset()
    answers = ask(server, questions, output_type=None)
    blank = [not question or question.isspace() for question in questions]
    assert [answer.outcome == "skipped" for answer in answers] == blank
    assert executed(server) == len(
        {question for question in questions if question and not question.isspace()}
    )


def test_braces_are_braces_and_whatever_stands_at_the_end_is_sent() -> None:
    seen: list[str] = []

    def note(task: Mapping[str, Any]) -> str:
        seen.append(task["messages"][0]["content"])
        return "noted"

    question = "{{ 1 + 1 }} {% if %} {# no #} <b>&amp;\r\n\n"
    with answering(note) as server:
        (answer,) = ask(server, [question], output_type=None)
    assert (seen, answer.value) == ([question], "noted")


@pytest.mark.parametrize(
    ("output_type", "said_by_model", "value"),
    [
        (None, "yes", "yes"),
        (["billing", "bug"], {"label": "bug"}, "bug"),
        (Literal["billing", "bug"], {"label": "bug"}, "bug"),
        (Topic, {"label": "bug"}, Topic.BUG),
        (
            {"type": "object", "properties": {"on": {"type": "string", "format": "date"}, "any": {}}},
            {"on": "2026-01-02", "any": [1, {"a": 0.1234567890123456789}]},
            {"on": "2026-01-02", "any": [1, {"a": 0.12345678901234568}]},
        ),
        (
            Detailed,
            {"paid_on": "2026-01-02", "total": "12.30", "anything": {"a": [1]}},
            Detailed(paid_on=date(2026, 1, 2), total=Decimal("12.30"), anything={"a": [1]}),
        ),
    ],
)
def test_a_value_has_the_type_that_was_asked_for(output_type: Any, said_by_model: Any, value: Any) -> None:
    with answering(lambda _task: said_by_model) as server:
        (answer,) = ask(server, ["Say it"], output_type=output_type)
    assert (answer.outcome, answer.value, type(answer.value)) == ("succeeded", value, type(value))


def test_calls_of_tools_come_as_their_names_and_arguments(server: LocalServer) -> None:
    room = {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"]}
    tools = [
        {"name": "book", "schema": room},
        {"name": "cancel", "schema": {"type": "object", "properties": {}}},
    ]
    server.script(Fault("all_tools"))
    (answer,) = ask(server, ["Book it"], output_type=None, tools=tools, tool_choice="any")
    assert [call["name"] for call in answer.value] == ["book", "cancel"]
    assert [list(call["arguments"]) for call in answer.value] == [["room"], []]


def test_an_answer_shows_nothing_of_what_was_said(server: LocalServer) -> None:
    server.script(Fault("say", body="a secret word"))
    (answer,) = ask(server, [invoice(7)])
    assert answer.outcome == "invalid"
    assert "secret" not in repr(answer) + str(NoAnswer(answer))
    assert "secret" in (answer.raw or "")
    again = pickle.loads(pickle.dumps(NoAnswer(answer)))  # noqa: S301 - our own
    assert (str(again), again.answer) == (str(NoAnswer(answer)), answer)


# The engine's own checks and mends


def test_an_answer_that_does_not_fit_is_asked_again_and_both_are_paid(server: LocalServer) -> None:
    server.script(Fault("break_schema", nth=1))
    (answer,) = ask(server, [invoice(3)])
    assert (answer.outcome, answer.value, answer.attempts) == ("succeeded", Invoice(total=3.5), 2)
    assert answer.cost_usd == pytest.approx(server.bill_summary()["cost_usd"], abs=1e-12)


def test_a_bad_answer_is_an_answer_beside_the_good_ones(server: LocalServer) -> None:
    server.script(Fault("break_schema", contains="Invoice 7\n"))
    answers = ask(server, [invoice(number) for number in range(OTHERS)])
    bad = answers.pop(7)
    assert (bad.outcome, bad.code, bad.value, bad.attempts) == ("invalid", "schema", None, 2)
    assert bad.message
    assert {answer.outcome for answer in answers} == {"succeeded"}


def test_a_filtered_answer_is_refused(server: LocalServer) -> None:
    server.script(Fault("content_filter", nth=1))
    (answer,) = ask(server, [invoice(3)])
    assert (answer.outcome, answer.code) == ("refused", "content_filter")


def test_a_fence_is_mended_without_asking_again() -> None:
    with answering(total_of) as server:
        server.script(Fault("fence"))
        (answer,) = ask(server, [invoice(3)], model="gpt-5-mini")
    assert (answer.value, answer.attempts, bool(answer.mends)) == (Invoice(total=3.5), 1, True)


# Faults of the way


def test_a_call_has_no_inbox(server: LocalServer) -> None:
    with pytest.raises(BadInput, match="keeps no inbox"):
        ask(server, [invoice(1)], delivery="webhook")


@pytest.mark.parametrize(
    ("fault", "delivery"),
    [
        (Fault("cut_after_work", nth=1), "poll"),
        (Fault("cut_after_work", nth=1), "sync"),
        (Fault("garbage_body", nth=1), "poll"),
        (Fault("no_acknowledgement", nth=1), "poll"),
        (Fault("forget_result", nth=1), "poll"),
        (Fault("forget_result", nth=1), "sync"),
        (Fault("duplicate_items"), "poll"),
    ],
    ids=str,
)
def test_whatever_is_lost_on_the_way_is_paid_once(server: LocalServer, fault: Fault, delivery: str) -> None:
    server.script(fault)
    limits = {**QUICK, "deadline_s": 4.0}
    answers = ask(server, [invoice(1), invoice(2)], delivery=delivery, limits=limits)
    assert server.faults()[-1]["fired"]
    assert [answer.value for answer in answers] == [Invoice(total=1.5), Invoice(total=2.5)]
    assert executed(server) == 2


def test_a_text_whose_stream_is_cut_is_asked_for_and_paid_once(server: LocalServer) -> None:
    server.script(Fault("cut_stream", nth=1))
    answers = ask(server, [invoice(1), invoice(2)], delivery="stream", output_type=None)
    assert [answer.value for answer in answers] == ["1.5", "2.5"]
    assert executed(server) == 2


def test_what_takes_too_long_is_given_up_and_said_to_be_perhaps_billed() -> None:
    with answering(total_of) as server:
        server.script(Fault("never_finish", contains="Invoice 1\n"))
        quick, slow = ask(server, [invoice(0), invoice(1)], timeout_s=1.0)
    assert quick.value == Invoice(total=0.5)
    assert (slow.outcome, slow.code, slow.value, slow.attempts) == ("failed", "timeout", None, 1)
    assert "may have been sent, and billed" in (slow.message or "")
    assert slow.task_uuid


def test_time_that_is_over_before_the_first_answer_raises_nothing_either() -> None:
    with answering(total_of, latency=30.0) as server:
        (slow,) = ask(server, [invoice(0)], timeout_s=0.3)
    assert (slow.outcome, slow.code) == ("failed", "timeout")


@pytest.mark.parametrize("budget", [None, {"usd": 1.0}], ids=["no budget", "a price to look up"])
async def test_the_time_is_that_of_the_whole_call_also_where_nobody_says_a_word(budget: Any) -> None:
    async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    async with raw_server(say_nothing) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", KEY)
        spec = question_spec({"budget": budget})
        began = time.monotonic()
        (answer,) = await ask_in_memory([invoice(0)], spec, endpoint, timeout_s=1.0)
        took_s = time.monotonic() - began
    assert (answer.outcome, answer.code) == ("failed", "timeout")
    assert (answer.message or "").startswith("there was no answer within timeout_s=1")
    assert took_s < 1.9  # with a look each second, two seconds of grace or ten for the price it would be more


def test_what_was_paid_is_given_when_the_money_ends() -> None:
    one = 0.00008
    with answering(total_of, balance=one * 7) as server:
        limits = {**QUICK, "tasks_per_request": 1, "requests": 1, "max_outstanding": 1}
        answers = ask(server, [invoice(number) for number in range(OTHERS)], limits=limits)
        bill = server.bill_summary()["cost_usd"]
    succeeded = [answer for answer in answers if answer.outcome == "succeeded"]
    rest = answers[len(succeeded) :]
    assert len(succeeded) >= 5
    assert {answer.code for answer in rest} == {"stopped"}
    assert {answer.outcome for answer in rest} <= {"skipped", "failed"}
    assert paid(answers) == pytest.approx(bill, abs=1e-12)


def test_nobody_there_is_an_error_that_comes_in_time() -> None:
    with answering(total_of) as server:
        pass
    with pytest.raises(Unreachable):
        ask(server, [invoice(0)], limits={**QUICK, "unreachable_s": 0.3})


def test_a_wrong_key_is_an_error(server: LocalServer) -> None:
    with pytest.raises(KeyRefused):
        ask(server, [invoice(0)], key="another-key-0123456789")
    assert executed(server) == 0


def test_a_request_that_the_api_refuses_is_an_error_that_does_not_quote_it(server: LocalServer) -> None:
    server.script(Fault("refuse_task", code="invalidParameter", status=400))
    with pytest.raises(RequestRefused) as refused:
        ask(server, [invoice(0)])
    assert "Invoice" not in str(refused.value)


async def test_a_call_that_is_asked_to_stop_stops(server: LocalServer) -> None:
    server.script(Fault("never_finish"))
    stop = asyncio.Event()
    spec = question_spec({"output_type": Invoice, "limits": QUICK})
    asked = asyncio.create_task(ask_in_memory([invoice(0)], spec, Endpoint(server.base_url, KEY), stop=stop))
    async with asyncio.timeout(30):
        while not server.bill_summary()["executed"]:  # noqa: ASYNC110 - the server is in another thread
            await asyncio.sleep(0.01)
    stop.set()
    with pytest.raises(Interrupted):
        await asked


# Money


def test_a_budget_that_would_not_last_sends_nothing(server: LocalServer) -> None:
    with pytest.raises(BudgetExhausted, match="nothing was sent"):
        ask(server, [invoice(number) for number in range(OTHERS)], budget={"usd": 0.0001})
    assert executed(server) == 0


def test_a_partial_budget_answers_as_far_as_it_gets(server: LocalServer) -> None:
    budget = {"usd": 0.004, "when_short": "partial"}
    answers = ask(server, [invoice(number) for number in range(100)], budget=budget)
    codes = {answer.outcome: answer.code for answer in answers}
    assert codes == {"succeeded": None, "skipped": "budget"}
    assert paid(answers) <= 0.004


def test_a_budget_in_usd_needs_a_price(server: LocalServer) -> None:
    with pytest.raises(BadInput, match=r"budget\.usd: the API names no price"):
        ask(server, [invoice(0)], model="unknown:model@1", budget={"usd": 1})


# What is wrong before anything is sent


@pytest.mark.parametrize(
    ("questions", "wish", "field"),
    [
        ("one text", {}, "questions"),
        ([invoice(0), 7], {}, "questions[1]"),
        ([invoice(0), "half \ud800 a pair"], {}, "questions[1]"),
        ([invoice(0)], {"system_prompt": "half \ud800"}, "system_prompt"),
        ([invoice(0)], {"model": "half \ud800"}, "model"),
        ([invoice(0)], {"settings": {"extra": {"half": ["\ud800"]}}}, "settings.extra"),
        ([invoice(0)], {"settings": {"thinking_level": "\ud800"}}, "settings.thinking_level"),
        (
            [invoice(0)],
            {"output_type": None, "tools": [{**TOOL, "description": "\ud800"}]},
            "tools.description",
        ),
        ([invoice(0)], {"output_type": None, "tools": [{**TOOL, "schema": {"a": "\ud800"}}]}, "tools.schema"),
        (7, {}, "questions"),
        ([{"role": "user", "content": "x"}], {}, "questions[0]"),
        ([invoice(0), [{"role": "system", "content": "x"}]], {}, "questions[1]"),
        ([[{"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}]], {}, "questions[0]"),
        ([[]], {}, "questions[0]"),
        ([invoice(0)], {"timeout_s": 0}, "timeout_s"),
        ([invoice(0)], {"timeout_s": float("nan")}, "timeout_s"),
        ([invoice(0)], {"timeout_s": True}, "timeout_s"),
        ([invoice(0)], {"output_type": 7}, "output_type"),
        ([invoice(0)], {"settings": {"temperature": 3}}, "settings.temperature"),
        ([invoice(0)], {"tools": [{"name": "a", "schema": {"type": "object"}}]}, "tools"),
    ],
)
def test_bad_input_names_the_field(server: LocalServer, questions: Any, wish: Any, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        ask(server, questions, **wish)
    assert refused.value.field == field
    assert server.bill_summary()["requests"] == 0


def test_a_question_that_is_too_long_is_skipped(server: LocalServer) -> None:
    (answer,) = ask(server, ["long " * 100], limits={**QUICK, "max_prompt_chars": 99})
    assert (answer.outcome, answer.code) == ("skipped", "too_long")


# Silence


def test_a_cost_that_nobody_knows_is_said_to_be_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="runware_provider")
    with answering(total_of) as server:
        server.script(Fault("never_finish", contains="Invoice 1\n"))
        (answer,) = ask(server, [invoice(1)], timeout_s=0.8)
    assert (answer.attempts, answer.cost_usd) == (1, None)
    told = said(caplog.messages)
    unknown = "and an unknown amount for 1 of them, which may be billed"
    assert f"1 question: 1 failed; 0 USD paid, {unknown}" in told


def test_neither_question_nor_answer_is_logged(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="runware_provider")
    server.script(Fault("break_schema", nth=1), Fault("cut_after_work", nth=2))
    ask(server, [f"A secret question {n}\nTotal: 4711{n}.5" for n in range(OTHERS)])
    told = said(caplog.messages)
    assert f"Asking deepseek-v4-pro: {OTHERS} questions" in told
    assert f"{OTHERS} questions: {OTHERS} succeeded; 0.00" in told
    assert not [word for word in ("secret", "4711", KEY) if word in told]
