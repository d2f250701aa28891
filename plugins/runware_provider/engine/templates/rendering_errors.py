"""What went wrong while a record was rendered, in words that hold nothing of the record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jinja2
from jinja2.exceptions import SecurityError

from runware_provider.engine.templates.bounds import TooMuchError
from runware_provider.engine.templates.printing import UnprintableValueError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# Python's own words for these hold type names and operators only, never a value of the record.
_HARMLESS = re.compile(
    r"unsupported operand type\(s\) for [^:\w]*(pow\(\))?: '\w+' and '\w+'"
    r"|can only concatenate \w+ \(not \"\w+\"\) to \w+"
    r"|must be str, not \w+"
    r"|object of type '\w+' has no len\(\)"
    r"|bad operand type for unary .: '\w+'"
    r"|'[<>=]+' not supported between instances of '\w+' and '\w+'"
    r"|'\w+' object is not (callable|iterable|subscriptable|reversible)"
    r"|division by zero"
    r"|Range too big\. The sandbox blocks ranges larger than MAX_RANGE \(\d+\)\."
)

# Jinja's words for a name that it cannot or may not find; names of types tell nothing.
_NAMING = re.compile(
    r"there is no column or field '(?P<field>.*)'"
    r"|'[\w. ]+' has no attribute '(?P<attribute>.*)'"
    r"|'(?P<name>.*)' is undefined"
    r"|access to attribute '(?P<hidden>.*)' of '\w+' object is unsafe\."
    r"|[\w. ]+ has no element (?P<element>\d+)",
    re.DOTALL,
)


def explained(error: Exception, template: jinja2.Template, words: AbstractSet[str]) -> str:
    """Return the error's kind, the template's line where it is known, and why.

    Args:
        error: what rendering the template raised.
        template: the template.
        words: the names that it spells; only these are quoted.
    """
    reason = _reason(error, words).removesuffix(".")  # our messages end without one
    return f"{type(error).__name__}{_line(error, template)}: {reason}"


def _line(error: Exception, template: jinja2.Template) -> str:
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return "" if line is None else f" in line {line}"


def _reason(error: Exception, words: AbstractSet[str]) -> str:
    """Return the error's own words where they cannot hold the record's."""
    message = str(error)
    if isinstance(error, UnprintableValueError | TooMuchError):
        return message
    if isinstance(error, jinja2.UndefinedError | SecurityError):
        naming = _NAMING.fullmatch(message)
        # A name may come from the record, as in record[record.kind]; one that the template spells does not.
        if naming and naming[str(naming.lastgroup)] in words:
            return message
        return "a field that there is not, or that templates may not read"
    if _HARMLESS.fullmatch(message):
        return message
    return "a filter, call or operation failed on this record's values; is one of them null?"
