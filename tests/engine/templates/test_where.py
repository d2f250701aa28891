from __future__ import annotations

import datetime as dt
import math
import operator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.templates.sandbox import Skip
from runware_provider.engine.templates.where import Where

UTC = dt.UTC
RECORD: dict[str, Any] = {
    "language": "de",
    "body": "Invoice 7",
    "note": None,
    "count": 3,
    "share": 0.1,
    "total": Decimal("120.10"),
    "paid": True,
    "due": dt.date(2026, 1, 31),
    "sent": dt.datetime(2026, 1, 31, 12, 0),  # noqa: DTZ001 - Arrow's timestamps have no zone unless one is given
    "read": dt.datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    "noon": dt.time(12, 0),
    "took": dt.timedelta(seconds=90),
    "tags": ["urgent", "paper"],
    "lines": [{"name": "bolt", "items": 2}, {"name": "nut", "items": None}],
    "payer": {"name": "Käthe", "town": None},
    "scan": b"caf\xc3\xa9",
    "uid": UUID(int=7),
}
VARIABLES = {"ds": "2026-01-31", "params": {"ids": [1, 3], "days": ["2026-01-30", "2026-01-31"]}}


def chosen(expression: str, record: dict[str, Any] | None = None) -> bool | Skip:
    return Where(expression, VARIABLES, tuple(RECORD)).chooses(record or RECORD)


def refusal(expression: str, **variables: Any) -> str:
    with pytest.raises(BadInput) as caught:
        Where(expression, variables, tuple(RECORD))
    assert caught.value.field == "where"
    return str(caught.value)


