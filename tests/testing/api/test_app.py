from __future__ import annotations

import gzip
import json
import socket
import threading
import uuid
from urllib.parse import urlsplit

import httpx
import pytest

from runware_provider.testing import Fault, LocalServer, Model, ServerSettings
from runware_provider.testing.api.app import GZIP_FROM_BYTES


def codes(reply: httpx.Response) -> list[str]:
    return [error["code"] for error in reply.json()["errors"]]


def test_an_async_task_is_acknowledged_by_a_bare_item(client, make):
    task = make()
    reply = client.post("", json=[task])
    assert reply.status_code == 200
    assert reply.json() == {"data": [{"taskType": "textInference", "taskUUID": task["taskUUID"]}]}


def test_a_sync_task_is_answered_in_the_same_reply(client, make):
    task = make(deliveryMethod="sync")
    (item,) = client.post("", json=[task]).json()["data"]
    assert item["taskUUID"] == task["taskUUID"]
    assert item["text"] == "A sunny day."
    assert item["finishReason"] == "stop"


def test_delivery_is_sync_unless_the_task_says_otherwise(client, make):
    (item,) = client.post("", json=[make(deliveryMethod=None)]).json()["data"]
    assert "text" in item


def test_a_task_is_processing_until_its_time_has_come(clock, connect, make, ask):
    with LocalServer(ServerSettings(latency=5), clock=clock) as server:
        client, task = connect(server), make()
        client.post("", json=[task])
        (before,) = client.post("", json=[ask(task)]).json()["data"]
        clock.advance(5)
        (after,) = client.post("", json=[ask(task)]).json()["data"]
    assert before == {"taskType": "textInference", "taskUUID": task["taskUUID"], "status": "processing"}
    assert after["status"] == "success"


def test_a_sync_connection_is_held_until_the_slowest_task_is_done(connect, make):
    with LocalServer(ServerSettings(latency=0.05)) as server:
        data = connect(server).post("", json=[make(deliveryMethod="sync") for _ in range(3)]).json()["data"]
    assert [item["status"] for item in data] == ["success"] * 3


def test_a_sync_request_that_outlives_the_window_times_out_while_the_task_goes_on(clock, connect, make, ask):
    with LocalServer(ServerSettings(latency=60, sync_window=0), clock=clock) as server:
        client, task = connect(server), make(deliveryMethod="sync")
        reply = client.post("", json=[task])
        clock.advance(60)
        (later,) = client.post("", json=[ask(task)]).json()["data"]
        assert server.bill_summary()["charged"] == 1
    assert (reply.status_code, codes(reply)) == (504, ["requestTimeout"])
    assert later["status"] == "success"


def test_a_sync_result_can_be_fetched_again(client, make, ask):
    task = make(deliveryMethod="sync")
    (first,) = client.post("", json=[task]).json()["data"]
    (second,) = client.post("", json=[ask(task)]).json()["data"]
    assert first == second


def test_many_tasks_are_polled_in_one_array_and_replies_are_cumulative(client, make, ask):
    tasks = [make() for _ in range(7)]
    client.post("", json=tasks)
    polls = [ask(task) for task in tasks]
    first = client.post("", json=polls).json()
    assert [item["taskUUID"] for item in first["data"]] == [task["taskUUID"] for task in tasks]
    assert client.post("", json=polls).json() == first


def test_an_unknown_uuid_is_polled_to_an_empty_data(client, make, ask):
    reply = client.post("", json=[ask(make())])
    assert reply.status_code == 200
    assert reply.json() == {"data": []}


def test_a_reused_uuid_is_refused_with_conflict_and_nothing_runs_twice(server, client, make):
    task = make()
    client.post("", json=[task])
    reply = client.post("", json=[task])
    assert reply.status_code == 400
    assert reply.json()["data"] == []
    assert codes(reply) == ["conflictTaskUUID"]
    assert reply.json()["errors"][0]["taskUUID"] == task["taskUUID"]
    assert server.bill()["tasks"][task["taskUUID"]]["executed"] == 1


def test_a_uuid_in_capitals_is_the_same_uuid(client, make):
    task = make()
    client.post("", json=[task])
    assert codes(client.post("", json=[{**task, "taskUUID": task["taskUUID"].upper()}])) == [
        "conflictTaskUUID"
    ]


def test_a_uuid_twice_in_one_array_runs_once(server, client, make):
    task = make()
    reply = client.post("", json=[task, task])
    assert len(reply.json()["data"]) == 1
    assert codes(reply) == ["conflictTaskUUID"]
    assert server.bill_summary()["executed"] == 1


