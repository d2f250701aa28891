"""Which Python objects say what is asked for, and what to write instead of those that do not."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin, is_typeddict

from pydantic import BaseModel

from runware_provider.engine.errors import BadInput
from runware_provider.engine.labels import labels_of

OutputType: TypeAlias = Any
"""A pydantic model's class, a JSON Schema as a dict, or labels: texts, a `Literal`, an Enum's class."""

_MODEL = "class Answer(BaseModel): value: {shown}"


def understood(output_type: object) -> OutputType:
    """The object as it was given, a list of labels as a tuple, once it is clear that it asks for something.

    Whether a schema can be stored is not looked at: that needs pyarrow, which no DAG file should import.

    Args:
        output_type: what the user wrote.

    Raises:
        BadInput: it asks for nothing that can be had; the remedy shows how to write it.
    """
    if output_type is None or (_is_class(output_type, BaseModel) and output_type is not BaseModel):
        return output_type
    if labels_of(output_type) is not None:
        return tuple(output_type) if isinstance(output_type, list) else output_type
    if isinstance(output_type, Mapping):
        return dict(output_type)
    raise BadInput("output_type", f"it is {_called(output_type)}", _remedy(output_type))


def _is_class(found: object, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base)


def _remedy(given: Any) -> str:
    branches = [one for one in get_args(given) if one is not types.NoneType]
    if _is_union(given) and len(branches) == 1:
        return "Leave None away, and let the fields be optional: the row's outcome says whether there is a result"
    if isinstance(given, BaseModel):
        return f"Give the class {type(given).__name__}, not an object of it"
    if given is BaseModel:
        return "Give a class of your own that derives from it"
    if dataclasses.is_dataclass(given) or is_typeddict(given):
        return "Derive it from pydantic.BaseModel"
    if isinstance(given, type | TypeVar) or get_origin(given) is not None:
        return f"An answer is an object: wrap it, like {_MODEL.format(shown=_shown(given))}"
    return "Give a pydantic model's class, a JSON Schema as a dict, a list of labels, or nothing for text"


def _called(given: Any) -> str:
    if isinstance(given, type) or get_origin(given) is not None:
        return _shown(given)
    return f"an object of type {type(given).__name__}, which says nothing about the answer"


def _is_union(given: object) -> bool:
    return get_origin(given) in {Union, types.UnionType}


def _shown(given: Any) -> str:
    plain = isinstance(given, type) and get_origin(given) is None
    return given.__name__ if plain else str(given).replace("typing.", "")[:100]
