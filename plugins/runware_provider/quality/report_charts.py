"""Which charts a report has: how long answers took and texts and lists are, how sure the model is, what labels it gives. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from runware_provider.quality.charts import BarChart, Charts, Mark
from runware_provider.quality.confidence import is_named_so
from runware_provider.quality.parts import Words
from runware_provider.quality.profile import FieldProfile, ValueKind
from runware_provider.quality.wording import code, count, number, percentage, seconds, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runware_provider.quality.counting import Histogram
    from runware_provider.quality.figures import Figures
    from runware_provider.quality.parts import Part
    from runware_provider.quality.room import Room

FAR_APART: Final = 4.0
"""So many times the shortest latency the longest must be for bars that grow."""
LONG_TEXT: Final = 60
"""Characters from which on the length of a text says something."""
LABELS: Final = 12
"""Different values up to which a text is a label."""
LABEL_CHARS: Final = 40
SELDOM: Final = 0.2
"""Of the rows: where more values are different, they are no labels."""
LABELS_SHOWN: Final = 6
"""Fields of labels in a page."""
LEAST_ROWS: Final = 20
"""Rows without which a chart says no more than a table."""


def chart_parts(figures: Figures, fields: Sequence[FieldProfile], room: Room) -> Iterator[Part]:
    """All charts that have something to show."""
    latency = latency_chart(figures)
    bars = [*([latency] if latency else []), *_limited(fields, room)]
    labels = [field for field in fields if _is_label(field)][: min(room.charts, LABELS_SHOWN)]
    if bars or labels:
        yield Words(["## How it is spread", ""])
        yield Charts([*bars, *(Words(_labels(field)) for field in labels)])


def _limited(fields: Sequence[FieldProfile], room: Room) -> Iterator[BarChart]:
    """Of each kind as many as there is room for."""
    for draw in (_sureness_chart, _text_chart, _list_chart):
        drawn = [chart for field in fields if field.seen >= LEAST_ROWS and (chart := draw(field)) is not None]
        yield from drawn[: room.charts]


def latency_chart(figures: Figures) -> BarChart | None:
    """How long answers took."""
    spread = figures.latency
    if figures.rows < LEAST_ROWS:
        return None
    histogram = spread.log_histogram()
    if histogram is None:
        return None
    if histogram.highest - histogram.lowest < math.log10(FAR_APART):
        narrow = spread.histogram(narrowed=False)
        return None if narrow is None else _latency_chart(figures, narrow, _as_it_is, _as_it_is, "")
    times = 10 ** ((histogram.highest - histogram.lowest) / len(histogram.bars))
    note = f"Each bar stands for {times:.2g} times as long as the one before."
    return _latency_chart(figures, histogram, math.log10, _power_of_ten, note)


def _as_it_is(duration: float) -> float:
    return duration


def _power_of_ten(logarithm: float) -> float:
    return float(10**logarithm)


def _latency_chart(
    figures: Figures,
    histogram: Histogram,
    scaled: Callable[[float], float],
    unscaled: Callable[[float], float],
    note: str,
) -> BarChart:
    low, high = histogram.lowest, histogram.highest
    ticks = [Mark(at, seconds(unscaled(low + at * (high - low)))) for at in (0.0, 0.5, 1.0)]
    names = ("half within", "90 % within", "99 % within")
    marks = [
        Mark(_share((scaled(duration) - low) / (high - low)), f"{name} {seconds(duration)}")
        for name, duration in zip(names, figures.latency.percentiles(0.5, 0.9, 0.99), strict=True)
        if duration > 0
    ]
    return BarChart("Latency of answers", histogram.bars, ticks, marks, "rows", note)


def _share(at: float) -> float:
    return min(1.0, max(0.0, at))


def _sureness_chart(profile: FieldProfile) -> BarChart | None:
    """Numbers that say how sure the model is, by their name or as all lie between 0 and 1."""
    if profile.kind not in {ValueKind.NUMBER, ValueKind.WHOLE} or not _may_be_sureness(profile):
        return None
    return _chart(profile, f"{code(profile.path)}", number)


def _may_be_sureness(profile: FieldProfile) -> bool:
    if is_named_so(profile.path):
        return True
    is_share = profile.lowest is not None and profile.lowest >= 0 and profile.highest <= 1
    return is_share and profile.kind is ValueKind.NUMBER and profile.counts.distinct > LABELS


def _text_chart(profile: FieldProfile) -> BarChart | None:
    if profile.kind is not ValueKind.TEXT or (profile.highest or 0) < LONG_TEXT:
        return None
    return _chart(profile, f"Length of {code(profile.path)}, in characters", count)


def _list_chart(profile: FieldProfile) -> BarChart | None:
    if profile.kind is not ValueKind.LIST:
        return None
    return _chart(profile, f"Length of {code(profile.path)}, in elements", count)


def _chart(profile: FieldProfile, title: str, told: Callable[[float], str]) -> BarChart | None:
    is_whole = profile.kind is not ValueKind.NUMBER
    histogram = profile.spread.histogram(whole=is_whole)
    if histogram is None:
        return None
    low, high = histogram.lowest, histogram.highest
    single = is_whole and high - low <= len(histogram.bars)  # each bar is one number
    ends = (low + 0.5, high - 0.5) if single else (low, high)
    places = (0.5 / len(histogram.bars), 1 - 0.5 / len(histogram.bars)) if single else (0.0, 1.0)
    ticks = [Mark(places[0], told(ends[0])), Mark(places[1], told(ends[1]))]
    (middle,) = profile.spread.percentiles(0.5)
    marks = [Mark(_share((middle - low) / (high - low)), f"median {number(middle)}")]
    noun = "elements" if "[]" in profile.path else "rows"
    note = "" if histogram.is_whole else "The middle 98 %."
    return BarChart(title, histogram.bars, ticks, marks, noun, note)


# labels


def _is_label(profile: FieldProfile) -> bool:
    """Whether it has a few short values, each of which is there again and again."""
    if (
        profile.seen < LEAST_ROWS
        or profile.counts.error
        or profile.kind not in {ValueKind.TEXT, ValueKind.FLAG}
    ):
        return False
    is_short = profile.kind is ValueKind.FLAG or (profile.highest or 0) <= LABEL_CHARS
    different = profile.counts.distinct
    return is_short and 1 < different <= min(LABELS, SELDOM * profile.seen)


def _labels(profile: FieldProfile) -> list[str]:
    rows = [
        [code(value, LABEL_CHARS), count(times), percentage(times, profile.seen)]
        for value, times in profile.counts.top(LABELS)
    ]
    if profile.null:
        rows.append(["no value", count(profile.null), percentage(profile.null, profile.seen)])
    return table([f"value of {code(profile.path)}", "rows", "share"], rows, right=[1, 2])
