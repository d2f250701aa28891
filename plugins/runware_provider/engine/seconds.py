"""The time that a caller gives a call."""

from __future__ import annotations

import math

from runware_provider.engine.errors import BadInput


def check_timeout(timeout_s: object) -> None:
    """Refuse what is no time that a call may take.

    Raises:
        BadInput: it is no positive, finite number.
    """
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < math.inf:
        raise BadInput("timeout_s", f"{timeout_s!r:.100} is no number of seconds", "Give one, such as 600")
