"""Times as records note them, read and compared; what is no time is none, and fails nothing. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from runware_provider.quality.wording import NOTHING, clip, visible


def utc_moment(written: str) -> datetime | None:
    """A time in UTC; None where the text says none.

    Args:
        written: ISO 8601; without a zone it is UTC.
    """
    try:
        moment = datetime.fromisoformat(written[:64])
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def shown_moment(written: str) -> str:
    """To the minute."""
    moment = utc_moment(written)
    if moment is None:
        return clip(visible(written[:40]), 40) or NOTHING
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def seconds_between(earlier: str, later: str) -> float | None:
    """From one time to the other; None where one of them is none."""
    begin, end = utc_moment(earlier), utc_moment(later)
    return None if begin is None or end is None else (end - begin).total_seconds()
