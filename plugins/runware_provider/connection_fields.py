"""What the fields of a Runware connection mean. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.engine.address import whole_address
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Limits

if TYPE_CHECKING:
    from airflow.sdk import Connection

BOUNDS: Final = ("max_outstanding", "requests")
"""The limits that a connection may lower for all tasks that use it: fields of its extra, named as in `Limits`."""

_SCHEMES: Final = frozenset({"http", "https"})


def base_url(connection: Connection) -> str:
    """The base URL that a connection means, without a trailing slash.

    As for `whole_address`. The field `schema` may hold either: Airflow's HTTP connections write the scheme there, and a connection
    given as a URI has its path there.
    """
    schema = (connection.schema or "").strip("/")
    said = {"scheme": schema} if schema in _SCHEMES else {"path": schema}
    return whole_address(connection.host or "", port=connection.port, **said)


def endpoint_of(connection: Connection, called: str, remedy: str) -> Endpoint:
    """Where the API answers, and the key.

    Args:
        connection: as Airflow has it.
        called: the connection's name in an error.
        remedy: how to make one.

    Raises:
        BadInput: it has no password, or its host is no usable URL.
    """
    key = (connection.password or "").strip()
    if not key:
        raise BadInput(called, "it has no password, which is where the API key goes", remedy)
    return Endpoint(base_url=base_url(connection), key=key)


def bounds_of(connection: Connection, called: str) -> dict[str, int]:
    """The limits that it lowers, by their names.

    Raises:
        BadInput: one is no number, or none that `Limits` takes.
    """
    extra = connection.extra_dejson
    given = {name: extra[name] for name in BOUNDS if extra.get(name) not in (None, "")}
    try:
        limits = Limits(**given)
    except BadInput as wrong:
        field = wrong.field.removeprefix("limits.")
        raise BadInput(f"{called}, field {field}", wrong.problem, wrong.remedy) from None
    return {name: getattr(limits, name) for name in given}


def unread_fields(connection: Connection) -> str:
    """A sentence about the fields of the extra that have no meaning here; empty where there are none."""
    names = sorted(str(name) for name in connection.extra_dejson if name not in BOUNDS)
    if not names:
        return ""
    return (
        f"its extra has {', '.join(names)}, which this provider does not read; it reads {', '.join(BOUNDS)}"
    )
