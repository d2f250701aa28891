"""A stream is joined to the reply that a sync request would have got, or to none."""

from __future__ import annotations

import gzip
import itertools
import json
import uuid
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api import streamed_reply
from runware_provider.engine.api.error_families import Family
from runware_provider.engine.api.replies import read_reply
from runware_provider.engine.api.reply_bytes import MOST_BYTES, ReplyBroken, ReplyTooLarge
from runware_provider.engine.api.results import cost_of, read_result, usage_of
from runware_provider.engine.api.streamed_reply import StreamedReply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.api.replies import Reply

OURS = str(uuid.UUID(int=7, version=4))
OTHERS = str(uuid.UUID(int=8, version=4))
DONE = b"data: [DONE]\n\n"


def event(frame: Any) -> bytes:
    return b"data: " + json.dumps(frame).encode() + b"\n\n"


def text(piece: Any, **fields: Any) -> bytes:
    return event({"taskUUID": OURS, "taskType": "textInference", "delta": {"text": piece}, **fields})


STOP = event({"taskUUID": OURS, "delta": {}, "finishReason": "stop"})


def taken(*pieces: bytes, status: int = 200, packed_with: str = "", received: Any = lambda _: None) -> bytes:
    stream = StreamedReply(OURS, status, packed_with, received)
    for piece in pieces:
        stream.add(piece)
        if stream.is_over:
            break
    return stream.body()


def reply(*pieces: bytes, status: int = 200, **options: Any) -> Reply:
    return read_reply(status, taken(*pieces, status=status, **options))


def item(*pieces: bytes, **options: Any) -> Any:
    return reply(*pieces, **options).results[OURS]


def broken(*pieces: bytes, **options: Any) -> str:
    with pytest.raises(ReplyBroken) as caught:
        taken(*pieces, **options)
    return str(caught.value)


def test_texts_are_joined_and_the_last_frame_says_the_rest() -> None:
    usage = {"promptTokens": 5, "completionTokens": 3, "totalTokens": 8}
    last = event({"taskUUID": OURS, "delta": {}, "finishReason": "stop", "usage": usage, "cost": 0.002})
    answer = item(b": keep-alive\n\n", text("It is "), text("sunny."), last, DONE)
    assert read_result(answer).text == "It is sunny."
    assert read_result(answer).finish_reason == "stop"
    assert (usage_of(answer).prompt, usage_of(answer).completion, cost_of(answer)) == (5, 3, 0.002)


def test_usage_and_cost_may_come_in_frames_of_their_own_after_the_finish_reason() -> None:
    answer = item(
        text("Hi", finishReason="stop"),
        event({"taskUUID": OURS, "usage": {"inputTokens": 5, "outputTokens": 1}}),
        event({"taskUUID": OURS, "cost": "0.001"}),
        DONE,
    )
    assert (usage_of(answer).prompt, cost_of(answer)) == (5, 0.001)


def test_reasoning_is_told_apart_from_the_text() -> None:
    thinking = event({"taskUUID": OURS, "delta": {"reasoningContent": "Let me "}})
    as_list = event({"taskUUID": OURS, "delta": {"reasoningContent": ["see", "."], "text": None}})
    answer = read_result(item(thinking, as_list, text("Yes"), STOP, DONE))
    assert (answer.text, answer.reasoning) == ("Yes", "Let me see.")


def test_frames_that_an_older_api_wraps_in_data_are_read() -> None:
    inner = {"taskUUID": OURS, "delta": {"text": "Hi"}}
    assert item(event({"data": inner}), event({"data": [inner]}), STOP, DONE)["text"] == "HiHi"


def test_a_frame_without_a_uuid_is_about_the_only_task_there_is() -> None:
    assert item(event({"delta": {"text": "Hi"}}), STOP, DONE)["text"] == "Hi"


def test_the_spelling_of_the_uuid_means_nothing() -> None:
    assert item(event({"taskUUID": OURS.upper(), "delta": {"text": "Hi"}}), STOP, DONE)["text"] == "Hi"


def test_frames_of_another_task_are_passed_over() -> None:
    strange = event({"taskUUID": OTHERS, "delta": {"text": "no"}, "finishReason": "length", "cost": 9})
    failed = event({"errors": [{"code": "providerError", "taskUUID": OTHERS}]})
    answer = item(strange, text("Hi"), failed, STOP, strange, DONE)
    assert (answer["text"], answer["finishReason"], answer.get("cost")) == ("Hi", "stop", None)


def test_an_answer_without_a_text_has_none() -> None:
    refused = event({"taskUUID": OURS, "delta": {}, "finishReason": "content_filter"})
    assert item(refused, DONE)["text"] is None


def test_a_letter_that_is_cut_between_two_frames_is_whole() -> None:
    halves = [b'data: {"delta":{"text":"\\ud83d"}}\n\n', b'data: {"delta":{"text":"\\ude00"}}\n\n']
    assert item(*halves, STOP, DONE)["text"] == "\N{GRINNING FACE}"


