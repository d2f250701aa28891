"""What arguments and options were called before, and what they are called now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from from_code.markdown import code, table
from runware_provider.engine.earlier_names import NOW, WHERE, as_written
from runware_provider.engine.spec_options import earlier_flags, spec_options

if TYPE_CHECKING:
    from collections.abc import Iterator


def earlier_names() -> str:
    """A row for each name that an argument had."""
    return table(("before", "now", "on the command line"), _rows())


def _rows() -> Iterator[tuple[str, str, str]]:
    flags = {option.field: option.flag for option in spec_options()}
    renamed = earlier_flags()
    for old, now in NOW.items():
        flag = f"--{old.rpartition('.')[2].replace('_', '-')}"
        options = f"{code(flag)} is {code(renamed[flag])}" if flag in renamed else "as before"
        yield code(_before(old)), code(as_written(now)), options if now in flags else ""
    yield code(f"{WHERE}=..."), code("filters=[...]"), f"{code(f'--{WHERE}')} is {code(flags['filters'])}"


def _before(name: str) -> str:
    return as_written(name) if "." in name else f"{name}=..."
