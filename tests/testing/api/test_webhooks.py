from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runware_provider.testing import Fault, LocalServer, ServerSettings

WAIT = 10.0
SLOW_CALLS = 100


class ManyAtOnce(ThreadingHTTPServer):
    request_queue_size = 2 * SLOW_CALLS


class Receiver:
    """A web server that notes what it gets and answers what a test says."""

    def __init__(self):
        self.bodies = queue.Queue()
        self.statuses = queue.Queue()
        self.together = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if outer.together is not None:
                    outer.together.wait(WAIT)
                outer.bodies.put((self.path, json.loads(body)))
                self.send_response(200 if outer.statuses.empty() else outer.statuses.get())
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ManyAtOnce(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?token=abc"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def next(self):
        return self.bodies.get(timeout=WAIT)[1]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def hasty():
    """A server whose retries come at once."""
    with LocalServer(ServerSettings(latency=0, webhook_backoff=0.001, webhook_tries=4)) as server:
        yield server


def test_every_finished_task_calls_its_webhook_with_a_flat_object(client, make, ask, receiver):
    tasks = [make(webhookURL=receiver.url) for _ in range(3)]
    client.post("", json=tasks)
    came = [receiver.next() for _ in tasks]
    polled = client.post("", json=[ask(task) for task in tasks]).json()["data"]
    assert sorted(came, key=str) == sorted(polled, key=str)


def test_the_query_of_the_url_is_kept(client, make, receiver):
    client.post("", json=[make(webhookURL=receiver.url)])
    assert receiver.bodies.get(timeout=WAIT)[0] == "/hook?token=abc"


def test_each_of_several_results_is_a_call(client, make, receiver):
    client.post("", json=[make(webhookURL=receiver.url, numberResults=3)])
    assert len({receiver.next()["seed"] for _ in range(3)}) == 3


def test_a_receiver_that_takes_its_time_does_not_hold_up_other_calls(client, make, receiver):
    receiver.together = threading.Barrier(SLOW_CALLS)
    tasks = [make(webhookURL=receiver.url) for _ in range(SLOW_CALLS)]
    client.post("", json=tasks)
    came = [receiver.next()["taskUUID"] for _ in tasks]
    assert sorted(came) == sorted(task["taskUUID"] for task in tasks)


def test_a_call_that_is_not_answered_with_2xx_is_repeated(hasty, connect, make, receiver):
    for status in (500, 404, 302):
        receiver.statuses.put(status)
    connect(hasty).post("", json=[make(webhookURL=receiver.url)])
    came = [receiver.next() for _ in range(4)]
    assert all(each == came[0] for each in came)


def test_the_server_gives_up_after_its_tries(hasty, connect, make, receiver):
    for _ in range(9):
        receiver.statuses.put(500)
    client = connect(hasty)
    client.post("", json=[make(webhookURL=receiver.url)])
    for _ in range(4):
        receiver.next()
    client.post("", json=[make(webhookURL=receiver.url)])
    for _ in range(4):
        receiver.next()
    assert hasty.bill_summary()["webhooks_sent"] == 0
    assert receiver.bodies.empty()


def test_a_receiver_that_is_not_there_does_not_disturb_the_server(hasty, connect, make, ask, eventually):
    client, task = connect(hasty), make(webhookURL="http://127.0.0.1:9/none")
    client.post("", json=[task])
    eventually(lambda: hasty.bill_summary()["webhooks_failed"])
    assert client.post("", json=[ask(task)]).json()["data"][0]["status"] == "success"


def test_the_body_has_other_shapes(server, client, make, receiver):
    unwrap = {"data": lambda body: body["data"][0], "array": lambda body: body[0], "flat": lambda body: body}
    for shape, item_in in unwrap.items():
        server.clear_faults()
        server.script(Fault(kind="webhook_shape", shape=shape))
        task = make(webhookURL=receiver.url)
        client.post("", json=[task])
        assert item_in(receiver.next())["taskUUID"] == task["taskUUID"]


def test_a_failed_task_calls_its_webhook_with_errors(server, client, make, receiver):
    server.script(Fault(kind="fail_task", code="providerError"), Fault(kind="webhook_shape", shape="data"))
    client.post("", json=[make(webhookURL=receiver.url)])
    assert receiver.next()["errors"][0]["code"] == "providerError"


def test_a_webhook_comes_twice(server, client, make, receiver):
    server.script(Fault(kind="webhook_twice"))
    client.post("", json=[make(webhookURL=receiver.url)])
    assert receiver.next() == receiver.next()


def test_a_webhook_is_lost_and_polling_finds_the_result(server, client, make, ask, receiver):
    server.script(Fault(kind="webhook_lost", nth=1))
    lost, called = make(webhookURL=receiver.url), make(webhookURL=receiver.url)
    client.post("", json=[lost, called])
    assert receiver.next()["taskUUID"] == called["taskUUID"]
    assert receiver.bodies.empty()
    assert client.post("", json=[ask(lost)]).json()["data"][0]["status"] == "success"


def test_a_webhook_is_late(server, client, make, receiver):
    server.script(Fault(kind="webhook_delay", seconds=0.3, nth=1))
    late, prompt = make(webhookURL=receiver.url), make(webhookURL=receiver.url)
    client.post("", json=[late, prompt])
    assert [receiver.next()["taskUUID"] for _ in range(2)] == [prompt["taskUUID"], late["taskUUID"]]


def test_a_task_without_a_webhook_calls_none(client, make, receiver):
    client.post("", json=[make(), make(webhookURL=receiver.url)])
    receiver.next()
    assert receiver.bodies.empty()


def test_webhooks_that_are_still_to_come_do_not_hold_up_the_stop(connect, make, receiver):
    with LocalServer(ServerSettings(latency=3600)) as server:
        connect(server).post("", json=[make(webhookURL=receiver.url)])
    assert receiver.bodies.empty()
