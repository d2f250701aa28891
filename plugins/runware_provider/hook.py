"""The Airflow connection: as the engine's endpoint for tasks, and for questions that code of a DAG asks by itself."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, Unpack, overload

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import BaseModel

from runware_provider import configuration
from runware_provider.connection_fields import bounds_of, endpoint_of, unread_fields
from runware_provider.engine.errors import BadInput
from runware_provider.engine.in_memory.answer import Answer, NoAnswer
from runware_provider.engine.plain_text import wrapped
from runware_provider.engine.seconds import check_timeout
from runware_provider.job_thread import JobThread
from runware_provider.offered_models import OfferedModel, offered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from airflow.sdk import Connection

    from runware_provider.engine.api.account_client import AccountClient
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.messages import Message
    from runware_provider.engine.output_types import OutputType
    from runware_provider.engine.spec import (
        Answers,
        Budget,
        Delivery,
        Limits,
        Settings,
        Spec,
        Tool,
        ToolChoice,
    )

    Question = str | Sequence[Message | Mapping[str, Any]]
    """A text, or the messages of a conversation."""

__all__ = ["Answer", "NoAnswer", "OfferedModel", "RunwareHook", "Wish"]

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

DEFAULT_CONN_ID: Final = "runware_default"


class Wish(TypedDict, total=False):
    """How a question is asked; each as the operator's argument of its name."""

    system_prompt: str | None
    tools: Sequence[Tool | dict[str, Any]] | None
    tool_choice: ToolChoice | dict[str, Any] | str | None
    model: str | None
    settings: Settings | dict[str, Any] | None
    budget: Budget | dict[str, Any] | None
    answers: Answers | dict[str, Any] | None
    limits: Limits | dict[str, Any] | None
    delivery: Delivery | None
    timeout_s: float | None
    """Seconds that the call may take; 1,800 by default."""


_WORDS: Final = tuple(name for name in Wish.__annotations__ if name != "timeout_s")
_TAKEN: Final = ("output_type", *_WORDS, "timeout_s")
"""What a question takes beside its text."""


