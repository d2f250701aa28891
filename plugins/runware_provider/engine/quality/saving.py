"""Where reports and comparisons are kept: `reports/` in the state folder, one HTML file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runware_provider.engine.errors import PublishConflict

if TYPE_CHECKING:
    from runware_provider.engine.storage import Storage

TRIES = 10


class Page(Protocol):
    """Something to keep."""

    @property
    def name(self) -> str:
        """The file's name without its ending."""

    def to_html(self) -> str:
        """The page."""


def save(page: Page, storage: Storage, state_folder: str) -> str:
    """Keep a page as `<state folder>/reports/<name>.html`, in place of the one before.

    Returns:
        Its path.

    Raises:
        PublishConflict: others kept writing the same page.
    """
    path = storage.join(state_folder, "reports", f"{page.name}.html")
    data = page.to_html().encode()
    for _ in range(TRIES):
        held = storage.read_versioned(path)
        if held is not None and held[0] == data:
            return path
        if storage.replace_if(path, data, held[1] if held else None):
            return path
    raise PublishConflict(f"{path} is being written by others, again and again; try again")
