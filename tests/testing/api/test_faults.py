from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.testing import KINDS, Fault, LocalServer, ServerSettings
from runware_provider.testing.api.faults import REQUEST_KINDS, FaultBook, read_faults

PAGE = Path(__file__).resolve().parents[3] / "docs" / "local-server.md"
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
TOOL = {"type": "function", "name": "save", "description": "Save it.", "schema": SCHEMA}
FORCED = {
    "tools": [TOOL],
    "toolChoice": {"type": "tool", "name": "save"},
    "messages": [{"role": "user", "content": "Total: 12.50"}],
}
JSON_MODE = {
    "model": "gpt-5.5",
    "outputFormat": "JSON",
    "jsonSchema": SCHEMA,
    "messages": [{"role": "user", "content": "Total: 12.50"}],
}


def codes(reply):
    return [error["code"] for error in reply.json().get("errors", [])]


def only(reply):
    (item,) = reply.json()["data"]
    return item


@pytest.fixture
def sync(client, make):
    """Sends one sync task, gives its result item."""

    def sent(**changes):
        return only(client.post("", json=[make(deliveryMethod="sync", **changes)]))

    return sent


def fired(fault, number):
    """Tell which of a number of equal requests a fault fires for."""
    book = FaultBook([fault])
    return [place for place in range(1, number + 1) if book.of_request(b"[]")]


def test_a_fault_that_is_removed_fires_no_more_and_the_others_count_and_draw_on():
    lost, second, often = (
        Fault("half_body"),
        Fault("garbage_body", nth=2),
        Fault("shuffle_items", probability=0.5),
    )
    whole, rest = FaultBook([lost, second, often, lost]), FaultBook([lost, second, often, lost])
    expected = [set(whole.of_request(b"[]")) - {lost.kind} for _ in range(20)]
    seen = [set(rest.of_request(b"[]")) - {lost.kind}]
    rest.remove(lost)
    seen += [set(rest.of_request(b"[]")) for _ in range(19)]
    assert seen == expected
    rest.add(Fault("half_body"))
    assert "half_body" in rest.of_request(b"[]")


def test_a_fault_without_selectors_fires_always():
    assert fired(Fault(kind="half_body"), 3) == [1, 2, 3]


def test_nth_selects_one_or_several():
    assert fired(Fault(kind="half_body", nth=2), 4) == [2]
    assert fired(Fault(kind="half_body", nth=(1, 4)), 5) == [1, 4]


def test_every_selects_each_nth():
    assert fired(Fault(kind="half_body", every=3), 7) == [3, 6]


def test_after_skips_the_first_ones():
    assert fired(Fault(kind="half_body", after=2), 4) == [3, 4]


def test_times_limits_how_often_a_fault_fires():
    assert fired(Fault(kind="half_body", times=2), 5) == [1, 2]


def test_a_probability_repeats_itself_with_the_seed_and_differs_without():
    def drawn(seed):
        book = FaultBook([Fault(kind="half_body", probability=0.5)], seed=seed)
        return [bool(book.of_request(b"")) for _ in range(64)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 16 < sum(drawn(1)) < 48


@given(st.lists(st.uuids(version=4).map(str), unique=True, max_size=30), st.randoms())
def test_a_probability_of_a_task_depends_on_its_uuid_and_not_on_the_order(uuids, random):
    def drawn(order):
        book = FaultBook([Fault(kind="think", probability=0.4)])
        return {uuid for uuid in order if book.of_task(b"{}", "m", uuid)}

    shuffled = list(uuids)
    random.shuffle(shuffled)
    assert drawn(uuids) == drawn(shuffled)


@pytest.mark.parametrize("ascii_only", [True, False])
def test_contains_finds_a_text_however_the_client_writes_its_json(ascii_only):
    book = FaultBook([Fault(kind="think", contains='Straße "7"')])
    raw = json.dumps({"content": 'In der Straße "7" links'}, ensure_ascii=ascii_only).encode()
    assert book.of_task(raw, "m", "u")
    assert not book.of_task(b"{}", "m", "u")


def test_without_leaves_out_what_contains_a_text_and_agrees_with_the_other_selectors():
    book = FaultBook([Fault(kind="think", contains="user", without="assistant")])
    roles = [["user"], ["user", "assistant", "user"], ["assistant"], []]
    assert [bool(book.of_task(json.dumps(one).encode(), "m", "u")) for one in roles] == [
        True,
        False,
        False,
        False,
    ]


def test_model_and_task_type_select_too():
    book = FaultBook([Fault(kind="think", model="a"), Fault(kind="half_body", task_type="getResponse")])
    assert [bool(book.of_task(b"", model, "u")) for model in ("a", "b")] == [True, False]
    assert [bool(book.of_request(b)) for b in (b'{"taskType": "getResponse"}', b'"textInference"')] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "x"}',
        '{"nth": 1}',
        '{"kind": "think", "nth": 0}',
        '{"kind": "think", "probability": 2}',
        "[[]]",
        "no",
    ],
)
def test_a_script_that_makes_no_sense_is_refused(text):
    with pytest.raises(msgspec.DecodeError):
        read_faults(text.encode())


