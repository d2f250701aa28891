"""The JSON records that the state folder is made of: each says its format, and is read whole or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import StateUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

RESTORE = "restore it from a backup"


def decoded(data: bytes, path: str, *, newest: int, remedy: str = RESTORE) -> dict[str, Any]:
    """Return the record that a file holds.

    Args:
        data: the file's content.
        path: where it lies, for the error.
        newest: the newest format that this version reads.
        remedy: what to do about a damaged file.

    Raises:
        StateUnreadable: the file holds no record of ours, or one of a newer format.
    """
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):  # RecursionError: a damaged file may nest brackets without end
        record = None
    if not isinstance(record, dict) or type(record.get("format")) is not int:
        raise damaged(path, remedy)
    refuse_newer(path, record["format"], newest)
    return record


def encoded(record: Mapping[str, Any]) -> bytes:
    """Return the file's content for a record.

    Raises:
        ValueError: the record holds what JSON cannot say, such as NaN.
    """
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def refuse_newer(path: str, written: int, newest: int) -> None:
    """Refuse what a newer version of this package wrote.

    Raises:
        StateUnreadable: `written` is above `newest`.
    """
    if written > newest:
        raise StateUnreadable(
            f"{path} has format {written}, this version reads up to {newest}; upgrade runware_provider"
        )


def damaged(path: str, remedy: str = RESTORE) -> StateUnreadable:
    """Return the error for a file that cannot be understood."""
    return StateUnreadable(f"{path} is damaged; {remedy}")
