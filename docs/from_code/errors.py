"""The errors that stop a job or refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from from_code.markdown import described, sentence
from runware_provider.engine.errors import EngineError, JobStopped, NothingToDo, PublishConflict
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS

if TYPE_CHECKING:
    from collections.abc import Container, Iterator


def errors() -> str:
    """Every error that the engine raises on purpose."""
    hopeless = {rule.exception for rule in ONLY_WHAT_A_RETRY_MENDS.rules}
    listed = [
        one
        for one in _kinds(EngineError)
        if one is not JobStopped and one.__module__ == EngineError.__module__
    ]
    return "\n\n".join(
        described(one.__name__, (_retried(one, hopeless), f"exit status {_status(one)}"), _said(one))
        for one in listed
    )


def _said(error: type[EngineError]) -> str:
    said = sentence((error.__doc__ or "").strip().split("\n\n")[0])
    return f"{said} {error.remedy}" if issubclass(error, JobStopped) else said


def _retried(error: type[EngineError], hopeless: Container[object]) -> str:
    if error is NothingToDo:
        return "the task is skipped"
    return "not retried" if error in hopeless else "retried"


def _kinds(error: type[EngineError]) -> Iterator[type[EngineError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _status(error: type[EngineError]) -> str:
    """What the command line exits with."""
    if issubclass(error, NothingToDo):
        return "0"
    return "3" if issubclass(error, JobStopped | PublishConflict) else "1"