def test_the_page_lists_every_kind_and_every_selector():
    page = PAGE.read_text(encoding="utf-8")
    for kind, text in KINDS.items():
        assert f"| `{kind}` | {text} |" in page
    listed = re.findall(r"^\| `(\w+)` \|", page.partition("## Faults")[2].partition("\n## ")[0], re.MULTILINE)
    assert set(listed) == {*KINDS, *Fault.__struct_fields__} - {"kind"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "invalidApiKey"),
        (402, "insufficientCredits"),
        (403, "forbidden"),
        (408, "requestTimeout"),
        (413, "inferenceRateLimitRequestTooLarge"),
        (429, "rateLimitExceeded"),
        (500, "internalServerError"),
        (502, "providerBadGateway"),
        (503, "serviceUnavailable"),
        (504, "providerGatewayTimeout"),
    ],
)
def test_a_request_is_refused_with_a_status_and_its_code_before_any_work(server, client, make, status, code):
    server.script(Fault(kind="refuse_request", status=status))
    reply = client.post("", json=[make()])
    assert (reply.status_code, codes(reply)) == (status, [code])
    assert server.bill_summary()["executed"] == 0


def test_a_code_brings_its_own_status(server, client, make):
    server.script(Fault(kind="refuse_request", code="quotaExceeded"))
    assert client.post("", json=[make()]).status_code == 402


def test_a_refusal_may_say_when_to_come_back(server, client, make):
    server.script(Fault(kind="refuse_request", status=429, retry_after=1.5, times=1))
    assert client.post("", json=[make()]).headers["retry-after"] == "1.5"
    server.clear_faults()
    server.script(Fault(kind="refuse_request", status=429))
    assert "retry-after" not in client.post("", json=[make()]).headers


def test_a_refusal_may_be_a_page_for_people(server, client, make):
    server.script(Fault(kind="refuse_request", status=502, body="<html>Bad Gateway</html>"))
    reply = client.post("", json=[make()])
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.text == "<html>Bad Gateway</html>"


def test_a_connection_is_cut_before_any_work(server, client, make):
    server.script(Fault(kind="cut_before_work", times=1))
    task = make()
    with pytest.raises(httpx.TransportError):
        client.post("", json=[task])
    assert server.bill_summary()["executed"] == 0
    assert client.post("", json=[task]).status_code == 200


def test_a_reply_is_lost_after_the_work(server, client, make, ask):
    server.script(Fault(kind="cut_after_work", times=1))
    task = make()
    with pytest.raises(httpx.TransportError):
        client.post("", json=[task])
    assert server.bill_summary()["executed"] == 1
    assert only(client.post("", json=[ask(task)]))["status"] == "success"
    assert codes(client.post("", json=[task])) == ["conflictTaskUUID"]


def test_a_server_error_may_come_after_the_work(server, client, make):
    server.script(Fault(kind="fail_after_work", status=500))
    assert client.post("", json=[make()]).status_code == 500
    assert server.bill_summary()["executed"] == 1


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_half_a_body_is_sent(server, client, make, ask, encoding):
    tasks = [make() for _ in range(150)]
    client.post("", json=tasks)
    server.script(Fault(kind="half_body", times=1))
    polls = [ask(task) for task in tasks]
    with pytest.raises(httpx.TransportError):
        client.post("", json=polls, headers={"accept-encoding": encoding})
    assert len(client.post("", json=polls).json()["data"]) == 150


def test_a_garbage_body_comes_with_status_200_after_the_work(server, client, make):
    server.script(Fault(kind="garbage_body", body="{]", content_type="application/json"))
    reply = client.post("", json=[make()])
    assert (reply.status_code, reply.text) == (200, "{]")
    assert server.bill_summary()["executed"] == 1


@pytest.mark.parametrize(("kind", "executed"), [("delay_request", 0), ("delay_reply", 1)])
def test_a_delay_comes_before_or_after_the_work(connect, make, kind, executed):
    with LocalServer(ServerSettings(latency=0, faults=(Fault(kind=kind, seconds=3_600, times=1),))) as server:
        client = connect(server)
        with pytest.raises(httpx.ReadTimeout):
            client.post("", json=[make()], timeout=0.2)
        assert server.bill_summary()["executed"] == executed
        assert client.post("", json=[make()]).status_code == 200


