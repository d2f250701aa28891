"""Whether the body of a call is let in, and whether it is worth keeping. Pure."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from runware_provider.engine.api.replies import read_call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runware_provider.engine.inbox.addresses import Claim

MOST_CANDIDATES: Final = 8
_UUID_SAID: Final = re.compile(rb'"taskUUID"\s{0,16}:\s{0,16}"([0-9A-Za-z-]{1,64})"')


def status_unless_kept(said: Claim, body: bytes, secrets: Sequence[bytes], now: float) -> int | None:
    """The status of a call that is refused, or acknowledged and dropped; None where it is to be kept.

    Args:
        said: what its query says.
        body: as it came.
        secrets: each of which may have signed.
        now: seconds since the epoch.
    """
    proven = _proven_task(said, body, secrets, now)
    if proven is None:
        return 404
    if not _is_text(body):
        return 400
    reply = read_call(body)
    # The proof is for a task, and the reader found it nowhere: half a body, or another shape.
    if proven not in reply.task_uuids:
        return 400
    # A proof is of one task. A body that names another besides proves nothing of that one.
    if reply.task_uuids != {proven}:
        return 404
    # The task is under way, which nobody has to know.
    if not reply.is_final:
        return 204
    return None


def _proven_task(said: Claim, body: bytes, secrets: Sequence[bytes], now: float) -> str | None:
    """The task for which the URL was given out, if the body seems to name it; in small letters.

    A stranger's body is only searched, and not read as JSON: that takes no time to speak of, whatever it holds.
    """
    names = {name.decode("ascii").lower() for name in _first_names(body)}
    return next((name for name in names if said.holds_for([name], secrets, now)), None)


def _first_names(body: bytes) -> Iterator[bytes]:
    matches = islice(_UUID_SAID.finditer(body), MOST_CANDIDATES)
    return (match[1] for match in matches)


def _is_text(body: bytes) -> bool:
    """Whether a file of calls can hold it."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
