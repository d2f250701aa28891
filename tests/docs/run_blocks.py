"""Runs the pages' Python blocks one after the other, and the DAGs that they make through Airflow.

A process of its own, so that Airflow is set up once for all of them: it reads a JSON object a line, `{"code": ...}`, and
answers with `{"printed": ...}` or `{"failed": ...}`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import DAG

LOGICAL_DATE = datetime(2026, 1, 2, tzinfo=UTC)
"""The second of the samples' days."""


def run(code: str, file: Path) -> None:
    """Run one block; where it makes DAGs, load it as Airflow does, and run each of them once."""
    if "DAG(" not in code:
        exec(compile(code, file.name, "exec"), {"__name__": "__main__"})  # noqa: S102 - the page's own example
        return
    file.write_text(code, encoding="utf-8")
    for dag in loaded(file):
        ended = dag.test(logical_date=LOGICAL_DATE)
        assert ended.state == "success", f"the DAG {dag.dag_id} ended as {ended.state}"


def loaded(file: Path) -> list[DAG]:
    """The DAGs of a file."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - heavy, and not every page has a DAG

    bag = DagBag(dag_folder=file)
    assert not bag.import_errors, bag.import_errors
    assert bag.dags, "the block makes no DAG"
    return list(bag.dags.values())


def main() -> None:
    """Serve until standard input ends."""
    file = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "block.py"
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else writes to standard output, such as Airflow's log
    for line in sys.stdin:
        printed = io.StringIO()
        answer = {}
        try:
            with contextlib.redirect_stdout(printed):
                run(json.loads(line)["code"], file)
        except BaseException:  # noqa: BLE001 - told to the test, which fails
            answer["failed"] = traceback.format_exc()
        answers.write(json.dumps({**answer, "printed": printed.getvalue()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
