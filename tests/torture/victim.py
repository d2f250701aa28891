"""A process that does one verb of a job and kills itself, with SIGKILL, at the boundary that it is told.

A boundary is every write to a store and every request to the API. What the engine does lies between two of them, so
that "before the n-th" and "after the n-th", for every n, are all the moments that differ for whoever comes after.

How many requests and segments a run takes is never quite the same: the slower the store and the busier the machine, the
more of them. So that each boundary is met all the same, whatever came before it, it is counted among those of its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import httpx

import runware_provider.engine.storage.obstore_storage
import runware_provider.engine.storage.s3  # noqa: F401 - heavy; loaded once, before the processes are forked
from runware_provider.engine.errors import BadInput, JobStopped, PublishConflict
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.publishing_shards import publish_shards
from runware_provider.engine.job.run import run_job
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.storage.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping
    from pathlib import Path

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.inbox.settings import WebhookSettings
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Bytes, Storage, Version

TOLD = "told.txt"
"""What the process wrote to its standard error."""
STOPPED = 3
"""The exit code of a run that another run can go on from, as the command line has it."""
REFUSED = 4
"""The exit code of a verb that was refused before it sent anything."""


@dataclass(frozen=True)
class Errand:
    """One verb of a job; without shards the only one, which is the three in one.

    Args:
        verb: `run`, `split`, `infer` or `publish`.
        shards: into how many the source is to be cut, by `split`.
        split: which split is meant, by `infer` and `publish`.
        shard: which of its shards is meant, by `infer`.
    """

    verb: str = "run"
    shards: int = 1
    split: str = ""
    shard: int = 0

    def __str__(self) -> str:
        return f"{self.verb} {self.shard}" if self.verb == "infer" else self.verb

    @property
    def account(self) -> str:
        """The file in which a process that came to its end says how many boundaries of each name and seconds there were, and what it returned."""
        return f"{str(self).replace(' ', '-')}.json"


@dataclass(frozen=True)
class Orders:
    """What a victim is to do.

    Args:
        spec: the job.
        endpoint: where the API answers.
        options: the object store's options; nothing for local files.
        folder: where `TOLD` and the account go.
        errand: the verb.
        boundary: the one at which it dies, counted from 1; None to live.
        of: among those of this name; among writes and requests alike where there is none.
        after: whether it dies when that is done, or before.
        webhooks: where answers are brought; None where they come otherwise.
    """

    spec: Spec
    endpoint: Endpoint
    options: Mapping[str, str] | None
    folder: Path
    errand: Errand = Errand()
    boundary: int | None = None
    of: str = ""
    after: bool = False
    webhooks: WebhookSettings | None = None


class Boundaries:
    """Counts them by their names, from any thread, and dies at the one that was ordered."""

    def __init__(self, fatal: int | None = None, of: str = "", *, after: bool = False) -> None:
        self.by_name: Counter[str] = Counter()
        self._fatal = fatal
        self._of = of
        self._after = after
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def crossing(self, name: str) -> Iterator[None]:
        """Around what is done at one of them; nothing is left of one that fails."""
        with self._lock:
            self.by_name[name] += 1
            number = self.by_name[name] if self._of else self.by_name.total()
            is_fatal = number == self._fatal and self._of in {"", name}
            if is_fatal and not self._after:
                _die()
        yield
        if is_fatal and self._after:
            _die()


def name_of(verb: str, path: str) -> str:
    """What is written, without numbers and ids: all segments of the ledger have one name."""
    return f"{verb} {re.sub('[0-9a-f]{12}|[0-9]+', '', path.rpartition('/')[2])}"


class MortalStorage:
    """A store each of whose writes is a boundary."""

    def __init__(self, store: Storage, boundaries: Boundaries) -> None:
        self._store = store
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def create_new(self, path: str, data: Bytes) -> bool:
        with self._boundaries.crossing(name_of("create", path)):
            return self._store.create_new(path, data)

    def replace_if(self, path: str, data: Bytes, version: Version | None) -> bool:
        with self._boundaries.crossing(name_of("replace", path)):
            return self._store.replace_if(path, data, version)

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        with self._boundaries.crossing(name_of("write", path)), self._store.writing(path) as file:
            yield file

    def copy(self, source: str, target: str) -> None:
        with self._boundaries.crossing(name_of("copy to", target)):
            self._store.copy(source, target)

    def delete(self, path: str) -> None:
        with self._boundaries.crossing(name_of("delete", path)):
            self._store.delete(path)


class MortalStores(Stores):
    """Opens such stores, and the same one again for the same place."""

    def __init__(self, options: Mapping[str, str] | None, boundaries: Boundaries) -> None:
        super().__init__(None if options is None else lambda _: options)
        self._boundaries = boundaries
        self._mortal: dict[int, MortalStorage] = {}

    def open(self, url: str, *, field: str = "destination") -> Storage:
        store = super().open(url, field=field)
        return cast("Storage", self._mortal.setdefault(id(store), MortalStorage(store, self._boundaries)))


class MortalTransport(httpx.AsyncHTTPTransport):
    """A network each of whose requests is a boundary, left when the whole reply is there."""

    def __init__(self, boundaries: Boundaries) -> None:
        super().__init__()
        self._boundaries = boundaries

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with self._boundaries.crossing(f"POST {_task_type(request)}"):
            response = await super().handle_async_request(request)
            try:
                whole = b"".join([piece async for piece in cast("httpx.AsyncByteStream", response.stream)])
            finally:
                await response.aclose()
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=httpx.ByteStream(whole),
            extensions=response.extensions,
        )


def _task_type(request: httpx.Request) -> str:
    tasks: list[dict[str, str]] = json.loads(request.content)
    return tasks[0]["taskType"]


def obey(orders: Orders) -> None:
    """Do the errand in this process, and die, stop, or leave an account."""
    began = time.monotonic()
    told = os.open(orders.folder / TOLD, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(told, sys.stderr.fileno())
    boundaries = Boundaries(orders.boundary, orders.of, after=orders.after)
    try:
        returned = asyncio.run(_done(orders, boundaries))
    except (JobStopped, PublishConflict, BadInput) as ended:
        sys.stderr.write(f"{orders.errand}: {type(ended).__name__}: {ended}\n")
        sys.exit(REFUSED if isinstance(ended, BadInput) else STOPPED)
    seconds = time.monotonic() - began
    account = {"boundaries": boundaries.by_name, "seconds": seconds, "returned": returned}
    (orders.folder / orders.errand.account).write_text(json.dumps(account), encoding="utf-8")


def _done(orders: Orders, boundaries: Boundaries) -> Coroutine[Any, Any, Any]:
    spec, endpoint, errand, webhooks = orders.spec, orders.endpoint, orders.errand, orders.webhooks
    stores = MortalStores(orders.options, boundaries)
    transport = MortalTransport(boundaries)
    match errand.verb:
        case "split":
            return split_shards(
                spec,
                endpoint,
                shards=errand.shards,
                least_rows=1,
                stores=stores,
                webhooks=webhooks,
                transport=transport,
            )
        case "infer":
            return infer_shard(
                spec,
                endpoint,
                split=errand.split,
                shard=errand.shard,
                stores=stores,
                webhooks=webhooks,
                transport=transport,
            )
        case "publish":
            return publish_shards(spec, endpoint, split=errand.split, stores=stores, webhooks=webhooks)
        case _:
            return run_job(spec, endpoint, stores=stores, webhooks=webhooks, transport=transport)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
