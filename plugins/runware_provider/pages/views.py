"""What each route shows, for who may see it: Airflow is asked, records are read, and a document is made of both."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from fastapi import HTTPException

from runware_provider.engine.inbox.bounded_threads import BoundedThreads
from runware_provider.pages import answers, pushed, routes, texts
from runware_provider.pages.airflow_view import NotSeen, Strange
from runware_provider.pages.asking import Asking, NoAnswer
from runware_provider.pages.job_document import job_parts, job_title, renews
from runware_provider.pages.list_document import list_parts
from runware_provider.pages.opened_place import OpenedPlace
from runware_provider.pages.page_parts import way_back
from runware_provider.pages.reading import NOT_ITS_OWN, Folder, NotShown, PlaceRead, Reading
from runware_provider.pages.reads import Kept, Reads, StoreSilent
from runware_provider.pages.run_view import DatasetView, RunView, name_of_dataset
from runware_provider.pages.shard_parts import infer_of
from runware_provider.pages.viewer import airflow_of, base_path_of, digest_of
from runware_provider.quality.parts import Words
from runware_provider.quality.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from concurrent.futures import Executor

    from starlette.requests import Request
    from starlette.responses import Response

    from runware_provider.pages.airflow_view import AirflowView
    from runware_provider.pages.routes import Route
    from runware_provider.pages.run_view import TaskAt, TaskNow
    from runware_provider.quality.parts import Part

RENEW_S: Final = 5.0
"""Between two looks of an open page at a run that goes."""
PLACES_KEPT_S: Final = 60.0
"""What a task pushed changes only when it is tried again."""
TASK_KEPT_S: Final = 3.0
MOST_DATASETS: Final = 40
MOST_AT_WORK: Final = 10
"""Of whose tasks a list asks Airflow."""
MOST_GROUPS: Final = 10
"""Of which a list reads the shards."""
_MOST_ASKED: Final = 60
DRAWN_WITHIN_S: Final = 10.0
_DRAWING_THREADS: Final = 2
_MOST_QUERY_CHARS: Final = 300
NOT_OURS: Final = "This task is not one of Runware's."
NOT_BEGUN: Final = "This task has not told yet where it writes."
TEXTS_ARE_OFF: Final = "This Airflow shows no texts of records: [runware] page_texts is off."
SILENT: Final = "The store does not answer in time. Open this page again in a while."

_UNHEARD: Final[dict[str, str]] = {}
"""In the place of what Airflow did not say in time."""
_WHOLE: Final = frozenset({"published", "unchanged", "refused"})
"""States of a group after which its shards say nothing new."""
_Told: TypeAlias = "tuple[TaskAt, dict[str, str]]"
"""A task, and the places that it pushed."""


@dataclass(frozen=True)
class Views:
    """The pages of one API server.

    Args:
        reading: of records.
        texts_reads: of texts, in threads of their own, so that nobody's records wait for them.
        shows_texts: `[runware] page_texts`.
        operators: what Airflow calls ours.
        drawing: threads in which pages are made of what was read: the event loop is Airflow's.
    """

    reading: Reading
    texts_reads: Reads
    shows_texts: bool
    operators: frozenset[str] = frozenset()
    drawing: Executor = field(default_factory=lambda: BoundedThreads(_DRAWING_THREADS, "runware-drawing"))
    _asking: Asking = field(default_factory=Asking, init=False)
    _asking_for_lists: Asking = field(default_factory=Asking, init=False)
    """Apart from that for a task, which is one question or two: a list asks some sixty."""
    _places: Kept[dict[str, str]] = field(default_factory=lambda: Kept(PLACES_KEPT_S), init=False)
    _listed: Kept[tuple[dict[str, str] | None]] = field(
        default_factory=lambda: Kept(PLACES_KEPT_S, most=3_000), init=False
    )
    """What a task pushed as one viewer sees it, by viewer and task; (None,) where they see nothing."""
    _tasks: Kept[TaskNow] = field(default_factory=lambda: Kept(TASK_KEPT_S), init=False)
    _states: Kept[dict[int, str]] = field(default_factory=lambda: Kept(TASK_KEPT_S), init=False)
    """Of the shards of a group, by its task that asks."""

    async def job(self, request: Request, at: TaskAt, *, may_read_texts: bool) -> Response:
        """The run of a task."""
        airflow = airflow_of(request, self._asking)
        task, places = await asyncio.gather(self._task(airflow, at), self._pushed(airflow, at))
        if task is None:
            raise HTTPException(404)
        if places is None:
            return await self._without_places(request, task)
        read = await self._read(at, places)
        view = RunView(
            at=at,
            task=task,
            places=places,
            record=read.record,
            shard=pushed.shard_of(places),
            shards=read.shards,
            shards_left_out=read.shards_left_out,
            shard_states=await self._shard_states(airflow, at, read),
            past=read.past,
            may_read_texts=may_read_texts and self.shows_texts,
            has_report=read.has_report and may_read_texts and self.shows_texts,
            trouble=read.trouble,
            read_at=read.read_at,
            approve_at=_approve_at(request, at, read),
        )

        def draw() -> Response:
            renew_s = RENEW_S if renews(view) else None
            return answers.shown(request, job_title(view), job_parts(view), renew_s=renew_s)

        return await self._drawn(draw)

    async def listed(self, request: Request) -> Response:
        """The datasets that this Airflow writes, as far as the viewer may see their DAGs."""
        airflow, viewer = airflow_of(request, self._asking_for_lists), digest_of(request)
        who = await airflow.who_pushed(_MOST_ASKED)
        newest = _newest(who.tasks)
        asked = newest[:_MOST_ASKED]
        told = await asyncio.gather(*(self._pushed_if_seen(airflow, viewer, at) for at in asked))
        chosen = _one_a_dataset([(at, places) for at, places in zip(asked, told, strict=True) if places])
        datasets = await self._datasets(chosen[:MOST_DATASETS])
        datasets = await self._with_states(airflow, datasets)
        silent = sum(places is _UNHEARD for places in told)
        if silent and not chosen:
            raise NoAnswer
        left_out = len(newest) - len(asked) + silent + max(0, len(chosen) - MOST_DATASETS)
        read_at = self.reading.now().isoformat(timespec="seconds")

        def draw() -> Response:
            parts = list_parts(datasets, left_out=left_out, read_at=read_at)
            return answers.shown(request, "Runware", [*parts, *_not_looked_at(who.not_listed)])

        return await self._drawn(draw)

    async def report(self, request: Request, at: TaskAt) -> Response:
        """The report on quality, as it lies in the state folder."""
        opened = await self._opened(request, at)
        if isinstance(opened, str):
            return _said(request, opened)
        try:
            root = self.reading.root_of(opened.state)
            return answers.report(await self.reading.report(Folder(root, opened.storage, opened.state)))
        except NotShown as reason:
            return _said(request, reason.why)

    def texts(self, route: Route) -> Callable[[Request, TaskAt], Coroutine[None, None, Response]]:
        """What a route with texts shows."""
        parts_of = _TEXTS[route]

        async def answer(request: Request, at: TaskAt) -> Response:
            opened = await self._opened(request, at)
            if isinstance(opened, str):
                return _said(request, opened)
            query = dict(request.query_params)

            def draw() -> Response:
                name = name_of_dataset(opened.places.get("output", "")) or at.task_id
                return answers.shown(request, name, [*parts_of(opened, query), way_back(at)])

            try:
                return await self.texts_reads.alone(self.reading.root_of(opened.state), draw)
            except StoreSilent:
                return _said(request, SILENT)

        return answer

    async def _without_places(self, request: Request, task: TaskNow) -> Response:
        if task.operator not in self.operators:
            return _said(request, NOT_OURS)
        return await self._drawn(
            lambda: answers.shown(request, "Runware", [Words([NOT_BEGUN, ""])], renew_s=RENEW_S)
        )

    async def _drawn(self, draw: Callable[[], Response]) -> Response:
        """A page.

        Raises:
            NoAnswer: so many others are drawn that this one was not in time.
        """
        drawing = asyncio.wrap_future(self.drawing.submit(draw))
        try:
            return await asyncio.wait_for(drawing, DRAWN_WITHIN_S)
        except TimeoutError:
            raise NoAnswer from None

    async def _opened(self, request: Request, at: TaskAt) -> OpenedPlace | str:
        """What texts are read from; a sentence where nothing is."""
        if not self.shows_texts:
            return TEXTS_ARE_OFF
        places = await self._pushed(airflow_of(request, self._asking), at)
        if places is None:
            return NOT_OURS
        read = await self._read(at, places)
        if read.folder is None:
            return read.trouble
        return OpenedPlace(
            at, places, read.folder.storage, read.folder.state, places["run"], pushed.shard_of(places)
        )

    async def _read(self, at: TaskAt, places: dict[str, str], *, brief: bool = False) -> PlaceRead:
        # Whoever may write XComs could name the place of another DAG.
        if not pushed.is_named_by(places["run"], at):
            return PlaceRead(trouble=NOT_ITS_OWN)
        is_group = pushed.is_of_a_group(places["run"], at)
        shard = pushed.shard_of(places)
        return await self.reading.place(places, is_group=is_group, shard=shard, brief=brief)

    async def _datasets(self, chosen: Sequence[_Told]) -> list[DatasetView]:
        """As of their newest runs; of the newest groups that are at work, with their shards."""
        datasets = await asyncio.gather(*(self._dataset(*told) for told in chosen))
        groups = [
            number
            for number, (at, places) in enumerate(chosen)
            if pushed.is_of_a_group(places["run"], at) and _may_be_in_shards(datasets[number])
        ]
        read = await asyncio.gather(*(self._read(*chosen[number]) for number in groups[:MOST_GROUPS]))
        for number, whole in zip(groups, read, strict=False):
            record, trouble = whole.record, whole.trouble
            datasets[number] = replace(datasets[number], record=record, trouble=trouble, shards=whole.shards)
        for number in groups[MOST_GROUPS:]:
            datasets[number] = replace(datasets[number], is_in_shards=True)
        return datasets

    async def _with_states(self, airflow: AirflowView, datasets: list[DatasetView]) -> list[DatasetView]:
        """With what Airflow says of the tasks of the newest runs that seem to be at work: one of them may be gone."""
        numbers = [number for number, dataset in enumerate(datasets) if _seems_at_work(dataset)]
        told = await asyncio.gather(
            *(_state_of(airflow, datasets[number].at) for number in numbers[:MOST_AT_WORK])
        )
        for number, state in zip(numbers, told, strict=False):
            datasets[number] = replace(datasets[number], task_state=state)
        return datasets

    async def _shard_states(self, airflow: AirflowView, at: TaskAt, read: PlaceRead) -> dict[int, str]:
        """What Airflow says of the shards of a group; nothing where it does not say so."""
        if not read.shards:
            return {}
        infer = infer_of(at, 0)
        known = self._states.get(infer)
        if known is not None:
            return known
        try:
            states = await airflow.shard_states(infer)
        except (NotSeen, NoAnswer, Strange):
            return {}
        self._states.put(infer, states)
        return states

    async def _dataset(self, at: TaskAt, places: dict[str, str]) -> DatasetView:
        read = await self._read(at, places, brief=True)
        return DatasetView(at, places["output"], read.record, read.past, read.trouble)

    async def _task(self, airflow: AirflowView, at: TaskAt) -> TaskNow | None:
        known = self._tasks.get(at)
        if known is not None:
            return known
        task = await airflow.task_now(at)
        if task is not None:
            self._tasks.put(at, task)
        return task

    async def _pushed(self, airflow: AirflowView, at: TaskAt) -> dict[str, str] | None:
        # The right to read the DAG's XComs was asked for with the route, so it does not matter who asked first.
        known = self._places.get(at)
        if known is not None:
            return known
        places = await airflow.places(at)
        if places is not None:
            self._places.put(at, places)
        return places

    async def _pushed_if_seen(self, airflow: AirflowView, viewer: str, at: TaskAt) -> dict[str, str] | None:
        # Nobody has asked yet whether this viewer may read the DAG's XComs: what others were shown is not theirs.
        known = self._listed.get((viewer, at))
        if known is not None:
            return known[0]
        try:
            places = await airflow.places(at)
        except (NotSeen, Strange):
            places = None
        except NoAnswer:
            return _UNHEARD
        self._listed.put((viewer, at), (places,))
        return places


def _not_looked_at(older: int) -> list[Part]:
    if not older:
        return []
    told = f"Only the last runs were looked through: {counted(older, 'older one')} may have written further datasets."
    return [Words([told, ""])]


def _newest(tasks: Iterable[TaskAt]) -> list[TaskAt]:
    """Of each task the first one in a list that begins with the newest run."""
    by_task: dict[tuple[str, str, int], TaskAt] = {}
    for at in tasks:
        by_task.setdefault((at.dag_id, at.task_id, at.map_index), at)
    return list(by_task.values())


def _one_a_dataset(told: Sequence[_Told]) -> list[_Told]:
    """Of the tasks of a DAG that write one dataset together, as those of a group do, the first one."""
    by_place: dict[tuple[str, str], _Told] = {}
    for at, places in told:
        by_place.setdefault((at.dag_id, places["state"]), (at, places))
    return list(by_place.values())


def _may_be_in_shards(dataset: DatasetView) -> bool:
    """Whether the shards of a group know more of its run than what is recorded of the whole."""
    return dataset.record is None or dataset.record.state not in _WHOLE


def _seems_at_work(dataset: DatasetView) -> bool:
    """Whether one task writes a dataset, and has not noted its end."""
    is_group = dataset.is_in_shards or bool(dataset.shards)
    return not is_group and dataset.record is not None and dataset.record.state == "running"


async def _state_of(airflow: AirflowView, at: TaskAt) -> str | None:
    """None where Airflow does not say it."""
    try:
        task = await airflow.task_now(at)
    except (NotSeen, NoAnswer, Strange):
        return None
    return None if task is None else task.state


def _said(request: Request, sentence: str) -> Response:
    return answers.shown(request, "Runware", [Words([sentence, ""])])


def _approve_at(request: Request, at: TaskAt, read: PlaceRead) -> str:
    """Airflow's own page where a person decides, where somebody has to."""
    approval = None if read.record is None else read.record.approval
    if approval is None or approval.verdict != "waiting":
        return ""
    return f"{base_path_of(request)}{at.answer_path}"


def _wished(query: dict[str, str], name: str) -> str | None:
    value = query.get(name)
    return value if value and len(value) <= _MOST_QUERY_CHARS else None


def _failed(place: OpenedPlace, query: dict[str, str]) -> list[Part]:
    return texts.failed_parts(place, _wished(query, "reason"))


def _missed(place: OpenedPlace, query: dict[str, str]) -> list[Part]:
    return texts.missed_parts(place, _wished(query, "field"))


def _asked(place: OpenedPlace, query: dict[str, str]) -> list[Part]:  # noqa: ARG001 - as the others
    return texts.asked_parts(place)


def _samples(place: OpenedPlace, query: dict[str, str]) -> list[Part]:  # noqa: ARG001 - as the others
    return texts.samples_parts(place)


_TEXTS: Final = {
    routes.FAILED: _failed,
    routes.MISSED: _missed,
    routes.ASKED: _asked,
    routes.SAMPLES: _samples,
}