@pytest.mark.parametrize("kind", ["delay_request", "delay_reply"])
async def test_a_reset_lets_go_of_a_request_that_is_held_up_and_bills_nothing_of_it(server, make, kind):
    server.script(Fault(kind=kind, seconds=3_600))
    headers = {"authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(base_url=server.base_url, headers=headers, timeout=3_600) as client:
        held_up = asyncio.create_task(client.post("", json=[make()]))
        while not (await asyncio.to_thread(server.faults))[0]["fired"]:
            pass
        server.reset()
        with pytest.raises(httpx.RemoteProtocolError):
            await held_up
    assert server.bill_summary()["executed"] == 0
    assert server.bill_summary()["http_statuses"] == {}


def test_items_come_twice(server, client, make):
    server.script(Fault(kind="duplicate_items"))
    one, two = client.post("", json=[make()]).json()["data"]
    assert one == two


def test_items_come_in_another_order(server, client, make):
    server.script(Fault(kind="shuffle_items"))
    tasks = [make() for _ in range(3)]
    data = client.post("", json=tasks).json()["data"]
    assert [item["taskUUID"] for item in data] == [task["taskUUID"] for task in reversed(tasks)]


def test_an_item_of_a_task_that_nobody_sent_is_there(server, client, make):
    server.script(Fault(kind="unknown_item"))
    task = make()
    data = client.post("", json=[task]).json()["data"]
    assert len({item["taskUUID"] for item in data} - {task["taskUUID"]}) == 1


def test_one_task_of_an_array_is_refused_with_any_code(server, client, make):
    server.script(Fault(kind="refuse_task", nth=2, code="contentPolicyViolation", message="No."))
    tasks = [make() for _ in range(3)]
    reply = client.post("", json=tasks)
    (error,) = reply.json()["errors"]
    assert (error["code"], error["message"], error["taskUUID"]) == (
        "contentPolicyViolation",
        "No.",
        tasks[1]["taskUUID"],
    )
    assert server.bill_summary()["executed"] == 2


def test_an_error_may_name_no_task(server, client, make):
    server.script(Fault(kind="refuse_without_uuid", code="providerError"))
    (error,) = client.post("", json=[make()]).json()["errors"]
    assert "taskUUID" not in error


def test_a_rejected_task_may_use_up_its_uuid(server, client, make):
    server.script(Fault(kind="refuse_task", times=1), Fault(kind="reserve_rejected"))
    task = make()
    client.post("", json=[task])
    assert codes(client.post("", json=[task])) == ["conflictTaskUUID"]
    assert server.bill_summary()["executed"] == 0


def test_a_rejected_task_keeps_its_uuid_free_otherwise(server, client, make):
    server.script(Fault(kind="refuse_task", times=1))
    task = make()
    client.post("", json=[task])
    assert client.post("", json=[task]).status_code == 200


def test_an_acknowledgement_is_missing_although_the_task_runs(server, client, make, ask):
    server.script(Fault(kind="no_acknowledgement", times=1))
    silent, named = make(), make()
    reply = client.post("", json=[silent, named]).json()
    assert reply == {"data": [{"taskType": "textInference", "taskUUID": named["taskUUID"]}]}
    assert only(client.post("", json=[ask(silent)]))["status"] == "success"


def test_a_task_fails_in_the_errors_of_a_poll(server, client, make, ask):
    server.script(Fault(kind="fail_task", code="providerTimeout"))
    task = make()
    assert client.post("", json=[task]).status_code == 200
    reply = client.post("", json=[ask(task)])
    assert (reply.status_code, codes(reply), reply.json()["data"]) == (200, ["providerTimeout"], [])
    assert server.bill_summary()["charged"] == 0


def test_a_sync_task_fails_with_the_status_of_its_error(server, client, make):
    server.script(Fault(kind="fail_task", code="noAvailableServer"))
    reply = client.post("", json=[make(deliveryMethod="sync")])
    assert (reply.status_code, codes(reply)) == (503, ["noAvailableServer"])


def test_a_failed_task_may_stand_inside_data_and_may_be_charged(server, client, make, ask):
    server.script(Fault(kind="fail_task", code="providerError", shape="item", charge=True))
    task = make(includeCost=True)
    client.post("", json=[task])
    item = only(client.post("", json=[ask(task)]))
    assert (item["status"], item["error"]["code"]) == ("error", "providerError")
    assert item["cost"] == server.bill_summary()["cost_usd"] > 0


def test_a_task_never_finishes_and_others_do(server, client, make, ask):
    server.script(Fault(kind="never_finish", nth=1))
    tasks = [make(), make()]
    client.post("", json=tasks)
    data = client.post("", json=[ask(task) for task in tasks]).json()["data"]
    assert [item["status"] for item in data] == ["processing", "success"]


def test_a_result_is_forgotten_but_is_in_the_archive(server, client, make, ask):
    server.script(Fault(kind="forget_result"))
    task = make()
    client.post("", json=[task])
    assert client.post("", json=[ask(task)]).json() == {"data": []}
    (details,) = client.post("", json=[{**ask(task), "taskType": "getTaskDetails"}]).json()["data"]
    assert details["response"]["data"][0]["text"]
    assert server.bill_summary()["charged"] == 1


def test_an_error_may_name_nobody_though_the_archive_has_the_result(server, client, make, ask):
    server.script(Fault(kind="unnamed_error", code="providerError"))
    task = make()
    client.post("", json=[task])
    (error,) = client.post("", json=[ask(task)]).json()["errors"]
    assert (error["code"], "taskUUID" in error) == ("providerError", False)
    (details,) = client.post("", json=[{**ask(task), "taskType": "getTaskDetails"}]).json()["data"]
    assert details["response"]["data"][0]["text"]
    assert server.bill_summary()["charged"] == 1


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_reply_drips_without_an_end(server, client, make, encoding):
    server.script(Fault(kind="dripping_reply", seconds=0, times=1))
    with client.stream("POST", "", json=[make()], headers={"accept-encoding": encoding}) as reply:
        pieces = reply.iter_raw()
        assert [next(pieces)[:1] for _ in range(3)] == [b" "] * 3
    assert server.bill_summary()["executed"] == 1


@pytest.mark.parametrize("code", ["taskNotFound", "taskExpired", "taskFailedOrNotFound", "taskCancelled"])
def test_a_forgotten_result_may_be_an_error(server, client, make, ask, code):
    server.script(Fault(kind="forget_result", code=code))
    task = make()
    client.post("", json=[task])
    assert codes(client.post("", json=[ask(task)])) == [code]


def test_a_straggler_takes_longer(clock, connect, make, ask):
    with LocalServer(ServerSettings(latency=1), clock=clock) as server:
        server.script(Fault(kind="delay_task", seconds=60, nth=1))
        client, tasks = connect(server), [make(), make()]
        client.post("", json=tasks)
        clock.advance(1)
        first = client.post("", json=[ask(task) for task in tasks]).json()["data"]
        clock.advance(60)
        second = client.post("", json=[ask(task) for task in tasks]).json()["data"]
    assert [item["status"] for item in first] == ["processing", "success"]
    assert [item["status"] for item in second] == ["success", "success"]


def test_an_answer_breaks_the_schema(server, sync):
    server.script(Fault(kind="break_schema"))
    assert "total" not in json.loads(sync(**JSON_MODE)["text"])
    assert "total" not in sync(**FORCED)["tools"][0]["input"]


def test_an_answer_is_truncated(server, sync):
    server.script(Fault(kind="truncate"))
    item = sync(**JSON_MODE)
    assert item["finishReason"] == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(item["text"])


def test_a_truncated_tool_call_is_cut_text_without_a_call(server, sync):
    server.script(Fault(kind="truncate"))
    item = sync(**FORCED)
    assert "tools" not in item
    assert item["finishReason"] == "length"


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [("content_filter", "", "content_filter"), ("empty_text", "", "stop"), ("null_text", None, "stop")],
)
def test_an_answer_has_no_text(server, sync, kind, text, reason):
    server.script(Fault(kind=kind))
    item = sync(**FORCED)
    assert (item["text"], item["finishReason"]) == (text, reason)
    assert "tools" not in item


