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
| number                                     | float64; NaN and infinities are a problem                   |
| boolean                                    | bool                                                        |
| `enum`, `const`                            | the type of the values                                      |
| `anyOf`, `oneOf`, a list of types          | the one type that is left without `null`                    |

A pydantic model is its own check, validators included, on the answer as JSON; what is stored is what
`model_dump(mode="json")` gives, so under the names that the dump uses: the fields' own, or with
`serialize_by_alias` their aliases. Beyond the table: `Decimal` is decimal128 of its `max_digits` and
`decimal_places`, or (38, 18); a `datetime` without an offset is taken for UTC unless the model forbids it
(`AwareDatetime`); `NaiveDatetime` is timestamp[us] without a zone.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote

import pyarrow as pa
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, best_match
from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jsonschema.exceptions import ValidationError as Mismatch

    from runware_provider.engine.spec import Tool

    Path = tuple[str | int, ...]
    Judge = Callable[[Any], tuple[Any, list["Problem"]]]
    Convert = Callable[[Any], Any]

MAX_PROBLEMS = 20
"""Problems told of one value."""
MAX_SUBSCHEMAS = 10_000
"""Subschemas after inlining, since references to references double with each level."""
MAX_DEPTH = 40
"""Levels of nesting; readers of Parquet give up not far above."""
SHOWN = 100
"""Characters of a value that a message quotes."""
NO_ENCODING = "a string holds half of a surrogate pair, which no encoding can store"
DECIMAL_PRECISION, DECIMAL_SCALE = 38, 18


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a value does not fit; for its author, who is a model, and for the log.

    `path` is written like `$.lines[2].amount`; the message quotes at most some 200 characters of the value.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Fit:
    """A value as `pa.array` takes it, or the problems that it has."""

    value: Any
    problems: list[Problem]


class _Checked:
    """A check and a conversion in one pass, and the same as two questions."""

    def fit(self, value: Any) -> Fit:
        raise NotImplementedError

    def check(self, value: Any) -> list[Problem]:
        """The problems of a value, empty if it fits; at most `MAX_PROBLEMS`."""
        return self.fit(value).problems

    def to_arrow(self, value: Any) -> Any:
        """A value as `pa.array([...], arrow_type)` takes it.

        Raises:
            ValueError: the value does not fit; `check` says why.
        """
        fit = self.fit(value)
        if fit.problems:
            raise ValueError(f"the value does not fit: {fit.problems[0]}")
        return fit.value


class OutputSchema(_Checked):
    """A pydantic model or JSON Schema; made by `output_schema`.

    `json_schema` is self-contained and is what an answer should satisfy; `arrow_type` is the struct that is
    stored; `title` fits the API's rule for a tool's name.
    """

    def __init__(
        self, json_schema: dict[str, Any], wire: dict[str, Any], node: _Node, judge: Judge, title: str
    ) -> None:
        self.json_schema = json_schema
        self.arrow_type: pa.DataType = node.arrow
        self.title = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_")[:64] or "answer"
        self._wire = wire
        self._judge = judge
        self._convert = _converter(node)

    def wire(self) -> dict[str, Any]:
        """The JSON Schema that is sent: references are inlined, the order of properties is kept."""
        return copy.deepcopy(self._wire)

    def fit(self, value: Any) -> Fit:
        """Checks a value and converts it, in one pass over it.

        Args:
            value: what a JSON text holds, as Python.
        """
        judged, problems = self._judge(value)
        if problems:
            return Fit(None, problems)
        try:
            return Fit(self._convert(judged), [])
        except _UnfitError as error:
            return Fit(None, error.problems())


