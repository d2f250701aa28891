"""A stand-in for Airflow's REST API with the pages mounted in it, on a real socket, for what is not about Airflow."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from fastapi import FastAPI, HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import JSONResponse, Response

from runware_provider.engine.inbox.bounded_threads import BoundedThreads
from runware_provider.engine.job.run_record import RunRecord
from runware_provider.engine.job.run_records import write_record
from runware_provider.engine.state_records import encoded
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.pages.app import Rights, pages_app
from runware_provider.pages.beneath import LocalBeneath
from runware_provider.pages.reading import Reading
from runware_provider.pages.reads import Reads
from runware_provider.pages.run_view import URL_PREFIX, TaskAt
from runware_provider.pages.viewer import token_of
from runware_provider.pages.views import Views
from tests.receivers import ServedReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = TaskAt("invoices", "manual__2026-01-01T00:00:00+00:00", "ask")
OPERATOR = "TextInferenceOperator"
READER, EDITOR, STRANGER = "reader", "editor", "stranger"
"""Tokens: of who may look, of who may edit too, and of who may see no DAG."""


@dataclass
class Airflow:
    """What there is in it, and how often it was asked for what."""

    tasks: dict[TaskAt, dict[str, Any]] = field(default_factory=dict)
    pushed: dict[TaskAt, Any] = field(default_factory=dict)
    """The values of the XCom `places`."""
    asked: Counter[str] = field(default_factory=Counter)
    reads_xcoms: set[str] = field(default_factory=lambda: {READER, EDITOR})
    """Tokens of who may read the XComs of a DAG that they may see."""
    most_listed: int = 100
    fails: set[TaskAt] = field(default_factory=set)
    """Whose XCom it cannot say."""
    tokens: list[str | None] = field(default_factory=list)
    """That its REST API was shown."""

    def add(self, places: Any, at: TaskAt = AT, state: str = "running", operator: str = OPERATOR) -> None:
        self.tasks[at] = {"state": state, "try_number": 1, "operator": operator}
        if places is not None:
            self.pushed[at] = places

    def app(self) -> FastAPI:
        app = FastAPI()
        task = "/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"

        @app.get(task + "/xcomEntries/places")
        def xcom(request: Request, dag_id: str, run_id: str, task_id: str, map_index: int) -> Response:
            self._ask("xcom", request)
            if token_of(request) not in self.reads_xcoms:
                raise HTTPException(403, "Forbidden")
            at = TaskAt(dag_id, run_id, task_id, map_index)
            if at in self.fails:
                raise HTTPException(500)
            if at not in self.pushed:
                raise HTTPException(404, "XCom entry with key: `places` not found")
            return JSONResponse({"key": "places", "value": self.pushed[at]})

        @app.get(task + "/xcomEntries")
        def xcoms(
            request: Request, map_index: int | None = None, limit: int = 50, offset: int = 0
        ) -> Response:
            self._ask("xcoms", request)
            entries: list[dict[str, Any]] = [
                {"dag_id": at.dag_id, "run_id": at.run_id, "task_id": at.task_id, "map_index": at.map_index}
                for at in reversed(self.pushed)
                if map_index in {None, at.map_index}
            ]
            # Airflow's own bound, whatever is asked for.
            shown = entries[offset : offset + min(limit, self.most_listed)]
            return JSONResponse({"xcom_entries": shown, "total_entries": len(entries)})

        @app.get(task + "/listMapped")
        def mapped(request: Request, dag_id: str, run_id: str, task_id: str) -> Response:
            self._ask("mapped", request)
            told = [
                {"map_index": at.map_index, **self.tasks[at]}
                for at in self.tasks
                if (at.dag_id, at.run_id, at.task_id) == (dag_id, run_id, task_id)
            ]
            return JSONResponse({"task_instances": told, "total_entries": len(told)})

        @app.get(task + "/{map_index}")
        def instance(request: Request, dag_id: str, run_id: str, task_id: str, map_index: int) -> Response:
            self._ask("task", request)
            at = TaskAt(dag_id, run_id, task_id, map_index)
            if at not in self.tasks:
                raise HTTPException(404)
            return JSONResponse(self.tasks[at])

        return app

    def _ask(self, what: str, request: Request) -> None:
        self.asked[what] += 1
        self.tokens.append(token_of(request))
        sees(request)


def sees(request: Request) -> None:
    token = token_of(request)
    if token is None:
        raise HTTPException(401, "Not authenticated")
    if token not in {READER, EDITOR}:
        raise HTTPException(403, "Forbidden")


def is_signed_in(request: Request) -> None:
    if token_of(request) is None:
        raise HTTPException(401, "Not authenticated")


def edits(request: Request) -> bool:
    return token_of(request) == EDITOR


@dataclass
class Served:
    """The pages on a socket."""

    airflow: Airflow
    url: str
    client: httpx.Client

    def get(self, path: str = AT.path, token: str | None = READER, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.client.get(f"{self.url}{URL_PREFIX}{path}", headers=headers, **request)


@contextlib.contextmanager
def served(
    roots: Path | str,
    *,
    stores: Any = None,
    local: Any = LocalBeneath,
    texts: bool = True,
    reads: Reads | None = None,
    base_path: str = "",
) -> Iterator[Served]:
    airflow = Airflow()
    app = airflow.app()
    app.root_path = base_path
    reads = reads or Reads(lambda: BoundedThreads(8, "test-pages"), kept_s=0.0)
    reading = Reading(str(roots), stores or cache(Stores), reads, local)
    texts_reads = Reads(lambda: BoundedThreads(2, "test-texts"), kept_s=0.0)
    views = Views(reading, texts_reads, texts, frozenset({OPERATOR}))
    app.mount(URL_PREFIX, pages_app(views, Rights(is_signed_in, (sees,), edits)))
    with (
        ServedReceiver(app) as receiver,  # type: ignore[arg-type]  # it serves any application
        httpx.Client(trust_env=False, timeout=30, follow_redirects=False) as client,
    ):
        yield Served(airflow, receiver.url.removesuffix("/runware/hook") + base_path, client)


def run_name(at: TaskAt = AT) -> str:
    return f"{at.dag_id}/{at.task_id}/{at.run_id}/{at.map_index}"


def places_in(folder: Path | str, at: TaskAt = AT, **more: Any) -> dict[str, Any]:
    """As a task pushes them."""
    state = f"{folder}/out.state"
    return {
        "output": f"{folder}/out",
        "state": state,
        "manifest": f"{state}/manifest.json",
        "run": run_name(at),
        **more,
    }


def a_record(run: str = "", **changes: Any) -> RunRecord:
    usual = {
        "run": run or run_name(),
        "state": "running",
        "started_at": "2026-01-01T00:00:00+00:00",
        "at": "2026-01-01T00:01:00+00:00",
        "source": "in",
        "destination": "out",
        "model": "some:model",
        "rows": 1000,
        "rows_done": 317,
        "outcomes": {"succeeded": 300, "failed": 17},
        "reasons": {"timeoutProvider": 17},
    }
    return RunRecord(**{**usual, **changes})


def write(folder: Path, record: RunRecord | None = None, history: list[dict[str, Any]] | None = None) -> None:
    """Have a state folder with the record of a run."""
    state = folder if folder.name.isdigit() else folder / "out.state"
    state.mkdir(parents=True, exist_ok=True)
    write_record(LocalStorage(), str(state), record or a_record())
    (state / "history.json").write_bytes(encoded({"format": 1, "runs": history or []}))


def path_of(at: TaskAt, leaf: str) -> str:
    return f"{at.path}/{quote(leaf)}"
