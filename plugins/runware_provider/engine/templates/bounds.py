"""How much a rendering may make, told before it is made where that can be told.

The template is its author's, who writes the DAG and is trusted with time. Records are data: a width, a count, a
separator, a list or a format that comes from one must not make gigabytes. One text or list is bounded, and so is what
one rendering makes in all, since a loop can collect what each of its turns makes.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import jinja2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LONGEST: Final = 10_000_000
"""Characters that one operation, filter or method may make, and characters of a prompt without a bound."""
MOST_MADE: Final = 20 * LONGEST
"""Characters that all operations, filters and methods of one rendering may make together."""
ITEM: Final = 16
"""An item of a list counts as so many characters beside its text, since a list of empty texts takes memory, too."""
WIDEST: Final = 999
"""A width or precision in a format."""
BOUNDED_OPERATORS: Final = frozenset({"+", "*", "**", "%"})

_PAD = 'pad with a format, as in {{ "{:<20}".format(record.column) }}'
ABSENT_METHODS: Final[Mapping[str, str]] = {
    "center": _PAD,
    "expandtabs": 'write .replace("\\t", "    ")',
    "ljust": _PAD,
    "rjust": _PAD,
    "to_bytes": "a prompt has no bytes",
    "translate": "write .replace(old, new)",
    "zfill": _PAD,
}
"""Methods whose result's length a record could decide, each with what to write in its place."""
ABSENT_FILTERS: Final = frozenset({"batch", "center", "pprint", "slice", "urlize", "wordwrap"})
"""What lays out: a prompt has little use for it, and it is slow or long on a record's values."""

_MOST_BITS: Final = 4096
_MOST_DIGITS: Final = 100
_SEQUENCES: Final = (str, bytes, list, tuple)
_CONTAINERS: Final[tuple[type[Any], ...]] = (
    dict,
    list,
    tuple,
    set,
    frozenset,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)
_CONVERSION: Final = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")
_TOO_WIDE: Final = re.compile(r"\d{4}")


class TooMuchError(jinja2.TemplateRuntimeError):
    """What a template must not do; the message holds nothing of the record."""


_MADE: ContextVar[list[int] | None] = ContextVar("_MADE", default=None)
"""How long each text and list that a rendering has made is together; None while a template is compiled."""


class one_rendering:  # noqa: N801 - used like a function, once a record: what `contextlib` makes of one takes twice as long
    """Count what is made inside of it together, against `MOST_MADE`."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _MADE.set([0])

    def __exit__(self, *_: object) -> None:
        _MADE.reset(self._token)


def count_made(value: Any) -> None:
    """Count a text or list that an operation, filter or method has made.

    Raises:
        TooMuchError: the rendering has made too much.
    """
    if isinstance(value, str | bytes):
        _count(len(value))
    elif isinstance(value, list | tuple):
        _count(ITEM * len(value))


def _count(size: int) -> None:
    made = _MADE.get()
    if made is not None:
        made[0] += size
        bound(made[0], "the template makes too many texts or lists of this record", MOST_MADE)


class Captured(list[str]):
    """The output of a macro, or of a block that is set, filtered or called, while it is collected."""

    size = 0

    def append(self, text: str) -> None:
        """Collect one text.

        Raises:
            TooMuchError: there are too many, or the rendering has made too much.
        """
        self.size += ITEM + len(text)
        bound(self.size, "a macro or block makes too long a text")
        _count(len(text))
        super().append(text)

    def extend(self, texts: Iterable[str]) -> None:
        """Collect several texts; as `append`."""
        for text in texts:
            self.append(text)


def weight(value: Any, check_leaf: Callable[[Any], None] | None = None) -> int:
    """Return about how long a value is as text; where it is too long, some number above `LONGEST`.

    Args:
        value: what may hold others, and these others again; what stands in it twice counts twice.
        check_leaf: called with everything inside that is neither a text nor holds others.
    """
    size, waiting = 0, [value]
    while waiting and size <= LONGEST:
        part = waiting.pop()
        if isinstance(part, str):
            size += len(part)
        elif isinstance(part, _CONTAINERS):
            size += ITEM * len(part)
            waiting.extend(part if size <= LONGEST else ())
            waiting.extend(part.values() if isinstance(part, dict) else ())
        else:
            if check_leaf is not None:
                check_leaf(part)
            size += len(part) if isinstance(part, bytes) else ITEM
    return size


def bound(size: int, problem: str, most: int = LONGEST) -> None:
    """Refuse what is too long.

    Raises:
        TooMuchError: the size is above the most.
    """
    if size > most:
        raise TooMuchError(problem)


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too long.

    Args:
        operator: one of `BOUNDED_OPERATORS`.
        left: its left side.
        right: its right side.

    Raises:
        TooMuchError: it would be.
    """
    if operator == "%":
        _check_percent(left, right)
    if operator == "+":
        _check_plus(left, right)
    if operator == "*":
        _check_times(left, right)
    if operator == "**":
        _check_power(left, right)


