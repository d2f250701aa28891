"""`make demo`: the example DAG over the sample documents, with nothing to install, sign up for, or pay.

Without a key in `RUNWARE_API_KEY` it asks the local API server. With one it asks the real service, after
saying what it will send; `RECORDS` says how many documents (10 by default), and `RUNWARE_BASE_URL` another
address. Only the connection differs: it is the same DAG, run by Airflow.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markdown import Markdown

from runware_provider.testing.tryout import dag_arguments, report, surroundings
from runware_provider.testing.tryout.surroundings import PROJECT, TryOutFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.testing.tryout.surroundings import Service

DAG_ID: Final = "extract_invoices"
DAG_FILE: Final = PROJECT / "dags" / f"{DAG_ID}.py"
FOLDER: Final = PROJECT / ".demo"
EXPECTED: Final = PROJECT / "include" / "documents-expected.parquet"
RECORDS_OF_THE_REAL_SERVICE: Final = 10
"""Documents that are sent where they cost money, unless `RECORDS` says otherwise."""

OURS: Final = re.compile(r"^\S+ \[\w+ *\] (?P<text>.*?) +\[(?:airflow\.task\.operators\.)?runware_provider\b")
"""A line of the operator or of its engine in Airflow's log; everything else there is Airflow's."""

OUR_ERROR: Final = re.compile(r"^runware_provider\.engine\.errors\.\w+: (.*)$", re.MULTILINE)
"""The last line of a traceback that ends in an error which the engine raises on purpose."""


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run the demo once; returns the exit code."""
    console = Console(highlight=False)
    with surroundings.interruptible():
        try:
            FOLDER.mkdir(exist_ok=True)
            with surroundings.service(environment, FOLDER) as asked:
                _run(console, environment, asked)
        except KeyboardInterrupt:
            say(
                console,
                "\nStopped; nothing is left running. What was answered is kept: run it again to go on.",
            )
            return 130
        except TryOutFailed as failure:
            say(console, str(failure))
            return 1
    return 0


