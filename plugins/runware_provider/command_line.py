"""The command line: the engine's commands, and those that look at what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine import cli as engine
from runware_provider.engine.cli_options import parsed
from runware_provider.quality import cli as quality

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = parsed(arguments, quality.add_commands)
    if options.command in quality.COMMANDS:
        return quality.execute(options)
    return engine.execute(options)
