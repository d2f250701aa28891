"""One label out of a list: what a user writes for it, and the question that it becomes.

`["billing", "delivery"]`, `Literal["billing", "delivery"]`, an Enum of texts, and the JSON Schema
`{"enum": ["billing", "delivery"]}` all mean the same.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.errors import BadInput

PROPERTY = "label"
"""Of the object that the model answers with, since tools and JSON mode give objects."""
MOST_CHARS = 1_000
"""Of words in which a label is looked for; longer ones are one as they stand, or none."""
_ANNOUNCED = re.compile(r"\s*label\s*:", re.IGNORECASE)
MOST_EXPLAINED = 10_000
"""Characters of an explanation that ends with a label."""
_BOLD_END = re.compile(r"\*\*([^*]{1,200})\*\*[\s.!]*$")
_ANNOUNCED_END = re.compile(
    r"\b(?:label|category|class|classification|answer|result|output|topic)(?: is)?\s{0,9}:\s{0,9}([^:*]{1,200})$",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"\b(?:not|no|never|neither|nor|isn't|cannot)\b", re.IGNORECASE)
_AROUND = " \t-*#>`'\"_.:"
_MAY_STAND_BESIDE = {"enum", "type", "title", "description", "$schema"}


@dataclass(frozen=True, slots=True)
class Labels:
    """At least two texts that differ, in the user's order."""

    names: tuple[str, ...]
    title: str = PROPERTY
    description: str | None = None
    """What is asked, for the model."""

    def json_schema(self) -> dict[str, Any]:
        """The object with one property that the model is asked for."""
        told = {"description": self.description} if self.description else {}
        return {
            "title": self.title,
            **told,
            "type": "object",
            "properties": {PROPERTY: {"type": "string", "enum": list(self.names)}},
            "required": [PROPERTY],
            "additionalProperties": False,
        }

    def meant(self, words: str) -> str | None:
        """The one label that these words are: as written, or else but for letter case, `Label:` and a full stop.

        Args:
            words: what stands where an object should.
        """
        if words in self.names:
            return words
        if len(words) > MOST_CHARS:
            return None
        folded = _folded(_ANNOUNCED.sub("", words))
        found = [name for name in self.names if folded and _folded(name) == folded]
        return found[0] if len(found) == 1 else None

    def at_the_end(self, text: str) -> str | None:
        """The one label that an explanation ends with: alone in its last line, bold, or behind `Category:` and its like.

        Nothing if it names another.

        Args:
            text: what the model said in place of an object.
        """
        lines = text[-MOST_EXPLAINED:].splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "")
        told = _BOLD_END.search(last) or _ANNOUNCED_END.search(last)
        is_denied = told is not None and _DENIAL.search(last) is not None
        words = last.strip(_AROUND) if told is None else told[1]
        label = None if is_denied or len(text) > MOST_EXPLAINED else self.meant(words)
        if label is None:
            return None
        folded = text.casefold()
        others = (
            name.casefold()
            for name in self.names
            if name != label and name.casefold() not in label.casefold()
        )
        return None if any(re.search(rf"\b{re.escape(other)}\b", folded) for other in others) else label


def _folded(text: str) -> str:
    return text.strip().removesuffix(".").casefold()


def labels_of(output_type: object) -> Labels | None:
    """The labels that are asked for; nothing where something else is.

    Raises:
        BadInput: a label is no text or blank, there are too few, or one stands there twice.
    """
    if isinstance(output_type, list | tuple):
        return _checked(output_type)
    if get_origin(output_type) is Literal:
        return _checked(get_args(output_type))
    if isinstance(output_type, type) and issubclass(output_type, Enum):
        # An Enum without a docstring inherits that of its base.
        own = output_type.__dict__.get("__doc__")
        told = inspect.cleandoc(own) if own and own != Enum.__doc__ else None
        return _checked([member.value for member in output_type], output_type.__name__, told)
    return _of_enum_schema(output_type) if isinstance(output_type, Mapping) else None


def _of_enum_schema(schema: Mapping[str, Any]) -> Labels | None:
    names = schema.get("enum")
    if not isinstance(names, list) or schema.get("type", "string") != "string":
        return None
    if not schema.keys() <= _MAY_STAND_BESIDE:
        return None
    told = schema.get("description")
    return _checked(names, str(schema.get("title") or PROPERTY), str(told) if told else None)


def _checked(names: Any, title: str = PROPERTY, description: str | None = None) -> Labels:
    held = tuple(names)
    for name in held:
        if not isinstance(name, str) or not name.strip() or not is_encodable(name):
            raise BadInput("output_type", f"the label {name!r:.100} is no text", "Write labels as texts")
    if len(set(held)) < len(held):
        twice = Counter(held).most_common(1)[0][0]
        raise BadInput("output_type", f"the label {twice!r:.100} stands there twice", "Name it once")
    if len(held) < 2:
        raise BadInput("output_type", "there are fewer than two labels to choose from", "List all of them")
    return Labels(held, title, description)
