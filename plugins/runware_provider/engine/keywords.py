"""The keywords of JSON Schema (2020-12) that hold further schemas."""

from __future__ import annotations

SCHEMA_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Schemas by name."""
SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "prefixItems"})
SCHEMAS = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
"""One schema each."""
