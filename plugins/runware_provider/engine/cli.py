"""The engine's command line: run, plan or preview a job without Airflow, whole or in shards, or forget its answers.

The manifest (or plan) goes to standard output as JSON, progress and messages to standard error. Exit status: 0 when
the job stands, 3 when it stopped but can be resumed, 1 when the input is bad or nothing can be done about it here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from runware_provider.engine.address import whole_address
from runware_provider.engine.api.client import Client
from runware_provider.engine.cli_options import (
    PREVIEW_RECORDS,
    moment_of,
    parsed,
    partition_of,
    typed,
)
from runware_provider.engine.dataset.destination import dataset_folder
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import (
    BadInput,
    EngineError,
    Interrupted,
    NothingToDo,
    how_far,
    note_how_far,
)
from runware_provider.engine.inbox.folder import InboxFolder
from runware_provider.engine.inbox.settings import VARIABLES, WebhookSettings, inbox_from_text, texts_in
from runware_provider.engine.job.endings import (
    bad_end,
    can_go_on,
    empty_end,
    good_end,
    remedy_of,
    shard_end,
    what_happened,
)
from runware_provider.engine.job.forget_place import forget_place
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.plan import plan
from runware_provider.engine.job.publishing_shards import publish_shards
from runware_provider.engine.job.run import run_job
from runware_provider.engine.job.run_request import options_in
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.option_words import as_options
from runware_provider.engine.plain_text import printable, printable_lines, wrapped
from runware_provider.engine.service_check import command as check
from runware_provider.engine.spec_options import is_inside_json, spec_of
from runware_provider.engine.spending.forecast import forecast
from runware_provider.engine.storage.stores import Stores

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.job.run_request import Given
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.spending.forecast import Forecast

OK, BAD_INPUT, RESUMABLE = 0, 1, 3
LINE_EVERY_S = 10.0
COLUMNS = 100
"""Of a terminal."""
BAR = 16
"""Of them for the bar."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine's own command line and return its exit status."""
    return execute(parsed(arguments))


def execute(options: argparse.Namespace) -> int:
    """Run the command that the options name and return its exit status."""
    with _listening():
        return _main(options)


def _main(options: argparse.Namespace) -> int:
    try:
        if options.command == check.COMMAND:
            return check.execute(options, _endpoint())
        _print(asyncio.run(_command(options)))
    except NothingToDo as nothing:
        _say_all(empty_end(str(nothing), _state_folder(options)))
        _print({"format": 1, "status": "skipped", "reason": str(nothing)})
    except KeyboardInterrupt:
        return _ended(Interrupted("it was asked to stop before it began"), options)
    except BadInput as error:
        return _ended(typed(error), options)
    except (EngineError, OSError) as error:
        return _ended(error, options)
    except Exception as error:
        _ended(error, options)
        raise
    return OK


