"""From a JSON value to what `pa.array` takes, by the node that describes it; or the places that do not fit."""

from __future__ import annotations

import json
import math
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.schema.formats import (
    EXAMPLES,
    read_date,
    read_decimal,
    read_instant,
    read_naive,
    read_time,
)
from runware_provider.engine.schema.problems import MAX_PROBLEMS, NO_ENCODING, Problem, path_of, short
from runware_provider.engine.schema.written_numbers import WrittenFloat, as_whole, written_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.schema.nodes import Node

    Path = tuple[str | int, ...]
    Convert = Callable[[Any], Any]

# `json.dumps` would make one per value.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


class UnfitError(Exception):
    """What Arrow cannot take, with the places where it is."""

    def __init__(self, *places: tuple[Path, str]) -> None:
        super().__init__()
        self.places = places

    def problems(self) -> list[Problem]:
        """At most `MAX_PROBLEMS`, for the author of the value."""
        return [Problem(path_of(path), message) for path, message in self.places[:MAX_PROBLEMS]]


def _unfit(message: str) -> NoReturn:
    raise UnfitError(((), message)) from None


def converter(node: Node) -> Convert:
    """The function that converts a value of this shape.

    It takes JSON values, null everywhere, and raises `UnfitError` for what Arrow cannot take.
    """
    if node.kind == "struct":
        return _struct_converter(node)
    if node.item is not None:
        convert_item = converter(node.item)
        if node.kind == "map":
            return _map_converter(convert_item)
        return _list_converter(convert_item, in_order=not node.is_set)
    if node.kind == "decimal":
        return _decimal_converter(node.arrow.precision, node.arrow.scale)
    return _SCALARS[node.kind]


def _struct_converter(node: Node) -> Convert:
    fields = [(field.name, converter(field.node), field.default) for field in node.fields]

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            _unfit(f"{short(value)} is no object")
        row: dict[str, Any] = {}
        places: list[tuple[Path, str]] = []
        for name, convert_field, default in fields:
            given = value[name] if name in value else default[0] if default else None
            try:
                row[name] = convert_field(given)
            except UnfitError as error:
                places += [((name, *path), message) for path, message in error.places]
        if places:
            raise UnfitError(*places)
        return row

    return convert


def _list_converter(convert_item: Convert, *, in_order: bool) -> Convert:
    """Items in the answer's order; those of a set, which Python gives in another order in each process, sorted."""

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            _unfit(f"{short(value)} is no array")
        if not in_order:
            value = _sorted(value)
        items: list[Any] = []
        places: list[tuple[Path, str]] = []
        for index, item in enumerate(value):
            try:
                items.append(convert_item(item))
            except UnfitError as error:
                places += [((index, *path), message) for path, message in error.places]
        if places:
            raise UnfitError(*places)
        return items

    return convert


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:  # objects, or of several types
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def _map_converter(convert_item: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            _unfit(f"{short(value)} is no object")
        entries: list[tuple[str, Any]] = []
        places: list[tuple[Path, str]] = []
        for name, item in value.items():
            try:
                entries.append((_string(name), convert_item(item)))
            except UnfitError as error:
                places += [((name, *path), message) for path, message in error.places]
        if places:
            raise UnfitError(*places)
        return entries

    return convert


def _string(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        _unfit(f"{short(value)} is no string")
    if not is_encodable(value):
        _unfit(NO_ENCODING)
    return value


def _integer(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, WrittenFloat):
        value = as_whole(value)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        _unfit(f"{short(value)} is no integer")
    if not -(2**63) <= value < 2**63:
        _unfit("the integer is beyond 64 bits")
    return int(value)


def _number(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _unfit(f"{short(value)} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _unfit("the number is not finite, or beyond the range of a double")
    return number


def _integer_or_number(value: Any) -> Any:
    """A double that stands for an integer, too, since other alternatives of the union are numbers."""
    number = _number(value)
    exact = as_whole(value) if isinstance(value, WrittenFloat) else value
    if isinstance(exact, int) and int(number) != exact:
        _unfit(
            "the integer has more digits than a double holds, which is what integers and numbers are stored as"
        )
    return number


def _boolean(value: Any) -> Any:
    if value is not None and not isinstance(value, bool):
        _unfit(f"{short(value)} is neither true nor false")
    return value


def _json_text(value: Any) -> Any:
    """Canonical, so that equal values are equal texts: keys in order, no blanks."""
    if value is None:
        return None
    try:
        return _string(_canonical(value))
    except (TypeError, ValueError, RecursionError):
        _unfit(f"{short(value)} is not JSON; NaN and Infinity are not, either")


def _canonical(value: Any) -> str:
    """The encoder's text, but that numbers keep the digits that they were written with."""
    if isinstance(value, WrittenFloat):
        return written_text(value)
    if isinstance(value, dict) and any(map(_may_hold_digits, value.values())):
        members = (f"{_CANONICAL.encode(key)}:{_canonical(inner)}" for key, inner in sorted(value.items()))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list) and any(map(_may_hold_digits, value)):
        return f"[{','.join(map(_canonical, value))}]"
    return _CANONICAL.encode(value)


def _may_hold_digits(value: Any) -> bool:
    return isinstance(value, WrittenFloat | dict | list)


def _parsed(parse: Callable[[str], Any], form: str) -> Convert:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse(value)
        except (ValueError, TypeError):
            _unfit(f"{short(value)} is no {form}; write it like {EXAMPLES[form]}")

    return convert


def _decimal_converter(precision: int, scale: int) -> Convert:
    context = Context(prec=precision)
    step = Decimal(1).scaleb(-scale)

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            _unfit(f"{short(value)} is no decimal number")
        try:
            exact = read_decimal(str(value).strip())
            stored = exact.quantize(step, context=context)
        except ValueError:
            _unfit(f"{short(value)} is no decimal number")
        except ArithmeticError:
            _unfit(f"the number has more than {precision - scale} digits before the point")
        if stored != exact:
            _unfit(f"the number has more than {scale} digits behind the point")
        return stored

    return convert


_SCALARS: dict[str, Convert] = {
    "string": _string,
    "int64": _integer,
    "float64": _number,
    "widened": _integer_or_number,
    "bool": _boolean,
    "json": _json_text,
    "date": _parsed(read_date, "date"),
    "instant": _parsed(read_instant, "date-time"),
    "naive": _parsed(read_naive, "date-time without an offset"),
    "time": _parsed(read_time, "time"),
}