def test_half_a_letter_is_survived() -> None:
    assert item(b'data: {"delta":{"text":"a\\ud83d"}}\n\n', STOP, DONE)["text"].startswith("a")


def test_the_characters_that_come_are_told() -> None:
    told: list[int] = []
    item(text("1234"), event({"delta": {"reasoningContent": "56"}}), STOP, DONE, received=told.append)
    assert told == [4, 2]


def test_what_comes_after_the_end_counts_for_nothing() -> None:
    assert item(text("Hi"), STOP, DONE + text("more"), b"garbage")["text"] == "Hi"


@pytest.mark.parametrize("end", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n"])
def test_the_last_word_needs_no_blank_line(end: bytes) -> None:
    assert item(text("Hi"), STOP, end)["text"] == "Hi"


# what is not whole is no answer


@pytest.mark.parametrize("pieces", [[], [text("Hi")], [text("Hi"), STOP], [text("Hi"), STOP, b"data: [DO"]])
def test_without_its_last_word_a_stream_was_cut_off(pieces: list[bytes]) -> None:
    assert broken(*pieces) == "a stream that was cut off"


def test_without_a_finish_reason_nobody_knows_whether_it_is_whole() -> None:
    assert broken(text("Hi"), DONE) == "a stream that ended without a finish reason"


@pytest.mark.parametrize(
    "frame",
    [
        b"data: {oops\n\n",
        b"data: 7\n\n",
        b"data: null\n\n",
        b'data: "text"\n\n',
        event({"taskUUID": OURS, "delta": "Hi"}),
        event({"taskUUID": OURS, "delta": {"text": 7}}),
        event({"taskUUID": OURS, "delta": {"text": {"a": 1}}}),
        event({"taskUUID": OURS, "delta": {"reasoningContent": ["a", 1]}}),
        event({"taskUUID": OURS, "text": "the whole", "finishReason": "stop"}),
    ],
)
def test_a_frame_that_cannot_be_read_leaves_the_answer_unknown(frame: bytes) -> None:
    assert broken(text("Hi"), frame, STOP, DONE) == "a stream with a frame that cannot be read"


@pytest.mark.parametrize(
    "frame", [{"error": {"code": "providerError"}}, {"errors": [{"code": "x"}]}, {"error": "it broke"}]
)
def test_an_error_that_names_no_task_proves_nothing(frame: Any) -> None:
    assert "names no task" in broken(text("Hi"), event(frame), STOP, DONE)


@pytest.mark.parametrize(
    "frame",
    [
        {"errors": [{"code": "providerError", "taskUUID": OURS, "cost": 0.1}]},
        {"taskUUID": OURS, "cost": 0.1, "errors": [{"code": "providerError"}]},
        {"taskUUID": OURS, "cost": 0.1, "error": {"code": "providerError"}},
        {"taskUUID": OURS, "cost": 0.1, "status": "error", "error": {"code": "providerError"}},
        {"data": [{"taskUUID": OURS, "cost": 0.1, "status": "error", "error": {"code": "providerError"}}]},
    ],
)
def test_an_error_that_names_the_task_is_how_it_ended(frame: Any) -> None:
    said = reply(text("Hi"), event(frame), STOP, DONE)
    assert not said.results
    assert said.failures[OURS].family is Family.PROVIDER
    assert cost_of(said.failures[OURS].item) == 0.1


@pytest.mark.parametrize("code", ["rateLimitExceeded", "insufficientCredits", "invalidApiKey"])
def test_what_is_refused_after_it_had_begun_was_run_all_the_same(code: str) -> None:
    refusal = event({"errors": [{"code": code, "taskUUID": OURS}]})
    assert reply(refusal).failures[OURS].code == code
    assert "refused after it had begun" in broken(text("Hi"), refusal)


@pytest.mark.parametrize(
    "code", ["rateLimitExceeded", "insufficientCredits", "invalidApiKey", "modelNotFound"]
)
def test_a_whole_request_is_refused_before_its_task_has_begun(code: str) -> None:
    refusal = event({"errors": [{"code": code}]})
    assert [error.code for error in reply(b": hello\n\n", refusal).unnamed] == [code]
    assert "names no task" in broken(text("Hi"), refusal)
    assert "names no task" in broken(event({"taskUUID": OURS, "cost": 0.1}), refusal)


@pytest.mark.parametrize(
    "codes", [["providerError"], ["internalServerError"], ["providerError", "insufficientCredits"]]
)
def test_an_error_that_may_come_of_a_run_proves_nothing_at_the_beginning_either(codes: list[str]) -> None:
    assert "names no task" in broken(event({"errors": [{"code": code} for code in codes]}))


@pytest.mark.parametrize("code", ["rateLimitExceeded", "insufficientCredits"])
@pytest.mark.parametrize(
    "sign",
    [
        {"delta": {"reasoningContent": "Let me see"}},
        {"delta": {}, "finishReason": "length"},
        {"usage": {"promptTokens": 5}},
        {"cost": 0.001},
    ],
)
def test_a_task_has_begun_though_it_has_said_nothing_yet(code: str, sign: Any) -> None:
    error = {"code": code, "taskUUID": OURS}
    assert "refused after it had begun" in broken(
        event({"taskUUID": OURS, **sign}), event({"errors": [error]})
    )


def test_a_refusal_that_cost_something_was_none() -> None:
    error = {"code": "insufficientCredits", "taskUUID": OURS}
    assert "refused after it had begun" in broken(event({"errors": [{**error, "cost": 0.1}]}))
    assert OURS in reply(event({"errors": [{**error, "cost": 0}]})).failures
    assert OURS in reply(event({"taskUUID": OURS, "cost": 0}), event({"errors": [error]})).failures


def test_a_status_that_says_error_is_one() -> None:
    assert OURS in reply(event({"taskUUID": OURS, "status": "error"})).failures


@pytest.mark.parametrize("error", [None, {}, "", []])
def test_an_empty_error_is_none(error: Any) -> None:
    assert item(text("Hi", error=error, errors=error), STOP, DONE)["text"] == "Hi"


def test_a_refusal_that_comes_as_a_stream_is_what_its_status_says() -> None:
    said = reply(event({"errors": [{"code": "rateLimitExceeded"}]}), status=429)
    assert (said.status, said.unnamed[0].family) == (429, Family.RATE)
    assert not reply(b": nothing\n\n", status=503).unnamed


# how much is taken


def test_a_packed_stream_is_read_as_it_comes() -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    pieces = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in (text("Hi"), STOP, DONE)]
    assert item(*pieces, packed_with="gzip")["text"] == "Hi"
    with pytest.raises(ReplyBroken):
        taken(DONE, packed_with="br")


