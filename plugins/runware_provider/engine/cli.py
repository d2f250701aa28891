"""The command line: run, plan or preview a job without Airflow.

The manifest (or plan) goes to standard output as JSON, progress and messages to standard error. Exit status: 0 when
the job stands, 3 when it stopped but can be resumed, 1 when the input is bad or nothing can be done about it here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from runware_provider.engine.client import Client
from runware_provider.engine.errors import (
    BadInput,
    EngineError,
    JobStopped,
    NothingToDo,
    PublishConflict,
)
from runware_provider.engine.job import run_job
from runware_provider.engine.plan import plan
from runware_provider.engine.spec import DEFAULT_BASE_URL, DEFAULT_MODEL, Endpoint, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runware_provider.engine.progress import Progress

OK, BAD_INPUT, RESUMABLE = 0, 1, 3
LINE_EVERY_S = 10.0
PREVIEW_RECORDS = 5
OPTIONS = frozenset(
    {
        "source",
        "destination",
        "state",
        "partition",
        "model",
        "prompt",
        "system-prompt",
        "schema",
        "forcing",
        "tools",
        "tool-choice",
        "settings",
        "delivery",
        "limit",
        "max-outstanding",
        "requests",
        "samples",
        "columns",
        "on-empty",
    }
)
NEW_WISH = "\0"
"""`--refresh` without a name."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    options.wish_is_new = options.refresh == NEW_WISH
    if options.wish_is_new:
        options.refresh = secrets.token_hex(4)
    try:
        _print(asyncio.run(_command(options)))
    except JobStopped as stopped:
        remedy = stopped.remedy + _how_to_go_on(options)
        _say(f"Stopped: {stopped.reason.rstrip('.')}. {_at_vendor(stopped.manifest)}{remedy}")
        _print({**stopped.manifest, "remedy": remedy})
        return RESUMABLE
    except KeyboardInterrupt:
        return _stopped("it was asked to stop before it began", "Run the same command again.")
    except PublishConflict as conflict:
        remedy = f"Run again: nothing has to be paid again.{_how_to_go_on(options)}"
        return _stopped(f"not published: {conflict}", remedy)
    except NothingToDo as nothing:
        _say(f"Nothing to do: {nothing}.")
        _print({"format": 1, "status": "skipped", "reason": str(nothing)})
    except EngineError as error:
        _say(f"Error: {_as_typed(error)}")
        return BAD_INPUT
    except OSError as error:
        remedy = f"Mend that, then run again: what was paid for is kept.{_how_to_go_on(options)}"
        return _stopped(f"the store failed ({error})", remedy)
    return OK


def _as_typed(error: EngineError) -> EngineError:
    """Bad input under the name of its option, where there is one."""
    if not isinstance(error, BadInput):
        return error
    name = {"output_type": "schema"}.get(error.field, error.field.removeprefix("limits.")).replace("_", "-")
    return BadInput(f"--{name}" if name in OPTIONS else error.field, error.problem, error.remedy)


def _stopped(reason: str, remedy: str) -> int:
    """Say so where there is no manifest of the job's own."""
    _say(f"Stopped: {reason}. {remedy}")
    _print({"format": 1, "status": "stopped", "reason": reason, "remedy": remedy})
    return RESUMABLE


async def _command(options: argparse.Namespace) -> dict[str, Any]:
    spec = spec_of(options)
    if options.command == "plan":
        return await _plan(spec)
    if options.command == "preview":
        return await _preview(spec, _endpoint())
    return await _run(spec, _endpoint(), publishing=True)


