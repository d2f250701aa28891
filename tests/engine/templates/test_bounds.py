"""What one record may cost while a prompt is rendered: slips of the pen skip the record, and nothing hangs."""

from __future__ import annotations

from typing import Any

import pytest

from runware_provider.engine.templates.bounds import (
    LONGEST,
    MOST_WORK,
    STEP,
    UnfitError,
    charge,
    weigh,
    working,
)
from runware_provider.engine.templates.prompt import Prompt, Skip

RECORD = {"body": "an invoice", "width": 10**9, "items": [1, 2, 3], "raw": b"ab", "none": None}
NESTED = "{% set ns = namespace(x=['x']) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
DOUBLED = (
    "{%% set ns = namespace(x=%s) %%}{%% for i in range(99) %%}{%% set ns.x = %s %%}{%% endfor %%}{{ ns.x }}"
)

BOMBS = {
    "{{ 9 ** (9 ** 9) }}": "a power is too long",
    "{{ (2 ** 2000) * (2 ** 2000) * (2 ** 2000) }}": "a product is too long",
    "{{ 'x' * 10**9 }}": "`*` makes too long a text or list",
    "{{ 10**9 * 'x' }}": "`*` makes too long a text or list",
    "{{ ([0] * 10**9) | length }}": "`*` makes too long a text or list",
    "{{ record.body * record.width }}": "`*` makes too long a text or list",
    "{{ record.raw * record.width }}": "`*` makes too long a text or list",
    "{{ range(10**9) | list }}": "Range too big",
    "{{ '%1000000000d' % 1 }}": "`%` makes too long a text or list",
    "{{ '%.1000000000f' % 1 }}": "`%` makes too long a text or list",
    "{{ '%*d' % (record.width, 1) }}": "`%` makes too long a text or list",
    "{{ '%(a)s' * 9999 % {'a': 'x' * 9999} }}": "`%` makes too long a text or list",
    "{{ '%1000000000d' | format(1) }}": "`%` makes too long a text or list",
    "{{ '{:>1000000000}'.format(1) }}": "the method `format` makes too long a text",
    "{{ '{:>{}}'.format(1, record.width) }}": "the method `format` makes too long a text",
    "{{ '{a:>{b}}'.format_map({'a': 1, 'b': record.width}) }}": "the method `format_map` makes too long a text",
    "{{ record.body.center(record.width) }}": "the method `center` makes too long a text",
    "{{ record.body.ljust(10**9) }}": "the method `ljust` makes too long a text",
    "{{ record.body.zfill(width=10**9) }}": "the method `zfill` makes too long a text",
    "{{ '\t'.expandtabs(10**9) }}": "the method `expandtabs` makes too long a text",
    "{{ ('x' * 9999).replace('', 'y' * 9999) }}": "the method `replace` makes too long a text",
    "{{ ('x' * 9999).join(['y'] * 9999) }}": "the method `join` makes too long a text",
    "{{ ('x' * 9999).translate({120: 'y' * 9999}) }}": "the method `translate` makes too long a text",
    "{{ (1).to_bytes(10**9).decode() }}": "the method `to_bytes` makes too long a text",
    "{{ 'x' | center(10**9) }}": "`center` makes too long a text",
    "{{ 'x\ny' | indent(10**9) }}": "`indent` makes too long a text",
    "{{ ('x' * 9999) | wordwrap(1, wrapstring='y' * 9999) }}": "`wordwrap` makes too long a text",
    "{{ [1] | batch(10**9, 0) | list }}": "`batch` makes too long a list",
    "{{ [1] | slice(10**9) | list }}": "`slice` makes too many lists",
    "{{ ('x' * 9999) | replace('', 'y' * 9999) }}": "`replace` makes too long a text",
    "{{ (['y'] * 9999) | join('x' * 9999) }}": "`join` makes too long a text",
    "{{ [1] | map('center', 10**9) | list }}": "`center` makes too long a text",
    "{{ [[0] * 9] | sum(start=[]) }}": "`sum` is for numbers",
    "{{ 1.5 | round(10**9) }}": "`round` is asked for too many digits",
    "{{ {'a': 1} | tojson(indent=10**9) }}": "`tojson` indents by 40 at most",
    DOUBLED % ("'xy'", "ns.x + ns.x"): "`+` makes too long a text or list",
    DOUBLED % ("'xy'", "ns.x ~ ns.x"): "too much work",
    DOUBLED % ("3", "ns.x * ns.x"): "a product is too long",
    DOUBLED % ("['xy']", "ns.x + ns.x"): "`+` makes too long a text or list",
    NESTED + "{{ ns.x }}": "what is written out is too long",
    NESTED + "{{ ns.x | tojson }}": "what is written out is too long",
    NESTED + "{{ ns.x | string | length }}": "what is written out is too long",
    NESTED + "{{ [ns.x] | join }}": "what is written out is too long",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}": "too much work",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}": "too much work",
    "{% set a = 'x' * 10**6 %}{% for i in range(999) %}{{ a }}{% endfor %}": "the text is too long",
    "{% for i in range(99999) %}{% for j in range(9) %}" + "x" * 999 + "{% endfor %}{% endfor %}": "too long",
}  # fmt: skip

