"""What cannot be carried out is told before the first task is sent, by field and remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BadInput, StateUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Damage = Callable[[Any], None]

TOOL = {"name": "note", "schema": {"type": "object", "properties": {}}}
NO_ARROW_TYPE = {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}

BAD_SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "a column of the prompt that is none": ({"prompt": "{{ record.bdy }}"}, "prompt"),
    "a variable that is none": ({"prompt": "{{ recrd.body }}"}, "prompt"),
    "a template that is none": ({"prompt": "{{ record.body "}, "prompt"),
    "a kept column that is none": ({"publish": {"columns": ["bdy"]}}, "publish.columns"),
    "a source that is not there": ({"source": "nowhere"}, "source"),
    "a source on another store": ({"source": "s3://bucket/in"}, "source"),
    "a destination on another store": ({"destination": "s3://bucket/out"}, "destination"),
    "a state folder on another store": ({"memory": {"state": "s3://bucket/state"}}, "memory.state"),
    "a schema that Arrow has no type for": ({"output_type": NO_ARROW_TYPE}, "output_type"),
    "a model without the output mode": ({"answers": {"output_mode": "native"}}, "answers.output_mode"),
    "a setting out of range": ({"settings": {"temperature": 3}}, "settings.temperature"),
    "a setting between steps": ({"settings": {"top_p": 0.123}}, "settings.top_p"),
    "a setting that is none": ({"settings": {"temprature": 1}}, "settings.temprature"),
    "a tool that is not offered": (
        {"output_type": None, "tools": [TOOL], "tool_choice": "nite"},
        "tool_choice",
    ),
    "a stream of an object": ({"delivery": "stream"}, "delivery"),
    "a stream of calls": ({"delivery": "stream", "output_type": None, "tools": [TOOL]}, "delivery"),
    "a choice without tools": ({"tool_choice": "any"}, "tool_choice"),
    "a partition without a value": ({"partition": {"ds": " "}}, "partition"),
    "a limit that is no number": ({"limit": "ten"}, "limit"),
    "samples out of range": ({"samples": 0}, "samples"),
    "too many output tokens": ({"settings": {"max_tokens": 100_001}}, "settings.max_tokens"),
}


@pytest.mark.parametrize("name", BAD_SPECS)
async def test_a_bad_argument_is_refused_before_anything_is_sent(place: Any, name: str) -> None:
    changes, field = BAD_SPECS[name]
    place.fill(3)
    with pytest.raises(BadInput) as refused:
        await place.run(**changes)
    assert refused.value.field == field
    assert refused.value.problem
    assert place.asked_nothing()
    assert not place.state.exists()
    assert not place.destination.exists()


def no_parquet(place: Any) -> None:
    place.source.mkdir()
    (place.source / "a.csv").write_text("n,body\n", encoding="utf-8")


def corrupt_footer(place: Any) -> None:
    place.fill(3)
    (place.source / "b.parquet").write_bytes(b"PAR1 this is none PAR1")


def corrupt_page(place: Any) -> None:
    place.fill(["Total: 1.50 EUR" * 40] * 300)
    path = place.source / "a.parquet"
    held = bytearray(path.read_bytes())
    held[4:400] = bytes(396)
    path.write_bytes(held)


def clash(place: Any) -> None:
    place.fill(3)
    place.put(pa.table({"n": ["x"], "body": [[1]]}), "b.parquet")


def result_is_taken(place: Any) -> None:
    place.put(pa.table({"body": ["a"], "result": ["b"]}))


def inference_is_taken(place: Any) -> None:
    place.put(pa.table({"body": ["a"], "inference": ["b"]}))


def foreign(place: Any) -> None:
    place.fill(3)
    place.destination.mkdir()
    (place.destination / "notes.txt").write_text("mine", encoding="utf-8")


def a_file_as_destination(place: Any) -> None:
    place.fill(3)
    place.destination.write_text("mine", encoding="utf-8")


BAD_DATA: dict[str, tuple[Damage, str]] = {
    "no parquet": (no_parquet, "source"),
    "corrupt footer": (corrupt_footer, "source"),
    "corrupt page": (corrupt_page, "source"),
    "types that clash": (clash, "source"),
    "a column named result": (result_is_taken, "column 'result'"),
    "a column named inference": (inference_is_taken, "column 'inference'"),
    "foreign files in the destination": (foreign, "destination"),
    "a destination that is a file": (a_file_as_destination, "destination"),
}


@pytest.mark.parametrize("name", BAD_DATA)
async def test_bad_data_is_refused_before_anything_is_sent(place: Any, name: str) -> None:
    damage, field = BAD_DATA[name]
    damage(place)
    with pytest.raises(BadInput) as refused:
        await place.run()
    assert refused.value.field == field
    assert refused.value.problem
    assert refused.value.remedy
    assert place.asked_nothing()


def spelled(path: Path, how: str) -> str:
    return {
        "as it is": str(path),
        "with a slash": f"{path}/",
        "as a URL": f"file://{path}",
        "with dots": f"{path}/../{path.name}",
        "with doubled slashes": str(path).replace("/", "//"),
    }[how]


SPELLINGS = ["as it is", "with a slash", "as a URL", "with dots", "with doubled slashes"]


@pytest.mark.parametrize("how", SPELLINGS)
async def test_a_destination_inside_the_source_is_refused(place: Any, how: str) -> None:
    place.fill(3)
    with pytest.raises(BadInput, match="lies inside the source") as refused:
        await place.run(source=spelled(place.source, how), destination=str(place.source / "out"))
    assert refused.value.field == "destination"
    assert place.asked_nothing()


@pytest.mark.parametrize("how", SPELLINGS)
async def test_a_source_inside_the_destination_is_refused(place: Any, how: str) -> None:
    place.fill(3)
    with pytest.raises(BadInput) as refused:
        await place.run(
            destination=spelled(place.root, how), memory={"state": str(place.root.parent / "state")}
        )
    assert refused.value.field in {"source", "destination"}
    assert place.asked_nothing()


@pytest.mark.parametrize("how", SPELLINGS)
async def test_a_state_folder_inside_the_dataset_is_refused(place: Any, how: str) -> None:
    place.fill(3)
    with pytest.raises(BadInput, match="inside the destination") as refused:
        await place.run(
            destination=spelled(place.destination, how), memory={"state": str(place.destination / "state")}
        )
    assert refused.value.field == "memory.state"
    assert place.asked_nothing()


@pytest.mark.parametrize(
    ("url", "key", "field"),
    [
        ("ftp://api.example/v1", "k", "base URL"),
        ("api.example/v1", "k", "base URL"),
        ("http://api.example/v1", "k", "base URL"),
        ("https://user:word@api.example/v1", "k", "base URL"),
        ("https://api.example/v1", "", "API key"),
        ("https://api.example/v1", "  ", "API key"),
    ],
)
def test_a_bad_endpoint_is_refused(url: str, key: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        Endpoint(url, key)
    assert refused.value.field == field
    assert refused.value.remedy


async def test_an_endpoint_that_cannot_be_read_is_refused_before_there_is_a_state_folder(place: Any) -> None:
    place.fill(3)
    with pytest.raises(BadInput, match="base URL"):
        await place.run(base_url="https://api.example:99999/v1")
    assert not place.state.exists()


# the state of an earlier run


def remove_state(place: Any) -> None:
    for path in sorted(place.state.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.state.rmdir()


def add_foreign_file(place: Any) -> None:
    (place.destination / "more.parquet").write_bytes(b"mine")


def damage_job(place: Any) -> None:
    (place.state / "job.json").write_text("{", encoding="utf-8")


def newer_job(place: Any) -> None:
    path = place.state / "job.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 9}), encoding="utf-8")


def lose_job(place: Any) -> None:
    (place.state / "job.json").unlink()
    remove_destination(place)


def remove_destination(place: Any) -> None:
    for path in place.destination.iterdir():
        path.unlink()


def damage_manifest(place: Any) -> None:
    (place.state / "manifest.json").write_text("{", encoding="utf-8")


def newer_manifest(place: Any) -> None:
    path = place.state / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}), encoding="utf-8")


def damage_segment(place: Any) -> None:
    path = next((place.state / "ledger").iterdir())
    path.write_bytes(path.read_bytes()[:-9])


def empty_segment(place: Any) -> None:
    next((place.state / "ledger").iterdir()).write_bytes(b"")


BAD_STATES: dict[str, tuple[Damage, type[Exception], str]] = {
    "the state folder is lost": (remove_state, BadInput, "restore the state folder if it was lost"),
    "a foreign file in the dataset": (add_foreign_file, BadInput, "did not write: .*more.parquet"),
    "job.json is damaged": (damage_job, StateUnreadable, r"job\.json is damaged"),
    "job.json is newer": (newer_job, StateUnreadable, "upgrade"),
    "job.json is lost": (lose_job, StateUnreadable, r"job\.json is missing"),
    "the manifest is damaged": (damage_manifest, StateUnreadable, "damaged"),
    "the manifest is newer": (newer_manifest, StateUnreadable, "upgrade"),
    "a segment is damaged": (damage_segment, StateUnreadable, "ledger segment"),
    "a segment is empty": (empty_segment, StateUnreadable, "ledger segment"),
}


@pytest.mark.parametrize("name", BAD_STATES)
async def test_a_state_that_cannot_be_trusted_is_an_error_and_nothing_is_sent(place: Any, name: str) -> None:
    damage, kind, complaint = BAD_STATES[name]
    place.fill(3)
    await place.run()
    before = place.server.bill_summary()["requests"]
    damage(place)
    place.fill(5)
    with pytest.raises(kind, match=complaint):
        await place.run()
    assert place.server.bill_summary()["requests"] == before
    with pytest.raises(kind, match=complaint):
        place.plan()


async def test_a_dataset_that_was_removed_is_written_again_for_nothing(place: Any) -> None:
    place.fill(3)
    await place.run()
    remove_destination(place)
    manifest = await place.run()
    assert manifest["paid_inferences"] == 0
    place.audit(manifest, 3)


async def test_a_lost_ledger_costs_nothing_while_the_api_remembers(place: Any) -> None:
    place.fill(3)
    await place.run()
    for path in (place.state / "ledger").iterdir():
        path.unlink()
    place.audit(await place.run(), 3)


async def test_a_state_folder_of_another_destination_is_refused(place: Any) -> None:
    place.fill(2)
    await place.run(memory={"state": str(place.root / "memory")})
    paid = place.executed()
    with pytest.raises(BadInput, match=r"state: .* belongs to the destination") as told:
        await place.run(memory={"state": str(place.root / "memory")}, destination=str(place.root / "other"))
    assert "a state folder of its own" in str(told.value)
    assert place.executed() == paid


async def test_a_destination_that_the_sources_glob_will_read_is_refused(place: Any) -> None:
    place.fill(2)
    with pytest.raises(BadInput, match=r"destination: .* lies inside the source"):
        await place.run(source=f"{place.root}/*")
    assert place.asked_nothing()


async def test_the_answers_of_another_service_are_not_taken_for_those_of_this_one(place: Any) -> None:
    place.fill(2)
    await place.run()
    with pytest.raises(
        BadInput, match=r"base URL: it leads to localhost, but the answers in .* came from 127\.0\.0\.1"
    ):
        await place.run(base_url=place.server.base_url.replace("127.0.0.1", "localhost"))
    assert place.executed() == 2


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_that_would_empty_the_dataset_is_refused(place: Any, limit: int) -> None:
    place.fill(2)
    with pytest.raises(BadInput, match=r"limit: .* too small"):
        await place.run(limit=limit)
