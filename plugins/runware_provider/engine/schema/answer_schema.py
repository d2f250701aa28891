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

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from runware_provider.engine.errors import BadInput
from runware_provider.engine.labels import PROPERTY, labels_of
from runware_provider.engine.schema.arrival import UNKNOWN_KEYS, arrived
from runware_provider.engine.schema.arrow_values import UnfitError, converter
from runware_provider.engine.schema.backtracking import backtracking_patterns
from runware_provider.engine.schema.checkable import checkable
from runware_provider.engine.schema.checking import TOO_DEEP, checked_by_schema
from runware_provider.engine.schema.decimal_asking import asked_decimal
from runware_provider.engine.schema.drafts import as_2020_12
from runware_provider.engine.schema.hidden_fields import hidden_fields
from runware_provider.engine.schema.inlining import inlined
from runware_provider.engine.schema.mending import LIST_OF_ONE, NUMBER_FROM_TEXT, SPELLING, mended
from runware_provider.engine.schema.model_check import checked_by_model, names_read
from runware_provider.engine.schema.nodes import STRING, list_of
from runware_provider.engine.schema.number_texts import (
    decimals_as_written,
    integers_as_written,
    numbers_from_texts,
)
from runware_provider.engine.schema.places import place_of
from runware_provider.engine.schema.problems import MAX_PROBLEMS, Fit, Problem, Refuse, clip, short
from runware_provider.engine.schema.reading import node_of
from runware_provider.engine.schema.subschemas import is_deeper
from runware_provider.engine.schema.well_formed import refuse_malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.labels import Labels
    from runware_provider.engine.schema.arrival import Arrival
    from runware_provider.engine.schema.checking import Check
    from runware_provider.engine.schema.nodes import Node
    from runware_provider.engine.spec import Tool, Untyped

MAX_SCHEMA_DEPTH = 180
"""Objects and lists of a schema in each other; 40 levels of an answer take at most four each."""
_TOO_DEEP = f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} objects and lists in each other"
BARE_LABEL = "bare_label"
"""The mend of a label that comes without the object around it."""
LABEL_IN_PROSE = "label_in_prose"
EMPTY_OBJECT = "empty_object"
_ROUNDS = 3
"""Of mends: what a text or a list of one holds may have keys of another style, and texts in it that are numbers."""
_EMPTY = (
    "the object is empty: give what was asked for, or the empty object again if really nothing of it is known"
)

_NO_OBJECT = "null is no object; give what was asked for"


class OutputSchema:
    """A pydantic model or JSON Schema; made by `output_schema`.

    `json_schema` is self-contained and is what an answer should satisfy; `arrow_type` is the struct that is
    stored; `title` fits the API's rule for a tool's name; `description` is the whole's, for the column.
    """

    def __init__(  # noqa: PLR0913 - what `output_schema` found out, each once
        self,
        json_schema: dict[str, Any],
        wire: dict[str, Any],
        node: Node,
        check: Check,
        title: str,
        *,
        read_as: dict[str, Any] | None = None,
        lenient_numbers: bool = False,
    ) -> None:
        self.json_schema = json_schema
        self.arrow_type: pa.DataType = node.arrow
        self.title = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_")[:64] or "answer"
        self.description: str | None = wire.get("description")
        self._wire = wire
        self._check = check
        self._convert = converter(node)
        of_model = read_as is not None
        read_as = wire if read_as is None else read_as
        self._place = place_of(read_as)
        self._read_numbers = numbers_from_texts(read_as) if lenient_numbers else None
        self._keep_digits = [
            keep for keep in (decimals_as_written(read_as), integers_as_written(read_as)) if keep
        ]
        # Of a model's moments, pydantic knows which may have no offset; for its decimals it takes numbers.
        self._of_model = of_model

    @property
    def described(self) -> frozenset[str]:
        """The keys of an answer's outermost object that are described."""
        return frozenset(self._place.properties)

    @property
    def parameters(self) -> Mapping[str, frozenset[str]]:
        """None: these are no tools."""
        return {}

    def wire(self) -> dict[str, Any]:
        """The JSON Schema that is sent: references are inlined, the order of properties is kept."""
        return copy.deepcopy(self._wire)

    def fit(self, value: Any) -> Fit:
        """Checks a value and converts it, in one pass over it; in two where it has to be mended.

        Args:
            value: what a JSON text holds, as Python.
        """
        try:
            return self._as_it_is_or_mended(value)
        except RecursionError:
            return Fit(None, [TOO_DEEP])

    def _as_it_is_or_mended(self, value: Any) -> Fit:
        arrival = arrived(self._place, value)
        as_it_is = fit = self._fitted(arrival)
        mends = dict(arrival.notes)
        for _ in range(_ROUNDS):
            if not fit.problems:
                break
            notes: dict[str, None] = {}
            value = self._mended(arrival.value, notes)
            if not notes:
                break
            arrival = arrived(self._place, value)
            fit = self._fitted(arrival)
            mends.update({**arrival.notes, **notes})
        if not fit.problems:
            return replace(fit, mends=tuple(mends | dict.fromkeys(fit.mends)))
        # What is told is left once the answer is mended, and is wrong with the model's own words where they show it.
        left = [problem for problem in as_it_is.problems if problem in fit.problems]
        return Fit(None, left or fit.problems)

    def _mended(self, value: Any, notes: dict[str, None]) -> Any:
        of_schema = not self._of_model
        value = mended(self._place, value, notes, assume_utc=of_schema, write_decimals=of_schema)
        if self._read_numbers is None:
            return value
        numbered = self._read_numbers(value)
        if numbered is not value:
            notes[NUMBER_FROM_TEXT] = None
        return numbered

    def _fitted(self, arrival: Arrival) -> Fit:
        value = arrival.value
        for keep in self._keep_digits:
            value = keep(value)
        checked, problems = self._check(value)
        if problems or arrival.misfits:
            return Fit(None, [*arrival.misfits, *problems][:MAX_PROBLEMS])
        try:
            converted = self._convert(checked)
        except UnfitError as error:
            return Fit(None, error.problems())
        # A schema that names no type at its root lets null pass, which is no answer.
        if not isinstance(converted, dict):
            return Fit(None, [Problem("$", _NO_OBJECT)])
        # An empty object may say that nothing is known, or be what a model says that did not try.
        if not value and not any(inner is not None for inner in converted.values()):
            return Fit(converted, [], (EMPTY_OBJECT,), doubt=_EMPTY)
        return Fit(converted, [])