def error(expression: str, record: dict[str, Any] | None = None) -> str:
    skip = chosen(expression, record)
    assert isinstance(skip, Skip), skip
    assert skip.code == "where_error"
    return skip.message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("record.language == 'de' and record.total > 100", True),
        ("record.language == 'fr' or record.total < 100", False),
        ("record['language'] != 'fr'", True),
        ("record.language in ['de', 'fr']", True),
        ("record.language not in ('de', 'fr')", False),
        ("record.count in params.ids", True),
        ("record.count in range(4)", True),
        ("record.count in range(3)", False),
        ("record.count % 2 == 1", True),
        ("record.count ** 2 * 2 == 18", True),
        ("1 < record.count <= 3", True),
        ("1 < record.count < 3 < 9", False),
        ("record.body | length < 5000", True),
        ("record.body is not none", True),
        ("record.note is none", True),
        ("record.note or record.paid", True),
        ("record.paid", True),
        ("not record.paid", False),
        ("record.paid == true", True),
        ("'voice' in record.body", True),
        ("record.body.startswith('Invoice')", True),
        ("record.body | upper == 'INVOICE 7'", True),
        ("record.body | replace('Invoice ', '') | int == 7", True),
        ("record.note | replace('a', 'b') is none", True),
        ("record.tags | join('-') == 'urgent-paper'", True),
        ("record.lines | join(', ', attribute='name') == 'bolt, nut'", True),
        ("record.share | round(1) == 0.1", True),
        ("record.body ~ record.note == 'Invoice 7'", True),
        ("'urgent' in record.tags", True),
        ("record.tags == ('urgent', 'paper')", True),
        ("record.tags == ['urgent']", False),
        ("record.lines[0].items == 2", True),
        ("record.lines[0] == {'name': 'bolt', 'items': 2}", True),
        ("record.lines[0] == {'name': 'bolt'}", False),
        ("'name' in record.payer", True),
        ("record.payer.name == 'Käthe'", True),
        ("record.lines | selectattr('items', 'eq', 2) | list", True),
        ("record.lines | selectattr('items', 'eq', 5) | list", False),
        ("record.lines | map(attribute='name') | select('in', ['nut']) | list | length == 1", True),
        ("'nut' in record.lines | map(attribute='name')", True),
        ("record.scan.decode() == 'café'", True),
        ("record.took.total_seconds() > 60", True),
        ("record.count is divisibleby 3", True),
        ("record.language is eq 'de'", True),
        ("record.count is in params.ids", True),
        ("record.payer.street is defined", False),
        ("(record.paid if record.count > 2 else record.note)", True),
        ("record.count > 1\n  and record.paid", True),
    ],
)
def test_a_record_is_chosen_where_the_expression_is_true_of_it(expression: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert chosen(expression) is expected


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("record.total > 100 and record.language == 'de' or record.total < 0", ("total", "language")),
        ("record['body'] | length < 5", ("body",)),
        ("record.lines[0].name == 'x'", ("lines",)),
        ("record[ds] == 3", tuple(RECORD)),
        ("'name' in record", tuple(RECORD)),
        ("record | tojson | length < 100", tuple(RECORD)),
    ],
)
def test_the_columns_that_it_reads_are_known(expression: str, columns: tuple[str, ...]) -> None:
    assert set(Where(expression, VARIABLES, tuple(RECORD)).columns) == set(columns)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("record.due == ds", True),
        ("record.due == '2026-01-30'", False),
        ("'2026-01-30' < record.due", True),
        ("record.due in params.days", True),
        ("record.due in ['2026-01-30']", False),
        ("record.due | string == ds", True),
        ("record.sent > ds", True),
        ("record.sent == '2026-01-31T12:00:00'", True),
        ("record.sent == '2026-01-31 12:00:00'", True),
        ("record.read >= '2026-01-31T13:00:00+01:00'", True),
        ("record.noon < '12:00:01'", True),
        ("record.sent.date() == record.due", True),
    ],
)
def test_a_date_is_compared_with_the_date_that_a_text_writes(expression: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert chosen(expression) is expected


@pytest.mark.parametrize(
    "expression",
    [
        "record.due == '31.01.2026'",
        "record.due == '20260131'",
        "record.due == '2026-02-30'",
        "record.due < '2026-01-31T00:00:00'",
        "record.sent == 'yesterday'",
        "record.due in ['yesterday', 'today']",
        "record.noon == 'noon'",
    ],
)
def test_a_text_that_is_no_date_is_an_error_where_a_date_is_compared(expression: str) -> None:
    assert "with a text that is no" in error(expression)


def test_a_clock_with_a_zone_is_not_compared_with_one_without() -> None:
    for expression in ("record.read == record.sent", "record.read > ds", "record.sent in [record.read]"):
        assert "has a time zone and the other has none" in error(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("record.share == 0.1", True),
        ("record.total == 120.10", True),
        ("record.total == 120.1", True),
        ("record.total in [120.1]", True),
        ("120.1 < record.total", False),
        ("record.total > 120", True),
    ],
)
def test_a_float_beside_a_decimal_is_what_is_written(expression: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert chosen(expression) is expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("record.count == '3'", "a number is compared with a text"),
        ("record.count != '3'", "a number is compared with a text"),
        ("record.language < 3", "a text is compared with a number"),
        ("record.total == '120.10'", "a number is compared with a text"),
        ("record.paid == 'true'", "without quotes"),
        ("record.due == 20260131", "a date is compared with a number"),
        ("record.due == record.sent", ".date()"),
        ("record.took > 60", "a duration is compared with a number"),
        ("record.scan == 'café'", ".decode()"),
        ("record.scan in 'café'", ".decode()"),
        ("record.uid == '00000000-0000-0000-0000-000000000007'", "`string`"),
        ("record.tags == 'urgent'", "a list is compared with a text"),
        ("record.tags == ['urgent', 1]", "a text is compared with a number"),
        ("record.lines[0] == {'name': 1, 'items': 2}", "a text is compared with a number"),
        ("record.count in ['3', '4']", "a number is looked for in a list with a text"),
        ("record.count not in ['3', none]", "a number is looked for in a list with a text"),
        ("record.language in range(3)", "a text is looked for in a list with a number"),
        ("record.count in record.body", "a number is looked for in a text"),
        ("record.count is eq '3'", "a number is compared with a text"),
        ("record.tags | reject('eq', 3) | list", "a text is compared with a number"),
        ("record.body.upper == 'X'", "call it"),
        ("record.tags | select('eq', 'x') == []", "a generator is compared"),
    ],
)
def test_values_of_unlike_kinds_are_an_error_and_never_just_unequal(expression: str, said: str) -> None:
    assert said in error(expression)


