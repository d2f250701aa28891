"""The check of an answer that is given to Python, and stored nowhere. Pure."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runware_provider.engine.schema.written_numbers import as_doubles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from runware_provider.engine.outcome.rows import Check
    from runware_provider.engine.schema.problems import Fit


class TypedCheck:
    """Checks as another does, and gives an instance of the model, or JSON values, in the place of what Arrow takes.

    Args:
        check: of objects, or of calls.
    """

    def __init__(self, check: Check) -> None:
        self._check = check

    @property
    def arrow_type(self) -> pa.DataType:
        """As it would be stored."""
        return self._check.arrow_type

    @property
    def described(self) -> frozenset[str]:
        """As of the other."""
        return self._check.described

    @property
    def parameters(self) -> Mapping[str, frozenset[str]]:
        """As of the other."""
        return self._check.parameters

    def fit(self, value: Any) -> Fit:
        """A value for Python, or what is wrong with it."""
        fit = self._check.fit(value)
        if fit.problems:
            return fit
        typed = fit.answer if isinstance(fit.answer, BaseModel) else as_doubles(fit.answer)
        return replace(fit, value=typed)


def member_of(output_type: object, label: str) -> Any:
    """The member of an Enum that a label names, or the label where something else was asked for."""
    if isinstance(output_type, type) and issubclass(output_type, Enum):
        return output_type(label)
    return label
