"""What is said of webhooks: refused before anything is paid, by the name of the option, and never with a secret in it."""

from __future__ import annotations

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.inbox.settings import (
    AIRFLOW_OPTIONS,
    EXAMPLE_URL,
    LEAST_SECRET_CHARS,
    VARIABLES,
    WebhookSettings,
)

SECRET = "a-secret-of-thirty-two-characters"
OTHER = "another-secret-of-as-many-characters"
INBOX = "/var/lib/runware/inbox"


def test_the_first_secret_signs_and_all_are_kept() -> None:
    settings = WebhookSettings.from_texts(f" {EXAMPLE_URL} ", f"{INBOX}/", f"{SECRET}, {OTHER},")
    assert settings == WebhookSettings(EXAMPLE_URL, INBOX, (SECRET.encode(), OTHER.encode()))
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "https://airflow.example.com:8443/a/proxy/runware/hook",
        "http://127.0.0.1:8080/runware/hook",
        "http://localhost/hook",
    ],
)
def test_a_url_is_taken_as_it_is(url: str) -> None:
    assert WebhookSettings.from_texts(url, INBOX, SECRET).public_url == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "missing"),
        ("airflow.example.com/hook", "no https address"),
        ("ftp://example.com/hook", "no https address"),
        ("https://", "no https address"),
        ("https://example.com:port/hook", "no https address"),
        ("https://exa mple.com/hook", "no https address"),
        ("https://example.com/hök", "no https address"),
        ("https://[::1/hook", "no https address"),
        ("https://user:password-of-theirs@example.com/hook", "a user or a password"),
        ("https://example.com/hook?a=1", "a query"),
        ("https://example.com/hook#a", "a query"),
        ("https://example.com/hook?", "a query"),
        ("http://example.com/hook", "clear text"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as refused:
        WebhookSettings.from_texts(url, INBOX, SECRET)
    assert refused.value.field == VARIABLES.url
    assert "password-of-theirs" not in str(refused.value)


@pytest.mark.parametrize(
    "inbox", ["s3://conn@bucket/inbox", "gs://bucket", "file:///a", "/inbox", "s3://bucket/inbox"]
)
def test_an_inbox_is_one_place_for_all_processes(inbox: str) -> None:
    assert WebhookSettings.from_texts(EXAMPLE_URL, inbox, SECRET).inbox == inbox


@pytest.mark.parametrize(
    ("inbox", "problem"), [("", "missing"), (" / ", "missing"), ("inbox", "another folder")]
)
def test_an_inbox_that_cannot_be_meant_is_refused(inbox: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as refused:
        WebhookSettings.from_texts(EXAMPLE_URL, inbox, SECRET, names=AIRFLOW_OPTIONS)
    assert refused.value.field == "[runware] webhook_inbox"


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ("", "missing"),
        (" , ", "missing"),
        (SECRET[: LEAST_SECRET_CHARS - 1], "31 characters"),
        (f"{SECRET},{SECRET[:5]}", "secret 2 of 2"),
        (f"{SECRET}é", "beyond ASCII"),
        (",".join([SECRET] * 5), "5 secrets"),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_said(secrets: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as refused:
        WebhookSettings.from_texts(EXAMPLE_URL, INBOX, secrets)
    assert refused.value.field == VARIABLES.secrets
    assert SECRET[:5] not in str(refused.value)


@pytest.mark.parametrize("inbox", ["~/inbox", "~airflow/inbox", "inbox", "./inbox"])
def test_an_inbox_that_is_another_folder_for_each_user_or_process_is_refused(inbox: str) -> None:
    with pytest.raises(BadInput, match="another folder for each process or user"):
        WebhookSettings.from_texts(EXAMPLE_URL, inbox, SECRET)


@pytest.mark.parametrize(
    "inbox", ["s3://bucket/inbox?token=abcdef", "https://a.blob.example.com/c?sv=abcdef", "gs://b/#abcdef"]
)
def test_an_inbox_with_a_query_is_refused_without_showing_it(inbox: str) -> None:
    with pytest.raises(BadInput, match="query or a fragment") as refused:
        WebhookSettings.from_texts(EXAMPLE_URL, inbox, SECRET)
    assert "abcdef" not in str(refused.value)
