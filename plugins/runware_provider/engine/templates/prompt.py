"""The prompt: a Jinja template, checked once against the data and rendered once per record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import meta, nodes

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.errors import BadInput
from runware_provider.engine.templates.bounds import LONGEST, one_rendering
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
    from collections.abc import Mapping, Sequence

SkipCode = Literal["empty", "too_long", "too_many_tokens", "prompt_error"]


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that is not sent, and why.

    The message names columns, lines and kinds of errors, never what the record holds.
    """

    code: SkipCode
    message: str


def check_syntax(template: str) -> None:
    """Refuse what is malformed whatever the data; a DAG file's import can afford it.

    Raises:
        BadInput: the template is malformed.
    """
    with syntax_refused():
        _parse(template)


class Prompt:
    """A compiled template.

    `columns` are the columns that the template names, in its order; all columns where that cannot be known
    before rendering, as with `record[name]`, a loop over `record`, or `record` handed on as a whole. `variables` are
    those of the given ones that the text can depend on (`names.named_variables`).

    Args:
        template: the template's text.
        variables: what it may name beside `record`.
        columns: the columns of the data.
        max_chars: longer prompts are skipped; by default those that no service would take.

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
        with syntax_refused():
            tree = _parse(template)
            check_variables(tree, variables)
            named, self._whole = named_columns(tree)
            check_columns(named, columns)
            self.variables = named_variables(tree, variables)
            self._template = SANDBOX.from_string(tree, globals=dict(variables))
        # Jinja chains the sandbox's globals and the template's, and goes through the chain for each prompt.
        self._template.globals = dict(self._template.globals)
        self._words = spelled(tree)
        self.columns: tuple[str, ...] = tuple(columns) if self._whole else tuple(named)
        self._max_chars = LONGEST if max_chars is None else max_chars

    def render(self, record: Mapping[str, Any]) -> str | Skip:
        """The prompt of one record, or why it has none; it never raises.

        Args:
            record: the record's values by column, as Arrow gives them to Python.
        """
        if self.columns and all(_blank(record.get(name)) for name in self.columns):
            return Skip("empty", f"null or blank: {', '.join(self.columns)}"[:500])
        try:
            with one_rendering():
                text = self._text(record)
        except Exception as error:  # noqa: BLE001 - a template can raise whatever its filters and values raise
            return Skip("prompt_error", explained(error, self._template, self._words))
        if text is None:
            return Skip("too_long", f"the prompt has more than {self._max_chars:,} characters")
        if _blank(text):
            return Skip("empty", "the rendered prompt is blank")
        # The API would refuse it, and with it each task of the same request.
        if not is_encodable(text):
            return Skip(
                "prompt_error", "the rendered prompt holds half of a surrogate pair, which UTF-8 cannot hold"
            )
        return text

    def _text(self, record: Mapping[str, Any]) -> str | None:
        """The rendered text; None, and rendered no further, where it is too long."""
        # Template.generate would rewrite the traceback of an error, which costs more than the prompt.
        context = self._template.new_context({RECORD: row_of(record, whole=self._whole)})
        pieces, size = [], 0
        for piece in self._template.root_render_func(context):
            pieces.append(piece)
            size += len(piece)
            if size > self._max_chars:
                return None
        return "".join(pieces)


def _parse(template: str) -> nodes.Template:
    tree = SANDBOX.parse(template)
    if next(iter(meta.find_referenced_templates(tree)), tree) is not tree:
        raise BadInput(
            FIELD, "the template includes, imports or extends another one", "Write it as one template"
        )
    tree = prepared(tree)
    tree.set_environment(SANDBOX)
    return tree


def _blank(value: Any) -> bool:
    if value is None:
        return True
    if type(value) is str:
        return not value or value.isspace()
    return isinstance(value, list | dict | bytes) and not value
