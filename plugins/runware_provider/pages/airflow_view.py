"""Airflow as a viewer sees it: its own public REST API, asked inside the same process with the viewer's own token.

So it is Airflow who decides what somebody may see, and nothing of its database is known here.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx

from runware_provider.pages import pushed

if TYPE_CHECKING:
    from runware_provider.pages.run_view import TaskAt, TaskNow

WITHIN_S: Final = 4.0
"""Airflow answers in some ten milliseconds."""
MOST_BYTES: Final = 4 * 2**20
_LISTED: Final = 100
"""XComs in a list, at most: Airflow's own bound."""


class NotSeen(Exception):  # noqa: N818 - it says what is the case
    """Airflow does not show this to the viewer.

    Args:
        status: that it answered with: 401, 403 or 404.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"Airflow answered with {status}")


class NoAnswer(Exception):  # noqa: N818 - it says what is the case
    """Airflow did not answer in time, or not with what it answers with."""


class AirflowView:
    """What Airflow shows to one viewer.

    Args:
        transport: carries requests to Airflow's application.
        token: of the viewer; None for one who is not signed in.
        base_path: below which Airflow is served, such as `/airflow`; empty at the root.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, token: str | None, base_path: str = "") -> None:
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

    async def places(self, at: TaskAt) -> dict[str, str] | None:
        """The places that a task pushed; None where it pushed none that are ours.

        Raises:
            NotSeen: the viewer may not.
            NoAnswer: see there.
        """
        path = f"{_task_path(at)}/xcomEntries/{pushed.PLACES}"
        told = await self._ask(path, map_index=str(at.map_index), deserialize="true")
        return None if told is None else pushed.places(told)

    async def who_pushed(self) -> list[TaskAt]:
        """The tasks that pushed places of late, the newest first, those that are not mapped before the others.

        Raises:
            NotSeen: the viewer is nobody.
            NoAnswer: see there.
        """
        plain, all_of_them = await asyncio.gather(self._pushed(map_index="-1"), self._pushed())
        # The shards of one big group would fill the second list.
        return [*plain, *(at for at in all_of_them if at.map_index >= 0)]

    async def _pushed(self, **only: str) -> list[TaskAt]:
        path = "/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
        told = await self._ask(
            path, xcom_key=pushed.PLACES, order_by="-timestamp", limit=str(_LISTED), **only
        )
        return pushed.entries(told)

    async def _ask(self, path: str, **query: str) -> Any:
        """What it answers with; None where there is no such thing."""
        try:
            async with asyncio.timeout(WITHIN_S), self._client() as client:
                reply = await client.get(f"{self._base}{path}", params=query)
        except (TimeoutError, httpx.HTTPError) as error:
            raise NoAnswer from error
        if reply.status_code == 404:
            return None
        if reply.status_code in {401, 403}:
            raise NotSeen(reply.status_code)
        return _read(reply)

    def _client(self) -> httpx.AsyncClient:
        # The name of the host is not looked up: the transport is the application itself.
        return httpx.AsyncClient(
            transport=self._transport,
            base_url="http://airflow.invalid",
            headers=self._headers,
            trust_env=False,
        )


def _read(reply: httpx.Response) -> Any:
    if reply.status_code != 200 or len(reply.content) > MOST_BYTES:
        raise NoAnswer
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError):
        raise NoAnswer from None


def _task_path(at: TaskAt) -> str:
    dag, run, task = (quote(part, safe="") for part in (at.dag_id, at.run_id, at.task_id))
    return f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
