"""What the API tells of the account and of its models, in one shape. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.redact import one_line
from runware_provider.engine.api.reported_numbers import (
    MOST_PRICE_USD,
    MOST_TOKENS,
    number_in,
    whole_number_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BALANCE_USD: Final = 1e12
MOST_NAME_CHARS: Final = 200


@dataclass(frozen=True)
class ListedModel:
    """An entry of `GET /models`: no source but public code that reads it shows its shape, so that each part may be missing."""

    id: str
    name: str | None = None
    usd_per_token: tuple[float, float] | None = None
    """In and out."""
    context_length: int | None = None
    max_output_tokens: int | None = None


def listed_models(listed: Any) -> list[ListedModel]:
    """The models of a list, in its order; what is no entry of one is left out.

    Args:
        listed: what `GET /models` answered, decoded.
    """
    models = listed.get("data") if isinstance(listed, dict) else listed
    return list(_models(models if isinstance(models, list) else []))


def _models(entries: list[Any]) -> Iterator[ListedModel]:
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            continue
        name = entry.get("name")
        yield ListedModel(
            id=entry["id"],
            name=one_line(name, MOST_NAME_CHARS) if isinstance(name, str) else None,
            usd_per_token=_price(entry.get("pricing")),
            context_length=whole_number_in(entry.get("context_length"), MOST_TOKENS),
            max_output_tokens=whole_number_in(entry.get("max_output_tokens"), MOST_TOKENS),
        )


def _price(pricing: Any) -> tuple[float, float] | None:
    """USD per token in and out; None where it says none that can be."""
    if not isinstance(pricing, dict):
        return None
    prompt = number_in(pricing.get("prompt"), MOST_PRICE_USD)
    completion = number_in(pricing.get("completion"), MOST_PRICE_USD)
    if prompt is None or completion is None:
        return None
    # No source shows the unit. No model costs a thousandth of a dollar per token, and none so little per million.
    is_per_million = max(prompt, completion) >= 1e-3
    return (prompt / 1e6, completion / 1e6) if is_per_million else (prompt, completion)


def balance_in(answered: Any) -> float | None:
    """The credit of the account in USD, which may be below zero; None where the reply names none.

    Args:
        answered: what accountManagement answered, decoded; `data` holds an item with `balance`, says the vendor's
            page on account management.
    """
    items = answered.get("data") if isinstance(answered, dict) else None
    for item in items if isinstance(items, list) else []:
        balance = item.get("balance") if isinstance(item, dict) else None
        number = _signed(balance)
        if number is not None:
            return number
    return None


def _signed(value: Any) -> float | None:
    if isinstance(value, str) and value.strip().startswith("-"):
        owed = number_in(value.strip()[1:], MOST_BALANCE_USD)
    elif isinstance(value, int | float) and value < 0:
        owed = number_in(-value, MOST_BALANCE_USD)
    else:
        return number_in(value, MOST_BALANCE_USD)
    return None if owed is None else -owed
