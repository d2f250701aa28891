"""The HTML around reports and comparisons: one file, no script, nothing to load, light and dark, on paper too. Pure.

Everything that is put in is escaped by Jinja's autoescape; only the macros here and in the pages write markup.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from runware_provider.engine.quality import wording
from runware_provider.engine.schema.problems import clip

if TYPE_CHECKING:
    from runware_provider.engine.quality.standout import Remark

LINE_CHARS = 22
PATH_CHARS = 120
PLACE_CHARS = 200
LONG_CHARS = 300
"""Of messages; values have their own length."""

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #f6f5f2; --card: #ffffff; --ink: #1d1d1b; --soft: #62615c; --line: #e2e0da; --track: #e9e7e1;
  --accent: #2b6cb0; --good: #2a7f62; --note: #8a6100; --bad: #b3352c;
  --succeeded: #2f8f6f; --invalid: #d19a2a; --refused: #8a67c2; --failed: #c9473c; --skipped: #9b9a94;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161615; --card: #20201e; --ink: #ecebe6; --soft: #a3a29b; --line: #363532; --track: #33322f;
    --accent: #7db3ea; --good: #6cc5a4; --note: #e0b45c; --bad: #ef8479;
    --succeeded: #4fae8c; --invalid: #d8a747; --refused: #a78bd8; --failed: #dc6a5f; --skipped: #85847e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 4px; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: 1.08rem; margin: 36px 0 10px; font-weight: 650; }
p { margin: 6px 0; max-width: 78ch; }
.soft, caption, .facts dt { color: var(--soft); }
.small { font-size: .86em; }
code { font: .92em/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; }
.remarks { list-style: none; margin: 18px 0 0; padding: 12px 18px; }
.remarks li { display: flex; gap: 10px; padding: 3px 0; overflow-wrap: anywhere; }
.remarks b { flex: 0 0 1.2em; text-align: center; }
.remarks .good b { color: var(--good); } .remarks .note b { color: var(--note); } .remarks .bad b { color: var(--bad); }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 16px 0 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
.facts dt { font-size: .82rem; } .facts dd { margin: 0; }
.facts dd.main { font-size: 1.28rem; font-weight: 620; line-height: 1.35; font-variant-numeric: tabular-nums; }
.facts dd.also { font-size: .82rem; color: var(--soft); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; padding: 8px 14px 2px; font-size: .84rem; }
th, td { text-align: left; vertical-align: top; padding: 7px 14px; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-weight: 560; color: var(--soft); font-size: .82rem; white-space: nowrap; }
caption + thead th { padding-top: 5px; }
tbody th { font-weight: 500; min-width: 11em; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.w { min-width: 12em; max-width: 30em; overflow-wrap: anywhere; }
td.value { max-width: 26em; overflow-wrap: anywhere; }
.null { color: var(--soft); font-style: italic; }
.bar { display: flex; height: 18px; border-radius: 5px; overflow: hidden; background: var(--track); margin: 2px 0 12px; gap: 1px; }
.bar i { display: block; min-width: 3px; }
.swatch { display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .5em; }
.succeeded { background: var(--succeeded); } .invalid { background: var(--invalid); }
.refused { background: var(--refused); } .failed { background: var(--failed); } .skipped { background: var(--skipped); }
.meter { width: 86px; height: 6px; border-radius: 3px; background: var(--track); overflow: hidden; margin: 4px 0 0 auto; }
.meter i { display: block; height: 100%; background: var(--accent); }
.top { list-style: none; margin: 0; padding: 0; }
.top li { display: flex; justify-content: space-between; gap: 12px; }
.top span:first-child { overflow-wrap: anywhere; }
.top span + span { color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { display: block; } svg .mark { fill: var(--accent); } svg .rail { fill: var(--track); }
svg .span { fill: var(--ink); }
.ends { display: flex; justify-content: space-between; width: 132px; gap: 6px; font-size: .74rem; color: var(--soft);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
details { margin: 8px 0; } summary { cursor: pointer; padding: 2px 0; } details > .scroll { margin-top: 6px; }
.won { font-weight: 620; }
td.range { white-space: nowrap; }
@media (max-width: 760px) { .facts { grid-template-columns: repeat(2, 1fr); } }
td.chart { vertical-align: middle; min-width: 0; }
@media (max-width: 1100px) {
  .stacked th, .stacked td { padding: 7px 8px; } .stacked tbody th { min-width: 8em; } .stacked td.w { min-width: 11em; }
  .stacked td.range { white-space: normal; } .stacked .meter { width: 56px; }
}
@media (max-width: 820px) {
  main { padding: 20px 12px 40px; } h1 { font-size: 1.3rem; } th, td { padding: 6px 9px; } tbody th { min-width: 8em; }
  .stacked, .stacked tbody, .stacked tr, .stacked th, .stacked td { display: block; width: auto; max-width: none; }
  .stacked thead { display: none; } .stacked tr { border-top: 1px solid var(--line); padding: 8px 0; }
  .stacked tr:first-child { border-top: 0; } .stacked th, .stacked td { border: 0; padding: 2px 14px; white-space: normal; }
  .stacked td { display: grid; grid-template-columns: 7.5em 1fr; text-align: left; }
  .stacked td::before { content: attr(data-name); color: var(--soft); font-size: .86em; }
  td.chart svg { width: 84px; } .stacked td.none { display: none; } .stacked .meter { margin-left: 0; }
}
@media (max-width: 480px) {
  th, td { padding: 6px 5px; } thead th, thead th.n { white-space: normal; } tbody th { min-width: 7em; } td.w { min-width: 6em; }
  .chart { display: none; }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --track: #ddd; --accent: #2b6cb0;
    --good: #2a7f62; --note: #8a6100; --bad: #b3352c;
    --succeeded: #2f8f6f; --invalid: #d19a2a; --refused: #8a67c2; --failed: #c9473c; --skipped: #9b9a94; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10.5px; } main { max-width: none; padding: 0; } .scroll { overflow: visible; }
  th, td { padding: 3px 6px; } tr, .facts div, .remarks li { break-inside: avoid; } h2 { break-after: avoid; }
  thead { display: table-header-group; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""

SHELL: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{% block title %}{% endblock %}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
{% block main %}{% endblock %}
</main>
</body>
</html>
"""

