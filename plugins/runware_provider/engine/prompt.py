"""The prompt: a Jinja template, checked once against the data and rendered once per record.

Rendering is deterministic, because what is asked identically is paid once: `random` and `lipsum` are absent,
and what would print a memory address (a method, a generator) is an error. A null is the empty text
wherever it is printed, also behind a text filter and in `~`, and stays null for tests and `default`.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from uuid import UUID

import jinja2
from jinja2 import meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RECORD = "record"
FIELD = "prompt"

SkipCode = Literal["empty", "too_long", "prompt_error"]

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
_JOINED = "_joined"

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

    `code` is `empty`, `too_long` or `prompt_error`; the message names columns, lines and kinds of errors,
    never what the record holds.
    """

    code: SkipCode
    message: str


class Prompt:
    """A compiled template.

    `columns` are the columns that the template names, in its order; all columns where that cannot be known
    before rendering, as with `record[name]`, a loop over `record`, or `record` handed on as a whole.

    Args:
        template: the template's text.
        variables: what it may name beside `record`.
        columns: the columns of the data.
        max_chars: longer prompts are skipped; no bound by default.

    Raises:
        BadInput: the template is malformed, or names a variable or a column that there is not.
    """

    def __init__(
        self,
        template: str,
        variables: Mapping[str, Any],
        columns: Sequence[str],
        *,
        max_chars: int | None = None,
    ) -> None:
        tree = _parse(template)
        _check_names(tree, variables)
        named, whole = _named_columns(tree)
        _check_columns(named, columns)
        self.columns: tuple[str, ...] = tuple(columns) if whole else tuple(named)
        self._whole = whole
        self._max_chars = max_chars
        self._words = _words(tree)
        self._template = _compile(tree, variables)

    def render(self, record: Mapping[str, Any]) -> str | Skip:
        """The prompt of one record, or why it has none.

        Args:
            record: the record's values by column, as Arrow gives them to Python.
        """
        if self.columns and all(_blank(record.get(name)) for name in self.columns):
            return Skip("empty", f"null or blank: {', '.join(self.columns)}"[:500])
        template = self._template
        try:
            # Template.render would rewrite the traceback of an error, which costs more than the prompt.
            row = _wrapped(dict(record)) if self._whole else _Row(record)
            context = template.new_context({RECORD: row})
            text = "".join(template.root_render_func(context))
        except Exception as error:  # noqa: BLE001 - a template can raise whatever its filters and values raise
            return Skip("prompt_error", self._explain(error))
        if _blank(text):
            return Skip("empty", "the rendered prompt is blank")
        if self._max_chars is not None and len(text) > self._max_chars:
            return Skip("too_long", f"the prompt has {len(text)} characters; at most {self._max_chars}")
        return text

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
        if isinstance(error, UnprintableValueError):
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


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with a record's fields in place of a mapping's methods."""

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


def _printed(value: Any) -> Any:
    """What Jinja prints for an expression's value."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, jinja2.Undefined):
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
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise UnprintableValueError(f"`tojson` cannot write a value of type {type(value).__name__}")


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON for a model's eyes: keys in the data's order, no escapes that HTML would need."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _environment() -> _Environment:
    environment = _Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=False,
        finalize=_printed,
        cache_size=0,
    )
    for name in _UNREPEATABLE_FILTERS:
        del environment.filters[name]
    for name in _UNREPEATABLE_GLOBALS:
        del environment.globals[name]
    for name in _TEXT_FILTERS:
        environment.filters[name] = _null_stays(environment.filters[name])
    environment.filters["tojson"] = _to_json
    environment.filters[_JOINED] = _null_as_blank
    return environment


_ENVIRONMENT = _environment()


def _parse(template: str) -> nodes.Template:
    try:
        tree = _ENVIRONMENT.parse(template)
    except (jinja2.TemplateSyntaxError, RecursionError) as error:
        _refuse_syntax(error)
    if next(iter(meta.find_referenced_templates(tree)), tree) is not tree:
        raise BadInput(
            FIELD, "the template includes, imports or extends another one", "Write it as one template"
        )
    for concat in tree.find_all(nodes.Concat):
        concat.nodes = [
            nodes.Filter(part, _JOINED, [], [], None, None, lineno=part.lineno) for part in concat.nodes
        ]
    tree.set_environment(_ENVIRONMENT)
    return tree


