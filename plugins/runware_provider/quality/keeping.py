"""Reports and comparisons beside the dataset: `reports/` in the state folder, as a page and as Markdown, with a file of misses."""

from __future__ import annotations

import heapq
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.errors import BadInput, PublishConflict
from runware_provider.quality.expected import Expected
from runware_provider.quality.looking import look_at
from runware_provider.quality.page import framed, title_of
from runware_provider.quality.parts import html_of, markdown_of
from runware_provider.quality.published import place_of
from runware_provider.quality.report_document import report_parts
from runware_provider.quality.room import BRIEF, WHOLE
from runware_provider.quality.spec import FOLDER, MISSES, REPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runware_provider.engine.storage.stores import Storage, Stores
    from runware_provider.quality.expected import FieldHits
    from runware_provider.quality.parts import Part
    from runware_provider.quality.published import Place
    from runware_provider.quality.report_remarks import Findings
    from runware_provider.quality.room import Room
    from runware_provider.quality.spec import Report

TRIES = 10
FIELDS_TOLD = 3
"""Fields whose hits a task returns: few enough for XCom, and all others are right at least as often."""


def keep(place: Place, name: str, parts: Callable[[Room], Sequence[Part]]) -> dict[str, str]:
    """Keep a report or a comparison in the state folder, in place of the one of its name before.

    Args:
        place: of the dataset.
        name: of the files, without their endings.
        parts: what it is made of, with so much room; the first has its title.

    Returns:
        The paths, `html` and `markdown`.

    Raises:
        PublishConflict: others kept writing the same page.
    """
    path = place.storage.join(place.state_folder, FOLDER, name)
    return {
        "html": _written(place.storage, f"{path}.html", _page_of(parts(WHOLE)).encode()),
        "markdown": _written(place.storage, f"{path}.md", markdown_of(parts(BRIEF)).encode()),
    }


def keep_report(place: Place, findings: Findings) -> dict[str, str]:
    """Keep a report, and beside it the file of misses, as long as there are any.

    Returns:
        The paths, `html` and `markdown`, and `misses` where there are some.

    Raises:
        PublishConflict: others kept writing the same file.
    """
    kept = keep(place, REPORT, partial(report_parts, findings))
    path = place.storage.join(place.state_folder, FOLDER, MISSES)
    if findings.misses is None:
        place.storage.delete(path)  # it is about rows that are no longer there, or are right
        return kept
    return {**kept, "misses": _written(place.storage, path, findings.misses)}


def _page_of(parts: Sequence[Part]) -> str:
    return framed(title_of(markdown_of(parts[:1])), html_of(parts))


def _written(storage: Storage, path: str, content: bytes) -> str:
    for _ in range(TRIES):
        before = storage.read_versioned(path)
        if before is not None and before[0] == content:
            return path
        if storage.replace_if(path, content, before[1] if before else None):
            return path
    raise PublishConflict(f"{path} is being written by others, again and again; try again")


def expected_table(path: str, stores: Stores, *, field: str) -> pa.Table:
    """The expected values in a Parquet file.

    Args:
        path: of one file.
        stores: opens the store in which it lies.
        field: what the user calls it.

    Raises:
        BadInput: there is no such file, or it is no Parquet.
    """
    try:
        with stores.open(path, field=field).open(path) as file:
            return pq.read_table(file)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise BadInput(field, f"there is no file {path} that can be read", "Name a Parquet file") from None
    except pa.ArrowInvalid:
        raise BadInput(field, f"{path} is no Parquet file", "Convert it") from None


# for a run that ends with its report


def check_report(wish: Report, columns: pa.Schema, result: pa.DataType, stores: Stores) -> None:
    """See that the expected values go with a dataset that is yet to be made.

    Args:
        wish: with or without expected values.
        columns: those of the input that the dataset will keep.
        result: the type of its results.
        stores: opens the stores that the paths name.

    Raises:
        BadInput: they do not.
    """
    if wish.expected is None:
        return
    table = expected_table(wish.expected, stores, field="report.expected")
    try:
        Expected(table, wish.key, columns, result)
    except BadInput as error:
        raise BadInput(f"report.{error.field}", error.problem, error.remedy) from None


def report_on(
    wish: Report,
    destination: str,
    partition: Mapping[str, str] | None,
    state: str | None,
    stores: Stores,
) -> dict[str, Any]:
    """Look at what was just published, and keep the report.

    Returns:
        The paths, `html` and `markdown`, and `misses` where there are some; with expected values also `hits`, of the fields that are most often wrong, the
        worst first, a dict with `hits` and `of`.

    Raises:
        EngineError: there is no report; the dataset stands all the same.
        OSError: the store failed; the dataset stands all the same.
    """
    place = place_of(stores.open(destination), destination, partition, state)
    expected = (
        expected_table(wish.expected, stores, field="report.expected") if wish.expected is not None else None
    )
    findings = look_at(place, expected=expected, key=wish.key, tolerance=wish.tolerance)
    kept: dict[str, Any] = {**keep_report(place, findings)}
    if findings.hits is not None:
        worst = heapq.nsmallest(FIELDS_TOLD, findings.hits.fields, key=_rate)
        kept["hits"] = {field.path: {"hits": field.hits, "of": field.of} for field in worst}
    return kept


def _rate(field: FieldHits) -> float:
    """How often it is right; below all others where nothing was compared, since nobody knows."""
    return field.hits / field.of if field.of else -1.0
