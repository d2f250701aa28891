from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.templates.prompt import Prompt, Skip

RECORD: dict[str, Any] = {
    "body": "Invoice 7",
    "title": None,
    "items": "the items column",
    "keys": ["k1", None],
    "count": 3,
    "lines": [{"items": 2, "keys": {"values": "deep"}, "scan": b"\x00"}],
    "scan": b"caf\xc3\xa9",
    "total": Decimal("12.50"),
    "due": dt.date(2026, 1, 31),
}


def rendered(template: str, record: dict[str, Any] | None = None, **variables: Any) -> str | Skip:
    return Prompt(template, variables, tuple(RECORD)).render(record or RECORD)


def refusal(template: str, **variables: Any) -> str:
    with pytest.raises(BadInput) as caught:
        Prompt(template, variables, tuple(RECORD))
    return str(caught.value)


def test_a_record_is_rendered() -> None:
    assert rendered("Read: {{ record.body }}, due {{ record.due }}, {{ record['total'] }}\n") == (
        "Read: Invoice 7, due 2026-01-31, 12.50"
    )


def test_what_no_encoding_can_hold_is_not_sent() -> None:
    skip = rendered("{{ record.body }} {{ params.half }}", params={"half": "\ud800"})
    assert isinstance(skip, Skip)
    assert skip.code == "prompt_error"
    assert "half of a surrogate pair" in skip.message
    assert (
        rendered("{{ record.body }} {{ params.whole }}", params={"whole": "\U00010000"})
        == "Invoice 7 \U00010000"
    )


def test_variables_stand_beside_the_record() -> None:
    assert rendered(
        "{{ ds }} {{ params.lang }}: {{ record.body }}", ds="2026-01-01", params={"lang": "de"}
    ) == ("2026-01-01 de: Invoice 7")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ record.items }}", "the items column"),
        ("{{ record['items'] }}", "the items column"),
        ("{{ record.count }}", "3"),
        ("{{ record.keys | first }}", "k1"),
        ("{{ record.lines[0].items }}", "2"),
        ("{{ record.lines[0].keys.values }}", "deep"),
        ("{% for line in record.lines %}{{ line.items }}{% endfor %}", "2"),
        ("{{ record.lines | map(attribute='items') | join }}", "2"),
        ("{% set one = record %}{{ one.items }}", "the items column"),
    ],
)
def test_a_column_called_like_a_method_is_the_column(template: str, text: str) -> None:
    assert rendered(template) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ record.title }}!",
        "{{ record.title | trim | upper }}!",
        "{{ record.title ~ '!' }}",
        "{{ record.title | default('', true) }}!",
    ],
)
def test_a_null_is_printed_as_nothing(template: str) -> None:
    assert rendered(template + "{# #}" + "{{ record.body[:0] }}") == "!"


def test_a_null_is_null_for_tests_and_defaults() -> None:
    assert rendered("{{ record.body }}{{ ' no title' if record.title is none }}") == "Invoice 7 no title"
    assert rendered("{{ record.body }}{{ record.title or '?' }}") == "Invoice 7?"


def test_json_is_written_for_a_model_and_not_for_a_browser() -> None:
    record = RECORD | {
        "lines": [{"name": "<Müller's>", "day": dt.date(2026, 1, 2), "price": Decimal("1.10")}]
    }
    assert rendered("{{ record.lines | tojson }}", record) == (
        '[{"name": "<Müller\'s>", "day": "2026-01-02", "price": "1.10"}]'
    )


@pytest.mark.parametrize(
    ("template", "columns"),
    [
        ("{{ record.title }} {{ record.body }} {{ record.title }}", ("title", "body")),
        ("{{ record['body'] | upper }}", ("body",)),
        ("{% for line in record.lines if line.items %}{{ record.due }}{% endfor %}", ("lines", "due")),
        ("{% set text = record.body %}{{ text }}", ("body",)),
        ("{% if record.count > 2 %}{{ record.body }}{% else %}{{ record.title }}{% endif %}", None),
        ("{% macro show(x) %}{{ x }}{{ record.due }}{% endmacro %}{{ show(record.body) }}", ("due", "body")),
        ("{% raw %}{{ record.title }}{% endraw %}{{ record.body }}", ("body",)),
        ("no column at all", ()),
    ],
)
def test_the_named_columns_are_found(template: str, columns: tuple[str, ...] | None) -> None:
    expected = ("count", "body", "title") if columns is None else columns
    assert Prompt(template, {}, tuple(RECORD)).columns == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ record[name] }}",
        "{% for name in record %}{{ name }}{% endfor %}",
        "{{ record | tojson }}",
        "{% set row = record %}{{ row.body }}",
        "{% for record in record.lines %}{{ record.no_column }}{% endfor %}",
    ],
)
def test_all_columns_are_meant_where_the_template_does_not_tell(template: str) -> None:
    assert Prompt(template, {"name": "body"}, tuple(RECORD)).columns == tuple(RECORD)


