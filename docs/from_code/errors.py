"""The errors that stop a job or refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from from_code.markdown import code, sentence, table
from runware_provider.engine.errors import EngineError, JobStopped, NothingToDo, PublishConflict
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS

if TYPE_CHECKING:
    from collections.abc import Iterator


def errors() -> str:
    """Every error that the engine raises on purpose, as a table."""
    hopeless = {rule.exception for rule in ONLY_WHAT_A_RETRY_MENDS.rules}
    rows = []
    for error in _kinds(EngineError):
        if error is not JobStopped and error.__module__ == EngineError.__module__:  # others are caught inside
            said = (error.__doc__ or "").strip().split("\n\n")[0]
            remedy = error.remedy if issubclass(error, JobStopped) else ""
            again = "skipped" if error is NothingToDo else "no" if error in hopeless else "yes"
            rows.append([code(error.__name__), sentence(said), remedy, again, _status(error)])
    return table(("error", "means", "remedy", "Airflow retries", "exit status"), rows)


def _kinds(error: type[EngineError]) -> Iterator[type[EngineError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _status(error: type[EngineError]) -> str:
    """What the command line exits with."""
    if issubclass(error, NothingToDo):
        return "0"
    return "3" if issubclass(error, JobStopped | PublishConflict) else "1"
