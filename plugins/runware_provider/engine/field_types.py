"""The types of fields that several value objects have, each refused in a sentence where a value cannot work."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.errors import BadInput

NOTHING = ("", "None", "null")
"""What a template renders to where it has no value."""


def _in_hundredths(value: float, info: ValidationInfo) -> float:
    """The API takes these numbers in steps of 0.01."""
    if not math.isfinite(value * 100) or abs(value * 100 - round(value * 100)) > 1e-6:
        raise BadInput(
            f"settings.{info.field_name}", f"{value!r} is not a multiple of 0.01, the API's step", "Round it"
        )
    return round(value, 2)


def _encodable(value: str) -> str:
    """The text, if it can be sent and stored."""
    if not is_encodable(value):
        raise PydanticCustomError("string_unicode", "half of a surrogate pair has no encoding")
    return value


def not_blank(value: str, info: ValidationInfo) -> str:
    """The text, if there is any, and it can be sent."""
    _encodable(value)
    if not value.strip():
        raise BadInput(str(info.field_name), "it is empty", "Give a text that is not blank")
    return value


def _no_switch(value: object) -> object:
    """Python takes True for 1, and whoever writes `output_retries=True` means something else."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "a number is wanted")
    return value


def _plain_json(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    field = f"settings.{info.field_name}" if info.field_name == "extra" else "tools.schema"
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise BadInput(
            field,
            "it holds what is not plain JSON",
            "Use dicts, lists, texts that UTF-8 can hold, finite numbers, true, false, null",
        ) from None
    return value


def text_or_nothing(value: object) -> object:
    """A text may come from a template, which renders to nothing where there is no value."""
    if isinstance(value, str):
        text = value.strip()
        return None if text in NOTHING else value
    return value


def number_or_nothing(value: object) -> object:
    """A number may come from a template, too: "10", "", "None"."""
    return text_or_nothing(value.strip() if isinstance(value, str) else value)


def default_for_nothing(default: object) -> BeforeValidator:
    """A choice may come from a template, too: where that renders to nothing, it is the default."""

    def chosen(value: object) -> object:
        choice = text_or_nothing(value)
        return default if choice is None else choice

    return BeforeValidator(chosen)


def _path_or_nothing(value: object) -> object:
    """A path of `pathlib` will do, and what a template renders to."""
    as_text = getattr(value, "__fspath__", None)
    return text_or_nothing(value if as_text is None else as_text())


Hundredths = Annotated[float, AfterValidator(_in_hundredths)]
Text = Annotated[str, AfterValidator(not_blank)]
Sendable = Annotated[str, AfterValidator(_encodable)]
"""A text, blank or not, that UTF-8 can hold."""
PlainJson = Annotated[dict[str, Any], AfterValidator(_plain_json)]
WholeNumber = Annotated[int, BeforeValidator(_no_switch)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Place = Annotated[str | None, BeforeValidator(_path_or_nothing)]
"""A path or URL, or none."""
