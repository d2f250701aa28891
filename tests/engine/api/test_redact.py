"""What of the API's words may be shown."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.redact import (
    MOST_CHARS,
    RUN_CHARS,
    UNKNOWN_CODE,
    WITHHELD,
    Redactor,
    plain_code,
    printable,
    texts_in,
    without_key,
)

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


def folded(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text.casefold()).split())


prompts = st.text(st.characters(codec="utf-8"), min_size=RUN_CHARS, max_size=400)
PIECES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=RUN_CHARS, max_size=200
)


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


@given(st.text(), PIECES, st.text())
@pytest.mark.parametrize(("before", "after"), [("", ""), ("It says: ", "."), ("x" * 7, "y" * 13)])
def test_every_long_enough_piece_of_a_prompt_is_found(before, after, start, piece, end):
    assert Redactor().said(before + piece + after, [start + piece + end]) == WITHHELD


@given(prompts, st.text(max_size=200))
def test_what_is_shown_never_shares_a_long_run_with_what_was_sent(prompt, message):
    shown = Redactor([prompt]).said(message + prompt[:30])
    runs = {folded(shown)[at : at + RUN_CHARS] for at in range(len(folded(shown)) - RUN_CHARS + 1)}
    assert shown == WITHHELD or not any(run in folded(prompt) for run in runs)


@given(st.text(max_size=700), st.lists(st.text(max_size=50), max_size=3), st.text(max_size=40))
def test_any_message_is_shown_in_one_printable_line_of_bounded_length(message, sent, key):
    said = Redactor(sent, key=key).said(message)
    assert said.isprintable()
    assert len(said) <= MOST_CHARS


def test_what_would_steer_a_terminal_or_forge_a_line_is_no_more_than_blanks():
    message = "\x1b]0;owned\x07\x1b[2Jall is well\r\nmanifest published\u202e\u2028\x9b1m"
    assert Redactor().said(message) == " ]0;owned  [2Jall is well  manifest published   1m"


def test_a_message_is_judged_against_the_longest_prompts():
    longest = ["the same words again and again " * 30_000, "a" * 900_000]
    assert Redactor().said("the same words and others", longest) == "the same words and others"
    assert Redactor().said("the same words again and again", longest) == WITHHELD


@pytest.mark.parametrize(
    "quoted",
    [
        *("'Jane Doe'", '"Jane Doe"', "`Jane Doe`", "<Jane Doe>", "'Jane Doe"),
        *("\u201cJane Doe\u201d", "\u2018Jane Doe\u2019", "\u00abJane Doe\u00bb", "\u201eJane Doe"),
    ],
)
def test_a_short_value_in_quotation_marks_is_withheld(quoted):
    assert Redactor().said(f"Invalid value {quoted}", ["Who is it?\nName: Jane Doe"]) == WITHHELD


@pytest.mark.parametrize(
    "message",
    [
        "Blocked content: 4111 1111 1111 1111",
        "Blocked person: Maria Lopez, card 41",
        "Insufficient credits for customer 4111",
    ],
)
def test_a_long_number_or_a_line_of_a_record_is_withheld(message):
    assert Redactor().said(message, ["Maria Lopez, card 4111 1111 1111 1111, Madrid"]) == WITHHELD


@pytest.mark.parametrize("prompt", ["no", "a", "up", "max", "top"])
def test_a_prompt_of_a_word_hides_no_message(prompt):
    message = "Insufficient credits: top up your account, at most 3 times a day."
    assert Redactor().said(message, [prompt]) == message


@pytest.mark.parametrize("message", ["R&D; is slow today", r"See C:\logs", "50% of it, 3 % of that"])
def test_what_only_looks_like_an_escape_is_shown(message):
    assert Redactor().said(message, [PROMPT]) == message


def test_a_code_with_a_piece_of_what_was_sent_is_hidden_and_a_known_one_is_not():
    prompt = "Maria Lopez, card 4111 1111 1111 1111, has insufficient credits."
    for code in ("Maria_Lopez_4111111111111111", "4111-1111-1111", "marialopez"):
        assert Redactor().code(code, [prompt]) == UNKNOWN_CODE
        assert Redactor([prompt]).code(code) == UNKNOWN_CODE
    for code in ("insufficientCredits", "insufficient_credits", "invalidSteps", "http500"):
        assert Redactor([prompt]).code(code, ["a", "no"]) == code


def test_a_prompt_that_is_shorter_than_a_run_is_withheld_when_it_is_quoted_whole():
    assert Redactor().said("Cannot answer Jane Doe now", ["Jane Doe"]) == WITHHELD


@pytest.mark.parametrize(
    "quoted",
    [
        KEY,
        KEY.upper(),
        KEY[:8],
        f"{KEY[:9]}****{KEY[-4:]}",
        f"***{KEY[-8:]}",
        KEY[:12] + "...",
        f"'{KEY}'",
        KEY[2:-2],
    ],
)
def test_a_message_or_a_code_with_a_piece_of_the_key_is_withheld(quoted):
    assert Redactor(key=KEY).said(f"Incorrect API key: {quoted}, see the dashboard") == WITHHELD
    assert Redactor(key=KEY).code(f"incorrectKey:{quoted}") == UNKNOWN_CODE
    assert Redactor(key=KEY).code("incorrectKey") == "incorrectKey"


def test_the_key_is_taken_out_of_a_body_and_a_short_one_is_a_word():
    tricky = 'a/b"c' + KEY
    for spelled in (tricky, json.dumps(tricky)[1:-1], json.dumps(tricky)[1:-1].replace("/", "\\/")):
        assert without_key(f'{{"message": "{spelled}"}}'.encode(), tricky) == b'{"message": "***"}'
    assert without_key(b"the test-key", "test-key") == b"the test-key"


def test_a_code_is_shown_if_it_is_one_short_word():
    plain = ["invalidApiKey", "rate_limit_exceeded", "model-not-found", "http500", "vendor:code.v2", "x" * 64]
    strange = ["", "x" * 65, "two words", "\x1b[2J", "invalidApiKey\n", "Schlüssel", "<b>", "Jane,Doe"]
    assert [plain_code(code) for code in plain] == plain
    assert [plain_code(code) for code in strange] == [UNKNOWN_CODE] * len(strange)


@given(st.text())
def test_a_printable_text_is_as_long_as_before_and_changes_no_more(text):
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert printable(shown) == shown


def test_only_the_start_of_a_long_message_is_shown():
    assert Redactor().said("no " * 1000) == ("no " * 1000)[:500]


def test_the_texts_of_a_request_are_those_that_somebody_wrote():
    long = "a description of some length"
    fields = {"model": "m", "tools": [{"name": "save", "schema": {"description": long}}], "n": 1}
    assert list(texts_in(fields)) == [long]


def test_the_proof_of_a_webhooks_url_is_never_shown() -> None:
    url = "https://example.com/runware/hook?j=ab&e=1&token=" + "0123456789abcdef" * 2
    for quoted in (url, url[:-3]):
        said = Redactor().said(f"Invalid webhookURL {quoted}")
        assert said.endswith("token=***")
