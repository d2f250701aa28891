"""What single replies are judged to say, where the local server never says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runware_provider.engine.service_check import account_judges, answer_judges, refusal_judges, task_judges
from runware_provider.engine.service_check.findings import Verdict
from runware_provider.engine.service_check.heard import Heard
from runware_provider.engine.service_check.stream_judge import judge_stream, tells_error

NAME = "0b6e4fa0-0000-4000-8000-000000000001"
OTHER = "0b6e4fa0-0000-4000-8000-000000000002"
DONE = b"data: [DONE]\n\n"


def heard(body: Any, status: int = 200) -> Heard:
    return Heard(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def processing(name: str = NAME) -> dict[str, Any]:
    return {"data": [{"taskType": "textInference", "taskUUID": name, "status": "processing"}]}


def finished(name: str = NAME, **others: Any) -> dict[str, Any]:
    return {
        "data": [{"taskUUID": name, "status": "success", "text": "white", "finishReason": "stop", **others}]
    }


@pytest.mark.parametrize(
    ("before", "after", "reported", "at_most", "verdict"),
    [
        (5.0, 4.9, 0.1, 0.1, Verdict.HOLDS),
        (5.0, 4.8, 0.1, 0.1, Verdict.DIFFERS),
        (5.0, 5.0, 0.1, 0.1, Verdict.UNSEEN),
        (5.0, 4.8, 0.1, 0.3, Verdict.UNSEEN),
        (5.0, 4.5, 0.1, 0.3, Verdict.DIFFERS),
        (None, 4.5, 0.1, 0.1, Verdict.UNSEEN),
        (5.0, None, 0.1, 0.1, Verdict.UNSEEN),
    ],
)
def test_the_balance_has_to_fall_by_what_was_reported(
    before: float | None, after: float | None, reported: float, at_most: float, verdict: Verdict
) -> None:
    assert account_judges.judge_bill(before, after, reported, at_most).verdict is verdict


def test_a_balance_that_falls_by_refusals_is_said() -> None:
    finding = account_judges.judge_refusals(5.0, 4.99, refused=True)
    assert (finding.verdict, finding.seen) == (Verdict.DIFFERS, "the balance fell by 0.01 USD")
    assert account_judges.judge_refusals(5.0, 5.0, refused=True).verdict is Verdict.HOLDS
    assert account_judges.judge_refusals(5.0, None, refused=True).verdict is Verdict.UNSEEN
    assert account_judges.judge_refusals(5.0, 5.0, refused=False).verdict is Verdict.UNSEEN


@pytest.mark.parametrize(
    ("cost", "verdict"),
    [
        (0.0015, Verdict.HOLDS),
        (0.0002, Verdict.HOLDS),
        (0.002, Verdict.DIFFERS),
        (0.0000001, Verdict.DIFFERS),
        (1500.0, Verdict.DIFFERS),
        (None, Verdict.UNSEEN),
    ],
)
def test_a_cost_has_to_fit_tokens_and_price(cost: float | None, verdict: Verdict) -> None:
    assert account_judges.judge_price((1000, 250), cost, (1e-6, 2e-6)).verdict is verdict


def test_a_list_of_models_without_a_price_or_without_models_is_said() -> None:
    plain = account_judges.judge_models(heard({"data": [{"id": "m"}]}), "m")
    empty = account_judges.judge_models(heard([], 404), "m")
    assert (plain.verdict, "without a price" in plain.seen) == (Verdict.DIFFERS, True)
    assert (empty.verdict, empty.seen) == (Verdict.DIFFERS, "no list of models: HTTP 404")


def test_a_system_role_that_is_taken_is_said() -> None:
    role, shape = refusal_judges.judge_bad_role(heard(finished()), NAME)
    assert (role.verdict, role.seen, shape.verdict) == (Verdict.DIFFERS, "taken: HTTP 200", Verdict.UNSEEN)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": "invalidMessageRole", "message": "no"}, "no object of `errors` names the task"),
        ({"code": "invalidMessageRole", "taskUUID": NAME}, "the error has no message"),
        ({"message": "no", "taskUUID": NAME}, "the error has no code"),
    ],
)
def test_an_error_without_its_parts_is_said(error: dict[str, Any], said: str) -> None:
    _, shape = refusal_judges.judge_bad_role(heard({"errors": [error]}, 400), NAME)
    assert (shape.verdict, shape.seen) == (Verdict.DIFFERS, said)


def test_an_unknown_model_that_is_refused_like_any_other_parameter_is_said() -> None:
    error = {"code": "invalidModel", "message": "no", "taskUUID": NAME}
    finding = refusal_judges.judge_unknown_model(heard({"errors": [error]}, 400), NAME)
    assert (finding.verdict, finding.seen) == (
        Verdict.DIFFERS,
        "HTTP 400, invalidModel, of the family validation",
    )


def test_an_unknown_task_that_is_told_as_processing_is_said() -> None:
    assert refusal_judges.judge_unknown_poll(heard(processing()), NAME).verdict is Verdict.DIFFERS
    archived = heard({"data": [{"taskUUID": NAME, "request": {}, "response": {}}]})
    assert refusal_judges.judge_unknown_archive(archived, NAME).verdict is Verdict.DIFFERS


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"data": [{"taskUUID": NAME}]}, Verdict.HOLDS),
        (processing(), Verdict.DIFFERS),
        (finished(), Verdict.DIFFERS),
        ({"data": []}, Verdict.DIFFERS),
        ({"errors": [{"code": "providerError", "taskUUID": NAME}]}, Verdict.UNSEEN),
    ],
)
def test_an_acknowledgement_is_a_bare_item(body: Any, verdict: Verdict) -> None:
    assert task_judges.judge_acknowledgement(heard(body), NAME).verdict is verdict


@pytest.mark.parametrize(
    ("polls", "at_once", "running"),
    [
        ([processing(), finished()], Verdict.HOLDS, Verdict.HOLDS),
        ([finished()], Verdict.HOLDS, Verdict.UNSEEN),
        ([{"data": []}, finished()], Verdict.DIFFERS, Verdict.DIFFERS),
        ([{"data": []}, processing(), finished()], Verdict.DIFFERS, Verdict.HOLDS),
        ([{"data": []}, {"data": []}], Verdict.UNSEEN, Verdict.UNSEEN),
        ([{"errors": [{"code": "taskNotFound", "taskUUID": NAME}]}], Verdict.UNSEEN, Verdict.UNSEEN),
    ],
)
def test_polls_tell_when_a_task_is_known_and_whether_it_is_said_to_run(
    polls: list[Any], at_once: Verdict, running: Verdict
) -> None:
    first, second, _ = task_judges.judge_polls([heard(body) for body in polls], NAME, 1.0)
    assert (first.verdict, second.verdict) == (at_once, running)


def test_a_replay_that_is_neither_refused_nor_answered_is_said() -> None:
    finding = task_judges.judge_replay(heard({"data": [{"taskUUID": NAME}]}), NAME)
    assert "neither refused as used nor answered" in finding.seen
    assert task_judges.judge_replay(heard(finished()), NAME).verdict is Verdict.DIFFERS


@pytest.mark.parametrize(
    ("call", "verdict", "said"),
    [
        ({"tools": [{"id": "a", "name": "weather_report", "input": {"city": "Oslo", "degrees": 4}}]}, Verdict.HOLDS, "{id, name, input}"),
        ({"tools": [{"name": "weather_report", "input": {}}]}, Verdict.DIFFERS, "no `id`"),
        ({"tools": [{"id": "a", "name": "weather_report", "arguments": {}}]}, Verdict.DIFFERS, "not in `input`"),
        ({"tools": [{"id": "a", "function": {"name": "weather_report", "arguments": "{}"}}]}, Verdict.DIFFERS, "`function`"),
    ],
)  # fmt: skip
def test_the_shape_of_a_call_is_told(call: dict[str, Any], verdict: Verdict, said: str) -> None:
    _, shape = answer_judges.judge_call({"taskUUID": NAME, "finishReason": "tool_calls", **call})
    assert shape.verdict is verdict
    assert said in shape.seen


def test_several_calls_and_a_call_of_another_tool_are_said() -> None:
    call = {"id": "a", "name": "weather_report", "input": {"city": "Oslo", "degrees": 4}}
    twice, _ = answer_judges.judge_call({"tools": [call, call]})
    another, _ = answer_judges.judge_call({"tools": [{**call, "name": "elsewhere"}]})
    assert (twice.seen, another.seen) == ("2 calls", "another tool was called")


def frame(**fields: Any) -> bytes:
    return (
        b"data: " + json.dumps({"taskUUID": NAME, "taskType": "textInference", **fields}).encode() + b"\n\n"
    )


TEXT = frame(delta={"text": "Rhine"})
END = frame(finishReason="stop", usage={"promptTokens": 3}, cost=0.1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT + END + DONE, "2 frames"),
        (b": comment\n\n" + TEXT.replace(b"data: ", b"data:") + END.replace(b"\n", b"\r\n") + DONE, "2 frames"),
        (b'data: {"data": ' + TEXT[6:].strip() + b"}\n\n" + END + DONE, "2 frames"),
        (frame(delta={"text": ["Rhine"]}) + END + DONE, "2 frames"),
        (frame(delta={"text": "Rhine\u2028Po"}).replace(b"\\u2028", "\u2028".encode()) + END + DONE, "2 frames"),
        (b'data: {"data": [' + TEXT[6:].strip() + b"]}\n\n" + END + DONE, "2 frames"),
        (TEXT + frame(delta={"text": 3}) + END + DONE, "a frame that cannot be read"),
        (TEXT + b"data: {\n\n" + END + DONE, "a frame that cannot be read"),
        (TEXT + END, "the last line is not [DONE]"),
        (TEXT + DONE, "no frame has finishReason or usage or cost"),
        (TEXT + frame(finishReason="stop", cost=0.1) + DONE, "no frame has usage"),
        (END + DONE, "no frame has text"),
        (TEXT.replace(NAME.encode(), OTHER.encode()) + END.replace(NAME.encode(), b"") + DONE, "names the task"),
        (b'{"errors": [{"code": "unsupportedDeliveryMethod"}]}', "no frames: HTTP 200, unsupportedDeliveryMethod"),
        (b"\xff\x00 nothing", "no frames: HTTP 200, no JSON"),
        (DONE, "no frames"),
    ],
)  # fmt: skip
def test_a_stream_is_told_by_what_is_missing(content: bytes, said: str) -> None:
    finding = judge_stream(heard(content), NAME)
    assert said in finding.seen
    assert (finding.verdict is Verdict.HOLDS) == (said == "2 frames")


def test_an_error_in_a_frame_is_no_word_about_streams() -> None:
    assert tells_error(heard(TEXT + frame(errors=[{"code": "providerError"}]) + DONE))
    assert tells_error(heard(b'data: {"error": {"code": "providerError"}}\n\n'))
    assert not tells_error(heard(TEXT + END + DONE))
