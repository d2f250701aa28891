"""An answer as it came, laid out, with the places marked that an error names."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.schema.problems import path_of
from runware_provider.pages.laid_out import MOST_DEPTH, laid_out
from runware_provider.pages.shown_texts import MOST_CHARS

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def places_in(value: Any, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, part in inner for place in places_in(part, (*above, key)))]


def at(value: Any, place: tuple[str | int, ...]) -> Any:
    for part in place:
        value = value[part]
    return value


@given(VALUES, st.data(), st.sampled_from([None, 2]), st.booleans())
def test_nothing_is_lost_and_what_is_marked_is_the_value_at_the_path(
    value: Any,
    data: st.DataObject,
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    place = data.draw(st.sampled_from(places_in(value)))
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    pieces = laid_out(text, {path_of(place)})
    assert pieces is not None
    assert json.dumps(json.loads("".join(piece for piece, _ in pieces))) == json.dumps(value)
    marked = [piece for piece, is_marked in pieces if is_marked]
    # Two names may have one path, as their beginnings are the same.
    assert json.dumps(at(value, place)) in [json.dumps(json.loads(piece)) for piece in marked]


@given(VALUES)
def test_every_sign_but_white_space_stays_as_it_came(value: Any) -> None:
    text = json.dumps(value).replace("true", "true ").replace("[", " [\n")
    pieces = laid_out(text)
    assert pieces is not None
    assert re.sub(r"\s", "", "".join(piece for piece, _ in pieces)) == re.sub(r"\s", "", text)


@given(st.text(st.sampled_from('{}[]",:\\ \n01.-etrufalsn\x00\u202e')))
def test_whatever_comes_it_is_laid_out_or_it_is_not_and_json_always_is(text: str) -> None:
    try:
        json.loads(text, strict=False)
    except ValueError:
        laid_out(text)
        return
    assert laid_out(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"}',
        '{"a": }',
        "[1,]",
        "[,1]",
        '{"a": 1,}',
        "{1: 2}",
        "nul",
        "1 2",
        "]",
        '{"a" "b"}',
        '{"": }',
        "NaN",
    ],
)
def test_what_is_no_json_is_not_laid_out(text: str) -> None:
    assert laid_out(text) is None


@given(VALUES, st.integers(0, 30))
def test_what_is_not_laid_out_follows_as_it_came(value: Any, most_chars: int) -> None:
    text = json.dumps(value, indent=1)
    pieces = laid_out(text, {"$"}, most_chars=most_chars)
    assert pieces is not None
    assert re.sub(r"\s", "", "".join(piece for piece, _ in pieces)) == re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    "text",
    [
        f"[{','.join('1' for _ in range(200_000))}]",
        '{"' + "a" * 9_000 + '": [' + "1," * 200_000,
        '["' + "b" * 500_000 + '", 1, 2]',
    ],
    ids=["many values", "a long name", "a long text"],
)
def test_of_a_long_answer_only_the_beginning_is_laid_out(text: str) -> None:
    taken = []

    class Marks(set[str]):
        def __contains__(self, path: object) -> bool:
            taken.append(path)
            return False

    pieces = laid_out(text, Marks())
    assert pieces is not None
    assert len(taken) <= MOST_CHARS
    assert len("".join(piece for piece, _ in pieces)) >= len(text) - 3


def test_many_pieces_of_one_kind_are_put_together_once() -> None:
    (piece,) = laid_out(f"[{','.join('1' for _ in range(100_000))}]", most_chars=1_000_000) or [("", True)]
    assert piece[0].count("\n") == 100_001


def test_keys_that_stand_twice_stand_twice_and_numbers_keep_their_digits() -> None:
    pieces = laid_out('{"a":1.50,"a":1E2}', {"$.a"})
    assert pieces == [
        ('{\n  "a": ', False),
        ("1.50", True),
        (',\n  "a": ', False),
        ("1E2", True),
        ("\n}", False),
    ]


def test_a_megabyte_of_brackets_is_given_up_at_once() -> None:
    assert laid_out("[" * 1_000_000) is None
    assert laid_out("[" * MOST_DEPTH + "]" * MOST_DEPTH) is not None
    assert laid_out('"' + "\\" * 1_000_001) is None
