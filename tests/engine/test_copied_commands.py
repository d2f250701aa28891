"""A command that is copied from a page asks exactly the records again that are meant, and nothing is paid twice: by the server's bill."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from runware_provider.engine.cli import main
from runware_provider.engine.dataset.destination import dataset_folder
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import RequestRefused, TooManyFailed
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.prepare import prepare
from runware_provider.engine.job.publishing_shards import publish_shards
from runware_provider.engine.job.run_record import RunRecord
from runware_provider.engine.job.run_records import write_record
from runware_provider.engine.job.run_request import write_request
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.pages import texts
from runware_provider.pages.opened_place import OpenedPlace
from runware_provider.pages.run_view import TaskAt
from runware_provider.quality.parts import Command
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.spec import Spec

KEY = "key-of-the-tests-0123456789"
RUN = "dag/read/monday/-1"
BROKEN = Fault("break_schema", contains="broken")
REFUSED = Fault("refuse_task", contains="refused", code="invalidMessages")
WORDS = ["plain", "broken", "refused", "plain", "broken", "plain"]


def fill(place: Any) -> None:
    place.fill([f"{word} {n}\nTotal: {n}.50 EUR" for n, word in enumerate(WORDS)])


def noted(
    place: Any, state: Path, reasons: dict[str, int], told: str = "published", **changes: Any
) -> OpenedPlace:
    """What a job writes of a run, so that a page knows of it."""
    spec = place.spec(run=RUN, **changes)
    prepared = prepare(spec, Stores())
    storage = LocalStorage()
    record = RunRecord(
        run=RUN,
        state=told,  # type: ignore[arg-type]
        started_at="2026-01-01T00:00:00+00:00",
        at="2026-01-01T00:00:00+00:00",
        source=spec.source,
        destination=spec.destination,
        model=spec.model,
        rows=len(WORDS),
        rows_done=len(WORDS),
        reasons=reasons,
        request=write_request(storage, str(state), spec, prepared.digests),
    )
    write_record(storage, str(state), record)
    return OpenedPlace(TaskAt("dag", "monday", "read"), {}, storage, str(state), RUN, None)


def command_in(parts: Sequence[Any]) -> str:
    (command,) = (part.text for part in parts if isinstance(part, Command))
    return str(command)


async def in_shards(spec: Spec, endpoint: Endpoint) -> None:
    shards = await split_shards(spec, endpoint, shards=3, least_rows=1)
    for shard in shards:
        await infer_shard(spec, endpoint, split=shard["split"], shard=shard["shard"])
    await publish_shards(spec, endpoint, split=shards[0]["split"])


def pasted(place: Any, command: str) -> Any:
    """What comes of its words in this process; returns the manifest of the run."""
    program, *arguments = shlex.split(command)
    assert program == "runware"
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(place.root)
        for name, value in place.environment().items():
            patch.setenv(name, value)
        assert main(arguments) == 0
    return manifest_in(printed.getvalue())


def pasted_in_a_shell(place: Any, command: str) -> Any:
    """What a terminal makes of it; returns the manifest of the run."""
    programs = place.root / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / "runware"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m runware_provider "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    environment = place.environment()
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    ended = subprocess.run(
        ["bash", "-euc", command],
        env=environment,
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return manifest_in(ended.stdout)


def manifest_in(printed: str) -> Any:
    """The last thing that is printed."""
    manifest, _ = json.JSONDecoder().raw_decode(printed[printed.rfind("\n{\n") + 1 :])
    return manifest


def asked_since(place: Any, before: dict[str, Any]) -> list[str]:
    """The tasks that were executed since, by their UUIDs; each was executed once."""
    tasks = place.server.bill()["tasks"]
    assert {line["executed"] for line in tasks.values() if line["executed"]} <= {1}
    return [name for name, line in tasks.items() if line["executed"] and name not in before]


def executed(place: Any) -> dict[str, Any]:
    return {name: line for name, line in place.server.bill()["tasks"].items() if line["executed"]}


def test_all_that_failed_is_asked_again(place: Any) -> None:
    place.server.script(BROKEN, REFUSED)
    fill(place)
    asyncio.run(place.run(run=RUN))
    opened = noted(place, place.state, {"schema": 2, "invalidMessages": 1})
    place.server.clear_faults()
    before = executed(place)
    manifest = pasted(place, command_in(texts.failed_parts(opened, None)))
    assert manifest["outcomes"] == {"succeeded": 6}
    assert manifest["paid_inferences"] == 3
    rows = place.rows()
    assert set(asked_since(place, before)) == {rows[n]["inference"]["task_uuid"] for n in (1, 2, 4)}


def test_of_one_reason_its_records_are_asked_again_and_the_other_failures_stay(place: Any) -> None:
    place.server.script(BROKEN, REFUSED)
    fill(place)
    asyncio.run(place.run(run=RUN))
    opened = noted(place, place.state, {"schema": 2, "invalidMessages": 1})
    place.server.clear_faults()
    before = executed(place)
    # Two commands, of which a shell begins the second when the first has ended well.
    manifest = pasted_in_a_shell(place, command_in(texts.failed_parts(opened, "schema")))
    assert manifest["outcomes"] == {"succeeded": 5, "failed": 1}
    rows = place.rows()
    assert set(asked_since(place, before)) == {rows[n]["inference"]["task_uuid"] for n in (1, 4)}


def test_misses_are_asked_again_in_a_partition_with_a_state_folder_of_its_own(place: Any) -> None:
    fill(place)
    changes = {"partition": {"ds": "it's"}, "memory": {"state": str(place.root / "my state")}}
    asyncio.run(place.run(run=RUN, **changes))
    state, folder = (
        Path(dataset_folder(LocalStorage(), str(root), changes["partition"]))
        for root in (place.root / "my state", place.destination)
    )
    opened = noted(place, state, {}, **changes)
    missed = [row for row in place.rows(folder) if row["n"] in {0, 3}]
    columns = {
        "record": ["0", "3"],
        "sample": [0, 0],
        "field": ["total"] * 2,
        "got": ["0.5", "3.5"],
        "expected": ["1", "2"],
        "task_uuid": [row["inference"]["task_uuid"] for row in missed],
        "input": [{"n": row["n"]} for row in missed],
    }
    (state / "reports").mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), state / "reports" / "misses.parq")
    before = executed(place)
    # Its quotes are a shell's.
    manifest = pasted_in_a_shell(place, command_in(texts.missed_parts(opened, "total")))
    assert manifest["paid_inferences"] == 2
    rows = place.rows(folder)
    assert [row["n"] for row in rows] == list(range(6))
    asked = asked_since(place, before)
    assert set(asked) == {rows[n]["inference"]["task_uuid"] for n in (0, 3)}
    assert not set(asked) & {row["inference"]["task_uuid"] for row in missed}


def test_after_a_run_that_stopped_the_failures_are_asked_again_and_the_rest_for_the_first_time(
    place: Any,
) -> None:
    place.server.script(BROKEN)
    place.fill([f"{'broken' if n < 8 else 'plain'} {n}\nTotal: {n}.50 EUR" for n in range(40)])
    with pytest.raises(TooManyFailed):
        asyncio.run(place.run(run=RUN, failures={"most": 2}))
    opened = noted(place, place.state, {"schema": 5}, "stopped", failures={"most": 2})
    answered = len(executed(place))
    place.server.clear_faults()
    before = executed(place)
    manifest = pasted(place, command_in(texts.failed_parts(opened, None)))
    assert manifest["outcomes"] == {"succeeded": 40}
    failed = sum(line["executed"] for line in before.values()) - sum(
        row["inference"]["task_uuid"] in before for row in place.rows()
    )
    assert len(asked_since(place, before)) == 40 - answered + failed


def test_after_a_first_chunk_that_was_refused_nothing_is_paid_twice(place: Any) -> None:
    place.server.script(Fault("refuse_task", code="invalidParameter"))
    fill(place)
    with pytest.raises(RequestRefused):
        asyncio.run(place.run(run=RUN))
    opened = noted(place, place.state, {}, "stopped")
    place.server.clear_faults()
    assert not executed(place)
    manifest = pasted(place, command_in(texts.failed_parts(opened, None)))
    assert (manifest["outcomes"], len(executed(place))) == ({"succeeded": 6}, 6)


def test_a_group_of_shards_is_taken_over_and_its_failures_are_asked_again(place: Any) -> None:
    place.server.script(BROKEN, REFUSED)
    for number in range(3):
        place.fill(
            [f"{word} {n} of {number}\nTotal: {n}.50 EUR" for n, word in enumerate(WORDS)],
            f"{number}.parquet",
        )
    spec, endpoint = place.spec(run=RUN), Endpoint(place.server.base_url, KEY)
    asyncio.run(in_shards(spec, endpoint))
    opened = noted(place, place.state, {"schema": 6, "invalidMessages": 3})
    parts = texts.failed_parts(opened, None)
    place.server.clear_faults()
    before = executed(place)
    manifest = pasted(place, command_in(parts))
    assert manifest["outcomes"] == {"succeeded": 18}
    assert len(asked_since(place, before)) == 9


def test_a_class_of_pydantic_is_asked_again_by_its_schema(place: Any) -> None:
    class Total(BaseModel):
        total: float

    place.server.script(BROKEN)
    fill(place)
    asyncio.run(place.run(run=RUN, output_type=Total))
    opened = noted(place, place.state, {"schema": 2}, output_type=Total)
    place.server.clear_faults()
    before = executed(place)
    manifest = pasted(place, command_in(texts.failed_parts(opened, None)))
    assert manifest["outcomes"] == {"succeeded": 6}
    assert len(asked_since(place, before)) == 2
