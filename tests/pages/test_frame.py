from __future__ import annotations

import re

import pytest

from runware_provider.pages.frame import CSP, STATIC, page
from runware_provider.pages.links_between import ON_LEAF, ON_LIST, ON_TASK
from runware_provider.quality.parts import Words
from runware_provider.quality.style import STYLE
from tests.pages.seen import Seen

SHEET, SCRIPT = STATIC["page.css"][0].decode(), STATIC["page.js"][0].decode()


def test_a_browser_may_run_and_load_nothing_but_ours():
    allowed = dict(rule.split(" ", 1) for rule in CSP.split("; "))
    assert allowed["default-src"] == "'none'"
    assert {rule for rule, sources in allowed.items() if "unsafe" in sources or "*" in sources} == set()
    assert allowed["script-src"] == allowed["style-src"] == allowed["connect-src"] == "'self'"
    assert allowed["form-action"] == allowed["base-uri"] == "'none'"
    assert allowed["frame-ancestors"] == "'self'"


def test_a_page_has_no_script_and_no_style_of_its_own():
    told = page("Title", [Words(["# Title", ""])], renew_s=5)
    assert re.findall(r"<script[^>]*>", told) == re.findall(r'<script src="[^"]+">', told)
    assert "<style" not in told
    assert not re.search(r"\s(style|on\w+)=", told)


@pytest.mark.parametrize(
    ("links", "root"), [(ON_LIST, "./"), (ON_TASK, "../../../"), (ON_LEAF, "../../../../")]
)
def test_sheet_and_script_are_found_from_every_page(links, root):
    told = page("", [], links=links)
    assert f'href="{root}static/page.css?' in told
    assert f'src="{root}static/page.js?' in told


def test_another_sheet_has_another_address():
    versions = re.findall(r"static/[\w.]+\?(\w+)", page("", []))
    assert len(set(versions)) == len(STATIC) == 2


def test_a_page_renews_itself_only_where_it_is_told_to():
    assert '<main data-page data-renew="2.5">' in page("", [], renew_s=2.5)
    assert "data-renew" not in page("", [])


def test_a_title_is_plain_text_of_a_bounded_length():
    told = Seen(page("</title><script>\n\u202e" + 10_000 * "x", []))
    assert told.tags.count("script") == 1
    assert len(told.text) < 300
    assert "\u202e" not in told.text


def test_pages_look_like_the_report():
    assert SHEET.startswith(STYLE)


def test_the_sheet_has_as_many_closing_braces_as_opening_ones_and_loads_nothing():
    assert SHEET.count("{") == SHEET.count("}")
    assert "@import" not in SHEET
    assert "url(" not in SHEET


def test_the_script_writes_no_markup():
    assert not re.search(
        r"\.innerHTML\s*=[^=]|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\b|new Function", SCRIPT
    )


def test_the_script_is_short_enough_to_be_read():
    assert SCRIPT.count("\n") < 150
