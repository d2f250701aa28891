"""A report as one HTML page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.engine.quality.page import rendered
from runware_provider.engine.quality.sameness import rule
from runware_provider.engine.quality.standout import remarks
from runware_provider.engine.quality.wording import apart, reasons

if TYPE_CHECKING:
    from runware_provider.engine.quality.findings import Findings

LISTED = 20

PAGE: Final = """{% extends "shell" %}
{% import "parts" as parts with context %}
{% block title %}Quality of {{ run.destination|shown(200)|striptags }}{% endblock %}
{% block main %}
{% set tally = run.tally %}
<header>
<h1>Quality of {{ run.destination|place }}</h1>
<p class="soft">Model {{ run.model|shown }}, published {{ run.finished_at }} UTC, publish <code>{{ run.publish_id }}</code></p>
</header>

<section aria-label="What stands out">
{{ parts.remarks(remarks) }}
</section>

<dl class="facts">
{{ parts.fact("Rows", run.rows|count, "" if run.rows == run.records else run.records|count ~ " records") }}
{{ parts.fact("Succeeded", tally.answered|share(run.rows), tally.answered|count ~ " rows") }}
{{ parts.fact("Cost", run.number("cost_usd")|usd, run.number("inferences")|count ~ " inferences") }}
{{ parts.fact("Cost per 1,000 rows", run.cost_per_thousand|usd, run.cost_per_thousand_succeeded|usd ~ " per 1,000 that succeeded" if tally.answered and tally.answered != run.rows else "") }}
{{ parts.fact("Tokens in", run.number("prompt_tokens")|count, run.number("cached_tokens")|share(run.number("prompt_tokens")) ~ " cached") }}
{{ parts.fact("Tokens out", run.number("completion_tokens")|count) }}
{{ parts.fact("Latency, median", run.latencies[0]|seconds if run.latencies else nothing, "p90 " ~ run.latencies[1]|seconds ~ ", p99 " ~ run.latencies[2]|seconds ~ ", max " ~ run.latencies[3]|seconds if run.latencies else "") }}
{{ parts.fact("Asked more than once", tally.asked_again|share(run.rows), tally.asked_again|count ~ " rows" ~ (", " ~ tally.reasked|count ~ " as the answer did not fit" if tally.reasks else "")) }}
</dl>

{% if run.rows %}
<section aria-labelledby="outcomes">
<h2 id="outcomes">Outcomes</h2>
{{ parts.outcome_bar(tally, run.rows) }}
{% call parts.scroll("Outcomes") %}
<table>
<thead><tr><th scope="col">Outcome</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Share</th><th scope="col">Reasons</th></tr></thead>
<tbody>
{% for name, n in tally.outcomes.most_common() %}
<tr><th scope="row"><span class="swatch {{ name|outcome_class }}" aria-hidden="true"></span>{{ name }}</th><td class="n">{{ n|count }}</td><td class="n">{{ n|share(run.rows) }}</td>
<td class="w">{% for code, times in reasons(tally.reasons, name, listed) %}<code>{{ code|shown }}</code> {{ times|count }}{{ ", " if not loop.last }}{% endfor %}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</section>
{% endif %}

{% if hits %}
<section aria-labelledby="hits">
<h2 id="hits">Against expected values</h2>
<p class="soft small">{{ hits.compared|count }} rows with a result compared; {{ hits.expected|count }} records have expected values.
{% if hits.without_result %}{{ hits.without_result|count }} rows with expected values have no result and are in no rate.{% endif %}

