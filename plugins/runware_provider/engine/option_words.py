"""The arguments that a text names, spelt as options: errors and warnings are written for Python and for the shell alike. Pure."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from runware_provider.engine.spec_options import spec_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.spec_options import Option

_VALUE: Final = r"(?:\[[^\[\]]*\]|\([^()]*\)|'[^']*'|\"[^\"]*\"|[A-Za-z0-9.]*[A-Za-z0-9])"
_ARGUMENT: Final = re.compile(
    # No part of a path, of a quoted name, or of a longer word.
    r"(?<![\w./'\"`{\[=-])"
    rf"(?P<name>[a-z]+(?:_[a-z]+)*(?:\.[a-z]+(?:_[a-z]+)*)?)(?:=(?P<value>{_VALUE}))?"
    r"(?![\w/'\"`=\[-]|\.\w)"
)
_VALUE_OBJECT: Final = re.compile(rf"\b(?P<kind>[A-Z][a-z]+)\((?P<inside>[a-z_]+={_VALUE})\)")
"""Such as `Answers(untyped='json')`."""


def as_options(text: str) -> str:
    """A text with each argument that it names, such as `Publish(columns=[...])` or `limits.lease_wait_s`, spelt as its option.

    A plain word such as `source` is left alone where no value of Python follows it: it may mean the thing.
    """
    return _ARGUMENT.sub(_as_option, _VALUE_OBJECT.sub(_dotted, text))


def _dotted(found: re.Match[str]) -> str:
    name = found["kind"].lower()
    return (
        f"{name}.{found['inside']}" if any(each.startswith(f"{name}.") for each in _options()) else found[0]
    )


def _as_option(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    option = _options().get(name)
    is_argument = "." in name or "_" in name or (value is not None and _looks_like_python(value))
    if option is None or not is_argument:
        return found[0]
    return option.flag if value is None else _with_value(option, value)


def _looks_like_python(value: str) -> bool:
    """Unlike that of a folder of a hive partition."""
    return value[0] in "[('\"" or value in {"True", "False", "None"}


def _with_value(option: Option, value: str) -> str:
    default = option.schema.get("default")
    # A switch has no value: its flag turns it from its default to the other.
    if value in {"True", "False"}:
        is_default = str(default) == value
        return f"no {option.flag}" if is_default else option.flag
    if value == "None":
        return f"{option.flag} none"
    if value[0] in "[(":
        return f"{option.flag} {option.form.metavar}"
    return f"{option.flag} {value.strip(chr(39) + chr(34))}"


@cache
def _options() -> Mapping[str, Option]:
    """By the argument's name, with and without its value object's; alternatives of filters are for Python alone."""
    options = [option for option in spec_options() if option.field != "filters"]
    short = {option.field.rpartition(".")[2]: option for option in options}
    return short | {option.field: option for option in options}
