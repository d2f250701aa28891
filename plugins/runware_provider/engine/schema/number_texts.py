"""Numbers as texts, and back: what a model wrote as a text is read as a number, a mend for who asks for it.

Read is what English writes: digits, commas between groups of three, a point before the fraction, an exponent.
`12,5`, `1.234,50`, `12 EUR` and `007` stay texts, and so problems: the first two mean other numbers elsewhere,
and the last is an identifier.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.written_numbers import SURE_DIGITS, WrittenFloat, as_whole, read_float

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Mend = Callable[[Any], Any]
    ScalarOf = Callable[[Sequence[dict[str, Any]]], Mend | None]

MAX_CHARS = 100
"""Longer texts are not looked at."""
_NUMBER = re.compile(
    r"[+-]?(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3})+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
)


def numbers_from_texts(schema: Any) -> Mend | None:
    """A function that gives a value with its texts read as numbers where the schema wants numbers.

    It gives the very value back where there is nothing to read. A decimal stays a text, without commas, so that
    no digit is lost. Nothing is read below a reference, which only recursion leaves.

    Args:
        schema: an inlined JSON Schema.

    Returns:
        Nothing if the schema wants no number anywhere.
    """
    return _everywhere(schema, _reads_numbers)


def decimals_as_written(schema: Any) -> Mend | None:
    """A function that gives a value with its long numbers as texts where the schema wants decimals.

    It gives the very value back where there are none.

    Args:
        schema: an inlined JSON Schema.

    Returns:
        Nothing if the schema wants no decimal anywhere.
    """
    return _everywhere(schema, lambda leaves: _digits_as_written if any(map(_is_decimal, leaves)) else None)


def integers_as_written(schema: Any) -> Mend | None:
    """A function that gives a value with the integers that were written as fractions, like `9007199254740993.0`.

    It gives the very value back where there are none.

    Args:
        schema: an inlined JSON Schema.

    Returns:
        Nothing if the schema wants no integer anywhere.
    """
    return _everywhere(schema, lambda leaves: _whole if any(map(_may_be_integer, leaves)) else None)


def _everywhere(schema: Any, scalar_of: ScalarOf) -> Mend | None:
    leaves = [leaf for leaf in _leaves(schema) if isinstance(leaf, dict)]
    scalar = scalar_of(leaves)
    properties, others = _properties(leaves, scalar_of), _others(leaves, scalar_of)
    item = _items(leaves, scalar_of)
    return _mend(scalar, properties, others, item) if scalar or properties or others or item else None


def _reads_numbers(leaves: Sequence[dict[str, Any]]) -> Mend | None:
    if any(map(_is_decimal, leaves)):
        return _plain_digits
    kinds = {kind for leaf in leaves for kind in _kinds(leaf)}
    return _number if kinds & {"number", "integer"} and "string" not in kinds else None


def _mend(
    scalar: Mend | None, properties: dict[str, Mend | None], others: Mend | None, item: Mend | None
) -> Mend:
    def mend(value: Any) -> Any:
        if isinstance(value, dict) and (properties or others):
            read = {}
            for name, inner in value.items():
                mend_inner = properties.get(name, others)
                read[name] = inner if mend_inner is None else mend_inner(inner)
            return value if all(read[name] is value[name] for name in value) else read
        if isinstance(value, list) and item is not None:
            items = [item(one) for one in value]
            return value if all(map(_same, items, value)) else items
        return scalar(value) if scalar is not None else value

    return mend


def _same(one: Any, other: Any) -> bool:
    return one is other


def _properties(leaves: Iterable[dict[str, Any]], scalar_of: ScalarOf) -> dict[str, Mend | None]:
    described: dict[str, list[Any]] = {}
    for leaf in leaves:
        for name, sub in leaf.get("properties", {}).items():
            described.setdefault(name, []).append(sub)
    mends = {name: _everywhere({"anyOf": subs}, scalar_of) for name, subs in described.items()}
    return mends if any(mends.values()) else {}


def _others(leaves: Iterable[dict[str, Any]], scalar_of: ScalarOf) -> Mend | None:
    """What is done to the values of an open map."""
    described: list[Any] = []
    for leaf in leaves:
        more = (leaf.get("additionalProperties"), leaf.get("unevaluatedProperties"))
        subs = (*leaf.get("patternProperties", {}).values(), *more)
        described += [sub for sub in subs if isinstance(sub, dict) and sub]
    return _everywhere({"anyOf": described}, scalar_of) if described else None


def _items(leaves: Iterable[dict[str, Any]], scalar_of: ScalarOf) -> Mend | None:
    subs = [sub for leaf in leaves for sub in (leaf.get("items"), *leaf.get("prefixItems", ())) if sub]
    return _everywhere({"anyOf": subs}, scalar_of) if subs else None


def _leaves(schema: Any) -> Iterator[Any]:
    """The alternatives of a schema, itself among them."""
    yield schema
    if isinstance(schema, dict):
        for keyword in ("anyOf", "oneOf"):
            for branch in schema.get(keyword, ()):
                yield from _leaves(branch)


def _kinds(leaf: dict[str, Any]) -> Iterable[str]:
    named = leaf.get("type")
    if named is None:
        values = [leaf["const"]] if "const" in leaf else leaf.get("enum", ())
        return {"string" if isinstance(value, str) else "number" for value in values if value is not None}
    return [named] if isinstance(named, str) else named


def _is_decimal(leaf: dict[str, Any]) -> bool:
    if "string" not in leaf.get("type", "string"):
        return False
    return leaf.get("format") == "decimal" or str(leaf.get("pattern", "")).startswith("^(?!^[-+.]*$)[+-]?0*")


def _digits(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > MAX_CHARS:
        return None
    text = value.strip()
    return text.replace(",", "") if _NUMBER.fullmatch(text) else None


def _digits_as_written(value: Any) -> Any:
    return value.text if isinstance(value, WrittenFloat) else value


def _may_be_integer(leaf: dict[str, Any]) -> bool:
    return "integer" in _kinds(leaf)


def _whole(value: Any) -> Any:
    return as_whole(value) if isinstance(value, WrittenFloat) else value


def _plain_digits(value: Any) -> Any:
    digits = _digits(value)
    return value if digits is None or digits == value else digits


def _number(value: Any) -> Any:
    digits = _digits(value)
    if digits is None:
        return value
    number = read_float(digits) if set(digits) & set(".eE") else int(digits)
    if isinstance(number, WrittenFloat) and len(digits) <= SURE_DIGITS:
        number = float(number)
    return number if math.isfinite(number) else value
