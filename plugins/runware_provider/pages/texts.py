"""From a number to the record: texts of records, their answers and what is wrong with them, as parts of a page.

Whoever calls these has seen that the viewer may read texts. Nothing of it is logged, and a file that is damaged, foreign or too
large is a sentence on the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.errors import StateUnreadable
from runware_provider.pages.asked_texts import asked_request
from runware_provider.pages.beneath import LINKED, LinkBelowError
from runware_provider.pages.failed_texts import failed_rows
from runware_provider.pages.links_between import ON_LEAF
from runware_provider.pages.missed_texts import missed_rows
from runware_provider.pages.page_bits import Name, Said, Several, Way, noun_and_name
from runware_provider.pages.page_parts import Title
from runware_provider.pages.run_view import name_of_dataset
from runware_provider.pages.sample_texts import sample_rows
from runware_provider.pages.text_files import Unshowable
from runware_provider.quality.parts import Words
from runware_provider.quality.wording import code, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.pages.opened_place import OpenedPlace
    from runware_provider.pages.page_bits import Bit
    from runware_provider.quality.parts import Part


def failed_parts(place: OpenedPlace, reason: str | None) -> list[Part]:
    """The first records that failed, each with its texts, its answer and what is wrong with it.

    Args:
        place: of the task.
        reason: an error code; None for all.
    """
    return _below(_title(place, "Failures", reason), lambda: failed_rows(place, reason))


def missed_parts(place: OpenedPlace, field: str | None) -> list[Part]:
    """The first records whose results are not as expected: got beside expected, and what they were read from.

    Args:
        place: of the task.
        field: path of a field of the result; None for all.
    """
    return _below(_title(place, "Misses", field), lambda: missed_rows(place, field))


def asked_parts(place: OpenedPlace) -> list[Part]:
    """The prompt, the schema and the options of a run, and the command that asks the same."""
    return _below(_title(place, "What was asked"), lambda: asked_request(place))


def samples_parts(place: OpenedPlace) -> list[Part]:
    """Answers that were asked for beforehand, for whoever approves of a run."""
    return _below(_title(place, "Sample answers"), lambda: sample_rows(place))


def _below(title: Part, read: Callable[[], list[Part]]) -> list[Part]:
    """What was read, below its title; or why nothing could be."""
    try:
        return [title, *read()]
    except (Unshowable, StateUnreadable, OSError, RecursionError) as error:
        return [title, _why_nothing(error)]


def _title(place: OpenedPlace, what: str, of: str | None = None) -> Part:
    """What the page shows, the run that it belongs to, and the way back to that."""
    bit: Bit = Said(what) if of is None else Several([Said(f"{what}: "), Name(of)], between="")
    below: list[Bit] = [Way(Said("Back to the run"), ON_LEAF.to(place.at))]
    dataset = name_of_dataset(place.places.get("output", ""))
    below += [Name(dataset)] if dataset else []
    below += [
        noun_and_name("DAG", place.at.dag_id),
        noun_and_name("task", place.at.task_id),
        noun_and_name("run", place.at.run_id),
    ]
    below += [Said(f"shard {count(place.shard + 1)}")] if place.shard is not None else []
    return Title(bit, below)


def _why_nothing(error: Exception) -> Part:
    """A sentence of ours: what an error of a store says may quote a path, or worse."""
    if isinstance(error, Unshowable):
        return Words([str(error), ""])
    if isinstance(error, StateUnreadable):
        return Words(["What is noted of this run is damaged, or was written by a newer version.", ""])
    if isinstance(error, LinkBelowError):
        return Words([LINKED, ""])
    if isinstance(error, RecursionError):
        return Words(["A value in it is nested too deeply to be shown.", ""])
    return Words([f"The store could not be read ({code(type(error).__name__)}).", ""])
