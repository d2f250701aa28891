"""The receiver over a socket: what the vendor may send, what strangers may try, and a store that fails."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from runware_provider.engine.api.replies import read_call
from runware_provider.engine.storage.stores import Stores
from runware_provider.web.body import MOST_BYTES
from runware_provider.web.inbox_files import InboxFiles
from runware_provider.web.receiver import Bounds, Receiver
from tests.receivers import INBOX, LATER, PATIENCE_S, SECRET, ServedReceiver, Vendor, answer, kept, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from runware_provider.engine.inbox.calls import Call

    Serve = Callable[..., Vendor]

OLD_SECRET = b"the-secret-that-signed-before-this-one"
UNKNOWN_SECRET = b"a-secret-that-the-receiver-never-knew"
TASK = "6a1f9a3e-6f0e-4a9b-8a45-0d3a5e1f7c11"
OTHER = "0b8f1c52-9d0c-4f43-9c0e-7f6f0f6c8a22"
ERROR = {"code": "providerError", "message": "It failed.", "taskUUID": TASK}
DEEP = 100_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "inboxes"


@pytest.fixture
def serve(root: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Serve]:
    """Serves a receiver and gives a vendor that calls it. In the end, no log holds a secret or a proof."""
    caplog.set_level(logging.DEBUG, logger="runware_provider")
    caplog.set_level(logging.DEBUG, logger="uvicorn")
    proofs: list[str] = []
    with contextlib.ExitStack() as stack:

        def served(
            write: Callable[[str, Sequence[Call]], None] | None = None,
            secrets: tuple[bytes, ...] = (SECRET, OLD_SECRET),
            bounds: Bounds | None = None,
        ) -> Vendor:
            files = InboxFiles(str(root), Stores)
            receiver = Receiver(secrets, write or files.write, bounds=bounds or Bounds())
            vendor = Vendor(stack.enter_context(ServedReceiver(receiver)).url)
            stack.callback(vendor.client.close)
            proofs.append(vendor.address(TASK).rpartition("=")[2])
            return vendor

        yield served
    for secret in (SECRET.decode(), OLD_SECRET.decode(), "An answer.", *proofs):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        answer(TASK),
        [answer(TASK)],
        {"data": [answer(TASK)]},
        {"data": answer(TASK)},
        {"data": [answer(TASK)], "errors": []},
        {"errors": [ERROR]},
        {"data": [], "errors": [ERROR]},
        {"error": ERROR},
        ERROR,
        {**answer(TASK), "text": None, "status": "error", "error": {"code": "providerError"}},
        {"data": [{"taskUUID": TASK, "status": "processing"}, answer(TASK)]},
        answer(TASK.upper()),
        answer(TASK, "Ünïcødé 🐍 \u2028 \ud800"),
        {**answer(TASK), "text": None, "tools": [{"name": "f", "input": {"a": [1, 2.5, None]}}]},
    ],
)
def test_what_says_how_a_task_ended_is_kept_as_it_came(serve: Serve, root: Path, body: Any) -> None:
    replied = serve().call(TASK, body)
    assert (replied.status_code, replied.content) == (204, b"")
    (call,) = kept(root)
    assert json.loads(call.body) == body
    assert abs(call.at_ms / 1000 - time.time()) < PATIENCE_S


@pytest.mark.parametrize(
    "body",
    [
        {"taskUUID": TASK, "taskType": "textInference"},
        {"taskUUID": TASK, "status": "processing", "progress": 40},
        {"data": [{"taskUUID": TASK, "status": "processing"}]},
        [{"taskUUID": TASK, "taskType": "textInference", "status": "queued", "text": None}],
    ],
)
def test_what_says_that_a_task_is_under_way_is_acknowledged_and_dropped(
    serve: Serve, root: Path, body: Any
) -> None:
    assert serve().call(TASK, body).status_code == 204
    assert written(root) == []


def test_a_call_that_comes_twice_is_kept_twice(serve: Serve, root: Path) -> None:
    vendor = serve()
    assert [vendor.call(TASK).status_code for _ in range(2)] == [204, 204]
    assert [json.loads(call.body) for call in kept(root)] == [answer(TASK)] * 2


def test_calls_for_two_jobs_lie_in_two_inboxes(serve: Serve, root: Path) -> None:
    vendor = serve()
    other = Vendor(vendor.url, inbox="ab" * 16, client=vendor.client)
    assert vendor.call(TASK).status_code == other.call(OTHER).status_code == 204
    assert [json.loads(call.body) for call in kept(root)] == [answer(TASK)]
    assert [json.loads(call.body) for call in kept(root, other.inbox)] == [answer(OTHER)]


def test_a_secret_is_replaced_while_calls_are_on_their_way(serve: Serve, root: Path) -> None:
    vendor = serve()
    before = Vendor(vendor.url, secret=OLD_SECRET, client=vendor.client)
    never = Vendor(vendor.url, secret=UNKNOWN_SECRET, client=vendor.client)
    assert [each.call(TASK).status_code for each in (vendor, before, never)] == [204, 204, 404]
    assert len(kept(root)) == 2


def test_an_inbox_is_its_owners_alone(serve: Serve, root: Path) -> None:
    assert serve().call(TASK).status_code == 204
    assert [path.stat().st_mode & 0o777 for path in (root, root / INBOX, *written(root))] == [
        0o700,
        0o700,
        0o600,
    ]


def forgeries() -> dict[str, Callable[[Vendor], httpx.Response]]:
    """What strangers may try, with a URL that was given out for one task or without."""

    def at(query: str) -> Callable[[Vendor], httpx.Response]:
        return lambda vendor: vendor.client.post(f"{vendor.url}{query}", json=answer(TASK))

    def as_said(*pairs: tuple[str, str]) -> Callable[[Vendor], httpx.Response]:
        def send(vendor: Vendor) -> httpx.Response:
            said = dict(pair.split("=") for pair in urlsplit(vendor.address(TASK)).query.split("&"))
            query = "&".join(f"{name}={value}" for name, value in {**said, **dict(pairs)}.items())
            return vendor.client.post(f"{vendor.url}?{query}", json=answer(TASK))

        return send

    def with_body(content: bytes) -> Callable[[Vendor], httpx.Response]:
        return lambda vendor: vendor.call(TASK, content=content)

    named = f'"taskUUID": "{TASK}"'.encode()
    return {
        "no query": at(""),
        "an empty query": at("?"),
        "a forged proof": as_said(("token", "0" * 32)),
        "a longer life": as_said(("e", str(LATER + 1))),
        "another inbox": as_said(("j", "ab" * 16)),
        "expired": lambda vendor: Vendor(vendor.url, expires_at=1_700_000_000, client=vendor.client).call(
            TASK
        ),
        "another task": lambda vendor: vendor.call(TASK, answer(OTHER)),
        "another task beside it": lambda vendor: vendor.call(TASK, [answer(TASK), answer(OTHER)]),
        "another task among the errors": lambda vendor: vendor.call(
            TASK, {"data": [answer(TASK)], "errors": [{**ERROR, "taskUUID": OTHER}]}
        ),
        "a parameter twice": lambda vendor: vendor.client.post(
            f"{vendor.address(TASK)}&j={INBOX}", json=answer(TASK)
        ),
        "a folder above": as_said(("j", "..%2F..%2Fetc")),
        "a path": as_said(("j", "%2Fetc%2Fpasswd")),
        "a NUL": as_said(("j", f"{INBOX}%00")),
        "a new line": as_said(("j", f"{INBOX}%0A")),
        "an endless query": as_said(("a", "b" * 10_000)),
        "no JSON": with_body(b"taskUUID"),
        "an empty body": with_body(b""),
        "no task": with_body(b'{"data": []}'),
        "no task but much depth": with_body(b"[" * DEEP),
        "the task in a text alone": with_body(json.dumps({"text": named.decode()}).encode()),
        "many tasks": with_body(
            b"[" + b",".join(b'{"taskUUID": "%d"}' % n for n in range(9_000)) + b"," + named
        ),
        "its name spelt otherwise": with_body(named.replace(b"task", b"\\u0074ask")),
    }


@pytest.mark.parametrize("forgery", list(forgeries()))
def test_what_proves_nothing_is_refused_without_a_word_and_leaves_nothing(
    serve: Serve, root: Path, forgery: str
) -> None:
    replied = forgeries()[forgery](serve())
    assert (replied.status_code, replied.content) == (404, b"")
    assert written(root) == []


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(answer(TASK)).encode()[:-1],
        json.dumps({"a": {"taskUUID": TASK}}).encode(),
        json.dumps(answer(TASK)).encode()[:-1] + b', "a": "\xff"}',
        b'{"a": ' + b"[" * DEEP + f'{{"taskUUID": "{TASK}"}}'.encode(),
    ],
    ids=["half", "another shape", "no text", "depth"],
)
def test_a_body_of_another_shape_is_refused(serve: Serve, root: Path, content: bytes) -> None:
    assert serve().call(TASK, content=content).status_code == 400
    assert written(root) == []


def test_depth_inside_of_an_answer_is_kept_since_the_job_reads_it_all_the_same(
    serve: Serve, root: Path
) -> None:
    deep = b"[" * DEEP + b"]" * DEEP
    content = json.dumps(answer(TASK)).encode()[:-1] + b', "tools": ' + deep + b"}"
    assert serve().call(TASK, content=content).status_code == 204
    (call,) = kept(root)
    assert read_call(call.body).results[TASK]["text"] == "An answer."


def test_only_the_hook_is_there_and_only_to_be_posted_to(serve: Serve) -> None:
    vendor = serve()
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        replied = vendor.client.request(method, vendor.address(TASK))
        assert (replied.status_code, replied.headers["allow"], replied.content) == (405, "POST", b"")
    for path in ("/", "/runware", "/runware/hook/", "/runware/hook/../x", "/api/v2/version"):
        url = f"{vendor.url.removesuffix('/runware/hook')}{path}?{urlsplit(vendor.address(TASK)).query}"
        assert vendor.client.post(url, json=answer(TASK)).status_code == 404


def test_without_a_secret_it_is_closed(serve: Serve, root: Path) -> None:
    vendor = serve(secrets=())
    empty = Vendor(vendor.url, secret=b"", client=vendor.client)
    assert vendor.client.get(vendor.url).status_code == 404
    assert vendor.call(TASK).status_code == empty.call(TASK).status_code == 404
    assert written(root) == []


def test_the_largest_body_is_taken_and_a_larger_one_is_not_read(serve: Serve, root: Path) -> None:
    vendor = serve()
    frame = len(json.dumps(answer(TASK, "")))
    assert vendor.call(TASK, answer(TASK, "a" * (MOST_BYTES - frame))).status_code == 204
    assert [len(call.body) for call in kept(root)] == [MOST_BYTES]
    assert status_of_raw(vendor, f"content-length: {MOST_BYTES + 1}\r\n", []) == 413


def test_a_body_that_does_not_say_how_long_it_is_is_read_up_to_the_bound(serve: Serve, root: Path) -> None:
    piece = 2**20
    chunk = b"%x\r\n%b\r\n" % (piece, b"a" * piece)
    assert (
        status_of_raw(serve(), "transfer-encoding: chunked\r\n", [chunk] * (MOST_BYTES // piece + 1)) == 413
    )
    assert written(root) == []


def test_a_body_that_comes_slowly_is_not_waited_for(serve: Serve, root: Path) -> None:
    vendor = serve(bounds=Bounds(reading_s=0.05))
    assert status_of_raw(vendor, "content-length: 500\r\n", [b'{"taskUUID": ']) == 408
    assert vendor.call(TASK).status_code == 204
    assert len(kept(root)) == 1


def status_of_raw(vendor: Vendor, headers: str, pieces: Sequence[bytes]) -> int:
    """The status of a request whose body is sent piece by piece and has no end."""
    url = urlsplit(vendor.address(TASK))
    head = f"POST {url.path}?{url.query} HTTP/1.1\r\nhost: {url.netloc}\r\n{headers}\r\n"
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode())
        for piece in pieces:
            connection.sendall(piece)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status


class FailingStore:
    """An inbox that is away until a test says otherwise."""

    def __init__(self) -> None:
        self.is_away = True
        self.there: list[Call] = []

    def write(self, _inbox: str, calls: Sequence[Call]) -> None:
        if self.is_away:
            raise OSError("the disk is full")
        self.there += calls


def test_a_store_that_is_away_is_told_and_the_repetition_is_taken_once_it_is_back(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    store = FailingStore()
    vendor = serve(store.write)
    assert [vendor.call(TASK).status_code for _ in range(3)] == [503, 503, 503]
    assert caplog.text.count("the disk is full") == 1
    store.is_away = False
    assert vendor.call(TASK).status_code == 204
    assert len(store.there) == 1


class HangingStore:
    """An inbox of which one job's is not written before a test says so."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.is_hanging = threading.Event()
        self.there: dict[str, list[Call]] = {}

    def write(self, inbox: str, calls: Sequence[Call]) -> None:
        if inbox == INBOX:
            self.is_hanging.set()
            assert self.go_on.wait(PATIENCE_S)
        self.there.setdefault(inbox, []).extend(calls)


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore()
    yield store
    store.go_on.set()


