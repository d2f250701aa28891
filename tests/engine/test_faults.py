"""Every fault that the local API server knows: the job ends, and its accounts agree with the bill.

Faults make a client wait, so the jobs of this module run side by side, each with a server of its own; each
test then looks at one of them.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import JobStopped
from runware_provider.testing import KINDS, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RECORDS = 12
SIDE_BY_SIDE = 16
TIMEOUT_S = 5.0
"""Long enough for a request that only a busy machine holds up: given up, it would come again in smaller pieces."""
TOO_LATE_S = TIMEOUT_S + 0.5
"""Before `deadline_s` has passed since, so that nobody takes what was held up for lost."""
LIMITS = {
    "tasks_per_request": 4,
    "batch_rows": 5,
    "deadline_s": 2.0,
    "request_timeout_s": TIMEOUT_S,
    "sync_timeout_s": TIMEOUT_S,
    "stream_timeout_s": TIMEOUT_S,
}
ONE = "Shop 7 GmbH"
"""One record's text; it comes after the first chunk."""
FIRST = "Shop 0 GmbH"
SHOWN = "assistant"
"""Stands in a question that shows the model its answer, and in no first one."""
NOT_MIXED = {"reservation_lapses", "dripping_reply", "unnamed_error"}
"""Runs twice on purpose; holds each request up for as long as it may take; the archive may be at fault at the same time."""
MIXTURES = 12
CODED = {"fail_task", "refuse_request", "refuse_task", "refuse_without_uuid"}
MAY_COST_ANOTHER = {"fail_task", "never_finish", "forget_result", "archive_overwritten"}
"""An answer that cannot be had any more is asked for again; whatever else goes wrong costs no second answer."""
FAILURES = ["providerError", "providerTimeout", "internalServerError", "invalidMessages"]
REFUSALS = [*FAILURES, "rateLimitExceeded"]
DELIVERIES = ("poll", "sync", "stream")
RESTARTS = 6
PATIENCE_S = 120
"""A mixture waits for half a minute at worst; on a busy machine, beside many others, for longer."""


@dataclass(frozen=True)
class Case:
    """A script, and what it makes of the records."""

    name: str
    faults: tuple[Fault, ...]
    delivery: str = "poll"
    outcomes: dict[str, int] = field(default_factory=lambda: {"succeeded": RECORDS})
    again: int = 0
    """Executions beyond the first of the same request, by policy."""
    settings: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=lambda: {"output_retries": 0})
    """What is done about an answer that does not fit."""

    @property
    def asked_for(self) -> dict[str, Any]:
        """What only some deliveries leave free: a stream brings plain text."""
        return {"delivery": self.delivery} | ({"output_type": None} if self.delivery == "stream" else {})

    @property
    def again_at_most(self) -> int:
        """Answers to one record beyond the first."""
        return int(self.answers["output_retries"]) + ("max_tokens_if_truncated" in self.answers)


def one(outcome: str) -> dict[str, int]:
    return dict(Counter({"succeeded": RECORDS - 1}) + Counter([outcome]))


