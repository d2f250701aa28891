"""The operator's arguments and the fields of its value objects."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined

import runware_provider
from from_code.docstrings import arguments_of, source_of
from from_code.markdown import code, described, sentence
from from_code.types import told
from runware_provider.approval import Approve
from runware_provider.engine import spec
from runware_provider.engine.spec_options import field_docstrings
from runware_provider.engine.value_object import ValueObject
from runware_provider.quality.spec import Report

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from types import ModuleType

    from pydantic.fields import FieldInfo

INHERITED = ("self", "kwargs", "arguments")
NEEDED = "needed"
FIELDS = list(spec.Spec.model_fields)


def _place(kind: type[ValueObject]) -> tuple[int, str]:
    """Among the value objects: as their arguments follow each other."""
    argument = kind.argument.partition(".")[0]
    return FIELDS.index(argument) if argument in FIELDS else len(FIELDS), kind.argument


OBJECTS: set[type[ValueObject]] = {*ValueObject.__subclasses__(), Report, Approve}
KINDS = {kind.__name__: kind for kind in sorted(OBJECTS, key=_place)}


def operator_arguments(name: str) -> str:
    """The arguments of an operator (by its dotted name): name, type, default, whether it is templated, meaning.

    What an argument means is said below the field of `Spec`; where the operator takes it otherwise, in its docstring.
    """
    said = {**field_docstrings(spec)["Spec"], **arguments_of(name)}
    templated = _class(name).template_fields
    return _described(source_of(name)["__init__"].parameters, said, spec, templated)


def function_arguments(name: str) -> str:
    """The arguments of a function (by its dotted name), as those of an operator."""
    module = import_module(f"{runware_provider.__name__}.{name.rpartition('.')[0]}")
    return _described(source_of(name).parameters, arguments_of(name), module)


def _class(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    return getattr(import_module(f"{runware_provider.__name__}.{module}"), kind)


def _described(
    parameters: Iterable[Any],
    said: Mapping[str, str],
    constants: ModuleType,
    templated: Container[str] = (),
) -> str:
    return "\n\n".join(
        described(
            one.name,
            (
                code(str(one.annotation).removesuffix(" | None")),
                _default_in_source(one.default, constants),
                "templated" if one.name in templated else "",
            ),
            sentence(said.get(one.name, "")),
        )
        for one in parameters
        if one.name not in INHERITED
    )


def value_object(name: str) -> str:
    """The fields of a value object: name, type and bounds, default, meaning."""
    kind = KINDS[name]
    said = field_docstrings(sys.modules[kind.__module__]).get(name, {})
    fields: dict[str, FieldInfo] = kind.model_fields
    return "\n\n".join(
        described(one.alias or field, (told(one), _default(one)), sentence(said.get(field, "")))
        for field, one in fields.items()
    )


def value_objects() -> str:
    """All of them but the spec, which is not what a DAG is written with: a section each."""
    kinds = (one for one in KINDS.values() if one is not spec.Spec)
    return "\n\n".join(
        f"## {one.__name__}\n\n{' '.join((one.__doc__ or '').split())}\n\n{value_object(one.__name__)}"
        for one in kinds
    )


def _default(field: FieldInfo) -> str:
    held: Any = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg] # none takes data
    if held is PydanticUndefined:
        return NEEDED
    return _by_default(f"{type(held).__name__}()" if isinstance(held, ValueObject) else repr(held))


def _default_in_source(written: object, constants: ModuleType) -> str:
    """As it is written, or the value of the constant of that module that is named there."""
    if written is None:
        return NEEDED
    value = getattr(constants, str(written), None)
    return _by_default(str(written) if value is None or isinstance(value, type) else repr(value))


def _by_default(value: str) -> str:
    return f"default {code(value)}"
