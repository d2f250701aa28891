"""The expression that chooses records: Jinja's words for a condition, checked once and asked of every record.

It is the prompt's language without its braces: `record.language == 'de' and record.total > 100`. Two things differ.
Comparisons refuse values of unlike kinds, as `comparison` tells, because a record that is not chosen by mistake is
missed by nobody. And repeated, padded and formatted texts are absent: a condition has no need of them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes
from jinja2.lexer import describe_token
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from runware_provider.engine.errors import BadInput
from runware_provider.engine.templates.bounds import UnfitError
from runware_provider.engine.templates.names import (
    RECORD,
    Wording,
    check_columns,
    check_variables,
    named_columns,
    spelled,
    syntax_refused,
)
from runware_provider.engine.templates.sandbox import (
    Rendering,
    Sandbox,
    Skip,
    nulls_joined_as_blanks,
    sandbox,
)
from runware_provider.engine.templates.strict_comparison import UnlikeKindsError, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2.runtime import Context

_EXAMPLE = f"Write it like {RECORD}.language == 'de' and {RECORD}.total > 100"
_BRACES = "Write it without braces, like record.language == 'de'"
_EXPRESSION = Wording("where", "expression", f"{RECORD}.{{}}", _EXAMPLE)
_NULL = "A null is asked for with: is none, is not none"
_METHOD = "Name a column of the data; filters stand in place of methods, as in: record | items"

_MAKERS_OF_TEXT = ("batch", "center", "format", "indent", "pprint", "slice", "urlize", "wordwrap", "xmlattr")
_METHODS_OF_TEXT = {
    "capitalize",
    "casefold",
    "count",
    "decode",
    "encode",
    "endswith",
    "find",
    "hex",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "rfind",
    "rindex",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
}
_TESTS = {
    "eq": ("==", "eq", "equalto"),
    "ne": ("!=", "ne"),
    "lt": ("<", "lt", "lessthan"),
    "lteq": ("<=", "le"),
    "gt": (">", "gt", "greaterthan"),
    "gteq": (">=", "ge"),
    "in": ("in",),
}
_COMPARED = "_compared"
_JUDGED = "_judged"
_CHOSEN = "_chosen"


def check_syntax(expression: str) -> None:
    """Refuse what is malformed whatever the data; a DAG file's import can afford it.

    Raises:
        BadInput: the expression is malformed.
    """
    with syntax_refused(_wording(expression)):
        _parse(expression)


class Where:
    """A compiled expression.

    `columns` are the columns that it reads, in its order; all columns where that cannot be known before, as with
    `record[name]` or `record` handed on as a whole.

    Args:
        expression: the expression's text.
        variables: what it may name beside `record`.
        columns: the columns of the data.

    Raises:
        BadInput: the expression is empty, malformed or in braces, names a variable or a column that there is not,
            or names no column at all.
    """

    def __init__(self, expression: str, variables: Mapping[str, Any], columns: Sequence[str]) -> None:
        with syntax_refused(_wording(expression)):
            tree = _parse(expression)
            words = spelled(tree)
            check_variables(tree, variables, _EXPRESSION, _variables_meant(columns))
            named, whole = named_columns(tree)
            check_columns(named, columns, _EXPRESSION, dict.fromkeys(("items", "keys", "values"), _METHOD))
            if not named and (not whole or expression.strip() == RECORD):
                raise BadInput(
                    _EXPRESSION.field, "it names no column, and would choose all records or none", _EXAMPLE
                )
            compiled = _SANDBOX.from_string(_checked(tree), globals=dict(variables))
        self.columns: tuple[str, ...] = tuple(columns) if whole else tuple(named)
        self._rendering = Rendering(
            compiled, words, whole=whole, code="where_error", telling=(UnlikeKindsError,)
        )

    def chooses(self, record: Mapping[str, Any]) -> bool | Skip:
        """Whether the expression is true of a record; a skip with `where_error` where it cannot be told.

        Args:
            record: the record's values by column, as Arrow gives them to Python; `columns` suffice.
        """
        verdict = self._rendering.text(record)
        return verdict if isinstance(verdict, Skip) else bool(verdict)


class _Choosing(Sandbox):
    """The prompt's sandbox, without what costs more than a condition is worth."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        texts = isinstance(left, str | bytes | list | tuple) or isinstance(right, str | bytes | list | tuple)
        if operator != "+" and texts:
            raise UnfitError(
                f"`{operator}` is for numbers here; texts and lists are not repeated or formatted"
            )
        return super().call_binop(context, operator, left, right)

    def is_safe_callable(self, obj: Any) -> bool:
        method = getattr(obj, "__wrapped__", obj)
        if isinstance(getattr(method, "__self__", None), str | bytes | int):
            name = getattr(method, "__name__", "")
            if name not in _METHODS_OF_TEXT:
                raise UnfitError(f"the method `{name}` is not there in an expression that chooses records")
        return super().is_safe_callable(obj)


def _compare(first: Any, *signs_and_values: Any) -> bool:
    """A chain of comparisons: a value, then a sign and a value, again and again."""
    for value in (first, *signs_and_values[1::2]):
        _defined(value)
    left = first
    for sign, right in zip(signs_and_values[::2], signs_and_values[1::2], strict=True):
        if not compared(sign, left, right):
            return False
        left = right
    return True


def _test(sign: str) -> Callable[[Any, Any], bool]:
    return lambda left, right: _compare(left, sign, right)


def _defined(value: Any) -> None:
    if isinstance(value, jinja2.Undefined):
        bool(value)  # raises, in Jinja's words, what there is not


def _judge(value: Any) -> Any:
    """The same value, unless it is true whatever the record holds."""
    if isinstance(value, jinja2.Undefined):
        return value
    if hasattr(value, "__next__"):
        raise UnfitError("a generator is always true; add the filter `list` or `length` behind it")
    if callable(value):
        raise UnfitError("a function or method is always true; call it")
    return value


def _choose(value: Any) -> str:
    """The verdict as a text: Jinja renders nothing else."""
    return "chosen" if _judge(value) else ""


def _environment() -> Sandbox:
    environment = sandbox(_Choosing)
    for name in _MAKERS_OF_TEXT:
        del environment.filters[name]
    for sign, names in _TESTS.items():
        environment.tests |= dict.fromkeys(names, _test(sign))
    environment.filters |= {_COMPARED: _compare, _JUDGED: _judge, _CHOSEN: _choose}
    return environment


_SANDBOX = _environment()


def _wording(expression: str) -> Wording:
    """The wording of refusals, with what to do about two habits from elsewhere: a template's braces, SQL's null."""
    if any(brace in expression for brace in ("{{", "}}", "{%", "%}")):
        return replace(_EXPRESSION, mend=_BRACES)
    if re.search(r"\bis\s+(not\s+)?null\b", expression, re.IGNORECASE):
        return replace(_EXPRESSION, mend=_NULL)
    return _EXPRESSION


def _variables_meant(columns: Sequence[str]) -> dict[str, str]:
    named = {name: f"Columns are written {RECORD}.{name}" for name in columns}
    return dict.fromkeys(("null", "NULL", "Null"), _NULL) | named


def _parse(expression: str) -> nodes.Template:
    if not expression.strip():
        raise BadInput(_EXPRESSION.field, "it is empty", _EXAMPLE)
    if expression.lstrip().startswith(("{{", "{%")):
        raise BadInput(_EXPRESSION.field, "it stands in braces", _BRACES)
    parser = Parser(_SANDBOX, expression, state="variable")
    chosen = parser.parse_expression()
    if not parser.stream.eos:
        token = parser.stream.current
        raise jinja2.TemplateSyntaxError(f"unexpected {describe_token(token)!r}", token.lineno)
    tree = nodes.Template([nodes.Output([chosen], lineno=1)], lineno=1)
    tree.set_environment(_SANDBOX)
    return tree


def _checked(tree: nodes.Template) -> nodes.Template:
    """The same tree with checked comparisons, and a text for its verdict."""
    nulls_joined_as_blanks(tree)
    _Checks().visit(tree)
    output = tree.find(nodes.Output)
    if output is not None:
        output.nodes = [_filtered(one, _CHOSEN) for one in output.nodes]
    tree.set_environment(_SANDBOX)
    return tree


class _Checks(NodeTransformer):
    """Puts the checked comparison in place of Python's, and a check on whatever is taken for true or false."""

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - the visitor's name for it
        self.generic_visit(node)
        chain: list[nodes.Expr] = []
        for operand in node.ops:
            chain += [nodes.Const(operand.op, lineno=node.lineno), operand.expr]
        return _filtered(node.expr, _COMPARED, chain)

    def visit_And(self, node: nodes.And) -> nodes.Node:  # noqa: N802 - the visitor's name for it
        return self._sides(node)

    def visit_Or(self, node: nodes.Or) -> nodes.Node:  # noqa: N802 - the visitor's name for it
        return self._sides(node)

    def _sides(self, node: nodes.And | nodes.Or) -> nodes.Node:
        self.generic_visit(node)
        node.left, node.right = _judged(node.left), _judged(node.right)
        return node

    def visit_Not(self, node: nodes.Not) -> nodes.Node:  # noqa: N802 - the visitor's name for it
        self.generic_visit(node)
        node.node = _judged(node.node)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802 - the visitor's name for it
        self.generic_visit(node)
        node.test = _judged(node.test)
        return node


def _judged(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.Test | nodes.Not | nodes.And | nodes.Or):
        return node
    if isinstance(node, nodes.Filter) and node.name == _COMPARED:
        return node
    return _filtered(node, _JUDGED)


def _filtered(node: nodes.Expr, name: str, arguments: Sequence[nodes.Expr] = ()) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)
