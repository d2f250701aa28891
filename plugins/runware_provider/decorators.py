"""`@task.text_inference`: a function says what to ask, at the time the task runs.

The wheel registers the decorator with Airflow. Where the package was copied into the plugins folder, nothing
registers it: `from runware_provider.decorators import text_inference_task`, and write `@text_inference_task(...)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from runware_provider.asking_task import SPEC_ARGUMENTS
from runware_provider.engine.earlier_names import renamed
from runware_provider.engine.errors import BadInput
from runware_provider.engine.plain_text import with_article
from runware_provider.engine.spec import Spec
from runware_provider.given_objects import RENDERED, as_rendered
from runware_provider.import_checks import refuse_earlier_names
from runware_provider.mapped_arguments import check_inherited, check_own
from runware_provider.mapped_tasks import PLACE
from runware_provider.operators import TextInferenceOperator
from runware_provider.unstored import unstored
from runware_provider.values_of_a_run import LATER, Later, as_text, waits

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

NEEDED: Final = ("source", "destination", "prompt")
_BESIDE_A_SPEC: Final = ("runware_conn_id", "approve")
"""What a decorator may say beside a whole `Spec`: who pays, and who has to agree to it."""
_INSTEAD: Final = {"prompt": "messages", "messages": "prompt"}
"""What is asked is said in one of two ways: whichever the function returns, it precedes the other."""
ARGUMENTS: Final = frozenset(inspect.signature(TextInferenceOperator.__init__).parameters) - {
    "self",
    "kwargs",
    "retry_policy",
}
"""What a function may return a value for: the operator's own arguments, and none of Airflow's."""


class TextInferenceDecoratedOperator(DecoratedOperator, TextInferenceOperator):
    """Asks the function what to ask, then does what `TextInferenceOperator` does.

    Args:
        python_callable: called in the task, with its arguments as in every TaskFlow task. It returns the
            prompt's template (or its `.j2` file), a list of messages, a dict of the operator's arguments, or a whole `Spec`.
            What it returns precedes what the decorator was given, and is final: Airflow renders nothing in it.
        source, destination, prompt: may be left out, if the function returns them, or messages in the prompt's place.
        kwargs: everything else that the operator takes.

    Raises:
        BadInput: an argument cannot work, or the function returns none of these.
    """

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *TextInferenceOperator.template_fields,
    )
    custom_operator_name = "@task.text_inference"
    overwrite_rtif_after_execution = True
    """So that Airflow's page of rendered fields shows what the function chose."""

    _whole: Spec | None = None

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        source: str | os.PathLike[str] | object = LATER,
        destination: str | os.PathLike[str] | object = LATER,
        prompt: str | object = LATER,
        **kwargs: Any,
    ) -> None:
        needed: dict[str, Any] = dict(zip(NEEDED, (source, destination, prompt), strict=True))
        super().__init__(python_callable=python_callable, **needed, **kwargs)
        self._given = sorted(
            {name for name, value in needed.items() if not isinstance(value, Later)}
            | ARGUMENTS & kwargs.keys()
        )
        if self.is_async:
            raise BadInput(
                f"the function {python_callable.__name__!r}",
                "it is async, and this task has nothing to await it in",
                "Write it with a plain def",
            )

    def carry_out(self, context: Context) -> dict[str, Any]:
        """Call the function, then run the job; returns the manifest's summary.

        Raises:
            BadInput: what the function returned cannot work; nothing was sent, nothing is paid.
        """
        self._take(self._asked(context))
        return super().carry_out(context)

    def make_spec(self, context: Context) -> Spec:
        """What this task instance asks for; a `Spec` that the function returned gets the run's variables beside."""
        if self._whole is None:
            return super().make_spec(context)
        return self.of_this_run(self._whole, context)

    def _asked(self, context: Context) -> Any:
        """What the function returns.

        A method of its own, so that no frame of `carry_out` holds what the function was called with: where local
        variables are shown beside an error, a job that fails later shows none of them.
        """
        variables = {**context, **self.op_kwargs}
        return self.python_callable(*self.op_args, **self.determine_kwargs(variables))

    def _take(self, returned: Any) -> None:
        if isinstance(returned, Spec):
            self._take_whole(returned)
        elif isinstance(returned, str):
            self._take_arguments({"prompt": returned})
        elif isinstance(returned, list):
            self._take_arguments({"messages": returned})
        elif isinstance(returned, Mapping):
            self._take_arguments(returned)
        else:
            raise BadInput(
                self._name_of_function(),
                f"it returned {with_article(type(returned).__name__)}",
                "Return the prompt as a text, a list of messages, a dict of the operator's arguments, or a Spec",
            )

    def _take_whole(self, spec: Spec) -> None:
        beside = [name for name in self._given if name not in _BESIDE_A_SPEC]
        if beside:
            raise BadInput(
                self._name_of_function(),
                f"it returned a whole Spec, and the decorator has {', '.join(beside)} besides",
                "Put them into the Spec, or return a dict of arguments",
            )
        self._whole = spec
        self._given_place = dict.fromkeys(PLACE, LATER)

    def _take_arguments(self, returned: Mapping[str, Any]) -> None:
        for name in returned.keys() & _INSTEAD.keys():
            setattr(self, _INSTEAD[name], None)
        for name, given in returned.items():
            if name not in ARGUMENTS:
                raise self._no_argument(name)
            value = as_rendered(name, given) if name in RENDERED else as_text(given)
            if name in TextInferenceOperator.template_fields and waits(value):
                raise BadInput(
                    f"{name}, as {self._name_of_function()} returned it",
                    "it holds a template, and nothing renders what a function returns",
                    "Take the value from the function's arguments (ds, params, run_id), or give the template"
                    " to the decorator",
                )
            setattr(self, name, value)
            if name in PLACE:  # the function is called for each of the mapped tasks
                self._given_place[name] = LATER
        missing = [name for name in NEEDED if isinstance(getattr(self, name), Later)]
        if missing:
            raise BadInput(
                missing[0],
                f"neither the decorator nor {self._name_of_function()} gives it",
                "Give it to one of them",
            )
        self._check_what_is_known()

    def _no_argument(self, name: str) -> BadInput:
        now = renamed(name)
        return BadInput(
            self._name_of_function(),
            f"it returned {name!r}, which is no argument of the operator",
            f"It takes: {', '.join(sorted(ARGUMENTS))}" if now is None else now.remedy,
        )

    def _name_of_function(self) -> str:
        return f"the function {self.python_callable.__name__!r}"


