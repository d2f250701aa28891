"""An answer that does not fit is shown to the model with its errors: counted, bounded, never paid for twice."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from pydantic import AfterValidator, create_model

from runware_provider.engine.attempt import Kind
from runware_provider.engine.errors import BadInput, BudgetExhausted, Interrupted, TooManyFailed, Unreachable
from runware_provider.engine.job.run import run_job
from runware_provider.engine.memory.forgetting import forget
from runware_provider.engine.spec import Answers, Budget, Settings, Tool
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

ONCE = Fault("break_schema", without="assistant")
"""The first answer does not fit, the one that saw its errors does."""
ALWAYS = Fault("break_schema")
ONE_RETRY: dict[str, Any] = {"answers": Answers()}


def requests_of(place: Any) -> list[dict[str, Any]]:
    """What the server has of every task that it ran, as it was sent, those with fewer messages first."""
    asked = [{"taskType": "getTaskDetails", "taskUUID": name} for name in place.server.bill()["tasks"]]
    reply = httpx.post(
        place.server.base_url, json=asked, headers={"Authorization": f"Bearer {place.endpoint.key}"}
    )
    sent = [item["request"] for item in reply.json()["data"]]
    return sorted(sent, key=lambda one: len(one["messages"]))


def facts_of(place: Any) -> list[dict[str, Any]]:
    return [row["inference"] for row in place.rows()]


def check_bill(place: Any, manifest: dict[str, Any]) -> None:
    """The manifest is the bill, and so is the sum over rows that asked for themselves."""
    bill = place.server.bill()
    assert all(line["executed"] == 1 for line in bill["tasks"].values())
    assert manifest["cost_usd"] == pytest.approx(bill["cost_usd"], abs=1e-9)
    rows = {row["task_uuid"]: row["cost_usd"] or 0 for row in facts_of(place)}
    assert sum(rows.values()) == pytest.approx(bill["cost_usd"], abs=1e-9)


@pytest.mark.parametrize(
    ("times", "outcome"), [(None, "failed"), (2, "succeeded")], ids=["always fails", "fails twice"]
)
async def test_a_row_shows_what_all_its_attempts_cost_also_those_that_ended_in_errors(
    place: Any, times: int | None, outcome: str
) -> None:
    place.fill(1)
    place.server.script(Fault("fail_task", code="providerError", charge=True, times=times))
    manifest = await place.run()
    assert [(one["outcome"], one["attempts"]) for one in facts_of(place)] == [(outcome, 3)]
    check_bill(place, manifest)
    # A run that finds all of it in the ledger writes the same.
    (place.state / "manifest.json").unlink()
    shutil.rmtree(place.destination)
    check_bill(place, await place.run(publish={"keep_raw": True}))


@pytest.mark.parametrize("delivery", ["poll", "sync"])
@pytest.mark.parametrize("mode", ["tool", "prompt"])
async def test_an_answer_that_does_not_fit_is_shown_with_its_errors_and_answered_anew(
    place: Any, delivery: str, mode: str
) -> None:
    place.server.script(ONCE)
    place.fill(3)
    manifest = await place.run(delivery=delivery, answers={"output_mode": mode, "output_retries": 1})
    assert manifest["outcomes"] == {"succeeded": 3}
    assert (manifest["reasks"], manifest["inferences"], place.executed()) == (3, 6, 6)
    assert [row["result"]["total"] for row in place.rows()] == [0.5, 1.5, 2.5]
    assert {(row["attempts"], row["reasks"]) for row in facts_of(place)} == {(2, 1)}
    check_bill(place, manifest)
    *firsts, one, two, three = requests_of(place)
    assert {len(first["messages"]) for first in firsts} == {1}
    prompts = {first["messages"][0]["content"] for first in firsts}
    for sent in (one, two, three):
        user, model, complaint = sent["messages"]
        assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
        assert user["content"] in prompts
        assert '"unexpected"' in model["content"]
        assert "total" in complaint["content"]
        assert {key: sent[key] for key in sent.keys() - {"messages", "taskUUID"}} == {
            key: firsts[0][key] for key in firsts[0].keys() - {"messages", "taskUUID"}
        }


async def test_in_the_end_nothing_is_told_to_be_asked_again(place: Any) -> None:
    place.server.script(ALWAYS)
    place.fill(4)
    told: list[Any] = []
    await run_job(place.spec(**ONE_RETRY), place.endpoint, report=told.append)
    assert place.executed() == 8
    assert told[-1].asked_again == 0


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_it_is_asked_as_often_as_allowed_and_a_rerun_pays_nothing(place: Any, retries: int) -> None:
    place.server.script(ALWAYS)
    place.fill(4)
    answers = Answers(output_retries=retries)
    manifest = await place.run(answers=answers)
    assert manifest["outcomes"] == {"invalid": 4}
    assert place.executed() == 4 * (1 + retries)
    check_bill(place, manifest)
    before = place.rows()
    assert {(row["attempts"], row["reasks"]) for row in facts_of(place)} == {(1 + retries, retries)}
    again = await place.run(answers=answers)
    assert (again["paid_inferences"], place.executed()) == (0, 4 * (1 + retries))
    assert place.rows() == before
    assert again["cost_usd"] == manifest["cost_usd"]


async def test_more_output_retries_than_before_ask_the_further_ones_and_the_plan_says_so_first(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.server.script(Fault("break_schema", contains="poison"))
    place.fill(["poison\nTotal: 1.50 EUR", "Total: 2.50 EUR"])
    await place.run(answers=Answers(output_retries=0))
    assert place.plan(answers=Answers(output_retries=0))["to_pay"] == 0
    planned = place.plan(**ONE_RETRY)
    assert (planned["to_pay"], planned["to_retry_output"], planned["answered_before"]) == (1, 1, 1)
    assert planned["changed"] == ["answers.output_retries"]
    place.server.clear_faults()
    with caplog.at_level("INFO", "runware_provider"):
        manifest = await place.run(**ONE_RETRY)
    told = " ".join(record.getMessage().strip() for record in caplog.records)
    assert "To ask: 1 inference; 1 of them since the answer does not fit; 1 answered already." in told
    assert "Why: since the last publish the answers.output_retries changed." in told
    assert manifest["outcomes"] == {"succeeded": 2}
    assert (manifest["paid_inferences"], place.executed()) == (1, 3)
    assert place.plan(**ONE_RETRY)["to_pay"] == 0


async def test_a_manifest_that_knows_no_output_retries_had_none(place: Any) -> None:
    place.server.script(ALWAYS)
    place.fill(2)
    await place.run()
    path = place.state / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"reasks"', '"of_before"'), encoding="utf-8")
    assert place.plan(**ONE_RETRY)["changed"] == ["answers.output_retries"]
    assert place.plan()["changed"] == []


def _refuse(total: float) -> float:
    if total >= 0:
        raise ValueError("this check takes nothing")
    return total


LENIENT = create_model("Invoice", total=(float, ...))
STRICT = create_model("Invoice", total=(Annotated[float, AfterValidator(_refuse)], ...))
"""The same schema, so the same request."""


async def test_a_changed_check_reads_all_answers_anew_for_free(place: Any) -> None:
    place.fill(2)
    manifest = await place.run(**ONE_RETRY, output_type=STRICT)
    assert manifest["outcomes"] == {"invalid": 2}
    assert place.executed() == 4
    manifest = await place.run(**ONE_RETRY, output_type=LENIENT)
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 2}, 4)
    check_bill(place, manifest)


async def test_an_error_of_the_output_retry_leaves_the_answer_that_was_paid_for(place: Any) -> None:
    place.server.script(ONCE, Fault("refuse_task", contains="assistant", code="providerBadRequest"))
    place.fill(2)
    manifest = await place.run(**ONE_RETRY)
    assert manifest["outcomes"] == {"invalid": 2}
    row = facts_of(place)[0]
    assert (row["error_code"], row["attempts"], row["reasks"]) == ("schema", 2, 0)
    assert row["error_message"].endswith("; asked again, it ended in an error (provider_final)")
    assert "unexpected" in row["raw"]
    assert place.ledger()[row["task_uuid"]]["kind"] == Kind.ANSWERED
    before = place.rows()
    await place.run(**ONE_RETRY)
    assert (place.executed(), place.rows()) == (2, before)


async def test_errors_of_output_retries_count_against_the_attempts(place: Any) -> None:
    place.server.script(ONCE, Fault("fail_task", contains="assistant", code="providerError", charge=True))
    place.fill(1)
    manifest = await place.run(**ONE_RETRY, limits={"attempts": 2})
    assert manifest["outcomes"] == {"invalid": 1}
    assert facts_of(place)[0]["attempts"] == 3
    assert manifest["cost_usd"] == pytest.approx(place.server.bill()["cost_usd"], abs=1e-9)
    place.server.clear_faults()
    assert (await place.run(**ONE_RETRY, limits={"attempts": 2}))["outcomes"] == {"invalid": 1}
    assert (await place.run(**ONE_RETRY, limits={"attempts": 3}))["outcomes"] == {"succeeded": 1}


async def test_a_prompt_that_never_fits_still_costs_a_few_dozen_answers(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.02, faults=(ALWAYS,))
    place.fill(2_000)
    with pytest.raises(TooManyFailed, match=r"of the last \d+ answers failed"):
        await place.run(**ONE_RETRY, failures={"most": 0.1})
    assert place.executed() <= 300


async def test_only_the_last_word_counts_against_what_may_fail(place: Any) -> None:
    place.server.script(ONCE)
    place.fill(120)
    assert (await place.run(**ONE_RETRY, failures={"most": 0}))["outcomes"] == {"succeeded": 120}


# truncated answers

WORDY = "Total: 1.50 EUR and so on\n"


async def test_a_truncated_answer_is_asked_again_with_twice_the_tokens_up_to_the_bound(place: Any) -> None:
    place.server.script(Fault("truncate"))
    place.fill(1)
    manifest = await place.run(
        settings=Settings(max_tokens=1_000), answers=Answers(output_retries=2, max_tokens_if_truncated=3_000)
    )
    assert manifest["outcomes"] == {"invalid": 1}
    sent = requests_of(place)
    assert sorted(one["settings"]["maxTokens"] for one in sent) == [1_000, 2_000, 3_000]
    assert {len(one["messages"]) for one in sent} == {1}
    assert facts_of(place)[0]["error_code"] == "truncated"
    check_bill(place, manifest)
    await place.run(
        settings=Settings(max_tokens=1_000), answers=Answers(output_retries=2, max_tokens_if_truncated=3_000)
    )
    assert place.executed() == 3


async def test_without_a_bound_a_truncated_answer_is_not_asked_again(place: Any) -> None:
    place.server.script(Fault("truncate"))
    place.fill(1)
    await place.run(**ONE_RETRY)
    assert place.executed() == 1


async def test_the_first_doubling_is_of_the_default_of_the_api(place: Any) -> None:
    place.server.script(Fault("truncate", times=1))
    place.fill(1)
    manifest = await place.run(answers=Answers(max_tokens_if_truncated=100_000))
    assert manifest["outcomes"] == {"succeeded": 1}
    assert [one.get("settings", {}).get("maxTokens") for one in requests_of(place)].count(65_536) == 1


async def test_a_text_that_was_cut_off_gets_more_room_too(new_place: Callable[..., Any]) -> None:
    place = new_place(answers=lambda _: "a text that is longer than four letters")
    place.fill(1)
    text = {"output_type": None, "prompt": "Say it: {{ record.body }}", "settings": Settings(max_tokens=1)}
    await place.run(**text, answers=Answers(max_tokens_if_truncated=1_000))
    row = facts_of(place)[0]
    assert (row["outcome"], row["finish_reason"]) == ("succeeded", "stop")
    assert row["reasks"] >= 1
    assert len(place.rows()[0]["result"]) > 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answers": Answers(max_tokens_if_truncated=100_001)}, "takes at most 100000"),
        ({"answers": Answers(max_tokens_if_truncated=32_768)}, "may have 32768 tokens"),
        (
            {
                "answers": Answers(max_tokens_if_truncated=50),
                "settings": Settings(max_tokens=50),
                "model": "some-other",
            },
            "may have 50 tokens",
        ),
    ],
)
async def test_a_bound_that_cannot_work_is_refused_before_anything_is_paid(
    place: Any, changes: dict[str, Any], said: str
) -> None:
    place.fill(1)
    with pytest.raises(BadInput, match=said) as refused:
        await place.run(**changes)
    assert refused.value.field == "answers.max_tokens_if_truncated"
    assert place.asked_nothing()


# interruptions


async def test_what_stopped_between_answer_and_output_retry_goes_on(place: Any) -> None:
    place.server.script(ONCE, Fault("refuse_task", contains="assistant", code="insufficientCredits"))
    place.fill(3)
    with pytest.raises(Exception, match="insufficientCredits"):
        await place.run(**ONE_RETRY)
    paid = place.executed()
    assert paid <= 3
    place.server.clear_faults()
    manifest = await place.run(**ONE_RETRY)
    assert manifest["outcomes"]["succeeded"] == 3
    check_bill(place, manifest)


@pytest.mark.parametrize("delivery", ["poll", "sync"])
@pytest.mark.parametrize("kind", ["cut_after_work", "fail_after_work", "half_body", "garbage_body"])
async def test_a_output_retry_whose_reply_is_lost_is_paid_once(place: Any, kind: str, delivery: str) -> None:
    place.server.script(
        ONCE, Fault(kind, contains="assistant", task_type="textInference", times=2, status=502)
    )
    place.fill(3)
    manifest = await place.run(**ONE_RETRY, delivery=delivery)
    assert manifest["outcomes"] == {"succeeded": 3}
    check_bill(place, manifest)


async def test_a_output_retry_that_was_under_way_is_collected_even_if_no_more_are_allowed(place: Any) -> None:
    place.server.script(ONCE, Fault("delay_task", contains="assistant", seconds=0.5))
    place.fill(2)
    stop = asyncio.Event()
    with pytest.raises(Interrupted):
        await run_job(
            place.spec(**ONE_RETRY), place.endpoint, stop=stop, transport=StopAfterOutputRetry(stop)
        )
    paid = place.executed()
    assert paid > 2
    manifest = await place.run(answers=Answers(output_retries=0))
    assert manifest["outcomes"]["succeeded"] == paid - 2
    assert place.executed() == paid
    check_bill(place, manifest)


@pytest.mark.parametrize("delivery", ["poll", "sync"])
@pytest.mark.parametrize("kind", ["delay_request", "delay_reply"])
def test_a_process_that_is_killed_at_a_output_retry_goes_on_and_pays_for_nothing_twice(
    place: Any, kind: str, delivery: str
) -> None:
    freeze = Fault(kind, contains="assistant", task_type="textInference", seconds=600.0)
    place.server.script(freeze, ONCE)
    place.fill(12)
    command = place.arguments("run", delivery=delivery, output_retries=None)
    with place.start(*command) as process:
        pause = threading.Event()
        for _ in range(30_000):
            if place.server.faults()[0]["fired"] or process.poll() is not None:
                break
            pause.wait(0.01)
        process.kill()
        process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    place.server.clear_faults()
    again = place.call(*command)
    manifest = json.loads(again.stdout)
    assert (again.returncode, manifest["rows"]) == (0, 12)
    assert manifest["outcomes"] == {"succeeded": 12}
    assert [row["result"]["total"] for row in place.rows()] == [n + 0.5 for n in range(12)]
    check_bill(place, manifest)
    assert place.executed() <= 24


MIXED = (
    "cut_before_work cut_after_work fail_after_work half_body garbage_body duplicate_items shuffle_items"
    " unknown_item no_acknowledgement fail_task forget_result truncate empty_text string_arguments no_status"
)
"""What may go wrong at once, beside answers that do not fit."""


async def test_whatever_mixture_strikes_the_rows_are_whole_and_the_bill_agrees(
    new_place: Callable[..., Any], subtests: pytest.Subtests
) -> None:
    places = [new_place(f"job-{seed}", seed=seed) for seed in range(8)]
    together = [strike(place, seed) for seed, place in enumerate(places)]  # each waits most of its time
    for seed, ended in enumerate(await asyncio.gather(*together, return_exceptions=True)):
        with subtests.test(seed=seed):
            if ended is not None:
                raise ended


async def strike(place: Any, seed: int) -> None:
    """Run a job among faults, compare it with its bill, and run it again without faults, for nothing."""
    dice = random.Random(seed)  # noqa: S311 - a test that repeats itself
    kinds = dice.sample(MIXED.split(), 4)
    faults = [
        Fault(kind, probability=0.3, times=3, status=502, code="providerError", charge=True) for kind in kinds
    ]
    place.server.script(Fault("break_schema", probability=0.7), *faults)
    place.fill(20)
    limits = {"tasks_per_request": 4, "deadline_s": 0.5}
    delivery = ("poll", "sync")[seed % 2]
    answers = Answers(output_retries=2, max_tokens_if_truncated=100_000)
    manifest = await place.run(answers=answers, delivery=delivery, limits=limits)
    rows, ledger, bill = place.rows(), place.ledger(), place.server.bill()
    assert [row["n"] for row in rows] == list(range(20))
    assert sum(manifest["outcomes"].values()) == 20
    for name, line in bill["tasks"].items():
        assert line["executed"] == 1
        assert ledger[name]["kind"] >= Kind.SPENT
    told = sum(
        line["cost_usd"] for name, line in bill["tasks"].items() if ledger[name]["cost_pico_usd"] is not None
    )
    assert manifest["cost_usd"] == pytest.approx(told, abs=1e-9)
    assert manifest["reasks"] == sum(row["inference"]["reasks"] for row in rows) > 0
    for row in rows:
        if row["inference"]["outcome"] == "succeeded":
            assert row["result"]["total"] == row["n"] + 0.5
    paid = place.executed()
    place.server.clear_faults()
    again = await place.run(answers=answers, delivery=delivery, limits=limits)
    assert (again["paid_inferences"], place.executed()) == (0, paid)
    assert again["outcomes"] == manifest["outcomes"]


async def test_a_output_retry_under_way_that_is_not_needed_any_more_is_told_as_perhaps_billed(
    place: Any,
) -> None:
    place.server.script(Fault("delay_task", contains="assistant", seconds=5.0))
    place.fill(2)
    stop = asyncio.Event()
    with pytest.raises(Interrupted):
        await run_job(
            place.spec(**ONE_RETRY, output_type=STRICT),
            place.endpoint,
            stop=stop,
            transport=StopAfterOutputRetry(stop),
        )
    manifest = await place.run(**ONE_RETRY, output_type=LENIENT)
    assert manifest["outcomes"] == {"succeeded": 2}
    assert place.executed() == 2 + manifest["maybe_billed"] > 2
    assert set(manifest["unpriced_tasks"]) < set(place.server.bill()["tasks"])


class StopAfterOutputRetry(httpx.AsyncHTTPTransport):
    """Stops the job as soon as the API has replied to an output retry."""

    def __init__(self, stop: asyncio.Event) -> None:
        super().__init__()
        self._stop = stop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = await super().handle_async_request(request)
        if b'"assistant"' in request.content:
            self._stop.set()
        return reply


# money


async def test_a_budget_that_is_used_up_leaves_the_row_invalid_and_a_later_run_goes_on(place: Any) -> None:
    place.server.script(ALWAYS)
    place.fill(1)
    first = await place.run()
    tokens = first["prompt_tokens"] + first["completion_tokens"]
    little = Budget(tokens=max(1, tokens // 4), when_short="partial")
    manifest = await place.run(**ONE_RETRY, budget=little)
    assert (manifest["outcomes"], place.executed()) == ({"invalid": 1}, 1)
    assert "the budget was used up before it was asked again" in facts_of(place)[0]["error_message"]
    with pytest.raises(BudgetExhausted):
        await place.run(**ONE_RETRY, budget=Budget(tokens=max(1, tokens // 4)))
    place.server.clear_faults()
    manifest = await place.run(**ONE_RETRY, budget=Budget(tokens=100 * tokens))
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 1}, 2)


async def test_a_preview_counts_what_its_output_retries_cost(place: Any) -> None:
    place.server.script(ONCE)
    place.fill(10)
    shown = await run_job(place.spec(**ONE_RETRY), place.endpoint, preview=3)
    assert sum(cost for _, cost in shown["priced"]) == pytest.approx(
        place.server.bill()["cost_usd"], abs=1e-9
    )


# who else reads answers


async def test_records_that_ask_the_same_share_the_output_retry(place: Any) -> None:
    place.server.script(ONCE)
    place.fill(["Total: 1.50 EUR"] * 5 + ["Total: 2.50 EUR"])
    manifest = await place.run(**ONE_RETRY, limits={"batch_rows": 2})
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 6}, 4)
    check_bill(place, manifest)


async def test_every_sample_has_its_own(place: Any) -> None:
    place.server.script(ONCE)
    place.fill(2)
    manifest = await place.run(**ONE_RETRY, samples=3)
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 6}, 12)


@pytest.mark.parametrize("retries_there", [0, 1])
async def test_a_copied_answer_that_does_not_fit_is_asked_about_here(place: Any, retries_there: int) -> None:
    place.server.script(ALWAYS)
    place.fill(2)
    shared = {"memory": {"reuse": "dataset"}, "partition": {"ds": "1"}}
    await place.run(**shared, answers=Answers(output_retries=retries_there))
    assert place.executed() == 2 * (1 + retries_there)
    place.server.clear_faults()
    shared["partition"] = {"ds": "2"}
    planned = place.plan(**shared, answers=Answers(output_retries=2))
    assert (planned["to_pay"], planned["to_retry_output"]) == (2, 2)
    manifest = await place.run(**shared, answers=Answers(output_retries=2))
    assert manifest["outcomes"] == {"succeeded": 2}
    assert (manifest["paid_inferences"], manifest["reused_inferences"]) == (2, 2 * (1 + retries_there))
    assert place.executed() == 2 * (1 + retries_there) + 2
    # And a third partition takes over the whole conversation.
    shared["partition"] = {"ds": "3"}
    manifest = await place.run(**shared, answers=Answers(output_retries=2))
    assert (manifest["outcomes"], manifest["paid_inferences"]) == ({"succeeded": 2}, 0)


async def test_a_wish_to_ask_failures_again_begins_from_the_first_question(place: Any) -> None:
    place.server.script(ALWAYS)
    place.fill(2)
    await place.run(**ONE_RETRY)
    place.server.clear_faults()
    place.server.script(ONCE)
    manifest = await place.run(**ONE_RETRY, retry_failed="mine")
    assert (manifest["outcomes"], manifest["paid_inferences"]) == ({"succeeded": 2}, 4)
    assert (await place.run(**ONE_RETRY, retry_failed="mine"))["paid_inferences"] == 0


async def test_a_refresh_asks_further_about_its_own_answers(place: Any) -> None:
    place.fill(2)
    await place.run(**ONE_RETRY)
    place.server.script(ONCE)
    manifest = await place.run(**ONE_RETRY, refresh="anew")
    assert (manifest["outcomes"], manifest["paid_inferences"]) == ({"succeeded": 2}, 4)


async def test_retention_keeps_every_answer_of_a_row_and_forgetting_takes_all(place: Any) -> None:
    place.server.script(ALWAYS)
    place.fill(2)
    first = await place.run(**ONE_RETRY, memory={"retention_days": 0})
    assert (await place.run(**ONE_RETRY, memory={"retention_days": 0}))["paid_inferences"] == 0
    assert place.executed() == 4
    from runware_provider.engine.storage.stores import Stores  # noqa: PLC0415 - only here

    storage = Stores().open(str(place.destination), field="destination")
    uuid = facts_of(place)[0]["task_uuid"]
    told = forget(storage, str(place.state), task_uuids=[uuid])
    assert told["answers"] == 2
    manifest = await place.run(**ONE_RETRY)
    assert manifest["paid_inferences"] == 2
    assert manifest["cost_usd_ever"] == pytest.approx(place.server.bill()["cost_usd"], abs=1e-9)
    assert manifest["cost_usd"] > first["cost_usd"]


async def test_compaction_changes_nothing(place: Any) -> None:
    place.server.script(ALWAYS)
    place.fill(70)
    small = {"requests": 1, "tasks_per_request": 1, "batch_rows": 1}
    await place.run(**ONE_RETRY, limits=small)
    before = place.rows()
    assert (await place.run(**ONE_RETRY))["paid_inferences"] == 0
    assert [row["inference"] for row in place.rows()] == [row["inference"] for row in before]


async def test_own_tools_are_asked_about_further_too(place: Any) -> None:
    place.server.script(ONCE)
    place.fill(1)
    tool = Tool(
        name="note",
        schema={"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]},
    )
    manifest = await place.run(**ONE_RETRY, output_type=None, tools=(tool,), tool_choice="note")
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 1}, 2)


async def test_an_output_retry_that_is_not_wanted_any_more_is_neither_planned_nor_paid(place: Any) -> None:
    place.server.script(Fault("break_schema"), Fault("cut_before_work", contains="assistant"))
    place.fill(8)
    with pytest.raises(Unreachable):
        await place.run(answers={"output_retries": 1}, limits={"unreachable_s": 0.5})
    place.server.clear_faults()
    paid = place.executed()
    planned = place.plan(answers={"output_retries": 0})
    assert (planned["to_pay"], planned["fate_unknown"] + planned["answered_before"]) == (0, 8)
    manifest = await place.run(answers={"output_retries": 0})
    assert (manifest["outcomes"], place.executed()) == ({"invalid": 8}, paid)
    planned = place.plan(answers={"output_retries": 1})
    assert planned["to_pay"] + planned["fate_unknown"] == 8
    manifest = await place.run(answers={"output_retries": 1})
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 8}, paid + 8)
