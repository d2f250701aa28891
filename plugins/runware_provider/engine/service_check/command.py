"""The command `check`: says what it will cost, asks whether to, and tells what the service does."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from runware_provider import __version__
from runware_provider.engine.api.raw_client import EVENT_STREAM, RawClient
from runware_provider.engine.errors import BadInput, Interrupted, JobStopped, KeyRefused, ModelUnknown
from runware_provider.engine.money import usd
from runware_provider.engine.plain_text import printable
from runware_provider.engine.service_check.asking import Asker, Pace
from runware_provider.engine.service_check.findings import complete
from runware_provider.engine.service_check.inbox_hook import InboxHook
from runware_provider.engine.service_check.purse import Purse, Rates
from runware_provider.engine.service_check.questions import NOBODY, at_most_usd, paid_questions
from runware_provider.engine.service_check.result import COLUMNS, LEAST_COLUMNS, Result, blanked, folded
from runware_provider.engine.service_check.session import NOT_WISHED, Notes, Session
from runware_provider.engine.spec import DEFAULT_MODEL, Delivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runware_provider.engine.endpoint import Endpoint

COMMAND: Final = "check"
PURPOSE: Final = (
    "ask the real service, for less than a cent as a rule, whether it does what this project assumes of it"
)
STATUS: Final = {"as assumed": 0, "differs": 1, "incomplete": 3}
"""Exit status by what came of it."""
UNWRITTEN: Final = 1
"""Exit status where the file could not be written after all, as for an option that is wrong."""
MOST_NAME_CHARS: Final = 50
"""Of a file's name that another one is named by: file systems take some 250 bytes."""
_ELSEWHERE: Final = "Name a file that can be written"
KNOWS_STREAMS: Final = "stream" in getattr(Delivery, "__args__", ())
"""Whether this version asks for streams; where it does not, nothing hangs on what they look like."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the command its options."""
    add = parser.add_argument
    add(
        "--model", default=DEFAULT_MODEL, metavar="NAME", help=f"text model to ask (default: {DEFAULT_MODEL})"
    )
    add("--yes", action="store_true", help="ask without being told to at the terminal")
    add(
        "--budget-usd",
        type=_amount,
        metavar="USD",
        help="what it may cost at most; what does not fit is not asked (default: what it says that it may cost)",
    )
    add(
        "--timeout-s",
        type=_amount,
        default=Pace.whole_s,
        metavar="SECONDS",
        help=f"seconds for all of it (default: {Pace.whole_s:g})",
    )
    add(
        "--json",
        metavar="FILE",
        help="where to write the result, without secrets, so that it can be sent to us",
    )
    add(
        "--webhook",
        action="store_true",
        help="whether a webhook comes, too: RUNWARE_WEBHOOK_URL and so on say where to",
    )


