"""The JSON Schemas of a pydantic model: what is asked for, what an answer may say, and what its dump stores."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from runware_provider.engine.schema.decimal_asking import asked_decimal
from runware_provider.engine.schema.model_check import names_read


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
        return {**super().model_schema(schema), "x-also-read": sorted(names_read(schema["cls"]))}

    def function_before_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_before_schema(schema), "x-reads-itself": True}

    def function_wrap_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_wrap_schema(schema), "x-reads-itself": True}

    def function_plain_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().function_plain_schema(schema), "x-reads-itself": True}


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
