"""What the docstrings of the package say, read from the source."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import griffe

import runware_provider

if TYPE_CHECKING:
    from collections.abc import Mapping


def arguments_of(name: str) -> Mapping[str, str]:
    """What the class or function of this dotted name says of its arguments, by argument."""
    docstring = source_of(name).docstring
    sections = docstring.parsed if docstring is not None else []
    of = griffe.DocstringSectionKind.parameters
    return {one.name: one.description for section in sections if section.kind is of for one in section.value}


def source_of(name: str) -> Any:
    """The source of what has this dotted name, below the package."""
    return _package()[name]


@cache
def _package() -> Any:
    (folder,) = runware_provider.__path__
    search = [folder.rpartition("/")[0]]
    return griffe.load("runware_provider", search_paths=search, docstring_parser="google")
