"""The command line's options, and the spec that they describe."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import read_filter
from runware_provider.engine.output_types import understood
from runware_provider.engine.spec import DEFAULT_BASE_URL, DEFAULT_MAX_FAILED, DEFAULT_MODEL, Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

BAD_INPUT = 1
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
        "labels",
        "forcing",
        "lenient-numbers",
        "untyped",
        "traits",
        "reasks",
        "max-tokens-if-truncated",
        "tools",
        "tool-choice",
        "settings",
        "delivery",
        "limit",
        "max-outstanding",
        "requests",
        "samples",
        "columns",
        "flatten",
        "on-empty",
        "filter",
        "max-input-tokens",
        "max-failed",
        "failures",
        "budget-usd",
        "budget-tokens",
        "retention-days",
        "retry-failed",
    }
)
SETTINGS = '{"temperature": 0}'
TRAITS = '{"json_schema": true, "unsupported": ["pattern"]}'
NEW_WISH = "\0"
"""`--refresh` or `--retry-failed` without a name."""


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, with a name for the wish that was given none.

    `wish` is the option that asks anew, if one does, and `wish_is_new` says that its name was made up here.
    """
    options = parser().parse_args(arguments)
    wishes = {name: getattr(options, name, None) for name in ("refresh", "retry_failed")}
    options.wish = next((name for name, wish in wishes.items() if wish), None)
    options.wish_is_new = NEW_WISH in wishes.values()
    for name, wish in wishes.items():
        if wish == NEW_WISH:
            setattr(options, name, secrets.token_hex(4))
    return options


def typed(error: BadInput) -> BadInput:
    """Bad input under the name of its option, where there is one."""
    renamed = {
        "filters": "filter",
        "output_type": "schema",
        "budget.usd": "budget-usd",
        "budget.tokens": "budget-tokens",
    }
    name = renamed.get(error.field, error.field.removeprefix("limits.").removeprefix("structured.")).replace(
        "_", "-"
    )
    return BadInput(f"--{name}" if name in OPTIONS else error.field, error.problem, error.remedy)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def spec_of(options: argparse.Namespace) -> Spec:
    """The spec that the options describe.

    Raises:
        BadInput: a file is missing or holds no JSON, or a value is out of range.
    """
    settings = _json_object("--settings", options.settings, SETTINGS) if options.settings else {}
    limits = {"max_outstanding": options.max_outstanding, "requests": options.requests}
    structured = {
        "reasks": options.reasks,
        "max_tokens_if_truncated": options.max_tokens_if_truncated,
        "untyped": options.untyped,
        "lenient_numbers": options.lenient_numbers or None,
        "traits": _json_object("--traits", options.traits, TRAITS) if options.traits else None,
    }
    tools = _json_file("--tools", options.tools) if options.tools else []
    if options.tools and not tools:
        raise BadInput(
            "--tools", f"{options.tools} holds no tool", "Write a list of tools into it, or leave it out"
        )
    values: dict[str, Any] = {
        "source": options.source,
        "destination": options.destination,
        "state": options.state,
        "partition": partition_of(options),
        "model": options.model,
        "prompt": _text_or_file("--prompt", options.prompt, (".j2",)),
        "system_prompt": _text_or_file("--system-prompt", options.system_prompt, (".j2", ".txt", ".md")),
        "output_type": _output_type(options),
        "forcing": options.forcing,
        "tools": tools if isinstance(tools, list) else [tools],
        "tool_choice": options.tool_choice,
        "settings": settings,
        "delivery": options.delivery,
        "samples": options.samples,
        "refresh": options.refresh,
        "retry_failed": options.retry_failed,
        "filters": [read_filter(text) for text in options.filters],
        "limit": options.limit,
        "max_input_tokens": options.max_input_tokens,
        "max_failed": _count_or_share(options.max_failed),
        "failures": options.failures,
        "budget": _budget(options),
        "run": options.run,
        "reuse": options.reuse,
        "retention_days": options.retention_days,
        "columns": options.columns.split(",") if options.columns else None,
        "flatten": options.flatten,
        "on_empty": options.on_empty,
        "if_schema_breaks": options.if_schema_breaks,
        "keep_raw": options.keep_raw,
        "limits": _given(limits),
        "structured": _given(structured),
    }
    return Spec(**values)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """What was said; the rest is left to the defaults."""
    return {name: value for name, value in values.items() if value is not None}