class RunwareHook(BaseHook):
    """Asks questions, with what the connection says: its password is the API key, its host the base URL, its extra may hold bounds.

    Args:
        runware_conn_id: the connection's id. Its host may be empty, for the vendor's URL; where it has
            one, the scheme and the path `/v1` may be left out.
        logger_name: as every hook of Airflow takes it.
    """

    conn_name_attr = "runware_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "runware"
    hook_name = "Runware"

    def __init__(self, runware_conn_id: str = DEFAULT_CONN_ID, *, logger_name: str | None = None) -> None:
        super().__init__(logger_name=logger_name)
        self.runware_conn_id = runware_conn_id

    # questions

    @overload
    def ask(self, question: Question, *, output_type: type[M], **wish: Unpack[Wish]) -> Answer[M]: ...
    @overload
    def ask(
        self, question: Question, *, output_type: OutputType = None, **wish: Unpack[Wish]
    ) -> Answer[Any]: ...
    def ask(self, question: Question, *, output_type: OutputType = None, **wish: Unpack[Wish]) -> Answer[Any]:
        """One question, and its answer that fits. Nothing of it is kept, or logged.

        Args:
            question: sent as it is; no template. A text, or a conversation: a list of messages as `Spec.messages` has them,
                the last of them the user's.
            output_type: a pydantic model, of which `value` is an instance; a JSON Schema as a dict; labels; or nothing for text.
            wish: see `Wish`.

        Raises:
            BadInput: nothing was sent: an argument cannot work, or an event loop is running, which this would hold up.
            JobStopped: the API refuses the key, the model or the request, or does not answer; the budget would not last.
            NoAnswer: it ended otherwise than `succeeded`; the error's `answer` says how, and what it cost.
        """
        return _fitting(self.ask_all([question], output_type=output_type, **wish)[0])

    @overload
    def ask_all(
        self, questions: Sequence[Question], *, output_type: type[M], **wish: Unpack[Wish]
    ) -> list[Answer[M | None]]: ...
    @overload
    def ask_all(
        self, questions: Sequence[Question], *, output_type: OutputType = None, **wish: Unpack[Wish]
    ) -> list[Answer[Any]]: ...
    def ask_all(
        self, questions: Sequence[Question], *, output_type: OutputType = None, **wish: Unpack[Wish]
    ) -> list[Answer[Any]]:
        """Questions, asked at once: an answer for each, in order, with exactly one outcome, also where it does not fit.

        What stands twice among them is asked once, and its cost stands at the first.

        Args:
            questions: texts, or conversations, sent as they are.
            output_type: as for `ask`, of all of them.
            wish: see `Wish`.

        Raises:
            BadInput: as for `ask`.
            JobStopped: as for `ask`, as long as no question was answered.
        """
        _refuse_to_hold_up_a_loop()
        connection = self._connection()
        spec, timeout = self._asked(connection, output_type, wish)
        endpoint = endpoint_of(connection, self._named(), self._how_to_make_it())
        return JobThread(lambda stop: _ask(questions, spec, endpoint, timeout, stop)).run()

    async def aask(
        self, question: Question, *, output_type: OutputType = None, **wish: Unpack[Wish]
    ) -> Answer[Any]:
        """`ask` for who runs in an event loop, as an async task does; errors as there."""
        return _fitting((await self.aask_all([question], output_type=output_type, **wish))[0])

    async def aask_all(
        self, questions: Sequence[Question], *, output_type: OutputType = None, **wish: Unpack[Wish]
    ) -> list[Answer[Any]]:
        """`ask_all` for who runs in an event loop; errors as there."""
        connection = await self._aconnection()
        spec, timeout = self._asked(connection, output_type, wish)
        endpoint = endpoint_of(connection, self._named(), self._how_to_make_it())
        return await _ask(questions, spec, endpoint, timeout, asyncio.Event())

    def balance(self, *, timeout_s: float | None = None) -> float:
        """The credit of the account, in USD, as the vendor reports it now; asking costs nothing.

        It waits for the answer; in an event loop, write `await asyncio.to_thread(hook.balance)`.

        Args:
            timeout_s: seconds that the API may take; 10 by default.

        Raises:
            BadInput: there is no usable connection, or `timeout_s` is no number of seconds.
            JobStopped: the API does not take the key, or does not say.
        """
        return _in_a_thread(_with_client(self.get_endpoint(), lambda client: client.balance(), timeout_s))

    def models(self, *, timeout_s: float | None = None) -> list[OfferedModel]:
        """What the API lists now, each with its price and with what this product knows of it; asking costs nothing.

        It waits for the answer; in an event loop, write `await asyncio.to_thread(hook.models)`.

        Args:
            timeout_s: seconds that the API may take; 10 by default.

        Raises:
            BadInput: there is no usable connection, or `timeout_s` is no number of seconds.
            JobStopped: the API does not take the key, or does not say.
        """
        listed = _in_a_thread(_with_client(self.get_endpoint(), lambda client: client.models(), timeout_s))
        return offered(listed)

    # the connection

    def get_endpoint(self) -> Endpoint:
        """Where the API answers, and the key.

        Raises:
            BadInput: there is no such connection, it has no password, or its host is no usable URL.
        """
        return endpoint_of(self._connection(), self._named(), self._how_to_make_it())

    async def aget_endpoint(self) -> Endpoint:
        """`get_endpoint` for who runs in an event loop, as a trigger does; errors as there."""
        connection = await self._aconnection()
        return endpoint_of(connection, self._named(), self._how_to_make_it())

    def within_bounds(self, spec: Spec) -> Spec:
        """The same job, with no more under way at once than the connection allows a task.

        Fields of the extra that nobody reads are told in the log, since one may be a misspelt bound.

        Raises:
            BadInput: there is no such connection, or a bound of the connection is no number, or none that `Limits` takes.
        """
        return self._bounded(spec, self._connection())

    def test_connection(self) -> tuple[bool, str]:
        """Whether the API takes the key; asks it without cost, and never raises.

        Returns:
            The verdict and a sentence that says why; the sentence never holds the key. Nor does it name the
            connection that it found: behind Airflow's Test button that one has a passing, random id.
        """
        key = ""
        try:
            connection = self._connection()
            endpoint = endpoint_of(connection, "the connection", "Write it there")
            key = endpoint.key
            bounds_of(connection, "the connection")
            said = _in_a_thread(_with_client(endpoint, lambda client: client.check_key()))
            verdict, message = True, ". ".join(filter(None, (said, unread_fields(connection))))
        except Exception as error:  # noqa: BLE001 - the caller shows the sentence to a person
            verdict, message = False, str(error) or type(error).__name__
        return verdict, message.replace(key, "***") if key else message

    def _connection(self) -> Connection:
        try:
            return self.get_connection(self._conn_id())
        except AirflowNotFoundException:
            raise self._missing() from None

    def _conn_id(self) -> str:
        """The id, which a template may have made.

        Raises:
            BadInput: it came to nothing, or to something that is no text.
        """
        conn_id: object = self.runware_conn_id
        # A template writes None as a word.
        if not isinstance(conn_id, str) or conn_id.strip() in {"", "None"}:
            raise BadInput(
                "runware_conn_id", f"it is {conn_id!r:.100}", "Give the id of a connection, a text"
            )
        return self.runware_conn_id

    async def _aconnection(self) -> Connection:
        try:
            return await self.aget_connection(self._conn_id())
        except AirflowNotFoundException:
            raise self._missing() from None

    def _asked(
        self, connection: Connection, output_type: OutputType, wish: Mapping[str, Any]
    ) -> tuple[Spec, float | None]:
        """What is asked for, within the bounds of the connection and of this Airflow, and how long it may take."""
        from runware_provider.engine.in_memory.ask import question_spec  # noqa: PLC0415 - heavy: httpx and pyarrow

        for name in wish:
            if name not in Wish.__annotations__:
                raise BadInput(name, "a question has no such argument", f"It takes: {', '.join(_TAKEN)}")
        words = {name: wish[name] for name in _WORDS if name in wish}
        spec = question_spec({"output_type": output_type, **words})
        return configuration.within_budget(self._bounded(spec, connection)), wish.get("timeout_s")

    def _bounded(self, spec: Spec, connection: Connection) -> Spec:
        unread = unread_fields(connection)
        if unread:
            for line in wrapped(f"Warning: {self._named()}", f"{unread}."):
                self.log.warning("%s", line)
        bounds = bounds_of(connection, self._named())
        lower = {name: min(bound, getattr(spec.limits, name)) for name, bound in bounds.items()}
        return spec.model_copy(update={"limits": spec.limits.model_copy(update=lower)})

    def _missing(self) -> BadInput:
        return BadInput(self._named(), "there is none of this name", self._how_to_make_it())

    def _named(self) -> str:
        return f"connection {self.runware_conn_id!r}"

    def _how_to_make_it(self) -> str:
        variable = f"AIRFLOW_CONN_{self.runware_conn_id.upper()}"
        return (
            "Make it in Airflow's UI (Admin, Connections; type Runware, or Generic where only the plugin was copied),"
            " or set the environment variable "
            f'{variable}=\'{{"conn_type": "runware", "password": "<API key>"}}\''
        )