def spec_of(options: argparse.Namespace) -> Spec:
    """The spec that the options describe.

    Raises:
        BadInput: a file is missing or holds no JSON, or a value is out of range.
    """
    settings = _json_object("--settings", options.settings) if options.settings else {}
    limits = {"max_outstanding": options.max_outstanding, "requests": options.requests}
    tools = _json_file("--tools", options.tools) if options.tools else []
    if options.tools and not tools:
        raise BadInput(
            "--tools", f"{options.tools} holds no tool", "Write a list of tools into it, or leave it out"
        )
    values: dict[str, Any] = {
        "source": options.source,
        "destination": options.destination,
        "state": options.state,
        "partition": dict(_pair(one) for one in options.partition),
        "model": options.model,
        "prompt": _text_or_file("--prompt", options.prompt, (".j2",)),
        "system_prompt": _text_or_file("--system-prompt", options.system_prompt, (".j2", ".txt", ".md")),
        "output_type": _schema(options.schema) if options.schema else None,
        "forcing": options.forcing,
        "tools": tools if isinstance(tools, list) else [tools],
        "tool_choice": options.tool_choice,
        "settings": settings,
        "delivery": options.delivery,
        "samples": options.samples,
        "refresh": options.refresh,
        "limit": options.limit,
        "columns": options.columns.split(",") if options.columns else None,
        "on_empty": options.on_empty,
        "keep_raw": options.keep_raw,
        "limits": {name: value for name, value in limits.items() if value is not None},
    }
    return Spec(**values)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="runware-engine",
        description="Ask an LLM about every row of a Parquet dataset, over the Runware API.",
        epilog=f"RUNWARE_API_KEY holds the key, RUNWARE_BASE_URL the endpoint ({DEFAULT_BASE_URL} by default).",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|plan|preview")
    for name, purpose in (
        ("run", "ask, and publish the answers as a dataset"),
        ("plan", "say what a run would ask and cost; send nothing"),
        (
            "preview",
            f"ask about the first records ({PREVIEW_RECORDS}, or --limit) and show the answers; a run reuses them",
        ),
    ):
        _add_options(commands.add_parser(name, help=purpose, description=purpose.capitalize() + "."))
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--source", required=True, help="Parquet file, folder (hive partitions too) or glob")
    add("--destination", required=True, help="root folder of the output dataset")
    add("--state", help="state folder (default: DESTINATION.state)")
    add("--partition", action="append", default=[], metavar="KEY=VALUE", help="hive partition to replace")
    add("--model", default=DEFAULT_MODEL)
    add("--prompt", required=True, metavar="TEXT_OR_FILE", help="Jinja text, or a file that ends in .j2")
    add("--system-prompt", metavar="T", help="text, or a file that ends in .txt, .md or .j2 (not rendered)")
    add("--schema", metavar="FILE.json", help="JSON Schema that every answer must fit")
    add("--forcing", default="auto", choices=["auto", "json_schema", "tool", "prompt"])
    add("--tools", metavar="FILE.json", help="tools that the model may call")
    add("--tool-choice", metavar="auto|any|none|NAME")
    add("--settings", metavar="JSON", help='for example {"temperature": 0, "max_tokens": 2000}')
    add("--delivery", default="poll", choices=["poll", "sync"])
    add("--limit", type=int, metavar="N", help="only the first N records")
    add("--max-outstanding", type=int, metavar="N", help="inferences under way at the vendor, at most")
    add("--requests", type=int, metavar="N", help="HTTP requests at once")
    add("--samples", type=int, default=1, metavar="N", help="answers per record")
    add(
        "--refresh",
        nargs="?",
        const=NEW_WISH,
        metavar="NAME",
        help="ask anew what was answered before; the same NAME asks once, however often it is run",
    )
    add("--columns", metavar="A,B", help="input columns to keep (default: all)")
    add("--on-empty", default="write", choices=["write", "skip", "fail"])
    add("--keep-raw", action="store_true", help="keep the raw answer of every row")


async def _run(spec: Spec, endpoint: Endpoint, *, publishing: bool) -> dict[str, Any]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, stop.set)
    with _reporter() as report:
        return await run_job(spec, endpoint, report=report, stop=stop, publishing=publishing)


async def _plan(spec: Spec) -> dict[str, Any]:
    prices: dict[str, tuple[float, float]] = {}
    if os.environ.get("RUNWARE_API_KEY"):
        async with Client(_endpoint()) as client:
            prices = await client.prices()
    return await asyncio.to_thread(plan, spec, prices)


