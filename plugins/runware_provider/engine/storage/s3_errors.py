"""What an error of the S3 client means: whether it passes, and which of Python's own errors it is.

Codes are those of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. Messages name the place and
the code, and nothing else: what a store says at length may repeat parts of a credential.
"""

from __future__ import annotations

import errno
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is not Python's
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

FOREIGN: Final = (BotoCoreError, ClientError, ResponseParserError)
"""Everything that the client raises for what happened outside of this process."""

_TRANSPORT: Final = (HTTPClientError, ConnectionError, IncompleteReadError, ResponseParserError)
_CREDENTIALS: Final = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_PASSING_STATUS: Final = frozenset({408, 409, 429})
"""409 is a conditional write that met another one half-way: nothing is decided yet, ask again."""
_PASSING_CODES: Final = frozenset(
    {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
)
EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_REFUSED: Final = frozenset({"InvalidToken", "InvalidAccessKeyId", "AuthorizationHeaderMalformed", *EXPIRED})


def passes(error: BaseException) -> bool:
    """Whether the same request may fare better later."""
    if isinstance(error, ClientError):
        status = _status(error)
        busy = status >= 500 and status != 501
        return busy or status in _PASSING_STATUS or code(error) in _PASSING_CODES
    return isinstance(error, _TRANSPORT)


def code(error: BaseException) -> str:
    """The store's word for it; empty if the store said nothing."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def as_os_error(error: Exception, bucket: str, path: str) -> OSError:
    """Python's own error with the same meaning.

    Returns:
        FileNotFoundError only where the store has the bucket and misses the object; NotADirectoryError where there is
        no such bucket, so that this is never taken for a missing object; FileExistsError where a condition did not
        hold; PermissionError for credentials; else an OSError, with EOPNOTSUPP where the store does not know what
        it was asked for and EINVAL where it rejects it.
    """
    number, reason = _answered(error, bucket) if isinstance(error, ClientError) else _unanswered(error)
    return OSError(number, reason, path)  # Python chooses the class by the number


def _unanswered(error: Exception) -> tuple[int, str]:
    name = type(error).__name__
    if isinstance(error, _CREDENTIALS):
        return errno.EACCES, f"no credentials for S3 could be had ({name})"
    if isinstance(error, _TRANSPORT):
        return errno.EIO, f"the store could not be reached, or broke off, again and again ({name})"
    return errno.EIO, f"the store could not be asked ({name})"


def _answered(error: ClientError, bucket: str) -> tuple[int, str]:
    status, word = _status(error), code(error)
    answered = f"the store answered {status} {word}".rstrip()
    if word == "NoSuchBucket":
        return errno.ENOTDIR, f"there is no bucket {bucket!r}"
    if status in {401, 403} or word in _REFUSED:
        return errno.EACCES, answered
    if passes(error):
        return errno.EIO, f"{answered}, again and again"
    known = {
        404: (errno.ENOENT, "there is no such object"),
        405: (errno.EOPNOTSUPP, answered),
        412: (errno.EEXIST, "is no longer what it was"),
        501: (errno.EOPNOTSUPP, answered),
    }
    return known.get(status, (errno.EINVAL if 400 <= status < 500 else errno.EIO, answered))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
