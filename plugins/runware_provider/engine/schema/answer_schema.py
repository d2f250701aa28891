"""What the user asked for: as JSON Schema for the model, as an Arrow type, and as the check of an answer.

What cannot become Arrow is refused when the schema is read, so before anything is paid. From then on the
three agree: a value without problems converts, and pyarrow takes what the conversion gives.

What becomes what (every field is nullable in Arrow, because a record may have no answer):

| JSON Schema                                | Arrow                                                       |
|--------------------------------------------|-------------------------------------------------------------|
| object with named properties               | struct, in the properties' order                            |
| array of one type, tuple of one type       | list                                                        |
| string, and its formats but those below    | string                                                      |
| string, format `date`                      | date32                                                      |
| string, format `date-time`                 | timestamp[us, UTC]; RFC 3339, so an offset is required      |
| string, format `time`                      | time64[us]; without an offset, or in UTC                    |
| string, format `decimal`                   | decimal128(38, 18)                                          |
| integer                                    | int64; larger ones are a problem                            |
| number                                     | float64, so rounded as a double; NaN, infinities: a problem |
| boolean                                    | bool                                                        |
| `enum`, `const`                            | the type of the values                                      |
| `anyOf`, `oneOf`, a list of types          | the one type that is left without `null`                    |
| alternatives that are objects              | one struct with the fields of all (see `unions`)            |
| object with `additionalProperties` alone   | map of string, or with `untyped="json"` JSON text           |
| no names, no type, several, recursion      | refused, or with `untyped="json"` a string of JSON text     |

A pydantic model is its own check, validators included, on the answer as JSON; what is stored is what
`model_dump(mode="json")` gives, so under the names that the dump uses: the fields' own, or, where the outermost
model has `serialize_by_alias`, their aliases at every level. Beyond the table: `Decimal` is decimal128 of its `max_digits` and
`decimal_places`, or (38, 18); a `datetime` without an offset is taken for UTC unless the model forbids it
(`AwareDatetime`); `NaiveDatetime` is timestamp[us] without a zone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from runware_provider.engine.errors import BadInput
from runware_provider.engine.labels import labels_of
from runware_provider.engine.plain_text import with_article
from runware_provider.engine.schema.backtracking import backtracking_patterns
from runware_provider.engine.schema.checkable import checkable
from runware_provider.engine.schema.checking import checked_by_schema
from runware_provider.engine.schema.drafts import as_2020_12
from runware_provider.engine.schema.hidden_fields import hidden_fields
from runware_provider.engine.schema.inlining import inlined
from runware_provider.engine.schema.label_answers import LabelSchema
from runware_provider.engine.schema.model_check import ModelCheck
from runware_provider.engine.schema.model_fields import stored_twice
from runware_provider.engine.schema.model_schemas import AskedSchema, ReadSchema, StoredSchema
from runware_provider.engine.schema.object_answers import OutputSchema
from runware_provider.engine.schema.places import place_of
from runware_provider.engine.schema.problems import Refuse, clip
from runware_provider.engine.schema.reading import node_of
from runware_provider.engine.schema.subschemas import is_deeper
from runware_provider.engine.schema.tool_answers import ToolSchema
from runware_provider.engine.schema.well_formed import refuse_malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.answers import Untyped
    from runware_provider.engine.tools import Tool

MAX_SCHEMA_DEPTH = 180
"""Objects and lists of a schema in each other; 40 levels of an answer take at most four each."""
_TOO_DEEP = f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} objects and lists in each other"


def output_schema(
    output_type: object, *, untyped: Untyped = "refuse", lenient_numbers: bool = False
) -> OutputSchema:
    """Reads what the user asked for.

    Args:
        output_type: a pydantic model, or a JSON Schema whose root is an object, of the draft that `$schema`
            names (04, 06, 07, 2019-09 or 2020-12, which is meant where it names none); or labels, one
            of which is the answer: a list of texts, a `Literal`, an Enum, or a JSON Schema that is an `enum`.
        untyped: what becomes of a place that has no one Arrow type: recursion, a value of any type or of
            several, an object whose names are open. With `json` it, and a map, is stored as canonical JSON text (keys in order, no blanks;
            null is null), and its Arrow field says so by `contentMediaType`.
        lenient_numbers: whether texts that are numbers as English writes them, like `1,234.50`, are read as
            numbers where the value does not fit otherwise.

    Raises:
        BadInput: it is malformed, or cannot become Arrow; names the place and the remedy.
    """
    labels = labels_of(output_type)
    if labels is not None:
        return LabelSchema(labels)
    wish = _Wish("output_type", as_json=untyped == "json", lenient_numbers=lenient_numbers)
    if isinstance(output_type, type):
        return _of_model(output_type, wish)
    if not isinstance(output_type, Mapping):
        problem = f"{with_article(type(output_type).__name__)} says nothing about the answer"
        raise BadInput("output_type", problem, "Give a pydantic model, a JSON Schema, or a list of labels")
    return _of_json_schema(output_type, wish)


def tool_schema(
    tools: Sequence[Tool], *, untyped: Untyped = "refuse", lenient_numbers: bool = False
) -> ToolSchema:
    """Reads the schemas of the user's function tools; those that the vendor runs return nothing to store.

    Args:
        tools: what the model may call.
        untyped: as for `output_schema`.
        lenient_numbers: as for `output_schema`.

    Raises:
        BadInput: there is no function tool, or a schema cannot become Arrow.
    """
    functions = {
        tool.name: _of_json_schema(
            tool.input_schema,
            _Wish(f"tools.{tool.name}", as_json=untyped == "json", lenient_numbers=lenient_numbers),
            may_be_bare=True,
        )
        for tool in tools
        if tool.type == "function" and tool.name is not None and tool.input_schema is not None
    }
    if not functions:
        raise BadInput("tools", "none of them is a function", "Add a function tool, or ask for text")
    return ToolSchema(functions)


@dataclass(frozen=True, slots=True)
class _Wish:
    """The argument that a schema was given in, and how it is to be read."""

    field: str
    as_json: bool
    lenient_numbers: bool


def _of_json_schema(schema: Mapping[str, Any], wish: _Wish, *, may_be_bare: bool = False) -> OutputSchema:
    try:
        text = json.dumps(dict(schema), allow_nan=False, ensure_ascii=False)
        plain = json.loads(text.encode())
    except (TypeError, ValueError):
        raise BadInput(
            wish.field, "the schema is not plain JSON", "Use dicts, lists, texts and numbers"
        ) from None
    except RecursionError:
        raise BadInput(wish.field, _TOO_DEEP, "Flatten it") from None
    if is_deeper(plain, MAX_SCHEMA_DEPTH):
        raise BadInput(wish.field, _TOO_DEEP, "Flatten it")
    refuse = Refuse(wish.field)
    stated = as_2020_12(plain, refuse)
    refuse_malformed(stated, refuse)
    wire = inlined(stated, refuse, keep_recursion=wish.as_json)
    node = node_of(wire, refuse, may_be_bare=may_be_bare, as_json=wish.as_json)
    # What was asked is checked, and not its inlined form: so no merging of parts can change what is right.
    check = checked_by_schema(checkable(stated, refuse))
    title = plain.get("title")
    name = title if isinstance(title, str) else "answer"
    return OutputSchema(plain, wire, node, check, name, lenient_numbers=wish.lenient_numbers)


def _of_model(model: type, wish: _Wish) -> OutputSchema:
    if not issubclass(model, BaseModel):
        problem = f"{model.__name__} is no pydantic model"
        raise BadInput(wish.field, problem, "Derive it from pydantic.BaseModel")
    by_alias = bool(model.model_config.get("serialize_by_alias"))
    try:
        asked = model.model_json_schema(schema_generator=AskedSchema)
        read = model.model_json_schema(schema_generator=ReadSchema)
        stored = model.model_json_schema(
            by_alias=by_alias, schema_generator=StoredSchema, mode="serialization"
        )
    except PydanticUserError as error:
        problem = f"{model.__name__} has no JSON Schema: {clip(error.message.splitlines()[0], 300)}"
        raise BadInput(wish.field, problem, "Use types that JSON has") from None
    refuse = Refuse(wish.field)
    _refuse_what_would_be_lost(model, refuse, by_alias=by_alias)
    wire = inlined(asked, refuse, keep_recursion=wish.as_json)
    flat = inlined(stored, refuse, keep_recursion=wish.as_json)
    node = node_of(flat, refuse, of_dump=True, as_json=wish.as_json)
    read_as = inlined(read, refuse, keep_recursion=wish.as_json)
    check = ModelCheck(model, place_of(read_as), by_alias=by_alias)
    lenient = wish.lenient_numbers
    return OutputSchema(asked, wire, node, check, model.__name__, read_as=read_as, lenient_numbers=lenient)


def _refuse_what_would_be_lost(model: type[BaseModel], refuse: Refuse, *, by_alias: bool) -> None:
    """Refuses what a dump would hide or lose, and patterns that can take for ever."""
    for hidden in hidden_fields(model):
        remedy = "Annotate a text, or give it a serializer that shows it"
        refuse(hidden, "a secret is stored as asterisks", remedy)
    for pattern in backtracking_patterns(model):
        problem = f"the pattern {clip(pattern, 100)!r} is matched by Python's `re`, which can take for ever"
        remedy = "Give it as a text, without regex_engine='python-re', or check it in a validator of yours"
        raise BadInput(refuse.argument, problem, remedy)
    for called, name in stored_twice(model.__pydantic_core_schema__) if by_alias else ():
        problem = f"two fields of {called} are both stored as {name!r}"
        raise BadInput(refuse.argument, problem, "Give each a serialization alias of its own")
