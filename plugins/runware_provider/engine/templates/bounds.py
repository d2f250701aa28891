"""What rendering one record may cost: bounds on the values that a template makes, and on its work altogether.

A slip of the pen (a power, a repeated text, a width taken from the wrong column) must not cost minutes or gigabytes.
Jinja computes what is constant while it compiles, so that whatever is refused here is refused there, too, and raises
when the first record is rendered.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from string import Formatter
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2.filters import (
    do_batch,
    do_center,
    do_indent,
    do_round,
    do_wordwrap,
    make_attrgetter,
    sync_do_slice,
    sync_do_sum,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

LONGEST = 10_000_000
"""Characters or items that an operation may make."""
MOST_BITS = 4096
MOST_DIGITS = 100
MOST_WORK = 50_000_000
"""Characters that are made, and steps, in one rendering."""
STEP = 50
"""What a turn of a loop or an operation counts for, in characters of work."""
CALL = 200
"""What a call counts for."""
ITEM = 8
"""What an item that is no text counts for where it is written out."""
BOUNDED_OPERATORS = frozenset({"+", "*", "**", "%"})

_SEQUENCES = (str, bytes, list, tuple)
_PERCENT = re.compile(r"%(?:\((?P<key>[^)]*)\))?[-#0 +]*(?P<width>\*|\d+)?(?:\.(?P<places>\*|\d+))?")
_DIGITS = re.compile(r"\d+")
_work: ContextVar[list[int] | None] = ContextVar("work", default=None)


class UnfitError(ValueError):
    """What a template must not do; the message holds nothing of the record."""


class working:  # noqa: N801 - reads like a function, as context managers do; a generator would cost more than the work
    """One rendering: its work is counted, and too much of it is an `UnfitError`."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _work.set([MOST_WORK])

    def __exit__(self, *_: object) -> None:
        _work.reset(self._token)


def charge(size: int) -> None:
    """Count some work.

    Args:
        size: in characters.

    Raises:
        UnfitError: it is too much for one record, all together.
    """
    left = _work.get()
    if left is not None:
        left[0] -= size
        if left[0] < 0:
            raise UnfitError(
                "it takes too much work for one record; is a loop or a text longer than it should be?"
            )


def weigh(value: Any) -> int:
    """Count the work of writing a value out, however it is nested, and say how much that was.

    Raises:
        UnfitError: it is too much.
    """
    total, left = 0, [value]
    while left:
        one = left.pop()
        size = len(one) if isinstance(one, str | bytes) else ITEM
        charge(size)
        total += size
        _bounded(total, "what is written out is too long")
        if isinstance(one, list | tuple | set | frozenset):
            left.extend(one)
        elif isinstance(one, dict):
            left.extend(one.keys())
            left.extend(one.values())
    return total