def _check_percent(left: Any, right: Any) -> None:
    """`form % values`; of numbers, the rest of a division is never long."""
    if isinstance(left, str | bytes):
        _bound_size("%", _size_of_percent(left, right))


def _check_plus(left: Any, right: Any) -> None:
    if isinstance(left, _SEQUENCES) and isinstance(right, _SEQUENCES):
        _bound_size("+", weight(left) + weight(right))


def _check_times(left: Any, right: Any) -> None:
    """Of two numbers, or of a sequence and a number in either order."""
    if isinstance(left, int) and isinstance(right, int):
        bound(left.bit_length() + right.bit_length(), "a product is too long", _MOST_BITS)
    elif isinstance(left, _SEQUENCES) and isinstance(right, int):
        _bound_size("*", weight(left) * right)
    elif isinstance(left, int) and isinstance(right, _SEQUENCES):
        _bound_size("*", weight(right) * left)


def _check_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        bound(left.bit_length() * abs(right), "a power is too long", _MOST_BITS)


def _bound_size(operator: str, size: int) -> None:
    bound(size, f"`{operator}` makes too long a text or list")


def check_call(function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Refuse a method of a value whose result would be too long.

    Raises:
        TooMuchError: it would be.
    """
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if isinstance(owner, str | bytes) and name == "replace":
        bound(_size_of_replace(owner, *arguments, **named), "the method `replace` makes too long a text")
    if name == "strftime":
        # The C library pads a date as wide as its format says, up to 256 times the format.
        check_width(str(arguments[0] if arguments else named.get("format", "")), "strftime")


def check_width(form: str, name: str) -> None:
    """Refuse a format of one value that is too wide, or is itself too long.

    Raises:
        TooMuchError: it is.
    """
    if len(form) > WIDEST or _TOO_WIDE.search(form):
        raise TooMuchError(f"`{name}` takes widths and precisions of {WIDEST} at most")


def _size_of_replace(text: Any, old: Any, new: Any, *_: Any, **__: Any) -> int:
    return int(text.count(old) * len(new))


def _size_of_percent(form: str | bytes, values: Any) -> int:
    """Return at most how long `%` makes a text.

    Raises:
        TooMuchError: a width is too large, or is itself a value.
    """
    text = form.decode("latin-1") if isinstance(form, bytes) else form
    conversions = list(_CONVERSION.finditer(text))
    for width in (part for found in conversions for part in found.groups() if part):
        if width == "*" or _TOO_WIDE.search(width):
            raise TooMuchError(f"`%` takes widths and precisions of {WIDEST} at most, written as numbers")
    each_once = isinstance(values, tuple)
    of_values = weight(values) if each_once else weight(values) * len(conversions)
    return len(text) + of_values + 2 * WIDEST * len(conversions)


SORTING_FILTERS: Final = frozenset({"groupby", "sort"})
"""Filters that make a copy of each text in lower case before they compare."""
SIZE_OF_FILTER: Final[Mapping[str, Callable[..., int]]] = {
    "format": lambda text, *values, **named: _size_of_percent(str(text), named or values),
    "indent": lambda s, width=4, *_, **__: (
        (len(s.splitlines()) + 1) * (len(width) if isinstance(width, str) else width)
    ),
    "groupby": lambda value, _, default=None, *__, **___: weight(value) + len(value) * weight(default),
    "list": lambda value: ITEM * len(value) if isinstance(value, _SEQUENCES) else 0,
    "replace": lambda s, old, new, *_, **__: _size_of_replace(str(s), str(old), str(new)),
    "sort": lambda value, *_, **__: weight(value),
    "round": lambda _, precision=0, *__, **___: abs(precision) * (LONGEST // _MOST_DIGITS),
}
"""By name, at most how long a result is, beside what the value has already; the arguments are named as Jinja's."""