class LabelSchema(OutputSchema):
    """One label out of a list: the model is asked for an object with one property, stored is its text."""

    def __init__(self, labels: Labels) -> None:
        schema = labels.json_schema()
        node = node_of(schema, Refuse("output_type"))
        check = checked_by_schema(schema)
        super().__init__(schema, schema, node, check, labels.title)
        self.arrow_type = STRING.arrow
        self._labels = labels

    def fit(self, value: Any) -> Fit:
        """Checks the object that was asked for, or the label alone, and gives the label.

        Args:
            value: what a JSON text holds, as Python.
        """
        match value:
            case [inner]:
                fit = self.fit(inner)
                return replace(fit, mends=(*fit.mends, LIST_OF_ONE))
            case dict():
                return self._in_its_object(value)
        fit = super().fit({PROPERTY: self._word(value)})
        return fit if fit.problems else Fit(fit.value[PROPERTY], [], (BARE_LABEL,))

    def fit_in_prose(self, words: str) -> Fit | None:
        """The label that an explanation ends with, if it names no other.

        Args:
            words: of a text that is no JSON.
        """
        label = self._labels.at_the_end(words)
        return None if label is None else Fit(label, [], (LABEL_IN_PROSE,))

    def _in_its_object(self, value: dict[str, Any]) -> Fit:
        """The label of an object; whatever else stands there is left out, since it is no label."""
        arrival = arrived(self._place, value)
        if PROPERTY not in arrival.value or UNKNOWN_KEYS not in arrival.notes:
            alone = arrival.value
        else:
            alone = {PROPERTY: arrival.value[PROPERTY]}
        given = alone.get(PROPERTY)
        word = self._word(given)
        fit = super().fit({**alone, PROPERTY: word} if PROPERTY in alone else alone)
        problems = fit.problems or arrival.misfits
        if problems:
            return Fit(None, problems)
        spelling = () if word == given else (SPELLING,)
        return Fit(fit.value[PROPERTY], [], (*arrival.notes, *fit.mends, *spelling))

    def _word(self, value: Any) -> Any:
        """The label that is meant, or the value where there is none."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if str(value) in self._labels.names else value
        label = self._labels.meant(value) if isinstance(value, str) else None
        return value if label is None else label


class ToolSchema:
    """The user's own tools; made by `tool_schema`.

    `arrow_type` is list<struct<name: string, arguments: struct<[tool]: struct<...>, ...>>>: of the arguments,
    the field of the tool that was called is filled. Tools without parameters have no field there.
    """

    def __init__(self, tools: Mapping[str, OutputSchema]) -> None:
        self._tools = tools
        self._stored = {name: tool for name, tool in tools.items() if tool.arrow_type.num_fields}
        fields = [pa.field("name", pa.string())]
        if self._stored:
            arguments = [pa.field(name, tool.arrow_type) for name, tool in self._stored.items()]
            fields.append(pa.field("arguments", pa.struct(arguments)))
        self.arrow_type: pa.DataType = list_of(pa.struct(fields))

    @property
    def described(self) -> frozenset[str]:
        """None: an answer is a list of calls."""
        return frozenset()

    @property
    def parameters(self) -> Mapping[str, frozenset[str]]:
        """What each tool can be given, by its name."""
        return {name: tool.described for name, tool in self._tools.items()}

    def fit(self, value: Sequence[tuple[str, Any]]) -> Fit:
        """Checks tool calls and converts them.

        Args:
            value: the calls in their order, each a name and its arguments.
        """
        converted: list[dict[str, Any]] = []
        problems: list[Problem] = []
        mends: dict[str, None] = {}
        for index, (name, arguments) in enumerate(value):
            if name not in self._tools:
                known = ", ".join(self._tools)
                problems.append(Problem(f"$[{index}].name", f"{short(name)} is no tool; there are: {known}"))
                continue
            fit = self._tools[name].fit(arguments)
            problems += [problem.below(f"$[{index}].arguments") for problem in fit.problems]
            # A tool may well be called with nothing that it could be given.
            mends.update(dict.fromkeys(mend for mend in fit.mends if mend != EMPTY_OBJECT))
            converted.append(self._row(name, fit.value))
        return Fit(None if problems else converted, problems[:MAX_PROBLEMS], tuple(mends))

    def _row(self, name: str, arguments: Any) -> dict[str, Any]:
        if not self._stored:
            return {"name": name}
        return {"name": name, "arguments": {name: arguments} if name in self._stored else None}


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
        problem = f"a {type(output_type).__name__} says nothing about the answer"
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
        asked = model.model_json_schema(schema_generator=_Asked)
        read = model.model_json_schema(schema_generator=_Read)
        stored = model.model_json_schema(by_alias=by_alias, schema_generator=_Stored, mode="serialization")
    except PydanticUserError as error:
        problem = f"{model.__name__} has no JSON Schema: {clip(error.message.splitlines()[0], 300)}"
        raise BadInput(wish.field, problem, "Use types that JSON has") from None
    refuse = Refuse(wish.field)
    for hidden in hidden_fields(model):
        refuse(
            hidden,
            "a secret is stored as asterisks",
            "Annotate a text, or give it a serializer that shows it",
        )
    for pattern in backtracking_patterns(model):
        problem = f"the pattern {clip(pattern, 100)!r} is matched by Python's `re`, which can take for ever"
        remedy = "Give it as a text, without regex_engine='python-re', or check it in a validator of yours"
        raise BadInput(wish.field, problem, remedy)
    wire = inlined(asked, refuse, keep_recursion=wish.as_json)
    flat = inlined(stored, refuse, keep_recursion=wish.as_json)
    node = node_of(flat, refuse, of_dump=True, as_json=wish.as_json)
    read_as = inlined(read, refuse, keep_recursion=wish.as_json)
    check = checked_by_model(model, place_of(read_as), by_alias=by_alias)
    lenient = wish.lenient_numbers
    return OutputSchema(asked, wire, node, check, model.__name__, read_as=read_as, lenient_numbers=lenient)


class _Asked(GenerateJsonSchema):
    """Pydantic's JSON Schema, without the titles that it makes of the fields' names: they are paid for.

    It is quiet about defaults that JSON cannot write: they are applied all the same.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own name

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        return asked_decimal(schema)