def test_a_column_that_there_is_not_is_refused_with_a_proposal() -> None:
    assert refusal("Read\n{{ record.bdy }}") == (
        "prompt: line 2: column 'bdy' is not in the data; the data has: body, title, items, keys, count, lines, "
        "scan, total, due. Did you mean 'body'?"
    )


def test_a_mapping_method_is_refused_like_any_missing_column() -> None:
    message = refusal("{% for name, value in record.values() %}{% endfor %}")
    assert "record | items" in message


def test_a_syntax_error_is_refused_with_its_line() -> None:
    assert "line 3" in refusal("a\nb\n{{ record.body")
    assert "line 2" in refusal("a\n{{ record.body | no_such_filter }}")
    assert "nested too deeply" in refusal("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}")
    assert "cannot be compiled" in refusal("{{ " + "9" * 5000 + " }}")


def test_an_undefined_name_is_refused_with_the_known_ones() -> None:
    message = refusal("{{ parms.lang }}", params={}, run_id="r")
    assert "'parms' is not defined" in message
    assert "record, params, run_id" in message
    assert "Did you mean 'params'?" in message
    assert "{{ record.body }}" in refusal("{{ body }}")


@pytest.mark.parametrize("name", ["ds", "logical_date", "data_interval_start", "data_interval_end"])
def test_a_date_of_a_run_without_dates_is_explained(name: str) -> None:
    assert "no logical date" in refusal(f"{{{{ {name} }}}} {{{{ record.body }}}}", params={})


def test_a_variable_called_record_is_refused() -> None:
    assert "`record` is taken" in refusal("{{ record.body }}", record={})


@pytest.mark.parametrize("template", ["{% include 'a' %}", "{% extends 'a' %}", "{% from 'a' import b %}"])
def test_other_templates_are_refused(template: str) -> None:
    assert "one template" in refusal(template)


@pytest.mark.parametrize("template", ["{{ record.keys | random }}", "{{ lipsum() }}"])
def test_what_differs_between_renderings_is_refused(template: str) -> None:
    refusal(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ record.body.upper }}",
        "{{ record.lines | map(attribute='items') }}",
        "{{ range }}",
        "{{ 'Lines: ' ~ record.keys | map('upper') }}",
        "{{ record.keys | map('upper') | string }}",
        "{{ '%s' % record.keys | map('upper') }}",
        "{{ '{}'.format(record.keys | map('upper')) }}",
        "{{ '{!r}'.format(record.keys | map('upper')) }}",
        "{{ [record.keys | map('upper')] }}",
        "{{ [[record.body.upper]] | join }}",
        "{{ cycler(1, 2) }}{{ record.body }}",
        "{{ namespace(a=record.body.upper) }}",
    ],
)
def test_what_would_print_a_memory_address_is_an_error(template: str) -> None:
    skip = rendered(template)
    assert isinstance(skip, Skip)
    assert skip.code == "prompt_error"


def test_a_record_without_any_named_value_is_empty() -> None:
    prompt = Prompt("Read {{ record.body }} {{ record.title }}", {}, tuple(RECORD))
    for blank in (None, "", " \n"):
        skip = prompt.render({"body": blank, "title": None})
        assert skip == Skip("empty", "null or blank: body, title")
    assert prompt.render({"body": None, "title": "x"}) == "Read  x"


def test_zero_and_false_are_not_blank() -> None:
    assert rendered("{{ record.count }}", {"count": 0}) == "0"
    assert rendered("{{ record.count }}", {"count": False}) == "False"


def test_a_prompt_that_renders_to_blanks_is_empty() -> None:
    assert rendered("{% if record.count > 9 %}{{ record.body }}{% endif %} ") == Skip(
        "empty", "the rendered prompt is blank"
    )