def test_tasks_of_one_array_are_independent_of_a_bad_sibling(client, make):
    good, bad = make(deliveryMethod="sync"), make(temperature=0.5)
    reply = client.post("", json=[bad, good])
    assert reply.status_code == 400
    assert [item["taskUUID"] for item in reply.json()["data"]] == [good["taskUUID"]]
    assert [error["taskUUID"] for error in reply.json()["errors"]] == [bad["taskUUID"]]


def test_an_error_has_the_documented_shape(client, make):
    task = make(settings={"temperature": 3})
    (error,) = client.post("", json=[task]).json()["errors"]
    assert set(error) == {"code", "message", "parameter", "taskType", "taskUUID", "documentation"}
    assert error["parameter"] == "settings.temperature"


def test_the_uuid_of_a_rejected_task_can_be_used_again(client, make):
    task = make(settings={"temperature": 3})
    client.post("", json=[task])
    assert client.post("", json=[{**task, "settings": {}}]).status_code == 200


def test_the_uuid_of_a_rejected_task_can_be_reserved_by_a_setting(connect, make):
    with LocalServer(ServerSettings(latency=0, reserve_rejected=True)) as server:
        client, task = connect(server), make(settings={"temperature": 3})
        client.post("", json=[task])
        assert codes(client.post("", json=[{**task, "settings": {}}])) == ["conflictTaskUUID"]
        assert server.bill_summary()["executed"] == 0


@pytest.mark.parametrize("body", [b"{}", b"not json", b"", b'"text"', b"[{]", b"\xff\xfe"])
def test_a_body_that_is_no_array_is_refused(client, body):
    reply = client.post("", content=body)
    assert reply.status_code == 400
    assert codes(reply) == ["invalidRequest"]


@pytest.mark.parametrize(
    "element", [1, None, [], "text", {}, {"taskType": 5}, {"taskType": "imageInference"}]
)
def test_an_element_that_is_no_task_is_refused_beside_a_good_one(client, make, element):
    reply = client.post("", json=[element, make()])
    assert reply.status_code == 400
    assert len(reply.json()["data"]) == len(reply.json()["errors"]) == 1


def test_a_wrong_key_is_refused(server, make):
    reply = httpx.post(
        server.base_url, json=[make()], headers={"authorization": "Bearer no"}, trust_env=False
    )
    assert (reply.status_code, codes(reply)) == (401, ["invalidApiKey"])


def test_a_missing_key_is_refused(server, make):
    reply = httpx.post(server.base_url, json=[make()], trust_env=False)
    assert (reply.status_code, codes(reply)) == (401, ["missingApiKey"])


def test_a_key_is_checked_for_free_by_an_authentication_task(server):
    good = httpx.post(
        server.base_url, json=[{"taskType": "authentication", "apiKey": server.key}], trust_env=False
    )
    bad = httpx.post(server.base_url, json=[{"taskType": "authentication", "apiKey": "no"}], trust_env=False)
    assert (good.status_code, bad.status_code) == (200, 401)
    assert server.bill_summary()["executed"] == 0


def test_the_account_tells_its_balance(client):
    (item,) = client.post(
        "", json=[{"taskType": "accountManagement", "taskUUID": str(uuid.uuid4()), "operation": "getDetails"}]
    ).json()["data"]
    assert item["balance"] == ServerSettings().balance


def test_a_charge_lowers_the_balance_by_the_cost_that_is_reported(server, client, make):
    (item,) = client.post("", json=[make(deliveryMethod="sync", includeCost=True)]).json()["data"]
    assert server.balance() == pytest.approx(ServerSettings().balance - item["cost"], abs=1e-12)
    assert server.bill_summary()["cost_usd"] == item["cost"]


def test_an_empty_account_is_refused_with_402(connect, make):
    with LocalServer(ServerSettings(latency=0, balance=1e-9)) as server:
        client = connect(server)
        assert client.post("", json=[make()]).status_code == 200
        reply = client.post("", json=[make()])
    assert (reply.status_code, codes(reply)) == (402, ["insufficientCredits"])


def test_cost_and_usage_come_only_when_asked_for(client, make):
    silent, telling = (
        make(deliveryMethod="sync"),
        make(deliveryMethod="sync", includeCost=True, includeUsage=True),
    )
    first, second = client.post("", json=[silent, telling]).json()["data"]
    assert not {"cost", "usage"} & set(first)
    assert (
        second["usage"]["totalTokens"]
        == second["usage"]["promptTokens"] + second["usage"]["completionTokens"]
    )
    assert second["cost"] > 0


