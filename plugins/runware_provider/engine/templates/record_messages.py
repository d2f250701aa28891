"""What a record asks, as turns.

Made of a prompt (`LonePrompt`), of messages that stand in the job and are templates (`WrittenMessages`), or of messages that
stand in the record, in which nothing is a template (`GivenMessages`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from jinja2 import nodes
from jinja2.utils import consume

from runware_provider.engine.errors import BadInput
from runware_provider.engine.messages import FIELD, of_message
from runware_provider.engine.templates.bounds import LONGEST, one_rendering
from runware_provider.engine.templates.compiled import Compiled, parsed
from runware_provider.engine.templates.given_turns import given_turns
from runware_provider.engine.templates.names import FIELD as PROMPT
from runware_provider.engine.templates.names import named_variables, whole_field
from runware_provider.engine.templates.printing import check_defined
from runware_provider.engine.templates.prompt import Prompt, Skip, check_syntax, nothing_named
from runware_provider.engine.templates.sandbox import SANDBOX
from runware_provider.engine.turns import Turn, Turns, as_turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runware_provider.engine.messages import Message
    from runware_provider.engine.roles import Role

_RESULT: Final = "_messages"
_ONE_EXPRESSION: Final = "Write one expression, such as '{{ record.chat }}', or a list of messages"


class RecordMessages(Protocol):
    """What asks of a record."""

    @property
    def field(self) -> str:
        """The argument that it was made of, for messages."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that it reads."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """Of the variables, those that its turns can depend on."""

    @property
    def column(self) -> str | None:
        """The column that holds all its messages, where it is one alone."""

    def render(self, record: Mapping[str, Any]) -> Turns | Skip:
        """The turns of one record, or why it has none; it never raises."""


def record_messages(
    prompt: str | None,
    messages: tuple[Message, ...] | str | None,
    variables: Mapping[str, Any],
    columns: Sequence[str],
    *,
    max_chars: int | None = None,
) -> RecordMessages:
    """What asks of each record.

    Args:
        prompt: the template of a lone message of the user's; None where there are messages.
        messages: each with a template, or the template that gives all of them.
        variables: what the templates may name beside `record`.
        columns: the columns of the data.
        max_chars: longer conversations are skipped; by default those that no service would take.

    Raises:
        BadInput: a template is malformed, or names a variable or a column that there is not.
    """
    if prompt is not None:
        return LonePrompt(prompt, variables, columns, max_chars=max_chars)
    if isinstance(messages, str):
        return GivenMessages(messages, variables, columns, max_chars=max_chars)
    return WrittenMessages(messages or (), variables, columns, max_chars=max_chars)


def check_messages(messages: tuple[Message, ...] | str) -> None:
    """Refuse what is malformed whatever the data; a DAG file's import can afford it.

    Raises:
        BadInput: a template is malformed, or names no column.
    """
    if isinstance(messages, str):
        try:
            _expression(parsed(messages))
        except BadInput as error:
            raise _of_messages(error) from None
        return
    for number, message in enumerate(messages, start=1):
        try:
            check_syntax(message.content)
        except BadInput as error:
            raise _of_messages(error, number) from None


class LonePrompt:
    """One message of the user's; arguments and errors as for `Prompt`."""

    field = PROMPT
    column = None

    def __init__(
        self,
        template: str,
        variables: Mapping[str, Any],
        columns: Sequence[str],
        *,
        max_chars: int | None = None,
    ) -> None:
        self._prompt = Prompt(template, variables, columns, max_chars=max_chars)
        self.columns = self._prompt.columns
        self.variables = self._prompt.variables

    def render(self, record: Mapping[str, Any]) -> Turns | Skip:
        """See `RecordMessages`."""
        text = self._prompt.render(record)
        return text if isinstance(text, Skip) else as_turns(text)


