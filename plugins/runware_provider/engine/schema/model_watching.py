"""What looks after the answers of a pydantic model, made out of pydantic-core's own schema of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from runware_provider.engine.schema.model_fields import VALIDATORS_FIRST, fields_read
from runware_provider.engine.schema.model_losses import (
    TRANSPARENT,
    Again,
    Choice,
    Fields,
    InText,
    Items,
    Positions,
    Root,
    Validated,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

    from runware_provider.engine.schema.model_fields import CoreSchema
    from runware_provider.engine.schema.model_losses import Watch


def watch_of(model: type[BaseModel]) -> Watch | None:
    """What looks after the answers of a model; None where nothing can be lost that nobody else sees.

    Args:
        model: with all that it refers to defined.
    """
    watch = _Making().watch(model.__pydantic_core_schema__)
    return watch if watch is not None and watch.may_lose else None


class _Making:
    """Makes watches for one model.

    Where several alternatives share a place, below a validator that comes first, and below a recursion, nobody else sees which
    keys are not read: there, every object is looked after.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, CoreSchema] = {}
        self._made: dict[tuple[str, bool], Watch | None] = {}
        self._under_way: dict[tuple[str, bool], Again] = {}
        self._recursive: set[tuple[str, bool]] = set()
        self._unseen = False

    def watch(self, schema: CoreSchema) -> Watch | None:
        """What looks after values of this schema; None where nobody can."""
        name = schema.get("ref")
        if name is None or schema["type"] == "definition-ref":
            return self._watch(schema)
        return self._named(name, schema)

    @contextmanager
    def _where_nobody_sees(self) -> Iterator[None]:
        before, self._unseen = self._unseen, True
        yield
        self._unseen = before

    def _named(self, name: str, schema: CoreSchema) -> Watch | None:
        """What looks after a definition, which may refer to itself."""
        key = (name, self._unseen)
        if key in self._under_way:
            self._recursive.add(key)
            return self._under_way[key]
        if key not in self._made:
            again = self._under_way[key] = Again()
            self._made[key] = again.meant = self._watch(schema)
            del self._under_way[key]
            if key in self._recursive:
                with self._where_nobody_sees():
                    again.meant = self._named(name, schema)
        return self._made[key]

    def _watch(self, schema: CoreSchema) -> Watch | None:
        kind = schema["type"]
        if kind in TRANSPARENT:
            return self.watch(schema[TRANSPARENT[kind]])
        make = _MAKERS.get(kind)
        return None if make is None else make(self, schema)

    def with_definitions(self, schema: CoreSchema) -> Watch | None:
        """What looks after a schema whose definitions stand beside it."""
        self._definitions.update({each["ref"]: each for each in schema["definitions"]})
        return self.watch(schema["schema"])

    def definition(self, schema: CoreSchema) -> Watch | None:
        """What looks after a definition that is referred to."""
        name = schema["schema_ref"]
        return self._named(name, self._definitions[name])

    def validated(self, schema: CoreSchema) -> Watch | None:
        """What looks after a value behind a validator of the user's."""
        with self._where_nobody_sees():
            inner = self.watch(schema["schema"])
        return None if inner is None else Validated(inner)

    def object(self, schema: CoreSchema) -> Watch | None:
        """What looks after a model, a dataclass, or a TypedDict."""
        if schema.get("root_model"):
            inner = self.watch(schema["schema"])
            return None if inner is None else Root(schema["cls"], inner)
        read = fields_read(schema)
        if read is None:
            return None
        if read.validated_before and not self._unseen:
            with self._where_nobody_sees():
                return self.object(schema)
        cls = None if schema["type"] == "typed-dict" else schema["cls"]
        watch = Fields(cls, read, unseen=self._unseen)
        for each in read.fields:
            below = self.watch(each.schema)
            if below is not None:
                watch.add(each, below)
        return watch

    def choice(self, schema: CoreSchema) -> Watch | None:
        """What looks after a union."""
        given = schema["choices"]
        choices = given.values() if isinstance(given, dict) else given
        # One that has a label of its own stands in a tuple, and one that has two tags is there twice, once as its tag.
        schemas = [each[0] if isinstance(each, tuple) else each for each in choices]
        with self._where_nobody_sees():
            watches = [self.watch(each) for each in schemas if isinstance(each, dict)]
        alternatives = [watch for watch in watches if watch is not None]
        is_told = schema["type"] == "tagged-union" or schema.get("mode") == "left_to_right"
        return Choice(alternatives, is_told=is_told) if alternatives else None

    def in_text(self, schema: CoreSchema) -> Watch | None:
        """What looks after what a text of JSON holds."""
        with self._where_nobody_sees():
            inner = self.watch(schema.get("schema") or {"type": "any"})
        return None if inner is None else InText(inner)

    def map(self, schema: CoreSchema) -> Watch | None:
        """What looks after a map."""
        value = schema.get("values_schema")
        return Values(None if value is None else self.watch(value))

    def tuple(self, schema: CoreSchema) -> Watch | None:
        """What looks after an array whose items may each have a schema of their own."""
        items, variadic = schema["items_schema"], schema.get("variadic_item_index")
        if len(items) == 1 and variadic == 0:
            return self.array({"items_schema": items[0]})
        if variadic is not None:
            return None
        with self._where_nobody_sees():
            return Positions([self.watch(each) for each in items])

    def array(self, schema: CoreSchema) -> Watch | None:
        """What looks after an array."""
        item = schema.get("items_schema")
        if item is None:
            return None
        return Items(self.watch(item), omits=item.get("on_error") == "omit")


_MAKERS: dict[str, Callable[[_Making, CoreSchema], Watch | None]] = {
    "definitions": _Making.with_definitions,
    "definition-ref": _Making.definition,
    **dict.fromkeys(VALIDATORS_FIRST, _Making.validated),
    **dict.fromkeys(("model", "dataclass", "typed-dict"), _Making.object),
    **dict.fromkeys(("union", "tagged-union"), _Making.choice),
    "dict": _Making.map,
    "json": _Making.in_text,
    "tuple": _Making.tuple,
    **dict.fromkeys(("list", "set", "frozenset", "generator"), _Making.array),
}
"""What makes the watch of each core schema that can hold an object or a map."""
