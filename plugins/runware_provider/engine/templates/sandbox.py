"""Jinja's sandbox, and a record in its eyes.

Rendering is deterministic, because what is asked identically is paid once: `random` and `lipsum` are absent, and what
would print a memory address (a method, a generator) is an error. A null is the empty text wherever it is printed, also
behind a text filter and in `~`, and stays null for tests and `default`. What is undefined is an error wherever it is
printed, inside of lists and structs, too.
"""

from __future__ import annotations

import functools
import json
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runware_provider.engine.templates.bounds import (
    ABSENT_FILTERS,
    ABSENT_METHODS,
    BOUNDED_OPERATORS,
    BoundedFormatter,
    UnfitError,
    bounded,
    check_call,
    check_operator,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2.runtime import Context

_TEXT_FILTERS = (
    "capitalize", "e", "escape", "forceescape", "format", "indent", "lower", "replace", "safe", "string",
    "striptags", "title", "trim", "truncate", "upper", "urlencode", "wordwrap",
)  # fmt: skip
_UNREPEATABLE = ("random", "lipsum")
_WIDEST_INDENT = 40
_JOINED = "_joined"


class UnprintableValueError(TypeError):
    """A value that a prompt cannot hold; the message is ours."""


class Undefined(jinja2.StrictUndefined):
    """What there is not; a list or struct that holds it cannot be printed either."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)  # raises, in Jinja's words


class Row(dict[str, Any]):
    """A record or struct: its fields, never a mapping's methods, are its attributes in a template."""

    __slots__ = ()


class _Binary(bytes):
    """Bytes that refuse to be printed as `b'...'`, by whichever way a template prints them."""

    __slots__ = ()

    def __str__(self) -> str:
        raise UnprintableValueError(
            "a binary value is printed; decode it, as in {{ record.column.decode() }}"
        )

    __repr__ = __str__


def row_of(record: Mapping[str, Any], *, whole: bool) -> Row:
    """Return a record for the template's eyes.

    Args:
        record: its values by column.
        whole: whether the template may get at values other than by naming their column.
    """
    return Row({name: _wrapped(value) for name, value in record.items()}) if whole else Row(record)


def _wrapped(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return Row({name: _wrapped(field) for name, field in value.items()})
    if kind is list:
        return [_wrapped(item) for item in value]
    return _Binary(value) if kind is bytes else value


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with a record's fields in place of a mapping's methods, and bounds on what it makes."""

    intercepted_binops = BOUNDED_OPERATORS

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        check_operator(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, function: Any, /, *arguments: Any, **named: Any) -> Any:
        check_call(function, arguments, named)
        return super().call(context, function, *arguments, **named)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in ABSENT_METHODS and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if super().wrap_str_format(value) is None:
            return None
        vformat, text = BoundedFormatter(self).vformat, value.__self__
        if value.__name__ == "format":
            return lambda *arguments, **named: vformat(text, arguments, named)
        return lambda mapping: vformat(text, (), mapping)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is Row:
            return self._field(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) is Row:
            return self._field(obj, argument)
        return super().getitem(obj, argument)

    def _field(self, row: Row, name: Any) -> Any:
        try:
            value = row[name]
        except (KeyError, TypeError):
            return self.undefined(f"there is no column or field '{name}'", obj=row, name=str(name))
        return value if type(value) is str else _wrapped(value)


def _printed(value: Any) -> Any:
    """What Jinja prints for an expression's value.

    Raises:
        UnprintableValueError: a generator, function or method, which would print a memory address.
    """
    if value is None:
        return ""
    if isinstance(value, str | jinja2.Undefined):
        return value
    if hasattr(value, "__next__"):
        raise UnprintableValueError(
            "a generator is printed; add the filter `join`, `list` or `tojson` behind it"
        )
    if callable(value):
        raise UnprintableValueError("a function or method is printed; call it")
    return value


def _null_as_blank(value: Any) -> Any:
    return "" if value is None else value


def _null_stays(text_filter: Callable[..., Any]) -> Callable[..., Any]:
    """A text filter that passes a null on, where Jinja's own would make it the word "None"."""
    position = 1 if hasattr(text_filter, "jinja_pass_arg") else 0

    @functools.wraps(text_filter)
    def passing(*args: Any, **keywords: Any) -> Any:
        if len(args) > position and args[position] is None:
            return None
        return text_filter(*args, **keywords)

    return passing


def _plain(value: Any) -> Any:
    """What JSON has no type for, as its usual text."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | jinja2.Undefined):
        return str(value)  # of what is undefined it raises, in Jinja's words
    raise UnprintableValueError(f"`tojson` cannot write a value of type {type(value).__name__}")


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON for a model's eyes: keys in the data's order, no escapes that HTML would need."""
    if indent is not None and indent > _WIDEST_INDENT:
        raise UnfitError(f"`tojson` indents by {_WIDEST_INDENT} at most")
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _environment() -> Sandbox:
    """An environment with the filters that suit nulls, and what JSON has no type for."""
    environment = Sandbox(
        undefined=Undefined,
        autoescape=False,
        keep_trailing_newline=False,
        finalize=_printed,
        cache_size=0,
    )
    for name in (*ABSENT_FILTERS, *_UNREPEATABLE):
        environment.filters.pop(name, None)
        environment.globals.pop(name, None)
    for name, any_filter in environment.filters.items():
        environment.filters[name] = bounded(name, any_filter)
    for name in _TEXT_FILTERS:
        environment.filters[name] = _null_stays(environment.filters[name])
    environment.filters |= {"tojson": _to_json, _JOINED: _null_as_blank}
    return environment


SANDBOX = _environment()


def nulls_joined_as_blanks(tree: nodes.Node) -> None:
    """Make a null in `~` the empty text instead of the word "None"."""
    for concat in tree.find_all(nodes.Concat):
        concat.nodes = [
            nodes.Filter(part, _JOINED, [], [], None, None, lineno=part.lineno) for part in concat.nodes
        ]
