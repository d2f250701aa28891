from __future__ import annotations

import json

import pytest

from runware_provider.engine.spec import Memory, Spec
from runware_provider.places import Places
from runware_provider.summary import OF_THE_MANIFEST, summary_of

KILOBYTE = 1024
LARGEST = {
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


def test_the_summary_of_a_hundred_million_records_is_below_a_kilobyte() -> None:
    manifest = {name: LARGEST.get(name, 1_000_000_000) for name in OF_THE_MANIFEST if name != "failures"}
    manifest |= {"schema": "x" * 40_000, "files": [{"path": "part"}] * 1_000, "reasons": {"timeout": 5}}
    summary = summary_of(manifest, where=f"{LARGEST['destination']}.state/manifest.json", report={})
    assert len(json.dumps(summary)) < KILOBYTE
    assert set(summary) == {*manifest} - {"schema", "files", "reasons"} | {"manifest"}


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
