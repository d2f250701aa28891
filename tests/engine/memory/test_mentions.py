from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.memory.mentions import Mentions

NAME = "Jürgen Groß 🚀"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())


@pytest.mark.parametrize(
    "item",
    [
        {"text": f"To {NAME}, Berlin"},
        {"text": json.dumps({"to": NAME})},
        {"text": json.dumps({"to": json.dumps([NAME])})},
        {"text": "an JÜRGEN\n   GROSS 🚀"},
        {NAME: 1},
        {"text": "Ju\u0308rgen Groß 🚀"},
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_name_is_found_however_it_was_written(item: object, *, ascii_only: bool) -> None:
    held = json.dumps(item, ensure_ascii=ascii_only)
    for text in (NAME, "jürgen groß", "JÜRGEN GROSS"):
        assert Mentions(["nobody", text]).occur_in(held.encode())
        assert Mentions([text]).occur_in(held)


def test_other_texts_are_not_found() -> None:
    mentions = Mentions([NAME])
    for held in (
        None,
        b"",
        "",
        b'{"text": "Juergen Gross"}',
        b"\xff\xfe",
        b'"\\u00',
        b'{"a": "\\ud83d"}',
        "\\",
    ):
        assert not mentions.occur_in(held)


def test_quotes_and_line_breaks_in_what_is_looked_for_make_no_difference() -> None:
    held = json.dumps({"text": 'He said "no\\yes"\nand\tleft'})
    assert Mentions(['said "no\\yes" and left']).occur_in(held)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="occurs everywhere"):
        Mentions(["a", text])


def test_without_texts_there_is_nothing_to_look_for() -> None:
    assert not Mentions([])
    assert Mentions(["a"])


@given(TEXTS, st.text(), st.integers(0, 3))
def test_whatever_is_put_into_json_is_found_again(text: str, around: str, depth: int) -> None:
    held: str = f"{around} {text} {around}"
    for _ in range(depth):
        held = json.dumps({"text": held})
    assert Mentions([text]).occur_in(held)
