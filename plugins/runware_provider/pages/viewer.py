"""Who looks: what of their request is handed on to Airflow's own API."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import httpx

from runware_provider.pages.airflow_view import AirflowView
from runware_provider.pages.answers import AIRFLOW
from runware_provider.pages.run_view import URL_PREFIX

if TYPE_CHECKING:
    from starlette.requests import Request

    from runware_provider.pages.asking import Asking

COOKIE: Final = "_token"
"""In which a browser keeps the token that Airflow gave it."""
_BEARER: Final = "bearer "


def base_path_of(request: Request) -> str:
    """Below which Airflow is served, such as `/airflow`; empty at the root."""
    return str(request.scope.get("root_path", "")).removesuffix(URL_PREFIX)


def token_of(request: Request) -> str | None:
    """The token that the viewer shows; the one that they send on purpose comes before the browser's, as in Airflow."""
    said = request.headers.get("authorization", "")
    if said.lower().startswith(_BEARER):
        return said[len(_BEARER) :].strip()
    return request.cookies.get(COOKIE)


def digest_of(request: Request) -> str:
    """What tells this viewer's token from others; the token itself is kept nowhere."""
    return hashlib.sha256((token_of(request) or "").encode()).hexdigest()


def airflow_of(request: Request, asking: Asking) -> AirflowView:
    """Airflow as this viewer sees it.

    The token goes as a header, not as the cookie that it came in: a cookie Airflow would renew, and its new one would be lost.
    """
    transport = httpx.ASGITransport(app=request.scope[AIRFLOW], raise_app_exceptions=False)
    return AirflowView(asking, transport, token_of(request), base_path_of(request))
