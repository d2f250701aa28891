"""Everything that the engine raises on purpose.

EngineError
├── BadInput            the user's wish cannot be carried out; nothing was sent, nothing is paid
│   └── SplitOutdated   the source has to be cut into shards again
├── NothingToDo         the source is empty and the user asked for a skip
├── JobStopped          the job stopped, keeps what it paid for and can be resumed
│   ├── KeyRefused      the API key is wrong, missing or blocked
│   ├── BalanceExhausted  the account has no credit left
│   ├── ModelUnknown    the API does not know the model
│   ├── RequestRefused  the API refused the same thing in every record of the first chunk
│   ├── TooManyFailed   more records failed than `failures.most` allows
│   ├── BudgetExhausted  the budget is used up, or would not last
│   ├── Unreachable     the API did not answer, again and again
│   ├── WebhookUnreachable  the vendor could not bring answers: nobody receives them at the public URL
│   ├── Interrupted     somebody asked the process to stop
│   ├── AtWork          another run is at work on the same dataset
│   └── Overtaken       another process took over: this one was silent for too long, or its work is not wished any more
├── StateUnreadable     the state folder cannot be read, or was written by a newer version
└── PublishConflict     another run published the same dataset meanwhile
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

from runware_provider.engine.plain_text import MOST_CHARS, printable


class EngineError(Exception):
    """The root of all errors that the engine raises on purpose.

    Its text is one line that a terminal and a log can show, whatever it quotes: names of files and columns, words of the API.
    """

    def __init__(self, *told: str) -> None:
        super().__init__(*(printable(str(text), MOST_CHARS) for text in told))


def note_how_far(error: BaseException, known: Mapping[str, Any]) -> None:
    """Let an error, whosever it is, say how far the job came; what it says already stays.

    Args:
        error: that ends the job.
        known: as the manifest of a job that stopped.
    """
    if not how_far(error):
        error.__dict__["manifest"] = dict(known)


def how_far(error: BaseException) -> Mapping[str, Any]:
    """What an error says of how far the job came; empty where the process sent nothing before it."""
    known = getattr(error, "manifest", None)
    return known if isinstance(known, dict) else {}


class BadInput(EngineError):  # noqa: N818 - the name says what it is; the tree above is the reference
    """The user's wish cannot be carried out as written.

    Args:
        field: the argument, column or file that is wrong, as the user wrote its name.
        problem: what is wrong with it, with the value where it helps.
        remedy: what to do about it.
    """

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        self.field = printable(field)
        self.problem = printable(problem, MOST_CHARS)
        self.remedy = printable(remedy)
        told = f"{self.field}: {self.problem}."
        super().__init__(f"{told} {self.remedy}" if remedy else told)

    def __reduce__(self) -> tuple[type[BadInput], tuple[str, str, str]]:
        return type(self), (self.field, self.problem, self.remedy)


class SplitOutdated(BadInput):
    """The source, or what is asked, is not what it was when the source was cut into shards; it has to be cut again."""


class NothingToDo(EngineError):  # noqa: N818 - named by what is the case, as the tree above
    """The source holds no record and `publish.on_empty` is `skip`."""


class JobStopped(EngineError):  # noqa: N818 - named by what is the case, as the tree above
    """The job stopped before every record had its outcome; what was paid for is in the state folder.

    Args:
        reason: why it stopped, in a sentence without its full stop.
    """

    remedy = "Run the same command again: it goes on where this one stopped and pays for no answer twice."

    def __init__(self, reason: str) -> None:
        self.reason = printable(reason, MOST_CHARS)
        self.manifest: dict[str, Any] = {}
        """How far the job came, filled in by the job."""
        super().__init__(reason)


class KeyRefused(JobStopped):
    """The API refused the key."""

    remedy = "Check the key (the connection's password, or RUNWARE_API_KEY), then run again."


class BalanceExhausted(JobStopped):
    """The account cannot pay for more."""

    remedy = "Top up the account, then run again: answered records are not sent again."


class ModelUnknown(JobStopped):
    """The API does not know the model."""

    remedy = "Check the model's name."


class RequestRefused(JobStopped):
    """The API refused every record of the first chunk for the same reason."""

    remedy = "Mend the named parameter, then run again. Nothing beside these was sent."


class TooManyFailed(JobStopped):
    """More records failed than `failures.most` allows; nothing was published.

    Args:
        reason: as of `JobStopped`.
        remedy: what to do about why they failed, in sentences; None where nobody knows why.
    """

    remedy = "Look at why they failed, and mend that. To run again unchanged stops here again."

    def __init__(self, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(reason)
        if remedy is not None:
            self.remedy = remedy


class BudgetExhausted(JobStopped):
    """The budget is used up, or would not last for the whole job."""

    remedy = (
        "Raise the budget and run again: what is answered is not paid again."
        " Or let the job go as far as the budget gets, with when_short='partial'."
    )


class Unreachable(JobStopped):
    """The API did not answer, again and again.

    Args:
        reason: as of `JobStopped`.
        remedy: what to do about this very trouble, in a sentence; None where nobody knows.
    """

    remedy = "Check the base URL and the network, then run again."

    def __init__(self, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(reason)
        if remedy is not None:
            self.remedy = f"{remedy} Then run again."


class WebhookUnreachable(JobStopped):
    """The vendor could not bring answers: nobody receives them at the public URL, as a call to it showed.

    Args:
        reason: as of `JobStopped`.
        remedy: what to do about it, in sentences; None where nobody knows.
    """

    remedy = "Check webhook_url and what stands in front of the receiver, then run again."

    def __init__(self, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(reason)
        if remedy is not None:
            self.remedy = remedy


class Interrupted(JobStopped):
    """Somebody asked the process to stop."""


class AtWork(JobStopped):
    """Another run is at work on the same dataset, and did not end in time."""

    remedy = "Run again when that run has ended; or wait longer for it, with limits.lease_wait_s."


class Overtaken(JobStopped):
    """Another process took over; what this one had received is kept.

    Args:
        reason: as of `JobStopped`.
        remedy: what to do where the work is not wished any more, in sentences; None where it may be run again.
    """

    remedy = (
        "The other run goes on with what is here. Run again when it has ended: no answer is paid for twice."
    )

    def __init__(self, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(reason)
        if remedy is not None:
            self.remedy = remedy


class StateUnreadable(EngineError):  # noqa: N818 - named by what is the case, as the tree above
    """The state folder cannot be read, or a newer version wrote it; it is never taken for empty."""


class PublishConflict(EngineError):  # noqa: N818 - named by what is the case, as the tree above
    """Another run published the same dataset after this one had started."""