class ToolSchema(_Checked):
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
        self.arrow_type: pa.DataType = _list_of(pa.struct(fields))

    def fit(self, value: Sequence[tuple[str, Any]]) -> Fit:
        """Checks tool calls and converts them.

        Args:
            value: the calls in their order, each a name and its arguments.
        """
        converted: list[dict[str, Any]] = []
        problems: list[Problem] = []
        for index, (name, arguments) in enumerate(value):
            if name not in self._tools:
                known = ", ".join(self._tools)
                problems.append(Problem(f"$[{index}].name", f"{_short(name)} is no tool; there are: {known}"))
                continue
            fit = self._tools[name].fit(arguments)
            problems += [_below(f"$[{index}].arguments", problem) for problem in fit.problems]
            converted.append(self._row(name, fit.value))
        return Fit(None, problems[:MAX_PROBLEMS]) if problems else Fit(converted, [])

    def _row(self, name: str, arguments: Any) -> dict[str, Any]:
        if not self._stored:
            return {"name": name}
        return {"name": name, "arguments": {name: arguments} if name in self._stored else None}


def output_schema(output_type: type[BaseModel] | Mapping[str, Any]) -> OutputSchema:
    """Reads what the user asked for.

    Args:
        output_type: a pydantic model, or a JSON Schema (draft 2020-12) whose root is an object.

    Raises:
        BadInput: it is malformed, or cannot become Arrow; names the place and the remedy.
    """
    if isinstance(output_type, type):
        return _of_model(output_type, "output_type")
    return _of_json_schema(output_type, "output_type")


def tool_schema(tools: Sequence[Tool]) -> ToolSchema:
    """Reads the schemas of the user's function tools; those that the vendor runs return nothing to store.

    Raises:
        BadInput: there is no function tool, or a schema cannot become Arrow.
    """
    functions = {
        tool.name: _of_json_schema(tool.input_schema, f"tools.{tool.name}", may_be_bare=True)
        for tool in tools
        if tool.type == "function" and tool.name is not None and tool.input_schema is not None
    }
    if not functions:
        raise BadInput("tools", "none of them is a function", "Add a function tool, or ask for text")
    return ToolSchema(functions)


# ---------------------------------------------------------------- the two kinds of wishes


def _of_json_schema(schema: Mapping[str, Any], field: str, *, may_be_bare: bool = False) -> OutputSchema:
    try:
        text = json.dumps(dict(schema), allow_nan=False, ensure_ascii=False)
        plain = json.loads(text.encode())
    except (TypeError, ValueError, RecursionError):
        raise BadInput(field, "the schema is not plain JSON", "Use dicts, lists, texts and numbers") from None
    reader = _Reader(plain, field)
    try:
        Draft202012Validator.check_schema(plain)
    except SchemaError as error:
        reader.refuse("$" + _path(error.absolute_path)[1:], _clip(error.message, 200), "Mend the JSON Schema")
    wire = reader.inlined()
    node = reader.node(wire, may_be_bare=may_be_bare)
    # The inlined schema says the same, and is checked in two thirds of the time.
    validator = Draft202012Validator(wire, format_checker=_FORMATS)
    title = plain.get("title")
    return OutputSchema(
        plain, wire, node, _judged_by(validator), title if isinstance(title, str) else "answer"
    )


def _of_model(model: type[BaseModel], field: str) -> OutputSchema:
    if not issubclass(model, BaseModel):
        raise BadInput(field, f"{model.__name__} is no pydantic model", "Derive it from pydantic.BaseModel")
    by_alias = bool(model.model_config.get("serialize_by_alias"))
    try:
        asked = model.model_json_schema(schema_generator=_Asked)
        stored = model.model_json_schema(by_alias=by_alias, schema_generator=_Stored, mode="serialization")
    except PydanticUserError as error:
        reason = _clip(error.message.splitlines()[0], 300)
        raise BadInput(
            field, f"{model.__name__} has no JSON Schema: {reason}", "Use types that JSON has"
        ) from None
    wire = _Reader(asked, field).inlined()
    reader = _Reader(stored, field, of_dump=True)
    node = reader.node(reader.inlined())
    return OutputSchema(asked, wire, node, _judged_by_model(model, by_alias=by_alias), model.__name__)


