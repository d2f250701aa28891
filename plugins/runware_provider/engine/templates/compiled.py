"""One compiled template, checked against the data, whatever is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import meta, nodes

from runware_provider.engine.errors import BadInput
from runware_provider.engine.templates.names import (
    FIELD,
    RECORD,
    check_columns,
    check_variables,
    named_columns,
    named_variables,
    spelled,
    syntax_refused,
)
from runware_provider.engine.templates.rendering_errors import explained
from runware_provider.engine.templates.sandbox import SANDBOX, prepared, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jinja2.runtime import Context


class Compiled:
    """A template, ready to be rendered.

    `columns` are the columns that the template names, in its order; all columns where that cannot be known
    before rendering, as with `record[name]`, a loop over `record`, or `record` handed on as a whole. `variables` are
    those of the given ones that the result can depend on (`names.named_variables`).

    Args:
        tree: what `parsed` returned, or a tree made of that.
        variables: what it may name beside `record`.
        columns: the columns of the data.

    Raises:
        BadInput: it cannot be compiled, or names a variable or a column that there is not.
    """

    def __init__(self, tree: nodes.Template, variables: Mapping[str, Any], columns: Sequence[str]) -> None:
        with syntax_refused():
            check_variables(tree, variables)
            named, self._whole = named_columns(tree)
            check_columns(named, columns)
            self.variables = named_variables(tree, variables)
            self._template = SANDBOX.from_string(tree, globals=dict(variables))
        # Jinja chains the sandbox's globals and the template's, and goes through the chain for each record.
        self._template.globals = dict(self._template.globals)
        self._words = spelled(tree)
        self.tree = tree
        self.columns: tuple[str, ...] = tuple(columns) if self._whole else tuple(named)

    def context(self, record: Mapping[str, Any]) -> Context:
        """What one record is rendered with."""
        return self._template.new_context({RECORD: row_of(record, whole=self._whole)})

    def pieces(self, context: Context) -> Iterator[str]:
        """The rendered text, piece by piece."""
        # Template.generate would rewrite the traceback of an error, which costs more than the prompt.
        return self._template.root_render_func(context)

    def explained(self, error: Exception) -> str:
        """What went wrong while it was rendered, in words that hold nothing of the record."""
        return explained(error, self._template, self._words)


def parsed(template: str) -> nodes.Template:
    """The template's tree, as the sandbox renders it.

    Raises:
        BadInput: the template is malformed, or takes in another one.
    """
    with syntax_refused():
        tree = SANDBOX.parse(template)
        if next(iter(meta.find_referenced_templates(tree)), tree) is not tree:
            raise BadInput(
                FIELD, "the template includes, imports or extends another one", "Write it as one template"
            )
        tree = prepared(tree)
        tree.set_environment(SANDBOX)
        return tree


def is_blank(value: Any) -> bool:
    """Whether a value says nothing: it is null, or an empty or blank text, list or struct."""
    if value is None:
        return True
    if type(value) is str:
        return not value or value.isspace()
    return isinstance(value, list | dict | bytes) and not value
