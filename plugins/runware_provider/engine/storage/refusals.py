"""Which errors of a store no later try mends by itself, and what a person can do about them. Pure."""

from __future__ import annotations

import errno
from typing import Final

from runware_provider.engine.errors import BadInput

_PATH = "Check the path"
_RIGHT = "Check the path, and that this process may read, and for a destination write, there"
_ROOM = "Make room, or choose another place"

_REMEDIES: Final = {
    errno.ENOENT: "Check the path; a link may lead to what is gone",
    errno.ENOTDIR: _PATH,
    errno.EISDIR: _PATH,
    errno.EEXIST: _PATH,
    errno.EINVAL: _PATH,
    errno.ELOOP: "Check the path; a link leads back to itself",
    errno.ENAMETOOLONG: "Shorten the name: most file systems take 255 bytes for each folder or file",
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.EROFS: "Choose a place that can be written to: this file system is read-only",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
}
"""By number; what is missing, such as a network that failed, may pass."""


def refusal(error: OSError, field: str, place: str, *, problem: str = "cannot be used") -> BadInput | None:
    """The error as the user's matter; None where a later try may mend it.

    Args:
        error: of a store.
        field: what the user calls the place.
        place: a folder or file.
        problem: what cannot be done there.
    """
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    path = str(error.filename or place).encode(errors="backslashreplace").decode()
    where = "" if path == place else f", at {path}"
    return BadInput(field, f"{place} {problem} ({error.strerror}{where})", remedy)
