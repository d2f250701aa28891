"""What a prompt and an expression that chooses records share: Jinja's sandbox, and a record in its eyes.

Rendering is deterministic, because what is asked identically is paid once: `random` and `lipsum` are absent,
and what would print a memory address (a method, a generator) is an error. A null is the empty text
wherever it is printed, also behind a text filter and in `~`, and stays null for tests and `default`.
What one record may cost is bounded, as `template_bounds` tells.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runware_provider.engine.templates.bounds import (
    BOUNDED_FILTERS,
    BOUNDED_OPERATORS,
    LONGEST,
    UnfitError,
    charge,
    check_call,
    check_operator,
    counted,
    weigh,
    working,
)
from runware_provider.engine.templates.names import RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jinja2.runtime import Context

SkipCode = Literal["empty", "too_long", "too_many_tokens", "prompt_error", "budget"]

_TEXT_FILTERS = (
    "capitalize",
    "center",
    "e",
    "escape",
    "forceescape",
    "format",
    "indent",
    "lower",
    "replace",
    "safe",
    "string",
    "striptags",
    "title",
    "trim",
    "truncate",
    "upper",
    "urlencode",
    "urlize",
    "wordwrap",
)
_UNREPEATABLE_FILTERS = ("random",)
_UNREPEATABLE_GLOBALS = ("lipsum",)
_WRITING_FILTERS = {"e", "escape", "forceescape", "pprint", "safe", "string", "tojson"}
"""Those that write a list or struct out."""
_WIDEST_INDENT = 40
_JOINED = "_joined"
_COUNTED = "_counted"

# Python's own words for these hold type names and operators only, never a value of the record.
_HARMLESS = re.compile(
    r"unsupported operand type\(s\) for [^:\w]*(pow\(\))?: '\w+' and '\w+'"
    r"|can only concatenate \w+ \(not \"\w+\"\) to \w+"
    r"|must be str, not \w+"
    r"|object of type '\w+' has no len\(\)"
    r"|bad operand type for unary .: '\w+'"
    r"|'[<>=]+' not supported between instances of '\w+' and '\w+'"
    r"|'\w+' object is not (callable|iterable|subscriptable|reversible)"
    r"|division by zero"
    r"|Range too big\. The sandbox blocks ranges larger than MAX_RANGE \(\d+\)\."
)

# Jinja's words for a name that it cannot or may not find; names of types tell nothing.
_NAMING = re.compile(
    r"there is no column or field '(?P<field>.*)'"
    r"|'[\w. ]+' has no attribute '(?P<attribute>.*)'"
    r"|'(?P<name>.*)' is undefined"
    r"|access to attribute '(?P<hidden>.*)' of '\w+' object is unsafe\."
    r"|[\w. ]+ has no element (?P<element>\d+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that is not sent, and why.

    `code` is `empty`, `too_long` or `prompt_error`; the message names columns, lines and kinds of
    errors, never what the record holds.
    """

    code: SkipCode
    message: str


class Rendering:
    """A compiled template, rendered once per record.

    Args:
        template: the template.
        words: the names that it spells; errors may quote them.
        whole: whether it may read columns that it does not name.
        code: the code of a record that cannot be rendered.
        telling: further kinds of errors whose messages hold nothing of a record.
    """

    def __init__(
        self,
        template: jinja2.Template,
        words: frozenset[str],
        *,
        whole: bool,
        code: SkipCode,
        telling: tuple[type[Exception], ...] = (),
    ) -> None:
        self._template = template
        self._whole = whole
        self._words = words
        self._code: SkipCode = code
        self._telling: tuple[type[Exception], ...] = (UnprintableValueError, UnfitError, *telling)

    def text(self, record: Mapping[str, Any]) -> str | Skip:
        """The template's text for one record, or why there is none; it never raises."""
        template = self._template
        try:
            # Template.render would rewrite the traceback of an error, which costs more than the prompt.
            row = _wrapped(dict(record)) if self._whole else _Row(record)
            context = template.new_context({RECORD: row})
            with working():
                return _text_of(template.root_render_func(context))
        except Exception as error:  # noqa: BLE001 - a template can raise whatever its filters and values raise
            return Skip(self._code, self._explain(error))

    def _explain(self, error: Exception) -> str:
        return f"{type(error).__name__}{self._line(error)}: {self._reason(error)}"

    def _line(self, error: Exception) -> str:
        line, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<template>":
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return "" if line is None else f" in line {line}"

    def _reason(self, error: Exception) -> str:
        """The error's own words where they cannot hold the record's."""
        message = str(error)
        if isinstance(error, self._telling):
            return message
        if isinstance(error, jinja2.UndefinedError | SecurityError):
            naming = _NAMING.fullmatch(message)
            # A name may come from the record, as in record[record.kind]; one that the template spells does not.
            if naming and naming[str(naming.lastgroup)] in self._words:
                return message
            return "a field that there is not, or that templates may not read"
        if _HARMLESS.fullmatch(message):
            return message
        return "a filter, call or operation failed on this record's values; is one of them null?"


