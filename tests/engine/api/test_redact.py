"""What of the API's words may be shown."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.redact import MASK, QUOTED_CHARS, WITHHELD, Redactor, texts_in, without_key

KEY = "rw-4f9aD81c77e2-Zq0Lx_3Tb"
PROMPT = "Read the letter.\n\nDear Dr. Ångström,\tthe biopsy of 3 May was <benign> & clear."
PIECE = "Ångström,\tthe biopsy of 3 May"
ESCAPES = {
    "as it is": lambda text: text,
    "as JSON": lambda text: json.dumps(text)[1:-1],
    "as JSON in JSON": lambda text: json.dumps(json.dumps(text))[1:-1],
    "as JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "in a page": html.escape,
    "in a URL": quote,
    "in a form": quote_plus,
    "in capitals": str.upper,
    "folded": lambda text: text.replace(" ", "\n  "),
}
prompts = st.text(st.characters(codec="utf-8"), min_size=QUOTED_CHARS, max_size=400)


def folded(text: str) -> str:
    return " ".join(text.casefold().split())


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
@pytest.mark.parametrize("piece", [PIECE, PROMPT], ids=["a piece", "the whole"])
def test_a_message_that_quotes_a_prompt_is_withheld_however_it_is_written(piece, escape):
    message = f"Invalid value for 'messages': {escape(piece)} is not allowed."
    assert Redactor().said(message, ["another prompt", PROMPT]) == WITHHELD
    assert Redactor([PROMPT]).said(message) == WITHHELD


@pytest.mark.parametrize(
    "message",
    [
        "Invalid value for 'messages[0].content': it must not be empty.",
        "The letter is too long: 900001 characters, at most 900000.",
        "'settings.temperature' must be a number from 0 to 2.",
        "",
    ],
)
def test_a_message_that_quotes_nothing_stays_as_it_is(message):
    assert Redactor(["You are a careful reader of letters."], key=KEY).said(message, [PROMPT]) == message


@given(
    st.text(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=QUOTED_CHARS, max_size=200),
    st.text(),
)
@pytest.mark.parametrize(("before", "after"), [("", ""), ("It says: ", "."), ("x" * 7, "y" * 13)])
def test_every_long_enough_piece_of_a_prompt_is_found(before, after, start, piece, end):
    assert Redactor().said(before + piece + after, [start + piece + end]) == WITHHELD


@given(prompts, st.text(max_size=200))
def test_what_is_shown_never_shares_a_long_run_with_what_was_sent(prompt, message):
    shown = folded(Redactor([prompt]).said(message + prompt[:30]))
    runs = {shown[at : at + QUOTED_CHARS] for at in range(len(shown) - QUOTED_CHARS + 1)}
    assert shown == folded(WITHHELD) or not any(run in folded(prompt) for run in runs)


@given(st.text(max_size=700), st.lists(st.text(max_size=50), max_size=3), st.text(max_size=40))
def test_any_text_can_be_judged(message, sent, key):
    assert len(Redactor(sent, key=key).said(message)) <= 500 * len(MASK)


@pytest.mark.parametrize("quoted", ["'Jane Doe'", '"Jane Doe"', "`Jane Doe`", "\u201cJane Doe\u201d"])
def test_a_short_value_in_quotation_marks_is_withheld(quoted):
    assert Redactor().said(f"Invalid value {quoted}", ["Who is it?\nName: Jane Doe"]) == WITHHELD


def test_a_prompt_that_is_shorter_than_a_run_is_withheld_when_it_is_quoted_whole():
    assert Redactor().said("Cannot answer Jane Doe now", ["Jane Doe"]) == WITHHELD


@pytest.mark.parametrize(
    "quoted",
    [KEY, KEY.upper(), KEY[:8], f"{KEY[:9]}****{KEY[-4:]}", f"***{KEY[-8:]}", KEY[:12] + "...", f"'{KEY}'"],
)
def test_a_key_is_masked_and_the_rest_of_the_message_stays(quoted):
    said = Redactor(key=KEY).said(f"Incorrect API key: {quoted}, see the dashboard")
    assert said.replace("'", "") == f"Incorrect API key: {MASK}, see the dashboard"


def test_the_middle_of_a_key_is_withheld():
    assert Redactor(key=KEY).said(f"Bad key ..{KEY[2:-2]}") == WITHHELD


def test_the_key_is_taken_out_of_a_body_and_a_short_one_is_a_word():
    tricky = 'a/b"c' + KEY
    for spelled in (tricky, json.dumps(tricky)[1:-1], json.dumps(tricky)[1:-1].replace("/", "\\/")):
        assert without_key(f'{{"message": "{spelled}"}}'.encode(), tricky) == b'{"message": "***"}'
    assert without_key(b"the test-key", "test-key") == b"the test-key"


def test_only_the_start_of_a_long_message_is_shown():
    assert Redactor().said("no " * 1000) == ("no " * 1000)[:500]


def test_the_texts_of_a_request_are_those_that_somebody_wrote():
    long = "a description of some length"
    fields = {"model": "m", "tools": [{"name": "save", "schema": {"description": long}}], "n": 1}
    assert list(texts_in(fields)) == [long]