class _Read(_Asked):
    """The schema of an answer, which says of a decimal that it is one."""

    def decimal_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ARG002 - pydantic's signature
        return {"type": "string", "format": "decimal"}

    def model_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().model_schema(schema), "x-also-read": sorted(names_read(schema["cls"]))}

    def function_before_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_before_schema(schema), "x-reads-itself": True}

    def function_wrap_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_wrap_schema(schema), "x-reads-itself": True}

    def function_plain_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_plain_schema(schema), "x-reads-itself": True}


class _Stored(_Asked):
    """The schema of a dump, with what JSON Schema cannot say about it and Arrow can."""

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        limits = {"x-precision": schema.get("max_digits"), "x-scale": schema.get("decimal_places")}
        return {"type": "string", "format": "decimal", **limits}

    def set_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().set_schema(schema), "x-set": True}

    def frozenset_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().frozenset_schema(schema), "x-set": True}

    def ser_schema(self, schema: Any) -> dict[str, Any] | None:
        if schema["type"] in {"function-plain", "function-wrap"} and schema.get("return_schema") is None:
            # Pydantic assumes the field's own type, which holds for its own functions, as for `Path`.
            module = getattr(schema["function"], "__module__", None) or ""
            return None if module.startswith("pydantic.") else {}
        return super().ser_schema(schema)

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        naive = schema.get("tz_constraint") == "naive"
        return {**super().datetime_schema(schema), "x-naive": naive}