def request_cases() -> list[Case]:
    refusals = (
        (408, "requestTimeout", None),
        (413, "arrayTooLong", None),
        (429, "rateLimitExceeded", None),
        (429, "rateLimitExceeded", 0.2),
        (500, "internalServerError", None),
        (502, "providerBadGateway", None),
        (503, "serviceUnavailable", 1),
        (504, "providerGatewayTimeout", None),
        (418, "somethingNew", None),
        (400, "invalidRequest", None),
    )
    cases = []
    for delivery in DELIVERIES:
        # All requests that stream have one task, so that the second is as the first.
        for nth, where in ((1, "first"), (2, "second"))[delivery == "stream" :]:
            at = {"task_type": "textInference", "nth": nth}
            cases += [
                Case(
                    f"{delivery}: {kind} at the {where} submission",
                    (Fault(kind, seconds=TOO_LATE_S, **at),),
                    delivery,
                )
                for kind in (
                    "delay_request",
                    "cut_before_work",
                    "cut_after_work",
                    "fail_after_work",
                    "delay_reply",
                    "half_body",
                    "garbage_body",
                )
            ]
        for status, code, after in refusals:
            fault = Fault(
                "refuse_request",
                task_type="textInference",
                nth=1,
                status=status,
                code=code,
                retry_after=after,
            )
            name = f"{delivery}: HTTP {status} {code} (retry after {after})"
            # The first sync requests, and all that stream, hold one task: what is refused as too large or invalid is that task.
            is_about_one = delivery != "poll" and status in {400, 413}
            outcomes = one("failed") if is_about_one else one("succeeded")
            cases.append(Case(name, (fault,), delivery, outcomes))
        plain = Fault(
            "refuse_request", task_type="textInference", nth=2, status=502, body="<h1>Bad gateway</h1>"
        )
        cases.append(Case(f"{delivery}: HTTP 502 with a page", (plain,), delivery))
        # A stream has no items, but frames, of which some may be of another task.
        kinds = (
            ("unknown_item",)
            if delivery == "stream"
            else ("duplicate_items", "shuffle_items", "unknown_item")
        )
        cases += [Case(f"{delivery}: {kind} everywhere", (Fault(kind),), delivery) for kind in kinds]
    for kind in ("cut_before_work", "delay_reply", "half_body", "garbage_body", "fail_after_work"):
        fault = Fault(kind, task_type="getResponse", nth=(1, 2), seconds=TOO_LATE_S)
        cases.append(Case(f"{kind} at two polls", (fault,)))
    dripping = Fault("dripping_reply", task_type="textInference", nth=2, seconds=0.2)
    cases.append(Case("dripping_reply at a submission", (dripping,)))
    dripping = Fault("dripping_reply", task_type="getResponse", nth=1, seconds=0.2)
    cases.append(Case("dripping_reply at a poll", (dripping,)))
    for status in (400, 408, 429, 500, 503, 504):
        code = {400: "invalidRequest", 429: "rateLimitExceeded"}.get(status, "internalServerError")
        fault = Fault("refuse_request", task_type="getResponse", nth=(1, 2), status=status, code=code)
        cases.append(Case(f"HTTP {status} at two polls", (fault,)))
    lost = Fault("cut_after_work", task_type="textInference", nth=2)
    for kind in ("cut_before_work", "garbage_body", "fail_after_work", "refuse_request"):
        details = Fault(kind, task_type="getTaskDetails", nth=1, status=503)
        forgotten = Fault("forget_result", contains=ONE)
        cases.append(Case(f"{kind} at the archive", (lost, details, forgotten)))
    return cases