def counted(values: Iterable[Any]) -> Iterator[Any]:
    """What a loop goes over, each turn counted."""
    for one in values:
        charge(STEP)
        yield one


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too long, before it is made.

    Args:
        operator: one of `BOUNDED_OPERATORS`.
        left: its left side.
        right: its right side.

    Raises:
        UnfitError: it would be.
    """
    size = 0
    if operator == "%" and isinstance(left, str | bytes):
        size = _percent_size(left, right)
    elif operator == "+" and isinstance(left, _SEQUENCES) and isinstance(right, _SEQUENCES):
        size = len(left) + len(right)
    elif operator == "*" and isinstance(left, _SEQUENCES) and isinstance(right, int):
        size = len(left) * right
    elif operator == "*" and isinstance(right, _SEQUENCES) and isinstance(left, int):
        size = len(right) * left
    elif isinstance(left, int) and isinstance(right, int):
        _check_number(operator, left, right)
    _bounded(size, f"`{operator}` makes too long a text or list")
    charge(max(size, STEP))


def _check_number(operator: str, left: int, right: int) -> None:
    if operator == "**" and left.bit_length() * abs(right) > MOST_BITS:
        raise UnfitError("a power is too long")
    if operator == "*" and left.bit_length() + right.bit_length() > MOST_BITS:
        raise UnfitError("a product is too long")


def check_call(function: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
    """Refuse a method of a text or a number whose result would be too long, and count the call.

    Raises:
        UnfitError: it would be.
    """
    charge(CALL)
    method = getattr(function, "__wrapped__", function)
    owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if not isinstance(owner, str | bytes | int):
        return
    given = [*arguments, *named.values()]
    size = len(owner) if isinstance(owner, str | bytes) else 0
    if name in {"format", "format_map"} and isinstance(owner, str):
        values = [one for held in given for one in (held.values() if isinstance(held, dict) else [held])]
        size = _format_size(owner, values)
    elif name == "replace" and len(given) > 1:
        size += owner.count(given[0]) * len(given[1])  # type: ignore[union-attr] # the other types lack the method
    elif name == "join":
        joined = list(given[0]) if given else []
        size = sum(len(one) + size for one in joined if isinstance(one, str | bytes))
    elif name == "translate":
        table = given[0] if given and isinstance(given[0], dict) else {}
        size *= max((len(one) for one in table.values() if isinstance(one, str)), default=1) or 1
    elif name in {"center", "ljust", "rjust", "zfill", "expandtabs", "to_bytes"}:
        size = max(1, size) * _largest(given) if name == "expandtabs" else size + _largest(given)
    _bounded(size, f"the method `{name}` makes too long a text")
    charge(size)


def _largest(given: Iterable[Any]) -> int:
    return max((abs(one) for one in given if isinstance(one, int)), default=1)


def _percent_size(text: str | bytes, right: Any) -> int:
    """At most so long is what `%` makes."""
    given = list(right.values()) if isinstance(right, dict) else [right]
    if isinstance(right, tuple):
        given = list(right)
    held = text.decode("latin-1") if isinstance(text, bytes) else text
    found = list(_PERCENT.finditer(held))
    widths = [one for field in found for one in (field["width"], field["places"]) if one]
    wide = sum(min(int(one[:9]), LONGEST + 1) for one in widths if one != "*")
    wide += _largest(given) if "*" in widths else 0
    return len(text) + wide + len(found) * max((weigh(one) for one in given), default=0)


def _format_size(text: str, given: Sequence[Any]) -> int:
    """At most so long is what `format` makes; what is no format at all is left to `format` itself."""
    try:
        fields = [(spec or "") for _, name, spec, _ in Formatter().parse(text) if name is not None]
    except ValueError:
        return len(text)
    wide = sum(min(int(one[:9]), LONGEST + 1) for spec in fields for one in _DIGITS.findall(spec))
    wide += sum(_largest(given) for spec in fields if "{" in spec)
    return len(text) + wide + len(fields) * max((weigh(one) for one in given), default=0)


def _bounded(size: int, problem: str, most: int = LONGEST) -> None:
    if size > most:
        raise UnfitError(problem)


# filters


def _center(value: str, width: int = 80) -> str:
    _bounded(width, "`center` makes too long a text")
    return do_center(value, width)


def _indent(s: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:  # noqa: FBT001, FBT002 - Jinja's own
    each = len(width) if isinstance(width, str) else width
    _bounded((s.count("\n") + 2) * each, "`indent` makes too long a text")
    return do_indent(s, width, first, blank)


@jinja2.pass_environment
def _wordwrap(  # noqa: PLR0913, PLR0917 - Jinja's own
    environment: jinja2.Environment,
    s: str,
    width: int = 79,
    break_long_words: bool = True,  # noqa: FBT001, FBT002 - Jinja's own
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,  # noqa: FBT001, FBT002 - Jinja's own
) -> str:
    _bounded(len(s) * len(wrapstring or "\n"), "`wordwrap` makes too long a text")
    return do_wordwrap(environment, s, width, break_long_words, wrapstring, break_on_hyphens)


def _batch(value: Iterable[Any], linecount: int, fill_with: Any = None) -> Iterator[list[Any]]:
    _bounded(linecount, "`batch` makes too long a list")
    return do_batch(value, linecount, fill_with)


def _slice(value: Any, slices: int, fill_with: Any = None) -> Iterator[list[Any]]:
    _bounded(slices * STEP, "`slice` makes too many lists")
    found: Iterator[list[Any]] = sync_do_slice(value, slices, fill_with)
    return found


@jinja2.pass_environment
def _sum(
    environment: jinja2.Environment,
    iterable: Iterable[Any],
    attribute: str | int | None = None,
    start: Any = 0,
) -> Any:
    if isinstance(start, _SEQUENCES):
        raise UnfitError("`sum` is for numbers; texts are put together with `join`")
    return sync_do_sum(environment, iterable, attribute, start)


def _format(value: str, *arguments: Any, **named: Any) -> str:
    if arguments and named:
        raise TypeError("`format` takes either names or values in order")
    check_operator("%", str(value), named or arguments)
    return str(value) % (named or arguments)


def _replace(s: Any, old: Any, new: Any, count: int | None = None) -> str | None:
    if s is None:
        return None
    text, old, new = str(s), str(old), str(new)
    _bounded(len(text) + text.count(old) * len(new), "`replace` makes too long a text")
    return text.replace(old, new, -1 if count is None else count)


@jinja2.pass_environment
def _join(
    environment: jinja2.Environment, value: Iterable[Any], d: Any = "", attribute: str | int | None = None
) -> str:
    chosen = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    texts = []
    for one in chosen:
        weigh(one)
        texts.append(str(one))
    size = sum(map(len, texts)) + len(texts) * len(str(d))
    _bounded(size, "`join` makes too long a text")
    return str(d).join(texts)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    _bounded(abs(precision), "`round` is asked for too many digits", MOST_DIGITS)
    return do_round(value, precision, method)


BOUNDED_FILTERS: Mapping[str, Callable[..., Any]] = {
    "batch": _batch,
    "center": _center,
    "format": _format,
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "slice": _slice,
    "sum": _sum,
    "wordwrap": _wordwrap,
}
"""In place of Jinja's own of the same names."""
