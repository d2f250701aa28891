"""What the parts of an `allOf`, or a `$ref` and what stands beside it, say together, in one schema.

It is what is sent, and what columns are made of; answers are checked against the parts as they were written. So what
only restricts may stay a part of its own, and what gives columns is merged, or refused where that would mean something
else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from runware_provider.engine.keywords import KEYWORDS
from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from runware_provider.engine.schema.problems import Refuse

_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
    | {"contentEncoding", "contentMediaType", "contentSchema"}
)
_NEIGHBOURS = (frozenset({"if", "then", "else"}), frozenset({"contains", "minContains", "maxContains"}))
"""Keywords that mean something else beside each other than apart, so they are not brought together."""
_RESTRICTING = frozenset(
    {
        "not",
        "pattern",
        "multipleOf",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "enum",
        "const",
    }
)
"""What only restricts values whose shape is known already."""
SHAPE = frozenset({"type", "properties", "items", "prefixItems", "enum", "const", "anyOf", "oneOf"})
"""What says what a value is."""
_OF_OBJECTS = frozenset({"properties", "patternProperties", "additionalProperties", "unevaluatedProperties"})
_ITEMS = frozenset({"items", "prefixItems"})
_OF_ARRAYS = _ITEMS | {"contains", "unevaluatedItems"}
_IN_PLACE = ("anyOf", "oneOf", "allOf", "if", "then", "else", "dependentSchemas", "$ref")
"""What may describe properties and items of the value that it stands in."""
_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "uniqueItems")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_STRICTER: Mapping[str, Callable[[Any, Any], Any]] = dict.fromkeys(_LOWEST, max) | dict.fromkeys(
    _HIGHEST, min
)
"""What two bounds say together, both of which have to hold."""


class Merging:
    """The parts of one document."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse

    def all_in_one(self, parts: Sequence[dict[str, Any]], own: dict[str, Any], path: str) -> dict[str, Any]:
        """What all parts say together.

        Args:
            parts: in the order in which what they say is to be found.
            own: the one among them in which the others stand, and which sees what they describe.
            path: where they stand.

        Raises:
            BadInput: two parts say the same keyword in two ways that cannot be brought together.
        """
        for closes, described in _CLOSING:
            if any(closes(part) and part is not own for part in parts):
                self._refuse_closed(parts, described, path)
        merged: dict[str, Any] = {}
        for part in parts:
            merged = self._merged(merged, part, path)
        return merged

    def _merged(self, first: dict[str, Any], second: dict[str, Any], path: str) -> dict[str, Any]:
        if first != second and not _side_by_side(first, second):
            self._refuse_split(path, _OF_OBJECTS & (first.keys() | second.keys()))
        if first.keys() & _ITEMS and second.keys() & _ITEMS and not _same_items(first, second):
            self._refuse_split(path, _ITEMS)
        apart = _apart(first, second)
        merged = dict(first)
        for keyword, value in second.items():
            if keyword in apart:
                continue
            known = merged.get(keyword, value)
            merged[keyword] = value if known == value else self._both(keyword, known, value, path)
        if apart:
            merged["allOf"] = [*merged.get("allOf", ()), {keyword: second[keyword] for keyword in apart}]
        return merged

    def _both(self, keyword: str, first: Any, second: Any, path: str) -> Any:
        """What two values of a keyword say together."""
        common = _common_types(first, second) if keyword == "type" else None
        if keyword in _STRICTER:
            both = _STRICTER[keyword](first, second)
        elif keyword in {"required", "allOf"}:
            both = [*first, *(value for value in second if value not in first)]
        elif keyword == "properties":
            both = self._merged_properties(first, second, path)
        elif keyword == "items":
            both = self._merged_schemas(first, second, f"{path}[]")
        elif common is not None:
            both = common
        elif keyword in _ANNOTATIONS or keyword not in KEYWORDS:
            both = second
        else:
            self._refuse(path, f"`allOf` or `$ref` says `{keyword}` twice", "Write it as one schema")
        return both

    def _merged_properties(self, first: dict[str, Any], second: dict[str, Any], path: str) -> dict[str, Any]:
        merged = dict(first)
        for name, sub in second.items():
            merged[name] = self._merged_schemas(merged.get(name, True), sub, joined(path, name))
        return merged

    def _merged_schemas(self, first: Any, second: Any, path: str) -> Any:
        """What two schemas say together about the value at `path`."""
        if first is False or second is False:
            return False
        if first is True or second is True:
            return second if first is True else first
        for closes, described in _CLOSING:
            if closes(first) or closes(second):
                self._refuse_closed([first, second], described, path)
        return self._merged(first, second, path)

    def _refuse_closed(self, parts: Sequence[Any], described: Collection[str], path: str) -> None:
        """A part that forbids what it has not evaluated knows nothing of what its neighbours describe."""
        describing = [part for part in parts if part.keys() & {*described, *_IN_PLACE}]
        if any(part != describing[0] for part in describing):
            named = {keyword for part in describing for keyword in part if keyword in described}
            self._refuse_split(path, named)

    def _refuse_split(self, path: str, keywords: Collection[str]) -> NoReturn:
        named = " and ".join(f"`{keyword}`" for keyword in sorted(keywords))
        self._refuse(path, f"`allOf` or `$ref` splits {named}", "Write it as one schema")


