"""Which rights new files and folders get on a local disk, where a folder holds what not everybody should read.

A folder that is made here is its owner's alone: 0700, and the files in it 0600. One that is there already keeps its rights,
and what is new in it gets the same. So whoever wishes to share it makes it himself, or opens it once.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OWNERS_ALONE: Final = 0o700
EVERYBODYS: Final = 0o777
"""As far as the umask leaves them."""
_OF_FILES: Final = 0o666


@dataclass(frozen=True)
class Rights:
    """Of what is made new."""

    folder: int
    exact: bool = False
    """Whether the umask counts no further: users of a group share the folder, and must be able to write what others made."""

    @property
    def file(self) -> int:
        """Those of a file."""
        return self.folder & _OF_FILES


@dataclass
class PrivateFolders:
    """The folders that are private, with all that is below them."""

    _folders: set[Path] = field(default_factory=set)

    def add(self, folder: Path) -> None:
        """Make a folder private, whether it is there or not."""
        self._folders.add(folder)

    def __contains__(self, path: Path) -> bool:
        return self._of(path) is not None

    def rights_of_new(self, path: Path) -> Rights:
        """The rights of what is about to be made under a path."""
        folder = self._of(path)
        if folder is None:
            return Rights(EVERYBODYS)
        try:
            mode = stat.S_IMODE(folder.stat().st_mode)
        except FileNotFoundError:
            return Rights(OWNERS_ALONE)
        return Rights(mode, exact=bool(mode & stat.S_IWGRP))

    def _of(self, path: Path) -> Path | None:
        """The private folder that this is, or lies in."""
        return next((folder for folder in (path, *path.parents) if folder in self._folders), None)
