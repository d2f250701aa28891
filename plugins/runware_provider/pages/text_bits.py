"""What the pages with texts have in common: how many records, fields of a row, links to rows of another label. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from runware_provider.quality.parts import Fold, Link
from runware_provider.quality.wording import visible

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from runware_provider.quality.parts import Part

MOST_RECORDS: Final = 20
"""On a page."""
_MOST_LABEL_CHARS: Final = 200
"""Of an error code or a path in a link."""
INFERENCE: Final = "inference"
"""The column of a row that says what became of it."""


def struct(value: Any) -> dict[str, Any]:
    """A value of a file, where it is a struct; else an empty one."""
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Labelled:
    """Rows that a page shows of one label or of all."""

    leaf: str
    """The page."""
    key: str
    """Of the label in its query."""
    noun: str
    """What a label is."""
    each: str
    """What a link says before one."""
    whole: str
    """What the link to all rows says."""


def other_labels(labelled: Labelled, seen: AbstractSet[str | None], shown: str | None) -> list[Part]:
    """Links to the rows of each other label that may stand in a link, and to those of all; nothing where there is no other one.

    Args:
        labelled: the rows.
        seen: labels that occur.
        shown: the one whose rows are shown; None for all.
    """
    others = sorted(
        label for label in seen - {shown} if label is not None and len(label) <= _MOST_LABEL_CHARS
    )
    # The only label that there is leads nowhere else.
    if not others or (shown is None and len(others) == 1):
        return []
    links: list[Part] = []
    for label in others[:MOST_RECORDS]:
        href = f"{labelled.leaf}?{urlencode({labelled.key: label})}"
        links.append(Link(f"{labelled.each} {visible(label)}", href))
    if shown is None:
        return [Fold(f"By {labelled.noun}", links, f"{labelled.noun}s")]
    links.append(Link(labelled.whole, labelled.leaf))
    return [Fold(f"Other {labelled.noun}s", links, f"{labelled.noun}s")]