async def _preview(spec: Spec, endpoint: Endpoint) -> dict[str, Any]:
    """Ask about the first records; the answers stay in the ledger, and the job's price follows from theirs."""
    few = spec.limit if spec.limit is not None else PREVIEW_RECORDS
    shown = await _run(spec.model_copy(update={"limit": few}), endpoint, publishing=False)
    rest = await _plan(spec.model_copy(update={"limit": None}))
    answered = shown["inferences"]
    each = shown["cost_usd"] / answered if answered else None
    return {
        "preview": shown,
        "rest": {
            "to_pay": rest["to_pay"],
            "cost_usd_each": each,
            "cost_usd": each * rest["to_pay"] if each is not None else None,
        },
    }


@contextlib.contextmanager
def _reporter() -> Iterator[Any]:
    """A bar on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        last = 0.0

        def report(progress: Progress) -> None:
            nonlocal last
            if progress.elapsed_s - last >= LINE_EVERY_S or progress.done == progress.total:
                last = progress.elapsed_s
                _say(progress.line())

        yield report
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def update(progress: Progress) -> None:
            text = f"{progress.rate:,.1f} rows/s, {progress.cost:.4f} USD"
            bar.update(task, completed=progress.done, total=progress.total, description=text)

        yield update


def _endpoint() -> Endpoint:
    return Endpoint(
        os.environ.get("RUNWARE_BASE_URL") or DEFAULT_BASE_URL, os.environ.get("RUNWARE_API_KEY") or ""
    )


def _text_or_file(option: str, given: str | None, suffixes: tuple[str, ...]) -> Any:
    """The text itself, or the content of the file that a single line names: one that is there, or ends like one."""
    if given is None or "\n" in given:
        return given
    path = Path(given.strip())
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or with a NUL: it is the text
        if path.is_file():
            return _content(option, path)
    is_sentence = " " in given.strip() and path.suffix != ".j2"
    return given if is_sentence or path.suffix not in suffixes else _content(option, path)


def _json_file(option: str, given: str) -> Any:
    content = _content(option, Path(given))
    try:
        return json.loads(content)
    except ValueError as error:
        raise BadInput(option, f"{given} holds no JSON ({error})", "Mend the file") from None


def _schema(given: str) -> dict[str, Any]:
    held = _json_file("--schema", given)
    if not isinstance(held, dict):
        raise BadInput(
            "--schema", f"{given} holds no JSON object", "A JSON Schema is an object with `properties`"
        )
    return held


def _content(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(option, f"there is no file {path}", f"Looked in {Path.cwd()}") from None
    except UnicodeDecodeError as error:
        raise BadInput(option, f"{path} is no text in UTF-8 ({error.reason})", "Save it as UTF-8") from None
    except OSError as error:
        raise BadInput(option, f"{path} cannot be read ({error.strerror})", "Mend that") from None


def _json_object(option: str, given: str) -> dict[str, Any]:
    try:
        held = json.loads(given)
    except ValueError as error:
        raise BadInput(option, f"it is no JSON ({error})", 'Write it like {"temperature": 0}') from None
    if not isinstance(held, dict):
        raise BadInput(option, "it is no JSON object", 'Write it like {"temperature": 0}')
    return held


def _pair(given: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if not equals:
        raise BadInput("--partition", f"{given!r} has no '='", "Write it like ds=2026-01-01")
    return key, value


def _how_to_go_on(options: argparse.Namespace) -> str:
    """A wish that was given no name has to be named to go on with it; the same command would be a new wish."""
    if not options.wish_is_new:
        return ""
    return f" But name the wish: --refresh {options.refresh}. A plain --refresh would ask everything anew once more."


def _at_vendor(manifest: dict[str, Any]) -> str:
    outstanding = manifest.get("still_at_vendor", 0)
    if not outstanding:
        return "Nothing is under way at the vendor. "
    return (
        f"Up to {outstanding} of the inferences that were sent may be under way at the vendor; those that are will be billed,"
        " and the next run collects them. "
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _print(held: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(held, indent=2, default=str) + "\n")
