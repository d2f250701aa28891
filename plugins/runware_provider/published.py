"""What a task tells of the dataset that it has published: in its log, to its outlets, and as what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from runware_provider.engine.errors import note_how_far
from runware_provider.engine.job.endings import good_end
from runware_provider.report_wish import kept_report, remember_hits
from runware_provider.summary import summary_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from runware_provider.engine.spec import Spec
    from runware_provider.job_task import JobTask


def told_of(manifest: Mapping[str, Any], task: JobTask, spec: Spec, context: Context) -> dict[str, Any]:
    """Log how the dataset came out, keep the report if one is wished for, and give every asset its event.

    Args:
        manifest: of the dataset.
        task: that published it.
        spec: what was asked.
        context: of the task instance.

    Returns:
        The manifest's summary, with where the manifest and the report are.
    """
    try:
        for line in good_end(manifest):
            task.log.info("%s", line)
        report = kept_report(task.report, spec, task.log)
        remember_hits(manifest, report, task.log)
        task.manifest = manifest
        told = summary_of(manifest, where=task.places(spec).manifest, report=report)
        for outlet in task.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = told
    except BaseException as error:
        note_how_far(error, {**manifest, "still_at_vendor": 0})
        raise
    return told
