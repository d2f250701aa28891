"""How many connections this process can have open."""

from __future__ import annotations

import math
import resource
from typing import Final

RESERVED: Final = 192
"""Files for everything else: the dataset, the ledger, logs, and what Airflow has open."""
LEAST: Final = 64
"""Connections, however few files may be open."""


def connections_possible() -> float:
    """Connections that the operating system lets this process have, beside its files; infinite where it has no bound."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return possible(most) if most != resource.RLIM_INFINITY else math.inf


def possible(files: int) -> int:
    """Connections where so many files may be open at once."""
    return max(LEAST, files - max(RESERVED, files // 4))
