"""The JSON Schemas of a pydantic model: what is asked for, what an answer may say, and what its dump stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pydantic.json_schema import GenerateJsonSchema

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.decimal_asking import asked_decimal
from runware_provider.engine.schema.model_fields import fields_read
from runware_provider.engine.schema.places import OPENED_KEYS, READ_KEYS, READS_ITSELF

if TYPE_CHECKING:
    from runware_provider.engine.schema.model_fields import ReadField


class AskedSchema(GenerateJsonSchema):
    """Pydantic's JSON Schema, without the titles that it makes of the fields' names: they are paid for.

    It is quiet about defaults that JSON cannot write: they are applied all the same.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own name

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        return asked_decimal(schema)


class ReadSchema(AskedSchema):
    """The schema of an answer, which says of a decimal that it is one."""

    def decimal_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ARG002 - pydantic's signature
        return {"type": "string", "format": "decimal"}

    def model_schema(self, schema: Any) -> dict[str, Any]:
        return _with_keys(super().model_schema(schema), schema)

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        return _with_keys(super().dataclass_schema(schema), schema)

    def typed_dict_schema(self, schema: Any) -> dict[str, Any]:
        return _with_keys(super().typed_dict_schema(schema), schema)

    def function_before_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_before_schema(schema), READS_ITSELF: True}

    def function_wrap_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_wrap_schema(schema), READS_ITSELF: True}

    def function_plain_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_plain_schema(schema), READS_ITSELF: True}


def _with_keys(described: dict[str, Any], schema: Any) -> dict[str, Any]:
    """The JSON Schema of a class, with all keys that its fields read, each with the property that it stands for.

    Raises:
        BadInput: what is asked for is not what is read.
    """
    read = fields_read(schema)
    properties = described.get("properties")
    if read is None or properties is None:
        return described
    keys: dict[str, str] = {}
    opened: list[str] = []
    for field in read.fields:
        asked = next((name for name in field.asked_as if name in properties), None)
        if asked is None:  # the user has hidden it
            continue
        if asked not in field.keys:
            _refuse_unread(schema["cls"].__name__, field, asked)
        keys.update(dict.fromkeys(field.keys, asked))
        opened += field.opened
    return {**described, READ_KEYS: keys, OPENED_KEYS: opened}


def _refuse_unread(called: str, field: ReadField, asked: str) -> NoReturn:
    places = " or ".join(repr(".".join(map(str, path))) for path in field.paths)
    problem = f"{called}.{field.name} is asked for as {asked!r}, and read from {places}"
    remedy = f"Let it be read from {asked!r}, too, as with AliasChoices, or describe what it is read from as a model"
    raise BadInput("output_type", problem, remedy)


class StoredSchema(AskedSchema):
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
