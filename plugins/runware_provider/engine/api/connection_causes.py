"""Why a request did not get through, in a person's words, and what to do about it. Pure.

Errors are told apart by the names of their classes, since the reason lies several causes deep: below the HTTP library's
own error is that of its transport, below that the event loop's, and below that the operating system's.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CAUSES: Final = 20
"""Errors that are looked at behind the one that was raised."""
_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_CLOSED: Final = frozenset({"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"})
_CHECK_PROXY: Final = "Check HTTPS_PROXY, or leave the host out of it with NO_PROXY."
_CUT: Final = frozenset({"RemoteProtocolError", "ReadError", "WriteError", "CloseError"})


@dataclass(frozen=True)
class Cause:
    """Why there was no reply."""

    what: str
    """In some words, for a line of progress; of the address it names host and port alone."""
    remedy: str
    """In a sentence; empty where nothing is known to help."""


def cause_of(error: BaseException, service: str, proxy: str = "") -> Cause:
    """Why a request failed that the HTTP library could not carry out.

    Args:
        error: what it raised.
        service: host of the API, with its port where it has one.
        proxy: host and port of the proxy that the request goes through; empty for none.
    """
    raised, behind = _names(error), list(_behind(error))
    told_by_kinds = [_told_of_time(raised, service, proxy)]
    for cause in behind:
        told_by_kinds.append(_told_of_tls(cause, service))
        told_by_kinds.append(_told_of_proxy(cause, proxy) if proxy else _told_of_address(cause, service))
    told = next((kind for kind in told_by_kinds if kind is not None), None)
    if told is not None:
        return told
    if "ProxyError" in raised:
        return Cause(f"the proxy does not let this through to {service}", _CHECK_PROXY)
    if raised & _CUT or any(_names(cause) & _CLOSED for cause in behind):
        return Cause(
            f"{service} closed the connection without a whole reply",
            "If it stays so, check the base URL, and what lies between: a proxy or a load balancer.",
        )
    return Cause(type(error).__name__, "")


def _told_of_time(raised: set[str], service: str, proxy: str) -> Cause | None:
    """What took too long; None where nothing did."""
    if "ConnectTimeout" in raised and proxy:
        return Cause(f"no connection to {service} in time, through the proxy {proxy}", _CHECK_PROXY)
    if "ConnectTimeout" in raised:
        return Cause(
            f"no connection to {service} in time",
            "A firewall may be in the way, or the port be none of https; name a proxy with HTTPS_PROXY.",
        )
    if "TimeoutException" in raised:
        return Cause(
            f"no whole reply from {service} in time",
            "If it stays so, wait longer with limits.request_timeout_s.",
        )
    return None


def _told_of_tls(cause: BaseException, service: str) -> Cause | None:
    """What an error of TLS says, which is spoken with the service, also through a proxy; None where it is another kind."""
    names = _names(cause)
    if "SSLCertVerificationError" in names:
        why = str(getattr(cause, "verify_message", "") or "no reason given")
        return Cause(
            f"TLS: the certificate of {service} is not trusted ({why})",
            "If a company's own authority signs here, name its file of certificates with SSL_CERT_FILE.",
        )
    if "SSLError" in names:
        why = str(getattr(cause, "reason", "") or "no reason given").replace("_", " ").lower()
        return Cause(
            f"TLS: no secure connection to {service} ({why})",
            "Check whether the base URL has to begin with http or https, and its port.",
        )
    return None


def _told_of_proxy(cause: BaseException, proxy: str) -> Cause | None:
    """What an error of the operating system says, where a proxy is all that is connected to; None where it is another kind."""
    names = _names(cause)
    if "gaierror" in names:
        return Cause(f"the name of the proxy {_host(proxy)} cannot be resolved", _CHECK_PROXY)
    if "ConnectionRefusedError" in names:
        return Cause(f"connection refused: no proxy listens at {proxy}", _CHECK_PROXY)
    if getattr(cause, "errno", None) in _NO_ROUTE:
        return Cause(f"there is no route to the proxy {proxy}", _CHECK_PROXY)
    return None


def _told_of_address(cause: BaseException, service: str) -> Cause | None:
    """What an error of the operating system says of the service's address; None where it is another kind."""
    names = _names(cause)
    if "gaierror" in names:
        return Cause(
            f"the name {_host(service)} cannot be resolved",
            "Check how the base URL is spelt, and this machine's DNS; behind a proxy, set HTTPS_PROXY.",
        )
    if "ConnectionRefusedError" in names:
        return Cause(
            f"connection refused: nobody listens at {service}",
            "Check host and port of the base URL, and that the service runs.",
        )
    if getattr(cause, "errno", None) in _NO_ROUTE:
        return Cause(f"there is no route to {service}", "Check this machine's network.")
    return None


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error and what brought it about, the nearest first; each once."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < MOST_CAUSES:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += getattr(cause, "exceptions", ())
        waiting += [each for each in (cause.__cause__, cause.__context__) if each is not None]


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _host(service: str) -> str:
    host, colon, port = service.rpartition(":")
    return host if colon and port.isdecimal() else service
