"""Fields of a pydantic model whose values its dump hides: `SecretStr` and its like are written as asterisks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, PlainSerializer, Secret, SecretBytes, SecretStr, WrapSerializer

from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo


def hidden_fields(model: type[BaseModel]) -> Iterator[str]:
    """The places of fields that would be stored as asterisks; those with a serializer of their own are not.

    Args:
        model: with all that it refers to defined.
    """
    yield from _in_model(model, "$", frozenset())


def _in_model(model: type[BaseModel], path: str, above: frozenset[type]) -> Iterator[str]:
    decorators = model.__pydantic_decorators__
    if model in above or decorators.model_serializers:
        return
    shown = {name for one in decorators.field_serializers.values() for name in one.info.fields}
    for name, field in model.model_fields.items():
        if name not in shown and "*" not in shown and not field.exclude and not _serialized(field):
            yield from _in_type(field.annotation, joined(path, name), above | {model})


def _serialized(field: FieldInfo) -> bool:
    return any(isinstance(one, PlainSerializer | WrapSerializer) for one in field.metadata)


def _in_type(kind: Any, path: str, above: frozenset[type]) -> Iterator[str]:
    origin = get_origin(kind) or kind
    if isinstance(origin, type):
        if issubclass(origin, SecretStr | SecretBytes | Secret):
            yield path
        elif issubclass(origin, BaseModel):
            yield from _in_model(origin, path, above)
        elif origin not in above and (dataclasses.is_dataclass(origin) or is_typeddict(origin)):
            for name, inner in get_type_hints(origin, include_extras=True).items():
                yield from _in_type(inner, joined(path, name), above | {origin})
    arguments = get_args(kind)
    if not any(isinstance(one, PlainSerializer | WrapSerializer) for one in arguments):
        is_list = isinstance(origin, type) and issubclass(origin, list | tuple | set | frozenset)
        for inner in arguments:
            yield from _in_type(inner, f"{path}[]" if is_list else path, above)