class _Plain(logging.Formatter):
    """What is told in plain lines, whatever it quotes, with the names of options."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info:
            return printable_lines(super().format(record))
        told = as_options(record.getMessage())
        return printable(told) if len(told) <= COLUMNS else "\n".join(wrapped("", told))


def _ended(error: BaseException, options: argparse.Namespace) -> int:
    """Tell a person, and a program where there is a manifest; returns the exit status."""
    resumable = can_go_on(error)
    then = _how_to_go_on(options) if resumable else ""
    asks = options.command in {"run", "preview", "shards"}
    state, spelt = _state_folder(options), _spelling(error)
    _say_all(bad_end(error, state=state, then=then, asks=asks, spelt=spelt))
    if not resumable:
        return BAD_INPUT
    told = {"format": 1, "status": "stopped", "reason": what_happened(error), **how_far(error)}
    _print({**told, "remedy": as_options(f"{remedy_of(error)} {then}".strip())})
    return RESUMABLE


def _spelling(error: BaseException) -> Callable[[str], str]:
    """How the names in an error's text are spelt: those inside of an option's JSON are its keys, and no options."""
    if isinstance(error, BadInput) and is_inside_json(error.field):
        return str
    return as_options


def _state_folder(options: argparse.Namespace) -> str:
    """Where the answers are kept, as far as the options say it."""
    destination = getattr(options, "destination", None) or ""
    return getattr(options, "state", None) or (destination and destination.rstrip("/") + ".state")


@contextlib.contextmanager
def _listening() -> Iterator[None]:
    """What the engine says in passing, such as why something has to be paid anew, goes to standard error."""
    engine = logging.getLogger(__name__.rpartition(".")[0])
    told = logging.StreamHandler(sys.stderr)
    told.setFormatter(_Plain())
    level = engine.level
    engine.addHandler(told)
    engine.setLevel(logging.INFO)
    try:
        yield
    finally:
        engine.removeHandler(told)
        engine.setLevel(level)


async def _command(options: argparse.Namespace) -> dict[str, Any] | list[dict[str, Any]]:
    if options.command == "forget":
        return await asyncio.to_thread(_forget, options)
    spec = spec_of(options, await asyncio.to_thread(_request, options))
    if options.command == "shards":
        return await _shards(options, spec, _endpoint())
    if options.command == "plan":
        return await _plan(spec)
    if options.command == "preview":
        return await _preview(spec, _endpoint())
    return await _run(spec, _endpoint())


def _request(options: argparse.Namespace) -> Given | None:
    """What a run before asked, where the options name it; they say from then on where the answers are kept."""
    if getattr(options, "request", None) is None:
        return None
    given = options_in(Stores(), options.request)
    options.destination = options.destination or given.values.get("destination")
    options.state = options.state or (given.values.get("memory") or {}).get("state")
    return given


def _forget(options: argparse.Namespace) -> dict[str, Any]:
    root = _state_folder(options)
    storage = Stores().open(root, field="memory.state")
    storage.keep_private(root)
    told = forget_place(
        storage,
        dataset_folder(storage, root, partition_of(options)),
        task_uuids=options.task_uuid,
        containing=options.containing,
        older_than=moment_of(options.older_than),
        inbox_of=_inboxes(),
    )
    if told["inbox"] is None:
        said = f"{VARIABLES.inbox} names no inbox of webhooks; if the job has one, what waits there is not reached."
        _say_all(wrapped("Note", said))
    if told["task_uuids"]:
        said = "take the records out of the source, or mend them, and run the job again."
        _say_all(wrapped("Published rows with these task UUIDs still show the answers", said))
    return told


def _inboxes() -> Callable[[bytes], InboxFolder] | None:
    """The inbox of each job, where the environment says in which store they are."""
    _, inbox, _ = texts_in(os.environ)
    if not inbox:
        return None
    root = inbox_from_text(inbox, VARIABLES.inbox)
    storage = Stores().open(root, field="webhook_inbox")
    return lambda job_id: InboxFolder.of(storage, root, job_id)


async def _run(spec: Spec, endpoint: Endpoint, *, preview: int | None = None) -> dict[str, Any]:
    stop = _stop_on_signals()
    with _reporter() as reporting:
        manifest = await run_job(
            spec, endpoint, report=reporting, stop=stop, preview=preview, webhooks=_webhooks(spec)
        )
    _say_all(good_end(manifest, spelt=as_options))
    return manifest


async def _shards(
    options: argparse.Namespace, spec: Spec, endpoint: Endpoint
) -> dict[str, Any] | list[dict[str, Any]]:
    """One verb of a job in shards; a manifest, a shard's counts, or the list of shards."""
    stop, webhooks = _stop_on_signals(), _webhooks(spec)
    if options.verb == "split":
        return await split_shards(
            spec,
            endpoint,
            shards=options.shards,
            least_rows=options.least_rows,
            stop=stop,
            webhooks=webhooks,
        )
    if options.verb == "publish":
        manifest = await publish_shards(spec, endpoint, split=options.split, stop=stop, webhooks=webhooks)
        _say_all(good_end(manifest, spelt=as_options))
        return manifest
    with _reporter() as reporting:
        told = await infer_shard(
            spec,
            endpoint,
            split=options.split,
            shard=options.shard,
            report=reporting,
            stop=stop,
            webhooks=webhooks,
        )
    _say_all(shard_end(told, _state_folder(options)))
    return told


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, stop.set)
    return stop


