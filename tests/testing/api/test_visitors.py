"""No page of a browser is served, by whatever name it reaches the server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from runware_provider.testing import LocalServer, ServerSettings

SENT = [
    ("POST", "/v1"),
    ("GET", "/v1/models"),
    ("GET", "/_local/bill"),
    ("POST", "/_local/reset"),
    ("GET", "/none"),
]


def address_of(server):
    return server.base_url.removesuffix("/v1")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil",
        "10.0.0.1",
        "[::2]",
        "localhost@evil.example:x",
        "[",
        "",
    ],
)
def test_a_name_that_leads_here_and_is_not_ours_is_refused(server, client, host, make):
    for method, path in SENT:
        reply = client.request(method, address_of(server) + path, headers={"host": host}, json=[make()])
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (403, "forbidden"), path
    assert server.bill_summary()["executed"] == 0


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:99", "[::1]:8", "[::1]"]
)
def test_every_name_of_this_machine_is_served(server, client, host):
    assert client.get(f"{address_of(server)}/_local/bill", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:1"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_is_refused_and_changes_nothing(server, client, make, headers):
    client.post("", json=[make()])
    for method, path in SENT:
        reply = client.request(method, address_of(server) + path, headers=headers, json=[make()])
        assert reply.status_code == 403, path
        assert "access-control-allow-origin" not in reply.headers
    assert server.bill_summary()["executed"] == 1


def test_the_servers_own_address_is_no_other_site(server, client):
    own = {"origin": address_of(server), "sec-fetch-site": "same-origin"}
    assert client.get(f"{address_of(server)}/_local/bill", headers=own).status_code == 200
    assert (
        client.get(f"{address_of(server)}/_local/bill", headers={"sec-fetch-site": "none"}).status_code == 200
    )


def test_nothing_is_forgotten_without_the_key(server, client, make):
    client.post("", json=[make()])
    for key in ("", "Bearer another"):
        reply = client.post(f"{address_of(server)}/_local/reset", headers={"authorization": key})
        assert reply.status_code == 401
    assert server.bill_summary()["executed"] == 1


@pytest.mark.parametrize(
    ("host", "status"), [("10.1.2.3:80", 200), ("runware-api:80", 200), ("evil.example", 403)]
)
def test_who_listens_to_a_network_is_asked_by_addresses_and_short_names(connect, host, status):
    with LocalServer(ServerSettings(host="0.0.0.0")) as server:  # noqa: S104 - what this is about
        port = urlsplit(server.base_url).port
        reply = connect(server).get(f"http://127.0.0.1:{port}/_local/bill", headers={"host": host})
    assert reply.status_code == status
