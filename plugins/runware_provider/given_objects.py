"""Arguments of an operator that are value objects, and that Airflow renders: they are kept as dicts.

Airflow renders, stores and shows a dict by itself. It could render one of the engine's objects only through a method that
knows Airflow's templates, and the engine knows no Airflow. A dict also takes what such an object refuses: a template, or the
result of another task, in the place of a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.approval import Approve, spelt_out
from runware_provider.engine.earlier_names import NOW, as_written
from runware_provider.engine.errors import BadInput
from runware_provider.engine.plain_text import with_article
from runware_provider.engine.spec import Budget, Failures, Memory
from runware_provider.values_of_a_run import as_text, waits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.value_object import ValueObject

RENDERED: Final[Mapping[str, type[ValueObject]]] = {
    "budget": Budget,
    "failures": Failures,
    "memory": Memory,
    "approve": Approve,
}
"""Arguments that are value objects and template fields."""
TEXT_FIELDS: Final[Mapping[str, str]] = {"failures": "dataset", "memory": "state"}
"""By argument of `RENDERED`: its field that is a text, and stays one where Airflow renders templates to Python's objects."""
_STAND_INS: Final = {"usd": 1, "tokens": 1}
"""Valid values for what a template renders later, where an object needs one of them."""


def as_rendered(argument: str, value: Any) -> Any:
    """An argument of `RENDERED` as a dict of the fields that were given; None and a result of another task as they are.

    Raises:
        BadInput: it is something else.
    """
    kind = RENDERED[argument]
    if argument == "approve":
        value = spelt_out(value)
    if value is None:
        return None
    if isinstance(value, dict):
        return {name: as_text(part) for name, part in value.items()}
    if isinstance(value, kind):
        return {name: getattr(value, name) for name in kind.model_fields if name in value.model_fields_set}
    if isinstance(value, str) or not waits(value):
        # A number was never `failures`, and means how many of them there may be.
        before = NOW.get(
            "max_failed" if argument == "failures" and isinstance(value, int | float) else argument
        )
        remedy = f"Give {with_article(kind.__name__)}, or a dict of its arguments"
        if argument == "approve":
            remedy = "Give True, an amount in USD, an Approve, or a dict of its arguments"
        if before is not None:
            remedy = f"Write {as_written(before)}"
        raise BadInput(argument, f"{with_article(type(value).__name__)} is no {kind.__name__}", remedy)
    return value


def rendered_budget(value: Any) -> Any:
    """A rendered budget without the bounds that a template left empty, as a trigger form may; None where it has none left."""
    if not isinstance(value, dict):
        return value
    bounds = {name: bound for name, bound in value.items() if not (name in _STAND_INS and _is_nothing(bound))}
    return bounds if any(name in bounds for name in _STAND_INS) else None


def _is_nothing(rendered: object) -> bool:
    return rendered is None or str(rendered).strip().lower() in {"", "none"}


def rendered_approve(value: Any) -> Approve | None:
    """The approval that a rendered argument asks for; None where nobody is to be asked.

    Raises:
        BadInput: a value cannot work.
    """
    fields = as_rendered("approve", value)
    return None if fields is None else Approve(**fields)


def known_now(argument: str, value: Mapping[str, Any]) -> ValueObject:
    """An argument of `RENDERED` as far as no rendering changes it.

    Raises:
        BadInput: there is no such field, or its value cannot work.
    """
    later = {name for name, part in value.items() if waits(part)}
    kind = RENDERED[argument]
    unknown = {name: None for name in value if name not in kind.model_fields}
    stand_ins = {name: stand_in for name, stand_in in _STAND_INS.items() if name in later}
    known = {name: part for name, part in value.items() if name not in later}
    return kind(**known | stand_ins | unknown)
