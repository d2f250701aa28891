"""The shape of `filters`; no heavy imports, so DAG files may import it.

The convention is that of pyarrow, pandas and Dask: a list of tuples `(column, operator, value)`, all of which must
hold, or a list of such lists, one of which must. `("column", "is null")` and `("column", "is not null")` are ours.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

from runware_provider.engine.errors import BadInput
from runware_provider.engine.plain_text import with_article

Filter: TypeAlias = tuple[str, str] | tuple[str, str, Any]
"""A column, an operator and, except for the two that ask for nulls, a value."""
Filters: TypeAlias = tuple[tuple[Filter, ...], ...]
"""Alternatives, one of which must hold as a whole: an OR of ANDs. None at all choose every record."""

FIELD: Final = "filters"
COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
MEMBERSHIPS: Final = ("in", "not in")
NULL_TESTS: Final = ("is null", "is not null")

_EXAMPLE = 'Write a list of tuples, like [("country", "==", "de"), ("total", ">", 100)]'


def normal_form(filters: object) -> Filters:
    """Return filters as an OR of ANDs, with `=` as `==` and operators in small letters.

    Args:
        filters: a list of filters, or a list of lists of filters; None is no filter.

    Raises:
        BadInput: they have another shape, an unknown operator, or a value that nothing can be compared with.
    """
    if filters is None:
        return ()
    if not isinstance(filters, list | tuple):
        raise BadInput(FIELD, f"{with_article(type(filters).__name__)} is no list of filters", _EXAMPLE)
    if _is_filter(filters):
        raise BadInput(
            FIELD, "it is one filter, not a list of filters", f"Put it into a list: [{filters!r:.80}]"
        )
    if not filters:
        return ()
    if any(_is_filter(part) for part in filters):
        return (tuple(_checked(part) for part in filters),)
    return tuple(_alternative(part) for part in filters)


def shown(part: object) -> str:
    """Return a filter as the user wrote it, cut to a length that fits a message."""
    written = repr(part)
    return written if len(written) <= 120 else f"{written[:117]}..."


def _is_filter(part: object) -> bool:
    return isinstance(part, list | tuple) and bool(part) and isinstance(part[0], str)


def _alternative(part: object) -> tuple[Filter, ...]:
    if not isinstance(part, list | tuple) or not part:
        raise BadInput(FIELD, f"{shown(part)} is neither a filter nor a list of filters", _EXAMPLE)
    return tuple(_checked(one) for one in part)


def _checked(part: Any) -> Filter:
    """Return a filter with its operator in the usual spelling."""
    if not _is_filter(part) or len(part) not in {2, 3} or not isinstance(part[1], str):
        raise BadInput(FIELD, f"{shown(part)} is no filter", 'Write it like ("total", ">", 100)')
    column, operator = part[0], " ".join(part[1].lower().split())
    operator = "==" if operator == "=" else operator
    if operator in NULL_TESTS and len(part) == 2:
        return column, operator
    if operator in NULL_TESTS:
        raise BadInput(FIELD, f"{shown(part)} has a value", f'Write ("{column}", "{operator}")')
    if operator not in {*COMPARISONS, *MEMBERSHIPS}:
        known = ", ".join((*COMPARISONS, *MEMBERSHIPS, *NULL_TESTS))
        raise BadInput(FIELD, f"{shown(part)} has an unknown operator", f"There are: {known}")
    if len(part) == 2:
        raise BadInput(FIELD, f"{shown(part)} has no value", f'Write it like ("{column}", "{operator}", ...)')
    if operator in MEMBERSHIPS:
        return column, operator, _members(part)
    return column, operator, _single_value(part, part[2])


def _members(part: Any) -> tuple[Any, ...]:
    values = part[2]
    if isinstance(values, set | frozenset):
        values = sorted(values, key=repr)
    if not isinstance(values, list | tuple):
        raise BadInput(
            FIELD,
            f"{shown(part)} has no list behind {part[1]!r}",
            f'Write it like ("{part[0]}", "in", ["a", "b"])',
        )
    if not values:
        raise BadInput(FIELD, f"{shown(part)} has an empty list", "Name a value, or leave the filter out")
    return tuple(_single_value(part, value) for value in values)


def _single_value(part: Any, written: Any) -> Any:
    """Return a value to compare with, a number of numpy as Python's."""
    is_numpy_number = getattr(getattr(written, "dtype", None), "kind", None) in set("biuf")
    value = written.item() if is_numpy_number and written.ndim == 0 else written
    if value is None:
        raise BadInput(
            FIELD,
            f"{shown(part)} compares with None, and a null matches no comparison",
            f'Ask for nulls with ("{part[0]}", "is null") or ("{part[0]}", "is not null")',
        )
    if isinstance(value, float) and math.isnan(value):
        raise BadInput(FIELD, f"{shown(part)} compares with NaN, which equals nothing", "Give a number")
    if isinstance(value, list | tuple | dict | set | frozenset):
        raise BadInput(
            FIELD,
            f"{shown(part)} compares with {with_article(type(value).__name__)}",
            "Give a single value, or a list of them behind `in`",
        )
    return value
