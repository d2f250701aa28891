"""Ways between the pages, relative to the one they stand on: below whatever path Airflow is served, they hold. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from runware_provider.pages.run_view import UNMAPPED, URL_PREFIX

if TYPE_CHECKING:
    from runware_provider.pages.run_view import TaskAt


@dataclass(frozen=True)
class Links:
    """The hrefs of one page."""

    depth: int
    """Parts of the page's own path below `URL_PREFIX`."""

    @property
    def _root(self) -> str:
        """Of all our pages, with the slash."""
        return "../" * (self.depth - 1) or "./"

    def to(self, at: TaskAt, leaf: str = "", **query: str) -> str:
        """To the page of a task, or to one that belongs to it.

        Args:
            at: the task.
            leaf: such as `failed`; empty for the page of the task itself.
            query: of the leaf.
        """
        path = self._root + at.path.removeprefix("/")
        below = f"/{leaf}" if leaf else ""
        asked = f"?{urlencode(query)}" if query else ""
        return path + below + asked

    def to_list(self) -> str:
        """To the page in the navigation."""
        return self._root

    def static(self, name: str) -> str:
        """To what the frame loads."""
        return f"{self._root}static/{name}"

    def airflow(self, at: TaskAt) -> str:
        """To Airflow's own page of the task, which is no page of ours: it needs the whole window."""
        out_of_ours = "../" * URL_PREFIX.count("/")
        parts = ["dags", at.dag_id, "runs", at.run_id, "tasks", at.task_id]
        if at.map_index != UNMAPPED:
            parts += ["mapped", str(at.map_index)]
        return self._root.removeprefix("./") + out_of_ours + "/".join(quote(part, safe="") for part in parts)


ON_LIST: Final = Links(0)
"""On the page in the navigation."""
ON_TASK: Final = Links(4)
"""On the page of a task."""
ON_LEAF: Final = Links(5)
"""On a page that belongs to a task, such as its failures."""
