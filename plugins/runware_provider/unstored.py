"""Arguments that Airflow must not store in a serialized DAG as they are: prompts, schemas, tools, settings."""

from __future__ import annotations

import hashlib
import inspect
import json
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIVATE: Final = ("prompt", "messages", "system_prompt", "output_type", "tools", "settings")
"""Arguments that may hold what no serialized DAG should."""


class Unstored:
    """An argument of a mapped task, which Airflow would store as it is in the serialized DAG.

    It stores a class by its source, labels and descriptions included, and what it does not know by `str()`, so a
    digest stands there: another text is another DAG version.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        named = isinstance(self.value, type)
        text = _source_of(self.value) if named else json.dumps(self.value, default=_told)
        name = f"class {self.value.__name__}" if named else type(self.value).__name__
        return f"<{name} {hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}>"


def _source_of(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):  # made by a function, or typed into a prompt
        return f"{cls.__module__}.{cls.__qualname__}"


def _told(value: Any) -> Any:
    """What is no JSON, for the digest; a message's text, which its `str` does not show, counts as well."""
    return value.model_dump() if isinstance(value, Message) else str(value)


def stored(value: Any) -> Any:
    """The argument itself, wrapped or not."""
    return value.value if isinstance(value, Unstored) else value


def unstored(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with those wrapped that may hold what no serialized DAG should."""
    given = {name: arguments[name] for name in PRIVATE if arguments.get(name) is not None}
    hidden = {name: Unstored(value) for name, value in given.items() if not isinstance(value, Unstored)}
    return {**arguments, **hidden}


def unstored_lists(mapped: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a task is mapped over, each a list of values, wrapped in the same way; a result of another task as it is."""
    lists = {name: values for name, values in mapped.items() if isinstance(values, list | tuple)}
    rows = {name: [unstored({name: value})[name] for value in values] for name, values in lists.items()}
    return {**mapped, **rows}