def _side_by_side(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether what two parts say about an object's properties means the same in one schema.

    What a part says about further properties means further than its own.
    """
    if not (first.keys() & _OF_OBJECTS and second.keys() & _OF_OBJECTS):
        return True
    return _takes_in(first, second) and _takes_in(second, first)


def _takes_in(part: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether what a part says about properties stays the same with those of the other beside it."""
    if part.get("patternProperties"):
        return False
    if part.get("additionalProperties", True) is True:
        return True
    return set(other.get("properties", ())) <= set(part.get("properties", ()))


def _closes_itself(part: Mapping[str, Any]) -> bool:
    return part.get("unevaluatedProperties", True) is not True


def _closes_its_items(part: Mapping[str, Any]) -> bool:
    return part.get("unevaluatedItems", True) is not True


def _same_items(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether what two parts say about items means the same in one schema: each says it of all items, or both alike."""
    if "prefixItems" not in first and "prefixItems" not in second:
        return True
    return all(first.get(keyword) == second.get(keyword) for keyword in _ITEMS)


def _apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """The keywords of the second part that cannot be said beside the first, and that give no column."""
    apart: list[str] = []
    for group in _NEIGHBOURS:
        theirs = group & second.keys()
        if group & first.keys() and any(first.get(keyword) != second[keyword] for keyword in theirs):
            apart += [keyword for keyword in second if keyword in theirs]
    for keyword in second.keys() & first.keys() & _RESTRICTING:
        if first[keyword] != second[keyword]:
            apart.append(keyword)
    for keyword in second.keys() & first.keys() & {"anyOf", "oneOf"}:
        if first[keyword] != second[keyword] and not _give_shape(second[keyword]):
            apart.append(keyword)
    return sorted(apart)


def _give_shape(branches: Sequence[Any]) -> bool:
    """Whether alternatives say what a value is, and do not only restrict it."""
    return any(not isinstance(branch, dict) or SHAPE & branch.keys() for branch in branches)


def _common_types(first: str | list[str], second: str | list[str]) -> str | list[str] | None:
    """The types that both allow; nothing where there are none."""
    others = {second} if isinstance(second, str) else set(second)
    if "number" in others:
        others.add("integer")
    ours = [first] if isinstance(first, str) else list(first)
    if "number" in ours and "number" not in others and "integer" in others:
        ours.append("integer")
    common = [kind for kind in dict.fromkeys(ours) if kind in others]
    if not common:
        return None
    return common[0] if len(common) == 1 else common


_CLOSING = ((_closes_itself, _OF_OBJECTS), (_closes_its_items, _OF_ARRAYS))
"""What forbids all that is not described, and the keywords that describe."""
