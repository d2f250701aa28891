"""Airflow as a viewer sees it: its own public REST API, asked inside the same process with the viewer's own token.

So it is Airflow who decides what somebody may see, and nothing of its database is known here.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx

from runware_provider.pages import pushed
from runware_provider.pages.asking import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runware_provider.pages.asking import Asking
    from runware_provider.pages.run_view import TaskAt, TaskNow

MOST_BYTES: Final = 4 * 2**20
LISTED: Final = 100
"""XComs in a list, at most: Airflow's own bound."""
MOST_LISTS: Final = 5
"""Asked for one after the other, each with what comes after the one before."""
LISTS_WITHIN_S: Final = 4.0
"""After which no further one is asked for."""


class NotSeen(Exception):  # noqa: N818 - it says what is the case
    """Airflow does not show this to the viewer.

    Args:
        status: that it answered with: 401, 403 or 404.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"Airflow answered with {status}")


class Strange(NoAnswer):
    """What Airflow answered is nothing that it answers with, and will be so again: too long, or no JSON."""


@dataclass(frozen=True)
class WhoPushed:
    """Tasks that told where they write."""

    tasks: tuple[TaskAt, ...]
    """The newest first, those that are not mapped before the others."""
    not_listed: int
    """How many older ones there are."""


class AirflowView:
    """What Airflow shows to one viewer.

    Args:
        asking: in which its questions stand with those of other viewers.
        transport: carries requests to Airflow's application.
        token: of the viewer; None for one who is not signed in.
        base_path: below which Airflow is served, such as `/airflow`; empty at the root.
    """

    def __init__(
        self, asking: Asking, transport: httpx.AsyncBaseTransport, token: str | None, base_path: str = ""
    ) -> None:
        self._asking = asking
        self._transport = transport
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._base = f"{base_path}/api/v2"

    async def task_now(self, at: TaskAt) -> TaskNow | None:
        """A task instance as it is now; None where there is none.

        Raises:
            NotSeen: the viewer may not.
            NoAnswer: see there.
        """
        # Of a task that is not mapped, the index is -1.
        told = await self._ask(f"{_task_path(at)}/{at.map_index}")
        return None if told is None else pushed.task_now(told)

    async def shard_states(self, infer: TaskAt) -> dict[int, str]:
        """The states of the instances of a mapped task, by their index: of the first hundred.

        Raises:
            NotSeen: the viewer may not.
            NoAnswer: see there.
        """
        told = await self._ask(f"{_task_path(infer)}/listMapped", limit=str(LISTED))
        return pushed.states(told)

    async def places(self, at: TaskAt) -> dict[str, str] | None:
        """The places that a task pushed; None where it pushed none that are ours.

        Raises:
            NotSeen: the viewer may not.
            NoAnswer: see there.
        """
        path = f"{_task_path(at)}/xcomEntries/{pushed.PLACES}"
        told = await self._ask(path, map_index=str(at.map_index), deserialize="true")
        return None if told is None else pushed.places(told)

    async def who_pushed(self, enough: int) -> WhoPushed:
        """The tasks that pushed places of late.

        Args:
            enough: tasks, however often each ran, after which no older ones are asked for.

        Raises:
            NotSeen: the viewer is nobody.
            NoAnswer: see there.
        """
        # The shards of one big group would fill a list of all of them.
        plain, all_of_them = await asyncio.gather(self._pushed(enough, map_index="-1"), self._pushed(enough))
        mapped = (at for at in all_of_them.tasks if at.map_index >= 0)
        return WhoPushed((*plain.tasks, *mapped), max(plain.not_listed, all_of_them.not_listed))

    async def _pushed(self, enough: int, **only: str) -> WhoPushed:
        tasks: list[TaskAt] = []
        looked_at = there_are = 0
        ends_at = time.monotonic() + LISTS_WITHIN_S
        for _ in range(MOST_LISTS):
            told = await self._list(looked_at, only)
            tasks += pushed.entries(told)
            looked_at += pushed.length(told)
            there_are = max(there_are, pushed.total(told))
            # A list without end would be one that does not go on.
            if not pushed.length(told) or looked_at >= there_are or _different(tasks) >= enough:
                break
            if time.monotonic() >= ends_at:
                break
        return WhoPushed(tuple(tasks), max(0, there_are - looked_at))

    async def _list(self, offset: int, only: dict[str, str]) -> Any:
        path = "/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
        query = {"xcom_key": pushed.PLACES, "order_by": "-timestamp", "limit": str(LISTED)}
        try:
            return await self._ask(path, **query, offset=str(offset), **only)
        except NoAnswer:
            # What the first list has can be shown without the second.
            if not offset:
                raise
            return None

    async def _ask(self, path: str, **query: str) -> Any:
        """What it answers with; None where there is no such thing."""
        try:
            reply = await self._asking.answer(lambda: self._get(path, query))
        except httpx.HTTPError as error:
            raise NoAnswer from error
        if reply.status_code == 404:
            return None
        if reply.status_code in {401, 403}:
            raise NotSeen(reply.status_code)
        return _read(reply)

    async def _get(self, path: str, query: dict[str, str]) -> httpx.Response:
        async with self._client() as client:
            return await client.get(f"{self._base}{path}", params=query)

    def _client(self) -> httpx.AsyncClient:
        # The name of the host is not looked up: the transport is the application itself.
        return httpx.AsyncClient(
            transport=self._transport,
            base_url="http://airflow.invalid",
            headers=self._headers,
            trust_env=False,
        )


def _read(reply: httpx.Response) -> Any:
    if reply.status_code != 200:
        raise NoAnswer
    if len(reply.content) > MOST_BYTES:
        raise Strange
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError):
        raise Strange from None


def _different(tasks: Iterable[TaskAt]) -> int:
    """How many tasks they are, whatever their runs."""
    return len({(at.dag_id, at.task_id, at.map_index) for at in tasks})


def _task_path(at: TaskAt) -> str:
    dag, run, task = (quote(part, safe="") for part in (at.dag_id, at.run_id, at.task_id))
    return f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
