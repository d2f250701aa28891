"""Who gets which page, over a real socket."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.pages import routes, texts
from runware_provider.pages.routes import ROUTES, Right
from runware_provider.quality.parts import Words
from tests.pages.stand_in import (
    AT,
    EDITOR,
    READER,
    STRANGER,
    Served,
    a_record,
    path_of,
    places_in,
    run_name,
    served,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "what the document says"


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name in ("failed_parts", "missed_parts"):
        monkeypatch.setattr(texts, name, lambda _place, wish: [Words([f"{SECRET} {wish}", ""])])
    for name in ("asked_parts", "samples_parts"):
        monkeypatch.setattr(texts, name, lambda _place: [Words([SECRET, ""])])
    write(tmp_path)
    (tmp_path / "out.state" / "reports").mkdir()
    (tmp_path / "out.state" / "reports" / "report.html").write_text(
        f"<p>{SECRET}</p><script>alert(1)</script>"
    )
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        yield pages


def path_to(route: routes.Route) -> str:
    named = {
        "dag_id": AT.dag_id,
        "run_id": AT.run_id.replace("+", "%2B"),
        "task_id": AT.task_id,
        "map_index": "-1",
        "name": "page.css",
    }
    return route.path.format(**named)


def may(right: Right, token: str | None) -> int:
    if right is Right.NONE:
        return 200
    if token is None:
        return 401
    if right is Right.LIST:
        # Airflow itself refuses the stranger, who may see no DAG.
        return 403 if token == STRANGER else 200
    if token == STRANGER or (right is Right.TEXTS and token != EDITOR):
        return 403
    return 200


@pytest.mark.parametrize("token", [None, STRANGER, READER, EDITOR])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_each_route_asks_for_its_right(route: routes.Route, token: str | None, pages: Served) -> None:
    reply = pages.get(path_to(route), token)
    assert reply.status_code == may(route.right, token)
    assert (SECRET in reply.text) == (route.right is Right.TEXTS and token == EDITOR)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_each_answer_binds_the_browser_whatever_it_says(route: routes.Route, pages: Served) -> None:
    for token in (None, EDITOR):
        headers = pages.get(path_to(route), token).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "") or route is routes.REPORT
        assert headers["cache-control"] == (
            "no-store" if route is not routes.STATIC else "public, max-age=86400"
        )


def test_a_report_may_do_nothing(pages: Served) -> None:
    policy = pages.get(path_to(routes.REPORT), EDITOR).headers["content-security-policy"]
    assert policy.endswith("sandbox")
    assert "script" not in policy


def test_a_viewer_without_rights_reads_no_text_and_no_name(pages: Served) -> None:
    for token in (None, STRANGER):
        for route in ROUTES:
            if route is routes.STATIC:
                continue
            told = pages.get(path_to(route), token).text
            for name in (AT.dag_id, AT.task_id, "out.state", "317", "timeoutProvider"):
                assert name not in told


def test_nobody_reads_texts_while_they_are_off(tmp_path: Path) -> None:
    write(tmp_path)
    with served(tmp_path, texts=False) as pages:
        pages.airflow.add(places_in(tmp_path))
        for route in ROUTES:
            if route.right is Right.TEXTS:
                reply = pages.get(path_to(route), EDITOR)
                assert "page_texts" in reply.text
        assert "failed" in pages.get(token=EDITOR).text
        assert "/failed" not in pages.get(token=EDITOR).text


def test_only_looking_is_possible(pages: Served) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        reply = pages.client.request(method, f"{pages.url}/runware/jobs{AT.path}")
        assert reply.status_code == 405


def test_there_are_no_pages_about_the_pages(pages: Served) -> None:
    for path in (
        "/docs",
        "/redoc",
        "/openapi.json",
        "/static/../app.py",
        "/static/x.js",
        "/a",
        "/a/b/c/-1/other",
    ):
        assert pages.get(path, EDITOR).status_code == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "/~/~/~/-1",
        f"/~/{AT.run_id}/ask/-1",
        f"/invoices/{AT.run_id}/ask/-2",
        f"/invoices/{AT.run_id}/ask/x",
        f"/invoices/{AT.run_id}/ask/12345678",
        f"/invoices/{AT.run_id}/%2e%2e/-1",
        f"/invoices%00/{AT.run_id}/ask/-1",
        f"/{'x' * 300}/{AT.run_id}/ask/-1",
        f"/invoices/{AT.run_id}/other/-1",
        f"/invoices/{AT.run_id}/ask/3",
    ],
)
def test_what_no_task_is_called_is_not_there(path: str, pages: Served) -> None:
    assert pages.get(path, EDITOR).status_code == 404
    assert pages.get(path, None).status_code == 401


@pytest.mark.parametrize("slash", ["%2F", "%2f"])
def test_a_slash_in_quotes_names_no_task(slash: str, pages: Served) -> None:
    for path in (f"/invoices/x{slash}{AT.run_id}/ask/-1", AT.path.replace("/ask/", f"{slash}ask/")):
        assert pages.get(path, EDITOR).status_code == 404


def test_a_path_that_is_long_without_end_makes_no_long_page(pages: Served) -> None:
    usual = len(pages.get("/a/b/c", None).content)
    reply = pages.get("/a" * 10_000, None)
    assert reply.status_code == 404
    assert len(reply.content) < usual + 100


def test_pages_are_drawn_in_threads_of_their_own(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from runware_provider.pages import frame  # noqa: PLC0415 - what is patched

    threads: list[str] = []

    def html_of(_: object) -> str:
        threads.append(threading.current_thread().name)
        return ""

    monkeypatch.setattr(frame, "html_of", html_of)
    for path in (AT.path, "/", path_of(AT, "failed")):
        assert pages.get(path, EDITOR).status_code == 200
    assert threads == ["runware-drawing", "runware-drawing", "test-texts"]


def test_a_path_in_the_query_reads_nothing(pages: Served, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, a_record(rows_done=555))
    for name in ("state", "places", "path", "output", "dag_id", "root"):
        reply = pages.get(AT.path, params={name: str(other / "out.state")})
        assert "317" in reply.text
        assert "555" not in reply.text


def test_the_right_is_asked_for_before_what_others_just_read_is_shown(pages: Served) -> None:
    assert pages.get(AT.path, READER).status_code == 200
    assert pages.get(AT.path, STRANGER).status_code == 403
    assert pages.get(AT.path, None).status_code == 401


def test_airflow_is_asked_in_the_name_of_the_viewer(pages: Served) -> None:
    pages.client.cookies.set("_token", READER)
    assert pages.client.get(f"{pages.url}/runware/jobs{AT.path}").status_code == 200
    assert set(pages.airflow.tokens) == {READER}
    # What is sent on purpose comes before what the browser adds.
    assert pages.get(AT.path, STRANGER).status_code == 403


@pytest.mark.parametrize("index", ["-1", "", "%7BMAP_INDEX%7D"])
def test_the_index_of_a_task_that_is_not_mapped_may_be_left_out(index: str, pages: Served) -> None:
    path = AT.path.rpartition("/")[0]
    assert "317" in pages.get(f"{path}/{index}").text


def test_an_xcom_that_names_another_run_opens_nothing(pages: Served, tmp_path: Path) -> None:
    """Who may write XComs of one DAG would else read the places of all."""
    theirs = replace(AT, dag_id="payroll")
    write(tmp_path / "payroll", a_record(run_name(theirs), rows_done=987))
    for forged in (run_name(theirs), "", "x", AT.dag_id, 5):
        mine = replace(AT, task_id=f"forged{len(str(forged))}")
        pages.airflow.add(places_in(tmp_path / "payroll", mine, run=forged), mine)
        for token, path in ((READER, mine.path), (EDITOR, mine.path), (EDITOR, path_of(mine, "failed"))):
            reply = pages.get(path, token)
            assert "987" not in reply.text
            assert SECRET not in reply.text


def test_a_place_in_which_this_run_left_no_record_is_not_opened(pages: Served, tmp_path: Path) -> None:
    """Its own name in a place that is another's: nothing but the run itself can have written there."""
    write(tmp_path / "payroll", a_record("payroll/ask/x/-1", rows_done=987), [a_past()])
    mine = replace(AT, task_id="forged")
    pages.airflow.add(places_in(tmp_path / "payroll", mine), mine)
    for token, path in (
        (READER, mine.path),
        (EDITOR, path_of(mine, "failed")),
        (EDITOR, path_of(mine, "report")),
    ):
        reply = pages.get(path, token)
        assert reply.status_code == 200
        for secret in ("987", SECRET, "7654"):
            assert secret not in reply.text


