"""What a task returns of the dataset that it has published: counts and cost in 1 KB, and where the rest is. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_THE_MANIFEST: Final = (
    "status",
    "publish_id",
    "unchanged",
    "destination",
    "model",
    "duration_s",
    "records",
    "rows",
    "outcomes",
    "inferences",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost_usd",
    "cost_unreported",
    "maybe_billed",
    "paid_inferences",
    "paid_usd",
    "reused_inferences",
    "reused_usd",
)
"""The manifest's keys that the summary has too, with the same meaning; all of them are bounded, but for the path and the model."""
MOST_BYTES: Final = 1024
"""Of a summary as JSON: Airflow keeps it in its database, for each run and for each event."""


def summary_of(manifest: Mapping[str, Any], *, where: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a manifest, for XCom and asset events.

    Args:
        manifest: of the dataset.
        where: the manifest lies, in full.
        report: the path of the report's page, `html`, and with expected values the `hits` of its worst fields, the worst first;
            empty where there is no report.

    Returns:
        A dict of JSON values, without the manifest's lists of files, codes and columns. Where it would take more than
        `MOST_BYTES`, the path of the report becomes relative to the manifest's folder, and then the hits go, those of the worst
        field last. Counts, costs, the destination and the manifest's path always stay.
    """
    summary = {key: manifest[key] for key in OF_THE_MANIFEST if key in manifest}
    if "failures" in manifest:
        # Where they lie is in the manifest.
        summary["failures"] = {"rows": manifest["failures"]["rows"]}
    summary["manifest"] = where
    if report:
        _tell_report(summary, report["html"], list(report.get("hits", {}).items()))
    return summary


def _tell_report(summary: dict[str, Any], html: str, hits: list[tuple[str, Any]]) -> None:
    """Add what there is room for."""
    summary["report"] = {"html": html}
    if hits:
        summary["report"]["hits"] = dict(hits)
    if _has_room(summary):
        return
    # The page lies in a folder beside the manifest.
    short = "/".join(html.split("/")[-2:])
    for told in range(len(hits), 0, -1):
        summary["report"] = {"html": short, "hits": dict(hits[:told])}
        if _has_room(summary):
            return
    summary["report"] = {"html": short}


def _has_room(summary: Mapping[str, Any]) -> bool:
    return len(json.dumps(summary)) <= MOST_BYTES