def test_a_list_of_several_kinds_is_searched_for_values_of_the_same_kind() -> None:
    assert chosen("record.count in ['x', 3]") is True
    assert chosen("record.count in ['x', 4]") is False
    assert chosen("record.count in []") is False
    assert chosen("record.count in [none]") is False


def test_a_null_equals_a_null_alone_and_has_no_order() -> None:
    assert chosen("record.note == 'x'") is False
    assert chosen("record.note != 'x'") is True
    assert chosen("record.note == none") is True
    assert chosen("record.note in ['x', none]") is True
    assert chosen("record.note in ['x', 1]") is False
    for expression in ("record.note > 3", "3 > record.note", "record.note <= none"):
        assert "a null is neither less nor greater" in error(expression)
    assert "a null holds nothing" in error("'x' in record.note")
    assert "has no len()" in error("record.note | length < 3")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("record.payer.street == 'x'", "there is no column or field 'street'"),
        ("record.payer.street == none", "there is no column or field 'street'"),
        ("record.payer.street in []", "there is no column or field 'street'"),
        ("not record.payer.street", "there is no column or field 'street'"),
        ("record.payer.street and record.paid", "there is no column or field 'street'"),
        ("record.note.x", "'None' has no attribute 'x'"),
        ("record.lines[9].name == 'x'", "has no element 9"),
        ("record.count / 0 > 1", "division by zero"),
        ("\nrecord.body + 1 == 2", "line 2"),
        ("record.body.__class__", "unsafe"),
        ("record.tags.append('x')", "SecurityError"),
        ("record.count in 3", "a number holds nothing"),
    ],
)
def test_an_error_of_evaluation_is_told_and_loses_no_record(expression: str, said: str) -> None:
    assert said in error(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "record.tags | select('eq', 'nothing')",
        "record.paid and record.tags | select('eq', 'nothing')",
        "not record.tags | map('upper')",
        "record.body.isdigit",
        "record.body.isdigit or record.paid",
        "1 if record.body.isdigit else 0",
    ],
)
def test_what_is_true_whatever_the_record_holds_is_an_error(expression: str) -> None:
    assert "always true" in error(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "record.count ** (10 ** 9)",
        "9 ** (9 ** 9) > record.count",
        "record.body * 1000000000",
        "[record.body] * 1000000000",
        "1000000000 * record.body",
        "'%999999999d' % record.count",
        "'{:>999999999}'.format(record.count)",
        "'{x:>999999999}'.format_map({'x': record.count})",
        "record.body.center(999999999)",
        "(record.body | attr('ljust'))(999999999)",
        "record.body['zfill'](999999999)",
        "record.body.replace('', 'x' * 9)",
        "record.count.to_bytes(999999999, 'big')",
        "record.count | round(999999999, 'ceil')",
        "record.body in range(999999999)",
        "range(9999) | join(range(9999) | join) in record.body",
        "record.body in (range(9999) | join | replace('', range(9999) | join))",
    ],
)
def test_what_would_take_minutes_or_gigabytes_is_an_error(expression: str) -> None:
    error(expression)


@pytest.mark.parametrize("name", ["center(9)", "format(9)", "indent(9)", "batch(9)", "random", "no_such"])
def test_filters_that_no_condition_needs_are_refused(name: str) -> None:
    assert f"No filter named '{name.partition('(')[0]}'" in refusal(f"record.body | {name}")


