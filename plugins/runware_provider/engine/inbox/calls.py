"""The files of an inbox: what came by webhook, until it is in the ledger of the job that it is for.

    <inbox root>/<inbox>/<milliseconds>-<receiver>-<number>.inbox

The inbox is the job's id. Milliseconds since the epoch come first, so that a listing is in the order of arrival; the rest
makes the name its receiver's own. So any number of receivers write side by side, none has to know what is there, and one
that was restarted goes on without looking. A file holds lines of JSON: `{"inbox": 1}`, the format, then one
`{"at": <milliseconds>, "body": "<the body as it came>"}` for each call. It is created once and never changed; whoever
has its answers in the ledger removes it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import StateUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Final = 1
SUFFIX: Final = ".inbox"
LATEST_MS: Final = 2**53
"""The milliseconds of any moment are fewer, so that a larger number is damage."""
_NAME: Final = re.compile(r"[0-9]{13,}-[0-9a-f]{8,32}-[0-9]+\.inbox")


@dataclass(frozen=True)
class Call:
    """One call of the vendor."""

    at_ms: int
    """When it came, in milliseconds since the epoch."""
    body: bytes


def file_name(at_ms: int, receiver: str, number: int) -> str:
    """The name of a file of calls.

    Args:
        at_ms: milliseconds since the epoch.
        receiver: a random number in hexadecimal digits, another one in each process.
        number: of the process's files.
    """
    return f"{at_ms:013d}-{receiver}-{number}{SUFFIX}"


def is_file_of_calls(name: str) -> bool:
    """Whether a name is one that `file_name` gives."""
    return _NAME.fullmatch(name) is not None


def encoded(calls: Iterable[Call]) -> bytes:
    """The content of a file.

    Raises:
        UnicodeDecodeError: a body is no UTF-8, and so no JSON.
    """
    lines: list[dict[str, Any]] = [{"inbox": FORMAT}]
    lines += [{"at": call.at_ms, "body": call.body.decode("utf-8")} for call in calls]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8")


def decoded(content: bytes, path: str) -> list[Call]:
    """The calls that a file holds.

    Args:
        content: of the file.
        path: where it lies, for the error.

    Raises:
        StateUnreadable: it is damaged, or was written by a newer version.
    """
    try:
        header, *lines = [json.loads(line) for line in content.splitlines()]
        written_as = header["inbox"]
        calls = [Call(_moment(line["at"]), line["body"].encode("utf-8")) for line in lines]
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError):
        raise StateUnreadable(f"{path} is damaged; remove it: what it held is asked for") from None
    if written_as != FORMAT:
        raise StateUnreadable(
            f"{path} was written in format {written_as!r} by a newer version; update the plugin"
        )
    return calls


def _moment(at: float) -> int:
    """Milliseconds since the epoch, as a line of a file says them.

    Raises:
        ValueError: no moment has so many.
        OverflowError: it is infinite.
    """
    at_ms = int(at)
    if not 0 <= at_ms < LATEST_MS:
        raise ValueError("no moment")
    return at_ms
