"""A filter that is written as a text, as the command line takes it: `total > 100` or `country in de, fr`.

Quotes keep a name or a value as it is, and a doubled quote in them is one, as in SQL. Without quotes, what SQL or
Python would read as something else is refused: taken literally, it could choose every record, which is paid for.
"""

from __future__ import annotations

import re
from typing import Final

from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import FIELD, Filter, normal_form

_QUOTED = r""" "(?:[^"]|"")*" | '(?:[^']|'')*' """
_WHOLLY_QUOTED: Final = re.compile(_QUOTED, re.VERBOSE)
_FILTER: Final = re.compile(
    rf"""\s* (?P<column> {_QUOTED} | (?!["'\s]).+? )
    (?: \s+ (?P<null> is\s+(?:not\s+)?null ) \s*
      | \s+ (?P<member> (?:not\s+)?in ) (?=[\s(\[]) (?P<values>.+)
      | \s* (?P<sign> == | != | <> | <= | >= | = | < | > ) (?P<value>.*)
    )""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_LISTED: Final = re.compile(rf"\s* ( {_QUOTED} | [^,]*? ) \s* (?: , | \Z )", re.VERBOSE)
_CONNECTIVE: Final = re.compile(r"(?<!\S) (?:and|or|&|\|) (?=\s) | && | \|\|", re.IGNORECASE | re.VERBOSE)
_STARTS_OF_MORE: Final = tuple("=<>!([\"'")


def read_filter(text: str) -> Filter:
    """Return a filter that is written as a text, such as `total > 100`, `country in de, fr` or `vat_id is null`.

    Its values are texts: each is cast to the type of its column when that is known. A list may stand in brackets,
    and `<>` is `!=`.

    Raises:
        BadInput: the text is no filter, or has something outside of quotes that could mean something else.
    """
    words = _FILTER.fullmatch(text)
    if words is None:
        raise BadInput(FIELD, f"{text!r:.80} is no filter", "Write it like: total > 100")
    _refuse_connective(text, words["column"])
    column = _unquoted(words["column"])
    if words["null"]:
        return _in_normal_form(column, words["null"])
    if words["member"]:
        return _in_normal_form(column, words["member"], _list(text, words["column"], words["values"].strip()))
    written = words["value"].strip()
    if not written:
        remedy = f"Write it like: {words['column']} == '', or {words['column']} is null"
        raise BadInput(FIELD, f"{text!r:.80} has no value", remedy)
    _refuse_connective(text, written)
    sign = "!=" if words["sign"] == "<>" else words["sign"]
    return _in_normal_form(column, sign, _value(text, words["column"], written))


def _in_normal_form(*parts: object) -> Filter:
    return normal_form([parts])[0][0]


def _list(text: str, column: str, written: str) -> list[str]:
    """Return the values between the commas, which may stand in brackets as a whole."""
    in_brackets = written[:1] + written[-1:] in {"()", "[]"}
    listed = _LISTED.findall(written[1:-1] if in_brackets else written)
    for value in listed:
        _refuse_connective(text, value)
    return [_value(text, column, value) for value in listed if value]


def _value(text: str, column: str, written: str) -> str:
    """Return a value without its quotes; one that has none must not look like a part of a longer expression."""
    if _WHOLLY_QUOTED.fullmatch(written):
        return _unquoted(written)
    if written.lower() == "null":
        problem = f"{text!r:.80} has {written!r} outside of quotes"
        raise BadInput(FIELD, problem, f"Ask for nulls with: {column} is null, or: {column} is not null")
    unbalanced = any(written.count(opened) != written.count(closed) for opened, closed in ("()", "[]"))
    if unbalanced or "," in written or written.startswith(_STARTS_OF_MORE):
        problem = f"{text!r:.80} has the value {written!r:.60}, which could mean something else"
        raise BadInput(FIELD, problem, "Put the value into quotes; a list stands behind `in` or `not in`")
    return written


def _refuse_connective(text: str, written: str) -> None:
    """Refuse a name or value that has a word for "and" or "or" outside of quotes."""
    connective = None if _WHOLLY_QUOTED.fullmatch(written) else _CONNECTIVE.search(written)
    if connective is not None:
        raise BadInput(
            FIELD,
            f"{text!r:.80} has {connective[0]!r} outside of quotes",
            "Write --filter once more for `and`; alternatives are filters=[[...], [...]] in Python, or a query before;"
            " a name or value with that word goes into quotes",
        )


def _unquoted(written: str) -> str:
    if not _WHOLLY_QUOTED.fullmatch(written):
        return written
    quote = written[0]
    return written[1:-1].replace(quote * 2, quote)
