from __future__ import annotations

import pyarrow as pa
import pytest

from runware_provider.engine.dataset.schema_text import schema_of_text, schema_text

LINE = pa.struct([pa.field("amount", pa.decimal128(38, 18), metadata={"description": "Secret"})])
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int32(), pa.string())),
        pa.field("map", pa.map_(pa.string(), pa.int64())),
        pa.field("at", pa.timestamp("us", "UTC"), metadata={"description": "Secret"}),
        pa.field("lines", pa.list_(pa.field("element", LINE, metadata={"description": "Secret"}))),
        pa.field("more", pa.large_list(pa.field("item", LINE))),
    ],
    metadata={"pandas": "Secret"},
)


def test_a_schema_comes_back_from_its_text() -> None:
    assert schema_of_text(schema_text(SCHEMA)).equals(SCHEMA, check_metadata=False)


def test_metadata_stays_away_at_every_depth() -> None:
    read = schema_of_text(schema_text(SCHEMA))
    assert "Secret" not in read.to_string(show_field_metadata=True, show_schema_metadata=True)
    assert "Secret" in SCHEMA.to_string(show_field_metadata=True, show_schema_metadata=True)


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", schema_text(SCHEMA)[:40]])
def test_a_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        schema_of_text(text)
