"""What fails the DAG's import for how an argument is given, whatever its value: where Airflow would store it, render nothing, or drop it.

The DAG processor imports this module at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider import lookup
from runware_provider.engine.earlier_names import renamed
from runware_provider.engine.errors import BadInput
from runware_provider.unstored import PRIVATE
from runware_provider.values_of_a_run import holds_template, is_result

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from airflow.sdk import DAG, TaskGroup

_NEVER_RENDERED: Final = (
    "samples",
    "tool_choice",
    "answers",
    "publish",
    "limits",
    "delivery",
    "report",
    "deferrable",
)
"""Arguments that are no template fields, and in which two braces can only be meant as a template."""
_RESOLVED_NOWHERE: Final = ("system_prompt", "output_type", "tools", "settings")
"""Those that are none either, but whose texts may hold braces: they are sent as they are."""
_FILES: Final = {
    "prompt": lookup.PROMPT_ENDINGS,
    "system_prompt": lookup.SYSTEM_PROMPT_ENDINGS,
    "output_type": lookup.SCHEMA_ENDINGS,
}
"""Arguments that may be the name of a file, by how that ends."""
_TEXTS_OF_SETTINGS: Final = ("stop_sequences", "extra")
_WHEN_IT_RUNS: Final = (
    "Write the value itself; or let a function return it when the task runs, with @task.text_inference"
)


def refuse_earlier_names(given: Iterable[str], taken: Container[str]) -> None:
    """Refuse arguments, and `default_args`, that are called otherwise by now: Airflow would drop the latter in silence.

    Args:
        given: their names.
        taken: those that the operator has.

    Raises:
        BadInput: one of them is; it says what to write.
    """
    for name in given:
        refusal = None if name in taken else renamed(name)
        if refusal is not None:
            raise refusal


def inherited(dag: DAG | None, group: TaskGroup | None) -> dict[str, Any]:
    """The `default_args` around a task, as Airflow merges them."""
    of_the_dag = dag.default_args if dag is not None else {}
    of_the_group = group.default_args if group is not None else {}
    return {**of_the_dag, **of_the_group}


def refuse_stored_texts(given: Mapping[str, Any], dag: DAG | None) -> None:
    """Refuse texts that stand in the DAG's `default_args`, which Airflow stores in its database as they are.

    Those of a `TaskGroup`, or of the task itself, it does not store.

    Args:
        given: the task's arguments; those that it inherits are the very objects of the DAG's `default_args`.
        dag: of the task.

    Raises:
        BadInput: one of the task's texts comes from there.
    """
    of_the_dag = dag.default_args if dag is not None else {}
    for name in PRIVATE:
        value = of_the_dag.get(name)
        if value is not None and given.get(name) is value and _holds_text(name, value):
            raise BadInput(
                name,
                "it stands in the DAG's default_args, which Airflow stores in its database as they are",
                "Give it to the task, or to the default_args of a TaskGroup, which are not stored",
            )


def refuse_stray_templates(given: Mapping[str, Any]) -> None:
    """Refuse templates, and results of other tasks, in arguments that Airflow does not render: the task would fail of them.

    Args:
        given: arguments of the operator.

    Raises:
        BadInput: one of them holds one; it says what to do instead.
    """
    for name in _NEVER_RENDERED:
        if holds_template(given.get(name)):
            raise _not_rendered(name)
    for name in _RESOLVED_NOWHERE:
        if is_result(given.get(name)):
            raise _not_rendered(name)
    if holds_template(_numbers(given.get("settings"))):
        raise _not_rendered("settings")
    for name, endings in _FILES.items():
        value = given.get(name)
        if lookup.names_a_file(value, endings) and holds_template(value):
            raise BadInput(
                name,
                "it is the name of a file with a template in it, and Airflow renders no template there",
                _WHEN_IT_RUNS,
            )


def _not_rendered(name: str) -> BadInput:
    return BadInput(
        name,
        "it holds a template, or the result of another task, and Airflow renders neither there",
        _WHEN_IT_RUNS,
    )


def _numbers(settings: Any) -> dict[str, Any]:
    """The settings that are no texts of the user's: a stop sequence may be made of braces."""
    parts = dict(settings) if settings is not None and not is_result(settings) else {}
    return {name: value for name, value in parts.items() if name not in _TEXTS_OF_SETTINGS}


def _holds_text(name: str, value: Any) -> bool:
    """Whether a private argument holds a text of the user's; settings may be numbers alone."""
    if name != "settings":
        return True
    return any(dict(value).get(part) for part in _TEXTS_OF_SETTINGS)
