"""What a run asked and how, as JSON that it can be asked again with, and without secrets. Pure.

Who asked is left out: the run's name, and its wishes to ask anew. So whoever asks again has a budget of his own, and asks
nothing anew that he does not wish for.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic import BaseModel

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.asked_for import asked_for_by
from runware_provider.engine.labels import labels_of
from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.shown_urls import may_hold_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.spec import Spec

FORMAT: Final = 1
WHO_ASKED: Final = ("run", "refresh", "retry_failed")
"""Fields of the spec that say whose run it was and what he wished, and not what was asked."""
URLS: Final = ("source", "destination", "memory.state", "failures.dataset")
"""Fields that may hold a password, as only a URL with one does; it is left out with the whole URL."""
_BY_HAND: Final = {*WHO_ASKED, "output_type", "variables", "filters"}

_SECRET_NAME: Final = re.compile(
    r"(?:password|passwd|passphrase|secret|token|credentials?|authorization|(?:api|access|private|secret)[_-]?key)$",
    re.IGNORECASE,
)
_PASSWORD_IN_URL: Final = re.compile(r"://\S*:\S*@")
_MOST_DEPTH: Final = 40

_MICROSECOND: Final = timedelta(microseconds=1)
_TAGS: Final[dict[str, tuple[type, Callable[[Any], str | int], Callable[[Any], Any]]]] = {
    "$datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "$date": (date, date.isoformat, date.fromisoformat),
    "$time": (time, time.isoformat, time.fromisoformat),
    "$microseconds": (timedelta, lambda value: value // _MICROSECOND, lambda number: number * _MICROSECOND),
    "$decimal": (Decimal, str, Decimal),
    "$uuid": (UUID, str, UUID),
}
"""Values of which JSON has no kind: by the key of the object that stands for one, its type, how it is written and read."""
_TUPLE, _DICT = "$tuple", "$dict"


class _Unwritable(Exception):  # noqa: N818 - never leaves this module
    """A value that is a secret, or that JSON cannot hold."""


def asked_in(spec: Spec, digests: Mapping[str, str]) -> dict[str, Any]:
    """The record of what a run asks and how.

    Args:
        spec: what the user asked for.
        digests: of the parts of the request, as `Prepared` has them.

    Returns:
        `format`, `digests`, `spec` (its fields, all of which are JSON), `left_out` (what is not among them, by path), and of
        a pydantic class its name as `from_class`, with `asks_the_same`: whether its JSON Schema asks the same of the model.
    """
    left_out: list[str] = []
    fields = spec.model_dump(mode="json", by_alias=True, exclude=_BY_HAND)
    for path in URLS:
        _drop_password(fields, path, left_out)
    # What a person approved, or what a shard was dealt, is that run's alone.
    budget = spec.authors_budget
    fields["budget"] = None if budget is None else budget.model_dump(mode="json", by_alias=True)
    fields["output_type"] = _schema_of(spec)
    fields["variables"] = _written_dict(spec.variables, "variables", left_out, 0)
    fields["filters"] = _filters_of(spec, left_out)
    record = {"format": FORMAT, "digests": dict(digests), "spec": fields, "left_out": left_out}
    if not _is_class(spec.output_type):
        return record
    same = _asks_the_same(spec, fields["output_type"])
    return {**record, "from_class": spec.output_type.__name__, "asks_the_same": same}


def digest_of_request(record: Mapping[str, Any]) -> str:
    """What a record is named by: 20 hexadecimal digits."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:20]


