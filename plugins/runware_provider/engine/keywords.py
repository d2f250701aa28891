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
KEYWORDS = (
    SCHEMA_MAPS
    | SCHEMA_LISTS
    | SCHEMAS
    | {
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "$comment",
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "$vocabulary",
    }
    | {"allOf", "type", "enum", "const", "required", "dependentRequired", "format", "pattern"}
    | {"minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties"}
    | {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
    | {"contentEncoding", "contentMediaType", "contentSchema", "definitions", "discriminator"}
)
"""All keywords, and two that older drafts and OpenAPI write into schemas."""