PARTS: Final = """
{% macro remarks(found) %}
<ul class="remarks card">
{% for one in found %}
<li class="{{ one.weight }}"><b aria-hidden="true">{{ {"good": "✓", "note": "•", "bad": "!"}[one.weight] }}</b><span>{{ one|told }}</span></li>
{% endfor %}
</ul>
{% endmacro %}

{% macro fact(name, main, also="") %}
<div><dt>{{ name }}</dt><dd class="main">{{ main }}</dd>{% if also %}<dd class="also">{{ also }}</dd>{% endif %}</div>
{% endmacro %}

{% macro scroll(name) %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ name }}">
{{ caller() }}
</div>
{% endmacro %}

{% macro outcome_bar(tally, rows) %}
<div class="bar" role="img" aria-label="{% for name, n in tally.outcomes.most_common() %}{{ n|share(rows) }} {{ name }}{{ ", " if not loop.last }}{% endfor %}">
{% for name, n in tally.outcomes.most_common() %}<i class="{{ name|outcome_class }}" style="flex: {{ n }} 0 0"></i>{% endfor %}
</div>
{% endmacro %}

{% macro meter(part, whole) %}
<div class="meter" aria-hidden="true"><i style="width: {{ "%.1f"|format(100 * part / whole if whole else 0) }}%"></i></div>
{% endmacro %}

{% macro histogram(field) %}
{% if field.histogram %}
{% set bars = field.histogram.bars %}
{% set tallest = bars|max or 1 %}
{% set wide = 132 / bars|length %}
<svg width="132" height="30" viewBox="0 0 132 30" role="img" aria-label="{{ field|picture }}"><title>{{ field|picture }}</title>
<rect class="rail" x="0" y="29" width="132" height="1"/>
{% for n in bars %}{% if n %}<rect class="mark" x="{{ "%.2f"|format(loop.index0 * wide + 0.5) }}" y="{{ "%.2f"|format(29 - [28 * n / tallest, 1]|max) }}" width="{{ "%.2f"|format(wide - 1) }}" height="{{ "%.2f"|format([28 * n / tallest, 1]|max) }}"/>{% endif %}{% endfor %}
</svg>
<div class="ends" aria-hidden="true"><span>{% if field.histogram.below %}&lsaquo; {% endif %}{{ (field|ends)[0] }}</span><span>{{ (field|ends)[1] }}{% if field.histogram.above %} &rsaquo;{% endif %}</span></div>
{% endif %}
{% endmacro %}

{% macro interval(hits, of, low, high) %}
<svg width="160" height="14" viewBox="0 0 160 14" preserveAspectRatio="none" role="img" aria-label="{{ hits|share(of) }}, 95 % interval {{ low|interval(high) }}"><title>{{ hits|share(of) }}, 95 % interval {{ low|interval(high) }}</title>
<rect class="rail" x="0" y="3" width="160" height="8" rx="2"/>
<rect class="mark" x="0" y="3" width="{{ "%.2f"|format(160 * hits / of) }}" height="8" rx="2"/>
<rect class="span" x="{{ "%.2f"|format(160 * low) }}" y="6" width="{{ "%.2f"|format([160 * (high - low), 1]|max) }}" height="2"/>
<rect class="span" x="{{ "%.2f"|format([160 * low - 0.5, 0]|max) }}" y="1" width="1" height="12"/>
<rect class="span" x="{{ "%.2f"|format([160 * high - 0.5, 159]|min) }}" y="1" width="1" height="12"/>
</svg>
{% endmacro %}
"""


