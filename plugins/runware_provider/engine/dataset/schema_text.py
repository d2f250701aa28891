"""An Arrow schema as text that JSON can hold: Arrow's own message, in base64.

Arrow's message and not a notation of ours, since the input's columns can be of any type and every Arrow library
reads it. Metadata stays away: descriptions are part of what is asked, and manifests are read by everybody.
"""

from __future__ import annotations

import base64

import pyarrow as pa

from runware_provider.engine.dataset.arrow_types import check_names


def schema_text(schema: pa.Schema) -> str:
    """The schema as text, without metadata."""
    bare = pa.schema([_bare(field) for field in schema])
    return base64.b64encode(bare.serialize().to_pybytes()).decode()


def schema_of_text(text: str) -> pa.Schema:
    """The schema of which this is `schema_text`; types that are registered nowhere come back as what stores them.

    Raises:
        ValueError: it is none.
    """
    try:
        schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(text, validate=True)))
        check_names(schema)
    except (pa.ArrowException, OSError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"no schema: {error}") from None
    return schema


def _bare(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _bare_type(field.type), field.nullable)


def _bare_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([_bare(field) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_bare(kind.value_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(_bare(kind.value_field))
    return kind