def a_past() -> dict[str, Any]:
    return {
        "run": "payroll/ask/x/-1",
        "state": "published",
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T01:00:00+00:00",
        "model": "some:model",
        "rows": 7654,
        "outcomes": {"succeeded": 7654},
        "paid_usd": 1.0,
    }


@pytest.mark.parametrize(
    "value", [None, "text", 5, [], {}, {"state": 3}, {"state": "/x", "output": ["/x"]}, "{" * 99]
)
def test_an_xcom_of_any_shape_is_none_of_ours(value: Any, pages: Served) -> None:
    at = replace(AT, task_id="strange")
    pages.airflow.add("null" if value is None else value, at, operator="PythonOperator")
    reply = pages.get(at.path)
    assert reply.status_code == 200
    assert "not one of Runware" in reply.text


def test_no_error_tells_what_it_was_about(
    pages: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(texts, "failed_parts", fail)
    with caplog.at_level(logging.DEBUG):
        reply = pages.get(path_of(AT, "failed"), EDITOR)
    assert reply.status_code == 500
    assert SECRET not in reply.text + caplog.text
    assert "RuntimeError" in caplog.text


def test_texts_leave_no_word_in_the_log(pages: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert SECRET in pages.get(path_of(AT, "failed"), EDITOR, params={"reason": "x"}).text
    assert SECRET not in caplog.text


def test_pages_work_below_a_path(tmp_path: Path) -> None:
    write(tmp_path)
    with served(tmp_path, base_path="/air/flow") as pages:
        pages.airflow.add(places_in(tmp_path))
        assert "317" in pages.get().text
        assert pages.get("/").status_code == 200