def parser() -> argparse.ArgumentParser:
    """The command line: a sub-command for each thing that it can do."""
    made = _Parser(
        prog="runware",
        description="Ask an LLM about every row of a Parquet dataset, over the Runware API.",
        epilog=f"RUNWARE_API_KEY holds the key, RUNWARE_BASE_URL the endpoint ({DEFAULT_BASE_URL} by default).",
    )
    commands = made.add_subparsers(
        dest="command", required=True, metavar="run|plan|preview|report|compare|forget"
    )
    for name, purpose in (
        ("run", "ask, and publish the answers as a dataset"),
        ("plan", "say what a run would ask and cost; send nothing"),
        (
            "preview",
            f"ask about a few records ({PREVIEW_RECORDS}, or --limit), show the answers and price the rest; a run reuses them",
        ),
    ):
        _add_options(commands.add_parser(name, help=purpose, description=purpose.capitalize() + "."))
    purpose = "erase answers from the state folder for ever; what they cost stays in the accounts"
    _add_forgetting(commands.add_parser("forget", help=purpose, description=purpose.capitalize() + "."))
    purpose = "show the quality of a published dataset: fields, reasons, cost; as Markdown here, as a page beside it"
    report = commands.add_parser("report", help=purpose, description=purpose.capitalize() + ".")
    _add_looking(report, key="column that names a record, needed with --expected")
    report.add_argument(
        "--short", action="store_true", help="only what stands out, the figures, the hit rates"
    )
    purpose = "set two published datasets side by side: what changed, what it cost, which is better"
    compare = commands.add_parser("compare", help=purpose, description=purpose.capitalize() + ".")
    _add_looking(compare, key="column that names a record (default: the records are in the same order)")
    compare.add_argument(
        "--with", dest="other", required=True, metavar="FOLDER", help="the other dataset's root"
    )
    compare.add_argument(
        "--with-state", dest="other_state", metavar="FOLDER", help="the other's state folder"
    )
    return made


def _add_looking(parser: argparse.ArgumentParser, *, key: str) -> None:
    add = parser.add_argument
    add("--destination", required=True, help="root folder of the dataset")
    add("--state", help="state folder (default: DESTINATION.state)")
    add("--partition", action="append", default=[], metavar="KEY=VALUE", help="of this hive partition")
    add(
        "--expected",
        metavar="FILE",
        help="Parquet file with the key and the right values, named like the fields",
    )
    add("--key", metavar="COLUMN", help=key)
    add(
        "--tolerance",
        type=_tolerance,
        default=0.0,
        metavar="X",
        help="how far two numbers may be apart to count as the same, such as 0.005 (default: 0; never whole numbers)",
    )


