"""The pages' script in a browser, over a socket, under the policy that is served with them."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runware_provider.pages.frame import CSP, STATIC, page
from runware_provider.pages.job_document import job_parts, job_title, renews
from runware_provider.pages.run_view import URL_PREFIX
from runware_provider.quality.parts import Command
from tests.pages.examples import AT, DONE, RECORD, VIEW, group_of, view_of

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium; on Debian and Ubuntu: apt install chromium"
)

PATIENCE_S = 20
COMMAND = "runware ask --where \"id = '7'\""
HOSTILE = (
    "</p><img src=x onerror=window.hurt=1><script>window.hurt=1</script><b style=color:red>\x00\u202e"
    + 10_000 * "x"
)
SANDBOX = "allow-scripts allow-same-origin allow-forms allow-downloads"
"""Of Airflow's frame."""
OUTER = f'<!doctype html><html class="dark"><body><iframe sandbox="{SANDBOX}" src="{URL_PREFIX}{AT.path}"></iframe>'


class Served:
    """A page that a test changes while it is looked at."""

    def __init__(self):
        self.view, self.parts, self.fails = VIEW, None, False
        self.asked = 0

    def answer(self, path):
        """Status, body, media type."""
        below = path.removeprefix(URL_PREFIX).partition("?")[0]
        if below.startswith("/static/"):
            return 200, *STATIC[below.removeprefix("/static/")]
        if below == AT.path:
            self.asked += 1
            return (503, b"down", "text/plain") if self.fails else (200, self._page(), "text/html")
        return (200, OUTER.encode(), "text/html") if below == "/outer" else (200, b"Airflow", "text/plain")

    def _page(self):
        parts = job_parts(self.view) if self.parts is None else self.parts
        return page(job_title(self.view), parts, renew_s=0.2 if renews(self.view) else None).encode()


@pytest.fixture
def served():
    shown = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body, kind = shown.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind == "text/html" else kind)
            self.send_header("Content-Length", str(len(body)))
            if "outer" not in self.path:
                self.send_header("Content-Security-Policy", CSP)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    shown.root = f"http://127.0.0.1:{server.server_port}"
    shown.url = shown.root + URL_PREFIX + AT.path
    yield shown
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser():
    with (
        playwright.sync_playwright() as started,
        started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as chromium,
    ):
        yield chromium


@pytest.fixture
def tab(browser):
    with browser.new_context(timezone_id="Europe/Berlin", locale="en-GB") as context:
        opened = context.new_page()
        opened.complaints = []
        opened.on(
            "console", lambda told: opened.complaints.append(told.text) if told.type == "error" else None
        )
        opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
        yield opened


def until(tab, condition):
    """Wait for something in Python or JavaScript; the pages' policy forbids the browser's own waiting."""
    end = time.monotonic() + PATIENCE_S
    while not (condition() if callable(condition) else tab.evaluate(condition)):
        assert time.monotonic() < end, condition
        tab.wait_for_timeout(20)


def test_a_page_renews_itself_and_keeps_folds_place_and_focus_until_the_job_is_over(served, tab):
    served.view = group_of(*(replace(RECORD, paid_usd=float(number)) for number in range(30)), at=AT)
    tab.goto(served.url)
    tab.click("summary")
    tab.evaluate("scrollTo(0, 300); document.querySelectorAll('.shards a')[7].focus({ preventScroll: true })")
    served.view = group_of(*(replace(RECORD, rows_done=3000) for _ in range(30)), at=AT)
    until(tab, "document.querySelector('.says').textContent.includes('60 %')")
    assert tab.evaluate("document.querySelector('details').open")
    assert tab.evaluate("scrollY") == 300
    assert tab.evaluate("document.activeElement.textContent") == "8"
    served.view = view_of(DONE, "success")
    until(tab, "document.querySelector('.says').textContent.includes('Published')")
    assert tab.evaluate("document.querySelector('main').dataset.renew") == ""
    assert tab.complaints == []


def test_a_server_that_fails_is_said_and_forgotten_once_it_answers(served, tab):
    tab.goto(served.url)
    served.fails = True
    until(tab, "document.querySelector('[role=status]').textContent.startsWith('Not renewed since')")
    served.fails = False
    until(tab, "document.querySelector('[role=status]').textContent === ''")


def test_what_is_selected_is_not_taken_away(served, tab):
    tab.goto(served.url)
    tab.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    served.view, asked = view_of(replace(RECORD, rows_done=3000)), served.asked
    # The second request comes after the first answer was dealt with.
    until(tab, lambda: served.asked >= asked + 2)
    assert tab.evaluate("getSelection().toString()") == "invoices_labelled"


def test_a_command_is_copied_and_where_that_is_forbidden_selected(served, tab):
    served.parts = [Command("Ask again", COMMAND)]
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    served.view = view_of(DONE, "success")
    tab.goto(served.url)
    tab.click("text=Copy")
    until(tab, "document.querySelector('button').textContent === 'Copied'")
    assert tab.evaluate("navigator.clipboard.readText()") == COMMAND
    tab.reload()
    tab.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    tab.click("text=Copy")
    until(tab, "document.querySelector('button').textContent.startsWith('Selected')")
    assert tab.evaluate("getSelection().toString()").strip() == COMMAND


def test_in_airflows_frame_a_page_follows_the_theme_and_leads_out(served, tab):
    tab.goto(f"{served.root}{URL_PREFIX}/outer")
    frame = tab.frames[1]
    frame.wait_for_selector("h1")
    assert frame.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.evaluate("document.documentElement.className = 'light'")
    until(frame.page, "frames[0].document.documentElement.dataset.theme === 'light'")
    frame.click("text=Task in Airflow")
    tab.wait_for_url(f"**/dags/{AT.dag_id}/runs/**/tasks/{AT.task_id}")


def test_times_are_those_of_the_reader(served, tab):
    served.view = view_of(DONE, "success")
    tab.goto(served.url)
    times = tab.evaluate(
        "[...document.querySelectorAll('time')].map((place) => [place.textContent, place.title])"
    )
    assert times[-1][0].endswith("15:10")
    assert times[-1][1] == "2026-11-29 14:10 UTC"


def test_a_page_can_be_read_without_its_script(served, browser):
    served.view = view_of(DONE, "success")
    with browser.new_context(java_script_enabled=False) as context:
        quiet = context.new_page()
        quiet.goto(served.url)
        assert "4,987 of 5,000 rows succeeded" in quiet.inner_text(".says")
        assert "2026-11-29 14:10 UTC" in quiet.inner_text("main")


@pytest.mark.parametrize("width", [390, 700, 1180])
def test_hostile_text_runs_nothing_and_no_page_is_wider_than_its_window(served, tab, width):
    tab.set_viewport_size({"width": width, "height": 800})
    hostile = replace(
        RECORD,
        state="stopped",
        model=HOSTILE,
        reason=HOSTILE,
        remedy=HOSTILE,
        reasons={HOSTILE: 3},
        outcomes={HOSTILE: 4},
    )
    stopped = view_of(hostile, "failed", trouble=HOSTILE, places={"output": f"s3://{HOSTILE}"})
    for view in (stopped, group_of(hostile, RECORD, None, at=AT)):
        served.view = view
        tab.goto(served.url)
        assert tab.evaluate("window.hurt") is None
        assert tab.evaluate("document.querySelectorAll('main img, main script, main [style]').length") == 0
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.complaints == []