class _Asked(GenerateJsonSchema):
    """Pydantic's JSON Schema, without the titles that it makes of the fields' names: they are paid for.

    It is quiet about defaults that JSON cannot write: they are applied all the same.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own name

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


class _Stored(_Asked):
    """The schema of a dump, with what JSON Schema cannot say about it and Arrow can."""

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        limits = {"x-precision": schema.get("max_digits"), "x-scale": schema.get("decimal_places")}
        return {"type": "string", "format": "decimal", **limits}

    def ser_schema(self, schema: Any) -> dict[str, Any] | None:
        if schema["type"] in {"function-plain", "function-wrap"} and schema.get("return_schema") is None:
            # Pydantic assumes the field's own type, which holds for its own functions, as for `Path`.
            module = getattr(schema["function"], "__module__", None) or ""
            return None if module.startswith("pydantic.") else {}
        return super().ser_schema(schema)

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        naive = schema.get("tz_constraint") == "naive"
        return {**super().datetime_schema(schema), "x-naive": naive}


def _judged_by(validator: Draft202012Validator) -> Judge:
    def judge(value: Any) -> tuple[Any, list[Problem]]:
        try:
            errors = list(itertools.islice(validator.iter_errors(value), MAX_PROBLEMS))
            return value, [_mismatch(error) for error in errors]
        except Exception as error:  # noqa: BLE001 - numbers beyond a double and deep values break the library
            return None, [Problem("$", f"the value could not be checked: {type(error).__name__}")]

    return judge


def _mismatch(error: Mismatch) -> Problem:
    """A complaint of jsonschema, told of the branch that was meant, with a short value in it."""
    error = _meant(error)
    whole = repr(error.instance)
    message = error.message.replace(whole, _clip(whole, SHOWN))
    example = _EXAMPLES.get(str(error.validator_value)) if error.validator == "format" else None
    if example:
        message += f"; write it like {example}"
    return Problem(_path(error.absolute_path), _clip(message, 500 if error.validator == "enum" else 200))


def _meant(error: Mismatch) -> Mismatch:
    """The complaint about the only branch besides null, or the most telling one."""
    if not error.context or not isinstance(error.validator_value, list):
        return error
    branches = [n for n, branch in enumerate(error.validator_value) if branch != {"type": "null"}]
    if len(branches) == 1:
        inner = best_match(one for one in error.context if one.relative_schema_path[0] == branches[0])
        return _meant(inner) if inner is not None else error
    return best_match([error]) or error


def _judged_by_model(model: type[BaseModel], *, by_alias: bool) -> Judge:
    """The model's own judgement, in pydantic's JSON mode, which is what a strict model needs, too."""

    def judge(value: Any) -> tuple[Any, list[Problem]]:
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return None, [Problem("$", "the value is not JSON; NaN and Infinity are not, either")]
        try:
            instance = model.model_validate_json(text)
            return instance.model_dump(mode="json", by_alias=by_alias, warnings=False), []
        except ValidationError as error:
            complaints = error.errors(include_url=False, include_context=False, include_input=False)
            return None, [_complaint(value, one) for one in complaints[:MAX_PROBLEMS]]
        except Exception as error:  # noqa: BLE001 - a user's validator can raise anything
            return None, [Problem("$", f"the value could not be checked: {type(error).__name__}")]

    return judge


def _complaint(value: Any, complaint: Any) -> Problem:
    """A complaint of pydantic; its location also names branches and validators, which the value has not."""
    parts: list[str | int] = []
    for part in complaint["loc"]:
        try:
            value = value[part]
        except (LookupError, TypeError):
            if complaint["type"] != "missing":
                continue
        parts.append(part)
    if complaint["type"] == "json_invalid" and re.search("surrogate|hex escape", complaint["msg"]):
        return Problem("$", NO_ENCODING)
    message = complaint["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return Problem(_path(parts), _clip(message, 200))


# ---------------------------------------------------------------- reading a JSON Schema


@dataclass(frozen=True)
class _Field:
    name: str
    node: _Node
    default: tuple[Any] | None


@dataclass(frozen=True)
class _Node:
    """A subschema's shape; equal nodes convert alike."""

    kind: str
    arrow: pa.DataType
    fields: tuple[_Field, ...] = ()
    item: _Node | None = None


