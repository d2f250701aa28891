"""The trigger of a deferred task: looks now and then for a few of the answers, and says when most are there.

It asks the API for them, or, where the vendor brings them, looks into the inbox, and asks only for what is overdue.

It runs in Airflow's triggerer, beside those of all other tasks of the deployment. What it needs that is heavy, it imports
in a thread once it runs, so that the others do not stand still; pyarrow only where there is an inbox to look into.

A task that was deferred by an earlier version goes on with this one: arguments may be added, with a default, and none may
change its meaning.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import TYPE_CHECKING, Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from runware_provider.engine.api import request_bodies
from runware_provider.engine.errors import EngineError, StateUnreadable
from runware_provider.engine.exchange.sample import Sample, is_refused_for_good
from runware_provider.legs import Why

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runware_provider.engine.api.client import Client
    from runware_provider.engine.inbox.folder import InboxFolder

HEAVY: Final = ("runware_provider.engine.api.client", "runware_provider.hook")
"""Modules that take some tenths of a second to import."""
TIMEOUT_S: Final = 30.0
"""Of one request."""
ARGUMENTS: Final = (
    "conn_id",
    "task_uuids",
    "share",
    "quiet_s",
    "every_s",
    "overdue_at",
    "give_up_at",
    "handover",
)


class AnswersTrigger(BaseTrigger):
    """Fires once, when most of some answers are there; it keeps nothing, and writes nothing.

    Its arguments lie in Airflow's database in plain text.

    Args:
        conn_id: of the connection, which it reads itself.
        task_uuids: of accepted inferences.
        share: of them, which are to be there.
        quiet_s: seconds after its start before which it never fires, also where it is started for the second time.
        every_s: seconds between two looks.
        overdue_at: in seconds since 1970, when what the API says nothing about counts as to be looked for by a worker.
        give_up_at: in seconds since 1970, when it fires in any case.
        handover: what the event says beside why it fired.
        inbox: the folder into which the vendor brings the answers; None where they are asked for.
    """

    def __init__(  # noqa: PLR0913 - by keyword, each a fact of its own
        self,
        *,
        conn_id: str,
        task_uuids: list[str],
        share: float,
        quiet_s: float,
        every_s: float,
        overdue_at: float,
        give_up_at: float,
        handover: dict[str, Any],
        inbox: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.conn_id = conn_id
        self.task_uuids = task_uuids
        self.share = share
        self.quiet_s = quiet_s
        self.every_s = every_s
        self.overdue_at = overdue_at
        self.give_up_at = give_up_at
        self.handover = handover
        self.inbox = inbox
        self._read: set[str] = set()
        """Files of the inbox that were looked into."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Where the triggerer finds this class, and what it gives it."""
        arguments = {name: getattr(self, name) for name in ARGUMENTS}
        # A triggerer of an earlier version knows nothing of inboxes, and runs all other triggers.
        if self.inbox is not None:
            arguments["inbox"] = self.inbox
        return f"{__name__}.{type(self).__name__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire; whatever goes wrong is for the task to meet again, and to tell."""
        sample = Sample(self.task_uuids, self.share)
        await asyncio.sleep(self.quiet_s)
        try:
            why = await self._why_to_go_on(sample)
        except EngineError as error:
            self.log.warning("The API cannot be asked: %s", error)
            why = Why.TROUBLE
        except Exception as error:  # noqa: BLE001 - a trigger that fails, fails its task
            # Whose words may quote what it was about.
            self.log.warning("The API cannot be asked: %s", type(error).__name__)
            why = Why.TROUBLE
        there = {"there": sample.there, "of": len(self.task_uuids)}
        yield TriggerEvent({**self.handover, **there, "why": why.value})  # type: ignore[no-untyped-call] # Airflow's

    async def _why_to_go_on(self, sample: Sample) -> Why:
        for module in HEAVY:
            await asyncio.to_thread(importlib.import_module, module)
        # They are there by now.
        from runware_provider.engine.api.client import Client  # noqa: PLC0415 - heavy
        from runware_provider.hook import RunwareHook  # noqa: PLC0415 - heavy

        endpoint = await RunwareHook(self.conn_id).aget_endpoint()
        async with Client(endpoint, connections=1) as client:
            while time.time() < self.give_up_at:
                why = await self._look_at_all(client, sample)
                if why is not None:
                    return why
                left_s = max(0.0, self.give_up_at - time.time())
                await asyncio.sleep(min(self.every_s, left_s))
        return Why.DEADLINE

    async def _look_at_all(self, client: Client, sample: Sample) -> Why | None:
        """See what was brought, and ask for what was not, where it should have been; None where it is too early."""
        if self.inbox is None:
            return await self._look(client, sample)
        await self._look_into(self.inbox, sample)
        if sample.is_enough:
            return Why.ANSWERS
        return await self._look(client, sample) if time.time() >= self.overdue_at else None

    async def _look_into(self, inbox: str, sample: Sample) -> None:
        """What an inbox that cannot be read holds, the API is asked for in the end."""
        try:
            there = await asyncio.to_thread(self._brought, inbox, sample.awaited)
        except (OSError, EngineError) as error:
            self.log.info("The inbox cannot be read (%s); it is looked into again", error)
            return
        if there:
            sample.brought(there)
            self.log.info("%s of %s answers of a sample were brought", sample.there, len(self.task_uuids))

    def _brought(self, inbox: str, awaited: list[str]) -> set[str]:
        """Which of these the files say something of that were not looked into before; for a thread.

        Raises:
            OSError: the inbox cannot be listed.
            BadInput: it cannot be opened.
        """
        from runware_provider.engine.inbox.folder import InboxFolder  # noqa: PLC0415 - few triggers need it
        from runware_provider.object_stores import airflow_stores  # noqa: PLC0415 - heavy, and few triggers need it

        folder = InboxFolder(airflow_stores().open(inbox, field="webhook_inbox"), inbox)
        there: set[str] = set()
        for file in folder.files():
            if file.path in self._read:
                continue
            try:
                there |= self._named_in(folder, file.path, awaited)
            except OSError as error:
                # What the files before it say counts; this one and the rest are read at the next look.
                self.log.info("The inbox cannot be read (%s); it is looked into again", error)
                break
            self._read.add(file.path)
        return there

    def _named_in(self, folder: InboxFolder, file: str, awaited: list[str]) -> set[str]:
        """Which of these a file says something of; none where it is damaged, or was removed by whoever collected it.

        Raises:
            OSError: the store could not be reached.
        """
        try:
            calls = folder.read(file)
        except FileNotFoundError:
            return set()
        except StateUnreadable as error:
            self.log.warning("%s", error)
            return set()
        content = b"\n".join(call.body.lower() for call in calls)
        return {name for name in awaited if name.encode() in content}

    async def _look(self, client: Client, sample: Sample) -> Why | None:
        """Ask once for those that are awaited; None where it is too early."""
        from runware_provider.engine.api.client import Lost, NotSent  # noqa: PLC0415 - heavy, and there by now

        try:
            reply = await client.ask(request_bodies.get_response(sample.awaited), TIMEOUT_S)
        except (NotSent, Lost) as trouble:
            # It may pass; if it does not, the worker says so in the end.
            self.log.info("No answer from the API (%s); it is asked again", trouble)
            return None
        if is_refused_for_good(reply):
            return Why.TROUBLE
        before = sample.there
        sample.saw(reply, overdue=time.time() >= self.overdue_at)
        if sample.there != before:
            self.log.info("%s of %s answers of a sample are there", sample.there, len(self.task_uuids))
        return Why.ANSWERS if sample.is_enough else None