HARMLESS = {
    "{{ 2 ** 10 }} {{ 7 % 4 }} {{ 2 * 3 + 1 }}": "1024 3 7",
    "{{ '-' * 5 }}{{ [1] * 2 + [3] }}": "-----[1, 1, 3]",
    "{{ '%05.1f %s %(%%) ' % (1.25, 'x') if false else '%05.1f|%s|%%' % (1.25, 'x') }}": "001.2|x|%",
    "{{ '%(a)s-%(a)3d' % {'a': 1} }}": "1-  1",
    "{{ '%s and %s' | format('a', 'b') }}": "a and b",
    "{{ '%(a)s' | format(a='b') }}": "b",
    "{{ '{:>4}|{a:<3}|{{}}'.format(1, a=2) }}": "   1|2  |{}",
    "{{ 'x' | center(3) }}|{{ 'x\ny' | indent(2) }}": " x |x\n  y",
    "{{ 'a b' | wordwrap(1) }}": "a\nb",
    "{{ [1, 2, 3] | batch(2, 0) | list }}": "[[1, 2], [3, 0]]",
    "{{ [1, 2, 3] | slice(2) | list }}": "[[1, 2], [3]]",
    "{{ [1, 2] | sum }} {{ [{'a': 2}] | sum('a', 1) }} {{ [1.5, 2.5] | sum }}": "3 3 4.0",
    "{{ 'aXa' | replace('a', 'b', 1) }}{{ 'a-b'.replace('-', '+') }}": "bXaa+b",
    "{{ [1, none, 'x'] | join(', ') }}{{ ','.join(['a', 'b']) }}": "1, None, xa,b",
    "{{ [{'a': 1}, {'a': 2}] | join('-', attribute='a') }}": "1-2",
    "{{ 1.256 | round(2) }}": "1.26",
    "{{ {'a': [1, 2]} | tojson }}": '{"a": [1, 2]}',
    "{% for one in record['items'] %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}": "1/3,2/3,3/3",
    "{% for one in record['items'] if one > 1 %}{{ one }}{{ loop.revindex }}{% else %}none{% endfor %}": "2231",
    "{% for one in [] %}x{% else %}none{% endfor %}": "none",
    "{% for one in [[1, [2]], 3] recursive %}{{ loop(one) if one is iterable else one }}{% endfor %}": "123",
    "{{ range(100000) | list | length }}": "100000",
    "{{ record.body ~ none ~ 1 }}": "an invoice1",
    "{{ ('x' * 10**6) | length }}": "1000000",
}  # fmt: skip


def rendered(template: str, record: dict[str, Any] = RECORD) -> Any:
    return Prompt(template + "{{ record.none }} body: {{ record.body }}", {}, list(record)).render(record)


@pytest.mark.parametrize("template", BOMBS)
def test_what_would_cost_minutes_or_gigabytes_skips_the_record_and_says_why(template: str) -> None:
    skip = rendered(template)
    assert isinstance(skip, Skip)
    assert skip.code == "prompt_error"
    assert BOMBS[template] in skip.message


@pytest.mark.parametrize("template", HARMLESS)
def test_what_prompts_need_is_rendered_as_before(template: str) -> None:
    assert rendered(template) == HARMLESS[template] + " body: an invoice"


def test_a_loop_over_what_cannot_be_looped_over_says_so_in_pythons_words() -> None:
    skip = rendered("{% for one in record.width %}{% endfor %}")
    assert isinstance(skip, Skip)
    assert "'int' object is not iterable" in skip.message


def test_the_work_of_one_record_is_not_charged_to_the_next() -> None:
    prompt = Prompt(
        "{% for i in range(90000) %}{% for j in range(4) %}{% endfor %}{% endfor %}{{ record.body }}",
        {},
        ["body"],
    )
    assert [prompt.render({"body": text}) for text in "ab"] == ["a", "b"]


def test_work_is_counted_only_within_a_rendering() -> None:
    charge(MOST_WORK + 1)
    with working():
        charge(MOST_WORK)
        with pytest.raises(UnfitError, match="too much work"):
            charge(1)


def test_what_is_nested_weighs_what_it_would_be_written_out() -> None:
    flat = ["x" * 100] * 10
    assert weigh([flat, flat]) > 2 * 10 * 100
    with pytest.raises(UnfitError):
        weigh([["x" * 100_000] * 100] * (LONGEST // 10**7 + 1))
    assert STEP > 1
