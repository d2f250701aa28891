"""Whether a template is at fault itself, before its records are left out one by one and nothing is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ENOUGH = 20
"""Records of which none could be rendered: then it is not the records that are odd."""
_RENDERED = frozenset({"too_long", "too_many_tokens"})
"""Why a record is not sent whose prompt is there."""


@dataclass
class TemplateCheck:
    """Looks at records in their order. A blank one, which is not rendered, says nothing of the template."""

    field: str = "prompt"
    """The argument that it is, for the message."""
    works: bool = False
    failed: int = 0
    """Records that could not be rendered, as long as none could."""
    _first: str = ""

    def check(self, records: Iterable[Sequence[object]], *, last: bool) -> None:
        """Look at further records.

        Args:
            records: for each sample of a record what it asks, or a `Skip`.
            last: whether there are no more; then those that were seen have to do.

        Raises:
            BadInput: the template fails on every record that it was tried on.
        """
        for asked in records:
            if self.works:
                return
            self._see(asked[0])
        if not self.works and (self.failed >= ENOUGH or (last and self.failed)):
            raise BadInput(
                self.field,
                f"it cannot be rendered for any of the first {self.failed} records that are not blank: {self._first}",
                "Mend the template; nothing was sent",
            )

    def _see(self, asked: object) -> None:
        if not isinstance(asked, Skip) or asked.code in _RENDERED:
            self.works = True
        elif asked.code == "prompt_error":
            self._first = self._first or asked.message
            self.failed += 1
