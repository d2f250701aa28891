"""The commands of the command line, and the options of those that run no job."""

from __future__ import annotations

import argparse
import difflib
import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from runware_provider.engine.endpoint import DEFAULT_BASE_URL
from runware_provider.engine.errors import BadInput, how_far, note_how_far
from runware_provider.engine.job.shard_counts import LEAST_ROWS, SHARDS
from runware_provider.engine.option_forms import NEW_WISH
from runware_provider.engine.option_values import pairs
from runware_provider.engine.plain_text import wrapped
from runware_provider.engine.service_check import command as check
from runware_provider.engine.spec_options import add_spec_options, as_option, earlier_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    AddCommands = Callable[[Any], None]
    """Gets what `ArgumentParser.add_subparsers` returned, whose type argparse keeps to itself."""

INSTEAD: Mapping[str, str] = {
    "--where": "choose records with --filter, such as --filter 'total > 100'",
    "--filters": "write --filter for each, such as --filter 'total > 100'",
    "--output-type": "write --schema FILE.json or --labels A,B,C",
    "--budget": "write --budget-usd, --budget-tokens or both",
    "--limits": "each of its fields is an option, such as --max-outstanding or --attempts",
    "--answers": "each of its fields is an option, such as --output-retries or --untyped",
    "--publish": "each of its fields is an option, such as --columns or --if-exists",
    "--memory": "each of its fields is an option, such as --state or --reuse",
    "--webhook": "write --delivery webhook, and --webhook-verify, --webhook-when-unreachable or --webhook-overdue-s",
    "--variables": "write --variable for each, such as --variable ds=2026-01-01",
    "--report": "make the report of the published dataset afterwards, with the command `report`",
    "--assets": "only Airflow knows assets; the manifest names source and destination",
    "--deferrable": "a command holds no worker that it could give back while it waits",
    "--runware-conn-id": "set RUNWARE_API_KEY, and RUNWARE_BASE_URL for another address than the vendor's",
    "--retry-policy": "nothing runs a command again by itself; the exit status says whether another run helps",
}
"""What is done on the command line in the place of the operator's other arguments, and of what earlier versions had."""
BAD_INPUT = 1
PREVIEW_RECORDS = 5


def parsed(arguments: Sequence[str] | None, *further: AddCommands) -> argparse.Namespace:
    """The options, with a name for the wish that was given none.

    `wish` is the option that asks anew, if one does, and `wish_is_new` says that its name was made up here.

    Args:
        arguments: of the process, unless others are given.
        further: as for `parser`.
    """
    whole = parser(*further)
    options, unknown = whole.parse_known_args(arguments)
    if unknown:
        whole.error(_no_such_option(unknown[0], options))
    wishes = {name: getattr(options, name, None) for name in ("refresh", "retry_failed")}
    options.wish = next((name for name, wish in wishes.items() if wish), None)
    options.wish_is_new = NEW_WISH in wishes.values()
    for name, wish in wishes.items():
        if wish == NEW_WISH:
            setattr(options, name, secrets.token_hex(4))
    return options


def typed(error: BadInput) -> BadInput:
    """Bad input under the name of its option, where there is one; what it says of how far the job came stays."""
    named = BadInput(as_option(error.field), error.problem, error.remedy)
    note_how_far(named, how_far(error))
    return named


def _no_such_option(word: str, options: argparse.Namespace) -> str:
    flag = word.partition("=")[0]
    if flag in INSTEAD:
        return f"there is no option {flag} here: {INSTEAD[flag]}"
    now = earlier_flags().get(flag)
    if now is not None:
        return f"there is no option {flag} any more: it is {now} now"
    flags = [f"--{name.replace('_', '-')}" for name in vars(options)]
    near = difflib.get_close_matches(flag, flags, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no option {word!r:.60}{hint}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_INPUT, "\n".join(wrapped(self.prog, message)) + "\n")


def parser(*further: AddCommands) -> argparse.ArgumentParser:
    """The command line: a sub-command for each thing that it can do.

    Args:
        further: what adds the commands of a layer above.
    """
    made = _Parser(
        prog="runware",
        description="Ask an LLM about every row of a Parquet dataset, over the Runware API.",
        epilog=f"RUNWARE_API_KEY holds the key, RUNWARE_BASE_URL the endpoint ({DEFAULT_BASE_URL} by default).",
    )
    commands = made.add_subparsers(dest="command", required=True)
    for name, purpose in (
        ("run", "ask, and publish the answers as a dataset"),
        ("plan", "say what a run would ask and cost; send nothing"),
        (
            "preview",
            f"ask about a few records ({PREVIEW_RECORDS}, or --limit), show the answers and price the rest; a run reuses them",
        ),
    ):
        # An abbreviation would change its meaning with each new field of the spec.
        command = commands.add_parser(
            name, help=purpose, description=purpose.capitalize() + ".", allow_abbrev=False
        )
        add_spec_options(command, or_request=True)
    _add_shards(commands)
    purpose = "erase answers from the state folder for ever; what they cost stays in the accounts"
    _add_forgetting(commands.add_parser("forget", help=purpose, description=purpose.capitalize() + "."))
    purpose = check.PURPOSE
    check.add_options(
        commands.add_parser(check.COMMAND, help=purpose, description=purpose.capitalize() + ".")
    )
    for add_commands in further:
        add_commands(commands)
    commands.metavar = "|".join(commands.choices)
    return made


def _add_shards(commands: Any) -> None:
    """A job in shards, for whatever starts processes."""
    purpose = "run a job in shards: split it, infer each shard in a process of its own, publish them together"
    shards = commands.add_parser("shards", help=purpose, description=purpose.capitalize() + ".")
    verbs = shards.add_subparsers(dest="verb", required=True, metavar="split|infer|publish")
    for name, purpose in (
        ("split", "cut the source into shards, and print them; send nothing"),
        ("infer", "ask what one shard asks, and stage its rows"),
        ("publish", "publish what all shards have staged, as one dataset"),
    ):
        verb = verbs.add_parser(
            name, help=purpose, description=purpose.capitalize() + ".", allow_abbrev=False
        )
        add_spec_options(verb)
        if name == "split":
            verb.add_argument(
                "--shards",
                type=int,
                default=SHARDS,
                metavar="N",
                help=f"shards, at most (default: {SHARDS})",
            )
            verb.add_argument(
                "--least-rows",
                type=int,
                default=LEAST_ROWS,
                metavar="N",
                help=f"rows that are worth a shard of their own (default: {LEAST_ROWS})",
            )
        else:
            verb.add_argument("--split", required=True, metavar="ID", help="as split printed it")
        if name == "infer":
            verb.add_argument(
                "--shard", required=True, type=int, metavar="N", help="number of the shard, from 0"
            )


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
    return pairs("--partition", options.partition)


def moment_of(text: str | None) -> datetime | None:
    """A day or time in ISO 8601, in UTC where it has no offset.

    Raises:
        BadInput: it is neither.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("--older-than", f"{text!r} is no date", "Write it like 2026-01-31") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
