"""Templates that say a text, in DAGs whose templates are rendered to objects of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import DAG, Context
    from jinja2 import Environment


def renders_objects(environment: Environment) -> bool:
    """Whether what a template says is read as Python, so that a text of digits becomes a number."""
    from jinja2.nativetypes import NativeEnvironment  # noqa: PLC0415 - Airflow imports jinja2 only when a task runs, too

    return isinstance(environment, NativeEnvironment)


def compared_texts(filters: object) -> Iterator[str]:
    """The texts that filters compare a column with, one by one, in a list or in a set."""
    match filters:
        case [str(), str(), str() as text]:
            yield text
        case [str(), str(), [*texts]]:
            yield from (text for text in texts if isinstance(text, str))
        case [str(), str(), set() | frozenset() as texts]:
            yield from (text for text in texts if isinstance(text, str))
        case [*parts]:
            for part in parts:
                yield from compared_texts(part)


def rendered_text(template: str, context: Context, dag: DAG) -> str:
    """What a template says, letter for letter."""
    return dag.get_template_env(force_sandboxed=True).from_string(template).render(context)