@pytest.mark.parametrize(
    ("kind", "beginning"), [("think", "<think>"), ("fence", "```json\n"), ("prose", "Here is")]
)
def test_an_answer_is_dressed_up(server, sync, kind, beginning):
    server.script(Fault(kind=kind))
    text = sync(**JSON_MODE)["text"]
    assert text.startswith(beginning)
    assert '{"total":12.5}' in text


def test_a_tool_call_has_its_arguments_as_a_string(server, sync):
    server.script(Fault(kind="string_arguments"))
    (call,) = sync(**FORCED)["tools"]
    assert json.loads(call["arguments"]) == {"total": 12.5}
    assert "input" not in call


def test_tool_calls_have_another_key(server, sync):
    server.script(Fault(kind="tool_calls_key"))
    item = sync(**FORCED)
    assert "tools" not in item
    assert item["toolCalls"][0]["name"] == "save"


def test_reasoning_is_a_list(server, sync):
    server.script(Fault(kind="reasoning_list"))
    assert isinstance(sync()["reasoningContent"], list)


def test_a_finished_item_lacks_its_status(server, sync):
    server.script(Fault(kind="no_status"))
    assert "status" not in sync()


def test_usage_has_its_older_shape(server, sync):
    server.script(Fault(kind="old_usage"))
    assert set(sync(includeUsage=True)["usage"]) == {"inputTokens", "outputTokens"}