def values_in(record: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Spec` that a record holds, not checked yet.

    Raises:
        ValueError, TypeError, KeyError, ArithmeticError: it is no such record.
    """
    values = dict(record["spec"])
    values["variables"] = _read_dict(values.get("variables") or {})
    values["filters"] = [
        [tuple(_read(part) for part in each) for each in all_of] for all_of in values.get("filters") or ()
    ]
    return values


def _drop_password(fields: dict[str, Any], path: str, left_out: list[str]) -> None:
    *above, name = path.split(".")
    siblings = fields[above[0]] if above else fields
    url = siblings[name]
    if isinstance(url, str) and may_hold_secret(url):
        left_out.append(path)
        del siblings[name]


def _schema_of(spec: Spec) -> Any:
    labels = labels_of(spec.output_type)
    if labels is not None:
        told = {"description": labels.description} if labels.description else {}
        return {"title": labels.title, **told, "type": "string", "enum": list(labels.names)}
    if _is_class(spec.output_type):
        answers = spec.answers
        wish = output_schema(
            spec.output_type, untyped=answers.untyped, lenient_numbers=answers.lenient_numbers
        )
        return wish.json_schema
    return spec.output_type


def _asks_the_same(spec: Spec, schema: Any) -> bool:
    """Whether the model is asked the same by the JSON Schema of a class; if not, everything would be asked, and paid, anew."""
    as_schema = spec.model_copy(update={"output_type": schema})
    try:
        return asked_for_by(spec).template.fields(0) == asked_for_by(as_schema).template.fields(0)
    # A class may say what no JSON Schema can: that an amount is a decimal.
    except BadInput:
        return False


def _is_class(output_type: object) -> bool:
    return isinstance(output_type, type) and issubclass(output_type, BaseModel)


def _filters_of(spec: Spec, left_out: list[str]) -> list[Any]:
    """Without one of them other records would be chosen: where one cannot be written, there are none."""
    try:
        return [
            [[_written(_as_list(part), "", [], 0) for part in each] for each in all_of]
            for all_of in spec.filters
        ]
    except _Unwritable:
        left_out.append("filters")
        return []


def _as_list(part: Any) -> Any:
    return list(part) if isinstance(part, tuple) else part


def _written(value: Any, path: str, left_out: list[str], depth: int) -> Any:
    """A value as JSON.

    Raises:
        _Unwritable: it is a secret, or none that JSON can hold.
    """
    if depth > _MOST_DEPTH:
        raise _Unwritable
    if isinstance(value, Mapping):
        written = _written_dict(value, path, left_out, depth + 1)
        # An object of the user's that looks like one of ours.
        return {_DICT: written} if _tag_of(written) is not None else written
    if isinstance(value, list | tuple):
        parts = [
            _written(part, f"{path}[{number}]", left_out, depth + 1) for number, part in enumerate(value)
        ]
        return parts if isinstance(value, list) else {_TUPLE: parts}
    return _written_alone(value)


def _written_alone(value: Any) -> Any:
    """The same of a value that holds no others."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _written_text(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    for tag, (kind, write, _) in _TAGS.items():
        if isinstance(value, kind):
            return {tag: write(value)}
    raise _Unwritable


def _written_text(text: str) -> str:
    if not is_encodable(text) or _PASSWORD_IN_URL.search(text):
        raise _Unwritable
    return str(text)


def _written_dict(values: Mapping[Any, Any], path: str, left_out: list[str], depth: int) -> dict[str, Any]:
    """What of it can be written; what cannot is named in `left_out`."""
    written: dict[str, Any] = {}
    for name, value in values.items():
        inside = f"{path}.{name}"
        try:
            _check_name(name)
            written[name] = _written(value, inside, left_out, depth)
        except _Unwritable:
            left_out.append(inside.encode(errors="replace").decode())
    return written


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not is_encodable(name) or _SECRET_NAME.search(name):
        raise _Unwritable


def _tag_of(value: Mapping[str, Any]) -> str | None:
    """The tag of an object that stands for a value of another kind; None of any other object."""
    tag = next(iter(value), "") if len(value) == 1 else ""
    return tag if tag in {*_TAGS, _TUPLE, _DICT} else None


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(part) for part in value]
    if not isinstance(value, dict):
        return value
    tag = _tag_of(value)
    if tag is None:
        return _read_dict(value)
    inside = value[tag]
    if tag == _DICT:
        return _read_dict(inside)
    if tag == _TUPLE:
        return tuple(_read(part) for part in inside)
    return _TAGS[tag][2](inside)


def _read_dict(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _read(value) for name, value in values.items()}
