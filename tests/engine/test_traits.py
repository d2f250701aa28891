from __future__ import annotations

from typing import Any

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.traits import SHAPING, ModelTraits


def test_traits_are_printed_the_same_in_every_process() -> None:
    traits = ModelTraits(unsupported=("pattern", "format", "pattern"))
    assert traits.unsupported == ("format", "pattern")
    assert repr(traits) == (
        "ModelTraits(json_schema=None, tools=None, unsupported=('format', 'pattern'), "
        "default_max_tokens=None, max_tokens=None)"
    )
    assert traits == ModelTraits(unsupported=("format", "pattern"))


@pytest.mark.parametrize("keyword", sorted(SHAPING))
def test_a_keyword_that_no_words_can_stand_for_is_refused(keyword: str) -> None:
    with pytest.raises(BadInput, match="cannot be put into words") as refused:
        ModelTraits(unsupported=(keyword,))
    assert refused.value.field == "traits.unsupported"


@pytest.mark.parametrize(
    ("keyword", "remedy"),
    [("patern", "Write 'pattern'"), ("Format", "Write 'format'"), ("x-y", "List keywords")],
)
def test_a_keyword_that_there_is_not_is_refused_with_the_one_that_was_meant(
    keyword: str, remedy: str
) -> None:
    with pytest.raises(BadInput, match=remedy) as refused:
        ModelTraits(unsupported=("pattern", keyword))
    assert refused.value.field == "traits.unsupported"


def test_a_keyword_alone_is_not_taken_for_a_list_of_its_letters() -> None:
    wrong: Any = "pattern"
    with pytest.raises(BadInput, match="cannot be put into words"):
        ModelTraits(unsupported=wrong)


@pytest.mark.parametrize("tokens", [0, -1, True])
def test_a_number_of_tokens_is_at_least_one(tokens: int) -> None:
    with pytest.raises(BadInput, match=r"traits\.max_tokens"):
        ModelTraits(max_tokens=tokens)
    with pytest.raises(BadInput, match=r"traits\.default_max_tokens"):
        ModelTraits(default_max_tokens=tokens)


def test_what_the_user_says_outweighs_what_is_known_and_the_rest_stays() -> None:
    known = ModelTraits(json_schema=True, tools=True, max_tokens=100)
    said = ModelTraits(tools=False, unsupported=("pattern",))
    both = ModelTraits(json_schema=True, tools=False, unsupported=("pattern",), max_tokens=100)
    assert said.or_else(known) == both
    assert said.or_else(None) == said
    assert ModelTraits(json_schema=False).or_else(known).json_schema is False


def test_traits_that_name_no_way_of_forcing_say_nothing_of_it() -> None:
    assert not ModelTraits(max_tokens=10).says_how_to_force
    assert ModelTraits(tools=False).says_how_to_force
