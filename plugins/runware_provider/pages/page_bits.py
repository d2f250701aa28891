"""What stands within a line or a cell of a page: words, values, moments, links, small drawings. Pure.

Each says itself in Markdown and in HTML. A stranger's text is in HTML escaped, in one line, and of a bounded length; in
Markdown it is code.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from runware_provider.pages.moments import shown_moment, utc_moment
from runware_provider.quality.wording import CHARS, NOTHING, clip, code, percentage, usd, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG: Final = 600
"""Characters of a sentence of a stranger's, such as what an API said."""
_NAMED: Final = re.compile("`([^`]+)`")
SPARK_HEIGHT: Final = 20
SPARK_STEP: Final = 8


class Bit(Protocol):
    """A piece of a line."""

    def markdown(self) -> str:
        """In one line."""

    def html(self) -> str:
        """With every text escaped."""


@dataclass(frozen=True)
class Said:
    """Words of ours, in which nothing of a stranger's is."""

    text: str

    def markdown(self) -> str:
        """As it is."""
        return self.text

    def html(self) -> str:
        """Escaped all the same."""
        return html.escape(self.text)


@dataclass(frozen=True)
class Strong:
    """The same, said louder."""

    text: str

    def markdown(self) -> str:
        """In bold type."""
        return f"**{self.text}**"

    def html(self) -> str:
        """In bold type."""
        return f"<b>{html.escape(self.text)}</b>"


@dataclass(frozen=True)
class Beside:
    """What is said more quietly."""

    bit: Bit

    def markdown(self) -> str:
        """In brackets."""
        return f"({self.bit.markdown()})"

    def html(self) -> str:
        """In small type."""
        return f"<small>{self.bit.html()}</small>"


@dataclass(frozen=True)
class Name:
    """A short value of a stranger's, such as a model or the code of an error."""

    text: str

    def markdown(self) -> str:
        """As code."""
        return code(self.text)

    def html(self) -> str:
        """As code, whose direction is its own affair."""
        return f"<code>{escaped(self.text, CHARS)}</code>"


@dataclass(frozen=True)
class Told:
    """A sentence of a stranger's."""

    text: str

    def markdown(self) -> str:
        """As code."""
        return code(self.text, LONG)

    def html(self) -> str:
        """As prose, whose direction is its own affair."""
        # What our own sentences name stands in backticks; the text is harmless already.
        told = _NAMED.sub(r"<code>\1</code>", escaped(self.text, LONG))
        return f"<bdi>{told}</bdi>"


@dataclass(frozen=True)
class Moment:
    """A time, which a page shows as where its reader lives."""

    at: str
    """In UTC (ISO 8601)."""

    def markdown(self) -> str:
        """To the minute, in UTC."""
        return shown_moment(self.at) if utc_moment(self.at) is not None else code(self.at[:LONG])

    def html(self) -> str:
        """As a time for the page's script; as text where it is none."""
        moment = utc_moment(self.at)
        if moment is None:
            return Name(shown_moment(self.at)).html()
        return f'<time datetime="{moment.strftime("%Y-%m-%dT%H:%M:%SZ")}">{html.escape(shown_moment(self.at))}</time>'


@dataclass(frozen=True)
class Way:
    """A link."""

    bit: Bit
    """Its text."""
    href: str
    """With every part of it quoted."""
    outwards: bool = False
    """Whether it leads to a page of Airflow's, which needs the whole window."""

    def markdown(self) -> str:
        """Only its text: a document that is sent elsewhere has no such pages."""
        return self.bit.markdown()

    def html(self) -> str:
        """As a link."""
        target = ' target="_top"' if self.outwards else ""
        return f'<a href="{html.escape(self.href)}"{target}>{self.bit.html()}</a>'


@dataclass(frozen=True)
class Dot:
    """A state: a coloured dot before its name."""

    kind: str
    """Ours: names a colour of the sheet."""
    word: str

    def markdown(self) -> str:
        """Only the name."""
        return self.word

    def html(self) -> str:
        """The dot is drawn by the sheet."""
        return f'<span class="dot {self.kind}">{html.escape(self.word)}</span>'


@dataclass(frozen=True)
class Share:
    """A part of a whole, with a meter below it."""

    part: float
    whole: float
    kind: str = "share"
    """Names the colour of the meter."""

    def markdown(self) -> str:
        """In percent."""
        return percentage(self.part, self.whole)

    def html(self) -> str:
        """In percent, drawn."""
        told = html.escape(self.markdown())
        if not self.whole:
            return told
        return f"{told}{meter(self.part / self.whole, self.kind)}"


@dataclass(frozen=True)
class Metered:
    """A figure with a meter below it."""

    bit: Bit
    share: float
    """From 0 to 1, of what the meter's end stands for."""
    kind: str = "share"

    def markdown(self) -> str:
        """Only the figure."""
        return self.bit.markdown()

    def html(self) -> str:
        """The figure, drawn."""
        return self.bit.html() + meter(self.share, self.kind)


@dataclass(frozen=True)
class Spark:
    """A few numbers as small bars, the newest last; None where there is none."""

    values: Sequence[float | None]
    label: str
    """What they are, for who does not see them."""

    def markdown(self) -> str:
        """Nothing: the numbers stand elsewhere."""
        return ""

    def html(self) -> str:
        """Bars from zero on, the newest one in colour."""
        most = max((value for value in self.values if value is not None), default=0.0)
        if not most:
            return ""
        width = SPARK_STEP * len(self.values)
        bars = "".join(
            _spark_bar(place, value / most, is_last=place == len(self.values) - 1)
            for place, value in enumerate(self.values)
            if value is not None
        )
        return (
            f'<svg class="spark" width="{width}" height="{SPARK_HEIGHT}" viewBox="0 0 {width} {SPARK_HEIGHT}" role="img"'
            f' aria-label="{html.escape(self.label)}">{bars}</svg>'
        )


@dataclass(frozen=True)
class Several:
    """Bits in a row."""

    bits: Sequence[Bit]
    between: str = " "
    """Ours."""

    def markdown(self) -> str:
        """One after the other."""
        return self.between.join(filter(None, (bit.markdown() for bit in self.bits)))

    def html(self) -> str:
        """One after the other."""
        return self.between.join(filter(None, (bit.html() for bit in self.bits)))


NONE: Final = Said(NOTHING)
"""What stands where nothing is known."""


def noun_and_name(noun: str, name: str) -> Bit:
    """What something is, and a stranger's name for it."""
    return Several([Said(noun), Name(name)])


def escaped(text: str, chars: int) -> str:
    """A stranger's text for a page: one line, at most so many characters, and nothing in it that turns what follows."""
    return html.escape(clip(visible(text[: 4 * chars]), chars))


def dollars(amount: float | None) -> str:
    """An amount for a page, as everywhere: whoever approves of one finds the same on all pages."""
    return usd(amount)


def meter(share: float, kind: str) -> str:
    """A stretch of the way from nothing to all; what is more than nothing shows."""
    width = min(100.0, max(100 * share, 1.0)) if share > 0 else 0.0
    return (
        f'<svg class="bar {kind}" width="100" height="6" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="6"/>'
        f'<rect class="mark" width="{width:.4g}" height="6"/></svg>'
    )


def _spark_bar(place: int, share: float, *, is_last: bool) -> str:
    height = max(1.0, SPARK_HEIGHT * share)
    kind = "mark" if is_last else "past"
    return (
        f'<rect class="{kind}" x="{SPARK_STEP * place + 1}" y="{SPARK_HEIGHT - height:.3g}" width="{SPARK_STEP - 2}"'
        f' height="{height:.3g}"/>'
    )
