"""Whether it is time to collect, by a few of the inferences under way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.replies import Reply, read_poll
from runware_provider.engine.exchange.sample import Sample, is_refused_for_good

NAMES = [f"0b5c6d3e-0000-4000-8000-{number:012d}" for number in range(10)]


def reply(status: int = 200, **body: Any) -> Reply:
    return read_poll(status, json.dumps(body).encode(), None)


def answer(name: str) -> dict[str, Any]:
    return {"taskType": "textInference", "taskUUID": name, "text": "4", "status": "success"}


def processing(name: str) -> dict[str, Any]:
    return {"taskType": "textInference", "taskUUID": name, "status": "processing"}


def error(code: str, name: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": "no", **({"taskUUID": name} if name is not None else {})}


def there(said: Reply, *, overdue: bool = False) -> int:
    sample = Sample(NAMES, 1.0)
    sample.saw(said, overdue=overdue)
    return sample.there


def test_what_is_answered_or_ended_in_an_error_is_there_and_is_not_asked_for_again() -> None:
    sample = Sample(NAMES, 1.0)
    sample.saw(reply(data=[answer(NAMES[0])], errors=[error("contentFlagged", NAMES[1])]), overdue=False)
    assert (sample.there, sample.awaited, sample.is_enough) == (2, NAMES[2:], False)


@pytest.mark.parametrize("overdue", [False, True])
def test_what_is_at_work_is_not_there_however_long_it_takes(*, overdue: bool) -> None:
    assert there(reply(data=[processing(name) for name in NAMES]), overdue=overdue) == 0


@pytest.mark.parametrize(("overdue", "number"), [(False, 0), (True, 9)])
def test_what_nothing_is_said_of_is_to_be_looked_for_once_it_is_overdue(
    *, overdue: bool, number: int
) -> None:
    assert there(reply(data=[processing(NAMES[0])]), overdue=overdue) == number


@pytest.mark.parametrize(
    "said",
    [
        reply(429, errors=[error("rateLimited", NAMES[0])]),
        reply(500, errors=[error("internalError", NAMES[0])]),
        reply(503),
        read_poll(200, b"<html>", None),
        reply(400, errors=[error("invalidParameter")]),
    ],
)
def test_a_question_that_was_refused_says_nothing_of_its_tasks(said: Reply) -> None:
    assert there(said, overdue=True) == 0
    assert not is_refused_for_good(said)


@pytest.mark.parametrize(
    "said",
    [
        reply(401),
        reply(403, errors=[error("forbidden")]),
        reply(400, errors=[error("invalidApiKey")]),
        reply(402, errors=[error("insufficientCredits")]),
    ],
)
def test_a_refusal_that_no_later_question_fares_better_with_is_told(said: Reply) -> None:
    assert is_refused_for_good(said)


@given(st.integers(1, 64), st.floats(0.01, 1.0), st.data())
def test_it_is_enough_when_the_share_is_there_and_not_before(
    number: int, share: float, data: st.DataObject
) -> None:
    names = [f"0b5c6d3e-0000-4000-8000-{n:012d}" for n in range(number)]
    answered = data.draw(st.integers(0, number))
    sample = Sample(names, share)
    sample.saw(reply(data=[answer(name) for name in names[:answered]]), overdue=False)
    assert sample.is_enough == (answered >= share * number)
