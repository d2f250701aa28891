"""How long a text or list may become, told before it is made.

The template is its author's, who writes the DAG and is trusted with time and memory. Records are data: a width, a count,
a separator or a format that comes from one must not make gigabytes. Loops are the author's own matter.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

from jinja2.sandbox import SandboxedFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST: Final = 10_000_000
"""Characters or items that one operation, filter or method may make, and characters of a prompt without a bound."""
WIDEST: Final = 999
"""A width or precision in a format."""
BOUNDED_OPERATORS: Final = frozenset({"+", "*", "**", "%"})
ABSENT_METHODS: Final = frozenset(
    {"center", "expandtabs", "ljust", "rjust", "to_bytes", "translate", "zfill"}
)
ABSENT_FILTERS: Final = frozenset({"batch", "center", "slice", "urlize"})
"""What pads and lays out: a format does it with a bounded width, and a prompt has little use for it."""

_MOST_BITS: Final = 4096
_MOST_DIGITS: Final = 100
_SEQUENCES: Final = (str, bytes, list, tuple)
_CONVERSION: Final = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")
_TOO_WIDE: Final = re.compile(r"\d{4}")


class UnfitError(ValueError):
    """What a template must not do; the message holds nothing of the record."""


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too long.

    Args:
        operator: one of `BOUNDED_OPERATORS`.
        left: its left side.
        right: its right side.

    Raises:
        UnfitError: it would be.
    """
    size = 0
    if operator == "%" and isinstance(left, str | bytes):
        size = _size_of_percent(left, right)
    elif operator == "+" and isinstance(left, _SEQUENCES) and isinstance(right, _SEQUENCES):
        size = len(left) + len(right)
    elif operator == "*" and isinstance(left, _SEQUENCES) and isinstance(right, int):
        size = len(left) * right
    elif operator == "*" and isinstance(right, _SEQUENCES) and isinstance(left, int):
        size = len(right) * left
    elif operator == "*" and isinstance(left, int) and isinstance(right, int):
        _bound(left.bit_length() + right.bit_length(), "a product is too long", _MOST_BITS)
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _bound(left.bit_length() * abs(right), "a power is too long", _MOST_BITS)
    _bound(size, f"`{operator}` makes too long a text or list")


def check_call(function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Refuse a method of a text whose result would be too long.

    Raises:
        UnfitError: it would be.
    """
    text, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if isinstance(text, str | bytes) and name in _SIZE_OF_METHOD:
        size = _SIZE_OF_METHOD[name](text, *arguments, **named)
        _bound(size, f"the method `{name}` makes too long a text")


def bounded(name: str, any_filter: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses, as an `UnfitError`, what would become too long; the filter itself if none can."""
    if name not in _SIZE_OF_FILTER:
        return any_filter
    size_of, first = _SIZE_OF_FILTER[name], 1 if hasattr(any_filter, "jinja_pass_arg") else 0

    @functools.wraps(any_filter)
    def checked(*arguments: Any, **named: Any) -> Any:
        _bound(size_of(*arguments[first:], **named), f"`{name}` makes too long a text or list")
        return any_filter(*arguments, **named)

    return checked


class BoundedFormatter(SandboxedFormatter):
    """What `format` and `format_map` of a text do, each of its instances once."""

    _size = 0

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format one value.

        Raises:
            UnfitError: it would be too wide, or all together become too long.
        """
        if _TOO_WIDE.search(format_spec):  # a width that stands in a field of its own is filled in by now
            raise UnfitError(f"`format` takes widths and precisions of {WIDEST} at most")
        text: str = super().format_field(value, format_spec)
        self._size += len(text)
        _bound(self._size, "`format` makes too long a text")
        return text


def _bound(size: int, problem: str, most: int = LONGEST) -> None:
    if size > most:
        raise UnfitError(problem)


def _size_of_percent(form: str | bytes, values: Any) -> int:
    """Return at most how long `%` makes a text.

    Raises:
        UnfitError: a width is too large, or is itself a value.
    """
    text = form.decode("latin-1") if isinstance(form, bytes) else form
    conversions = list(_CONVERSION.finditer(text))
    for width in (part for found in conversions for part in found.groups() if part):
        if width == "*" or _TOO_WIDE.search(width):
            raise UnfitError(f"`%` takes widths and precisions of {WIDEST} at most, written as numbers")
    once = isinstance(values, tuple)
    several = values if once else values.values() if isinstance(values, dict) else [values]
    lengths = [len(value) for value in several if isinstance(value, str | bytes)]
    of_values = sum(lengths) if once else max(lengths, default=0) * len(conversions)
    return len(text) + of_values + 2 * WIDEST * len(conversions)


def _size_of_separators(separator: Any, parts: Any) -> int:
    """Return at most how long all separators are; a generator's parts are not known before."""
    return len(separator) * (len(parts) if hasattr(parts, "__len__") else LONGEST // 100)


_SIZE_OF_METHOD: Final[Mapping[str, Callable[..., int]]] = {
    "join": _size_of_separators,
    "replace": lambda text, old, new, *_: text.count(old) * len(new),
}
_SIZE_OF_FILTER: Final[Mapping[str, Callable[..., int]]] = {
    "format": lambda text, *values, **named: _size_of_percent(str(text), named or values),
    "indent": lambda s, width=4, *_, **__: (
        (s.count("\n") + 1) * (len(width) if isinstance(width, str) else width)
    ),
    "join": lambda value, d="", *_, **__: _size_of_separators(str(d), value),
    "replace": lambda s, old, new, *_, **__: str(s).count(str(old)) * len(str(new)),
    "round": lambda _, precision=0, *__, **___: abs(precision) * (LONGEST // _MOST_DIGITS),
    "wordwrap": lambda s, _width=79, _whole=True, wrapstring=None, *_, **__: len(s) * len(wrapstring or "\n"),
}
"""By name, at most how long a result is, beside what the value has already; the arguments are named as Jinja's."""
