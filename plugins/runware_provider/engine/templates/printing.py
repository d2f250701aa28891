"""How a value becomes text: printed, joined, formatted or dumped.

A null is the empty text wherever it is printed or joined. What would print a memory address or Python's notation of
bytes is an error, and so is what is undefined, inside of lists and structs, too. An inline `if` without `else`, as in
`{{ "urgent" if record.urgent }}`, is nothing where it is printed itself.
"""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jinja2
from jinja2.filters import make_attrgetter
from jinja2.sandbox import SandboxedFormatter
from jinja2.utils import Namespace

from runware_provider.engine.templates.bounds import TooMuchError, bound, check_width, weight

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDEST_INDENT = 40
_PLAIN = (str, int, float, bool, type(None))


class UnprintableValueError(TypeError):
    """A value that a prompt cannot hold; the message is ours."""


def check_printable(value: Any) -> None:
    """Refuse what cannot become text of a prompt.

    Raises:
        UnprintableValueError: it is or holds a binary value, a generator, a function, or an object without a text.
        jinja2.UndefinedError: it is or holds what is undefined.
        TooMuchError: it is too long.
    """
    if type(value) not in _PLAIN:
        bound(weight(value, _check_leaf), "a value is too long as a text")


def _check_leaf(value: Any) -> None:
    if type(value) in _PLAIN:
        return
    check_defined(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise UnprintableValueError(
            "a binary value is printed; decode it, as in {{ record.column.decode() }}"
        )
    if hasattr(value, "__next__"):
        raise UnprintableValueError("a generator is printed; add the filter `join` or `list` behind it")
    if callable(value):
        raise UnprintableValueError("a function or method is printed; call it")
    if isinstance(value, Namespace) or value.__class__.__repr__ is object.__repr__:
        raise UnprintableValueError("an object without a text is printed; print one of its fields")


def check_defined(value: Any) -> None:
    """Refuse what there is not.

    Raises:
        UnprintableValueError: an inline `if` without `else` gave nothing.
        jinja2.UndefinedError: there is no such value.
    """
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, in Jinja's words, except for an inline `if`
        raise UnprintableValueError("an inline `if` has no `else`, and is not printed by itself")


def printed(value: Any) -> Any:
    """Return what Jinja prints for an expression's value.

    Raises:
        UnprintableValueError: see `check_printable`.
        TooMuchError: it is too long.
    """
    if value is None:
        return ""
    if type(value) is not str and not isinstance(value, jinja2.Undefined):
        check_printable(value)
    return value


@jinja2.pass_environment
def join(
    environment: jinja2.Environment, value: Iterable[Any], d: Any = "", attribute: str | int | None = None
) -> str:
    """Join the items' texts, as Jinja's own filter does; nulls are empty.

    Raises:
        UnprintableValueError: see `check_printable`.
        TooMuchError: the text would be too long.
    """
    separator = str(printed(d))
    items = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    texts, size = [], 0
    for item in items:
        check_printable(item)
        texts.append("" if item is None else str(item))
        size += len(separator) + len(texts[-1])
        bound(size, "`join` makes too long a text")
    return separator.join(texts)


def _plain(value: Any) -> Any:
    """What JSON has no type for, as its usual text."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise UnprintableValueError(f"`tojson` cannot write a value of type {type(value).__name__}")


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON for a model's eyes: keys in the data's order, no escapes that HTML would need.

    Raises:
        UnprintableValueError: see `check_printable`; or JSON has no notation for a value.
        TooMuchError: the text would be too long.
    """
    if indent is not None and indent > _WIDEST_INDENT:
        raise TooMuchError(f"`tojson` indents by {_WIDEST_INDENT} at most")
    check_printable(value)
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


class BoundedFormatter(SandboxedFormatter):
    """What `format` and `format_map` of a text do, each of its instances once."""

    _size = 0

    def convert_field(self, value: Any, conversion: Any) -> Any:
        """Convert one value as `!r` or `!s` say, or leave it.

        Raises:
            UnprintableValueError: see `check_printable`.
            TooMuchError: it is too long.
        """
        check_printable(value)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format one value.

        Raises:
            TooMuchError: it would be too wide, or all together become too long.
        """
        check_width(format_spec, "format")  # a width that stands in a field of its own is filled in by now
        text: str = super().format_field(value, format_spec)
        self._size += len(text)
        bound(self._size, "`format` makes too long a text")
        return text
