"""The report on quality that a task is asked for: what is wished, whether it can be, and what came of it."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import BadInput, EngineError
from runware_provider.engine.plain_text import with_article, wrapped
from runware_provider.object_stores import airflow_stores
from runware_provider.quality.spec import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk.types import Logger

    from runware_provider.engine.spec import Spec


def report_wish(given: object) -> Report | None:
    """The report that is wished for; None where none is.

    Raises:
        BadInput: it is something else.
    """
    if given is None or isinstance(given, bool):
        return Report() if given else None
    if isinstance(given, Report):
        return given
    if not isinstance(given, dict):
        raise BadInput(
            "report", f"{with_article(type(given).__name__)} is no report", "Write True or Report(...)"
        )
    return Report(**given)


def check_report_wish(given: object, spec: Spec) -> None:
    """Before anything is paid: whether the expected values go with what the job will write.

    Raises:
        BadInput: they do not.
    """
    wish = report_wish(given)
    if wish is None or wish.expected is None:
        return
    from runware_provider.engine.job.prepare import prepare  # noqa: PLC0415 - heavy: pyarrow
    from runware_provider.quality.keeping import check_report  # noqa: PLC0415 - heavy: pyarrow

    stores = airflow_stores()
    prepared = prepare(spec, stores)
    check_report(wish, prepared.kept_schema, prepared.result_type, stores)


def kept_report(given: object, spec: Spec, log: Logger) -> dict[str, Any]:
    """Where the report on a published dataset is, and its `hits`, as `report_on` has them; empty without one.

    Where there should be one and is none, the task succeeds all the same, since the dataset stands.
    """
    wish = report_wish(given)
    if wish is None:
        return {}
    try:
        from runware_provider.quality.keeping import report_on  # noqa: PLC0415 - heavy: pyarrow

        paths = report_on(wish, spec.destination, spec.partition, spec.memory.state, airflow_stores())
    except Exception as error:  # noqa: BLE001 - a task that has published and paid must not fail over its report
        for line in wrapped("There is no report", f"the dataset is published. {_why_no_report(error)}"):
            log.warning("%s", line)
        return {}
    for line in wrapped("Quality", f"its report is {paths['html']}"):
        log.info("%s", line)
    return paths


def remember_hits(manifest: Mapping[str, Any], report: Mapping[str, Any], log: Logger) -> None:
    """Put what a report says of expected values beside the run in the history of its dataset, for whoever compares runs.

    Args:
        manifest: of the dataset.
        report: as `kept_report` told it.
        log: is told where that fails; the task succeeds all the same.
    """
    hits = report.get("hits")
    if not hits:
        return
    try:
        from runware_provider.engine.job.run_records import note_hits  # noqa: PLC0415 - heavy: pydantic

        storage = airflow_stores().open(manifest["state"])
        note_hits(storage, manifest["state"], manifest["publish_id"], hits)
    except Exception as error:  # noqa: BLE001 - a task that has published and paid must not fail over its history
        reason = _our_words(error) or type(error).__name__
        for line in wrapped("The history of runs lacks the report", reason):
            log.warning("%s", line)


def _why_no_report(error: Exception) -> str:
    """The reason, for a log: no error's words but our own and a store's, since others may quote a value."""
    if words := _our_words(error):
        return words
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__} in {place.name}, line {place.lineno} of {place.filename}."
        " `python -m runware_provider report` says it in full"
    )


def _our_words(error: Exception) -> str:
    """What an error of ours, or a store's, says; empty of any other, since it may quote a value."""
    return str(error) if isinstance(error, EngineError | OSError) else ""
