"""What a task is mapped over, looked at while the DAG is parsed: Airflow makes the tasks themselves only when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.mappedoperator import OperatorPartial

from runware_provider.import_checks import (
    inherited,
    refuse_earlier_names,
    refuse_stored_texts,
    refuse_stray_templates,
)
from runware_provider.unstored import stored, unstored, unstored_lists

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from airflow.sdk import DAG, TaskGroup
    from airflow.sdk.definitions.mappedoperator import MappedOperator


def check_own(arguments: Mapping[str, Any]) -> None:
    """Refuse, of the arguments that all mapped tasks share, what a task that is not mapped would refuse of them.

    Args:
        arguments: by name, wrapped or not.

    Raises:
        BadInput: a template, or the result of another task, stands where Airflow renders none.
    """
    refuse_stray_templates({name: stored(value) for name, value in arguments.items()})


def check_inherited(
    given: Iterable[str], taken: Container[str], dag: DAG | None, group: TaskGroup | None
) -> None:
    """Refuse, of the `default_args` around a mapped task, what a task that is not mapped would refuse of them.

    Args:
        given: the names of the task's own arguments, mapped or not.
        taken: those that the operator has.
        dag: of the task.
        group: of the task.

    Raises:
        BadInput: a name is an earlier one, a text would be stored, or a template stands where Airflow renders none.
    """
    defaults = inherited(dag, group)
    refuse_earlier_names(defaults, taken)
    refuse_stored_texts(dag)
    own = set(given)
    check_own({name: value for name, value in defaults.items() if name not in own})


class AskingPartial(OperatorPartial):
    """What `partial` of an operator of ours returns: as Airflow's, with arguments refused and texts kept out of its database."""

    taken: Container[str] = ()
    """The names of the operator's arguments."""

    @classmethod
    def of(cls, made: OperatorPartial, taken: Container[str]) -> AskingPartial:
        """The same, of what Airflow has made."""
        made._expand_called = True  # noqa: SLF001 - or Airflow warns that it was never mapped
        partial = cls(operator_class=made.operator_class, kwargs=made.kwargs, params=made.params)
        partial.taken = taken
        return partial

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """As every operator's.

        Raises:
            BadInput: an argument cannot work.
        """
        self._check(mapped_kwargs)
        for name, values in mapped_kwargs.items():
            # Another task may return all values; within a list, Airflow puts no result into what it does not render.
            for value in values if isinstance(values, list | tuple) else ():
                refuse_stray_templates({name: value})
        return super().expand(**unstored_lists(mapped_kwargs))

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """As every operator's.

        Raises:
            BadInput: an argument that is known now cannot work.
        """
        if not isinstance(kwargs, list | tuple):
            self._check({})
            return super().expand_kwargs(kwargs, strict=strict)
        for each in kwargs:
            mapped = each if isinstance(each, dict) else {}
            self._check(mapped)
            refuse_stray_templates(mapped)
        listed = [unstored(each) if isinstance(each, dict) else each for each in kwargs]
        return super().expand_kwargs(listed, strict=strict)

    def _check(self, mapped: Mapping[str, Any]) -> None:
        self._expand_called = True  # what is refused needs no warning besides
        refuse_earlier_names(mapped, self.taken)
        check_own(self.kwargs)
        check_inherited(
            [*self.kwargs, *mapped], self.taken, self.kwargs.get("dag"), self.kwargs.get("task_group")
        )