def test_a_prompt_that_is_too_long_is_skipped_and_never_cut() -> None:
    prompt = Prompt("{{ record.body }}", {}, ("body",), max_chars=5)
    assert prompt.render({"body": "12345"}) == "12345"
    assert prompt.render({"body": "123456"}) == Skip("too_long", "the prompt has more than 5 characters")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ record.lines[0].nme }}", "UndefinedError in line 1: there is no column or field 'nme'"),
        ("\n{{ record.title.x ~ record.body }}", "UndefinedError in line 2: 'None' has no attribute 'x'"),
        (
            "{{ record.title | length }}{{ record.body }}",
            "TypeError in line 1: object of type 'NoneType' has no len()",
        ),
        ("{{ record.lines[5].x }}", "UndefinedError in line 1: list object has no element 5"),
        ("{{ record.lines[record.count].x }}", "UndefinedError in line 1: a field that there is not"),
        ("{{ record.scan }}", "UnprintableValueError in line 1: a binary value is printed"),
        ("{{ record.scan[:1] }}", "UnprintableValueError in line 1: a binary value is printed"),
        ("{{ '%s' % [record.scan[:1]] }}", "UnprintableValueError in line 1: a binary value is printed"),
        ("{{ '{!r}'.format(record.scan) }}", "UnprintableValueError in line 1: a binary value is printed"),
        ("{{ record.scan | upper }}", "UnprintableValueError in line 1: a binary value is printed"),
        ("{{ record }}", "UnprintableValueError in line 1: a binary value is printed"),
        ("{{ record.lines | tojson }}", "UnprintableValueError in line 1: a binary value is printed"),
        ("{{ record.body.__class__ }}", "SecurityError in line 1: access to attribute '__class__'"),
        ("{{ record.body | attr('__class__') }}", "SecurityError in line 1: access to attribute '__class__'"),
        (
            "{{ record | attr('__class__') }}",
            "UndefinedError in line 1: there is no column or field '__class__'",
        ),
        ("{% for i in range(9999999) %}{{ i }}{% endfor %}", "OverflowError in line 1: Range too big"),
        ("{{ record.keys.append(1) }}", "SecurityError in line 1: "),
    ],
)
def test_an_error_while_rendering_skips_the_record_and_names_the_error(template: str, message: str) -> None:
    skip = rendered(template)
    assert isinstance(skip, Skip)
    assert skip.code == "prompt_error"
    assert skip.message.startswith(message)


@pytest.mark.parametrize(
    "template",
    [
        "{{ record.lines | map(attribute='itms') | list }}",
        "{{ [[record.lines[0].itms]] }}",
        "{{ {'a': record.lines[0].itms} }}",
        "{{ (record.lines | map(attribute='itms') | list) ~ '' }}",
        "{{ '%s' % [record.lines[0].itms] }}",
        "{{ '{}'.format([record.lines[0].itms]) }}",
        "{{ record.lines | map(attribute='itms') | join }}",
        "{{ record.lines | map(attribute='itms') | list | tojson }}",
        "{{ record.lines | map(attribute='itms') | list | string }}",
        "{% for name, value in record.lines[0].itms | items %}{% endfor %}",
        "{{ record.lines[0].itms | items | list }}",
        "{{ {'a': record.lines[0].itms} | xmlattr }}",
    ],
)
def test_a_field_that_there_is_not_is_an_error_inside_of_lists_and_structs_too(template: str) -> None:
    skip = rendered(template + "{{ record.body }}")
    assert isinstance(skip, Skip)
    assert skip.message == "UndefinedError in line 1: there is no column or field 'itms'"


def test_an_inline_if_without_else_is_nothing_where_it_is_printed_and_an_error_elsewhere() -> None:
    assert (
        rendered("{{ record.body }}{{ '!' if record.title }}{{ '' ~ ('!' if record.title) }}") == "Invoice 7"
    )
    for template in (
        "{{ ['x' if record.title] }}",
        "{{ '%s' % ['x' if record.title] }}",
        "{{ {'a': ('x' if record.title)} | tojson }}",
        "{{ ['x' if record.title] | join }}",
        "{{ ('x' if record.title) | upper }}",
    ):
        skip = rendered(template + "{{ record.body }}")
        assert isinstance(skip, Skip), template
        assert "an inline `if` has no `else`" in skip.message


def test_the_message_of_an_absent_method_says_what_to_write_and_ends_once() -> None:
    assert rendered("{{ record.body.ljust(20) }}") == Skip(
        "prompt_error",
        "TooMuchError in line 1: the method `ljust` is absent; "
        'pad with a format, as in {{ "{:<20}".format(record.column) }}',
    )
    assert rendered("{{ record.body.__class__ }}") == Skip(
        "prompt_error", "SecurityError in line 1: access to attribute '__class__' of 'str' object is unsafe"
    )


def test_a_binary_column_can_be_decoded() -> None:
    assert rendered("{{ record.scan.decode() }}") == "café"