def test_the_beginning_that_two_prompts_share_is_cached_and_cheaper(client, make):
    def asked(end: str) -> dict[str, object]:
        content = [{"role": "user", "content": "A long instruction. " * 300 + end}]
        return make(deliveryMethod="sync", includeCost=True, includeUsage=True, messages=content)

    first, second = (client.post("", json=[asked(end)]).json()["data"][0] for end in ("one", "two"))
    assert "promptTokensDetails" not in first["usage"]
    assert second["usage"]["promptTokensDetails"]["cachedTokens"] >= 1_000
    assert second["cost"] < first["cost"]


def test_several_results_share_the_uuid_and_differ_in_their_seed(client, make):
    task = make(deliveryMethod="sync", numberResults=3, seed=41)
    data = client.post("", json=[task]).json()["data"]
    assert [(item["taskUUID"], item["seed"]) for item in data] == [
        (task["taskUUID"], 41 + n) for n in range(3)
    ]


def test_several_results_may_arrive_in_separate_polls(clock, connect, make, ask):
    with LocalServer(ServerSettings(latency=1, capacity=1), clock=clock) as server:
        client, task = connect(server), make(numberResults=2)
        client.post("", json=[task])
        clock.advance(1)
        first = client.post("", json=[ask(task)]).json()["data"]
        clock.advance(1)
        second = client.post("", json=[ask(task)]).json()["data"]
    assert [item["status"] for item in first] == ["success", "processing"]
    assert [item["status"] for item in second] == ["success", "success"]


def test_a_full_queue_is_refused_with_429_for_the_tasks_over_it(clock, connect, make):
    with LocalServer(ServerSettings(latency=1, capacity=1, queue=2), clock=clock) as server:
        reply = connect(server).post("", json=[make() for _ in range(5)])
    assert reply.status_code == 429
    assert len(reply.json()["data"]) == 3
    assert codes(reply) == ["inferenceRateLimitExceeded"] * 2


def test_a_wait_that_is_too_long_is_refused_with_504(clock, connect, make):
    with LocalServer(ServerSettings(latency=10, capacity=1, max_wait=15), clock=clock) as server:
        reply = connect(server).post("", json=[make() for _ in range(3)])
    assert (reply.status_code, codes(reply)) == (504, ["providerGatewayTimeout"])


def test_too_many_tasks_or_bytes_are_refused_with_413_and_nothing_is_done(connect, make):
    with LocalServer(ServerSettings(latency=0, max_tasks=2, max_bytes=2_000)) as server:
        client = connect(server)
        many = client.post("", json=[make() for _ in range(3)])
        long = client.post("", json=[make(messages=[{"role": "user", "content": "x" * 2_000}])])
        assert server.bill_summary()["executed"] == 0
    assert (many.status_code, long.status_code) == (413, 413)


def test_a_prompt_longer_than_the_context_is_refused(connect, make):
    tiny = Model("deepseek-v4-pro", "Tiny", context_length=10)
    with LocalServer(ServerSettings(latency=0, models=(tiny,))) as server:
        reply = connect(server).post("", json=[make(messages=[{"role": "user", "content": "x" * 50}])])
    assert codes(reply) == ["inferenceRateLimitRequestTooLarge"]


def test_the_archive_gives_request_and_response_of_an_executed_task(client, make):
    task = make()
    client.post("", json=[task])
    (item,) = client.post("", json=[{"taskType": "getTaskDetails", "taskUUID": task["taskUUID"]}]).json()[
        "data"
    ]
    assert item["request"] == task
    assert item["response"]["data"][0]["text"] == "A sunny day."


def test_the_archive_does_not_know_a_task_that_never_ran(client, make):
    reply = client.post("", json=[{"taskType": "getTaskDetails", "taskUUID": make()["taskUUID"]}])
    assert codes(reply) == ["taskNotFound"]


@pytest.mark.parametrize("task_type", ["getResponse", "getTaskDetails", "accountManagement"])
def test_every_task_type_wants_a_uuid(client, task_type):
    assert codes(client.post("", json=[{"taskType": task_type, "taskUUID": "1"}])) == ["invalidTaskUUID"]


def test_the_catalogue_lists_models_with_prices(client):
    models = {model["id"]: model for model in client.get("/models").json()["data"]}
    vendor = models["deepseek-v4-pro"]
    assert vendor["context_length"] == 1_048_576
    assert float(vendor["pricing"]["prompt"]) * 1e6 == pytest.approx(0.961)
    assert float(vendor["pricing"]["completion"]) * 1e6 == pytest.approx(1.922)


def test_the_catalogue_wants_the_key(server):
    assert httpx.get(server.base_url + "/models", trust_env=False).status_code == 401


