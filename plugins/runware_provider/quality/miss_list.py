"""Misses as a part: got beside expected with what differs marked, and below them what they were read from. Pure."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runware_provider.quality.input_text import one_line
from runware_provider.quality.marked import ALIKE, marked
from runware_provider.quality.page import body_of, inline_of
from runware_provider.quality.wording import apart, code, counted, table, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.quality.input_text import InputText
    from runware_provider.quality.marked import Pieces
    from runware_provider.quality.misses import Miss

LINE_CHARS: Final = 90
"""Of an input text before it is unfolded."""


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

    def markdown(self) -> list[str]:
        """A table below a heading of its own."""
        has_text = any(miss.text is not None for miss in self.misses)
        headers = ["record", "got", "expected", *(["in the input"] if has_text else [])]
        rows = [
            [code(value, self.chars) for value in (miss.record, *_sides(miss, self.chars))]
            + ([_clipped(miss.text, self.chars)] if has_text else [])
            for miss in self.misses
        ]
        return [f"### {self.title}", "", *table(headers, rows), *([self.note, ""] if self.note else [])]

    def html(self) -> str:
        """Folded up; below each miss its text, of which one line shows."""
        rows = "".join(_row(miss, self.chars) for miss in self.misses)
        note = body_of(self.note) if self.note else ""
        return (
            f"<details><summary>{inline_of(self.title)}</summary>"
            '<div class="scroll" tabindex="0" role="region" aria-label="misses"><table class="misses">'
            f"<thead><tr><th>record</th><th>got</th><th>expected</th></tr></thead>{rows}</table></div>{note}</details>"
        )


def _sides(miss: Miss, chars: int) -> tuple[Any, Any]:
    """Both values; of lists only the lines that differ."""
    if not isinstance(miss.got, list) or not isinstance(miss.expected, list):
        return apart(miss.got, miss.expected, chars)
    got, expected = marked(miss.got, miss.expected, chars)
    return _in_one_line(got), _in_one_line(expected)


def _in_one_line(lines: Sequence[Pieces]) -> str:
    """How many elements there are, and those that differ."""
    length, *elements = ("".join(text for text, _ in line) for line in lines)
    return f"{length} {'; '.join(element for element in elements if not element.startswith(ALIKE))}"


def _clipped(text: InputText | None, chars: int) -> str:
    return "" if text is None else code(text.line(chars), chars)


def _row(miss: Miss, chars: int) -> str:
    got, expected = marked(miss.got, miss.expected, chars)
    cells = f"<td>{inline_of(code(miss.record, chars))}</td><td>{_drawn(got)}</td><td>{_drawn(expected)}</td>"
    source = "" if miss.text is None else f'<tr class="source"><td colspan="3">{_source(miss.text)}</td></tr>'
    return f"<tbody><tr>{cells}</tr>{source}</tbody>"


def _drawn(lines: Sequence[Pieces]) -> str:
    told = "<br>".join("".join(_piece(text, differs=differs) for text, differs in line) for line in lines)
    return f'<code dir="auto">{told}</code>'


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
