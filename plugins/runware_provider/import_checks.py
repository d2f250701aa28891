"""Arguments that fail the DAG's import for how they are given.

Airflow would drop them without a word, store them in its database, or leave a template in them as it stands. The DAG processor imports this module at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from runware_provider import lookup
from runware_provider.engine.earlier_names import renamed
from runware_provider.engine.errors import BadInput
from runware_provider.engine.settings import Settings
from runware_provider.engine.value_object import is_template, shown
from runware_provider.unstored import PRIVATE
from runware_provider.values_of_a_run import holds_template, is_result

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from airflow.sdk import DAG, TaskGroup

_NEVER_RENDERED: Final = (
    "samples",
    "tool_choice",
    "answers",
    "publish",
    "limits",
    "delivery",
    "webhook",
    "report",
    "deferrable",
)
"""Arguments that Airflow does not render, and that never need two braces: whoever writes them there means a template."""
_RESOLVED_NOWHERE: Final = ("messages", "system_prompt", "output_type", "tools", "settings")
"""Arguments that Airflow does not render either. Their texts are sent as they are, so that braces in them are allowed."""
_FILES: Final = {
    "prompt": lookup.PROMPT_ENDINGS,
    "messages": lookup.MESSAGES_ENDINGS,
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


def refuse_stored_texts(dag: DAG | None) -> None:
    """Refuse texts that stand in the DAG's `default_args`, which Airflow stores in its database as they are.

    It does so whether or not a task takes them from there. Those of a `TaskGroup`, or of the task itself, it does not store.

    Args:
        dag: of the task.

    Raises:
        BadInput: there is one.
    """
    of_the_dag = dag.default_args if dag is not None else {}
    for name in PRIVATE:
        value = of_the_dag.get(name)
        if value is not None and _holds_text(name, value):
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
        BadInput: one of them holds one, or settings are no settings; it says what to do instead.
    """
    for name in _NEVER_RENDERED:
        if holds_template(given.get(name)):
            raise _not_rendered(name)
    for name in _RESOLVED_NOWHERE:
        if is_result(given.get(name)):
            raise _not_rendered(name)
    settings = given.get("settings")
    # As a whole it is a template; within it, only the texts may hold braces.
    if is_template(settings) or holds_template(_numbers(settings)):
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
    """The settings that are no texts of the user's: a stop sequence may be made of braces.

    Raises:
        BadInput: they are neither a `Settings` nor a dict.
    """
    if settings is None:
        return {}
    if not isinstance(settings, Mapping | Settings):
        problem = f"{shown(settings)} does not fit"
        raise BadInput("settings", problem, "Give a Settings, or a dict of its arguments")
    return {name: value for name, value in dict(settings).items() if name not in _TEXTS_OF_SETTINGS}


def _holds_text(name: str, value: Any) -> bool:
    """Whether a private argument holds a text of the user's; settings may be numbers alone."""
    if name != "settings":
        return True
    if not isinstance(value, Mapping | Settings):
        return isinstance(value, str)
    return any(dict(value).get(part) for part in _TEXTS_OF_SETTINGS)