class WrittenMessages:
    """Messages, each of which is a template.

    Args:
        messages: in the order in which they are sent.
        variables: what the templates may name beside `record`.
        columns: the columns of the data.
        max_chars: more characters in all are skipped.

    Raises:
        BadInput: a template is malformed, or names a variable or a column that there is not; it says of which message.
    """

    field = FIELD
    column = None

    def __init__(
        self,
        messages: Sequence[Message],
        variables: Mapping[str, Any],
        columns: Sequence[str],
        *,
        max_chars: int | None = None,
    ) -> None:
        self._max_chars = LONGEST if max_chars is None else max_chars
        self._roles: list[Role] = [message.role for message in messages]
        self._prompts = [
            self._compiled(number, message, variables, columns)
            for number, message in enumerate(messages, start=1)
        ]
        self._fixed = [_fixed(prompt) for prompt in self._prompts]
        named = [name for prompt in self._prompts for name in prompt.columns]
        self.columns = tuple(dict.fromkeys(named))
        everything = nodes.Template([node for prompt in self._prompts for node in prompt.tree.body])
        self.variables = named_variables(everything, variables)

    def _compiled(
        self, number: int, message: Message, variables: Mapping[str, Any], columns: Sequence[str]
    ) -> Prompt:
        try:
            return Prompt(message.content, variables, columns, max_chars=self._max_chars, called="message")
        except BadInput as error:
            raise _of_messages(error, number) from None

    def render(self, record: Mapping[str, Any]) -> Turns | Skip:
        """See `RecordMessages`."""
        blank = nothing_named(self.columns, record)
        if blank is not None:
            return blank
        turns: list[Turn] = []
        size = 0
        for number, content in enumerate(self._contents(record), start=1):
            if isinstance(content, Skip):
                return Skip(content.code, of_message(number, content.message))
            size += len(content)
            if size > self._max_chars:
                return Skip("too_long", f"the messages have more than {self._max_chars:,} characters")
            turns.append(Turn(self._roles[number - 1], content))
        return tuple(turns)

    def _contents(self, record: Mapping[str, Any]) -> Iterator[str | Skip]:
        for prompt, fixed in zip(self._prompts, self._fixed, strict=True):
            yield prompt.text(record) if fixed is None else fixed


class GivenMessages:
    """Messages that one expression takes from the record: a list of structs, or a list that is written as JSON.

    The expression is evaluated to a value, never to a text.

    Args:
        template: one expression, such as `{{ record.chat }}`.
        variables: what it may name beside `record`.
        columns: the columns of the data.
        max_chars: more characters in all are skipped.

    Raises:
        BadInput: it is malformed, is no one expression, or names a variable or a column that there is not.
    """

    field = FIELD

    def __init__(
        self,
        template: str,
        variables: Mapping[str, Any],
        columns: Sequence[str],
        *,
        max_chars: int | None = None,
    ) -> None:
        try:
            expression = _expression(parsed(template))
            self._compiled = Compiled(_assigning(expression), variables, columns)
        except BadInput as error:
            raise _of_messages(error) from None
        self._max_chars = LONGEST if max_chars is None else max_chars
        self.columns = self._compiled.columns
        self.variables = self._compiled.variables
        self.column = whole_field(expression)

    def render(self, record: Mapping[str, Any]) -> Turns | Skip:
        """See `RecordMessages`."""
        blank = nothing_named(self.columns, record)
        if blank is not None:
            return blank
        try:
            with one_rendering():
                return given_turns(self._value(record), self._max_chars)
        except Exception as error:  # noqa: BLE001 - a template can raise whatever its filters and values raise
            return Skip("prompt_error", self._compiled.explained(error))

    def _value(self, record: Mapping[str, Any]) -> Any:
        context = self._compiled.context(record)
        consume(self._compiled.pieces(context))  # which prints nothing, and assigns the result
        value = context.vars[_RESULT]
        check_defined(value)
        return value


def _fixed(prompt: Prompt) -> str | None:
    """The text of a template without any expression, which is the same for all records; None of any other."""
    body = prompt.tree.body
    parts = [part for node in body if isinstance(node, nodes.Output) for part in node.nodes]
    is_plain = all(isinstance(node, nodes.Output) for node in body)
    if not is_plain or not all(isinstance(part, nodes.TemplateData) for part in parts):
        return None
    text = prompt.text({})
    # A blank or an overlong text is no message. Rendered again for each record, it gives the record's `Skip`.
    return None if isinstance(text, Skip) else text


def _expression(tree: nodes.Template) -> nodes.Expr:
    """The one expression that a template consists of.

    Raises:
        BadInput: there is anything else in it, or nothing.
    """
    said: list[nodes.Expr] = []
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            raise BadInput(
                FIELD, "as a text it is one expression, and there is a statement in it", _ONE_EXPRESSION
            )
        said += [part for part in node.nodes if not _is_space(part)]
    if len(said) != 1 or isinstance(said[0], nodes.TemplateData):
        raise BadInput(
            FIELD, "as a text it is one expression, and there is something beside it", _ONE_EXPRESSION
        )
    return said[0]


def _is_space(part: nodes.Expr) -> bool:
    return isinstance(part, nodes.TemplateData) and not part.data.strip()


def _assigning(expression: nodes.Expr) -> nodes.Template:
    """A template that prints nothing, and leaves the expression's value in its context."""
    assigned = nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=expression.lineno)
    tree = nodes.Template([assigned], lineno=1)
    tree.set_environment(SANDBOX)
    return tree


def _of_messages(error: BadInput, number: int | None = None) -> BadInput:
    """The same, of the argument `messages` where it was said of a prompt."""
    if error.field not in {PROMPT, FIELD}:
        return error
    problem = error.problem if number is None else of_message(number, error.problem)
    return BadInput(FIELD, problem, error.remedy)
