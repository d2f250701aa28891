"""The questions about the account and the models, which cost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.account import balance_in, listed_models
from runware_provider.engine.api.client import Client, Lost, NotSent
from runware_provider.engine.api.replies import decode
from runware_provider.engine.errors import Unreachable

if TYPE_CHECKING:
    from runware_provider.engine.api.account import ListedModel


class AccountClient(Client):
    """Asks the API what it offers, and what is left to pay for it."""

    async def balance(self) -> float:
        """The credit of the account, in USD; asking costs nothing.

        Raises:
            KeyRefused: the API does not take the key.
            Unreachable: there was no usable answer.
        """
        response = await self.asked_freely(request_bodies.account_details(str(uuid4())))
        balance = balance_in(decode(response.content))
        if balance is None:
            raise Unreachable(f"{self.base_url} answered without the account's balance")
        return balance

    async def models(self) -> list[ListedModel]:
        """The models that the API lists, with their prices; asking costs nothing.

        Raises:
            KeyRefused: the API does not take the key.
            Unreachable: there was no usable answer.
        """
        try:
            response = await self.listed()
        except (NotSent, Lost) as error:
            raise self.silent(error) from None
        models = listed_models(decode(response.content))
        self.check_status(response.status_code, readable=bool(models))
        return models
