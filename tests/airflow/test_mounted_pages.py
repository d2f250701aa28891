"""What the plugin tells Airflow of its pages. A real API server: `tests/whole_airflow`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import HTTPException
from starlette.applications import Starlette

from runware_provider import configuration
from runware_provider.engine.storage.object_place import object_place
from runware_provider.pages import mounted, tabs
from runware_provider.pages.run_view import URL_PREFIX
from runware_provider.plugin import RunwarePlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

TELL = """
import sys
from runware_provider.plugin import RunwarePlugin
plugin = RunwarePlugin()
print([app["url_prefix"] for app in plugin.fastapi_apps], [view["destination"] for view in plugin.external_views])
print(sorted({"pyarrow", "fastapi", "airflow.api_fastapi"} & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def _another_process() -> Iterator[None]:
    tabs.external_views.cache_clear()
    mounted.fastapi_apps.cache_clear()
    yield
    tabs.external_views.cache_clear()
    mounted.fastapi_apps.cache_clear()


@pytest.fixture(scope="module")
def application() -> Any:
    """The module that the API server alone loads."""
    with warnings.catch_warnings():
        # Airflow's imports are Airflow's.
        warnings.simplefilter("ignore")
        from runware_provider.pages import application  # noqa: PLC0415 - see above
    return application


def test_the_pages_come_before_the_receiver_that_takes_all_below_its_prefix() -> None:
    prefixes = [app["url_prefix"] for app in RunwarePlugin().fastapi_apps]
    assert prefixes == [URL_PREFIX, "/runware"]
    assert URL_PREFIX.startswith(f"{prefixes[1]}/")


async def test_whoever_leaves_out_the_slash_is_led_to_the_list() -> None:
    airflow = Starlette()
    for app in RunwarePlugin().fastapi_apps:
        airflow.mount(app["url_prefix"], app["app"])
    airflow.router.redirect_slashes = False
    transport = httpx.ASGITransport(app=airflow, root_path="/air")
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow.invalid") as client:
        reply = await client.get(f"/air{URL_PREFIX}")
        assert (reply.status_code, reply.headers["location"]) == (307, "jobs/")
        assert str(reply.url.join(reply.headers["location"])).endswith(f"/air{URL_PREFIX}/")
        # All else is the receiver's, as it was.
        for method, path in (("POST", URL_PREFIX), ("GET", f"{URL_PREFIX}x"), ("GET", "/runware/hook")):
            assert (await client.request(method, f"/air{path}")).status_code != 307


def test_airflow_may_take_a_view_out_of_the_list_that_it_was_given() -> None:
    plugin = RunwarePlugin()
    plugin.external_views.remove(plugin.external_views[0])
    assert [view["destination"] for view in plugin.external_views] == ["nav"]


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("", ""),
        ("https://example.com", ""),
        ("https://example.com/", ""),
        ("http://example.com/air/flow/", "/air/flow"),
    ],
)
def test_the_tabs_lead_below_the_path_that_airflow_is_served_at(
    base_url: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert configuration.base_path() == path
    hrefs = [view["href"] for view in RunwarePlugin().external_views]
    assert hrefs == [
        f"{path}{URL_PREFIX}/{{DAG_ID}}/{{RUN_ID}}/{{TASK_ID}}/{{MAP_INDEX}}",
        f"{path}{URL_PREFIX}/",
    ]
    assert len({view["url_route"] for view in RunwarePlugin().external_views}) == len(hrefs)


def test_telling_of_the_pages_loads_nothing_that_they_are_made_of(fresh_python: Any) -> None:
    told = fresh_python(TELL).splitlines()[-2:]
    assert told == ["['/runware/jobs', '/runware'] ['task_instance', 'nav']", "[]"]


def test_nothing_is_read_and_no_text_is_shown_unless_somebody_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert configuration.page_roots() == ""
    assert configuration.page_texts() is False
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_ROOTS", "/data,s3://lake")
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_TEXTS", "True")
    assert configuration.page_roots() == "/data,s3://lake"
    assert configuration.page_texts() is True


def test_an_option_that_cannot_be_read_leaves_the_other_as_it_is(
    application: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_ROOTS", "/data")
    monkeypatch.setenv("AIRFLOW__RUNWARE__PAGE_TEXTS", "maybe")
    assert application._options() == ("/data", False)
    (line,) = caplog.messages
    assert "page_texts" in line
    assert "page_roots" not in line
    assert "maybe" not in line


def test_only_airflows_yes_lets_anybody_read_texts(application: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise HTTPException(403)

    async def asked_later(*_: object) -> None:
        refuse()

    answers: list[tuple[Any, bool]] = [
        (lambda *_: None, True),
        (refuse, False),
        (asked_later, False),
        (lambda *_: False, False),
    ]
    request: Any = None
    for answer, may_read in answers:
        monkeypatch.setattr(application, "_edits_tasks", answer)
        assert application.reads_texts(request, request) is may_read


def test_stores_of_pages_are_asked_once(application: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "options_of", lambda _: {"key": "secret"})
    options = application._asked_once(object_place("s3://lake/x"))
    assert options == {"key": "secret", "give_up_s": "0"}
    assert "secret" not in repr(options)
