from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.spec import Memory, Spec
from runware_provider.places import Places
from runware_provider.summary import OF_THE_MANIFEST, summary_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KILOBYTE = 1024
LARGEST: dict[str, Any] = {
    "status": "published",
    "publish_id": "0" * 16,
    "unchanged": False,
    "destination": "s3://lake_writer@datasets-of-the-company/invoices/country=de/ds=2026-01-02",
    "model": "deepseek-v4-pro",
    "duration_s": 86_399.123,
    "outcomes": dict.fromkeys(("failed", "invalid", "refused", "skipped", "succeeded"), 100_000_000),
    "cost_usd": 12_345.678901234567,
    "paid_usd": 12_345.678901234567,
    "reused_usd": 12_345.678901234567,
}


PLACE_CHARS = 100


def manifest_of(destination: str) -> dict[str, Any]:
    """The largest there is, but for the paths."""
    manifest = {name: LARGEST.get(name, 1_000_000_000) for name in OF_THE_MANIFEST}
    return {
        **manifest,
        "destination": destination,
        "failures": {"destination": f"{destination}-failures", "rows": 1_000_000_000},
        "schema": "x" * 40_000,
        "files": [{"path": "part"}] * 1_000,
        "reasons": {"timeout": 5},
    }


def report_of(state: str, fields: Sequence[str]) -> dict[str, Any]:
    hits = {name: {"hits": 100_000_000 + rank, "of": 100_000_000} for rank, name in enumerate(fields)}
    pages = {"html": f"{state}/reports/report.html", "markdown": f"{state}/reports/report.md"}
    return {**pages, "hits": hits} if hits else pages


def size(summary: Mapping[str, Any]) -> int:
    return len(json.dumps(summary))


def test_the_summary_of_a_hundred_million_records_is_below_a_kilobyte() -> None:
    destination = LARGEST["destination"]
    summary = summary_of(manifest_of(destination), where=f"{destination}.state/manifest.json", report={})
    assert size(summary) < KILOBYTE
    assert set(summary) == {*OF_THE_MANIFEST, "failures", "manifest"}
    assert summary["failures"] == {"rows": 1_000_000_000}


def test_a_summary_of_usual_length_has_the_whole_report() -> None:
    manifest = manifest_of("s3://lake/invoices") | dict.fromkeys(("duration_s", "cost_unreported"), 1.5)
    report = report_of("s3://lake/invoices.state", ["total", "vendor.name", "lines[].amount"])
    summary = summary_of(manifest, where="s3://lake/invoices.state/manifest.json", report=report)
    assert size(summary) <= KILOBYTE
    assert summary["report"] == {"html": report["html"], "hits": report["hits"]}


def test_of_places_of_a_hundred_characters_the_hits_of_the_worst_fields_are_told_as_far_as_there_is_room() -> (
    None
):
    destination = "s3://lake/".ljust(PLACE_CHARS, "x")
    state = destination.replace("lake", "kept")
    report = report_of(state, ["a", "b", "c" * 50])
    summary = summary_of(manifest_of(destination), where=f"{state}/manifest.json", report=report)
    assert size(summary) <= KILOBYTE
    assert (summary["destination"], summary["manifest"]) == (destination, f"{state}/manifest.json")
    assert summary["report"] == {"html": "reports/report.html", "hits": {"a": report["hits"]["a"]}}


@given(
    destination=st.integers(9, PLACE_CHARS),
    state=st.integers(9, PLACE_CHARS),
    fields=st.lists(st.text(max_size=600), max_size=3, unique=True),
)
def test_up_to_a_hundred_characters_of_a_place_no_summary_is_above_a_kilobyte(
    destination: int, state: int, fields: Sequence[str]
) -> None:
    place, kept = "s3://lake".ljust(destination, "x"), "s3://kept".ljust(state, "x")
    manifest, report = manifest_of(place), report_of(kept, fields)
    summary = summary_of(manifest, where=f"{kept}/manifest.json", report=report)
    assert size(summary) <= KILOBYTE
    assert {name: summary[name] for name in OF_THE_MANIFEST} == {
        name: manifest[name] for name in OF_THE_MANIFEST
    }
    told = list(summary["report"].get("hits", {}).items())
    assert told == list(report.get("hits", {}).items())[: len(told)]
    # Nothing is dropped for which there was room.
    if len(told) < len(fields):
        more = dict(list(report["hits"].items())[: len(told) + 1])
        assert size({**summary, "report": {"html": "reports/report.html", "hits": more}}) > KILOBYTE


def test_of_longer_places_counts_costs_and_the_manifests_path_stay() -> None:
    place = "s3://lake/".ljust(1_000, "x")
    manifest = manifest_of(place)
    summary = summary_of(manifest, where=f"{place}.state/manifest.json", report=report_of(place, ["total"]))
    assert summary["report"] == {"html": "reports/report.html"}
    assert {*OF_THE_MANIFEST, "manifest", "failures", "report"} == set(summary)
    assert summary["manifest"] == f"{place}.state/manifest.json"


@pytest.mark.parametrize("credentials", ["key:secret", "key:sec/ret", "key:se@cret"])
def test_places_hold_no_password(credentials: str) -> None:
    url = f"s3://{credentials}@lake/out"
    for memory in (Memory(), Memory(state=url)):
        spec = Spec(source="in", destination=url, prompt="{{ record.a }}", memory=memory)
        told = str(Places.of(spec, reports=True).told())
        assert "cret" not in told
        assert "sec" not in told


def test_places_are_those_of_the_partition() -> None:
    spec = Spec(
        source="in",
        destination="s3://reader@lake/out/",
        partition={"ds": "2026-01-02"},
        prompt="{{ record.a }}",
    )
    assert Places.of(spec, reports=True).told() == {
        "output": "s3://reader@lake/out/ds=2026-01-02",
        "state": "s3://reader@lake/out.state/ds=2026-01-02",
        "manifest": "s3://reader@lake/out.state/ds=2026-01-02/manifest.json",
        "report": "s3://reader@lake/out.state/ds=2026-01-02/reports/report.html",
    }


def test_a_connections_id_stays_in_a_place_and_the_state_is_where_the_author_says() -> None:
    spec = Spec(
        source="in",
        destination="s3://lake_writer@lake/out",
        memory=Memory(state="s3://lake_writer@lake/kept"),
        prompt="{{ record.a }}",
    )
    assert Places.of(spec, reports=False).told() == {
        "output": "s3://lake_writer@lake/out",
        "state": "s3://lake_writer@lake/kept",
        "manifest": "s3://lake_writer@lake/kept/manifest.json",
    }


def test_the_run_and_the_shard_of_a_task_are_told_with_the_places_of_the_whole() -> None:
    spec = Spec(source="in", destination="out", prompt="{{ record.a }}", run="dag/read/run-1/-1")
    whole = Places.of(spec, reports=False).told()
    assert whole == {
        "output": "out",
        "state": "out.state",
        "manifest": "out.state/manifest.json",
        "run": "dag/read/run-1/-1",
    }
    assert Places.of(spec, reports=False, shard=0).told() == {**whole, "shard": 0}