async def _ask(
    questions: Sequence[Question],
    spec: Spec,
    endpoint: Endpoint,
    timeout_s: float | None,
    stop: asyncio.Event,
) -> list[Answer[Any]]:
    from runware_provider.engine.in_memory.ask import TIMEOUT_S, ask_in_memory  # noqa: PLC0415 - heavy

    given = TIMEOUT_S if timeout_s is None else timeout_s
    return await ask_in_memory(questions, spec, endpoint, timeout_s=given, stop=stop)


def _fitting(answer: Answer[Any]) -> Answer[Any]:
    if answer.outcome != "succeeded":
        raise NoAnswer(answer)
    return answer


def _refuse_to_hold_up_a_loop() -> None:
    """Refuse to wait in the thread of an event loop.

    Raises:
        BadInput: one is running here.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BadInput(
        "ask",
        "it was called in a running event loop, which would stand still until the answer is there",
        "Write `await hook.aask(...)` or `await hook.aask_all(...)`",
    )


def _in_a_thread(asked: Coroutine[Any, Any, T]) -> T:
    """A thread of its own, since whoever asks may have an event loop running in this one; a few seconds at most."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, asked).result()


async def _with_client(
    endpoint: Endpoint, ask: Callable[[AccountClient], Awaitable[T]], timeout_s: float | None = None
) -> T:
    """What a client answers; it bounds each of its requests, and says so where the time is over."""
    from runware_provider.engine.api.account_client import AccountClient  # noqa: PLC0415 - parsing needs no client
    from runware_provider.engine.api.client import FREE_TIMEOUT_S  # noqa: PLC0415 - the same

    given = FREE_TIMEOUT_S if timeout_s is None else timeout_s
    check_timeout(given)
    async with AccountClient(endpoint, free_timeout_s=given) as client:
        return await ask(client)
