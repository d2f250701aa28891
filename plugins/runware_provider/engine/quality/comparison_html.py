"""A comparison as one HTML page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.engine.quality.page import rendered
from runware_provider.engine.quality.sameness import rule
from runware_provider.engine.quality.verdicts import BASIS, in_short, reading
from runware_provider.engine.quality.wording import apart

if TYPE_CHECKING:
    from runware_provider.engine.quality.findings import Differences

PAGE: Final = """{% extends "shell" %}
{% import "parts" as parts with context %}
{% block title %}Side by side{% endblock %}
{% block main %}
<header>
<h1>Side by side</h1>
{% for letter, run in runs %}
<p><b>{{ letter }}</b> {{ run.destination|place }}
<span class="soft">model {{ run.model|shown }}, published {{ run.finished_at }} UTC, publish <code>{{ run.publish_id }}</code></span></p>
{% endfor %}
</header>

<section aria-label="In short">
{{ parts.remarks(in_short) }}
</section>

{% if found.duels is not none %}
<section aria-labelledby="duels">
<h2 id="duels">Which is right more often</h2>
<p class="soft small">{{ found.expected|count }} records compared. {{ basis }} {{ rule }}</p>
{% call parts.scroll("Hit rates of both") %}
<table>
<thead><tr><th scope="col">Field</th><th scope="col" class="n">A right</th><th scope="col" class="n">B right</th><th scope="col" class="n">Only A</th><th scope="col" class="n">Only B</th><th scope="col">Verdict</th></tr></thead>
<tbody>
{% for one in found.duels %}
<tr><th scope="row"><code>{{ one.path|path }}</code></th>
<td class="n">{{ one.first|share(one.of) }}{{ parts.meter(one.first, one.of) }}</td><td class="n">{{ one.second|share(one.of) }}{{ parts.meter(one.second, one.of) }}</td>
<td class="n">{{ one.only_first|count }}</td><td class="n">{{ one.only_second|count }}</td><td class="{{ "won" if one.winner else "soft" }}">{{ reading(one) }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</section>
{% endif %}

<section aria-labelledby="price">
<h2 id="price">Outcomes, cost and time</h2>
{% for letter, run in runs if run.rows %}
<div class="small soft">{{ letter }}</div>
{{ parts.outcome_bar(run.tally, run.rows) }}
{% endfor %}
{% call parts.scroll("Cost and time") %}
<table>
<thead><tr><th scope="col"></th><th scope="col" class="n">A</th><th scope="col" class="n">B</th></tr></thead>
<tbody>
{% macro line(name) %}<tr><th scope="row">{{ name }}</th>{% for letter, run in runs %}<td class="n">{{ caller(run) }}</td>{% endfor %}</tr>{% endmacro %}
{% call(run) line("Rows") %}{{ run.rows|count }}{% endcall %}
{% for name in outcomes %}
{% call(run) line(name) %}{{ run.tally.outcomes[name]|count }} ({{ run.tally.outcomes[name]|share(run.rows) }}){% endcall %}
{% endfor %}
{% call(run) line("Cost") %}{{ run.number("cost_usd")|usd }}{% endcall %}
{% call(run) line("Cost per 1,000 rows") %}{{ run.cost_per_thousand|usd }}{% endcall %}
{% call(run) line("Cost per 1,000 that succeeded") %}{{ run.cost_per_thousand_succeeded|usd }}{% endcall %}
{% call(run) line("Tokens in") %}{{ run.number("prompt_tokens")|count }}{% endcall %}
{% call(run) line("of them cached") %}{{ run.number("cached_tokens")|share(run.number("prompt_tokens")) }}{% endcall %}
{% call(run) line("Tokens out") %}{{ run.number("completion_tokens")|count }}{% endcall %}
{% for name in ("Latency, median", "p90", "p99", "max") %}
{% set place = loop.index0 %}
{% call(run) line(name) %}{{ run.latencies[place]|seconds if run.latencies else nothing }}{% endcall %}
{% endfor %}
{% call(run) line("Asked more than once") %}{{ run.tally.asked_again|share(run.rows) }}{% endcall %}
</tbody>
</table>
{% endcall %}
</section>

{% if found.joined %}
<section aria-labelledby="crossed">
<h2 id="crossed">What became of the same records</h2>
{% call parts.scroll("Outcomes in both") %}
<table>
<caption>{{ found.joined|count }} rows, joined by {% if found.key is none %}their order{% else %}<code>{{ found.key|shown }}</code>{% endif %}.</caption>
<thead><tr><th scope="col">In A</th><th scope="col">In B</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Share</th></tr></thead>
<tbody>
{% for (a, b), n in crossed %}
<tr><td><span class="swatch {{ a|outcome_class }}" aria-hidden="true"></span>{{ a }}</td><td><span class="swatch {{ b|outcome_class }}" aria-hidden="true"></span>{{ b }}</td><td class="n">{{ n|count }}</td><td class="n">{{ n|share(found.joined) }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</section>
{% endif %}

{% if found.fields %}
<section aria-labelledby="changed">
<h2 id="changed">What changed</h2>
<p class="soft small">Over the {{ found.both_succeeded|count }} rows that succeeded in both.{{ " " ~ rule if found.duels is none }}
{% if found.incomparable %}Not compared: {% for name in found.incomparable %}<code>{{ name|shown(160) }}</code>{{ ", " if not loop.last }}{% endfor %}.{% endif %}</p>
{% call parts.scroll("Changes by field") %}
<table>
<thead><tr><th scope="col">Field</th><th scope="col" class="n">Same</th><th scope="col" class="n">Changed</th><th scope="col" class="n">Only in A</th><th scope="col" class="n">Only in B</th><th scope="col" class="n">Same in</th></tr></thead>
<tbody>
{% for one in found.fields %}
<tr><th scope="row"><code>{{ one.path|path }}</code></th><td class="n">{{ one.same|count }}</td><td class="n">{{ one.changed|count }}</td><td class="n">{{ one.only_first|count }}</td><td class="n">{{ one.only_second|count }}</td><td class="n">{{ one.same|share(one.of) }}{{ parts.meter(one.same, one.of) }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% for one in found.fields if one.examples %}
<details>
<summary><code>{{ one.path|path }}</code>: {{ "" if one.examples|length == one.of - one.same else "the first " ~ one.examples|length ~ " of " }}{{ (one.of - one.same)|count }} that {{ "differs" if one.of - one.same == 1 else "differ" }}</summary>
{% call parts.scroll("Examples") %}
<table>
<thead><tr><th scope="col">Record</th><th scope="col">A</th><th scope="col">B</th></tr></thead>
<tbody>
{% for change in one.examples %}
<tr><th scope="row">{{ change.key|shown }}</th>{% for held in apart(change.first, change.second, 160) %}<td class="value">{{ held|shown(160) }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</details>
{% endfor %}
</section>
{% endif %}
{% endblock %}
"""


def html_of(found: Differences) -> str:
    """The page, deterministic."""
    runs = (("A", found.first), ("B", found.second))
    seen = {name: None for _, run in runs for name, _ in run.tally.outcomes.most_common()}
    return rendered(
        PAGE,
        found=found,
        runs=runs,
        outcomes=list(seen),
        crossed=sorted(found.outcomes.items(), key=lambda one: (-one[1], one[0])),
        in_short=in_short(found),
        basis=BASIS,
        rule=rule(found.tolerance),
        reading=reading,
        apart=apart,
    )