def _text_of(pieces: Iterable[str]) -> str:
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > LONGEST:
            raise UnfitError("the text is too long")
    return "".join(held)


class UnprintableValueError(TypeError):
    """A value that a prompt cannot hold; the message is ours."""


class _Row(dict[str, Any]):
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


def _wrapped(value: Any) -> Any:
    """A value of a record for the template's eyes."""
    kind = type(value)
    if kind is dict:
        return _Row({name: _wrapped(one) for name, one in value.items()})
    if kind is list:
        return [_wrapped(one) for one in value]
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

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is _Row:
            return self._field(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) is _Row:
            return self._field(obj, argument)
        return super().getitem(obj, argument)

    def _field(self, row: _Row, name: Any) -> Any:
        try:
            value = row[name]
        except (KeyError, TypeError):
            return self.undefined(f"there is no column or field '{name}'", obj=row, name=str(name))
        return value if type(value) is str else _wrapped(value)


def printed(value: Any) -> Any:
    """What Jinja prints for an expression's value.

    Raises:
        UnprintableValueError: a generator, function or method, which would print a memory address.
    """
    if type(value) is str:
        charge(len(value))
        return value
    if value is None:
        return ""
    if isinstance(value, jinja2.Undefined):
        return value
    if isinstance(value, list | tuple | dict):
        weigh(value)
    if hasattr(value, "__next__"):
        raise UnprintableValueError(
            "a generator is printed; add the filter `join`, `list` or `tojson` behind it"
        )
    if callable(value):
        raise UnprintableValueError("a function or method is printed; call it")
    return value


def _null_as_blank(value: Any) -> Any:
    if isinstance(value, str):
        charge(len(value))
    elif value is not None:
        weigh(value)
    return "" if value is None else value


def _charged(name: str, any_filter: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose work is counted, by what it is given."""
    position = 1 if hasattr(any_filter, "jinja_pass_arg") else 0
    writing = name in _WRITING_FILTERS

    @functools.wraps(any_filter)
    def charging(*args: Any, **keywords: Any) -> Any:
        value = args[position] if len(args) > position else None
        if writing:
            weigh(value)
        else:
            charge(len(value) if isinstance(value, str | bytes | list | tuple | dict) else 1)
        return any_filter(*args, **keywords)

    return charging


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
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise UnprintableValueError(f"`tojson` cannot write a value of type {type(value).__name__}")


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON for a model's eyes: keys in the data's order, no escapes that HTML would need."""
    if indent is not None and indent > _WIDEST_INDENT:
        raise UnfitError(f"`tojson` indents by {_WIDEST_INDENT} at most")
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def sandbox(kind: type[Sandbox]) -> Sandbox:
    """An environment of this kind, with the filters that suit nulls and what JSON has no type for."""
    environment = kind(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=False,
        finalize=printed,
        cache_size=0,
    )
    for name in _UNREPEATABLE_FILTERS:
        del environment.filters[name]
    for name in _UNREPEATABLE_GLOBALS:
        del environment.globals[name]
    environment.filters |= {**BOUNDED_FILTERS, "tojson": _to_json}
    for name, one in environment.filters.items():
        environment.filters[name] = _charged(name, one)
    for name in _TEXT_FILTERS:
        environment.filters[name] = _null_stays(environment.filters[name])
    environment.filters |= {_JOINED: _null_as_blank, _COUNTED: counted}
    return environment


def loops_counted(tree: nodes.Node) -> None:
    """Have every turn of every loop count as work."""
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None, lineno=loop.iter.lineno)


def nulls_joined_as_blanks(tree: nodes.Node) -> None:
    """Make a null in `~` the empty text instead of the word "None"."""
    for concat in tree.find_all(nodes.Concat):
        concat.nodes = [
            nodes.Filter(part, _JOINED, [], [], None, None, lineno=part.lineno) for part in concat.nodes
        ]
