"""The benchmarks run, in their smallest form and without other products; the page shows what the figures beside it say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import bench
import capacity
import contenders
import figure_charts
import figure_tables
import performance_page
from asked_records import Records
from environments import NotInstalledError, python_of
from process_tree import memory_mb
from shares import place_of
from tests.benchmarked import measured, needs_a_compiler

PROJECT = Path(__file__).resolve().parents[1]
BENCHMARKS = PROJECT / "benchmarks"
SVG = "{http://www.w3.org/2000/svg}"
FIGURES: dict[str, Any] = json.loads(performance_page.FIGURES.read_text(encoding="utf-8"))


@needs_a_compiler
def test_the_engine_is_measured_and_shown_where_nobody_is_beside_it(tmp_path: Path) -> None:
    figures, printed = measured(tmp_path / "out", "peers", "shares", "--only", "ours, poll")
    (ours,) = figures["parts"]["peers"]
    assert ours["left_out"] == ""
    assert ours["records"] == 20
    assert ours["peak_mb"] > 0
    assert "imports" in figures["parts"]["shares"]["processor_s"]
    assert "ledger" in figures["parts"]["shares"]["processor_s"]
    assert "| ours, poll |" in printed
    assert {path.name for path in (tmp_path / "out").glob("*.svg")} == {
        "processor.svg",
        "rows.svg",
        "shares.svg",
    }


def test_capacity_is_measured_and_shown_with_so_many_slots_and_with_any_number() -> None:
    cases = [
        capacity.Case(name=name, slots=slots, latency_s=0.05, rows=20)
        for name, slots in (("four", 4), ("any", None))
    ]
    rows = json.loads(json.dumps([capacity.measure(case) for case in cases]))
    four, as_many_as_wanted = figure_tables.capacity(rows).splitlines()[-2:]
    assert four.startswith("| four")
    assert "no bound" in as_many_as_wanted
    assert "no bound" not in four
    assert "four" in figure_charts.all_of({"parts": {"capacity": rows}})["capacity"]


def test_each_way_to_have_answers_delivered_is_measured() -> None:
    words = ["--records", "40", "--latency", "0.05"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "deliveries.py", *words],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[1:]}
    assert set(lines) == {"poll", "sync", "stream", "webhook"}
    assert all(int(requests) > 0 for requests, *_ in lines.values())


@pytest.mark.parametrize("sender", ["here", "server"])
def test_the_receiver_of_webhooks_is_measured_and_keeps_what_it_acknowledges(
    sender: str, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    words = ["--calls", "60", "--at-once", "8", "--inboxes", "2", "--sender", sender, "--json", out]
    subprocess.run([sys.executable, BENCHMARKS / "webhooks.py", *words], check=True, timeout=120)
    for figures in json.loads(out.read_text(encoding="utf-8")).values():
        assert figures["calls"] == figures["acknowledged"] == 60
        assert figures["files"] > 1
        assert figures["receiver_ms"] > 0


def test_the_cases_of_capacity_that_are_measured_are_there() -> None:
    known = {case.name for case in capacity.CASES}
    assert set(bench.CAPACITY) | set(bench.CAPACITY_QUICKLY) <= known


def test_the_page_says_what_the_figures_beside_it_say() -> None:
    page = performance_page.PAGE.read_text(encoding="utf-8")
    assert performance_page.filled(page, FIGURES) == page
    drawn = figure_charts.all_of(FIGURES)
    assert {
        path.stem: path.read_text(encoding="utf-8") for path in performance_page.FOLDER.glob("*.svg")
    } == drawn
    assert set(re.findall(r"\(performance/([\w-]+)\.svg\)", page)) == set(drawn)


def test_the_page_names_the_settings_of_the_comparison() -> None:
    page = " ".join(performance_page.PAGE.read_text(encoding="utf-8").split())
    slots, latency_ms = figure_tables.SLOTS, round(1000 * figure_tables.LATENCY_S)
    assert f"an API of {slots} slots and {latency_ms} ms" in page
    assert f"arrays of {contenders.TASKS_OF_AN_ARRAY} tasks" in page


def test_all_that_take_part_are_on_the_page_with_their_versions_or_with_why_they_do_not() -> None:
    told = {row["name"]: row for row in FIGURES["parts"]["peers"]}
    assert set(told) == {contender.name for contender in (*contenders.OURS, *contenders.PEERS)}
    for contender in contenders.PEERS:
        row = told[contender.name]
        pinned = [need.partition("==") for need in contender.needs if "==" in need]
        versions = {name.partition("[")[0]: version for name, _, version in pinned}
        assert row["left_out"] or row["versions"] == versions


def test_every_program_that_drives_a_peer_is_run_for_one() -> None:
    records = Records(1, Path("lines"), Path("table"), Path("schema"))
    job = contenders.Job(url="http://here/v1", key="key", records=records, at_once=1, out=Path("out"))
    programs = {Path(contender.words(job)[0]) for contender in contenders.PEERS}
    assert all(program.is_file() for program in programs)
    assert set((BENCHMARKS / "peers").glob("ask_*.py")) <= programs


def test_a_contender_that_cannot_be_installed_is_left_out_and_the_table_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="cannot be installed here: "):
        python_of("nobody", ["this is no requirement"], tmp_path)
    about = {"name": "nobody", "versions": {}, "checks": "nobody", "keeps": "nothing", "settings": "none"}
    rows = [{**about, "left_out": "cannot be installed here: no network"}]
    assert "cannot be installed here: no network" in figure_tables.who(rows)
    assert "nobody" not in figure_tables.peers(rows)


def test_a_bar_is_as_long_as_its_value_and_names_are_text() -> None:
    lines = [figure_charts.Bar("a <b>", 1.0, "1"), figure_charts.Bar("c", 4.0, "4", figure_charts.OURS)]
    chart = figure_charts.bars("Of & about", "less is better", lines)
    drawn = ET.fromstring(chart)  # noqa: S314 - we drew it
    first, second = (float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect"))
    assert second == pytest.approx(4 * first)
    assert "a <b>" in [text.text for text in drawn.iter(f"{SVG}text")]


def test_the_memory_of_what_a_process_started_counts_with_its_own() -> None:
    hold = "held = bytearray(b'x' * 60_000_000); print('held', flush=True); input()"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert memory_mb(process.pid) > 60
        process.communicate(b"\n")
    assert memory_mb(process.pid) == 0


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (["selectors.py", "asyncio/base_events.py", "runware_provider/engine/cli.py"], "event loop"),
        (
            ["json/decoder.py", "runware_provider/engine/api/client.py", "asyncio/events.py"],
            "the API's words",
        ),
        (["httpx/_client.py", "runware_provider/engine/api/client.py"], "HTTP"),
        (["runware_provider/engine/storage/local.py", "runware_provider/engine/memory/ledger.py"], "ledger"),
        (["runware_provider/engine/storage/local.py", "runware_provider/engine/dataset/parts.py"], "storage"),
        (["<frozen importlib._bootstrap>", "runware_provider/engine/job/run.py"], "imports"),
    ],
)
def test_time_counts_for_what_the_stack_is_about(files: list[str], place: str) -> None:
    assert place_of(iter([f"/somewhere/{file}" for file in files])) == place
