"""The manifest's keys, as its format says (decision 4)."""

from __future__ import annotations

from pathlib import Path

FORMAT = Path(__file__).parents[1] / "decisions" / "0004-manifest.md"
HEADER = "| key | meaning |"


def manifest() -> str:
    """The table of the format's own page, so that there is one of it."""
    lines = FORMAT.read_text(encoding="utf-8").splitlines()
    start = lines.index(HEADER)
    end = next(number for number in range(start, len(lines)) if not lines[number].startswith("|"))
    # The page's links lead to pages beside it, and the table stands in another folder.
    return "\n".join(line.replace("](0", f"](../{FORMAT.parent.name}/0") for line in lines[start:end])
