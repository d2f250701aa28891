"""The JSON records that the state folder is made of: each says its format, and is read whole or refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import StateUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RESTORE = "restore it from a backup"
PROOF = "sha256"
"""The key of a record's proof."""


def decoded(
    data: bytes, path: str, *, newest: int, proven_since: float = math.inf, remedy: str = RESTORE
) -> dict[str, Any]:
    """Return the record that a file holds.

    Args:
        data: the file's content.
        path: where it lies, for the error.
        newest: the newest format that this version reads.
        proven_since: the format from which on a record has to carry a proof; none has to by default.
        remedy: what to do about a damaged file.

    Raises:
        StateUnreadable: the file holds no record of ours, or one of a newer format.
    """
    try:
        record = json.loads(data, parse_float=_finite, parse_constant=_finite)
        _check_encodable(record, data)
    except (ValueError, RecursionError):  # RecursionError: a damaged file may nest brackets without end
        record = None
    if not isinstance(record, dict) or type(record.get("format")) is not int or record["format"] < 1:
        raise damaged(path, remedy)
    refuse_newer(path, record["format"], newest)
    if PROOF not in record:
        # Without its proof, a record of today would pass for one of an older version, whatever else it says.
        if record["format"] >= proven_since:
            raise damaged(path, remedy)
    elif record.pop(PROOF) != _proof(record):
        raise damaged(path, remedy)
    return record


@contextlib.contextmanager
def understood(path: str, remedy: str = RESTORE) -> Iterator[None]:
    """A block that takes a record apart: whatever a damaged one makes of that is told as damage.

    Args:
        path: where it lies, for the error.
        remedy: what to do about a damaged file.

    Raises:
        StateUnreadable: the record is not what was written.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise damaged(path, remedy) from None


def _finite(text: str) -> float:
    """A number that calculations can go on with; nothing that we write is another one."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _check_encodable(record: Any, data: bytes) -> None:
    """Refuse half a surrogate pair, which could be neither told nor written again; JSON hides it in an escape."""
    if b"\\ud" in data or b"\\uD" in data:
        json.dumps(record, ensure_ascii=False).encode()


def encoded(record: Mapping[str, Any], *, proven: bool = False) -> bytes:
    """Return the file's content for a record.

    Args:
        record: what it says.
        proven: whether it carries a proof of its content, which `decoded` checks, and can ask for: where one wrong digit
            would lose what was paid for (docs/decisions/0013).

    Raises:
        ValueError: the record holds what JSON cannot say, such as NaN.
    """
    whole = {**record, PROOF: _proof(record)} if proven else record
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _proof(record: Mapping[str, Any]) -> str:
    """What hashes of a record, however it is laid out."""
    plain = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(plain).hexdigest()


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