def task_cases() -> list[Case]:
    refused = (
        ("rateLimitExceeded", one("succeeded") | {"succeeded": RECORDS}),
        ("inferenceRateLimitRequestTooLarge", one("failed")),
        ("contentPolicyViolation", one("refused")),
        ("providerError", {"succeeded": RECORDS}),
        ("providerBadRequest", one("failed")),
        ("providerTimeout", {"succeeded": RECORDS}),
        ("taskNotFound", {"succeeded": RECORDS}),
        ("internalServerError", {"succeeded": RECORDS}),
        ("invalidMessages", one("failed")),
        ("somethingNew", {"succeeded": RECORDS}),
        ("conflictTaskUUID", one("failed")),
    )
    cases = []
    for delivery in DELIVERIES:
        cases += [
            Case(
                f"{delivery}: {code} refuses a task",
                (Fault("refuse_task", contains=ONE, code=code, times=1),),
                delivery,
                outcomes,
            )
            for code, outcomes in refused
        ]
        cases += [
            Case(
                f"{delivery}: {code} refuses a task of the first chunk",
                (Fault("refuse_task", contains=FIRST, code=code, times=1),),
                delivery,
                outcomes,
            )
            for code, outcomes in refused
            if delivery != "stream"
        ]
        for code in ("providerError", "rateLimitExceeded"):
            fault = Fault("refuse_without_uuid", contains=ONE, code=code, times=1)
            cases.append(Case(f"{delivery}: {code} without a UUID", (fault,), delivery))
        for shape in ("errors", "item"):
            for charge in (False, True):
                fault = Fault(
                    "fail_task", contains=ONE, code="providerError", times=1, shape=shape, charge=charge
                )
                name = f"{delivery}: an accepted task fails in {shape}, {'charged' if charge else 'free'}"
                cases.append(Case(name, (fault,), delivery, again=1))
        unanswered = Fault("no_acknowledgement", contains=ONE)
        cases.append(Case(f"{delivery}: no_acknowledgement", (unanswered,), delivery))
        late = Fault("delay_task", contains=ONE, seconds=1.2)
        cases.append(Case(f"{delivery}: delay_task", (late,), delivery))
        unknown = Fault("slow_registration")
        cases.append(Case(f"{delivery}: slow_registration", (unknown,), delivery))
        lost = Fault("cut_after_work", task_type="textInference", nth=2)
        cases.append(Case(f"{delivery}: slow_registration, reply lost", (unknown, lost), delivery))
    for code, outcome, again in (
        ("contentPolicyViolation", "refused", 0),
        ("providerBadRequest", "failed", 0),
        ("timeout", "succeeded", 1),
        ("rateLimitExceeded", "succeeded", 1),
        ("taskExpired", "succeeded", 1),
        ("somethingNew", "succeeded", 1),
    ):
        fault = Fault("fail_task", contains=ONE, code=code, times=1, charge=True)
        outcomes = {"succeeded": RECORDS} if outcome == "succeeded" else one(outcome)
        cases.append(Case(f"{code} after acceptance", (fault,), outcomes=outcomes, again=again))
    always = Fault("fail_task", contains=ONE, code="providerError")
    cases.append(Case("a task that always fails", (always,), outcomes=one("failed"), again=2))
    never = Fault("never_finish", contains=ONE, times=1)
    cases.append(Case("never_finish", (never,), again=1))
    cases.append(Case("never_finish, sync", (never,), "sync", again=1, settings={"sync_window": 0.5}))
    for code in (None, "taskNotFound", "taskFailedOrNotFound"):
        cases.append(Case(f"forget_result {code}", (Fault("forget_result", contains=ONE, code=code),)))
    refused = Fault("refuse_request", task_type="getTaskDetails", code="unsupportedTaskType")
    for code in ("providerError", "somethingNew"):
        unnamed = Fault("unnamed_error", contains=ONE, code=code)
        cases.append(Case(f"unnamed_error {code}", (unnamed,)))
        outcomes = one("failed")
        cases.append(Case(f"unnamed_error {code}, no archive", (unnamed, refused), outcomes=outcomes))
    forgotten = Fault("forget_result", contains=ONE)
    cases.append(Case("forget_result, no archive", (forgotten, refused), outcomes=one("failed")))
    window = {"sync_window": 0.3, "latency": 0.6}
    cases.append(Case("the sync window closes", (), "sync", settings=window))
    return cases


def answer_cases() -> list[Case]:
    harmless = (
        "string_arguments",
        "tool_calls_key",
        "reasoning_list",
        "no_status",
        "old_usage",
        "no_cost",
        "number_texts",
    )
    cases = [Case(kind, (Fault(kind),)) for kind in (*harmless, "think", "fence", "prose")]
    for kind, outcome in (
        ("break_schema", "invalid"),
        ("truncate", "invalid"),
        ("content_filter", "refused"),
        ("empty_text", "invalid"),
        ("null_text", "invalid"),
    ):
        cases.append(Case(kind, (Fault(kind, contains=ONE),), outcomes=one(outcome)))
    return cases


