"""Where reports and comparisons are kept: `reports/` in the state folder, as a page and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runware_provider.engine.errors import PublishConflict

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage

TRIES = 10
FOLDER = "reports"


class Page(Protocol):
    """Something to keep."""

    @property
    def name(self) -> str:
        """The files' name without its ending."""

    def to_html(self) -> str:
        """The page."""

    def to_markdown(self) -> str:
        """The same in less space."""


def save(page: Page, storage: Storage, state_folder: str) -> dict[str, str]:
    """Keep a page in `<state folder>/reports/`, in place of the one of its name before.

    Returns:
        The paths, `html` and `markdown`.

    Raises:
        PublishConflict: others kept writing the same page.
    """
    texts = {"html": (".html", page.to_html()), "markdown": (".md", page.to_markdown())}
    return {
        form: _written(storage, storage.join(state_folder, FOLDER, f"{page.name}{ending}"), text.encode())
        for form, (ending, text) in texts.items()
    }


def _written(storage: Storage, path: str, data: bytes) -> str:
    for _ in range(TRIES):
        held = storage.read_versioned(path)
        if held is not None and held[0] == data:
            return path
        if storage.replace_if(path, data, held[1] if held else None):
            return path
    raise PublishConflict(f"{path} is being written by others, again and again; try again")