def _tolerance(given: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (held := float(given)) < math.inf:
            return held
    raise argparse.ArgumentTypeError(f"{given!r} is no distance: give 0 or more, such as 0.005")


def _add_forgetting(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--destination", required=True, help="root folder of the output dataset")
    add("--state", help="state folder (default: DESTINATION.state)")
    add("--partition", action="append", default=[], metavar="KEY=VALUE", help="of this hive partition")
    add(
        "--task-uuid",
        action="append",
        default=[],
        metavar="UUID",
        help="as in the column inference.task_uuid: the answers to that request, all samples and attempts",
    )
    add(
        "--containing",
        action="append",
        default=[],
        metavar="TEXT",
        help="every answer in which this text occurs, such as a person's name",
    )
    add("--older-than", metavar="DATE", help="every answer from before this day or time, in UTC (ISO 8601)")


def partition_of(options: argparse.Namespace) -> dict[str, str]:
    """The hive partition that the options name."""
    return dict(_pair(one) for one in options.partition)


def moment_of(given: str | None) -> datetime | None:
    """A day or time in ISO 8601, in UTC where it has no offset.

    Raises:
        BadInput: it is neither.
    """
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise BadInput("--older-than", f"{given!r} is no date", "Write it like 2026-01-31") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--source", required=True, help="Parquet file, folder (hive partitions too) or glob")
    add("--destination", required=True, help="root folder of the output dataset")
    add("--state", help="state folder (default: DESTINATION.state)")
    add("--partition", action="append", default=[], metavar="KEY=VALUE", help="hive partition to replace")
    add(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help=f"the API's name of the model (default: {DEFAULT_MODEL})",
    )
    add("--prompt", required=True, metavar="TEXT_OR_FILE", help="Jinja text, or a file that ends in .j2")
    add("--system-prompt", metavar="T", help="text, or a file that ends in .txt, .md or .j2 (not rendered)")
    add("--schema", metavar="FILE.json", help="JSON Schema that every answer must fit; or labels, as an enum")
    add(
        "--labels",
        metavar="A,B,C",
        help="one of these is the answer; where a label has a comma, see --schema",
    )
    add(
        "--untyped",
        choices=["refuse", "json"],
        help="what becomes of a place of the schema that has no one type (default: refuse, before paying)",
    )
    add("--lenient-numbers", action="store_true", help="read numbers that come as texts, such as 1,234.50")
    add("--traits", metavar="JSON", help=f"what the model can do, for example {TRAITS}")
    add(
        "--forcing",
        default="auto",
        choices=["auto", "json_schema", "tool", "prompt"],
        help="how an answer that fits --schema is forced (default: auto, what the model can do best)",
    )
    add(
        "--reasks",
        type=int,
        metavar="N",
        help="how often an answer that does not fit is asked again (default: 1)",
    )
    add(
        "--max-tokens-if-truncated",
        type=int,
        metavar="N",
        help="ask a truncated answer again with twice the tokens, up to so many (default: do not)",
    )
    add("--tools", metavar="FILE.json", help="tools that the model may call")
    add("--tool-choice", metavar="auto|any|none|NAME", help="which of the tools the model must call, if any")
    add("--settings", metavar="JSON", help='for example {"temperature": 0, "max_tokens": 2000}')
    add(
        "--delivery",
        default="poll",
        choices=["poll", "sync"],
        help="poll asks for the answers (default), sync holds the connection until they are there",
    )
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
    add(
        "--retry-failed",
        nargs="?",
        const=NEW_WISH,
        metavar="NAME",
        help="ask again what failed, was invalid or refused, and nothing else; NAME as for --refresh",
    )
    add(
        "--filter",
        dest="filters",
        action="append",
        default=[],
        metavar="FILTER",
        help="only records that pass, such as 'total > 100', 'country in de,fr', 'vat_id is null'; all, if repeated",
    )
    add("--max-input-tokens", type=int, metavar="N", help="skip requests that are longer, by estimate")
    add(
        "--max-failed",
        default=str(DEFAULT_MAX_FAILED),
        metavar="N|SHARE|none",
        help=f"rows that may fail for the dataset to be published (default: {DEFAULT_MAX_FAILED})",
    )
    add("--failures", metavar="FOLDER", help="write the rows that failed, besides, as a dataset of their own")
    add("--budget-usd", type=float, metavar="USD", help="what the run may cost")
    add("--budget-tokens", type=int, metavar="N", help="how many tokens the run may use, in and out together")
    add(
        "--when-short",
        default="stop",
        choices=["stop", "partial"],
        help="when the budget does not last: stop (before paying, by estimate), or publish as far as it gets",
    )
    add("--run", metavar="NAME", help="names what several tries belong to: they share one budget")
    add("--reuse", default="partition", choices=["partition", "dataset"], help="where answers may come from")
    add("--retention-days", type=int, metavar="N", help="erase older answers that no published row uses")
    add("--columns", metavar="A,B", help="input columns to keep (default: all)")
    add("--flatten", action="store_true", help="make the fields of the result columns of their own")
    add(
        "--on-empty",
        default="write",
        choices=["write", "skip", "fail"],
        help="what a source without records does: write an empty dataset (default), skip, or fail",
    )
    add(
        "--if-schema-breaks",
        default="error",
        choices=["error", "allow"],
        help="a partition that readers could not read together with the others (default: error)",
    )
    add("--keep-raw", action="store_true", help="keep the raw answer of every row")


def _count_or_share(given: str) -> int | float | None:
    if given.strip().lower() == "none":
        return None
    try:
        return int(given) if given.strip().isdigit() else float(given)
    except ValueError:
        raise BadInput(
            "--max-failed", f"{given!r} is no number", "Give a count like 20, a share like 0.1, or none"
        ) from None


def _budget(options: argparse.Namespace) -> dict[str, Any] | None:
    if options.budget_usd is None and options.budget_tokens is None:
        return None
    return {"usd": options.budget_usd, "tokens": options.budget_tokens, "when_short": options.when_short}


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


def _output_type(options: argparse.Namespace) -> Any:
    if options.labels is None:
        return _schema(options.schema) if options.schema else None
    if options.schema:
        raise BadInput(
            "--labels", "a label or an object of --schema: an answer is either", "Drop one of them"
        )
    labels = [label.strip() for label in options.labels.split(",")]
    try:
        return understood(labels)
    except BadInput as error:
        raise BadInput("--labels", error.problem, f"{error.remedy}, like --labels billing,delivery") from None


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


def _json_object(option: str, given: str, example: str) -> dict[str, Any]:
    try:
        held = json.loads(given)
    except ValueError as error:
        raise BadInput(option, f"it is no JSON ({error})", f"Write it like {example}") from None
    if not isinstance(held, dict):
        raise BadInput(option, "it is no JSON object", f"Write it like {example}")
    return held


def _pair(given: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if not equals:
        raise BadInput("--partition", f"{given!r} has no '='", "Write it like ds=2026-01-01")
    return key, value
