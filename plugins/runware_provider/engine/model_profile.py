"""What a model can do, where the user or the vendor says so: which output mode it takes, and how long answers may be."""

from __future__ import annotations

import difflib
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import WholeNumber
from runware_provider.engine.keywords import KEYWORDS
from runware_provider.engine.value_object import ValueObject

SHAPING = frozenset(
    {"type", "properties", "required", "items", "prefixItems", "anyOf", "oneOf", "enum", "$ref", "$defs"}
    | {"description"}
)
"""Keywords that say what an answer is, or that hold the words: no words can stand for them."""
_EXAMPLE = "List keywords like 'pattern' and 'format'"

Tokens = Annotated[WholeNumber, Field(ge=1)]


class ModelProfile(ValueObject):
    """What a model can do, where the table of models does not know it or knows less."""

    argument: ClassVar[str] = "answers.model_profile"

    json_schema: bool | None = None
    """Whether it takes `outputFormat: "JSON"` with a `jsonSchema`, the output mode `native`; `None` where that is not known."""
    tools: bool | None = None
    """Whether it takes function tools and can be made to call one; `None` where that is not known."""
    unsupported: tuple[str, ...] = ()
    """Keywords of JSON Schema that it, or what serves it, refuses or leaves out of account: they are sent in words, as
    part of the descriptions. What is checked stays the whole schema."""
    default_max_tokens: Tokens | None = None
    """How many tokens an answer may have where a request does not say."""
    max_tokens: Tokens | None = None
    """How many tokens a request may ask for."""

    @field_validator("unsupported")
    @classmethod
    def _keywords_that_words_can_stand_for(cls, unsupported: tuple[str, ...]) -> tuple[str, ...]:
        """The keywords, each once and in order.

        Raises:
            BadInput: one is none, or cannot be put into words.
        """
        for keyword in unsupported:
            if keyword in SHAPING:
                raise _wrong(f"{keyword!r} cannot be put into words", _EXAMPLE)
            if keyword not in KEYWORDS:
                near = difflib.get_close_matches(keyword, sorted(KEYWORDS), n=1)
                remedy = f"Write {near[0]!r}" if near else _EXAMPLE
                raise _wrong(f"{keyword!r:.100} is no keyword of JSON Schema", remedy)
        return tuple(sorted(set(unsupported)))

    @property
    def says_output_mode(self) -> bool:
        """Whether it is known which output mode the model takes."""
        return self.json_schema is not None or self.tools is not None

    def or_else(self, known: ModelProfile | None) -> ModelProfile:
        """This profile, and what is known besides where it says nothing."""
        if known is None:
            return self
        silent = [name for name, value in self if value in (None, ())]
        return self.model_copy(update={name: getattr(known, name) for name in silent})


def _wrong(problem: str, remedy: str) -> BadInput:
    return BadInput(f"{ModelProfile.argument}.unsupported", problem, remedy)
