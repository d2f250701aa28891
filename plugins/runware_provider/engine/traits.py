"""What a model can do, where the user or the vendor says so: how answers are forced, and how long they may be."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from runware_provider.engine.errors import BadInput
from runware_provider.engine.keywords import KEYWORDS

SHAPING = frozenset(
    {"type", "properties", "required", "items", "prefixItems", "anyOf", "oneOf", "enum", "$ref", "$defs"}
    | {"description"}
)
"""Keywords that say what an answer is, or that hold the words: no words can stand for them."""


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What a model can do. Its repr is the same in every process, so that it may be part of a DAG.

    Attributes:
        json_schema: whether it takes `outputFormat: "JSON"` with a `jsonSchema`; None where that is not known.
        tools: whether it takes function tools and can be made to call one; None where that is not known.
        unsupported: keywords of JSON Schema that it, or what serves it, refuses or leaves out of account; they
            are sent in words, as part of the descriptions. What is checked stays the whole schema.
        default_max_tokens: how many tokens an answer may have where a request does not say.
        max_tokens: how many tokens a request may ask for.
    """

    json_schema: bool | None = None
    tools: bool | None = None
    unsupported: tuple[str, ...] = ()
    default_max_tokens: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuses what means nothing, and puts the keywords in order.

        Raises:
            BadInput: a keyword is none, or cannot be put into words, or a number of tokens is none.
        """
        for keyword in self.unsupported:
            if keyword in SHAPING or len(keyword) < 2:  # a text alone would be a list of its letters
                problem = f"{keyword!r} cannot be put into words"
                raise BadInput("traits.unsupported", problem, "List keywords like 'pattern' and 'format'")
            if keyword not in KEYWORDS:
                near = difflib.get_close_matches(keyword, sorted(KEYWORDS), n=1)
                remedy = f"Write {near[0]!r}" if near else "List keywords like 'pattern' and 'format'"
                raise BadInput("traits.unsupported", f"{keyword!r:.100} is no keyword of JSON Schema", remedy)
        for name in ("default_max_tokens", "max_tokens"):
            tokens = getattr(self, name)
            if tokens is not None and (isinstance(tokens, bool) or tokens < 1):
                raise BadInput(f"traits.{name}", f"{tokens!r} is no number of tokens", "Give 1 or more")
        object.__setattr__(self, "unsupported", tuple(sorted(set(self.unsupported))))

    @property
    def says_how_to_force(self) -> bool:
        """Whether it is known which way of forcing an answer the model takes."""
        return self.json_schema is not None or self.tools is not None

    def or_else(self, known: ModelTraits | None) -> ModelTraits:
        """These traits, and what is known besides where they say nothing."""
        if known is None:
            return self
        silent = {name: getattr(known, name) for name in self.__slots__ if getattr(self, name) in (None, ())}
        return replace(self, **silent)
