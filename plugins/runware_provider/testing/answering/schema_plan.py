"""A JSON Schema, analysed once: which value goes where, and what a value must satisfy."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.testing.answering.labels import concept_of_field, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 12
MAX_PLANS = 5_000
MAX_REPEATS = 2
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Plan:
    """What is known of one place of a schema.

    Attributes:
        types: The allowed JSON types, without ``null``; the first is used.
        nullable: Whether null is allowed.
        name: The field's name as words.
        description: The field's title and description.
        concept: What the field is about.
        choices: The allowed values, of ``enum`` or ``const``; empty is any.
        properties: The plans of an object's properties.
        required: The names that an object must have.
        items: The plan of an array's items.
        rules: The schema itself, for limits of strings, numbers, arrays.
        pattern: The compiled ``pattern``.
        others: Alternative plans (``anyOf``, ``oneOf``), the first that can be filled is used.
        cut: Whether the analysis ended here, because the schema is too deep, too large, or repeats itself.
    """

    types: tuple[str, ...] = ("string",)
    nullable: bool = False
    name: str = ""
    description: str = ""
    concept: str | None = None
    choices: tuple[Any, ...] = ()
    properties: dict[str, Plan] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Plan | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    others: tuple[Plan, ...] = ()
    cut: bool = False


_plans: OrderedDict[bytes, Plan] = OrderedDict()


def plan_of(schema: Any) -> Plan:
    """Give the plan of a schema; the plans of the last 256 schemas are remembered."""
    key = _encode(schema)
    plan = _plans.get(key)
    if plan is None:
        plan = _Analysis(schema).plan(schema, "", 0)
        _plans[key] = plan
        if len(_plans) > 256:
            _plans.popitem(last=False)
    return plan


class _Analysis:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._path: list[str] = []
        self._plans = 0

    def plan(self, schema: Any, name: str, depth: int) -> Plan:
        rules, references = self._resolved(schema)
        self._plans += 1
        plan = Plan(name=words_of(name), rules=rules)
        plan.types, plan.nullable = _types(rules)
        title, text = _text(rules.get("title")), _text(rules.get("description"))
        plan.description = f"{title} {text}".strip()
        plan.concept = concept_of_field(name, title, text) if name else None
        plan.choices = _choices(rules)
        plan.pattern = _pattern(rules)
        repeats = any(self._path.count(reference) >= MAX_REPEATS for reference in references)
        plan.cut = repeats or depth >= MAX_DEPTH or self._plans >= MAX_PLANS
        if not plan.cut:
            self._path.extend(references)
            self._inside(plan, rules, name, depth + 1)
            del self._path[len(self._path) - len(references) :]
        return plan

    def _inside(self, plan: Plan, rules: Mapping[str, Any], name: str, depth: int) -> None:
        properties = rules.get("properties")
        plan.required = frozenset(n for n in _list(rules.get("required")) if isinstance(n, str))
        known = properties if isinstance(properties, dict) else {}
        plan.properties = {key: self.plan(value, key, depth) for key, value in known.items()}
        for key in sorted(plan.required - known.keys()):
            plan.properties[key] = self.plan(rules.get("additionalProperties", {}), key, depth)
        if "items" in rules:
            plan.items = self.plan(rules["items"], name, depth)
        branches = [self._branch(rules, branch, name, depth) for branch in _branches(rules)]
        plan.nullable = plan.nullable or any(not branch.types and branch.nullable for branch in branches)
        plan.others = tuple(branch for branch in branches if branch.types)
        if branches and not plan.others:
            plan.types = ()

    def _branch(self, rules: Mapping[str, Any], branch: Any, name: str, depth: int) -> Plan:
        around = {key: value for key, value in rules.items() if key not in ("anyOf", "oneOf", "default")}
        return self.plan(_merged(around, branch if isinstance(branch, dict) else {}), name, depth)

    def _resolved(self, schema: Any) -> tuple[dict[str, Any], list[str]]:
        """Follow references and merge ``allOf``; a schema that is no object allows anything."""
        rules = schema if isinstance(schema, dict) else {}
        references: list[str] = []
        while len(references) < MAX_DEPTH:
            if isinstance(rules.get("$ref"), str):
                references.append(rules["$ref"])
                around = {key: value for key, value in rules.items() if key != "$ref"}
                rules = _merged(self._target(references[-1]), around)
            elif _list(rules.get("allOf")):
                merged = {key: value for key, value in rules.items() if key != "allOf"}
                for part in rules["allOf"]:
                    merged = _merged(merged, part if isinstance(part, dict) else {})
                rules = merged
            else:
                break
        return {key: value for key, value in rules.items() if key != "$ref"}, references

    def _target(self, reference: str) -> dict[str, Any]:
        found: Any = self._root
        for step in reference.lstrip("#").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if key:
                found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}


def _branches(rules: Mapping[str, Any]) -> list[Any]:
    return _list(rules.get("anyOf")) or _list(rules.get("oneOf"))


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**one, **other}
    if isinstance(one.get("properties"), dict) and isinstance(other.get("properties"), dict):
        merged["properties"] = {**one["properties"], **other["properties"]}
    if _list(one.get("required")) and _list(other.get("required")):
        merged["required"] = [*one["required"], *other["required"]]
    return merged


def _types(rules: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    given = rules.get("type")
    listed = [given] if isinstance(given, str) else _list(given)
    types = tuple(t for t in listed if isinstance(t, str) and t in TYPES)
    if types:
        return tuple(t for t in types if t != "null"), "null" in types
    choices = _choices(rules)
    if choices:
        return ("string",), None in choices
    if "properties" in rules or "required" in rules:
        return ("object",), False
    if "items" in rules or "minItems" in rules:
        return ("array",), False
    if any(
        key in rules for key in ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum")
    ):
        return ("number",), False
    return ("string",), False


def _choices(rules: Mapping[str, Any]) -> tuple[Any, ...]:
    if "const" in rules:
        return (rules["const"],)
    return tuple(_list(rules.get("enum")))


def _pattern(rules: Mapping[str, Any]) -> re.Pattern[str] | None:
    try:
        return re.compile(rules["pattern"])
    except (KeyError, TypeError, re.error, RecursionError):
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def limit(rules: Mapping[str, Any], name: str, otherwise: float) -> float:
    """Give a numeric limit of a schema, or what holds without one."""
    value = rules.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return otherwise
    return value
