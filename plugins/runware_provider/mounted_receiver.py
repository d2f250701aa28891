"""The receiver of webhooks as Airflow's API server mounts it: `<Airflow's URL>/runware/hook`."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, Final

from runware_provider.configuration import webhook_texts
from runware_provider.engine.errors import BadInput
from runware_provider.engine.inbox.settings import AIRFLOW_OPTIONS, inbox_from_text, secrets_from_text
from runware_provider.object_stores import airflow_stores
from runware_provider.web.inbox_files import InboxFiles
from runware_provider.web.receiver import Receiver

URL_PREFIX: Final = "/runware"
_LOG: Final = logging.getLogger(__name__)


@cache
def fastapi_apps() -> list[dict[str, Any]]:
    """What a plugin says of its applications; the same one whenever it is asked."""
    return [{"app": configured_receiver(), "url_prefix": URL_PREFIX, "name": "Runware webhooks"}]


def configured_receiver() -> Receiver:
    """The receiver that Airflow's configuration describes; closed where it describes none.

    The API server has to start whatever is written there: what cannot be read is told in its log.
    """
    try:
        return _receiver()
    except BadInput as wrong:
        _LOG.error("The receiver of webhooks is closed: %s", wrong)
    except Exception as error:  # noqa: BLE001 - a command or a backend that gives the secret may raise anything
        # Its text may quote what it was given.
        _LOG.error(
            "The receiver of webhooks is closed: Airflow cannot read its options (%s)", type(error).__name__
        )
    return _closed()


def _receiver() -> Receiver:
    _, inbox, secrets = webhook_texts()
    if not secrets.strip():
        return _closed()
    files = InboxFiles(inbox_from_text(inbox, AIRFLOW_OPTIONS.inbox), airflow_stores)
    return Receiver(secrets_from_text(secrets, AIRFLOW_OPTIONS.secrets), files.write)


def _closed() -> Receiver:
    return Receiver((), InboxFiles("", airflow_stores).write)
