"""The commands `report` and `compare`: what came out, as Markdown for a person and as paths and rates for a script.

The Markdown goes to standard error; the paths and how often each field is as expected go to standard output as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from runware_provider.engine.cli_options import partition_of, typed
from runware_provider.engine.errors import BadInput, EngineError, PublishConflict
from runware_provider.engine.plain_text import wrapped
from runware_provider.engine.storage.stores import Stores
from runware_provider.quality.comparison_document import comparison_document, comparison_parts
from runware_provider.quality.keeping import expected_table, keep, keep_report
from runware_provider.quality.looking import compare, look_at
from runware_provider.quality.published import Place, place_of
from runware_provider.quality.report_document import report_document, short_report
from runware_provider.quality.room import BRIEF

if TYPE_CHECKING:
    from collections.abc import Callable

OK, FAILED, TRY_AGAIN = 0, 1, 3
"""Exit status, as of the engine's commands."""
_OWN_OPTIONS = frozenset({"expected", "key"})
"""Fields of errors whose options the engine's commands do not have."""


def add_commands(commands: Any) -> None:
    """Add `report` and `compare` to a command line.

    Args:
        commands: what `ArgumentParser.add_subparsers` returned.
    """
    purpose = "show the quality of a published dataset: fields, reasons, cost; as Markdown here, as a page beside it"
    report = commands.add_parser("report", help=purpose, description=purpose.capitalize() + ".")
    _add_options(report, key="column that names a record, needed with --expected")
    report.add_argument(
        "--short", action="store_true", help="only what stands out, the figures, the hit rates"
    )
    purpose = "set two published datasets side by side: what changed, what it cost, which is better"
    side_by_side = commands.add_parser("compare", help=purpose, description=purpose.capitalize() + ".")
    _add_options(side_by_side, key="column that names a record (default: the records are in the same order)")
    add = side_by_side.add_argument
    add("--with", dest="other", required=True, metavar="FOLDER", help="the other dataset's root")
    add("--with-state", dest="other_state", metavar="FOLDER", help="the other's state folder")


def _add_options(parser: argparse.ArgumentParser, *, key: str) -> None:
    add = parser.add_argument
    add("--destination", required=True, help="root folder of the dataset")
    add("--state", help="state folder (default: DESTINATION.state)")
    add("--partition", action="append", default=[], metavar="KEY=VALUE", help="of this hive partition")
    right = "Parquet file with the key and the right values, named like the fields"
    add("--expected", metavar="FILE", help=right)
    add("--key", metavar="COLUMN", help=key)
    apart = "how far two numbers may be apart to count as the same, such as 0.005 (default: 0; never whole numbers)"
    add("--tolerance", type=_tolerance, default=0.0, metavar="X", help=apart)


def _tolerance(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (tolerance := float(text)) < math.inf:
            return tolerance
    raise argparse.ArgumentTypeError(f"{text!r} is no distance: give 0 or more, such as 0.005")


def execute(options: argparse.Namespace) -> int:
    """Run the command that the options name and return its exit status."""
    try:
        markdown, result = COMMANDS[options.command](options)
    except PublishConflict as conflict:
        return _failed(TRY_AGAIN, "Stopped", f"{conflict}")
    except EngineError as error:
        return _failed(FAILED, "Error", f"{_typed(error) if isinstance(error, BadInput) else error}")
    except OSError as error:
        return _failed(TRY_AGAIN, "Stopped", f"the store failed ({error}). Mend that, then run again.")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return _ended(OK, markdown)


def _typed(error: BadInput) -> BadInput:
    """Bad input under the name of its option, of these commands or of the engine's."""
    if error.field in _OWN_OPTIONS:
        return BadInput(f"--{error.field}", error.problem, error.remedy)
    return typed(error)


def _failed(status: int, label: str, said: str) -> int:
    return _ended(status, "\n".join(wrapped(label, said)))


def _ended(status: int, said: str) -> int:
    sys.stderr.write(said + "\n")  # errors are plain, and in a document every value is made visible
    return status


def _report(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    stores = Stores()
    place = _place(stores, options)
    findings = look_at(
        place, expected=_expected(stores, options), key=options.key, tolerance=options.tolerance
    )
    result: dict[str, Any] = dict(keep_report(place, findings))
    if findings.hits is not None:
        result["hits"] = {one.path: {"hits": one.hits, "of": one.of} for one in findings.hits.fields}
    return short_report(findings) if options.short else report_document(findings, BRIEF), result


def _compare(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    stores = Stores()
    first = _place(stores, options)
    other = stores.open(options.other, field="--with")
    second = place_of(other, options.other, partition_of(options), options.other_state)
    expected = _expected(stores, options)
    found = compare(first, second, key=options.key, expected=expected, tolerance=options.tolerance)
    result: dict[str, Any] = dict(keep(second, found.name, partial(comparison_parts, found)))
    if found.duels is not None:
        result["hits"] = {
            duel.path: {"a": duel.first, "b": duel.second, "of": duel.of} for duel in found.duels
        }
    return comparison_document(found, BRIEF), result


COMMANDS: dict[str, Callable[[argparse.Namespace], tuple[str, dict[str, Any]]]] = {
    "report": _report,
    "compare": _compare,
}


def _place(stores: Stores, options: argparse.Namespace) -> Place:
    storage = stores.open(options.destination)
    return place_of(storage, options.destination, partition_of(options), options.state)


def _expected(stores: Stores, options: argparse.Namespace) -> Any:
    return expected_table(options.expected, stores, field="--expected") if options.expected else None