def stream_cases() -> list[Case]:
    """What becomes of an answer that streams in, and of its task where the stream is not whole."""
    cases = [
        Case(f"{kind}, of some", (Fault(kind, contains=ONE),), "stream")
        for kind in ("cut_stream", "stall_stream")
    ]
    for code in ("providerError", "insufficientCredits"):
        error = Fault("error_frame", contains=ONE, code=code)
        cases.append(Case(f"error_frame {code}", (error,), "stream"))
    never = Fault("never_finish", contains=ONE, times=1)
    cases.append(
        Case("never_finish, stream", (never,), "stream", again=1, settings={"stream_keep_alive": 0.2})
    )
    forgotten = Fault("forget_result", contains=ONE)
    cases.append(Case("cut_stream, and forgotten", (Fault("cut_stream", contains=ONE), forgotten), "stream"))
    harmless = ("reasoning_list", "old_usage", "no_cost", "number_texts")
    cases += [Case(f"{kind}, stream", (Fault(kind),), "stream") for kind in harmless]
    for kind, outcome in (("content_filter", "refused"), ("empty_text", "invalid")):
        cases.append(Case(f"{kind}, stream", (Fault(kind, contains=ONE),), "stream", one(outcome)))
    return cases


def follow_up_cases() -> list[Case]:
    """An answer that does not fit, and what may happen to the question that shows it."""
    misread = Fault("break_schema", contains=ONE, without=SHOWN)
    cases = []
    for delivery in ("poll", "sync"):
        for name, faults, outcomes, again in (
            ("read right", (), {"succeeded": RECORDS}, 0),
            ("lost", (Fault("cut_after_work", task_type="textInference", contains=SHOWN, times=1),), None, 0),
            ("failing", (Fault("fail_task", code="providerError", contains=SHOWN, times=1),), None, 1),
            ("full", (Fault("refuse_task", code="rateLimitExceeded", contains=SHOWN, times=1),), None, 0),
            (
                "refused",
                (Fault("refuse_task", code="providerBadRequest", contains=SHOWN),),
                one("invalid"),
                0,
            ),
        ):
            cases.append(
                Case(
                    f"{delivery}: an answer is shown to the model, {name}",
                    (misread, *faults),
                    delivery,
                    outcomes or {"succeeded": RECORDS},
                    again,
                    answers={"output_retries": 1},
                )
            )
        never = Fault("break_schema", contains=ONE)
        cases.append(
            Case(
                f"{delivery}: shown, and wrong again",
                (never,),
                delivery,
                one("invalid"),
                answers={"output_retries": 1},
            )
        )
        cut = Fault("truncate", contains=ONE, times=1)
        longer = {"output_retries": 0, "max_tokens_if_truncated": 65_536}
        cases.append(Case(f"{delivery}: cut off, and given more room", (cut,), delivery, answers=longer))
    return cases


def replay_cases() -> list[Case]:
    lost = Fault("cut_after_work", task_type="textInference", nth=2)
    full = Fault("refuse_task", contains=ONE, code="rateLimitExceeded", times=1)
    return [
        Case("archive_overwritten", (lost, Fault("archive_overwritten"))),
        Case("reservation_lapses", (lost, Fault("reservation_lapses"))),
        Case("a lost reply, and nothing found", (lost, Fault("forget_result", contains=ONE))),
        Case("reserve_rejected", (full, Fault("reserve_rejected"))),
        Case(
            "reserve_rejected of the first",
            (
                Fault("refuse_task", contains=FIRST, code="rateLimitExceeded", times=1),
                Fault("reserve_rejected"),
            ),
        ),
        Case("a short queue", (), settings={"capacity": 2, "queue": 1, "latency": 0.05}),
        Case("a short patience", (), settings={"capacity": 1, "max_wait": 0.1, "latency": 0.05}),
        Case("small arrays", (), settings={"max_tasks": 2}),
        Case("small arrays, sync", (), "sync", settings={"max_tasks": 2}),
        Case("small bodies", (), settings={"max_bytes": 1_500}),
    ]


CASES = [
    *request_cases(),
    *task_cases(),
    *answer_cases(),
    *stream_cases(),
    *follow_up_cases(),
    *replay_cases(),
]
REPLAYS = {"archive_overwritten", "reservation_lapses"}
"""They wait for a UUID to be sent again; a client that asks first may never do that."""
NOT_OURS = {"webhook_lost", "webhook_twice", "webhook_delay", "webhook_shape", "say", "all_tools"}
"""Of webhooks, and what lets a test choose the answer."""


