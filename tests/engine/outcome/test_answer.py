from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.outcome.answer import Answer, read_arguments, read_json, read_text

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
JSON_OBJECTS = st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4)


def test_plain_json_needs_no_mend() -> None:
    assert read_json(' {"total": 12.5}\n') == Answer({"total": 12.5}, (), None)


def test_null_is_a_value_and_no_problem() -> None:
    assert read_json("null") == Answer(None, (), None)


@pytest.mark.parametrize(
    ("text", "mends"),
    [
        ('<think>maybe {"a": 2}?</think>\n{"a": 1}', ("think",)),
        ('<think>one</think> <think>two</think>{"a": 1}', ("think",)),
        ('So {"a": 2}? No.</think>\n{"a": 1}', ("think",)),
        ('<think>a <think>b</think> c: [</think> {"a": 1}', ("think",)),
        ('So.</think>```json\n{"a": 1}\n```', ("think", "fence")),
        ('"{\\"a\\": 1}"', ("json_string",)),
        ('```json\n"{\\"a\\": 1}"\n```', ("fence", "json_string")),
        ('```json\n{"a": 1}\n```', ("fence",)),
        ('```\n{"a": 1}\n```\n', ("fence",)),
        ('```{"a": 1}```', ("fence",)),
        ('<think>x</think>```json\n{"a": 1}\n```', ("think", "fence")),
        ('Here you are:\n{"a": 1}\nAnything else?', ("surrounding_text",)),
        ('Here you are:\n```json\n{"a": 1}\n```\nAnything else?', ("surrounding_text",)),
        ('<think>x</think>Result: {"a": 1}', ("think", "surrounding_text")),
        ('```json\n{"a": 1}', ("surrounding_text",)),
        ('{"a": 1} (see [the page])', ("surrounding_text",)),
    ],
)
def test_a_mend_is_recorded_by_name(text: str, mends: tuple[str, ...]) -> None:
    assert read_json(text) == Answer({"a": 1}, mends, None)


@pytest.mark.parametrize("value", ['{"a": ', "[1]", "{", "{}", "word"])
def test_a_string_that_holds_no_object_stays_a_string(value: str) -> None:
    assert read_json(json.dumps(value)) == Answer(value, (), None)


def test_the_end_of_a_thought_inside_of_an_answer_is_part_of_it() -> None:
    text = '{"a": "x</think>y",}'
    assert read_json(text) == Answer({"a": "x</think>y"}, ("repaired",), None)


@pytest.mark.parametrize(
    ("before", "after"),
    [("Here is the JSON: ", " Done."), ("", " Done."), ("Note [1]: ", ""), ("```json\n", "\n```")],
)
def test_the_end_of_a_thought_inside_of_a_string_never_makes_a_part_the_whole(
    before: str, after: str
) -> None:
    value = {"note": "the template ends in </think>", "total": 120, "tax": {"total": 20}}
    assert read_json(before + json.dumps(value) + after).value in (value, None)
    assert read_json(f"Here: {json.dumps(value)} Done.") == Answer(value, ("surrounding_text",), None)


def test_a_thought_without_a_beginning_ends_where_the_answer_begins() -> None:
    assert read_json('hm, so</think>\n{"a": 1}') == Answer({"a": 1}, ("think",), None)
    assert read_json('a </think> b </think> {"a": 1}') == Answer({"a": 1}, ("think",), None)
    assert read_json('a {b} c</think>{"a": 1} and {"a": 2}').value is None
    assert read_json('Here: {"note": "x </think>{}').value is None


def test_thoughts_without_end_are_read_in_no_time_to_speak_of() -> None:
    assert read_json("<think></think>" * 100_000 + '{"a": 1}').mends == ("think",)
    assert read_json("<think>" * 100_000).truncated


def test_a_fence_inside_of_a_string_is_left_alone() -> None:
    text = json.dumps({"code": "```json\n{}\n```"})
    assert read_json(text) == Answer({"code": "```json\n{}\n```"}, (), None)


def test_two_objects_in_prose_are_refused() -> None:
    answer = read_json('Either {"a": 1} or {"a": 2}.')
    assert answer.value is None
    assert "more than one" in str(answer.problem)


def test_a_part_of_a_broken_object_never_passes_for_the_whole() -> None:
    answer = read_json('Result: {"lines": {"a": 1}, "total": ')
    assert answer.value is None
    assert "truncated" in str(answer.problem)


