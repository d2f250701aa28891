"""The local server streams as the contract's section 10 says, and goes wrong as it is told."""

from __future__ import annotations

import contextlib
import json

import httpx
import pytest

from runware_provider.testing import Fault, LocalServer, ServerSettings
from runware_provider.testing.api.streaming import MOST_FRAMES

ACCEPT = {"accept": "text/event-stream"}
SUN = [{"role": "user", "content": "The sun is shining."}]


@pytest.fixture
def stream(client, make):
    """Sends one task and gives the lines of its stream, as far as it comes."""

    def lines(**changes):
        task = make(deliveryMethod="stream", includeCost=True, includeUsage=True, **changes)
        with client.stream("POST", "", json=[task], headers=ACCEPT) as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            told = []
            with contextlib.suppress(httpx.TransportError):
                told.extend(reply.iter_lines())
            return told

    return lines


def frames(lines):
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def text_of(lines):
    return "".join(frame.get("delta", {}).get("text", "") for frame in frames(lines))


def test_a_stream_is_comments_and_frames_of_a_few_tokens_and_an_end(stream):
    lines = stream(messages=SUN)
    assert lines[0] == ": keep-alive"
    assert lines[-2:] == ["data: [DONE]", ""]
    assert text_of(lines) == "A sunny day."
    last = frames(lines)[-1]
    assert last["finishReason"] == "stop"
    assert last["usage"]["completionTokens"] == 3
    assert last["cost"] > 0
    assert all("finishReason" not in frame for frame in frames(lines)[:-1])


def test_a_long_text_comes_in_many_frames_and_not_in_endless_ones(server, stream):
    server.script(Fault(kind="say", body="x" * 100_000))
    lines = stream()
    assert text_of(lines) == "x" * 100_000
    assert 100 < len(frames(lines)) <= MOST_FRAMES + 1


def test_reasoning_comes_before_the_text(server, stream):
    server.script(Fault(kind="reasoning_list"))
    deltas = [next(iter(frame["delta"]), None) for frame in frames(stream(messages=SUN))]
    assert deltas == sorted(deltas, key=["reasoningContent", "text", None].index)
    assert deltas.count("reasoningContent") > 1


def test_a_task_can_be_asked_for_after_its_stream(client, make, ask):
    task = make(deliveryMethod="stream", messages=SUN)
    assert client.post("", json=[task], headers=ACCEPT).status_code == 200
    (item,) = client.post("", json=[ask(task)]).json()["data"]
    assert item["text"] == "A sunny day."


def test_a_refusal_comes_before_the_stream_and_is_none(client, make):
    reply = client.post("", json=[make(deliveryMethod="stream", model="gpt-2")], headers=ACCEPT)
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, "modelNotFound")


def test_a_stream_is_alone_in_its_array_and_asked_for_by_a_header(client, make):
    streaming = make(deliveryMethod="stream")
    for tasks, headers in (([streaming, make()], ACCEPT), ([streaming], {})):
        reply = client.post("", json=tasks, headers=headers)
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, "incompatibleParameters")


def test_a_task_that_fails_says_so_in_a_frame_and_nothing_after_it(server, stream):
    server.script(Fault(kind="fail_task", code="providerError"))
    lines = stream()
    (frame,) = frames(lines)
    assert frame["errors"][0]["code"] == "providerError"
    assert frame["errors"][0]["taskUUID"]
    assert "data: [DONE]" not in lines


def test_a_task_that_fails_among_the_data_is_such_a_frame(server, stream):
    server.script(Fault(kind="fail_task", code="providerError", shape="item"))
    (frame,) = frames(stream())
    assert (frame["status"], frame["error"]["code"]) == ("error", "providerError")


def test_a_stream_that_is_cut_has_neither_its_rest_nor_its_end(server, stream):
    server.script(Fault(kind="cut_stream"), Fault(kind="say", body="x" * 64))
    lines = stream()
    assert 0 < len(text_of(lines)) < 64
    assert "data: [DONE]" not in lines
    assert server.bill_summary()["charged"] == 1


def test_a_stream_that_stalls_says_nothing_more(server, client, make):
    server.script(Fault(kind="stall_stream"), Fault(kind="say", body="x" * 64))
    lines = []
    with (
        pytest.raises(httpx.ReadTimeout),
        client.stream("POST", "", json=[make(deliveryMethod="stream")], headers=ACCEPT, timeout=0.3) as reply,
    ):
        lines.extend(reply.iter_lines())
    assert server.bill_summary()["charged"] == 1


def test_an_error_frame_names_nobody(server, stream, client, ask):
    server.script(Fault(kind="error_frame", code="providerTimeout"))
    (error,) = frames(stream(messages=SUN))[-1]["errors"]
    assert error["code"] == "providerTimeout"
    assert "taskUUID" not in error
    (name,) = server.bill()["tasks"]
    assert client.post("", json=[ask({"taskUUID": name})]).json()["data"][0]["text"] == "A sunny day."


def test_a_frame_of_a_task_that_nobody_sent_may_come_along(server, stream):
    server.script(Fault(kind="unknown_item"))
    assert len({frame["taskUUID"] for frame in frames(stream())}) == 2


def test_comments_come_while_a_task_runs_and_its_text_comes_as_time_passes(clock, connect, make):
    settings = ServerSettings(latency=60, stream_keep_alive=0.01)
    with LocalServer(settings, clock=clock) as server:
        server.script(Fault(kind="say", body="x" * 64))
        task = make(deliveryMethod="stream")
        with connect(server).stream("POST", "", json=[task], headers=ACCEPT) as reply:
            lines = reply.iter_lines()
            assert [next(lines) for _ in range(4)] == [": keep-alive", "", ": keep-alive", ""]
            clock.advance(15.1)
            begun = next(line for line in lines if line.startswith("data: "))
            assert json.loads(begun[6:])["delta"]["text"] == "x" * 16
            clock.advance(60)
            assert list(lines)[-2] == "data: [DONE]"


@pytest.fixture
def slow_server():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(LocalServer(ServerSettings(latency=60)))
        server.stop = stack.close
        yield server


@pytest.mark.parametrize("end", ["reset", "stop"])
def test_a_stream_ends_with_what_its_server_remembers(slow_server, connect, make, end):
    task = make(deliveryMethod="stream")
    with connect(slow_server).stream("POST", "", json=[task], headers=ACCEPT) as reply:
        getattr(slow_server, end)()
        with pytest.raises(httpx.TransportError):
            list(reply.iter_lines())
