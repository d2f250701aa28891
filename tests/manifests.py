"""The manifest of a job, for tests that carry none out."""

from __future__ import annotations

from typing import Any, Final

OF_NO_RECORDS: Final[dict[str, Any]] = {
    "status": "published",
    "destination": "out",
    "state": "out.state",
    "records": 0,
    "outcomes": {},
    "reasons": {},
    "paid_usd": 0.0,
    "paid_inferences": 0,
    "reused_inferences": 0,
}
