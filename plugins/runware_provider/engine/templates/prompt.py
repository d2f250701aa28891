"""The prompt: a Jinja template, checked once against the data and rendered once per record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import meta, nodes

from runware_provider.engine.errors import BadInput
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
    loops_counted,
    nulls_joined_as_blanks,
    sandbox,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Prompt", "Skip"]

_TEMPLATE = Wording("prompt", "template", f"{{{{{{{{ {RECORD}.{{}} }}}}}}}}", "Mend the template")
_LOOP = f"To loop over the columns write: {{% for name, value in {RECORD} | items %}}"
_METHODS = dict.fromkeys(("items", "keys", "values"), _LOOP)
_SANDBOX = sandbox(Sandbox)


def check_syntax(template: str) -> None:
    """Refuse what is malformed whatever the data; a DAG file's import can afford it.

    Raises:
        BadInput: the template is malformed.
    """
    with syntax_refused(_TEMPLATE):
        _parse(template)


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
        with syntax_refused(_TEMPLATE):
            tree = _parse(template)
            check_variables(tree, variables, _TEMPLATE, {})
            named, whole = named_columns(tree)
            check_columns(named, columns, _TEMPLATE, _METHODS)
            compiled = _SANDBOX.from_string(tree, globals=dict(variables))
        self._rendering = Rendering(compiled, spelled(tree), whole=whole, code="prompt_error")
        self.columns: tuple[str, ...] = tuple(columns) if whole else tuple(named)
        self._max_chars = max_chars

    def render(self, record: Mapping[str, Any]) -> str | Skip:
        """The prompt of one record, or why it has none.

        Args:
            record: the record's values by column, as Arrow gives them to Python.
        """
        if self.columns and all(_blank(record.get(name)) for name in self.columns):
            return Skip("empty", f"null or blank: {', '.join(self.columns)}"[:500])
        text = self._rendering.text(record)
        if isinstance(text, Skip):
            return text
        if _blank(text):
            return Skip("empty", "the rendered prompt is blank")
        if self._max_chars is not None and len(text) > self._max_chars:
            return Skip("too_long", f"the prompt has {len(text)} characters; at most {self._max_chars}")
        return text


def _parse(template: str) -> nodes.Template:
    tree = _SANDBOX.parse(template)
    if next(iter(meta.find_referenced_templates(tree)), tree) is not tree:
        raise BadInput(
            _TEMPLATE.field,
            "the template includes, imports or extends another one",
            "Write it as one template",
        )
    nulls_joined_as_blanks(tree)
    loops_counted(tree)
    tree.set_environment(_SANDBOX)
    return tree


def _blank(value: Any) -> bool:
    if value is None:
        return True
    if type(value) is str:
        return not value or value.isspace()
    return isinstance(value, list | dict | bytes) and not value