def _compile(tree: nodes.Template, variables: Mapping[str, Any]) -> jinja2.Template:
    try:
        return _ENVIRONMENT.from_string(tree, globals=dict(variables))
    except (jinja2.TemplateSyntaxError, SyntaxError, RecursionError) as error:
        _refuse_syntax(error)


def _refuse_syntax(error: Exception) -> NoReturn:
    if isinstance(error, jinja2.TemplateSyntaxError):
        raise BadInput(
            FIELD, f"line {error.lineno}: {(error.message or '').rstrip('.')}", "Mend the template"
        ) from None
    raise BadInput(FIELD, "the template is nested too deeply", "Simplify it") from None


def _check_names(tree: nodes.Template, variables: Mapping[str, Any]) -> None:
    if RECORD in variables:
        raise BadInput("variables", f"`{RECORD}` is taken: it is the record", "Rename the variable")
    try:
        undeclared = meta.find_undeclared_variables(tree)
    except (jinja2.TemplateSyntaxError, RecursionError) as error:
        _refuse_syntax(error)
    unknown = undeclared - {RECORD, *variables}
    if not unknown:
        return
    first = min(
        (name for name in tree.find_all(nodes.Name) if name.name in unknown), key=lambda name: name.lineno
    )
    known = [RECORD, *sorted(variables)]
    problem = f"line {first.lineno}: {first.name!r} is not defined; the template may name: {', '.join(known)}"
    raise BadInput(FIELD, problem, _remedy(first.name, known))


def _remedy(name: str, known: Sequence[str]) -> str:
    if name in {"ds", "ts", "logical_date", "execution_date"} or name.startswith(("data_interval_", "ds_")):
        return "This run has no logical date: trigger it with one, or pass the date in `params`"
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Columns are written {{{{ {RECORD}.{name} }}}}"


def _check_columns(named: Mapping[str, int], columns: Sequence[str]) -> None:
    for name, line in named.items():
        if name in columns:
            continue
        close = difflib.get_close_matches(name, columns, 1)
        remedy = f"Did you mean {close[0]!r}?" if close else "Name a column of the data"
        if name in {"items", "keys", "values"}:
            remedy = f"To loop over the columns write: {{% for name, value in {RECORD} | items %}}"
        there = ", ".join(columns) or "no columns"
        raise BadInput(
            FIELD, f"line {line}: column {name!r} is not in the data; the data has: {there}", remedy
        )


def _named_columns(tree: nodes.Template) -> tuple[dict[str, int], bool]:
    """The columns that are named literally, with their first line, and whether others may be read too."""
    named: dict[str, int] = {}
    literal = 0
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        name = _literal_field(node)
        if name is not None:
            named.setdefault(name, node.lineno)
            literal += 1
    mentions = [name for name in tree.find_all(nodes.Name) if name.name == RECORD]
    if any(mention.ctx != "load" for mention in mentions):
        # A loop variable or macro argument is called `record` as well: which one is meant is not decided here.
        return {}, True
    return named, len(mentions) > literal


def _literal_field(node: nodes.Expr) -> str | None:
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    if not isinstance(node.node, nodes.Name) or node.node.name != RECORD:
        return None
    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None


def _words(tree: nodes.Template) -> frozenset[str]:
    """Names that stand in the template itself: an error message that quotes only these shows no data."""
    attributes = {node.attr for node in tree.find_all(nodes.Getattr)}
    names = {node.name for node in tree.find_all(nodes.Name)}
    constants = {str(node.value) for node in tree.find_all(nodes.Const)}
    return frozenset(attributes | names | constants)


def _blank(value: Any) -> bool:
    if value is None:
        return True
    if type(value) is str:
        return not value or value.isspace()
    return isinstance(value, list | dict | bytes) and not value