@pytest.mark.parametrize("expression", ["", " \n"])
def test_an_empty_expression_is_refused(expression: str) -> None:
    assert "it is empty" in refusal(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "{{ record.paid }}",
        " {{record.paid}}",
        "{% if record.paid %}x{% endif %}",
        "record.due == {{ ds }}",
        "record.paid }}",
    ],
)
def test_braces_are_refused_with_the_word_to_leave_them_out(expression: str) -> None:
    assert "without braces" in refusal(expression, ds="2026-01-31")


def test_braces_within_a_text_are_a_text() -> None:
    assert chosen("'{{' in record.body") is False


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("record.count = 3", "line 1: unexpected '='"),
        ("record.count ==", "line 1: unexpected 'end of expression'"),
        ("record.count == 3\nrecord.paid", "line 2: unexpected 'record'"),
        ("record.paid AND record.count", "unexpected 'AND'"),
        ("record.paid && record.count", "unexpected char '&' at 12"),
        ("record.note is not null", "is none, is not none"),
        ("record.note == null", "is none, is not none"),
        ("record.count, record.paid", "unexpected ','"),
        ("record.count == " + "9" * 5000, "cannot be compiled"),
        ("(" * 3000 + "record.paid" + ")" * 3000, "nested too deeply"),
    ],
)
def test_a_syntax_error_is_refused_with_its_place(expression: str, said: str) -> None:
    assert said in refusal(expression)


def test_a_column_that_there_is_not_is_refused_with_the_nearest() -> None:
    message = refusal("record.langauge == 'de'")
    assert message.startswith(
        "where: line 1: column 'langauge' is not in the data; the data has: language, body,"
    )
    assert message.endswith("Did you mean 'language'?")
    assert "filters stand in place of methods" in refusal("record.items() | length > 3")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    assert "Columns are written record.language" in refusal("language == 'de'")
    assert "the expression may name: record, params, run_id" in refusal("x == 1", params={}, run_id="r")
    assert "Did you mean 'params'?" in refusal("record.count in parms.ids", params={})
    assert "no logical date" in refusal("record.due == ds", params={})


def test_a_variable_called_record_is_refused() -> None:
    with pytest.raises(BadInput, match="`record` is taken"):
        Where("record.paid", {"record": {}}, tuple(RECORD))


@pytest.mark.parametrize("expression", ["true", "1 == 1", "params.ids", "record", " record "])
def test_an_expression_without_a_column_is_refused(expression: str) -> None:
    assert "names no column" in refusal(expression, params={"ids": []})


@pytest.mark.parametrize(
    "expression",
    [
        "record[record.body]",
        "{}[record.body] == 1",
        "record.body == 3",
        "record.due == record.body",
        "record.count in record.body",
        "record.count in [record.body]",
        "record.body > none",
        "record.body.index('no such thing') > 3",
        "record.body | attr(record.body)",
        "record.body.split(**{record.body: 1})",
        "record.body.encode('ascii').nothing",
        "record.body | round > 3",
        "record.body % record.count == 1",
        "record.body()",
    ],
)
@pytest.mark.parametrize("secret", ["Tante Käthe", "it's 'quoted' data", "__init__"])
def test_an_error_never_tells_what_the_record_holds(expression: str, secret: str) -> None:
    assert secret not in error(expression, RECORD | {"body": secret})


SIGNS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
WHOLE = st.integers(-(2**63), 2**63)
FINE = st.floats(allow_nan=False)
EXACT = st.decimals(allow_nan=False)
PAIRS = st.one_of(
    *(
        st.tuples(one, other)
        for one, other in [
            (st.text(max_size=3), st.text(max_size=3)),
            (WHOLE | FINE | st.booleans(), WHOLE | FINE | st.booleans()),
            (WHOLE | EXACT, WHOLE | EXACT),
            (st.dates(), st.dates()),
            (st.datetimes(), st.datetimes()),
            (st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC))),
            (st.times(), st.times()),
            (st.timedeltas(), st.timedeltas()),
            (st.binary(max_size=3), st.binary(max_size=3)),
            (st.lists(WHOLE, max_size=2), st.lists(WHOLE, max_size=2)),
        ]
    )
)
COMPARING = {sign: Where(f"record.a {sign} record.b", {}, ("a", "b")) for sign in SIGNS}


