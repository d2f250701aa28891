from __future__ import annotations

import dataclasses
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import (
    BaseModel,
    Field,
    PlainSerializer,
    Secret,
    SecretBytes,
    SecretStr,
    create_model,
    field_serializer,
)

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema


def revealed(secret: SecretStr) -> str:
    return secret.get_secret_value()


class Login(BaseModel):
    user: str
    password: SecretStr | None = None
    others: list[Login] = []


@dataclasses.dataclass
class Key:
    value: SecretStr


class Shown(BaseModel):
    password: SecretStr
    code: Annotated[SecretStr, PlainSerializer(revealed, return_type=str)]
    codes: list[Annotated[SecretStr, PlainSerializer(revealed, return_type=str)]] = []
    pin: SecretBytes = Field(default=SecretBytes(b""), exclude=True)

    @field_serializer("password")
    def _shown(self, value: SecretStr) -> str:
        return value.get_secret_value()


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (SecretStr, "$.x"),
        (SecretBytes | None, "$.x"),
        (Secret[date], "$.x"),
        (list[SecretStr], "$.x[]"),
        (Annotated[SecretStr, Field(min_length=3)], "$.x"),
        (Login, "$.x.password"),
        (list[Login], "$.x[].password"),
        (Key, "$.x.value"),
    ],
)
def test_what_would_be_stored_as_asterisks_is_refused_before_it_is_paid_for(kind: Any, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        output_schema(create_model("M", x=(kind, ...)), untyped="json")
    assert str(caught.value).startswith(f"output_type: at {place}: a secret is stored as asterisks")
    assert "serializer" in str(caught.value)


def test_a_secret_that_its_serializer_shows_is_stored() -> None:
    schema = output_schema(Shown)
    assert schema.fit({"password": "a", "code": "b", "codes": ["c"]}).value == {
        "password": "a",
        "code": "b",
        "codes": ["c"],
    }
