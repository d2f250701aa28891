"""Jobs that ask in conversations: over a socket, against the local API server, which checks messages as the API does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from runware_provider.engine.errors import BadInput, JobStopped
from runware_provider.engine.job.run import run_job
from runware_provider.testing import Fault
from tests.engine.conftest import body_of
from tests.engine.test_output_retries import requests_of
from tests.engine.test_shards import all_three

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROMPT = "What is the total?\n{{ record.body }}"
ONE_MESSAGE = [{"role": "user", "content": PROMPT}]
EXAMPLES = [
    {"role": "user", "content": "What is the total?\nInvoice of an example\nTotal: 77.00 EUR"},
    {"role": "assistant", "content": '{"total": 77.0}'},
]
FEW_SHOT = [*EXAMPLES, *ONE_MESSAGE]
TOTAL = re.compile(r"Total: (-?[\d.]+)")


def last_total(task: Mapping[str, Any]) -> dict[str, float] | None:
    """The total that stands last in what was said to the model."""
    said = TOTAL.findall("\n".join(message["content"] for message in task["messages"]))
    return {"total": float(said[-1])} if said else None


@pytest.fixture
def chats(new_place: Callable[..., Any]) -> Any:
    """A place whose server reads the conversation to its end."""
    return new_place(answers=last_total)


def chat_of(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"I have an invoice, the {number}th. Total: 1.00 EUR?"},
        {"role": "assistant", "content": "Show it to me."},
        {"role": "user", "content": body_of(number)},
    ]


def conversing(**changes: Any) -> dict[str, Any]:
    return {"prompt": None, "messages": FEW_SHOT, **changes}


def messages_of(place: Any) -> list[Any]:
    return [task["messages"] for task in requests_of(place)]


# examples first, the record last


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_examples_go_before_each_record_and_each_has_its_row(chats: Any, delivery: Any) -> None:
    chats.fill(12)
    manifest = await chats.run(**conversing(delivery=delivery))
    chats.audit(manifest, 12)
    assert {len(sent) for sent in messages_of(chats)} == {3}
    assert all(sent[:2] == EXAMPLES for sent in messages_of(chats))
    assert {sent[2]["content"] for sent in messages_of(chats)} == {
        f"What is the total?\n{body_of(n)}" for n in range(12)
    }


async def test_the_fixed_part_before_the_record_is_cached_by_the_vendor(chats: Any) -> None:
    chats.fill(5)
    long = [
        {"role": "user", "content": "Example. " * 800},
        {"role": "assistant", "content": "Total: 1.00 EUR"},
    ]
    limits = {**chats.limits, "max_outstanding": 1}
    manifest = await chats.run(**conversing(messages=[*long, *ONE_MESSAGE], limits=limits))
    assert manifest["cached_tokens"] > manifest["prompt_tokens"] / 2


async def test_a_second_run_pays_nothing_and_another_example_pays_for_all(chats: Any) -> None:
    chats.fill(4)
    await chats.run(**conversing())
    assert (await chats.run(**conversing()))["paid_inferences"] == 0
    other = [{"role": "user", "content": "Else"}, *FEW_SHOT[1:]]
    told = chats.plan(**conversing(messages=other))
    assert (told["to_pay"], told["changed"]) == (4, ["messages"])
    assert (await chats.run(**conversing(messages=other)))["paid_inferences"] == 4


async def test_one_message_of_the_users_is_the_question_that_a_prompt_is(place: Any) -> None:
    place.fill(4)
    first = await place.run()
    assert first["paid_inferences"] == 4
    told = place.plan(**conversing(messages=ONE_MESSAGE))
    assert (told["to_pay"], told["answered_before"], told["changed"]) == (0, 4, [])
    again = await place.run(**conversing(messages=ONE_MESSAGE))
    assert (again["paid_inferences"], place.executed()) == (0, 4)
    assert again["request"] == first["request"]


async def test_every_message_counts_among_the_tokens_of_a_plan_and_of_a_bound(chats: Any) -> None:
    chats.fill(2)
    alone = chats.plan(limit=1)["estimate"]["prompt_tokens"]
    with_examples = chats.plan(**conversing(limit=1))["estimate"]["prompt_tokens"]
    assert with_examples > alone + 20
    limits = {**chats.limits, "max_input_tokens": (alone + with_examples) // 2}
    manifest = await chats.run(**conversing(limits=limits))
    assert manifest["outcomes"] == {"skipped": 2}
    assert [row["inference"]["error_code"] for row in chats.rows()] == ["too_many_tokens"] * 2
    assert chats.asked_nothing()


# a conversation of the record's own


@pytest.mark.parametrize("written", ["structs", "json"])
async def test_a_conversation_per_row_is_continued(chats: Any, written: str) -> None:
    held = [chat_of(n) for n in range(6)]
    column = held if written == "structs" else [json.dumps(chat) for chat in held]
    chats.fill(6, chat=pa.array(column))
    manifest = await chats.run(**conversing(messages="{{ record.chat }}"))
    chats.audit(manifest, 6)
    assert sorted(messages_of(chats), key=str) == sorted(held, key=str)


async def test_a_row_that_is_no_conversation_says_why_and_the_others_are_asked(chats: Any) -> None:
    rows = [
        chat_of(0),
        [{"role": "system", "content": "Be brief."}, *chat_of(1)],
        chat_of(2)[:2],
        [{"role": "user", "content": " "}],
        None,
        [],
        [{"role": None, "content": "x"}],
        chat_of(7),
    ]
    chats.fill(8, chat=pa.array(rows))
    manifest = await chats.run(**conversing(messages="{{ record.chat }}", publish={"columns": ["n"]}))
    assert manifest["outcomes"] == {"skipped": 6, "succeeded": 2}
    told = [(row["inference"]["error_code"], row["inference"]["error_message"] or "") for row in chats.rows()]
    assert [code for code, _ in told] == [
        None,
        "prompt_error",
        "prompt_error",
        "empty",
        "empty",
        "empty",
        "prompt_error",
        None,
    ]
    assert "say it in system_prompt" in told[1][1]
    assert "not the user's" in told[2][1]
    assert "Be brief" not in str(told)
    assert len(chats.server.bill()["tasks"]) == 2
    assert not chats.server.bill_summary()["refused"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([1, 2]), "int64, which holds no messages"),
        (pa.array([["a"], ["b"]]), "holds no messages"),
        (pa.array([[{"role": "user", "text": "x"}]] * 2), "holds no messages"),
        (pa.array([[{"role": "user", "content": 5}]] * 2), "holds no messages"),
        (pa.array([{"role": "user", "content": "x"}] * 2), "holds no messages"),
    ],
)
async def test_a_column_that_can_hold_no_messages_is_refused_at_once(
    place: Any, column: pa.Array, said: str
) -> None:
    place.fill(2, chat=column)
    with pytest.raises(BadInput, match=said) as refused:
        await place.run(**conversing(messages="{{ record.chat }}"))
    assert refused.value.field == "messages"
    assert place.asked_nothing()


async def test_conversations_of_which_none_can_be_asked_end_the_job_before_anything_is_paid(
    place: Any,
) -> None:
    place.fill(3, chat=pa.array([chat_of(n)[:2] for n in range(3)]))
    with pytest.raises(BadInput, match="the last message is not the user's") as refused:
        await place.run(**conversing(messages="{{ record.chat }}"))
    assert refused.value.field == "messages"
    assert place.asked_nothing()


@pytest.mark.parametrize(
    "messages", [EXAMPLES[:1], "{{ params.chat }}", "{{ [{'role': 'user', 'content': 'x'}] }}"]
)
async def test_messages_that_name_no_column_are_refused(place: Any, messages: Any) -> None:
    place.fill(1)
    with pytest.raises(BadInput, match="every record would be asked the same") as refused:
        await place.run(**conversing(messages=messages, variables={"params": {"chat": chat_of(0)}}))
    assert refused.value.field == "messages"
    assert place.asked_nothing()


# what else there is about a question


async def test_an_output_retry_goes_on_where_the_conversation_ended(chats: Any) -> None:
    chats.fill(2)
    chats.server.script(Fault("break_schema", times=2))
    manifest = await chats.run(**conversing(answers={"output_retries": 1}))
    assert manifest["outcomes"] == {"succeeded": 2}
    *_, retried = messages_of(chats)
    assert [message["role"] for message in retried] == ["user", "assistant", "user", "assistant", "user"]
    assert retried[:2] == EXAMPLES
    assert '"unexpected"' in retried[3]["content"]
    chats.audit(manifest, 2, output_retries=1)


async def test_what_a_killed_process_sent_is_collected_and_the_conversation_not_paid_twice(
    chats: Any,
) -> None:
    chats.fill(4, chat=pa.array([chat_of(n) for n in range(4)]))
    chats.kill_at(
        Fault("delay_reply", seconds=600.0),
        *chats.arguments(prompt=None, messages="{{ record.chat }}", delivery="sync"),
    )
    manifest = await chats.run(**conversing(messages="{{ record.chat }}"))
    assert manifest["outcomes"] == {"succeeded": 4}
    assert chats.executed() == 4
    assert chats.server.bill_summary()["uuids_executed_again"] == 0


async def test_shards_ask_the_same_conversations(chats: Any) -> None:
    chats.fill(9)
    await chats.run(**conversing(limit=3))
    manifest = await all_three(chats, 3, **conversing())
    assert manifest["outcomes"] == {"succeeded": 9}
    assert chats.executed() == 9, "what was answered before the job was cut is not asked again"


def test_the_command_line_takes_a_file_a_list_and_an_expression(chats: Any) -> None:
    chats.fill(3, chat=pa.array([chat_of(n) for n in range(3)]))
    path = chats.root / "messages.json"
    path.write_text(json.dumps([*EXAMPLES, {"role": "user", "content": "last.j2"}]), encoding="utf-8")
    (chats.root / "last.j2").write_text(PROMPT, encoding="utf-8")
    paid = []
    for messages in (path, json.dumps(FEW_SHOT), "{{ record.chat }}"):
        done = chats.call(*chats.arguments(prompt=None, messages=messages))
        assert done.returncode == 0, done.stderr
        paid.append(json.loads(done.stdout)["paid_inferences"])
    assert paid == [3, 0, 3]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"messages": "{{ record.body }}"}, "--messages: prompt and messages exclude each other"),
        ({"prompt": None}, "--prompt: it is missing"),
        ({"prompt": None}, "To do: Write --prompt ... or --messages FILE.json|JSON|EXPR;"),
        ({"prompt": None, "messages": "nowhere.json"}, "--messages: there is no file nowhere.json"),
        ({"prompt": None, "messages": "[1"}, "--messages: it is no JSON"),
        ({"prompt": None, "messages": '[{"role": "system", "content": "x"}]'}, "say it in --system-prompt"),
        (
            {"prompt": None, "messages": '[{"role": "user", "content": "{{ record.bdy }}"}]'},
            "message 1: line 1",
        ),
    ],
)
def test_the_command_line_refuses_what_cannot_work(place: Any, options: dict[str, Any], said: str) -> None:
    place.fill(1)
    done = place.call(*place.arguments(**options))
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split()).replace("- ", "-")
    assert place.asked_nothing()


async def test_no_message_is_ever_told_also_where_the_api_quotes_one(
    chats: Any, caplog: pytest.LogCaptureFixture
) -> None:
    chats.fill(2)
    quoted = EXAMPLES[1]["content"]
    chats.server.script(
        Fault("refuse_request", status=402, code="insufficientCredits", message=f"no credit for {quoted}")
    )
    with caplog.at_level("DEBUG"), pytest.raises(JobStopped) as stopped:
        await chats.run(**conversing())
    told = f"{stopped.value} {stopped.value.manifest} {caplog.text}"  # type: ignore[attr-defined] # set by who stops
    assert "insufficientCredits" in told
    assert not any(text in told for text in ("77.0", "Invoice", "What is the total"))


async def test_a_preview_asks_conversations_which_the_run_reuses(chats: Any) -> None:
    chats.fill(6)
    seen = await run_job(chats.spec(**conversing()), chats.endpoint, preview=2)
    assert seen["outcomes"] == {"succeeded": 2}
    assert (await chats.run(**conversing()))["paid_inferences"] == 4
    assert chats.executed() == 6