def test_a_cost_is_missing_although_it_was_charged(server, sync):
    server.script(Fault(kind="no_cost"))
    assert "cost" not in sync(includeCost=True)
    assert server.bill_summary()["cost_usd"] > 0


def test_a_rejected_replay_overwrites_the_archive(server, client, make, ask):
    server.script(Fault(kind="archive_overwritten"))
    task = make()
    client.post("", json=[task])
    client.post("", json=[task])
    (details,) = client.post("", json=[{**ask(task), "taskType": "getTaskDetails"}]).json()["data"]
    assert details["response"]["errors"][0]["code"] == "conflictTaskUUID"


def test_a_reservation_lapses_and_the_task_runs_and_is_charged_again(server, client, make):
    server.script(Fault(kind="reservation_lapses"))
    task = make()
    assert [client.post("", json=[task]).status_code for _ in range(2)] == [200, 200]
    bill = server.bill()
    assert bill["uuids_executed_again"] == 1
    assert bill["tasks"][task["taskUUID"]]["executed"] == bill["tasks"][task["taskUUID"]]["charged"] == 2
    assert bill["distinct_uuids"] == 1


def test_a_task_is_registered_late_and_until_then_unknown_and_run_again(clock, connect, make, ask):
    with LocalServer(ServerSettings(latency=0), clock=clock) as server:
        client = connect(server)
        server.script(Fault(kind="slow_registration"))
        task = make()
        archive = {**ask(task), "taskType": "getTaskDetails"}

        def seen():
            return bool(client.post("", json=[ask(task)]).json()["data"]), codes(
                client.post("", json=[archive])
            )

        assert client.post("", json=[task]).status_code == 200
        assert seen() == (False, ["taskNotFound"])
        clock.advance(0.99)
        assert client.post("", json=[task]).status_code == 200
        assert seen() == (False, ["taskNotFound"])
        clock.advance(0.01)
        assert seen() == (True, [])
        assert codes(client.post("", json=[task])) == ["conflictTaskUUID"]
        line = server.bill()["tasks"][task["taskUUID"]]
        assert line["executed"] == line["charged"] == 2


def test_a_sync_reply_does_not_wait_for_its_registration(sync, server):
    server.script(Fault(kind="slow_registration", seconds=60))
    assert sync()["status"] == "success"


def test_faults_of_one_moment_are_independent_of_the_others(server, client, make):
    server.script(*(Fault(kind=kind, contains="no such text") for kind in KINDS))
    assert client.post("", json=[make(deliveryMethod="sync")]).json()["data"][0]["status"] == "success"
    assert all(each["fired"] == 0 for each in server.faults())


def test_every_request_kind_lets_the_server_live_on(server, client, make):
    for kind in REQUEST_KINDS:
        server.script(Fault(kind=kind, times=1, seconds=0))
        with contextlib.suppress(httpx.TransportError), client.stream("POST", "", json=[make()]) as reply:
            if kind != "dripping_reply":
                reply.read()
        server.clear_faults()
        assert client.post("", json=[make()]).status_code == 200


def test_the_model_says_what_the_fault_says(client, make, server):
    server.script(Fault("say", body="billing"))
    (item,) = client.post("", json=[make(deliveryMethod="sync", **FORCED)]).json()["data"]
    assert (item["text"], item["finishReason"], "tools" in item) == ("billing", "stop", False)


def test_all_tools_are_called_in_parallel_in_their_order(client, make, server):
    server.script(Fault("all_tools"))
    tools = [{**TOOL, "name": name} for name in ("b", "a")]
    task = make(deliveryMethod="sync", **{**FORCED, "tools": tools, "toolChoice": {"type": "auto"}})
    (item,) = client.post("", json=[task]).json()["data"]
    assert [(call["name"], call["input"]) for call in item["tools"]] == [
        ("b", {"total": 12.5}),
        ("a", {"total": 12.5}),
    ]
