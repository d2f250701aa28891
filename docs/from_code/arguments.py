"""The operator's arguments and the fields of its value objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined

from from_code.docstrings import arguments_of, fields_of, source_of
from from_code.markdown import code, sentence, table
from from_code.types import told
from runware_provider.engine import spec

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

INHERITED = ("self", "kwargs")


def operator_arguments(name: str) -> str:
    """The arguments of an operator (by its dotted name), as a table: name, type, default, meaning."""
    said = arguments_of(name)
    rows = []
    for one in source_of(name)["__init__"].parameters:
        if one.name not in INHERITED:
            default = "" if one.default is None else code(_plain(str(one.default)))
            rows.append(
                [code(one.name), code(str(one.annotation)), default, sentence(said.get(one.name, ""))]
            )
    return table(("argument", "type", "default", "meaning"), rows)


def value_object(name: str) -> str:
    """The fields of a value object in `engine/spec.py`, as a table: name, type and bounds, default, meaning."""
    said = fields_of(f"engine.spec.{name}")
    fields: dict[str, FieldInfo] = getattr(spec, name).model_fields
    rows = [
        [code(one.alias or field), told(one), _default(one), sentence(said.get(field, ""))]
        for field, one in fields.items()
    ]
    return table(("field", "type", "default", "meaning"), rows)


def value_objects() -> str:
    """All of them but the spec, which is not what a DAG is written with: a section each."""
    kinds = (one for one in spec.ValueObject.__subclasses__() if one is not spec.Spec)
    return "\n\n".join(
        f"## {one.__name__}\n\n{' '.join((one.__doc__ or '').split())}\n\n{value_object(one.__name__)}"
        for one in kinds
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    held: Any = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg] # none takes data
    if isinstance(held, spec.ValueObject):
        return code(f"{type(held).__name__}()")
    return "" if held is PydanticUndefined else code(repr(held))


def _plain(default: str) -> str:
    """The value of a constant, where the source names one."""
    value = getattr(spec, default, None)
    return default if value is None or isinstance(value, type) else repr(value)
