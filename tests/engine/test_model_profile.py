from __future__ import annotations

from typing import Any

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.model_profile import SHAPING, ModelProfile


def test_a_profile_is_printed_the_same_in_every_process() -> None:
    profile = ModelProfile(unsupported=("pattern", "format", "pattern"))
    assert profile.unsupported == ("format", "pattern")
    assert repr(profile) == (
        "ModelProfile(json_schema=None, tools=None, unsupported=('format', 'pattern'), "
        "default_max_tokens=None, max_tokens=None)"
    )
    assert profile == ModelProfile(unsupported=("format", "pattern"))


@pytest.mark.parametrize("keyword", sorted(SHAPING))
def test_a_keyword_that_no_words_can_stand_for_is_refused(keyword: str) -> None:
    with pytest.raises(BadInput, match="cannot be put into words") as refused:
        ModelProfile(unsupported=(keyword,))
    assert refused.value.field == "answers.model_profile.unsupported"


@pytest.mark.parametrize(
    ("keyword", "remedy"),
    [("patern", "Write 'pattern'"), ("Format", "Write 'format'"), ("x-y", "List keywords")],
)
def test_a_keyword_that_there_is_not_is_refused_with_the_one_that_was_meant(
    keyword: str, remedy: str
) -> None:
    with pytest.raises(BadInput, match=remedy) as refused:
        ModelProfile(unsupported=("pattern", keyword))
    assert refused.value.field == "answers.model_profile.unsupported"


def test_a_keyword_alone_is_not_taken_for_a_list_of_its_letters() -> None:
    wrong: Any = "pattern"
    with pytest.raises(BadInput, match=r"'pattern' does not fit\. Give a list or a tuple"):
        ModelProfile(unsupported=wrong)


@pytest.mark.parametrize("tokens", [0, -1, True])
def test_a_number_of_tokens_is_at_least_one(tokens: int) -> None:
    with pytest.raises(BadInput, match=r"answers\.model_profile\.max_tokens"):
        ModelProfile(max_tokens=tokens)
    with pytest.raises(BadInput, match=r"answers\.model_profile\.default_max_tokens"):
        ModelProfile(default_max_tokens=tokens)


def test_what_the_user_says_outweighs_what_is_known_and_the_rest_stays() -> None:
    known = ModelProfile(json_schema=True, tools=True, max_tokens=100)
    said = ModelProfile(tools=False, unsupported=("pattern",))
    both = ModelProfile(json_schema=True, tools=False, unsupported=("pattern",), max_tokens=100)
    assert said.or_else(known) == both
    assert said.or_else(None) == said
    assert ModelProfile(json_schema=False).or_else(known).json_schema is False


def test_a_profile_that_names_no_output_mode_says_nothing_of_it() -> None:
    assert not ModelProfile(max_tokens=10).says_output_mode
    assert ModelProfile(tools=False).says_output_mode
