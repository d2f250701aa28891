"""How often, how long and after which pauses a request to an object store is made."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import tenacity

from runware_provider.engine.storage.object_client import GIVE_UP_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BACK_OFF: Final = tenacity.wait_random_exponential(multiplier=0.2, max=8)

log = logging.getLogger(__name__)


def bounded_tries(
    passes: Callable[[BaseException], bool],
    word_of: Callable[[BaseException], str],
    options: Mapping[str, str],
    back_off: tenacity.wait.wait_base,
) -> tenacity.Retrying:
    """Makes a request until it is answered, until its error is none that passes, or until time is up.

    Args:
        passes: whether the same request may fare better later.
        word_of: the store's word for an error, empty if it said nothing. Nothing else of an error is logged: what a
            store says at length may repeat parts of a credential.
        options: `give_up_s`, the seconds after which no further try begins.
        back_off: how long to wait before a further try.
    """

    def tell_pause(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None and state.next_action is not None:
            told = word_of(error) or type(error).__name__
            log.debug("The store is asked again in %.1f s: %s", state.next_action.sleep, told)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes),
        wait=back_off,
        stop=tenacity.stop_before_delay(float(options.get("give_up_s", GIVE_UP_S))),
        before_sleep=tell_pause,
        reraise=True,
    )
