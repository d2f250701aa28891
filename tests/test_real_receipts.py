"""The main job on real input: 313 scanned receipts, noisy OCR, where that folder lies beside the checkout."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from runware_provider.testing import AnswerTable, LocalServer, ServerSettings
from tests.forked import CommandLine

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[1]
DATA = PROJECT.parent / "shared" / "data"
RECEIPTS, EXPECTED = DATA / "receipts.parquet", DATA / "receipts-expected.parquet"
ANSWERED = Path(__file__).with_name("receipts-answers.parquet")
"""One answer to each receipt, from a reader by simple rules: right about most totals, and wrong about some."""
RECORDS = 313
KEY = "key-of-the-tests-0123456789"
KILLED_AFTER = (1, 3, 2)
"""Segments that each of the killed runs adds to the ledger before it dies."""
DAG_FILE = """
from airflow.sdk import DAG
from runware_provider.operators import TextInferenceOperator

with DAG("read_receipts", template_searchpath=["{include}"]):
    TextInferenceOperator(
        task_id="read",
        source="{receipts}",
        destination="{destination}",
        prompt="prompts/receipt.j2",
        output_type="schemas/receipt.json",
    )
"""

pytestmark = pytest.mark.skipif(not RECEIPTS.exists(), reason="no real receipts beside this checkout")


@pytest.fixture
def server() -> Iterator[LocalServer]:
    texts = pq.read_table(RECEIPTS, columns=["receipt_id", "text"])
    answers = AnswerTable(texts.join(pq.read_table(ANSWERED), "receipt_id", join_type="inner"))
    assert len(answers) == RECORDS
    usual = ServerSettings(key=KEY, latency=0.4, latency_sigma=0.5, capacity=60, answers=answers)
    with LocalServer(usual) as running:
        yield running


def environment(server: LocalServer, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ours = {
        "PYTHONPATH": str(PROJECT / "plugins"),
        "RUNWARE_API_KEY": KEY,
        "RUNWARE_BASE_URL": server.base_url,
    }
    return {**kept, **ours, **more}


def command(destination: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "runware_provider.engine", "run"),
        *("--source", str(RECEIPTS), "--destination", str(destination), "--model", "deepseek-v4-pro"),
        *("--prompt", str(PROJECT / "include/prompts/receipt.j2")),
        *("--schema", str(PROJECT / "include/schemas/receipt.json")),
    ]


def test_sixteen_processes_read_them_in_sixteen_shards(server: LocalServer, tmp_path: Path) -> None:
    words = [*command(tmp_path / "out")[4:]]
    env = environment(server)
    split = CommandLine(("shards", "split", *words, "--least-rows", "1"), env, tmp_path)
    with split:
        told, said = split.communicate(timeout=100)
    assert split.returncode == 0, said
    shards = json.loads(told)
    assert len(shards) == 16
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                CommandLine(
                    ("shards", "infer", *words, "--split", shard["split"], "--shard", str(shard["shard"])),
                    env,
                    tmp_path,
                )
            )
            for shard in shards
        ]
        ended = [process.communicate(timeout=100) for process in running]
    assert [process.returncode for process in running] == [0] * 16, ended
    publish = CommandLine(("shards", "publish", *words, "--split", shards[0]["split"]), env, tmp_path)
    with publish:
        told, said = publish.communicate(timeout=100)
    assert publish.returncode == 0, said
    manifest, bill = json.loads(told), server.bill_summary()
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert bill["executed"] == bill["distinct_uuids"] == RECORDS
    assert manifest["cost_usd"] == pytest.approx(bill["cost_usd"], abs=1e-9)
    asked = pd.read_parquet(RECEIPTS)["receipt_id"].tolist()
    assert pd.read_parquet(tmp_path / "out")["receipt_id"].tolist() == asked


def kill_when(process: subprocess.Popen[bytes], ledger: Path, segments: int) -> None:
    """Kill -9 as soon as the ledger has so many segments, or leave it be if it ends before."""
    while process.poll() is None and len(list(ledger.glob("*.segment"))) < segments:
        try:
            process.wait(timeout=0.01)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_every_receipt_has_its_row_though_the_job_was_killed_again_and_again_and_nothing_ran_twice(
    server: LocalServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = 0
    for segments in KILLED_AFTER:
        process = subprocess.Popen(
            command(out), env=environment(server), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        kill_when(process, tmp_path / "out.state" / "ledger", before + segments)
        before = len(list((tmp_path / "out.state" / "ledger").glob("*.segment")))
        assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    last = subprocess.run(command(out), env=environment(server), capture_output=True, check=True)
    manifest = json.loads(last.stdout)
    bill = server.bill_summary()
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert bill["executed"] == bill["distinct_uuids"] == RECORDS
    assert bill["uuids_executed_again"] == bill["requests_executed_again"] == 0
    assert manifest["cost_usd"] == pytest.approx(bill["cost_usd"], abs=1e-9)
    parts = f"{out}/*.parquet"
    found = duckdb.read_parquet(parts).join(duckdb.read_parquet(str(EXPECTED)).set_alias("e"), "receipt_id")
    same_total = "sum(CAST(result.total = TRY_CAST(e.total AS DOUBLE) AS INT))"
    in_duckdb = found.aggregate(f"count(*), {same_total}, count(result.date)").fetchall()[0]
    assert in_duckdb[0] == RECORDS
    assert in_duckdb[1] > RECORDS // 2
    in_pandas = pd.read_parquet(out)
    in_polars = pl.read_parquet(parts)
    asked = pd.read_parquet(RECEIPTS)["receipt_id"].tolist()
    assert in_pandas["receipt_id"].tolist() == in_polars["receipt_id"].to_list() == asked
    assert sum(one["date"] is not None for one in in_pandas["result"]) == in_duckdb[2]
    assert in_polars["result"].struct.field("date").count() == in_duckdb[2]


def test_the_operator_reads_them_all_through_airflow(
    server: LocalServer, database: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    dags = tmp_path / "dags"
    dags.mkdir()
    text = DAG_FILE.format(include=PROJECT / "include", receipts=RECEIPTS, destination=out)
    (dags / "read_receipts.py").write_text(text, encoding="utf-8")
    connection = {"conn_type": "runware", "password": KEY, "host": server.base_url}
    env = environment(
        server,
        AIRFLOW_HOME=str(tmp_path / "airflow"),
        AIRFLOW__CORE__DAGS_FOLDER=str(dags),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(PROJECT / "plugins"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW_CONN_RUNWARE_DEFAULT=json.dumps(connection),
    )
    (tmp_path / "airflow").mkdir()
    shutil.copy(database, tmp_path / "airflow" / "airflow.db")
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "test", "read_receipts"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    counts = f"SELECT inference.outcome, count(*) FROM '{out}/*.parquet' GROUP BY 1"  # noqa: S608 - as above
    found = duckdb.sql(counts).fetchall()
    assert found == [("succeeded", RECORDS)]
    assert server.bill_summary()["uuids_executed_again"] == 0
