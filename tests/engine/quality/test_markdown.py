from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runware_provider.engine.quality.markdown import bar, code, table

ANY = st.text(st.characters(exclude_categories=[])) | st.text("|\\`\n <>&*_[]@#", max_size=12)


def cells(line: str, *, pairs: bool) -> list[str]:
    """Cut a row as GitHub's parser does; whether two backslashes are a pair is read in two ways."""
    bare = re.sub(r"\\\\", "xx", line) if pairs else line
    return re.split(r"(?<!\\)\|", bare)[1:-1]


@pytest.mark.parametrize("pairs", [True, False])
@given(ANY)
@example("\\|")
@example("a|b\\")
@example("`|`")
def test_no_text_breaks_a_row(pairs, text):
    lines = table(["a", "b"], [[code(text), "end"]])
    assert len("\n".join(lines).splitlines()) == 3
    assert [len(cells(line, pairs=pairs)) for line in lines] == [2, 2, 2]
    assert cells(lines[2], pairs=pairs)[1] == " end "


@given(ANY)
def test_every_text_stands_in_a_code_span_or_has_no_sign_that_means_something(text):
    shown = code(text, 10_000).strip("\u2068\u2069")
    fence = re.match("`+", shown)
    if fence is None:
        assert not re.search(r"[<>`*_@\[\]|]", shown)
    else:
        inside = shown[len(fence[0]) : -len(fence[0])]
        assert shown.endswith(fence[0])
        assert fence[0] not in re.findall("`+", inside)


def test_texts_that_run_from_right_to_left_are_kept_apart():
    assert code("שלום") == "\u2068`שלום`\u2069"
    assert code("a") == "`a`"


def test_long_texts_are_clipped():
    assert len(code("x" * 1000, 20)) == 22


def test_nothing_is_shown_as_nothing():
    assert code("") == "\u2013"


def test_a_bar_shows_everything_that_is_more_than_nothing():
    assert bar(1, 1_000) == "█" + "░" * 19
    assert bar(0, 10) == "░" * 20
    assert bar(10, 10) == "█" * 20
    assert bar(0, 0) == ""
