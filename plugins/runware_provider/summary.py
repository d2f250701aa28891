"""What a task returns of the dataset that it has published: counts and cost under 1 KB, and where the rest is. Pure."""

from __future__ import annotations

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
    "failures",
)
"""The manifest's keys that the summary has too, with the same meaning; all of them are bounded, but for the paths."""


def summary_of(manifest: Mapping[str, Any], *, where: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a manifest, for XCom and asset events.

    Args:
        manifest: of the dataset.
        where: the manifest lies, in full.
        report: the paths of the report, `html` and `markdown`, and the `hits` of its worst fields; empty where there is none.

    Returns:
        A dict of JSON values, without the manifest's lists of files, codes and columns.
    """
    known = {key: manifest[key] for key in OF_THE_MANIFEST if key in manifest}
    summary = {**known, "manifest": where}
    if report:
        summary["report"] = dict(report)
    return summary
