"""What arguments are made of: frozen objects that are refused in a sentence, with the field, the value and the remedy."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from runware_provider.engine.earlier_names import renamed
from runware_provider.engine.errors import BadInput
from runware_provider.engine.plain_text import with_article

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_SHOWN = 10**30
TEMPLATED = ("budget", "failures", "memory", "approve")
"""Value objects in whose place a dict may hold templates."""


class ValueObject(BaseModel):
    """Frozen, compared by value, with a repr that is the same in every process and holds no secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,  # pydantic's error stays the context of ours
    )

    argument: ClassVar[str] = ""
    """Where a person writes it, such as `limits`, for messages."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise bad_input(error, type(self)) from None


def bad_input(error: ValidationError, kind: type[ValueObject]) -> BadInput:
    """Pydantic's first complaint as one sentence for the person who wrote the DAG."""
    first = error.errors(include_url=False)[0]
    refusal = _said(first, kind)
    if not is_template(first.get("input")):
        return refusal
    return BadInput(refusal.field, refusal.problem, template_remedy(refusal.field))


def is_template(value: object) -> bool:
    """Whether a value is a text that somebody wrote for Airflow to render."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def template_remedy(field: str) -> str:
    """What to do where a template stands in the place of a value that is checked at once."""
    argument, _, name = field.partition(".")
    return (
        f"A template stands in a dict, in an argument that is templated: {argument}={{{name!r}: '{{{{ ... }}}}'}}"
        if argument in TEMPLATED
        else "No template is rendered here: write the value itself"
    )


def _said(first: ErrorDetails, kind: type[ValueObject]) -> BadInput:
    path = [part for part in (kind.argument, *(str(part) for part in first["loc"])) if part]
    field = ".".join(path) or kind.__name__
    value, bounds = first.get("input"), first.get("ctx") or {}
    if first["type"] == "missing":
        return BadInput(field, "it is missing", "Give it; there is no default")
    if first["type"] == "extra_forbidden":
        unknown = BadInput(field, "there is no such argument", f"{kind.__name__} takes: {_fields(kind)}")
        return renamed(field) or unknown
    if first["type"] in _BOUNDS:
        problem, remedy = _BOUNDS[first["type"]]
        size = len(value) if isinstance(value, Sized) else 0
        words = {"value": shown(value), "size": size, **bounds}
        return BadInput(field, problem.format(**words), remedy.format(**words))
    problem = f"{shown(value)} does not fit"
    wanted = next((said for ending, said in _WANTED.items() if first["type"].startswith(ending)), None)
    if first["type"] == "model_type":
        wanted = f"Give {with_article(bounds['class_name'])}, or a dict of its arguments"
    return BadInput(field, problem, wanted or f"{first['msg'].rstrip('.')}")


_BOUNDS = {
    "greater_than_equal": ("{value} is too small", "Choose {ge} or more"),
    "less_than_equal": ("{value} is too large", "Choose {le} or less"),
    "greater_than": ("{value} is too small", "Choose more than {gt}"),
    "finite_number": ("{value} is no number to count with", "Give a finite number"),
    "string_too_short": ("it is empty", "Give a text, or leave it out"),
    "string_too_long": ("it has {size} characters", "Shorten it to at most {max_length}"),
    "too_long": ("it has {actual_length} entries", "Keep at most {max_length}"),
    "string_pattern_mismatch": (
        "{value} is no name that the API takes",
        "Use 1 to 64 letters, digits, hyphens and underscores",
    ),
    "literal_error": ("{value} is not one of its values", "Choose {expected}"),
}
"""Problem and remedy by pydantic's type of error."""
_WANTED = {
    "bool": "Give True or False",
    "int": "Give a whole number",
    "float": "Give a number",
    "string_unicode": "Give a text that UTF-8 can hold, without half of a surrogate pair",
    "string": "Give a text",
    "dict": "Give a dict",
    "tuple": "Give a list or a tuple",
}


def shown(value: object) -> str:
    """A value where it is short and plain; else its kind, since it may hold what no log should."""
    if isinstance(value, int) and abs(value) > MOST_SHOWN:
        return "a number of very many digits"
    if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 60):
        return repr(value)
    return with_article(type(value).__name__)


def _fields(kind: type[ValueObject]) -> str:
    return ", ".join(field.alias or name for name, field in kind.model_fields.items())