def told(remark: Remark) -> Markup:
    """A remark's sentence, its names quoted; the sentence is ours, the names are not."""
    whole = replace(remark, sentence=remark.sentence.replace(" %", "\u00a0%"))
    return Markup(whole.told(lambda name: Markup("<code>{}</code>").format(shown(name, LONG_CHARS))))  # noqa: S704 - ours


def shown(held: Any, chars: int = wording.VALUE_CHARS) -> Markup:
    """A value, clipped, and kept from turning round the writing beside it."""
    if held is None:
        return Markup('<span class="null">null</span>')
    return Markup("<bdi>{}</bdi>").format(wording.value(held, chars))


def path(text: str) -> Markup:
    """The path of a field, which may be broken where its words end."""
    whole = Markup("<bdi>{}</bdi>").format(wording.value(text, PATH_CHARS))
    return Markup(re.sub(r"(?<=[a-z0-9\]])(?=[._])", "<wbr>", whole))  # noqa: S704 - escaped above, and stays so


def place(text: str) -> Markup:
    """A folder, which may be broken behind its slashes."""
    steps = wording.value(text, PLACE_CHARS).split("/")
    return Markup("<bdi>{}</bdi>").format(Markup("/<wbr>").join(steps))


def two_lines(text: str) -> Markup:
    """A range in two lines where one would be too long."""
    if len(text) <= LINE_CHARS:
        return Markup("{}").format(text)
    return Markup(" to<br>").join(text.split(" to ", 1))


def message(text: str) -> Markup:
    """A message in one line."""
    return Markup("<bdi>{}</bdi>").format(clip(wording.visible(text), LONG_CHARS))


def rendered(page: str, **values: Any) -> str:
    """A page's source.

    Args:
        page: a Jinja template that extends `shell`.
        values: its variables.
    """
    loader = DictLoader({"shell": SHELL, "parts": PARTS, "page": page})
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        variety=wording.variety,
        count=wording.count,
        distinct=wording.distinct,
        ends=wording.ends_of_histogram,
        extent=wording.extent,
        interval=wording.interval,
        median=wording.median,
        message=message,
        outcome_class=lambda name: name if name in OUTCOMES else "skipped",
        path=path,
        place=place,
        picture=wording.picture,
        seconds=wording.seconds,
        share=wording.share,
        shown=shown,
        told=told,
        two_lines=two_lines,
        usd=wording.usd,
    )
    return environment.get_template("page").render(style=Markup(STYLE), nothing=wording.NOTHING, **values)  # noqa: S704 - ours


OUTCOMES: Final = frozenset({"succeeded", "invalid", "refused", "failed", "skipped"})
