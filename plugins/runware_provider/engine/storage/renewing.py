"""What asks an object store, made anew when its credentials have expired."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

C = TypeVar("C")
T = TypeVar("T")


class Renewing(Generic[C]):
    """A connection to a store, for any number of threads.

    Args:
        connect: makes one of the options.
        options: the first ones.
        renew: gives the options anew; None where nobody can.
        has_expired: whether an error says that the credentials have.
    """

    def __init__(
        self,
        connect: Callable[[Mapping[str, str]], C],
        options: Mapping[str, str],
        renew: Callable[[], Mapping[str, str]] | None,
        has_expired: Callable[[Exception], bool],
    ) -> None:
        self._connect = connect
        self._renew = renew
        self._has_expired = has_expired
        self._renewal = threading.Lock()
        self._connection = connect(options)

    def ask(self, question: Callable[[C], T]) -> T:
        """Ask, and once more with fresh credentials where they had expired; raises what the store's library raises."""
        connection = self._connection
        try:
            return question(connection)
        except Exception as error:
            if self._renew is None or not self._has_expired(error):
                raise
        with self._renewal:
            # Of several threads that meet it the first one renews.
            if self._connection is connection:
                self._connection = self._connect(self._renew())
        return question(self._connection)