{{ rule }}{% if hits.left_out %} Not compared: {% for name in hits.left_out %}<code>{{ name|shown }}</code>{{ ", " if not loop.last }}{% endfor %}.{% endif %}</p>
{% call parts.scroll("Hit rates") %}
<table>
<thead><tr><th scope="col">Field</th><th scope="col" class="n">As expected</th><th scope="col" class="chart">0 to 100 %</th><th scope="col" class="n">95 % interval</th><th scope="col" class="n">Hits</th><th scope="col" class="n">Of</th></tr></thead>
<tbody>
{% for one in hits.fields %}
<tr><th scope="row"><code>{{ one.path|path }}</code></th><td class="n"><b>{{ one.hits|share(one.of) }}</b></td><td class="chart">{% if one.of %}{{ parts.interval(one.hits, one.of, *one.interval) }}{% endif %}</td>
<td class="n soft">{{ one.interval[0]|interval(one.interval[1]) if one.of else nothing }}</td><td class="n">{{ one.hits|count }}</td><td class="n">{{ one.of|count }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% for one in hits.fields if one.misses %}
<details>
<summary><code>{{ one.path|path }}</code>: {{ "" if one.misses|length == one.of - one.hits else "the first " ~ one.misses|length ~ " of " }}{{ (one.of - one.hits)|count }} {{ "miss" if one.of - one.hits == 1 else "misses" }}</summary>
{% if one.mixups %}
<p class="small">Most often: {% for got, wanted, n in one.mixups %}{{ got|shown(40) }} instead of {{ wanted|shown(40) }} <span class="soft">({{ n|count }})</span>{{ ", " if not loop.last }}{% endfor %}</p>
{% endif %}
{% call parts.scroll("Misses") %}
<table>
<thead><tr><th scope="col">Record</th><th scope="col">Got</th><th scope="col">Expected</th></tr></thead>
<tbody>
{% for miss in one.misses %}
<tr><th scope="row">{{ miss.key|shown }}</th>{% for held in apart(miss.got, miss.wanted, 160) %}<td class="value">{{ held|shown(160) }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</details>
{% endfor %}
</section>
{% endif %}

{% if fields %}
<section aria-labelledby="fields">
<h2 id="fields">Fields</h2>
<p class="soft small">Over the {{ tally.answered|count }} rows that succeeded; below <code>[]</code>, over the elements of lists. The range of a text is its length.
{% if estimated %}Where there are too many different values, their number is estimated (within about 3 %).{% endif %}</p>
{% call parts.scroll("Fields") %}
<table class="stacked">
<thead><tr><th scope="col">Field</th><th scope="col" class="n">Filled</th><th scope="col" class="n">Null</th><th scope="col" class="n">Distinct</th><th scope="col">Range</th><th scope="col">Spread</th><th scope="col">Most frequent</th></tr></thead>
<tbody>
{% for one in fields %}
<tr><th scope="row"><code>{{ one.path|path }}</code><br><span class="soft small">{{ one.kind }}</span></th>
<td class="n" data-name="Filled"><div>{{ one.filled|share(one.seen) }}{{ parts.meter(one.filled, one.seen) }}</div></td>
<td class="n" data-name="Null"><div>{{ one.null|count }}{% if one.blank %}<br><span class="soft small">{{ one.blank|count }} empty</span>{% endif %}</div></td>
<td class="n" data-name="Distinct">{{ one|distinct }}</td>
<td class="range" data-name="Range"><div>{{ one|extent|two_lines }}{% if one|median %}<br><span class="soft small">median {{ one|median }}</span>{% endif %}</div></td>
<td data-name="Spread" class="{{ "" if one.histogram else "none" }}"><div>{{ parts.histogram(one) }}</div></td>
<td class="w{{ "" if one.top or one|variety else " none" }}" data-name="Most frequent">{% if one|variety %}<div><span class="soft small">{{ one|variety }}, such as</span> {{ (one.top[0][0] if one.top else one.example)|shown }}</div>{% else %}<ul class="top">
{% for held, n in one.top %}<li><span>{{ held|shown }}</span><span>{{ "≥ " if one.top_error }}{{ n|count }}</span></li>{% endfor %}
</ul>{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</section>
{% endif %}

{% if problems %}
<section aria-labelledby="problems">
<h2 id="problems">Why answers were invalid</h2>
{% call parts.scroll("Problems") %}
<table>
{% if tally.problems.read < tally.outcomes["invalid"] %}<caption>Counted over the first {{ tally.problems.read|count }} invalid rows.</caption>{% endif %}
<thead><tr><th scope="col" class="n">Rows</th><th scope="col">Where</th><th scope="col">What</th><th scope="col">For example</th></tr></thead>
<tbody>
{% for (path, what), n in problems %}
<tr><td class="n">{{ n|count }}</td><th scope="row">{% if path %}<code>{{ path|message }}</code>{% else %}{{ nothing }}{% endif %}</th><td class="value">{{ what|message }}</td><td class="value soft">{{ tally.problems.examples[(path, what)]|message if tally.problems.examples[(path, what)] != what else "" }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</section>
{% endif %}

{% if tally.mends or tally.asked_again %}
<section aria-labelledby="mends">
<h2 id="mends">Mends and attempts</h2>
{% call parts.scroll("Mends and attempts") %}
<table>
<thead><tr><th scope="col">What</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Share</th></tr></thead>
<tbody>
{% for name, n in tally.mends.most_common(listed) %}
<tr><th scope="row">mended: <code>{{ name|shown }}</code></th><td class="n">{{ n|count }}</td><td class="n">{{ n|share(run.rows) }}</td></tr>
{% endfor %}
{% for times, n in tally.reasks|dictsort if times %}
<tr><th scope="row">re-asked {{ "once" if times == 1 else times ~ " times" }}, as the answer did not fit</th><td class="n">{{ n|count }}</td><td class="n">{{ n|share(run.rows) }}</td></tr>
{% endfor %}
{% for times, n in tally.attempts|dictsort %}
<tr><th scope="row">{{ "never asked" if times == 0 else "asked once" if times == 1 else "asked " ~ times ~ " times" }}</th><td class="n">{{ n|count }}</td><td class="n">{{ n|share(run.rows) }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</section>
{% endif %}
{% endblock %}
"""


def html_of(findings: Findings) -> str:
    """The page, deterministic: it names no time but that of the publish."""
    return rendered(
        PAGE,
        run=findings.run,
        fields=findings.fields,
        estimated=any(not one.distinct_is_exact for one in findings.fields),
        hits=findings.hits,
        remarks=remarks(findings),
        reasons=reasons,
        apart=apart,
        problems=findings.run.tally.problems.counts.most_common(LISTED),
        rule=rule(findings.hits.tolerance) if findings.hits is not None else "",
        listed=LISTED,
    )
