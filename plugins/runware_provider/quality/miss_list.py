"""Misses as a part: got beside expected with what differs marked, and below them what they were read from. Pure."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runware_provider.quality.differences import Folding, differences_of
from runware_provider.quality.input_text import one_line
from runware_provider.quality.page import body_of, inline_of
from runware_provider.quality.wording import apart, clip, code, counted, table, text_of, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.quality.differences import Differences, Pieces
    from runware_provider.quality.input_text import InputText
    from runware_provider.quality.misses import Miss

LINE_CHARS: Final = 90
"""Of an input text before it is unfolded."""
LINES: Final = 12
"""Of a list; more are counted."""


@dataclass(frozen=True)
class MissList:
    """The first misses of a field."""

    title: str
    """Markdown of ours."""
    misses: Sequence[Miss]
    chars: int
    """Of a value."""
    note: str = ""
    """Markdown of ours."""
    tolerance: float = 0.0
    """How far numbers may be apart that count as the same, as for `sameness.same`."""

    def markdown(self) -> list[str]:
        """A table below a heading of its own."""
        has_text = any(miss.text is not None for miss in self.misses)
        headers = ["record", "got", "expected", *(["in the input"] if has_text else [])]
        rows = [self._cells(miss, with_text=has_text) for miss in self.misses]
        return [f"### {self.title}", "", *table(headers, rows), *([self.note, ""] if self.note else [])]

    def _cells(self, miss: Miss, *, with_text: bool) -> list[str]:
        values = [miss.record, *self._in_one_line(miss)]
        cells = [code(value, self.chars) for value in values]
        return [*cells, _clipped(miss.text, self.chars)] if with_text else cells

    def html(self) -> str:
        """Folded up; below each miss its text, of which one line shows."""
        rows = "".join(map(self._row, self.misses))
        note = body_of(self.note) if self.note else ""
        return (
            f"<details><summary>{inline_of(self.title)}</summary>"
            '<div class="scroll" tabindex="0" role="region" aria-label="misses"><table class="misses">'
            f"<thead><tr><th>record</th><th>got</th><th>expected</th></tr></thead>{rows}</table></div>{note}</details>"
        )

    def _row(self, miss: Miss) -> str:
        got, expected = self._lines(miss)
        cells = f"<td>{inline_of(code(miss.record, self.chars))}</td><td>{_drawn(got)}</td><td>{_drawn(expected)}</td>"
        source = (
            "" if miss.text is None else f'<tr class="source"><td colspan="3">{_source(miss.text)}</td></tr>'
        )
        return f"<tbody><tr>{cells}</tr>{source}</tbody>"

    def _lines(self, miss: Miss) -> tuple[list[Pieces], list[Pieces]]:
        if not _are_lists(miss):
            return _marked(miss.got, miss.expected, self.chars)
        told = self._of_lists(miss)
        return _in_lines(told.got, self.chars), _in_lines(told.expected, self.chars)

    def _in_one_line(self, miss: Miss) -> tuple[Any, Any]:
        """Both values; of lists, what differs and how much is alike."""
        if not _are_lists(miss):
            return apart(miss.got, miss.expected, self.chars)
        told = self._of_lists(miss)
        return _joined(told.got), _joined(told.expected)

    def _of_lists(self, miss: Miss) -> Differences:
        folding = Folding(whole=0, least=1, around=self.chars // 4)
        return differences_of(miss.got, miss.expected, folding=folding, tolerance=self.tolerance)


def _are_lists(miss: Miss) -> bool:
    return isinstance(miss.got, list) and isinstance(miss.expected, list)


def _joined(pieces: Pieces) -> str:
    return re.sub(r"\n\s*", " ", "".join(text for text, _ in pieces))


def _drawn(lines: Sequence[Pieces]) -> str:
    told = "<br>".join("".join(_piece(text, differs=differs) for text, differs in line) for line in lines)
    return f'<code dir="auto">{told}</code>'


def _clipped(text: InputText | None, chars: int) -> str:
    return "" if text is None else code(text.line(chars), chars)


def _marked(got: Any, expected: Any, chars: int) -> tuple[list[Pieces], list[Pieces]]:
    """Two values that are no lists, in one line each; of texts, the words that differ are marked."""
    left, right = (clip(visible(text_of(side)[: 4 * chars]), chars) for side in apart(got, expected, chars))
    if not isinstance(got, str) or not isinstance(expected, str):
        return [[(left, False)]], [[(right, False)]]
    told = differences_of(left, right, folding=None)
    # Nothing is marked where everything differs.
    if not any(text.strip() for text, differs in (*told.got, *told.expected) if not differs):
        return [[(left, False)]], [[(right, False)]]
    return [told.got], [told.expected]


def _in_lines(pieces: Pieces, chars: int) -> list[Pieces]:
    """The first lines, each with what cannot be seen spelled out, and not too long."""
    lines: list[Pieces] = [[]]
    left = chars
    for text, differs in pieces:
        for number, line in enumerate(text.split("\n")):
            if number:
                lines.append([])
                left = chars
            shown = clip(visible(line[: left + 1]), left) if left > 0 else ""
            left -= len(shown)
            lines[-1] += [(shown, differs)] if shown else []
    more = len(lines) - LINES
    return lines if more <= 0 else [*lines[:LINES], [(f"… {counted(more, 'more line')}", False)]]


def _piece(text: str, *, differs: bool) -> str:
    return f"<mark>{html.escape(text)}</mark>" if differs else html.escape(text)


def _source(text: InputText) -> str:
    told = f"{counted(text.chars, 'character')}; {_where(text)}"
    before = ("… " if text.is_cut else "") + _shown(text.before)
    after = _shown(text.after) + (" …" if text.goes_on else "")
    value = f"<mark>{_shown(text.value)}</mark>" if text.value else ""
    return (
        f"<details><summary>{inline_of(code(text.column))} <small>{html.escape(told)}</small>"
        f"<q>{_line_of(text)}</q></summary>"
        f'<pre dir="auto">{before}{value}{after}</pre></details>'
    )


def _where(text: InputText) -> str:
    if not text.value:
        return "neither value is in it as written here"
    return (
        "what is expected is marked"
        if text.is_expected
        else "what was got is marked, what is expected is not in it"
    )


def _line_of(text: InputText) -> str:
    line, value = text.line(LINE_CHARS), one_line(text.value)
    before, found, after = line.partition(value) if value else (line, "", "")
    mark = f"<mark>{html.escape(found)}</mark>" if found else ""
    return f"{html.escape(before)}{mark}{html.escape(after)}"


def _shown(text: str) -> str:
    """Line by line, with what cannot be seen spelled out."""
    return "\n".join(html.escape(visible(line)) for line in text.replace("\r\n", "\n").split("\n"))
