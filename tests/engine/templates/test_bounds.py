"""A record's own numbers and texts make no gigabytes: what would become too long skips the record, and says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import runware_provider
from runware_provider.engine.templates.prompt import Prompt, Skip

RECORD = {
    "body": "an invoice",
    "width": 10**9,
    "long": "x" * 9999,
    "many": ["y"] * 9999,
    "form": "%1000000000d",
    "braces": "{:>1000000000}",
    "repeated": "{0}" * 2000,
    "items": [1, 2, 3],
    "raw": b"ab",
    "none": None,
}
DOUBLED = (
    "{%% set ns = namespace(x=%s) %%}{%% for i in range(99) %%}{%% set ns.x = %s %%}{%% endfor %%}{{ ns.x }}"
)

BOMBS = {
    "{{ record.width ** record.width }}": "a power is too long",
    "{{ 9 ** (9 ** 9) }}": "a power is too long",
    "{{ (2 ** 2000) * (2 ** 2000) * (2 ** 2000) }}": "a product is too long",
    "{{ record.body * record.width }}": "`*` makes too long a text or list",
    "{{ record.width * record.body }}": "`*` makes too long a text or list",
    "{{ record['items'] * record.width }}": "`*` makes too long a text or list",
    "{{ record.raw * record.width }}": "`*` makes too long a text or list",
    "{{ range(record.width) | list }}": "Range too big",
    "{{ record.form % 1 }}": "`%` takes widths and precisions of 999 at most",
    "{{ '%.1000000000f' % 1 }}": "`%` takes widths and precisions of 999 at most",
    "{{ '%*d' % (record.width, 1) }}": "`%` takes widths and precisions of 999 at most",
    "{{ ('%(a)s' * 2000) % {'a': record.long} }}": "`%` makes too long a text or list",
    "{{ record.form | format(1) }}": "`%` takes widths and precisions of 999 at most",
    "{{ ('%(a)s' * 2000) | format(a=record.long) }}": "`format` makes too long a text",
    "{{ record.braces.format(1) }}": "`format` takes widths and precisions of 999 at most",
    "{{ '{:>{}}'.format(1, record.width) }}": "`format` takes widths and precisions of 999 at most",
    "{{ '{a:>{b}}'.format_map({'a': 1, 'b': record.width}) }}": "`format` takes widths and precisions of 999",
    "{{ record.repeated.format(record.long) }}": "`format` makes too long a text",
    "{{ record.body.center(record.width) }}": "the method `center` is absent; pad with a format, as in {{",
    "{{ (1).to_bytes(record.width) }}": "the method `to_bytes` is absent; a prompt has no bytes",
    "{{ record.long.replace('', record.long) }}": "the method `replace` makes too long a text",
    "{{ record.long.join(record.many) }}": "`join` makes too long a text",
    "{{ record.long.join(record.many | map('upper')) }}": "`join` makes too long a text",
    "{{ 'x\ny' | indent(record.width) }}": "`indent` makes too long a text",
    "{{ 'x\ny' | indent(width=record.long * 999) }}": "`indent` makes too long a text",
    "{{ record.long | replace('', record.long) }}": "`replace` makes too long a text",
    "{{ record.many | join(record.long) }}": "`join` makes too long a text",
    "{{ record.many | map('replace', '', record.long * 999) | list }}": "`replace` makes too long a text",
    "{{ 1.5 | round(record.width) }}": "`round` makes too long a text",
    "{{ {'a': 1} | tojson(indent=record.width) }}": "`tojson` indents by 40 at most",
    DOUBLED % ("'xy'", "ns.x + ns.x"): "`+` makes too long a text or list",
    DOUBLED % ("3", "ns.x * ns.x"): "a product is too long",
    DOUBLED % ("['xy']", "ns.x + ns.x"): "`+` makes too long a text or list",
}  # fmt: skip

HARMLESS = {
    "{{ 2 ** 10 }} {{ 7 % 4 }} {{ 2 * 3 + 1 }}": "1024 3 7",
    "{{ '-' * 5 }}{{ [1] * 2 + [3] }}": "-----[1, 1, 3]",
    "{{ '%05.1f|%s|%%' % (1.25, 'x') }}": "001.2|x|%",
    "{{ '%(a)s-%(a)3d' % {'a': 1} }}": "1-  1",
    "{{ '%s and %s' | format('a', 'b') }}": "a and b",
    "{{ '%(a)s' | format(a='b') }}": "b",
    "{{ '{:>4}|{a:<3}|{{}}|{b:,.2f}'.format(1, a=2, b=1234.5) }}": "   1|2  |{}|1,234.50",
    "{{ '{a}'.format_map({'a': 1}) }}": "1",
    "{{ 'x\ny' | indent(2) }}": "x\n  y",
    "{{ [1, 2] | sum }} {{ [{'a': 2}] | sum('a', 1) }} {{ [1.5, 2.5] | sum }}": "3 3 4.0",
    "{{ 'aXa' | replace('a', 'b', 1) }}{{ 'a-b'.replace('-', '+') }}": "bXaa+b",
    "{{ [1, none, 'x'] | join(', ') }}{{ ','.join(['a', 'b']) }}": "1, , xa,b",
    "{{ ', '.join(['a', 'b'] | map('upper')) }}": "A, B",
    "{{ [{'a': 1}, {'a': 2}] | join('-', attribute='a') }}": "1-2",
    "{{ 1.256 | round(2) }}": "1.26",
    "{{ {'a': [1, 2]} | tojson }}": '{"a": [1, 2]}',
    "{% for one in [[1, [2]], 3] recursive %}{{ loop(one) if one is iterable else one }}{% endfor %}": "123",
    "{{ range(100000) | list | length }}": "100000",
    "{{ record.body ~ none ~ 1 }}": "an invoice1",
    "{{ ('x' * 10**6) | length }}": "1000000",
}  # fmt: skip


def rendered(template: str) -> Any:
    return Prompt(template + "{{ record.none }} body: {{ record.body }}", {}, list(RECORD)).render(RECORD)


def test_what_would_cost_gigabytes_skips_the_record_and_says_why() -> None:
    for template, said in BOMBS.items():
        skip = rendered(template)
        assert isinstance(skip, Skip), template
        assert skip.code == "prompt_error"
        assert said in skip.message, template


def test_no_operator_filter_method_or_loop_makes_gigabytes_of_a_records_values() -> None:
    bombs = str(Path(__file__).with_name("bombs.py"))
    done = subprocess.run(
        [sys.executable, bombs],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(runware_provider.__file__).parents[1])},
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-2000:]


def test_what_prompts_need_is_rendered() -> None:
    for template, text in HARMLESS.items():
        assert rendered(template) == text + " body: an invoice", template


def test_a_rendering_stops_where_it_is_longer_than_a_prompt_may_be() -> None:
    template = (
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ record.body }}{% endfor %}{% endfor %}"
    )
    skip = Prompt(template, {}, ["body"], max_chars=1_000).render(RECORD)
    assert skip == Skip("too_long", "the prompt has more than 1,000 characters")
    assert Prompt(template, {}, ["body"]).render(RECORD) == Skip(
        "too_long", "the prompt has more than 10,000,000 characters"
    )
