"""``python -m runware_provider.testing``: the local API server in the foreground."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from runware_provider.testing.answer_table import TEXT, AnswerTable, first_known
from runware_provider.testing.api.catalogue import read_models
from runware_provider.testing.api.faults import read_fault_file
from runware_provider.testing.api.server import run_in_foreground
from runware_provider.testing.api.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_MODEL: Final = (
    "It is no language model: it says what its tables of answers hold, else the least that fits."
)
_DEFAULTS = {field.name: field.default for field in fields(ServerSettings)}
_FLAGS: tuple[tuple[str, type, str], ...] = (
    ("host", str, "address to listen on"),
    ("port", int, "port to listen on; 0 takes a free one"),
    ("key", str, "the API key that is accepted"),
    ("latency", float, "median seconds of an inference"),
    ("latency_sigma", float, "spread of the latency, the sigma of a log-normal distribution"),
    ("capacity", int, "inferences at once, per model"),
    ("queue", int, "tasks that may wait, per model; more get HTTP 429 (no limit unless given)"),
    ("max_wait", float, "longest wait for a slot in seconds; longer gets HTTP 504 (no limit unless given)"),
    ("sync_window", float, "seconds that a connection is held for sync tasks"),
    ("stream_keep_alive", float, "seconds between the comments of a stream that has nothing else to say"),
    ("max_tasks", int, "tasks per array before HTTP 413 (no limit unless given)"),
    ("max_bytes", int, "bytes per body before HTTP 413 (no limit unless given)"),
    ("balance", float, "USD on the account"),
    ("keep", int, "finished tasks whose answers are kept"),
    ("webhook_tries", int, "POSTs per webhook until the server gives up"),
    ("webhook_backoff", float, "seconds before a webhook's second try; doubles"),
    ("webhook_timeout", float, "seconds that a webhook's receiver may take"),
    ("seed", int, "seed of latencies and of faults with a probability"),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m runware_provider.testing",
        description=f"A local stand-in for the Runware API. {NO_MODEL}",
    )
    for name, kind, text in _FLAGS:
        default = _DEFAULTS[name]
        shown = "" if default is None else f" (default: {default})"
        made.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=text + shown)
    made.add_argument("--reserve-rejected", action="store_true", help="a rejected task uses up its taskUUID")
    made.add_argument(
        "--models", type=Path, metavar="FILE", help="JSON array of models instead of the built-in ones"
    )
    made.add_argument(
        "--faults", type=Path, metavar="FILE", help="JSON array of faults that are active from the start"
    )
    made.add_argument(
        "--answers",
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE[:COLUMN]",
        help="Parquet files or folders of answers: a row answers where its text, in COLUMN (default: text), stands in"
        " the prompt; the column answer, or else all other columns by name, are the answer; the first table that knows"
        " the text answers",
    )
    made.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="gets the base URL once the server listens"
    )
    return made


def settings_of(options: argparse.Namespace) -> ServerSettings:
    """Return the settings that parsed options say.

    Raises:
        OSError: A file cannot be read.
        ValueError: A value or a file's content is not valid.
    """
    values = {name: getattr(options, name) for name, _, _ in _FLAGS}
    if options.models is not None:
        values["models"] = read_models(options.models)
    if options.faults is not None:
        values["faults"] = read_fault_file(options.faults)
    if options.answers:
        values["answers"] = first_known([read_answers(words) for words in options.answers])
    return ServerSettings(**values, reserve_rejected=options.reserve_rejected)


def read_answers(words: str) -> AnswerTable:
    """Read a table of answers.

    Args:
        words: A path, and after a colon the column of the texts.

    Raises:
        ValueError: It cannot be read, or is no table of answers.
    """
    path, colon, column = words.rpartition(":")
    if not colon or Path(words).exists():
        path, column = words, TEXT
    return AnswerTable.read(path, column)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = parser().parse_args(arguments)

    def announce(url: str) -> None:
        if options.ready_file is not None:
            write_atomically(options.ready_file, url)
        print(  # noqa: T201 - the line that the user is waiting for
            f"Local Runware API on {url} - key {options.key!r}, bill at {url.removesuffix('/v1')}/_local/bill, "
            f"nothing is paid. {NO_MODEL} Stop with Ctrl-C.",
            flush=True,
        )

    try:
        run_in_foreground(settings_of(options), announce)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        print(f"cannot start: {error}", file=sys.stderr)  # noqa: T201 - what a command line says
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