def say(console: Console, text: str, indent: str = "") -> None:
    """Print sentences, wrapped between words; a path that is longer than a line stays whole, so that it can be copied."""
    wrapper = textwrap.TextWrapper(
        console.width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in text.split("\n"):
        console.print(wrapper.fill(line), markup=False, soft_wrap=True)


def show_markdown(console: Console, markdown: str) -> None:
    """Print a document; unlike with `soft_wrap`, rich breaks its lines rather than to cut them off."""
    console.print(Markdown(markdown))


def records(environment: Mapping[str, str], asked: Service) -> int | None:
    """How many documents to send; all of them by default where that costs nothing.

    Raises:
        TryOutFailed: `RECORDS` is no whole number above zero.
    """
    text = environment.get("RECORDS", "").strip()
    if not text:
        return None if asked.local else RECORDS_OF_THE_REAL_SERVICE
    if not text.isdecimal() or int(text) < 1:
        raise TryOutFailed(f"RECORDS is {text!r}; give a whole number above zero, for example RECORDS=10.")
    return int(text)


def _run(console: Console, environment: Mapping[str, str], asked: Service) -> None:
    home = FOLDER / "airflow"
    limit = records(environment, asked)
    folder = FOLDER / ("output" if asked.local else "output-live")  # answers of one are none of the other
    variables = surroundings.environment_of_airflow(environment, home, asked, folder)
    dataset = Path(variables["RUNWARE_OUTPUT"]) / "invoices"
    _announce(console, asked, limit)
    if not asked.local:
        _estimate(console, variables, asked, limit)
    say(console, "Preparing Airflow ...")
    surroundings.migrate(variables, home)
    say(console, f"Airflow runs the DAG {DAG_ID} ...")
    _run_dag(console, variables, limit)
    _show(console, asked, variables, dataset)


def _announce(console: Console, asked: Service, limit: int | None) -> None:
    number = "all sample documents" if limit is None else f"the first {limit:,} sample documents"
    if asked.local:
        say(
            console,
            f"The local API server answers at {asked.base_url}; it costs nothing. It is no language model: it"
            " says what include/answers holds, in which a few answers are wrong on purpose. What it gets right"
            " says nothing about the real service."
            f"\nIt gets {number}. To ask the real service, set RUNWARE_API_KEY.",
        )
    else:
        say(
            console,
            f"RUNWARE_API_KEY is set: {asked.base_url or 'the real service'} gets {number} of this project,"
            " and bills your account for the answers. RECORDS=n sends another number of them.",
        )


def _run_dag(console: Console, environment: Mapping[str, str], limit: int | None) -> None:
    log = FOLDER / "airflow.log"
    command = ["-m", "airflow", "dags", "test", DAG_ID, "--conf", json.dumps({"limit": limit})]
    with (
        log.open("wb") as kept,
        surroundings.running(command, environment, subprocess.PIPE) as airflow,
    ):
        for line in airflow.stdout or ():
            kept.write(line)
            kept.flush()
            ours = OURS.match(line.decode("utf-8", errors="replace"))
            if ours:
                say(console, ours["text"], indent="  ")
        code = airflow.wait()
    if code != 0:
        raise TryOutFailed(why(log))


def why(log: Path) -> str:
    """The operator's own last word, or, where it had none, how Airflow's log ends."""
    said = OUR_ERROR.findall(log.read_text(encoding="utf-8", errors="replace"))
    if said:
        return f"The DAG failed: {said[-1]}\n\nAirflow's whole log is {log}"
    return f"The DAG failed. Airflow's log, {log}, ends with:\n{surroundings.tail(log)}"


def _show(console: Console, asked: Service, environment: Mapping[str, str], dataset: Path) -> None:
    manifest = json.loads((_state_of(dataset) / "manifest.json").read_text(encoding="utf-8"))
    console.print()
    say(console, report.summary(manifest, play_money=asked.local))
    console.print(report.first_rows(report.read(dataset)))
    _show_quality(console, environment, dataset)


def _show_quality(console: Console, environment: Mapping[str, str], dataset: Path) -> None:
    """The report that the DAG asked for, as far as it fits a terminal; made by our own command line."""
    folder = FOLDER / "report"
    folder.mkdir(exist_ok=True)
    command = ["--destination", str(dataset), "--expected", str(EXPECTED), "--key", "document_id"]
    said = _python(
        ["-m", "runware_provider", "report", *command, "--short"],
        environment,
        folder,
        failing="There is no report:",
    )
    show_markdown(console, (folder / "log.txt").read_text(encoding="utf-8"))
    paths = json.loads(said)
    say(
        console,
        f"\nThe whole report, with every field and the misses, is one page to open in a browser:\n  {paths['html']}"
        f"\nand for a pull request: {paths['markdown']}",
    )


def _state_of(dataset: Path) -> Path:
    """The engine's default: beside the dataset."""
    return dataset.with_name(dataset.name + ".state")


def _estimate(console: Console, environment: Mapping[str, str], asked: Service, limit: int | None) -> None:
    """Let the engine's own plan say what there is to pay."""
    folder = FOLDER / "plan"
    folder.mkdir(exist_ok=True)
    _python(
        ["-m", "runware_provider.testing.tryout.dag_arguments", str(DAG_FILE), str(folder)],
        environment,
        folder,
    )
    options = json.loads((folder / dag_arguments.OPTIONS).read_text(encoding="utf-8"))
    command = ["-m", "runware_provider.engine", "plan", *options]
    command += [] if limit is None else ["--limit", str(limit)]
    key = {"RUNWARE_API_KEY": asked.key, "RUNWARE_BASE_URL": asked.base_url}
    plan = json.loads(_python(command, {**environment, **key}, folder))
    say(console, report.estimate(plan))


def _python(
    command: list[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    failing: str = "There is no plan of what to pay, so nothing was sent:",
) -> str:
    """The standard output of a Python process; what it says to people goes into `log.txt` in the folder.

    Raises:
        TryOutFailed: it did not succeed; its last words are in the message.
    """
    log = folder / "log.txt"
    with (
        log.open("wb") as errors,
        surroundings.running(command, environment, subprocess.PIPE, errors) as process,
    ):
        output = process.stdout.read() if process.stdout else b""
        code = process.wait()
    if code != 0:
        raise TryOutFailed(f"{failing}\n{surroundings.tail(log)}")
    return output.decode("utf-8")


if __name__ == "__main__":
    sys.exit(main())
