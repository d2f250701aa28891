"""Jinja's sandbox, and a record in its eyes.

Rendering is deterministic, because what is asked identically is paid once: `random` and `lipsum` are absent. A null
stays null for tests and `default`, and behind a text filter.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.filters import do_items
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from runware_provider.engine.templates.bounds import (
    ABSENT_FILTERS,
    ABSENT_METHODS,
    BOUNDED_OPERATORS,
    SIZE_OF_FILTER,
    SORTING_FILTERS,
    Captured,
    TooMuchError,
    bound,
    check_call,
    check_operator,
    count_made,
)
from runware_provider.engine.templates.printing import (
    BoundedFormatter,
    check_printable,
    join,
    printed,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jinja2.runtime import Context

_TEXT_FILTERS = frozenset({
    "capitalize", "e", "escape", "forceescape", "format", "indent", "lower", "replace", "safe", "string",
    "striptags", "title", "trim", "truncate", "upper", "urlencode", "wordcount", "xmlattr",
})  # fmt: skip
"""Filters that make a text of whatever they get."""
_TESTS_OF_EXISTENCE = ("defined", "undefined")
_UNREPEATABLE = ("random", "lipsum")
_JOINED = "_joined"
_SLICED = "_sliced"


class Undefined(jinja2.StrictUndefined):
    """What there is not; a list or struct that holds it cannot be printed either."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)  # raises, in Jinja's words


class Row(dict[str, Any]):
    """A record or struct: its fields, never a mapping's methods, are its attributes in a template."""

    __slots__ = ()


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
    return value


class _BoundedCode(CodeGenerator):
    """Jinja's compiler, whose macros and captured blocks collect their output in `Captured`."""

    def buffer(self, frame: Frame) -> None:
        frame.buffer = self.temporary_identifier()
        self.writeline(f"{frame.buffer} = environment.captured()")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with a record's fields in place of a mapping's methods, and bounds on what it makes."""

    code_generator_class = _BoundedCode
    captured = Captured
    intercepted_binops = BOUNDED_OPERATORS

    @staticmethod
    def concat(texts: Iterable[str]) -> str:
        if isinstance(texts, Captured):
            return "".join(texts)
        captured = Captured()
        captured.extend(texts)
        return "".join(captured)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str | bytes):
            check_printable(right)
        check_operator(operator, left, right)
        result = super().call_binop(context, operator, left, right)
        count_made(result)
        return result

    def call(self, context: Context, function: Any, /, *arguments: Any, **named: Any) -> Any:
        text = getattr(function, "__self__", None)
        if isinstance(text, str) and getattr(function, "__name__", "") == "join":
            function, arguments = join, (*arguments, text)
        check_call(function, arguments, named)
        result = super().call(context, function, *arguments, **named)
        count_made(result)
        return result

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in ABSENT_METHODS and super().is_safe_attribute(obj, attr, value)

    def unsafe_undefined(self, obj: Any, attribute: str) -> jinja2.Undefined:
        if attribute not in ABSENT_METHODS:
            return super().unsafe_undefined(obj, attribute)
        problem = f"the method `{attribute}` is absent; {ABSENT_METHODS[attribute]}"
        return self.undefined(problem, obj=obj, name=attribute, exc=TooMuchError)

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


def _guarded(name: str, any_filter: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that passes a null on, and refuses what cannot become text or would become too long."""
    first = 1 if hasattr(any_filter, "jinja_pass_arg") else 0
    size_of = SIZE_OF_FILTER.get(name)
    makes_text = name in _TEXT_FILTERS

    @functools.wraps(any_filter)
    def guarded(*arguments: Any, **named: Any) -> Any:
        if makes_text and arguments[first] is None:
            return None
        if makes_text:
            for value in (*arguments[first:], *named.values()):
                check_printable(value)
        if name in SORTING_FILTERS:
            arguments = (*arguments[:first], list(arguments[first]), *arguments[first + 1 :])
        if size_of is not None:
            bound(size_of(*arguments[first:], **named), f"`{name}` makes too long a text or list")
        result = any_filter(*arguments, **named)
        count_made(result)
        return result

    return guarded


def _test_of_what_is(any_test: Callable[..., Any]) -> Callable[..., Any]:
    """A test that refuses what there is not: a misspelt field is neither null nor a text, and would choose records."""
    first = 1 if hasattr(any_test, "jinja_pass_arg") else 0

    @functools.wraps(any_test)
    def tested(*arguments: Any) -> Any:
        if isinstance(arguments[first], jinja2.Undefined):
            check_printable(arguments[first])  # raises
        return any_test(*arguments)

    return tested


def _items(mapping: Any) -> Any:
    """Return the pairs of a mapping; Jinja's own filter finds none in what is undefined."""
    if isinstance(mapping, jinja2.Undefined):
        check_printable(mapping)  # raises
    return do_items(mapping)


def _environment() -> Sandbox:
    """An environment with the filters that suit nulls, and what JSON has no type for."""
    environment = Sandbox(
        undefined=Undefined,
        autoescape=False,
        keep_trailing_newline=False,
        finalize=printed,
        cache_size=0,
    )
    for name in (*ABSENT_FILTERS, *_UNREPEATABLE):
        environment.filters.pop(name, None)
        environment.globals.pop(name, None)
    environment.filters |= {
        "items": _items,
        "join": join,
        "tojson": to_json,
        _JOINED: printed,
        _SLICED: lambda part: part,
    }
    for name, any_filter in environment.filters.items():
        environment.filters[name] = _guarded(name, any_filter)
    tests: dict[str, Any] = dict(environment.tests)
    for name, any_test in tests.items():
        if name not in _TESTS_OF_EXISTENCE:
            environment.tests[name] = _test_of_what_is(any_test)
    return environment


SANDBOX = _environment()


class _Prepared(NodeTransformer):
    """A template's tree in which `~` and slices pass through filters of ours, as what makes texts does."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's name for it
        self.generic_visit(node)
        node.nodes = [_filtered(part, _JOINED) for part in node.nodes]
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - Jinja's name for it
        self.generic_visit(node)
        return _filtered(node, _SLICED) if isinstance(node.arg, nodes.Slice) else node


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def prepared(tree: nodes.Template) -> nodes.Template:
    """Return the tree with nulls in `~` as the empty text, and with slices counted."""
    _Prepared().visit(tree)
    return tree