def test_prose_full_of_brackets_is_given_up() -> None:
    assert read_json('{"a": 1}' + "[x" * 5_000).problem is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', '"a" occurs twice'),
        ('{"a": {"b": 1, "b": 1}}', '"b" occurs twice'),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "range of a double"),
        ('{"a": ' + "9" * 5_000 + "}", "too many digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a" 1}', "not valid JSON"),
        ('{"a": }', "not valid JSON"),
        ("", "empty"),
        (" \n", "empty"),
        ("I cannot help with that.", "no JSON object"),
    ],
)
def test_what_is_no_json_is_a_problem_that_says_why(text: str, words: str) -> None:
    answer = read_json(text)
    assert answer.value is None
    assert words in str(answer.problem)
    assert len(str(answer.problem)) < 200


def test_no_text_at_all_is_an_empty_answer() -> None:
    assert read_json(None).problem == "the answer is empty"
    assert read_text(None).problem == "the answer is empty"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"a"',
        '{"a": ',
        '{"a": "b',
        '{"a": "b\\',
        '{"a": "\\u12',
        '{"a": "b"',
        '{"a": tr',
        '{"a": -',
        '{"a": 1',
        '{"a": 1.',
        '{"a": 1e',
        '{"a": [1, 2',
        '{"a": {"b": 1},',
        '```json\n{"a": 1',
        '<think>so the total is {"a": 1}',
    ],
)
def test_a_truncated_answer_is_called_truncated(text: str) -> None:
    answer = read_json(text)
    assert answer.value is None
    assert "truncated" in str(answer.problem)


@pytest.mark.parametrize("text", ['{"a" 1}', "not JSON", "", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": 1}'])
def test_a_broken_but_whole_object_is_not_called_truncated(text: str) -> None:
    answer = read_json(text)
    assert not answer.truncated
    assert "truncated" not in str(answer.problem)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2,], "b": {"c": 1',
        '{"a": 1,, "b": [',
        "{'a': 1, 'b': {",
        'Result: {"a": 1,, "b": "x',
        '{"lines": [{"a": 1,}], "total": ',
    ],
)
def test_a_truncated_answer_with_a_fault_before_its_end_is_truncated_and_never_repaired(text: str) -> None:
    answer = read_json(text)
    assert (answer.value, answer.truncated) == (None, True)
    assert "repaired" not in answer.mends


def test_truncation_is_told_of_arguments_and_of_thoughts() -> None:
    assert read_arguments('{"a": ').truncated
    assert read_text("<think>so").truncated
    assert read_json("<think>so").truncated
    assert not read_arguments('{"a" 1}').truncated


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,], "b": {"c": true,},\n}', {"a": [1, 2], "b": {"c": True}}),
        ("{'a': 'b', 'c': None, 'd': True, 'e': False}", {"a": "b", "c": None, "d": True, "e": False}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": "x "y" z"}', {"a": 'x "y" z'}),
        ('{"a": "he said \\"hi\\", twice",}', {"a": 'he said "hi", twice'}),
        (r'{"a": "C:\\data", "b": "\u00e9\n!",}', {"a": "C:\\data", "b": "é\n!"}),
        (r'{"a": "a line break at the end\n",}', {"a": "a line break at the end\n"}),
        (r'{"a": "it\'s"}', {"a": "it's"}),
        ("{a: 1, b_2: 'x'}", {"a": 1, "b_2": "x"}),
        ("{“a”: “b”}", {"a": "b"}),
        ('{"a": "it\'s", "b": 1.50, "c": 1e2, "d": -7,}', {"a": "it's", "b": 1.5, "c": 100.0, "d": -7}),
    ],
)
def test_broken_syntax_is_repaired_and_recorded(text: str, value: object) -> None:
    assert read_json(text) == Answer(value, ("repaired",), None)
    assert read_arguments(text) == Answer(value, ("arguments_string", "repaired"), None)
    assert read_json(f"<think>x</think>```json\n{text}\n```").mends == ("think", "fence", "repaired")
    assert read_json(f"So: {text} Done.") == Answer(value, ("surrounding_text", "repaired"), None)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": }',
        '{"a": , "b": 1}',
        '{"a" 1}',
        '{"a": 1, "b"}',
        r'{"a": "C:\data\new",}',
        r"{'a': '\x07'}",
        '{"a": "b" "c"}',
        '{"a": "b", "c d": "e"; f", "g": "h"}',
        '{"a": [1,,2]}',
        '{"a": [,1]}',
        '{"a": 1, "a": 2,}',
        '{"x": {"a": 1, "a": 1,}}',
        '{"a": NaN,}',
        '{"a": 1e999,}',
        '{"a": hello}',
        '{"a": 1,234}',
        '{"a": 12,50}',
        '{"a": 007}',
        '{"a": .5}',
        '{"a": 12 EUR}',
        '{"a": 1 /* or 2 */}',
        "{'a': 'it's'}",
        '{"a": "x", and "b": "y"}',
        '{"a": 1,} or {"a": 2,}',
        '{"a": "b"; "c": "d"}',
        "{,}",
        "{'a': '" + "x" * 10_000 + "'}",
    ],
)
def test_what_a_repair_would_have_to_guess_stays_a_problem(text: str) -> None:
    answer = read_json(text)
    assert answer.value is None
    assert answer.problem
    assert "repaired" not in answer.mends


