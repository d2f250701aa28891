"""The fields of the results, one a row. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runware_provider.quality.profile import FieldProfile, ValueKind
from runware_provider.quality.room import Room, more_fields
from runware_provider.quality.wording import NOTHING, code, count, number, percentage, sparks, table

if TYPE_CHECKING:
    from collections.abc import Sequence

NEARLY = 0.9
RARE = 0.01
HEADERS = ["field", "type", "filled", "null", "distinct", "range", "median", "spread", "most frequent"]


def fields_table(fields: Sequence[FieldProfile], room: Room) -> list[str]:
    """The lines of the table, and what it is over."""
    rows = [_field(profile, room) for profile in fields[: room.fields]]
    note = (
        "Over rows that succeeded; below `[]`, over the elements of lists. The range of a text is its length."
    )
    if any(profile.counts.error for profile in fields):
        note += " Where there are too many different values, the rare ones are not counted."
    return [*table(HEADERS, rows, right=[2, 3, 4, 6]), note + more_fields(len(fields), room.fields), ""]


def _field(profile: FieldProfile, room: Room) -> list[str]:
    return [
        code(profile.path),
        str(profile.kind),
        percentage(profile.filled, profile.seen),
        count(profile.null) + (f", {count(profile.blank)} empty" if profile.blank else ""),
        _distinct(profile),
        _range(profile),
        _median(profile),
        _spread(profile),
        _most_frequent(profile, room),
    ]


def _median(profile: FieldProfile) -> str:
    return ", ".join(map(number, profile.spread.percentiles(0.5))) if profile.is_number else ""


def _distinct(profile: FieldProfile) -> str:
    different = profile.counts.distinct
    if not different:
        return NOTHING
    rounded = different - different % 10 ** max(0, len(str(different)) - 2)
    return f"over {count(rounded)}" if profile.counts.error else count(different)


def _range(profile: FieldProfile) -> str:
    """From where to where the values, or the lengths of texts and lists, go."""
    low, high = profile.lowest, profile.highest
    if low is None or profile.kind is ValueKind.FLAG:
        return NOTHING
    ends = _end(low) if low == high else f"{_end(low)} to {_end(high)}"
    unit = {ValueKind.TEXT: " character", ValueKind.LIST: " element"}.get(profile.kind, "")
    return f"{ends}{unit}{'s' if unit and high != 1 else ''}"


def _end(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.replace(microsecond=0, tzinfo=None)
    if not isinstance(value, int | float | Decimal):
        return str(value)
    end = float(value)
    is_whole = abs(end) < 1e15 and (end.is_integer() or abs(end) >= 1e6)
    return f"{end:,.0f}" if is_whole else f"{end:,.6g}"


def _spread(profile: FieldProfile) -> str:
    is_length = profile.kind is ValueKind.TEXT  # which has a chart of its own
    histogram = None if is_length else profile.spread.histogram(whole=profile.is_whole)
    if histogram is None:
        return ""
    bars = sparks(histogram.bars)
    if histogram.is_whole:
        return bars
    if not profile.is_number:
        return f"{bars} middle 98 %"
    return f"{bars} {number(histogram.lowest)} to {number(histogram.highest)}"


def _most_frequent(profile: FieldProfile, room: Room) -> str:
    top = profile.counts.top(room.top)
    if not profile.counts.distinct or not profile.filled:
        return ""
    different = _variety(profile, top[0][1] if top else 0)
    if different:
        example = code(top[0][0] if top else profile.example, room.chars // 2)
        return f"{different} different, such as {example}"
    at_least = "≥ " if profile.counts.error else ""
    return ", ".join(f"{code(value, room.chars // 2)} {at_least}{count(times)}" for value, times in top)


def _variety(profile: FieldProfile, most_often: int) -> str:
    """How many values are different, where hardly one is there twice, so that none is frequent; else nothing."""
    if profile.counts.error:
        return _distinct(profile) if most_often <= RARE * profile.filled else ""
    if most_often == 1 and profile.counts.distinct > 1:
        return "all"
    nearly_all = profile.counts.distinct >= NEARLY * profile.filled
    return "nearly all" if nearly_all and most_often <= RARE * profile.filled else ""
