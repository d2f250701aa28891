"""Which alternative of an `anyOf` or `oneOf` was meant, so that the complaints are about that one.

What tells: a property that has other values, by `const` or `enum`, in each alternative. Where there is none, the
alternative with the fewest complaints is the nearest, and it is said that none of them fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.complaints import Complaint
from runware_provider.engine.schema.problems import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runware_provider.engine.schema.complaints import Branch


def complaints_of_the_meant(complaint: Complaint) -> Iterator[Complaint]:
    """The complaints about what was meant, each of which says what is wrong at its own place.

    Args:
        complaint: of any keyword; one that has no alternatives is given back as it is.
    """
    branches = [branch for branch in complaint.branches if branch[0] != {"type": "null"}]
    if len(branches) == 1:
        yield from _all_meant(branches[0][1])
        return
    if not branches:
        yield complaint
        return
    value = complaint.value
    name = _telling(branches, value)
    if name is not None:
        yield from _by_discriminator(complaint, name, branches)
        return
    nearest = min(branches, key=lambda branch: _distance(complaint, branch))
    if all(_is_other_type(complaint, against) for _, against in branches):
        kinds = dict.fromkeys(kind for _, against in branches for kind in against[0].types)
        yield _of_the_whole(complaint, f"{short(value)} is not of type {', '.join(map(repr, kinds))}")
        return
    yield _of_the_whole(
        complaint, f"none of the {len(branches)} alternatives fits; what the nearest one lacks follows"
    )
    yield from _all_meant(nearest[1])


def _all_meant(complaints: Sequence[Complaint]) -> Iterator[Complaint]:
    for complaint in complaints:
        yield from complaints_of_the_meant(complaint)


def _of_the_whole(complaint: Complaint, message: str) -> Complaint:
    return Complaint(complaint.path, complaint.value, complaint.keyword, message)


def _by_discriminator(complaint: Complaint, name: str, branches: Sequence[Branch]) -> Iterator[Complaint]:
    value = complaint.value
    values = [_values(schema, name) or () for schema, _ in branches]
    if name not in value:
        message = f"{name!r} is a required property; it is one of {_known(values)}"
        yield _of_the_whole(complaint, message)
        return
    for known, (_, against) in zip(values, branches, strict=True):
        if _holds(known, value[name]):
            yield from _all_meant(against)
            return
    message = f"{short(value[name])} is not one of {_known(values)}"
    yield Complaint((*complaint.path, name), value[name], "enum", message)


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


def _is_other_type(complaint: Complaint, against: Sequence[Complaint]) -> bool:
    """Whether an alternative is of another type than the value altogether."""
    return against[0].keyword == "type" and against[0].path == complaint.path


def _distance(complaint: Complaint, branch: Branch) -> tuple[bool, int, int]:
    """How far away an alternative is: of another type, then by what it misses, then by what it does not share."""
    schema, against = branch
    shared = (
        len(complaint.value.keys() & _properties(schema).keys()) if isinstance(complaint.value, dict) else 0
    )
    return _is_other_type(complaint, against), len(against), -shared
