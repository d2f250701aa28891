"""Questions to Airflow: bounded in time below its middlewares, too, and in number over all viewers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

from runware_provider.pages.airflow_view import AirflowView
from runware_provider.pages.asking import Asking, NoAnswer
from tests.pages.stand_in import AT

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

WITHIN_S = 0.1
HURRY_S = 5.0


async def test_below_a_middleware_that_cannot_be_cancelled_nobody_waits_longer() -> None:
    goes_on = asyncio.Event()
    app = FastAPI()

    class Middleware(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next) -> Response:  # type: ignore[no-untyped-def]
            return await call_next(request)

    app.add_middleware(Middleware)

    @app.get("/api/v2/{rest:path}")
    async def slow(rest: str) -> dict[str, str]:
        # As a query of a database is, which goes on where its request is cancelled.
        await asyncio.shield(goes_on.wait())
        return {"state": rest[:7]}

    asking = Asking(2, WITHIN_S)
    view = AirflowView(asking, httpx.ASGITransport(app=app), "token")
    begun = time.perf_counter()
    told = await asyncio.gather(*(view.task_now(AT) for _ in range(5)), return_exceptions=True)
    assert [type(error) for error in told] == [NoAnswer] * 5
    assert time.perf_counter() - begun < HURRY_S
    goes_on.set()
    assert await _at_last(view) == "dags/in"


async def _at_last(view: AirflowView) -> str | None:
    for _ in range(200):
        try:
            task = await view.task_now(AT)
        except NoAnswer:
            await asyncio.sleep(0.01)
        else:
            return None if task is None else task.state
    raise AssertionError("it stays silent")


async def test_so_many_are_under_way_at_most_and_the_others_wait_for_their_turn() -> None:
    under_way: list[int] = []
    now = [0]

    async def ask() -> int:
        now[0] += 1
        under_way.append(now[0])
        await asyncio.sleep(0)
        now[0] -= 1
        return 7

    asking = Asking(3)
    assert await asyncio.gather(*(asking.answer(ask) for _ in range(50))) == [7] * 50
    assert max(under_way) == 3


async def test_where_none_is_answered_no_further_one_is_begun_and_it_is_told_at_once() -> None:
    goes_on = asyncio.Event()
    asked: list[int] = []

    async def ask() -> None:
        asked.append(1)
        await goes_on.wait()

    asking = Asking(3, WITHIN_S)
    await asyncio.gather(*(asking.answer(ask) for _ in range(10)), return_exceptions=True)
    assert len(asked) == 3
    begun = time.perf_counter()
    with pytest.raises(NoAnswer):
        await asking.answer(ask)
    assert time.perf_counter() - begun < WITHIN_S
    assert len(asked) == 3
    goes_on.set()
    for _ in range(3):
        await asyncio.sleep(0)
    await asking.answer(ask)
    assert len(asked) == 4


async def test_an_error_is_whose_who_asked_and_makes_room() -> None:
    async def ask() -> None:
        raise httpx.ReadError("gone")

    asking = Asking(1)
    for _ in range(3):
        with pytest.raises(httpx.ReadError):
            await asking.answer(ask)