def test_free_text_is_taken_as_it_is() -> None:
    assert read_text(' ```json\n{"a": 1}\n``` ') == Answer(' ```json\n{"a": 1}\n``` ', (), None)


def test_free_text_loses_what_the_model_thought() -> None:
    assert read_text("<think>hm</think>\n\nA summary.") == Answer("A summary.", ("think",), None)


def test_a_think_tag_later_in_the_text_is_text() -> None:
    assert read_text("Use <think>x</think> tags.") == Answer("Use <think>x</think> tags.", (), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [("<think>still", "truncated"), ("<think>x</think> \n", "empty"), ("a\ud800b", "surrogate")],
)
def test_free_text_that_cannot_be_stored_is_a_problem(text: str, words: str) -> None:
    answer = read_text(text)
    assert answer.value is None
    assert words in str(answer.problem)


def test_arguments_given_as_an_object_are_taken_as_they_are() -> None:
    assert read_arguments({"city": "Bern"}) == Answer({"city": "Bern"}, (), None)


def test_arguments_given_as_a_string_are_mended() -> None:
    assert read_arguments('{"city": "Bern"}') == Answer({"city": "Bern"}, ("arguments_string",), None)
    fenced = read_arguments('```json\n{"city": "Bern"}\n```')
    assert fenced == Answer({"city": "Bern"}, ("arguments_string", "fence"), None)


@pytest.mark.parametrize("arguments", [None, 3, ["a"], "", "{"])
def test_arguments_that_are_no_object_are_a_problem(arguments: object) -> None:
    answer = read_arguments(arguments)
    assert answer.value is None
    assert answer.problem


@given(JSON_VALUES)
def test_what_json_wrote_is_read_back(value: object) -> None:
    if not (isinstance(value, str) and value.lstrip().startswith("{")):
        assert read_json(json.dumps(value)) == Answer(value, (), None)


@given(JSON_OBJECTS, st.text(alphabet="abc \n.!", max_size=20), st.text(alphabet="abc \n.!", max_size=20))
def test_an_object_is_found_in_any_prose_without_brackets(value: object, before: str, after: str) -> None:
    answer = read_json(before + json.dumps(value) + after)
    assert (answer.value, answer.problem) == (value, None)


@given(JSON_OBJECTS, st.data())
def test_a_cut_object_is_never_read_as_something_else(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(min_value=1, max_value=len(text) - 1))
    answer = read_json(text[:cut])
    assert answer.value is None
    assert "truncated" in str(answer.problem)


@given(JSON_OBJECTS.filter(bool), st.data())
def test_a_repair_gives_back_what_was_written_or_nothing(
    value: dict[str, object], data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=False)
    where = data.draw(st.integers(min_value=1, max_value=len(text) - 1))
    for broken in (f"{text[:-1]},}}", repr(value)):
        answer = read_json(broken)
        assert answer.value == value or answer.problem
        assert not (answer.truncated and broken == f"{text[:-1]},}}")
    damaged = read_json(text[:where] + text[where + 1 :])
    assert damaged.problem is None or damaged.value is None


@given(JSON_OBJECTS.filter(bool), st.data())
def test_an_object_that_is_broken_and_then_cut_is_never_repaired(
    value: dict[str, object], data: st.DataObject
) -> None:
    text = '{"first": [1,], ' + json.dumps(value)[1:]
    cut = data.draw(st.integers(min_value=17, max_value=len(text) - 1))
    answer = read_json(text[:cut])
    assert (answer.value, answer.truncated) == (None, True)


@given(
    st.text(alphabet=st.characters(), max_size=80) | st.text(alphabet='{}[]",:1a`<think>/ \\', max_size=60)
)
def test_any_text_is_read_or_is_a_problem(text: str) -> None:
    for read in (read_json, read_text, read_arguments):
        answer = read(text)
        assert answer.problem is None or answer.value is None