@given(PAIRS, st.sampled_from(list(SIGNS)))
def test_values_of_like_kinds_compare_as_in_python(pair: tuple[Any, Any], sign: str) -> None:
    for left, right in (pair, (pair[0], pair[0])):
        expected = SIGNS[sign](left, right)
        assert COMPARING[sign].chooses({"a": left, "b": right}) is expected


@given(st.dates(), st.dates(), st.sampled_from(list(SIGNS)))
def test_a_date_compares_with_a_text_as_with_its_date(left: dt.date, right: dt.date, sign: str) -> None:
    assert COMPARING[sign].chooses({"a": left, "b": right.isoformat()}) is SIGNS[sign](left, right)
    assert COMPARING[sign].chooses({"a": left.isoformat(), "b": right}) is SIGNS[sign](left, right)


@given(PAIRS, st.lists(PAIRS, max_size=2))
def test_a_value_is_in_a_list_as_in_python(pair: tuple[Any, Any], others: list[tuple[Any, Any]]) -> None:
    held = [pair[1], None, *(one for other in others for one in other if type(one) is type(pair[0]))]
    inside = Where("record.a in record.b", {}, ("a", "b")).chooses({"a": pair[0], "b": held})
    if isinstance(inside, Skip):
        assert "time zone" in inside.message
    else:
        assert inside is (pair[0] in held)


def test_a_float_that_is_no_number_equals_nothing() -> None:
    record = RECORD | {"share": math.nan}
    assert chosen("record.share == record.share", record) is False
    assert chosen("record.share == record.total", record) is False
    assert chosen("record.share == 0.1 or record.share != 0.1", record) is True


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | WHOLE
    | st.floats()
    | st.decimals()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.times()
    | st.timedeltas()
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
ANYWAY = [
    Where(expression, {}, ("a", "b"))
    for expression in (
        *(f"record.a {sign} record.b" for sign in (*SIGNS, "in", "not in")),
        "record.a and not record.b.a",
        "record.a ~ record.b",
        "record.a * record.b or record.a % record.b or record.a ** record.b or record.a + record.b",
        "record.a | length > record.b | abs | round(record.a)",
        "record.a | map('upper') | select('eq', record.b) | list or record.a | join(record.b)",
        "record.a | replace(record.b, record.a) | sort | first",
        "record[record.a][record.b]()",
    )
]


@given(VALUES, VALUES, st.sampled_from(ANYWAY))
def test_whatever_a_record_holds_it_is_chosen_or_not_or_skipped(a: Any, b: Any, where: Where) -> None:
    verdict = where.chooses({"a": a, "b": b})
    assert verdict is True or verdict is False or isinstance(verdict, Skip)


WORDS = [
    "record",
    "record.count",
    "record.body",
    "record.tags",
    "record.note",
    ".x",
    "[0]",
    "['a']",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "|",
    "~",
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "=",
    "in",
    "not",
    "is",
    "and",
    "or",
    "if",
    "else",
    "none",
    "true",
    "3",
    "0.5",
    "9",
    "99999",
    "'a'",
    '"b"',
    "ds",
    "upper",
    "length",
    "round",
    "center",
    "join",
    "replace",
    "range",
    "select",
    "map",
    "list",
    "eq",
    "defined",
    "\n",
    "{{",
    "}}",
    "{%",
    "%}",
    "#",
    "&",
    "!",
    "\\",
    "'",
    "☃",
    "\x00",
]


@given(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
    | st.text(max_size=30)
    | st.text(max_size=30).map("record.body == ".__add__)
)
def test_any_text_is_compiled_or_refused(expression: str) -> None:
    try:
        where = Where(expression, {"ds": "2026-01-31"}, tuple(RECORD))
    except BadInput:
        return
    assert isinstance(where.chooses(RECORD), bool | Skip)
