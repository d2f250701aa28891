"""The prompt: a Jinja template, checked once against the data and rendered once per record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.templates.bounds import LONGEST, one_rendering
from runware_provider.engine.templates.compiled import Compiled, is_blank, parsed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import nodes

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
    parsed(template)


def nothing_named(columns: Sequence[str], record: Mapping[str, Any]) -> Skip | None:
    """Why a record says nothing: all columns that are named are null or blank in it."""
    if columns and all(is_blank(record.get(name)) for name in columns):
        return Skip("empty", f"null or blank: {', '.join(columns)}"[:500])
    return None


class Prompt:
    """A template that gives a text.

    `columns` and `variables` are those of `Compiled`.

    Args:
        template: the template's text.
        variables: what it may name beside `record`.
        columns: the columns of the data.
        max_chars: longer prompts are skipped; by default those that no service would take.
        called: what the text is, for the messages.

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
        called: str = "prompt",
    ) -> None:
        self._compiled = Compiled(parsed(template), variables, columns)
        self.columns = self._compiled.columns
        self.variables = self._compiled.variables
        self._max_chars = LONGEST if max_chars is None else max_chars
        self._called = called

    @property
    def tree(self) -> nodes.Template:
        """The template's tree."""
        return self._compiled.tree

    def render(self, record: Mapping[str, Any]) -> str | Skip:
        """The prompt of one record, or why it has none; it never raises.

        Args:
            record: the record's values by column, as Arrow gives them to Python.
        """
        return nothing_named(self.columns, record) or self.text(record)

    def text(self, record: Mapping[str, Any]) -> str | Skip:
        """The same, also of a record whose columns are blank."""
        try:
            with one_rendering():
                text = self._rendered(record)
        except Exception as error:  # noqa: BLE001 - a template can raise whatever its filters and values raise
            return Skip("prompt_error", self._compiled.explained(error))
        if text is None:
            return Skip("too_long", f"the {self._called} has more than {self._max_chars:,} characters")
        if is_blank(text):
            return Skip("empty", f"the rendered {self._called} is blank")
        # The API would refuse it, and with it each task of the same request.
        if not is_encodable(text):
            return Skip(
                "prompt_error",
                f"the rendered {self._called} holds half of a surrogate pair, which UTF-8 cannot hold",
            )
        return text

    def _rendered(self, record: Mapping[str, Any]) -> str | None:
        """The rendered text; None, and rendered no further, where it is too long."""
        pieces, size = [], 0
        for piece in self._compiled.pieces(self._compiled.context(record)):
            pieces.append(piece)
            size += len(piece)
            if size > self._max_chars:
                return None
        return "".join(pieces)