def test_a_large_reply_is_compressed_for_a_client_that_accepts_it(client, make, ask):
    tasks = [make() for _ in range(120)]
    client.post("", json=tasks)
    with client.stream("POST", "", json=[ask(task) for task in tasks]) as reply:
        raw = b"".join(reply.iter_raw())
    assert reply.headers["content-encoding"] == "gzip"
    assert len(gzip.decompress(raw)) > GZIP_FROM_BYTES > len(raw)


def test_a_large_reply_is_plain_for_a_client_that_does_not_accept_it(client, make, ask):
    tasks = [make() for _ in range(120)]
    client.post("", json=tasks)
    reply = client.post("", json=[ask(task) for task in tasks], headers={"accept-encoding": "identity"})
    assert "content-encoding" not in reply.headers
    assert len(reply.json()["data"]) == 120


def test_the_bill_is_read_and_reset_over_http(server, client, make):
    local = server.base_url.removesuffix("/v1") + "/_local"
    task = make()
    client.post("", json=[task])
    assert client.get(f"{local}/bill").json()["tasks"][task["taskUUID"]]["model"] == "deepseek-v4-pro"
    assert client.get(f"{local}/bill?summary=1").json()["executed"] == 1
    assert client.post(f"{local}/reset").status_code == 200
    assert client.get(f"{local}/bill?summary=1").json()["executed"] == 0


def test_the_bill_says_when_each_task_was_accepted_and_done(clock, connect, make):
    with LocalServer(ServerSettings(latency=5, capacity=1), clock=clock) as server:
        tasks, began = [make(), make()], clock.now
        connect(server).post("", json=tasks)
        clock.advance(60)
        entries = [server.bill()["tasks"][task["taskUUID"]] for task in tasks]
    assert [entry["accepted_s"] - began for entry in entries] == [0, 0]
    assert [entry["finished_s"] - began for entry in entries] == [5, 10]


def test_the_capacity_changes_over_http(clock, connect, make):
    with LocalServer(ServerSettings(latency=5, capacity=10), clock=clock) as server:
        client, local = connect(server), server.base_url.removesuffix("/v1") + "/_local/capacity"
        assert client.post(local, json={"capacity": 1, "queue": 1}).status_code == 200
        assert codes(client.post("", json=[make() for _ in range(3)])) == ["inferenceRateLimitExceeded"]
        refused = client.post(local, json={"capacity": 0})
        assert (refused.status_code, codes(refused)) == (400, ["invalidCapacity"])


def test_faults_are_scripted_and_removed_over_http(server, client, make):
    local = server.base_url.removesuffix("/v1") + "/_local/faults"
    client.post(local, json={"kind": "refuse_request", "status": 503})
    assert client.post("", json=[make()]).status_code == 503
    assert client.get(local).json()[0]["fired"] == 1
    client.delete(local)
    assert client.post("", json=[make()]).status_code == 200


@pytest.mark.parametrize(
    "script", ['{"kind": "no such kind"}', '{"kind": "think", "nht": 1}', "nonsense", "[1]"]
)
def test_a_script_that_makes_no_sense_is_refused_and_changes_nothing(server, client, script):
    reply = client.post(server.base_url.removesuffix("/v1") + "/_local/faults", content=script)
    assert reply.status_code == 400
    assert server.faults() == []


def test_a_client_that_hangs_up_in_the_middle_of_its_request_leaves_the_server_alive(
    server, client, make, capfd
):
    parts = urlsplit(server.base_url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[{")
    assert client.post("", json=[make()]).status_code == 200
    assert "Traceback" not in capfd.readouterr().err


def test_the_server_stops_while_connections_are_held(connect, make, eventually):
    held: list[httpx.Response] = []
    with LocalServer(ServerSettings(latency=60)) as server:
        client = connect(server)
        thread = threading.Thread(
            target=lambda: held.append(client.post("", json=[make(deliveryMethod="sync")]))
        )
        thread.start()
        eventually(lambda: server.bill_summary()["executed"])
    thread.join()
    assert held[0].status_code == 504


def test_the_same_request_is_always_answered_alike(server, client, make):
    def asked() -> str:
        return client.post("", json=[make(deliveryMethod="sync", seed=7)]).json()["data"][0]["text"]

    first = asked()
    server.reset()
    assert asked() == first


def test_a_fault_may_wait_for_the_second_poll(server, client, make, ask):
    server.script(Fault(kind="refuse_request", status=502, task_type="getResponse", nth=2))
    task = make()
    client.post("", json=[task])
    assert [client.post("", json=[ask(task)]).status_code for _ in range(3)] == [200, 502, 200]


def test_a_body_is_read_as_json_whatever_its_content_type_says(client, make):
    reply = client.post("", content=json.dumps([make()]), headers={"content-type": "text/plain"})
    assert reply.status_code == 200