def text_inference_task(
    python_callable: Callable[..., Any] | None = None, *, multiple_outputs: bool = False, **kwargs: Any
) -> TaskDecorator:
    """Make a function the task that asks a model about every row; `@task.text_inference` is this.

    Args:
        python_callable: the function; see `TextInferenceDecoratedOperator`.
        multiple_outputs: whether each entry of the summary becomes an XCom of its own, too. What the function's
            annotation says does not matter: it returns the question, the task returns the manifest's summary.
        kwargs: the operator's arguments and Airflow's.
    """
    made = task_decorator_factory(
        python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=TextInferenceDecoratedOperator,
        **_checked_arguments(kwargs),
    )
    if python_callable is not None:
        return cast("TaskDecorator", _checked(made))
    return cast("TaskDecorator", lambda function: _checked(made(function)))


def _checked(decorator: Any) -> Any:
    """The decorator, so that what is given to `override` and to mapped tasks is looked at while the DAG is parsed.

    Texts stay out of the serialized DAG there, too.
    """
    override, partial = decorator.override, decorator.partial
    expand, expand_kwargs = decorator.expand, decorator.expand_kwargs
    decorator.override = lambda **kwargs: _checked(override(**_checked_arguments(kwargs)))
    decorator.partial = lambda **kwargs: _checked(partial(**kwargs))
    decorator.expand = lambda **mapped: _checked_mapped(decorator, expand(**mapped))
    decorator.expand_kwargs = lambda mapped, **how: _checked_mapped(decorator, expand_kwargs(mapped, **how))
    return decorator


def _checked_arguments(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a decorator or of its `override`, with texts wrapped.

    Raises:
        BadInput: one has another name by now.
    """
    refuse_earlier_names([*kwargs, *(kwargs.get("default_args") or {})], SPEC_ARGUMENTS)
    return unstored(kwargs)


def _checked_mapped(decorator: Any, result: Any) -> Any:
    """The result of mapped tasks, whose operators Airflow makes only when they run.

    Raises:
        BadInput: an argument, or something in the `default_args` around them, cannot work.
    """
    task = result.operator
    check_own(decorator.kwargs)
    check_inherited(decorator.kwargs, SPEC_ARGUMENTS, task.dag, task.task_group)
    return result
