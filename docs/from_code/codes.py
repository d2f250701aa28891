"""The API's error codes by family."""

from __future__ import annotations

from from_code.markdown import code, table
from runware_provider.engine.api.error_families import CODES, STEPS


def codes_by_family() -> str:
    """Every code that has a family of its own, with what follows from it."""
    rows = [
        [code(family), code(STEPS[family]), ", ".join(map(code, codes.split()))]
        for family, codes in CODES.items()
    ]
    return table(("family", "step", "codes"), rows)