_SCHEMA_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "prefixItems"})
_SCHEMAS = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_ABOUT_THE_DOCUMENT = frozenset({"$defs", "definitions", "$schema", "$id", "$comment", "discriminator"})
_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
)
_SHAPE = frozenset({"type", "properties", "items", "prefixItems", "enum", "const", "anyOf", "oneOf"})
_NEIGHBOURS = (
    frozenset({"properties", "patternProperties", "additionalProperties"}),
    frozenset({"items", "prefixItems"}),
    frozenset({"if", "then", "else"}),
    frozenset({"contains", "minContains", "maxContains"}),
)
"""Keywords that mean something else beside each other than apart, so they are not brought together."""
_PYDANTIC_DECIMAL = "^(?!^[-+.]*$)[+-]?0*"


class _Reader:
    """One JSON Schema document, turned into what is sent and what is stored.

    The schema of a pydantic dump has no use for defaults, and says more about some texts.
    """

    def __init__(self, document: dict[str, Any], field: str, *, of_dump: bool = False) -> None:
        self._document = document
        self._field = field
        self._of_dump = of_dump
        self._count = 0

    def refuse(self, path: str, problem: str, remedy: str) -> NoReturn:
        raise BadInput(self._field, f"at {path}: {problem}", remedy) from None

    def inlined(self) -> dict[str, Any]:
        """The document without references and `allOf`."""
        flat: dict[str, Any] = self._flat(self._document, "$", ())
        if "properties" in flat:
            flat = {"type": "object", **flat}
        if flat.get("type") != "object":
            self.refuse("$", "the root is no object", "Wrap it: an object with one property, say `items`")
        return flat

    def node(self, flat: dict[str, Any], *, may_be_bare: bool = False) -> _Node:
        """The shape of the inlined document; without properties only if it `may_be_bare`."""
        if may_be_bare and flat.get("properties") == {}:
            return _Node("struct", pa.struct([]))
        return self._shape(flat, "$", 0) or self.refuse("$", "it is always null", "Drop it")

    # ------------------------------------------------------------ references and allOf

    def _flat(self, schema: Any, path: str, refs: tuple[str, ...]) -> Any:
        if not isinstance(schema, dict):
            return schema
        self._count += 1
        if self._count > MAX_SUBSCHEMAS or len(refs) > MAX_DEPTH:
            self.refuse(path, "the schema is too large once references are inlined", "Ask for less at once")
        self._only_known_references(schema, path)
        parts = [self._below(schema, path, refs)]
        if "$ref" in schema:
            parts.insert(0, self._target(schema["$ref"], path, refs))
        parts[1:1] = [self._flat(part, path, refs) for part in schema.get("allOf", ())]
        merged: dict[str, Any] = {}
        for part in parts:
            merged = self._merged(merged, part, path)
        return merged

    def _only_known_references(self, schema: dict[str, Any], path: str) -> None:
        for keyword in ("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"):
            if keyword in schema:
                self.refuse(path, f"`{keyword}` is not supported", "Use references like '#/$defs/Name'")
        if "$id" in schema and schema is not self._document:
            self.refuse(path, "`$id` inside of the schema moves its references", "Drop it")

    def _below(self, schema: dict[str, Any], path: str, refs: tuple[str, ...]) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in _ABOUT_THE_DOCUMENT or keyword in {"$ref", "allOf"}:
                continue
            if keyword in _SCHEMA_MAPS:
                flat[keyword] = {
                    name: self._flat(sub, _joined(path, name), refs) for name, sub in value.items()
                }
            elif keyword in _SCHEMA_LISTS:
                flat[keyword] = [self._flat(sub, path, refs) for sub in value]
            elif keyword in _SCHEMAS:
                flat[keyword] = self._flat(value, f"{path}[]" if keyword == "items" else path, refs)
            else:
                flat[keyword] = copy.deepcopy(value)
        return flat

    def _target(self, reference: str, path: str, refs: tuple[str, ...]) -> dict[str, Any]:
        if reference in refs or reference == "#":
            self.refuse(path, f"{reference!r} refers to itself; recursion has no Arrow type", "Unroll it")
        if not reference.startswith("#/"):
            self.refuse(path, f"{reference!r} leads out of the schema", "Copy it into `$defs`")
        target: Any = self._document
        for step in reference[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                self.refuse(path, f"{reference!r} leads nowhere", "Define it in `$defs`")
            target = target[name]
        flat = self._flat(target, path, (*refs, reference))
        return flat if isinstance(flat, dict) else {}

    def _merged(self, first: dict[str, Any], second: Any, path: str) -> dict[str, Any]:
        if not isinstance(second, dict):
            self.refuse(path, "`allOf` holds a true or false", "Drop it")
        merged = dict(first)
        for group in _NEIGHBOURS:
            if first.keys() & group and second.keys() & group and first != second:
                self.refuse(
                    path,
                    f"`allOf` or `$ref` splits {' and '.join(f'`{one}`' for one in sorted(group))}",
                    "Write it as one schema",
                )
        for keyword, value in second.items():
            if keyword == "required" and keyword in merged:
                merged[keyword] = [*merged[keyword], *(one for one in value if one not in merged[keyword])]
            elif keyword in _ANNOTATIONS or keyword not in merged or merged[keyword] == value:
                merged[keyword] = value
            else:
                self.refuse(path, f"`allOf` or `$ref` says `{keyword}` twice", "Write it as one schema")
        return merged

    # ------------------------------------------------------------ shapes

    def _shape(self, schema: Any, path: str, depth: int) -> _Node | None:
        """The shape of what is not null; `None` where only null is allowed."""
        if not isinstance(schema, dict):
            self._refuse_untyped(path)
        if depth > MAX_DEPTH:
            self.refuse(path, f"it is nested deeper than {MAX_DEPTH} levels", "Flatten it")
        if schema.get("nullable") is True:
            self.refuse(path, "`nullable` is not JSON Schema", 'Write "type": ["string", "null"]')
        self._check_pattern(schema, path)
        union = self._union(schema, path)
        if union is not None:
            return self._one_of(union, path, depth)
        kinds = self._types(schema, path)
        if len(kinds) > 1:
            self.refuse(path, f"it may be {' or '.join(sorted(kinds))}", "Settle for one type, or for text")
        if not kinds:
            return None
        kind = next(iter(kinds))
        if kind == "object":
            return self._struct(schema, path, depth)
        if kind == "array":
            return self._list(schema, path, depth)
        return self._text(schema, path) if kind == "string" else _NUMBERS[kind]

    def _refuse_untyped(self, path: str) -> NoReturn:
        remedy = "Annotate it, and what serializers return" if self._of_dump else "Give it a `type`"
        self.refuse(path, "it has no type, so it has no Arrow type", remedy)

    def _check_pattern(self, schema: dict[str, Any], path: str) -> None:
        try:
            re.compile(schema.get("pattern", ""))
        except re.error as error:
            self.refuse(path, f"`pattern` is no regular expression of Python's: {error}", "Rewrite it")

    def _union(self, schema: dict[str, Any], path: str) -> list[Any] | None:
        """The branches, if they say what the value is; branches may also only restrict it."""
        keywords = [keyword for keyword in ("anyOf", "oneOf") if keyword in schema]
        shaping = [
            keyword
            for keyword in keywords
            if any(not isinstance(branch, dict) or _SHAPE & branch.keys() for branch in schema[keyword])
        ]
        own = (_SHAPE & schema.keys()) - set(keywords)
        if shaping and (own or len(shaping) > 1):
            self.refuse(path, f"`{shaping[0]}` stands beside another shape", "Say the type in one place")
        return schema[shaping[0]] if shaping else None

    def _one_of(self, branches: Iterable[Any], path: str, depth: int) -> _Node | None:
        branches = list(branches)
        nodes = [node for branch in branches if (node := self._shape(branch, path, depth)) is not None]
        if not nodes:
            return None
        if all(node == nodes[0] for node in nodes):
            return nodes[0]
        if {node.kind for node in nodes} == {"int64", "float64"}:
            return next(node for node in nodes if node.kind == "float64")
        if _is_decimal(branches, nodes):
            return _DECIMAL_NODE
        kinds = " or ".join(dict.fromkeys(str(node.arrow) for node in nodes))
        if len({str(node.arrow) for node in nodes}) == 1:
            kinds = f"one of two kinds of {nodes[0].arrow}"
        remedy = "Settle for one, or give each alternative a property of its own"
        if {node.kind for node in nodes} == {"float64", "string"}:
            remedy = 'For a decimal write "type": "string", "format": "decimal", or give the pydantic model'
        return self.refuse(path, f"it may be {_clip(kinds, 200)}, which has no one Arrow type", remedy)

    def _types(self, schema: dict[str, Any], path: str) -> set[str]:
        """The names of the types that are allowed, without null; one of them is meant to be left."""
        named = schema.get("type")
        if named is not None:
            kinds = {named} if isinstance(named, str) else set(named)
        elif "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            kinds = {_json_type(value) for value in values}
            if kinds & {"object", "array"}:
                self.refuse(path, "`enum` or `const` holds an object or array", "Describe it with a `type`")
        elif {"properties", "items", "prefixItems"} & schema.keys():
            kinds = {"object" if "properties" in schema else "array"}
        else:
            self._refuse_untyped(path)
        if {"integer", "number"} <= kinds:
            kinds.discard("integer")
        return kinds - {"null"}

    def _text(self, schema: dict[str, Any], path: str) -> _Node:
        form = schema.get("format")
        node = _TEXTS.get(form, _STRING) if isinstance(form, str) else _STRING
        if not self._of_dump:
            return node
        if schema.get("x-naive"):
            return _NAIVE
        scale = schema.get("x-scale")
        if node.kind != "decimal" or scale is None:
            return node
        precision = schema.get("x-precision") or DECIMAL_PRECISION
        if max(precision, scale) > DECIMAL_PRECISION:
            self.refuse(path, f"the decimal has more than {DECIMAL_PRECISION} digits", "Allow fewer digits")
        return _Node("decimal", pa.decimal128(precision, scale))

    def _struct(self, schema: dict[str, Any], path: str, depth: int) -> _Node:
        self._refuse_open_maps(schema, path)
        fields = []
        arrow = []
        for name, sub in schema["properties"].items():
            below = _joined(path, name)
            node = self._shape(sub, below, depth + 1)
            if node is None:
                self.refuse(below, "it can only be null, so there is nothing to store", "Drop it")
            fields.append(_Field(name, node, self._default(sub, node, below)))
            described = {"description": sub["description"]} if sub.get("description") else None
            arrow.append(pa.field(name, node.arrow, metadata=described))
        return _Node("struct", pa.struct(arrow), tuple(fields))

    def _refuse_open_maps(self, schema: dict[str, Any], path: str) -> None:
        pairs = "List its properties, or ask for an array of objects with `key` and `value`"
        if schema.get("patternProperties"):
            self.refuse(path, "`patternProperties` is an open map", pairs)
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            more = schema.get(keyword)
            if isinstance(more, dict) and more:
                self.refuse(path, f"`{keyword}` with a schema is an open map", pairs)
        known = schema.get("properties")
        if not known:
            self.refuse(path, "the object has no properties, so there is nothing to store", pairs)
        for name in schema.get("required", ()):
            if name not in known:
                self.refuse(path, f"{name!r} is required but not described", "Add it to `properties`")
        if "" in known:
            self.refuse(path, "a property has an empty name", "Give it a name")

    def _default(self, schema: dict[str, Any], node: _Node, path: str) -> tuple[Any] | None:
        if self._of_dump or schema.get("default") is None:
            return None
        value = schema["default"]
        try:
            _converter(node)(value)
            fits = Draft202012Validator(schema, format_checker=_FORMATS).is_valid(value)
        except _UnfitError:
            fits = False
        if not fits:
            self.refuse(path, "the default does not fit its own schema", "Mend the default, or drop it")
        return (value,)

    def _list(self, schema: dict[str, Any], path: str, depth: int) -> _Node:
        below = f"{path}[]"
        parts = list(schema.get("prefixItems", ()))
        rest = schema.get("items")
        closed = rest is False or (parts and schema.get("maxItems", math.inf) <= len(parts))
        if not closed or isinstance(rest, dict):
            parts.append(True if rest is None else rest)
        if not parts:
            self.refuse(path, "the array is always empty", "Drop it, or describe its `items`")
        item = self._one_of(parts, below, depth + 1)
        if item is None:
            self.refuse(below, "it can only be null, so there is nothing to store", "Drop it")
        return _Node("list", _list_of(item.arrow), item=item)


def _list_of(item: pa.DataType) -> pa.DataType:
    """A list whose items are named as Parquet names them, so that a file gives the type back."""
    return pa.list_(pa.field("element", item))


_NUMBERS = {
    "integer": _Node("int64", pa.int64()),
    "number": _Node("float64", pa.float64()),
    "boolean": _Node("bool", pa.bool_()),
}
_STRING = _Node("string", pa.string())
_NAIVE = _Node("naive", pa.timestamp("us"))
_DECIMAL_NODE = _Node("decimal", pa.decimal128(DECIMAL_PRECISION, DECIMAL_SCALE))
_TEXTS = {
    "date": _Node("date", pa.date32()),
    "date-time": _Node("instant", pa.timestamp("us", "UTC")),
    "time": _Node("time", pa.time64("us")),
    "decimal": _DECIMAL_NODE,
}


def _is_decimal(branches: list[Any], nodes: list[_Node]) -> bool:
    """Whether a union is how pydantic writes `Decimal`: a number, or a text of digits."""
    digits = any(str(branch.get("pattern", "")).startswith(_PYDANTIC_DECIMAL) for branch in branches)
    return digits and {node.kind for node in nodes} == {"float64", "string"}


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return kinds[type(value)]


# ---------------------------------------------------------------- texts with a meaning

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
_TIME = re.compile(r"(\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:[Zz]|\+00:00)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,5})?", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_EXAMPLES = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z, with an offset",
    "time": "12:00:00, without an offset",
    "date-time without an offset": "2026-01-31T12:00:00",
    "decimal": "12.50",
    "uuid": "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
    "email": "name@example.org",
}


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match


def _date(text: str) -> date:
    return date.fromisoformat(_matched(_DATE, text)[0])


def _datetime(text: str) -> datetime:
    """RFC 3339, the offset optional; digits beyond the microsecond are dropped."""
    day, clock, fraction, offset = _matched(_INSTANT, text).groups()
    return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{(offset or '').upper()}")


def _instant(text: str) -> datetime:
    moment = _datetime(text)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(text) from None


def _strict_instant(text: str) -> datetime:
    if _matched(_INSTANT, text)[4] is None:
        raise ValueError(text)
    return _instant(text)


def _time(text: str) -> time:
    clock, fraction = _matched(_TIME, text).groups()
    return time.fromisoformat(f"{clock}.{(fraction or '0')[:6]:0<6}")


def _formats() -> FormatChecker:
    """The formats that are checked; the same functions convert, so that check and conversion agree."""
    checker = FormatChecker(formats=())
    parsers: dict[str, Callable[[str], Any]] = {
        "date": _date,
        "date-time": _strict_instant,
        "time": _time,
        "decimal": lambda text: _matched(_DECIMAL, text),
        "uuid": lambda text: _matched(_UUID, text),
        "email": lambda text: _matched(_EMAIL, text),
    }
    for name, parse in parsers.items():

        def parses(value: object, parse: Callable[[str], Any] = parse) -> bool:
            if isinstance(value, str):
                parse(value)
            return True

        checker.checks(name, ValueError)(parses)
    return checker


_FORMATS = _formats()


# ---------------------------------------------------------------- conversion


class _UnfitError(Exception):
    """What Arrow cannot take, with the places where it is."""

    def __init__(self, *places: tuple[Path, str]) -> None:
        super().__init__()
        self.places = places

    def problems(self) -> list[Problem]:
        return [Problem(_path(path), message) for path, message in self.places[:MAX_PROBLEMS]]


def _unfit(message: str) -> NoReturn:
    raise _UnfitError(((), message)) from None


def _converter(node: _Node) -> Convert:
    if node.kind == "struct":
        return _struct_converter(node)
    if node.item is not None:
        return _list_converter(_converter(node.item))
    if node.kind == "decimal":
        return _decimal_converter(node.arrow.precision, node.arrow.scale)
    return _SCALARS[node.kind]


def _struct_converter(node: _Node) -> Convert:
    fields = [(field.name, _converter(field.node), field.default) for field in node.fields]

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            _unfit(f"{_short(value)} is no object")
        row: dict[str, Any] = {}
        places: list[tuple[Path, str]] = []
        for name, convert_field, default in fields:
            given = value[name] if name in value else default[0] if default else None
            try:
                row[name] = convert_field(given)
            except _UnfitError as error:
                places += [((name, *path), message) for path, message in error.places]
        if places:
            raise _UnfitError(*places)
        return row

    return convert


def _list_converter(convert_item: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            _unfit(f"{_short(value)} is no array")
        items: list[Any] = []
        places: list[tuple[Path, str]] = []
        for index, item in enumerate(value):
            try:
                items.append(convert_item(item))
            except _UnfitError as error:
                places += [((index, *path), message) for path, message in error.places]
        if places:
            raise _UnfitError(*places)
        return items

    return convert


def _string(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        _unfit(f"{_short(value)} is no string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            _unfit(NO_ENCODING)
    return value


def _integer(value: Any) -> Any:
    if value is None:
        return None
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        _unfit(f"{_short(value)} is no integer")
    if not -(2**63) <= value < 2**63:
        _unfit("the integer is beyond 64 bits")
    return int(value)


def _number(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _unfit(f"{_short(value)} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _unfit("the number is not finite, or beyond the range of a double")
    return number


def _boolean(value: Any) -> Any:
    if value is not None and not isinstance(value, bool):
        _unfit(f"{_short(value)} is neither true nor false")
    return value


def _parsed(parse: Callable[[str], Any], form: str) -> Convert:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse(value)
        except (ValueError, TypeError):
            _unfit(f"{_short(value)} is no {form}; write it like {_EXAMPLES[form]}")

    return convert


def _naive(text: str) -> datetime:
    moment = _datetime(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment


def _decimal_converter(precision: int, scale: int) -> Convert:
    context = Context(prec=precision)
    step = Decimal(1).scaleb(-scale)

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            _unfit(f"{_short(value)} is no decimal number")
        try:
            exact = Decimal(_matched(_DECIMAL, str(value).strip())[0])
            stored = exact.quantize(step, context=context)
        except ValueError:
            _unfit(f"{_short(value)} is no decimal number")
        except ArithmeticError:
            _unfit(f"the number has more than {precision - scale} digits before the point")
        if stored != exact:
            _unfit(f"the number has more than {scale} digits behind the point")
        return stored

    return convert


_SCALARS: dict[str, Convert] = {
    "string": _string,
    "int64": _integer,
    "float64": _number,
    "bool": _boolean,
    "date": _parsed(_date, "date"),
    "instant": _parsed(_instant, "date-time"),
    "naive": _parsed(_naive, "date-time without an offset"),
    "time": _parsed(_time, "time"),
}


# ---------------------------------------------------------------- words for places and values


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if re.fullmatch(r"\w+", name) else f"{path}[{json.dumps(_clip(name, 60))}]"


def _path(parts: Iterable[str | int]) -> str:
    path = "$"
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _joined(path, str(part))
    return path


def _below(path: str, problem: Problem) -> Problem:
    return Problem(path + problem.path.removeprefix("$"), problem.message)


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _short(value: Any) -> str:
    try:
        return _clip(repr(value), SHOWN)
    except (ValueError, RecursionError):  # an integer or a nesting that Python will not print
        return f"the {type(value).__name__}"
