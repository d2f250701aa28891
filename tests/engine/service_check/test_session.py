"""What the questions find of a service, over a real socket: of one that does what is assumed, and of each that does not."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from runware_provider.engine.api.raw_client import EVENT_STREAM, RawClient
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BalanceExhausted, KeyRefused, ModelUnknown, Unreachable
from runware_provider.engine.service_check.asking import Asker, NeverSent, Pace
from runware_provider.engine.service_check.assumptions import ASSUMPTIONS
from runware_provider.engine.service_check.findings import Verdict, complete
from runware_provider.engine.service_check.purse import Purse, Rates
from runware_provider.engine.service_check.questions import ONE_WORD, at_most_usd, paid_questions
from runware_provider.engine.service_check.session import NO_STREAMS, NOT_WISHED, Session
from runware_provider.testing import KINDS, Fault, LocalServer, ServerSettings
from tests.raw_server import raw_server

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

KEY = "key-of-the-tests-0123456789"
MODEL = "deepseek-v4-pro"
RATES = Rates(0.961e-6, 1.922e-6, "the test")
QUICK = Pace(first_s=0.01, longest_s=0.05)
BRIEF = Pace(finish_s=0.2, first_s=0.01, longest_s=0.05)
"""For a task that is never told finished."""
IMPATIENT = Pace(answer_s=1.0, first_s=0.01, longest_s=0.05)
"""For a reply that never ends."""
SNOW, COUNT, OSLO = "snow", "Count from", "Oslo"
"""Words of the question that is answered at once, of the one that is waited for, and of the one that forces a tool."""
SKIPPED = {"stream", "webhook", "webhook-shape"}
ASKED = paid_questions(streams=False, webhook_url="https://hooks.example.com/" + "x" * 60)


def stepping() -> Any:
    """A clock of a server that goes on by itself, so that no test depends on how fast the machine is."""
    ticks = itertools.count()
    return lambda: next(ticks) * 0.01


@pytest.fixture(scope="module")
def running() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0.03), clock=stepping()) as server:
        yield server


@pytest.fixture
def server(running: LocalServer) -> LocalServer:
    running.clear_faults()
    running.reset()
    return running


class Found:
    """What a session found."""

    def __init__(self, session: Session, purse: Purse) -> None:
        self.findings = {finding.id: finding for finding in complete(session.notes.findings, "not asked")}
        self.troubles = session.notes.troubles
        self.purse = purse

    def with_verdict(self, *verdicts: Verdict) -> set[str]:
        return {name for name, finding in self.findings.items() if finding.verdict in verdicts}

    @property
    def deviations(self) -> set[str]:
        return self.with_verdict(Verdict.DIFFERS)


def session_of(
    client: RawClient,
    *,
    hook: Any = NOT_WISHED,
    model: str = MODEL,
    budget: float | None = None,
    pace: Pace = QUICK,
) -> tuple[Session, Purse]:
    purse = Purse(at_most_usd(model, RATES.at_most, ASKED) if budget is None else budget)
    asker = Asker(client, model=model, rates=RATES, purse=purse, pace=pace)
    return Session(asker, None, hook), purse


async def asked(server: LocalServer, *faults: Fault, **options: Any) -> Found:
    server.script(*faults)
    async with RawClient(Endpoint(server.base_url, options.pop("key", KEY))) as client:
        session, purse = session_of(client, **options)
        await session.ask_all()
    return Found(session, purse)


async def test_a_service_that_does_what_is_assumed_deviates_in_nothing(server: LocalServer) -> None:
    found = await asked(server, Fault("delay_task", contains=COUNT, seconds=0.2))
    assert found.with_verdict(Verdict.HOLDS) == {one.id for one in ASSUMPTIONS} - SKIPPED
    assert found.with_verdict(Verdict.SKIPPED) == SKIPPED
    assert (found.findings["stream"].seen, found.findings["webhook"].seen) == (NO_STREAMS, NOT_WISHED)
    assert found.troubles == []


async def test_what_was_spent_is_the_bill_and_stays_below_what_was_said(server: LocalServer) -> None:
    found = await asked(server)
    bill = server.bill()
    assert found.purse.reported_usd == found.purse.at_most_usd == pytest.approx(bill["cost_usd"], abs=1e-9)
    assert bill["executed"] == 6
    assert 0 < found.purse.at_most_usd < at_most_usd(MODEL, RATES.at_most, ASKED)


DEVIATING: list[tuple[list[Fault], dict[str, str]]] = [
    ([Fault("reservation_lapses")], {"reused-uuid": "answered once more"}),
    ([Fault("archive_overwritten")], {"archive-after-replay": "gone from it"}),
    ([Fault("reserve_rejected")], {"rejected-uuid": "used up: HTTP 400, conflictTaskUUID"}),
    ([Fault("forget_result", contains=COUNT)], {"finished-poll": "HTTP 200, nothing about it"}),
    ([Fault("forget_result", contains=COUNT, code="taskNotFound")], {"finished-poll": "taskNotFound"}),
    ([Fault("forget_result", contains=SNOW)], {"sync-reply": "no answer: HTTP 200"}),
    ([Fault("unnamed_error", contains=COUNT)], {"finished-poll": "providerError, nothing about it"}),
    ([Fault("never_finish", contains=COUNT)], {"finished-poll": "still processing"}),
    (
        [Fault("fail_task", contains=COUNT, code="invalidParameter")],
        {"finished-poll": "it ended in invalidParameter"},
    ),
    (
        [Fault("fail_task", contains=COUNT, code="invalidParameter", shape="item")],
        {"finished-poll": "it ended in invalidParameter"},
    ),
    (
        [Fault("fail_task", contains=SNOW, code="invalidParameter")],
        {"sync-reply": "no answer: HTTP 400, invalidParameter"},
    ),
    (
        [Fault("refuse_task", contains=SNOW, code="invalidParameter")],
        {"sync-reply": "no answer: HTTP 400, invalidParameter"},
    ),
    (
        [Fault("refuse_without_uuid", contains=SNOW, code="invalidParameter")],
        {"sync-reply": "no answer: HTTP 400, invalidParameter"},
    ),
    ([Fault("no_acknowledgement", contains=COUNT)], {"acknowledgement": "named nowhere"}),
    ([Fault("no_acknowledgement", contains="animal")], {"two-items": "1 of 2 are accepted"}),
    ([Fault("refuse_task", contains="animal", code="invalidParameter")], {"two-items": "1 of 2"}),
    (
        [Fault("refuse_task", contains="colour", code="invalidParameter")],
        {"mixed-array": "the good task is not accepted"},
    ),
    (
        [Fault("slow_registration", contains=SNOW, seconds=1_000)],
        {"sync-poll": "HTTP 200", "archive": "taskNotFound", "reused-uuid": "answered once more"},
    ),
    (
        [Fault("slow_registration", contains=COUNT, seconds=0.06)],
        {"known-at-once": "no word about it in the first polls", "running-poll": "no word until it was"},
    ),
    ([Fault("string_arguments")], {"tool-call-shape": "a text in `arguments`"}),
    ([Fault("tool_calls_key")], {"tool-call-shape": "`toolCalls`"}),
    ([Fault("break_schema", contains=OSLO)], {"forced-tool": "do not fit the schema"}),
    ([Fault("empty_text", contains=OSLO)], {"forced-tool": "no call that can be read, finished by stop"}),
    ([Fault("truncate", contains=OSLO)], {"forced-tool": "finished by length"}),
    ([Fault("truncate", contains=SNOW)], {"sync-reply": "finished by length"}),
    ([Fault("content_filter", contains=SNOW)], {"sync-reply": "finished by content_filter"}),
    ([Fault("empty_text", contains=SNOW)], {"sync-reply": "`text` is empty"}),
    ([Fault("null_text", contains=SNOW)], {"sync-reply": "`text` is NoneType"}),
    ([Fault("think", contains=SNOW)], {"plain-text": "<think>"}),
    ([Fault("fence", contains=SNOW)], {"plain-text": "code fence"}),
    ([Fault("reasoning_list", contains=SNOW)], {"reasoning-shape": "it is a list"}),
    ([Fault("no_status")], {"finished-status": "`status` is nothing"}),
    ([Fault("old_usage")], {"usage-reported": "by other names"}),
    ([Fault("no_cost")], {"cost-reported": "there is no `cost`"}),
    ([Fault("number_texts")], {"cost-reported": "a text", "usage-reported": "as texts"}),
    ([Fault("duplicate_items", task_type="getResponse")], {"named-once": "more than once"}),
    ([Fault("unknown_item", task_type="getResponse")], {"named-once": "not asked for"}),
    (
        [Fault("refuse_request", task_type="getTaskDetails", code="unsupportedTaskType")],
        {"archive": "unsupportedTaskType", "unknown-archive": "of the family validation"},
    ),
    (
        [Fault("refuse_request", task_type="getResponse", code="invalidRequest")],
        {
            "unknown-poll": "of the family validation",
            "sync-poll": "invalidRequest",
            "finished-poll": "invalidRequest, nothing about it",
            "two-polls": "0 of 2",
        },
    ),
    (
        [Fault("refuse_request", task_type="authentication", code="unsupportedTaskType")],
        {"key-check": "HTTP 400, unsupportedTaskType"},
    ),
    (
        [Fault("refuse_request", task_type="accountManagement", code="unsupportedTaskType")],
        {"balance": "no balance in it: HTTP 400, unsupportedTaskType"},
    ),
]
HARMLESS = {
    "delay_request": "only late",
    "delay_reply": "only late",
    "delay_task": "only late",
    "shuffle_items": "items are matched by their UUID, and nothing is assumed of their order",
    "say": "chooses an answer",
    "all_tools": "there is one tool",
    "prose": "which words an answer has, nobody assumes",
}
"""Faults that contradict no assumption, and why."""
WITH_A_HOOK: list[tuple[Fault, dict[str, str]]] = [
    (Fault("webhook_shape", shape="flat"), {}),
    (Fault("webhook_twice"), {}),
    (Fault("webhook_delay", seconds=0.1), {}),
    (Fault("webhook_lost"), {"webhook": "no call within"}),
    (Fault("webhook_shape", shape="data"), {"webhook-shape": "below `data` or `errors`"}),
    (Fault("webhook_shape", shape="array"), {"webhook-shape": "in a list"}),
]


@pytest.mark.parametrize(
    ("faults", "said"), DEVIATING, ids=lambda value: value[0].kind if isinstance(value, list) else ""
)
async def test_a_fault_that_contradicts_an_assumption_is_said_of_it_and_of_no_other(
    server: LocalServer, faults: list[Fault], said: dict[str, str]
) -> None:
    found = await asked(server, *faults, pace=BRIEF if "finished-poll" in said else QUICK)
    assert found.deviations == set(said)
    for name, words in said.items():
        assert words in found.findings[name].seen
    assert server.bill()["cost_usd"] <= found.purse.at_most_usd + 1e-9


TROUBLES: list[tuple[Fault, str]] = [
    (Fault("cut_before_work", contains=SNOW), "no reply"),
    (Fault("cut_after_work", contains=SNOW), "no reply"),
    (Fault("half_body", contains=SNOW), "no reply"),
    (Fault("dripping_reply", contains=SNOW, seconds=0.02), "no reply: no whole reply within"),
    (Fault("garbage_body", contains=SNOW), "no usable reply: HTTP 200, no JSON"),
    (Fault("fail_after_work", contains=SNOW), "no usable reply: HTTP 500, internalServerError"),
    (Fault("refuse_request", contains=SNOW, code="serviceUnavailable"), "no usable reply: HTTP 503"),
    (Fault("refuse_request", contains=SNOW, code="rateLimitExceeded"), "no room now: HTTP 429"),
    (Fault("refuse_task", contains=SNOW, code="rateLimitExceeded"), "no room now: HTTP 429"),
    (Fault("refuse_task", contains=OSLO, code="invalidParameter"), "the question was not answered: HTTP 400"),
    (Fault("refuse_task", contains=COUNT, code="invalidParameter"), "the task was refused: HTTP 400"),
    (Fault("fail_task", contains=SNOW), "the service was in trouble: HTTP 400, providerError"),
    (Fault("refuse_without_uuid", contains=SNOW), "the service was in trouble: HTTP 400, providerError"),
    (Fault("fail_task", contains=COUNT), "providerError"),
    (Fault("fail_task", contains=COUNT, shape="item"), "providerError"),
]


@pytest.mark.parametrize(("fault", "said"), TROUBLES, ids=[fault.kind for fault, _ in TROUBLES])
async def test_a_service_in_trouble_deviates_in_nothing_and_what_it_may_have_charged_is_counted(
    server: LocalServer, fault: Fault, said: str
) -> None:
    found = await asked(server, fault, pace=IMPATIENT if fault.kind == "dripping_reply" else QUICK)
    assert found.deviations == set()
    assert said in found.troubles[0]
    name = {SNOW: "cost-reported", COUNT: "finished-poll", OSLO: "forced-tool"}[fault.contains or ""]
    assert (found.findings[name].verdict, said in found.findings[name].seen) == (Verdict.UNSEEN, True)
    assert found.findings["two-polls"].verdict is Verdict.HOLDS
    assert server.bill()["cost_usd"] <= found.purse.at_most_usd + 1e-9


@pytest.mark.parametrize("place", range(1, 8))
async def test_one_passing_error_of_whichever_task_is_no_deviation(server: LocalServer, place: int) -> None:
    passing = Fault("refuse_task", code="providerError", task_type="textInference", nth=place)
    found = await streamed(server, passing)
    assert found.deviations == set()
    assert found.troubles[0] == "the service was in trouble: HTTP 400, providerError"
    assert server.bill()["cost_usd"] <= found.purse.at_most_usd + 1e-9


def test_each_fault_of_the_local_server_is_looked_at_or_contradicts_nothing() -> None:
    seen = {fault.kind for faults, _ in DEVIATING for fault in faults} | {fault.kind for fault, _ in TROUBLES}
    assert seen.isdisjoint(HARMLESS)
    with_a_hook = {fault.kind for fault, _ in WITH_A_HOOK}
    broken = {fault.kind for fault, _ in BROKEN_STREAMS}
    assert seen | set(HARMLESS) | with_a_hook | broken == set(KINDS)


class PlainHook:
    """Takes every call, and keeps its body."""

    def __init__(self) -> None:
        self.port = 0
        self._bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._bodies.append((await request_of(reader))[1])
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    def url_for(self, task_uuid: str) -> str:
        return f"http://127.0.0.1:{self.port}/hook?t={task_uuid[:8]}"

    async def bodies(self) -> list[bytes]:
        return self._bodies


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head of a request, in small letters, and its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


@pytest.mark.parametrize(("fault", "said"), WITH_A_HOOK, ids=[fault.kind for fault, _ in WITH_A_HOOK])
async def test_a_webhook_is_waited_for_and_its_body_looked_at(
    server: LocalServer, fault: Fault, said: dict[str, str]
) -> None:
    hook = PlainHook()
    async with raw_server(hook.serve) as hook.port:
        found = await asked(server, fault, hook=hook, pace=BRIEF if "webhook" in said else QUICK)
    assert found.deviations == set(said)
    assert all(words in found.findings[name].seen for name, words in said.items())
    assert found.purse.reported_usd == pytest.approx(server.bill()["cost_usd"], abs=1e-9)


async def test_a_task_with_a_webhook_that_is_refused_is_no_word_on_webhooks(server: LocalServer) -> None:
    hook = PlainHook()
    async with raw_server(hook.serve) as hook.port:
        found = await asked(server, Fault("refuse_task", contains="metal"), hook=hook)
    assert (found.deviations, found.findings["webhook"].verdict) == (set(), Verdict.UNSEEN)
    assert found.troubles == ["the service was in trouble: HTTP 400, providerError"]


async def test_polls_that_are_refused_now_and_then_are_asked_again(server: LocalServer) -> None:
    refused = Fault("refuse_request", task_type="getResponse", code="serviceUnavailable", after=2, every=2)
    found = await asked(server, refused)
    assert found.deviations == set()
    assert found.findings["finished-poll"].verdict is Verdict.HOLDS


async def test_arrays_of_one_task_alone_are_told_as_a_limit() -> None:
    with LocalServer(ServerSettings(key=KEY, latency=0, max_tasks=1)) as server:
        found = await asked(server)
    assert found.deviations == {"mixed-array", "two-items"}
    assert found.with_verdict(Verdict.UNSEEN) >= {"two-polls", "named-once"}
    assert "HTTP 413, arrayTooLong" in found.findings["two-items"].seen


async def test_a_model_that_is_not_listed_stops_the_questions(server: LocalServer) -> None:
    async with RawClient(Endpoint(server.base_url, KEY)) as client:
        session, purse = session_of(client, model="gpt-0-nobody")
        with pytest.raises(ModelUnknown):
            await session.ask_all()
    found = Found(session, purse)
    assert "gpt-0-nobody is not among them" in found.findings["models-list"].seen
    assert server.bill()["executed"] == 0


async def test_a_wrong_key_stops_before_anything_is_asked(server: LocalServer) -> None:
    with pytest.raises(KeyRefused):
        await asked(server, key="wrong-key-of-the-tests-01234")
    assert server.bill()["executed"] == 0


async def test_an_account_without_credit_stops_the_questions() -> None:
    with LocalServer(ServerSettings(key=KEY, latency=0, balance=0.0)) as server:
        with pytest.raises(BalanceExhausted):
            await asked(server)
        assert server.bill()["executed"] == 0


@pytest.mark.parametrize("cents", [0.0, 0.05, 0.1, 0.2])
async def test_a_budget_is_never_passed_and_what_has_no_room_is_not_sent(
    server: LocalServer, cents: float
) -> None:
    budget = cents / 100
    found = await asked(server, Fault("no_cost"), budget=budget)
    assert server.bill()["cost_usd"] <= found.purse.at_most_usd <= budget
    assert any("no room in the budget" in trouble for trouble in found.troubles)
    if not cents:
        assert server.bill()["executed"] == 0


async def test_no_time_left_ends_the_questions(server: LocalServer) -> None:
    found = await asked(server, pace=Pace(whole_s=1e-9))
    assert "no time left" in found.findings["forced-tool"].seen
    assert server.bill()["executed"] == 0


async def test_the_time_that_was_left_is_told_in_tenths_of_a_second(server: LocalServer) -> None:
    dripping = Fault("dripping_reply", task_type="authentication", seconds=0.02)
    found = await asked(server, dripping, pace=Pace(whole_s=0.1430112))
    assert found.troubles[0] == "no reply: no whole reply within 0.1 seconds"


STREAMED = "three rivers"
BROKEN_STREAMS: list[tuple[Fault, str]] = [
    (Fault("cut_stream", contains=STREAMED), "no reply"),
    (Fault("stall_stream", contains=STREAMED), "no reply: no whole reply within"),
    (Fault("error_frame", contains=STREAMED), "a frame of the stream tells an error"),
    (Fault("refuse_task", contains=STREAMED, code="rateLimitExceeded"), "no room now: HTTP 429"),
]


async def streamed(server: LocalServer, *faults: Fault, pace: Pace = QUICK) -> Found:
    server.script(*faults)
    endpoint = Endpoint(server.base_url, KEY)
    async with RawClient(endpoint) as client, RawClient(endpoint, accept=EVENT_STREAM) as streaming:
        purse = Purse(1.0)
        asker = Asker(client, model=MODEL, rates=RATES, purse=purse, pace=pace)
        session = Session(asker, streaming)
        await session.ask_all()
    return Found(session, purse)


async def test_a_stream_of_the_local_server_is_as_assumed(server: LocalServer) -> None:
    found = await streamed(server)
    assert (found.deviations, found.findings["stream"].verdict) == (set(), Verdict.HOLDS)
    assert found.purse.reported_usd == pytest.approx(server.bill()["cost_usd"], abs=1e-9)


@pytest.mark.parametrize(("fault", "said"), BROKEN_STREAMS, ids=[fault.kind for fault, _ in BROKEN_STREAMS])
async def test_a_stream_that_breaks_off_deviates_in_nothing_and_counts_as_paid(
    server: LocalServer, fault: Fault, said: str
) -> None:
    found = await streamed(server, fault, pace=IMPATIENT)
    assert (found.deviations, found.findings["stream"].verdict) == (set(), Verdict.UNSEEN)
    assert said in found.troubles[0]
    assert server.bill()["cost_usd"] <= found.purse.at_most_usd + 1e-9


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>"


async def pages(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever is asked with a page, as a portal before the network does."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(PAGE)
    writer.close()


async def test_a_page_in_the_place_of_the_service_ends_the_questions() -> None:
    async with raw_server(pages) as port, RawClient(Endpoint(f"http://127.0.0.1:{port}/v1", KEY)) as client:
        session, _ = session_of(client)
        with pytest.raises(Unreachable, match="is not the API: HTTP 200, no JSON"):
            await session.ask_all()
    assert session.notes.findings == []


async def test_a_page_in_the_place_of_a_stream_is_no_deviation(server: LocalServer) -> None:
    async with raw_server(pages) as port, RawClient(Endpoint(server.base_url, KEY)) as client:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", KEY)
        async with RawClient(endpoint, accept=EVENT_STREAM) as streaming:
            asker = Asker(client, model=MODEL, rates=RATES, purse=Purse(1.0), pace=QUICK)
            session = Session(asker, streaming)
            await session.ask_all()
    assert not any(finding.verdict is Verdict.DIFFERS for finding in session.notes.findings)
    assert session.notes.troubles == ["no usable reply: HTTP 200, no JSON"]


async def test_what_was_never_sent_is_not_counted_and_a_dead_service_is_left_alone(
    server: LocalServer,
) -> None:
    async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with raw_server(closed) as nowhere:
        pass
    async with RawClient(Endpoint(f"http://127.0.0.1:{nowhere}/v1", KEY)) as client:
        session, purse = session_of(client)
        with pytest.raises(Unreachable, match="3 questions in a row had no reply"):
            await session.ask_all()
        asker = Asker(client, model=MODEL, rates=RATES, purse=purse, pace=QUICK)
        with pytest.raises(NeverSent):
            await asker.sent((ONE_WORD, str(uuid4())))
    assert purse.at_most_usd == 0
    assert len(session.notes.troubles) == 3
    assert server.bill()["requests"] == 0


async def test_a_service_that_dies_while_a_task_runs_deviates_in_nothing(server: LocalServer) -> None:
    deaf = Fault("cut_before_work", task_type="getResponse", after=3)
    server.script(Fault("never_finish", contains=COUNT), deaf)
    async with RawClient(Endpoint(server.base_url, KEY)) as client:
        session, purse = session_of(client)
        with pytest.raises(Unreachable):
            await session.ask_all()
    found = Found(session, purse)
    assert (found.deviations, found.findings["finished-poll"].verdict) == (set(), Verdict.UNSEEN)
    assert server.bill()["cost_usd"] <= found.purse.at_most_usd + 1e-9


STREAM = (
    b': keep-alive\n\ndata: {"taskUUID":"%s","taskType":"textInference","delta":{"text":"Rhine, "}}\n\n'
    b'data: {"taskUUID":"%s","delta":{"text":"Po"}}\r\n\r\n'
    b'data: {"taskUUID":"%s","finishReason":"stop","usage":{"promptTokens":9,"completionTokens":4},"cost":0.00002}\n\n'
    b"data: [DONE]\n\n"
)


async def test_a_stream_is_asked_for_alone_as_an_event_stream_and_its_cost_is_counted(
    server: LocalServer,
) -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await request_of(reader)
        heads.append(head)
        (task,) = json.loads(body)
        name = task["taskUUID"].encode()
        content = STREAM % (name, name, name) if task["deliveryMethod"] == "stream" else b"{}"
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + content
        )
        writer.close()

    async with raw_server(serve) as port, RawClient(Endpoint(server.base_url, KEY)) as client:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", KEY)
        async with RawClient(endpoint, accept=EVENT_STREAM) as streaming:
            purse = Purse(1.0)
            asker = Asker(client, model=MODEL, rates=RATES, purse=purse, pace=QUICK)
            session = Session(asker, streaming)
            await session.ask_all()
    found = Found(session, purse)
    assert found.deviations == set()
    assert (found.findings["stream"].verdict, len(heads)) == (Verdict.HOLDS, 1)
    assert b"accept: text/event-stream" in heads[0]
    assert found.purse.reported_usd == pytest.approx(server.bill()["cost_usd"] + 0.00002, abs=1e-9)


@pytest.mark.parametrize(
    ("status", "verdict"), [(503, Verdict.UNSEEN), (429, Verdict.UNSEEN), (404, Verdict.DIFFERS)]
)
async def test_a_list_of_models_that_is_away_for_now_is_no_deviation(status: int, verdict: Verdict) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 %d Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        writer.close()

    async with raw_server(serve) as port, RawClient(Endpoint(f"http://127.0.0.1:{port}/v1", KEY)) as client:
        session, purse = session_of(client)
        # The other questions are all met by silence.
        with pytest.raises(Unreachable):
            await session.ask_all()
    found = Found(session, purse)
    assert found.findings["models-list"].verdict is verdict
    assert found.deviations == ({"models-list"} if verdict is Verdict.DIFFERS else set())
