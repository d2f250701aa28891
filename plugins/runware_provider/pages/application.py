"""The pages with Airflow's rights, stores and configuration."""

from __future__ import annotations

import inspect
import logging
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations

from runware_provider.configuration import page_roots, page_texts
from runware_provider.engine.inbox.bounded_threads import BoundedThreads
from runware_provider.engine.storage.stores import Stores
from runware_provider.object_stores import StoreOptions, options_of
from runware_provider.pages.app import Rights, pages_app
from runware_provider.pages.reading import Reading
from runware_provider.pages.reads import Reads
from runware_provider.pages.tabs import OPERATORS
from runware_provider.pages.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.storage.object_place import ObjectPlace
    from runware_provider.pages.answers import Guarded

T = TypeVar("T")

THREADS: Final = 8
"""That read records below one root; each process of the API server has its own."""
TEXT_THREADS: Final = 2
"""That read texts below one root."""
_LOG: Final = logging.getLogger(__name__)

_sees_xcoms = requires_access_dag("GET", DagAccessEntity.XCOM)
_sees_tasks = requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)
_edits_tasks: Callable[..., object] = requires_access_dag("PUT", DagAccessEntity.TASK_INSTANCE)


def reads_texts(request: Request, user: GetUserDep) -> bool:
    """Whether somebody may edit the task instances of the DAG: who only looks at DAGs is no reader of documents."""
    try:
        said = _edits_tasks(request, user)
    except HTTPException:
        return False
    # It raises or says nothing. Should it have to be awaited one day, nobody was asked yet.
    if inspect.iscoroutine(said):
        said.close()
    return said is None


def application() -> Guarded:
    """The pages that Airflow's configuration describes."""
    roots, shows_texts = _options()
    reading = Reading(roots, cache(_stores), Reads(lambda: BoundedThreads(THREADS, "runware-pages")))
    texts = Reads(lambda: BoundedThreads(TEXT_THREADS, "runware-texts"), within_s=10.0, kept_s=0.0)
    rights = Rights(to_list=_sees_xcoms, to_task=(_sees_xcoms, _sees_tasks), reads_texts=reads_texts)
    # The REST API says the name of the class, of a decorated function's task too.
    operators = frozenset({*OPERATORS, "TextInferenceDecoratedOperator"})
    return pages_app(Views(reading, texts, shows_texts, operators), rights)


def _stores() -> Stores:
    """Opens stores that are asked once: whoever looks at a page tries again by themselves."""
    return Stores(_asked_once)


def _asked_once(place: ObjectPlace) -> StoreOptions:
    return StoreOptions({**options_of(place), "give_up_s": "0"})


def _options() -> tuple[str, bool]:
    """The roots, and whether texts are shown: nothing is, where that cannot be read, for the API server has to start."""
    return _option("page_roots", page_roots, ""), _option("page_texts", page_texts, False)  # noqa: FBT003 - its value


def _option(name: str, read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - a command or a backend that gives an option may raise anything
        # Its text may quote what it was given.
        _LOG.error(
            "The pages of jobs take [runware] %s for empty: Airflow cannot read it (%s)",
            name,
            type(error).__name__,
        )
    return otherwise