async def _plan(spec: Spec) -> dict[str, Any]:
    prices: dict[str, tuple[float, float]] | None = None
    if os.environ.get("RUNWARE_API_KEY"):
        async with Client(_endpoint()) as client:
            prices = await client.prices()
    service = _endpoint(key="of nobody").service  # who would answer; nobody needs a key to know that
    told = await asyncio.to_thread(plan, spec, prices, service=service)
    return {**told, "warnings": list(map(as_options, told["warnings"]))}


async def _preview(spec: Spec, endpoint: Endpoint) -> dict[str, Any]:
    """Ask about a few records; the answers stay in the ledger, and the job's price follows from theirs."""
    few = spec.limit if spec.limit is not None else PREVIEW_RECORDS
    whole = spec.model_copy(update={"limit": None})
    shown = await _run(whole, endpoint, preview=few)
    try:
        rest = await _plan(whole)
    except Exception as error:
        note_how_far(error, {**shown, "still_at_vendor": 0})
        raise
    priced = shown.pop("priced")
    told: dict[str, Any] = {"to_pay": rest["to_pay"]}
    if priced:
        price = forecast(
            [cost for _, cost in priced],
            remaining=rest["to_pay"],
            sizes=[tokens for tokens, _ in priced],
            remaining_size=rest["estimate"]["prompt_tokens"],
        )
        told |= _as_told(price)
    return {"preview": shown, "rest": told}


def _as_told(price: Forecast) -> dict[str, Any]:
    """A forecast under the manifest's names, in USD; low and high hold the price in 19 of 20 cases."""
    return {
        "cost_usd_each": price.each,
        "cost_usd": price.total,
        "cost_usd_low": price.low,
        "cost_usd_high": price.high,
        "priced_answers": price.answers,
    }


@contextlib.contextmanager
def _reporter() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (BarColumn(BAR), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def update(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total, description=progress.short_line())

        yield update


def _lines() -> Callable[[Progress], None]:
    last = 0.0

    def report(progress: Progress) -> None:
        nonlocal last
        if progress.elapsed_s - last >= LINE_EVERY_S or progress.done == progress.total:
            last = progress.elapsed_s
            _say_all(progress.lines())

    return report


def _endpoint(key: str | None = None) -> Endpoint:
    """Where the environment says that the API is, with the key that is there or this one."""
    address = whole_address(os.environ.get("RUNWARE_BASE_URL") or "")
    return Endpoint(address, key or os.environ.get("RUNWARE_API_KEY") or "")


def _webhooks(spec: Spec) -> WebhookSettings | None:
    """Where the environment says that answers are brought; None for a job that does not want that.

    Raises:
        BadInput: it wants that, and a variable is missing or cannot be meant so.
    """
    if spec.delivery != "webhook":
        return None
    return WebhookSettings.from_texts(*texts_in(os.environ))


def _how_to_go_on(options: argparse.Namespace) -> str:
    """A wish that was given no name has to be named to go on with it; the same command would be a new wish."""
    if not options.wish_is_new:
        return ""
    option = f"--{options.wish.replace('_', '-')}"
    name = getattr(options, options.wish)
    return f"But name the wish: {option} {name}. A plain {option} would ask anew once more."


def _say_all(lines: Iterable[str]) -> None:
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
    sys.stderr.flush()


def _print(told: dict[str, Any] | list[dict[str, Any]]) -> None:
    # JSON escapes every control character but the last of ASCII.
    sys.stdout.write(json.dumps(told, indent=2, default=str).replace("\x7f", "\\u007f") + "\n")