def _amount(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (amount := float(text)) < math.inf:
            return amount
    raise argparse.ArgumentTypeError(f"{text!r} is no amount: give more than 0, such as 0.05")


def execute(options: argparse.Namespace, endpoint: Endpoint) -> int:
    """Run the command and return its exit status.

    Raises:
        BadInput: an option cannot be carried out, or nobody is there to agree.
        JobStopped: the service refuses the key or does not answer; or somebody said no.
    """
    _check_file(options.json)
    asking = _Asking(options, endpoint)
    try:
        told = asyncio.run(asking.prepare())
        # Outside of the event loop, which would keep the first Ctrl-C from whoever reads a line.
        _agree(told, agreed=options.yes)
        asyncio.run(asking.ask_all())
    # By Ctrl-C, or by SIGTERM.
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not asking.notes.findings:
            raise _nothing_asked("somebody stopped it") from None
        asking.stopped = Interrupted("somebody stopped it")
    except KeyRefused:
        # Whoever has no key learns nothing of the service.
        raise
    except ModelUnknown as unknown:
        # Nor does who names a model that is not there, unless something was paid for before, which has to be told.
        if asking.is_unpaid:
            raise
        asking.stopped = unknown
    except JobStopped as stopped:
        if not asking.notes.findings:
            raise
        asking.stopped = stopped
    finally:
        asking.close()
    return _tell(asking.result(), options.json)


def _check_file(path: str | None) -> None:
    """Refuse a file that cannot be written, before anything is paid, by writing one beside it.

    Raises:
        BadInput: it cannot be written.
    """
    if path is None:
        return
    if not Path(path).absolute().parent.is_dir():
        raise BadInput("--json", f"{path!r}: there is no such folder", "Name a file in a folder that exists")
    # A folder or a device would be replaced.
    if Path(path).exists() and not Path(path).is_file():
        raise BadInput("--json", f"{path!r} is no file", _ELSEWHERE)
    try:
        partial = _partial(path)
        partial.write_text("", encoding="utf-8")
        partial.unlink()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BadInput("--json", f"{path!r} cannot be written: {why}", _ELSEWHERE) from None


def _partial(path: str) -> Path:
    """What is written before it takes the place of the file, so that nobody reads half of it."""
    whole = Path(path).resolve()
    return whole.with_name(f".{whole.name[:MOST_NAME_CHARS]}.{os.getpid()}.partial")


def _write(path: str, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    partial = _partial(path)
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(Path(path).resolve())
    finally:
        partial.unlink(missing_ok=True)


class _Asking:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, endpoint: Endpoint) -> None:
        self._options = options
        self._endpoint = endpoint
        self._session: Session | None = None
        self._hook: InboxHook | None = None
        self._rates = Rates.of(options.model, {})
        self._purse = Purse(0.0)
        self.stopped: JobStopped | None = None

    @property
    def notes(self) -> Notes:
        """What was found so far."""
        return Notes() if self._session is None else self._session.notes

    @property
    def is_unpaid(self) -> bool:
        """Whether nothing can have been charged."""
        return self._purse.at_most_usd == 0

    async def prepare(self) -> list[str]:
        """Learn what it may cost, and whether a webhook would arrive; returns what somebody has to agree to.

        Raises:
            BadInput: the environment does not say where a webhook would arrive.
            JobStopped: it would not arrive.
        """
        model = self._options.model
        async with RawClient(self._endpoint, connections=1) as client:
            self._rates = Rates.of(model, await client.prices() or {})
        await self._open_hook()
        webhook_url = None if self._hook is None else self._hook.url_for(NOBODY)
        asked = paid_questions(streams=KNOWS_STREAMS, webhook_url=webhook_url)
        worst = at_most_usd(model, self._rates.at_most, asked)
        budget = self._options.budget_usd or worst
        self._purse = Purse(budget)
        return [
            f"{len(asked)} questions to {model} at {self._endpoint.service}, and some twenty that cost nothing.",
            f"They may cost {usd(min(worst, budget))} at most; the price is that of {self._rates.said_by}.",
        ]

    async def ask_all(self) -> None:
        """Ask, once it is prepared and somebody agreed; errors as for `Session.ask_all`.

        Raises:
            asyncio.CancelledError: a SIGTERM came.
        """
        _end_on_sigterm()
        async with self._clients() as (client, streaming):
            pace = Pace(whole_s=self._options.timeout_s)
            asker = Asker(client, model=self._options.model, rates=self._rates, purse=self._purse, pace=pace)
            self._session = Session(asker, streaming, self._hook or NOT_WISHED)
            await self._session.ask_all()

    async def _open_hook(self) -> None:
        """See to it that a webhook arrives, if one is asked for.

        Raises:
            BadInput: one is, and the environment does not say where it would arrive.
            WebhookUnreachable: it would not arrive.
        """
        if self._options.webhook:
            self._hook = await asyncio.to_thread(InboxHook.of, os.environ)
            await self._hook.check()

    def close(self) -> None:
        """Leave nothing in the inbox."""
        if self._hook is not None:
            with contextlib.suppress(OSError):
                self._hook.close()

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[RawClient, RawClient | None]]:
        async with RawClient(self._endpoint, connections=1) as client:
            if not KNOWS_STREAMS:
                yield client, None
                return
            async with RawClient(self._endpoint, accept=EVENT_STREAM, connections=1) as streaming:
                yield client, streaming

    def result(self) -> Result:
        """What came of it."""
        notes = self.notes
        troubles = list(notes.troubles)
        if self.stopped is not None:
            troubles.insert(0, self.stopped.reason)
        key = self._endpoint.key.strip()
        findings = complete(notes.findings, troubles[0] if troubles else "it was not asked")
        return Result(
            service=self._endpoint.service,
            model=self._options.model,
            version=__version__,
            findings=[
                replace(finding, seen=blanked(finding.seen, key), shape=blanked(finding.shape, key))
                for finding in findings
            ],
            troubles=blanked(troubles, key),
            reported_usd=self._purse.reported_usd,
            at_most_usd=self._purse.at_most_usd,
        )


def _end_on_sigterm() -> None:
    """Let SIGTERM end the task that runs, as asyncio has Ctrl-C do, until its event loop is closed."""
    task = asyncio.current_task()
    if task is None:
        return
    # Nobody can listen outside of the main thread, or on Windows.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _agree(told: Sequence[str], *, agreed: bool) -> None:
    """Say what will be asked and what it may cost, and wait for a yes.

    Raises:
        BadInput: there is nobody at a terminal to say yes.
        Interrupted: somebody said no.
    """
    _say(told)
    if agreed:
        return
    if not sys.stdin.isatty():
        raise BadInput("--yes", "nobody is there to agree", "Give --yes to ask without a terminal")
    sys.stderr.write("Ask them? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise _nothing_asked("nobody agreed")


def _nothing_asked(why: str) -> Interrupted:
    """That it ended before a question; there is nothing to go on from."""
    stopped = Interrupted(f"{why}; nothing was asked that costs anything")
    stopped.remedy = "Run it again, and agree, or give --yes."
    return stopped


def _tell(result: Result, path: str | None) -> int:
    """Show the table, print what a script has to know, write the file; returns the exit status."""
    columns = _columns()
    console = Console(file=sys.stderr, width=columns, markup=False, highlight=False, color_system=None)
    console.print(result.table(columns))
    _say(result.remarks(columns))
    # What was paid for is told first, whatever becomes of the file.
    sys.stdout.write(_as_json(result.summary()))
    sys.stdout.flush()
    if path is None:
        return STATUS[result.status]
    try:
        _write(path, _as_json(result.document()))
    except OSError as error:
        why = error.strerror or type(error).__name__
        _say(
            [
                f"The whole result could not be written to {path}: {why}. {_ELSEWHERE}; it asks, and costs, again."
            ]
        )
        return UNWRITTEN
    _say([f"The whole result is in {path}; it holds no key, no answer and no UUID."])
    return STATUS[result.status]


def _columns() -> int:
    """How wide what is told may be: as the terminal, if there is one."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    # A file, or what stands for one in a test.
    except (OSError, ValueError):
        return COLUMNS
    # A terminal may not know its width, and says 0.
    return max(LEAST_COLUMNS, min(columns or COLUMNS, COLUMNS))


def _as_json(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=2).replace("\x7f", "\\u007f") + "\n"


def _say(lines: Sequence[str]) -> None:
    columns = _columns()
    for line in lines:
        # What is folded already keeps the blanks before it.
        parts = folded("", line, columns) if len(line) > columns else [printable(line)]
        sys.stderr.write("".join(f"{part}\n" for part in parts))
    sys.stderr.flush()
