"""What a job has imported when it asks its first question: nothing that can wait until the model is at work."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from tests.forked import PLUGINS

CAN_WAIT = (
    "pandas",
    "pyarrow.compute",
    "pyarrow.dataset",
    "json_repair",
    "obstore",
    "botocore",
    "markdown_it",
)
JOB = """
import asyncio, sys
import httpx
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import JobStopped
from runware_provider.engine.job.run import run_job
from runware_provider.engine.spec import Spec

folder, *can_wait = sys.argv[1:]

def answer(request):
    assert b"textInference" in request.content
    print("asked with", sorted({*can_wait} & {*sys.modules}))
    return httpx.Response(401, json={"errors": [{"code": "invalidApiKey", "message": "no"}]})

spec = Spec(
    source=f"{folder}/source.parquet", destination=f"{folder}/out", prompt="{{ record.body }}",
    output_type=["bug", "praise"],
)
endpoint = Endpoint("http://127.0.0.1:9/v1", "test-key")
try:
    asyncio.run(run_job(spec, endpoint, transport=httpx.MockTransport(answer)))
except JobStopped as error:
    print("ended with", type(error).__name__)
"""


def test_the_first_question_waits_for_no_import_that_only_rows_filters_or_stores_need(tmp_path) -> None:
    pq.write_table(pa.table({"body": ["a"]}), tmp_path / "source.parquet")
    command = [sys.executable, "-c", JOB, str(tmp_path), *CAN_WAIT]
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == ["asked with []", "ended with KeyRefused"], done.stderr
