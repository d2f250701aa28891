"""Whether a column can hold the messages of its records, by its type. Pure."""

from __future__ import annotations

import pyarrow as pa

from runware_provider.engine.errors import BadInput
from runware_provider.engine.messages import FIELD

_PARTS = ("role", "content")


def check_holds_messages(column: str | None, schema: pa.Schema) -> None:
    """Refuse a column that holds no messages in any record.

    Args:
        column: the one that all messages are taken from; None where they come from elsewhere.
        schema: of the data.

    Raises:
        BadInput: it is neither a list of structs with `role` and `content`, nor a text.
    """
    if column is None:
        return
    kind = schema.field(column).type
    if _is_text(kind) or pa.types.is_null(kind) or _is_list_of_messages(kind):
        return
    raise BadInput(
        FIELD,
        f"column {column!r} is of the type {str(kind)[:200]}, which holds no messages",
        "Name a column that is a list of structs with the texts role and content, or such a list as JSON text",
    )


def _is_list_of_messages(kind: pa.DataType) -> bool:
    if not _is_list(kind):
        return False
    item = kind.value_type
    if not pa.types.is_struct(item):
        return False
    names = [field.name for field in item]
    return all(names.count(part) == 1 and _is_text(item.field(part).type) for part in _PARTS)


def _is_list(kind: pa.DataType) -> bool:
    of = pa.types
    return any(
        is_kind(kind)
        for is_kind in (
            of.is_list,
            of.is_large_list,
            of.is_fixed_size_list,
            of.is_list_view,
            of.is_large_list_view,
        )
    )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return any(
        is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )
