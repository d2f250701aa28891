"""The names that a prompt spells: variables and columns, checked before anything is paid."""

from __future__ import annotations

import contextlib
import difflib
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import meta, nodes

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RECORD = "record"
FIELD = "prompt"

_MEND = "Mend the template"
_LOOP = f"To loop over the columns write: {{% for name, value in {RECORD} | items %}}"
_METHODS = {"items", "keys", "values"}
"""A dict's methods, which are often taken for columns."""


@contextlib.contextmanager
def syntax_refused() -> Iterator[None]:
    """Turn what Jinja and Python raise about a malformed template into BadInput.

    Raises:
        BadInput: the template is malformed, nested too deeply or cannot be compiled; with the line where known.
    """
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        error.source = None  # its text quotes the template, and it stays the context of ours
        said = (error.message or "").rstrip(".")
        raise BadInput(FIELD, f"line {error.lineno}: {said}", _MEND) from None
    except (SyntaxError, RecursionError, MemoryError):
        raise BadInput(FIELD, "the template is nested too deeply", "Simplify it") from None
    except ValueError as error:
        # Python refuses numbers of thousands of digits, and text that is no UTF-8.
        problem = f"the template cannot be compiled ({type(error).__name__})"
        raise BadInput(FIELD, problem, _MEND) from None


def check_variables(tree: nodes.Template, variables: Mapping[str, Any]) -> None:
    """Refuse names that are neither `record` nor a variable.

    Args:
        tree: the parsed template.
        variables: what it may name beside `record`.

    Raises:
        BadInput: a name is unknown, or a variable is called `record`.
    """
    if RECORD in variables:
        raise BadInput("variables", f"`{RECORD}` is taken: it is the record", "Rename the variable")
    unknown = meta.find_undeclared_variables(tree) - {RECORD, *variables}
    if not unknown:
        return
    first = min(
        (name for name in tree.find_all(nodes.Name) if name.name in unknown), key=lambda name: name.lineno
    )
    known = [RECORD, *sorted(variables)]
    problem = f"line {first.lineno}: {first.name!r} is not defined; the template may name: {', '.join(known)}"
    raise BadInput(FIELD, problem, _variable_meant(first.name, known))


def _variable_meant(name: str, known: Sequence[str]) -> str:
    if name in {"ds", "ts", "logical_date", "execution_date"} or name.startswith(("data_interval_", "ds_")):
        return "This run has no logical date: trigger it with one, or pass the date in `params`"
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Columns are written {{{{ {RECORD}.{name} }}}}"


def check_columns(named: Mapping[str, int], columns: Sequence[str]) -> None:
    """Refuse columns that the data does not have.

    Args:
        named: the columns that the template names, each with the line where it does so first.
        columns: the columns of the data.

    Raises:
        BadInput: a column is not in the data.
    """
    for name, line in named.items():
        if name in columns:
            continue
        there = ", ".join(columns) or "no columns"
        problem = f"line {line}: column {name!r} is not in the data; the data has: {there}"
        raise BadInput(FIELD, problem, _column_meant(name, columns))


def _column_meant(name: str, columns: Sequence[str]) -> str:
    if name in _METHODS:
        return _LOOP
    close = difflib.get_close_matches(name, columns, 1)
    return f"Did you mean {close[0]!r}?" if close else "Name a column of the data"


def named_columns(tree: nodes.Template) -> tuple[dict[str, int], bool]:
    """The columns that are named literally, with their first line, and whether others may be read too."""
    named, literal = _literal_fields(tree, RECORD)
    mentions = _mentions(tree, RECORD)
    if any(mention.ctx != "load" for mention in mentions):
        # A loop variable or macro argument is called `record` as well: which one is meant is not decided here.
        return {}, True
    return named, len(mentions) > literal


def named_variables(tree: nodes.Template, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What of the variables the text can depend on, so that the same of it makes the same text of a record.

    Args:
        tree: the parsed template.
        variables: what it may name beside `record`.

    Returns:
        By name the variables that the template mentions; of a dict such as `params` those of its fields alone that are
        named literally, where it is mentioned in no other way.
    """
    named: dict[str, Any] = {}
    for name, value in variables.items():
        mentions = _mentions(tree, name)
        if mentions:
            fields, literal = _literal_fields(tree, name)
            only_fields = len(mentions) == literal
            named[name] = _these(fields, value) if only_fields else value
    return named


def _these(fields: Mapping[str, int], value: Any) -> Any:
    """The dict with these fields alone, where each of them is sure to be read as one."""
    if type(value) is not dict:
        return value
    # `params.items` is a dict's method, whatever fields it has, and a method may show all of them.
    if any(name not in value or hasattr(value, name) for name in fields):
        return value
    return {name: value[name] for name in sorted(fields)}


def whole_field(expression: nodes.Expr) -> str | None:
    """The column that an expression is, as it is; None where it is anything else."""
    return _literal_field(expression, RECORD)


def _mentions(tree: nodes.Template, name: str) -> list[nodes.Name]:
    """Where a name stands; a loop's variable may be called so, too."""
    return [mention for mention in tree.find_all(nodes.Name) if mention.name == name]


def _literal_fields(tree: nodes.Template, name: str) -> tuple[dict[str, int], int]:
    """The fields of what a name stands for that are named literally, with their first line, and how often any is."""
    named: dict[str, int] = {}
    literal = 0
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        field = _literal_field(node, name)
        if field is not None:
            named.setdefault(field, node.lineno)
            literal += 1
    return named, literal


def _literal_field(node: nodes.Expr, name: str) -> str | None:
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    if not isinstance(node.node, nodes.Name) or node.node.name != name:
        return None
    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None


def spelled(tree: nodes.Template) -> frozenset[str]:
    """Names that stand in the text itself: an error message that quotes only these shows no data."""
    attributes = {node.attr for node in tree.find_all(nodes.Getattr)}
    names = {node.name for node in tree.find_all(nodes.Name)}
    constants = {str(node.value) for node in tree.find_all(nodes.Const)}
    return frozenset(attributes | names | constants)