def test_an_answer_is_taken_up_to_the_bound_of_any_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_reply, "MOST_BYTES", 1_000)
    assert len(item(*[text("x" * 100)] * 10, STOP, DONE)["text"]) == 1_000
    for pieces in ([*[text("x" * 100)] * 11, STOP, DONE], [text("x" * 100) * 11 + STOP + DONE]):
        with pytest.raises(ReplyTooLarge) as caught:
            taken(*pieces)
        assert caught.value.is_answer


def test_an_event_without_an_end_is_not_taken_for_ever_and_is_no_answer() -> None:
    with pytest.raises(ReplyTooLarge) as caught:
        taken(*[b"x" * 2**20] * (MOST_BYTES // 2**20 + 1))
    assert not caught.value.is_answer


def test_comments_are_not_taken_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_reply, "MOST_STREAMED_BYTES", 1_000)
    stream = StreamedReply(OURS, 200, "", lambda _: None)
    stream.add(b": " + b"x" * 997 + b"\n")
    with pytest.raises(ReplyTooLarge):
        stream.add(b":")


def test_a_small_piece_does_not_unpack_to_more_than_a_reply_may_have() -> None:
    bomb = gzip.compress(b"\0" * (MOST_BYTES + 1))
    with pytest.raises(ReplyTooLarge):
        taken(bomb, packed_with="gzip")


@pytest.mark.parametrize("bomb", [b"[" * 2_100_000, b'{"delta":' * 2_100_000])
def test_a_frame_of_too_many_values_is_not_read(bomb: bytes) -> None:
    with pytest.raises(ReplyTooLarge):
        taken(b"data: " + bomb + b"\n\n")


# whatever comes


@given(
    said=st.lists(st.text(max_size=20), max_size=6),
    places=st.lists(st.integers(0, 2_000), max_size=10),
    escaped=st.booleans(),
    with_reasoning=st.booleans(),
)
def test_an_answer_is_what_was_said_wherever_its_stream_is_cut(
    *, said: Sequence[str], places: list[int], escaped: bool, with_reasoning: bool
) -> None:
    content = b": hello\r\n\r\n"
    for piece in said:
        delta = {"text": piece} | ({"reasoningContent": piece} if with_reasoning else {})
        frame = json.dumps({"taskUUID": OURS, "delta": delta}, ensure_ascii=escaped)
        content += b"data: " + frame.encode(errors="replace") + b"\n\n"
    content += STOP + DONE
    bounds = [0, *sorted(place % len(content) for place in places), len(content)]
    answer = item(*(content[start:end] for start, end in itertools.pairwise(bounds)))
    assert read_result(answer).text == ("".join(said) if said else None)
    assert (read_result(answer).reasoning or "") == ("".join(said) if with_reasoning else "")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.sampled_from([OURS, OTHERS, "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "delta",
                    "text",
                    "reasoningContent",
                    "error",
                    "errors",
                    "data",
                    "taskUUID",
                    "status",
                    "code",
                    "finishReason",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4), st.sampled_from([200, 400, 500]))
def test_whatever_frames_come_there_is_a_reply_or_none(frames: list[Any], status: int) -> None:
    try:
        said = reply(*map(event, frames), STOP, DONE, status=status)
    except ReplyBroken:
        return
    assert set(said.results) <= {OURS}


@given(st.binary(max_size=200))
def test_whatever_bytes_come_there_is_no_answer_without_a_last_word(content: bytes) -> None:
    try:
        said = reply(b"data: " + content)
    except ReplyBroken:
        return
    assert not said.results
