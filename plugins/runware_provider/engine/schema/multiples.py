"""JSON Schema's `multipleOf` as the digits say it.

By binary fractions 19.99 is no multiple of 0.01, and a right answer would be asked for, and paid for, again.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.protocols import Validator


def is_multiple(value: float, step: float) -> bool:
    """Whether a number, as JSON writes it, is a whole number of steps.

    Args:
        value: an integer or a double.
        step: above 0.

    Raises:
        ValueError: the value is infinite or NaN.
    """
    return (_as_written(value) / _as_written(step)).denominator == 1


def _as_written(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(float.__repr__(number))


def _multiple_of(validator: Any, step: float, instance: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ARG001 - jsonschema's signature
    if validator.is_type(instance, "number") and not is_multiple(instance, step):
        yield ValidationError(f"{instance!r} is not a multiple of {step}")


DecimalValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"multipleOf": _multiple_of}
)
"""The validator of draft 2020-12 that counts in decimal digits."""
