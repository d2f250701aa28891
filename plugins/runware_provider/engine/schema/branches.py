"""Which alternative of an `anyOf` or `oneOf` was meant, so that the complaints are about that one.

What tells: a property that has other values, by `const` or `enum`, in each alternative. Where there is none, the
alternative with the fewest complaints is the nearest, and it is said that none of them fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Branch = tuple[Any, list[ValidationError]]


def complaints_of_the_meant(error: ValidationError) -> Iterator[ValidationError]:
    """The complaints about what was meant, each of which says what is wrong at its own place.

    Args:
        error: of jsonschema, of any keyword; another keyword's complaint is given back as it is.
    """
    branches = _branches(error)
    if len(branches) == 1:
        yield from _all_meant(branches[0][1])
        return
    if not branches:
        yield error
        return
    value: Any = error.instance
    name = _telling(branches, value)
    if name is not None:
        yield from _by_discriminator(error, name, branches)
        return
    nearest = min((errors for _, errors in branches), key=lambda errors: _distance(value, errors))
    if all(_is_other_type(errors) for _, errors in branches):
        kinds = dict.fromkeys(kind for _, errors in branches for kind in _listed(errors[0].validator_value))
        error.message = f"{value!r} is not of type {', '.join(repr(kind) for kind in kinds)}"
        yield error
        return
    error.message = f"none of the {len(branches)} alternatives fits; what the nearest one lacks follows"
    yield error
    yield from _all_meant(nearest)


def _all_meant(errors: Sequence[ValidationError]) -> Iterator[ValidationError]:
    for one in errors:
        yield from complaints_of_the_meant(one)


def _branches(error: ValidationError) -> list[Branch]:
    """The alternatives besides null, each with its complaints."""
    if not error.context or error.validator not in {"anyOf", "oneOf"}:
        return []
    found: list[Branch] = []
    schemas: Any = error.validator_value
    for index, schema in enumerate(schemas):
        errors = [one for one in error.context if one.relative_schema_path[0] == index]
        if errors and schema != {"type": "null"}:
            found.append((schema, errors))
    return found


def _by_discriminator(
    error: ValidationError, name: str, branches: Sequence[Branch]
) -> Iterator[ValidationError]:
    value: Any = error.instance
    values = [_values(schema, name) or () for schema, _ in branches]
    if name not in value:
        error.message = f"{name!r} is a required property; it is one of {_known(values)}"
        yield error
        return
    for known, (_, errors) in zip(values, branches, strict=True):
        if _holds(known, value[name]):
            yield from _all_meant(errors)
            return
    problem = ValidationError(
        f"{value[name]!r} is not one of {_known(values)}",
        path=[name],
        instance=value[name],
        validator="enum",
        validator_value=_known(values),
    )
    problem.parent = error.parent
    problem.relative_path.extendleft(reversed(error.relative_path))
    yield problem


def _known(values: Sequence[Sequence[Any]]) -> list[Any]:
    return [one for known in values for one in known]


def _telling(branches: Sequence[Branch], value: Any) -> str | None:
    """The property by which the alternatives are told apart; one that the value has comes first."""
    if not isinstance(value, dict):
        return None
    names = [name for name in _properties(branches[0][0]) if _tells_apart(branches, name)]
    return next((name for name in names if name in value), names[0] if names else None)


def _tells_apart(branches: Sequence[Branch], name: str) -> bool:
    values = [_values(schema, name) for schema, _ in branches]
    if any(known is None for known in values):
        return False
    apart = [one for known in values if known is not None for one in known]
    return not any(_holds(apart[:n], one) for n, one in enumerate(apart))


def _holds(known: Sequence[Any], value: Any) -> bool:
    """Whether a value is among them; true is not 1 in JSON, as it is in Python."""
    return any(one == value and isinstance(one, bool) is isinstance(value, bool) for one in known)


def _properties(schema: Any) -> Mapping[str, Any]:
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


def _values(schema: Any, name: str) -> Sequence[Any] | None:
    """The values that a property may have, where they are listed."""
    sub = _properties(schema).get(name)
    if not isinstance(sub, dict):
        return None
    return [sub["const"]] if "const" in sub else sub.get("enum")


def _listed(kinds: Any) -> Sequence[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def _is_other_type(errors: Sequence[ValidationError]) -> bool:
    return errors[0].validator == "type" and not errors[0].relative_path


def _distance(value: Any, errors: Sequence[ValidationError]) -> tuple[bool, int, int]:
    """How far away an alternative is: of another type, then by what it misses, then by what it does not share."""
    shared = 0
    if isinstance(value, dict) and errors[0].parent is not None:
        schemas: Any = errors[0].parent.validator_value
        shared = len(value.keys() & _properties(schemas[errors[0].relative_schema_path[0]]).keys())
    return _is_other_type(errors), len(errors), -shared