def test_a_store_that_hangs_is_not_waited_for_and_holds_up_no_other_inbox(
    serve: Serve, hanging: HangingStore
) -> None:
    vendor = serve(hanging.write, bounds=Bounds(writing_s=0.5))
    assert vendor.call(TASK).status_code == 503
    other = Vendor(vendor.url, inbox="ab" * 16, client=vendor.client)
    while other.call(OTHER).status_code != 204:
        pass
    assert list(hanging.there) == [other.inbox]
    hanging.go_on.set()
    while vendor.call(TASK).status_code != 204:
        pass
    # What was refused is written all the same, and before what came later.
    assert len(hanging.there[INBOX]) > 1


@pytest.mark.parametrize(
    "bounds", [Bounds(waiting_calls=2), Bounds(held_bytes=len(json.dumps(answer(TASK))) * 5 // 2)]
)
def test_more_than_may_wait_is_refused_at_once_and_taken_later(
    serve: Serve, hanging: HangingStore, bounds: Bounds
) -> None:
    vendor = serve(hanging.write, bounds=bounds)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(vendor.call, TASK)]
        assert hanging.is_hanging.wait(PATIENCE_S)
        refused = 0
        while refused != 503:
            if len(waiting) < 2:
                waiting.append(pool.submit(vendor.call, TASK))
            with httpx.Client(trust_env=False, timeout=0.2) as hasty, contextlib.suppress(httpx.ReadTimeout):
                refused = hasty.post(vendor.address(TASK), json=answer(TASK)).status_code
        hanging.go_on.set()
        assert 204 in [each.result().status_code for each in waiting]
    assert vendor.call(TASK).status_code == 204


def test_calls_that_come_at_once_share_files_and_each_is_kept_once(serve: Serve, root: Path) -> None:
    tasks = [str(uuid.uuid4()) for _ in range(200)]
    vendor = serve()
    with ThreadPoolExecutor(20) as pool:
        replied = list(pool.map(lambda task: vendor.call(task).status_code, tasks))
    assert set(replied) == {204}
    assert sorted(json.loads(call.body)["taskUUID"] for call in kept(root)) == sorted(tasks)
    assert len(written(root)) < len(tasks) / 2


def test_of_refusals_the_log_has_one_line(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    vendor = serve()
    for _ in range(5):
        assert vendor.client.post(vendor.url, json=answer(TASK)).status_code == 404
    assert len([record for record in caplog.records if "refused with 404" in record.message]) == 1


async def test_a_web_socket_is_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    await Receiver((SECRET,), FailingStore().write)(
        {"type": "websocket", "path": "/runware/hook"}, receive, send
    )
    assert sent == [{"type": "websocket.close"}]
