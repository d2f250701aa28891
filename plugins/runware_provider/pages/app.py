"""The pages as an application: `GET` alone, ids alone, each route behind the right that `routes` names."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Depends, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import Response  # noqa: TC002 - as above

from runware_provider.pages import answers, frame, pushed, routes
from runware_provider.pages.airflow_view import NotSeen
from runware_provider.pages.asking import NoAnswer
from runware_provider.pages.routes import Right
from runware_provider.pages.run_view import TaskAt

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from runware_provider.pages.routes import Route
    from runware_provider.pages.views import Views

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rights:
    """Who may what: dependencies of FastAPI's, which raise an `HTTPException` of 401 or 403, or say whether."""

    to_list: Callable[..., Any]
    to_task: tuple[Callable[..., Any], ...]
    reads_texts: Callable[..., bool]


class _Route(APIRoute):
    """A route of which no error leaves more than its kind: its words may be a record's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except (StarletteHTTPException, RequestValidationError):
                raise
            except NotSeen as refused:
                raise HTTPException(refused.status) from None
            except NoAnswer:
                raise HTTPException(503) from None
            except Exception as error:  # noqa: BLE001 - see the class
                _LOG.error("A page failed: %s at %s", type(error).__name__, _place_of(error))
                raise HTTPException(500) from None

        return handled


def _place_of(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"


def named_task(dag_id: str, run_id: str, task_id: str, map_index: str = "") -> TaskAt:
    """The task instance that a path names."""
    at = pushed.task_at(dag_id, run_id, task_id, map_index)
    if at is None:
        raise HTTPException(404)
    return at


Named = Annotated[TaskAt, Depends(named_task)]


def pages_app(views: Views, rights: Rights) -> answers.Guarded:
    """The application, to be mounted at `URL_PREFIX`.

    Args:
        views: what the pages show.
        rights: asked before anything else of each request.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.router.route_class = _Route
    app.add_exception_handler(StarletteHTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    reads_texts = Depends(rights.reads_texts)

    async def needs_texts(may_read: bool = reads_texts) -> None:  # noqa: FBT001 - a dependency
        if not may_read:
            raise HTTPException(403)

    needs: Final = {
        Right.NONE: (),
        Right.LIST: (rights.to_list,),
        Right.TASK: rights.to_task,
        Right.TEXTS: (*rights.to_task, needs_texts),
    }

    def add(route: Route, endpoint: Callable[..., Any], *more_paths: str) -> None:
        asked = [Depends(right) for right in needs[route.right]]
        for path in (route.path, *more_paths):
            app.add_api_route(path, endpoint, methods=["GET"], dependencies=asked, response_model=None)

    async def job(request: Request, at: Named, may_read: bool = reads_texts) -> Response:  # noqa: FBT001 - a dependency
        return await views.job(request, at, may_read_texts=may_read)

    async def listed(request: Request) -> Response:
        return await views.listed(request)

    add(routes.STATIC, _static)
    add(routes.LIST, listed)
    # Airflow leaves the index of a task that is not mapped empty.
    add(routes.JOB, job, routes.TASK.removesuffix("{map_index}"))
    add(routes.REPORT, _of_task(views.report))
    for route in (routes.FAILED, routes.MISSED, routes.ASKED, routes.SAMPLES):
        add(route, _of_task(views.texts(route)))
    return answers.Guarded(app)


async def _static(name: str) -> Response:
    if name not in frame.STATIC:
        raise HTTPException(404)
    return answers.static(*frame.STATIC[name])


def _of_task(answer: Callable[[Request, TaskAt], Coroutine[Any, Any, Response]]) -> Callable[..., Any]:
    async def endpoint(request: Request, at: Named) -> Response:
        return await answer(request, at)

    return endpoint


async def _refuse(request: Request, error: Exception) -> Response:
    # What does not fit into a path is as little there as what fits.
    return answers.refused(request, getattr(error, "status_code", 404))
