"""The commands that ask records again, as parts of a page, with what has to be said of each. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runware_provider.pages.job_state import BUDGET, DONE
from runware_provider.quality.parts import Command, Words
from runware_provider.quality.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from runware_provider.engine.job.run_record import RunRecord
    from runware_provider.pages.asking_again import AskingAgain
    from runware_provider.quality.parts import Part

NEVER_SENT: Final = frozenset({"empty", "too_long", "too_many_tokens", "prompt_error"})
"""Codes of rows that were skipped: no example of them is kept, and none is asked again."""
NOT_NOTED: Final = (
    "What this run asked is not noted, so there is no command that asks it again: run the task again with"
    " `retry_failed=True`."
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def command_parts(again: AskingAgain, title: str, text: str) -> list[Part]:
    """A command to copy, and why there is none, or what it lacks.

    Args:
        again: what the run asked.
        title: what the command does.
        text: the command.
    """
    parts: list[Part] = []
    if again.has_command:
        parts.append(Command(title, text))
    if again.why_not:
        parts.append(Words([again.why_not, ""]))
    if again.record.get("from_class") and again.has_command:
        told = "The command checks answers by the JSON Schema of the pydantic class, without its validators."
        parts.append(Words([told, ""]))
    return parts


def everything_again(again: AskingAgain, record: RunRecord | None, codes: AbstractSet[str]) -> list[Part]:
    """The command for all that has no good answer; nothing where there is nothing to ask.

    Args:
        again: what the run asked.
        record: of the run.
        codes: of its rows that did not succeed.
    """
    # What was never sent has not failed, and is sent by who goes on.
    if codes - NEVER_SENT - {BUDGET}:
        return command_parts(again, f"Ask again everything that failed{and_go_on(record)}", again.failed())
    if _is_all_asked(record):
        return []
    return command_parts(again, "Go on with what is not asked yet", again.unasked())


def these_records(uuids: Sequence[str]) -> str:
    """Name records that stand on the page."""
    return "this record" if len(uuids) == 1 else f"these {counted(len(uuids), 'record')}"


def and_go_on(record: RunRecord | None) -> str:
    """Say that a command asks what is not asked yet, too, where it does."""
    return "" if _is_all_asked(record) else ", and go on with what is not asked yet"


def uuids_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The task UUIDs of rows, those that are some: whatever else stands there has no place in a command."""
    given = (row.get("task_uuid") for row in rows)
    return [uuid for uuid in given if isinstance(uuid, str) and _UUID.fullmatch(uuid)]


def _is_all_asked(record: RunRecord | None) -> bool:
    # Whoever is done has a row for every record; those that a short budget left were not asked.
    return record is None or (record.state in DONE and BUDGET not in record.reasons)
