"""What the provider adds to Airflow: fields of the connection, options of the configuration."""

from __future__ import annotations

from typing import Any

from from_code.markdown import code, described, sentence
from runware_provider.provider_info import OPTIONS, get_provider_info


def connection_fields() -> str:
    """The connection's own fields, which stand in its extra."""
    (connection,) = get_provider_info()["connection-types"]
    return "\n\n".join(
        described(name, (_bounds(one["schema"]),), sentence(one["description"]))
        for name, one in connection["conn-fields"].items()
    )


def configuration() -> str:
    """The options of the section `[runware]`."""
    return "\n\n".join(
        described(
            name, (one["type"], f"default {code(one['default'] or 'empty')}"), sentence(one["description"])
        )
        for name, one in OPTIONS.items()
    )


def _bounds(schema: dict[str, Any]) -> str:
    return f"whole number ({schema['minimum']:,} to {schema['maximum']:,})"
