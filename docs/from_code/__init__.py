"""The tables of the reference, made from the code while the pages are built.

A page holds `<!-- from the code: errors -->` where the table goes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from from_code.airflow import configuration, connection_fields
from from_code.arguments import function_arguments, operator_arguments, value_object, value_objects
from from_code.codes import codes_by_family
from from_code.command_line import command_line
from from_code.earlier import earlier_names
from from_code.errors import errors
from from_code.manifest import manifest
from from_code.pages import routes

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = re.compile(r"^<!-- from the code: (.+?) -->$", re.MULTILINE)


def fill(page: str) -> str:
    """A page with its tables in the places that name them.

    Raises:
        KeyError: a place names no table.
    """
    return PLACE.sub(lambda place: made(place[1]), page)


def made(name: str) -> str:
    """The table of this name, as Markdown.

    Raises:
        KeyError: there is none.
    """
    kind, _, of = name.partition(" ")
    return _TABLES[kind](of)


_TABLES: dict[str, Callable[[str], str]] = {
    "operator": operator_arguments,
    "object": value_object,
    "objects": lambda _: value_objects(),
    "codes": lambda _: codes_by_family(),
    "command": command_line,
    "earlier": lambda _: earlier_names(),
    "configuration": lambda _: configuration(),
    "connection": lambda _: connection_fields(),
    "errors": lambda _: errors(),
    "function": function_arguments,
    "manifest": lambda _: manifest(),
    "pages": lambda _: routes(),
}
