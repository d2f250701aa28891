"""Arguments whose values are known only when the task runs: templates, results of other tasks, wishes given as text."""

from __future__ import annotations

import os
from typing import Any, Final

from runware_provider.engine.errors import BadInput
from runware_provider.engine.value_object import ValueObject, is_template


class Later:
    """Stands for an argument that a decorated function gives when the task runs."""

    def __repr__(self) -> str:
        return "<when the task runs>"


LATER: Final = Later()


def as_text(path: Any) -> Any:
    """A path as the text that the engine takes; anything else as it is."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def waits(value: object) -> bool:
    """Whether a template field gets its value only when the task runs."""
    return isinstance(value, Later) or holds_template(value)


def holds_template(value: object) -> bool:
    """Whether a template, or the result of another task, stands in a value."""
    if isinstance(value, str):
        return is_template(value)
    if isinstance(value, ValueObject):
        return any(holds_template(part) for _, part in value)
    if isinstance(value, dict):
        return any(waits(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(waits(part) for part in value)
    return is_result(value)


def is_result(value: object) -> bool:
    """Whether a value is the result of another task, which Airflow puts into a template field when the task runs."""
    # A path has a method of that name, too, and so may a class of the user's.
    return hasattr(value, "resolve") and not isinstance(value, os.PathLike | type)


def shape_waits(filters: object) -> bool:
    """Whether filters get more than the texts inside of them when the task runs."""
    if isinstance(filters, list | tuple):
        return any(shape_waits(part) for part in filters if not isinstance(part, str))
    return waits(filters)


def keys_only(partition: Any) -> Any:
    """The partition with stand-ins for the values that a template renders later."""
    if not isinstance(partition, dict):
        return {} if partition is None or waits(partition) else partition
    return {key: "later" if waits(value) else value for key, value in partition.items()}


def wished(field: str, value: object) -> bool:
    """Yes or no, also as the text that a template renders to: asking anew by mistake would be paid for.

    Raises:
        BadInput: it is neither.
    """
    said = {
        "true": True,
        "yes": True,
        "1": True,
        "false": False,
        "no": False,
        "0": False,
        "": False,
        "none": False,
    }
    wish = said.get(str(value).strip().lower())
    if wish is None or not isinstance(value, bool | str | None):
        raise BadInput(
            field,
            f"{value!r:.60} is neither yes nor no",
            "Give True, False, or a template that renders to one",
        )
    return wish
