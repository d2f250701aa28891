"""Which keys of an answer the fields of a pydantic model, a dataclass or a TypedDict read, by pydantic-core's own account of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    CoreSchema = Mapping[str, Any]
    Path = tuple[str | int, ...]

VALIDATORS_FIRST = frozenset({"function-before", "function-wrap"})
"""Where a validator of the user's sees the value as it came."""
_AROUND_FIELDS = VALIDATORS_FIRST | {"function-after", "model", "dataclass"}
_WITH_FIELDS = frozenset({"model-fields", "dataclass-args", "typed-dict"})


@dataclass(frozen=True)
class ReadField:
    """A field, with where its value is looked for; the first place that is there counts."""

    name: str
    paths: tuple[Path, ...]
    asked_as: tuple[str, ...]
    """The properties under which pydantic may ask for it, in this order; its releases differ."""
    schema: CoreSchema = field(repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys whose whole value is read."""
        return tuple(path[0] for path in self.paths if len(path) == 1 and isinstance(path[0], str))

    @property
    def opened(self) -> tuple[str, ...]:
        """The keys of which a part is read, by way of an `AliasPath`."""
        return tuple(path[0] for path in self.paths if len(path) > 1 and isinstance(path[0], str))


@dataclass(frozen=True)
class FieldsRead:
    """The fields of one class."""

    fields: tuple[ReadField, ...]
    keeps_others: bool
    """Whether keys that no field reads are kept, too (`extra="allow"`)."""
    validated_before: bool
    """Whether a validator of the user's sees the object as it came."""


def fields_read(schema: CoreSchema) -> FieldsRead | None:
    """The fields of a class; None where it has none, or where a validator of the user's takes their place.

    Args:
        schema: pydantic-core's of a model, a dataclass, or a TypedDict.
    """
    config = schema.get("config") or {}
    part: CoreSchema | None = schema
    validated_before = False
    while part is not None and part["type"] not in _WITH_FIELDS:
        validated_before = validated_before or part["type"] in VALIDATORS_FIRST
        part = part["schema"] if part["type"] in _AROUND_FIELDS else None
    if part is None:
        return None
    extra = part.get("extra_behavior") or config.get("extra_fields_behavior")
    fields = tuple(_field(name, each, config) for name, each in _named(part["fields"]))
    return FieldsRead(fields, extra == "allow", validated_before)


def stored_twice(part: Any) -> Iterator[tuple[str, str]]:
    """The names under which a dump by alias would store two fields of one class, each with the class's name.

    Args:
        part: of pydantic-core's schema of a model, or the whole of it.
    """
    if isinstance(part, dict):
        if part.get("type") in _WITH_FIELDS:
            called = part.get("model_name") or part.get("dataclass_name") or part.get("cls_name") or "a class"
            yield from ((str(called), name) for name in _twice(_stored_names(part)))
        for keyword, inner in part.items():
            if keyword != "metadata":
                yield from stored_twice(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from stored_twice(inner)


def _stored_names(part: CoreSchema) -> Iterator[str]:
    for name, each in _named(part["fields"]):
        if not each.get("serialization_exclude"):
            yield str(each.get("serialization_alias") or name)
    for computed in part.get("computed_fields") or ():
        yield str(computed.get("alias") or computed["property_name"])


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _named(fields: Any) -> Iterator[tuple[str, CoreSchema]]:
    """The fields with their names, of which those of a dataclass are a list."""
    if isinstance(fields, dict):
        yield from fields.items()
        return
    for each in fields:
        yield each["name"], each


def _field(name: str, schema: CoreSchema, config: Mapping[str, Any]) -> ReadField:
    aliases = _paths(schema.get("validation_alias"))
    reads_alias = aliases and config.get("validate_by_alias") is not False
    reads_name = config.get("validate_by_name") or config.get("populate_by_name") or not reads_alias
    paths = [*(aliases if reads_alias else ()), *([(name,)] if reads_name else ())]
    first_key = [str(path[0]) for path in aliases if len(path) == 1][:1]
    return ReadField(name, tuple(dict.fromkeys(paths)), (*first_key, name), schema["schema"])


def _paths(alias: Any) -> list[Path]:
    """The places that an alias names: one key, the steps of a path, or a list of such."""
    match alias:
        case None:
            return []
        case str():
            return [(alias,)]
        case [list(), *_]:
            return [tuple(path) for path in alias]
    return [tuple(alias)]