def mixture(seed: int) -> Case:
    """Several faults at once, each for a share of the requests or tasks."""
    dice = random.Random(seed)  # noqa: S311 - a test that repeats itself
    kinds = sorted(set(KINDS) - NOT_OURS - NOT_MIXED)
    faults = [
        Fault(
            kind,
            probability=dice.choice((0.05, 0.2, 0.4)),
            times=dice.choice((1, 2, 3)),
            code=dice.choice(FAILURES if kind == "fail_task" else REFUSALS) if kind in CODED else None,
            seconds=dice.choice((0.1, 0.7)),
            charge=dice.random() < 0.5,
            shape=dice.choice(("errors", "item")),
            retry_after=dice.choice((None, 0.1)),
        )
        for kind in dice.sample(kinds, dice.randint(3, 6))
    ]
    settings = {
        "seed": seed,
        "latency": dice.choice((0.0, 0.05)),
        "capacity": dice.choice((2, 200)),
        "queue": dice.choice((None, 3)),
        "reserve_rejected": dice.random() < 0.3,
    }
    delivery = dice.choice(DELIVERIES)
    return Case(
        f"mixture {seed}", tuple(faults), delivery, settings=settings, answers={"output_retries": seed % 2}
    )


async def carried_out(case: Case, place: Any, room: asyncio.Semaphore) -> dict[str, Any]:
    """Run a job to its end, as often as it takes; a stop is what the next run goes on from."""
    async with room:
        place.fill(RECORDS)
        place.server.script(*case.faults)
        for _ in range(RESTARTS):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    return await place.run(**case.asked_for, limits=LIMITS, answers=case.answers)
            except JobStopped as stopped:
                reason = stopped.reason
        raise AssertionError(f"it stopped again and again: {reason}")


async def all_carried_out(cases: list[Case], places: list[Any]) -> list[Any]:
    room = asyncio.Semaphore(SIDE_BY_SIDE)
    jobs = [carried_out(case, place, room) for case, place in zip(cases, places, strict=True)]
    return await asyncio.gather(*jobs, return_exceptions=True)


def side_by_side(cases: list[Case], new_place: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    places = [new_place(f"job-{number}", **case.settings) for number, case in enumerate(cases)]
    results = asyncio.run(all_carried_out(cases, places))
    return {case.name: (place, result) for case, place, result in zip(cases, places, results, strict=True)}


@pytest.fixture(scope="module")
def ran(request: pytest.FixtureRequest, new_shared_place: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """The jobs of the selected tests."""
    items = [item for item in request.session.items if item.module is request.module]
    wanted = [item.callspec.params["case"] for item in items if hasattr(item, "callspec")]
    return side_by_side([one for one in wanted if isinstance(one, Case)], new_shared_place)


def by_name(cases: Iterable[Case]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


def finished(case: Case, ran: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    place, manifest = ran[case.name]
    if isinstance(manifest, BaseException):
        raise manifest
    return place, manifest


@pytest.mark.parametrize("case", by_name(CASES))
def test_a_job_survives_each_fault_and_agrees_with_the_bill(case: Case, ran: dict[str, Any]) -> None:
    place, manifest = finished(case, ran)
    place.audit(manifest, RECORDS, output_retries=case.again_at_most)
    assert manifest["outcomes"] == case.outcomes
    assert place.server.bill_summary()["requests_executed_again"] == case.again
    unfired = {one["fault"]["kind"] for one in place.server.faults() if not one["fired"]}
    assert unfired <= REPLAYS


@pytest.mark.parametrize("case", by_name(map(mixture, range(MIXTURES))))
def test_a_job_survives_many_faults_at_once(case: Case, ran: dict[str, Any]) -> None:
    place, manifest = finished(case, ran)
    place.audit(manifest, RECORDS, output_retries=case.again_at_most)
    if MAY_COST_ANOTHER.isdisjoint(fault.kind for fault in case.faults):
        assert place.server.bill_summary()["requests_executed_again"] == 0


def test_every_kind_of_fault_is_tried() -> None:
    tried = {fault.kind for case in CASES for fault in case.faults}
    assert tried == set(KINDS) - NOT_OURS