def test_dunder_access_on_the_record_is_refused_before_anything_is_rendered() -> None:
    assert "'__class__' is not in the data" in refusal("{{ record.__class__ }}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ record[record.body] }}",
        "{{ {}[record.body] }}",
        "{{ record.lines[0][record.body].x }}",
        "{{ '%d' % record.body }}",
        "{{ record.body | attr(record.body) }}",
        "{{ record.body.index('x') }}",
        "{{ record.body.split(**{record.body: 1}) }}",
        "{{ record.body.format(**{record.body: 1}) }}{{ dict(**{record.body: 1}).a.b }}",
        "{{ record.body.encode('ascii').nothing }}",
        "{{ record.body.encode('ascii') + 1 }}",
        "{{ namespace(**{record.body: 1})[record.body].x }}",
    ],
)
@pytest.mark.parametrize(
    "secret", ["Tante Käthe", "it's 'quoted' data", "body' of a letter 'body", "__init__"]
)
def test_an_error_never_tells_what_the_record_holds(template: str, secret: str) -> None:
    skip = rendered(template, RECORD | {"body": secret})
    assert isinstance(skip, Skip)
    assert secret not in skip.message


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_text_is_rendered_as_it_is(text: str) -> None:
    assert rendered("<{{ record.body }}>{{ record.count }}", RECORD | {"body": text}) == f"<{text}>3"


@given(st.text(alphabet="{}%# |.[]()'recodbyfinset \n", max_size=60))
def test_any_template_is_compiled_or_refused(template: str) -> None:
    try:
        prompt = Prompt(template, {}, tuple(RECORD))
    except BadInput:
        return
    assert isinstance(prompt.render(RECORD), str | Skip)


LINES = {"lines": [{"name": "a", "deep": {"x": 1}}, {"name": "b", "deep": None}]}
MISSPELT = [
    "{{ record.lines | map(attribute='nmae') | list }}",
    "{{ record.lines | map(attribute='nmae') | list | string }}",
    "{{ record.lines | map(attribute='nmae') | list | tojson }}",
    "{{ record.lines | map(attribute='nmae') | list ~ '!' }}",
    "{{ record.lines | map(attribute='nmae') | join(', ') }}",
    "{{ record.lines | map(attribute='nmae') | first }}",
    "{{ record.lines | map(attribute='nmae') | unique | list }}",
    "{{ record.lines | map(attribute='nmae') | reject('none') | list }}",
    "{{ record.lines | map(attribute='nmae') | map('string') | list }}",
    "{{ record.lines | map(attribute='deep.y') | list }}",
    "{{ record.lines | map('attr', 'nmae') | list }}",
    "{{ record.lines | join(', ', attribute='nmae') }}",
    "{{ record.lines | sum(attribute='nmae') }}",
    "{{ record.lines | groupby('nmae') | list }}",
    "{{ record.lines | selectattr('nmae') | list }}",
    "{{ record.lines | selectattr('nmae', 'none') | list }}",
    "{{ record.lines | rejectattr('nmae', 'none') | list }}",
    "{{ record.lines | rejectattr('nmae', 'string') | list }}",
    "{{ record.lines | selectattr('nmae', 'equalto', 'a') | list }}",
    "{{ record.lines[0].nmae is none }}",
    "{{ record.lines[0].nmae is not string }}",
    "{{ [record.lines[0].nmae] }}",
    "{{ {'a': [record.lines[0].nmae]} }}",
    "{{ '%s' % [record.lines[0].nmae] }}",
    "{{ '{0.nmae}'.format(record.lines[0]) }}",
    "{{ dict(a=record.lines[0].nmae) }}",
]


def test_a_misspelt_field_reaches_no_prompt_through_any_filter_or_test(subtests: pytest.Subtests) -> None:
    for template in MISSPELT:
        with subtests.test(template=template):
            skip = rendered(template + "{# #}{{ record.lines | length }}", {**RECORD, **LINES})
            assert isinstance(skip, Skip), skip
            assert skip.code == "prompt_error"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ record.lines[0].nmae is defined }}", "False"),
        ("{{ record.lines[0].nmae is undefined }}", "True"),
        ("{{ record.lines[0].nmae | default('none') }}", "none"),
        ("{{ record.lines | map(attribute='nmae', default='none') | join }}", "nonenone"),
        ("{{ record.lines | selectattr('deep', 'none') | map(attribute='name') | join }}", "b"),
    ],
)
def test_who_asks_whether_a_field_is_there_is_told(template: str, text: str) -> None:
    assert rendered(template, {**RECORD, **LINES}) == text
