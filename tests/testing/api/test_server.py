from __future__ import annotations

import json
import socket
import threading
from urllib.parse import urlsplit

import pytest

from runware_provider.testing import Fault, LocalServer, ServerSettings


def test_servers_side_by_side_take_different_ports_and_know_nothing_of_each_other(connect, make):
    with LocalServer(ServerSettings(latency=0)) as one, LocalServer(ServerSettings(latency=0)) as other:
        connect(one).post("", json=[make()])
        assert one.base_url != other.base_url
        assert [each.bill_summary()["executed"] for each in (one, other)] == [1, 0]


def test_a_stopped_server_leaves_no_thread_and_frees_its_port():
    before = threading.active_count()
    with LocalServer() as server:
        port = int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
    assert threading.active_count() == before
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_a_port_that_is_taken_is_an_error_at_once():
    with LocalServer() as server:
        port = int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
        with pytest.raises(OSError, match="in use"), LocalServer(ServerSettings(port=port)):
            pass


def test_the_server_stops_when_the_test_inside_it_fails():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), LocalServer():
        raise ZeroDivisionError
    assert threading.active_count() == before


def test_reset_forgets_tasks_but_keeps_the_script(server, client, make):
    server.script(Fault(kind="no_status"))
    task = make()
    client.post("", json=[task])
    server.reset()
    assert server.bill()["tasks"] == {}
    assert client.post("", json=[task]).status_code == 200
    assert len(server.faults()) == 1


def request_of_somebody_who_leaves(server, task) -> None:
    url, body = urlsplit(server.base_url), json.dumps([task]).encode()
    lines = [
        "POST /v1 HTTP/1.1",
        f"Host: {url.netloc}",
        f"Authorization: Bearer {server.key}",
        f"Content-Length: {len(body)}",
    ]
    head = "\r\n".join([*lines, "", ""])
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode() + body)


def test_a_request_that_is_still_on_its_way_at_a_reset_is_billed_to_nobody(server, client, make):
    for _ in range(40):
        request_of_somebody_who_leaves(server, make())
        server.reset()
        assert client.post("", json=[make()]).status_code == 200
        assert server.bill_summary()["executed"] == 1


def test_a_request_of_a_client_that_has_gone_is_served(server, make):
    request_of_somebody_who_leaves(server, make())
    for _ in range(10_000):
        if server.bill_summary()["executed"]:
            break
    assert server.bill_summary()["executed"] == 1


def test_the_key_is_not_in_the_repr_of_the_settings():
    assert "hidden" not in repr(ServerSettings(key="hidden"))


@pytest.mark.parametrize(
    "wrong", [{"capacity": 0}, {"latency": -1}, {"models": ()}, {"keep": 0}, {"stream_keep_alive": 0}]
)
def test_settings_that_no_server_can_have_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ServerSettings(**wrong)


def test_a_server_listens_on_ipv6_where_there_is_one(connect, make):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with LocalServer(ServerSettings(latency=0, host="::1")) as server:
        assert connect(server).post("", json=[make()]).status_code == 200
