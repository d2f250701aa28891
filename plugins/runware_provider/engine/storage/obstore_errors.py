"""What an error of obstore means: whether it passes, and which of Python's own errors it is. Pure.

obstore has an exception for each of a few meanings, and puts what the store said into its text: the HTTP status and the
body, in which Google Cloud Storage and Azure have a code. Both are read here, since some meanings are too coarse: every
409 is an AlreadyExistsError, though only one of Azure's says that there is an object. Where the text says neither, the
exception alone is believed only in what costs nothing if it is wrong.

Codes are those of https://cloud.google.com/storage/docs/xml-api/reference-status and
https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes. Messages name the place and the code, and
nothing else: a text quotes addresses with their signatures, and what a store says at length may repeat parts of a
credential.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import Final

_STATUS: Final = re.compile(r"non-2xx status code: (\d{3})|\(code: (\d{3})\)$")
_CODE: Final = re.compile(r"<Code>\s*(\w{1,64})\s*</Code>")
# obstore repeats the whole error, as Rust shows it to programmers.
_REPEATED: Final = "\n\nDebug source:"
# What obstore says by itself of an answer that is not the range that was asked for.
_NO_RANGE: Final = re.compile(r"non-partial response|content.range header", re.IGNORECASE)
_OF_CREDENTIALS: Final = "token request"

_STATUS_OF: Final = {
    "FileNotFoundError": 404,
    "PreconditionError": 412,
    "PermissionDeniedError": 403,
    "UnauthenticatedError": 401,
    "NotModifiedError": 304,
    "NotSupportedError": 501,
    "NotImplementedError": 501,
}
"""By the exception's name, where it has one meaning."""

_UNANSWERED: Final = frozenset({"GenericError", "AlreadyExistsError", "JoinError", "UnfinishedCopyError"})
_PASSING_STATUS: Final = frozenset({408, 409, 429})
"""409 where no object is said to exist: something else is under way there, nothing is decided yet."""
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "ContainerNotFound"})
_EXISTS: Final = frozenset({"BlobAlreadyExists"})
_CHANGED: Final = frozenset({"", "PreconditionFailed", "ConditionNotMet", "TargetConditionNotMet"})
"""Azure has the status 412 for a blob that somebody has leased, too; no condition of ours decides that."""
_ANSWERED: Final = "the store answered"


@dataclass(frozen=True)
class Heard:
    """What obstore said."""

    name: str
    """Of its exception."""
    status: int = 0
    """Of HTTP; 0 where the store did not answer."""
    code: str = ""
    """The store's word for it; empty where it said none."""
    of_credentials: bool = False
    """Whether it was not the store that was asked, but whoever gives the token for it."""

    def __str__(self) -> str:
        """Short, and nothing that a stranger wrote."""
        return f"{self.status} {self.code}".rstrip() if self.status else self.name


def heard(error: BaseException) -> Heard:
    """Take an exception of obstore apart."""
    name, text = type(error).__name__, str(error).partition(_REPEATED)[0]
    code = _CODE.search(text)
    return Heard(name, _status(name, text), code[1] if code else "", of_credentials=_OF_CREDENTIALS in text)


def _status(name: str, text: str) -> int:
    said = _STATUS.search(text)
    if said is not None:
        return int(said[1] or said[2])
    if _NO_RANGE.search(text):
        # An empty object has no range, which some stores say with this status, and some without.
        return 416
    return _STATUS_OF.get(name, 0)


def code(error: BaseException) -> str:
    """What may be logged of an exception of obstore."""
    return str(heard(error))


def says_there_is(answer: Heard) -> bool:
    """Whether an object is there that was to be new."""
    if answer.name == "AlreadyExistsError" and answer.status == 412:
        return True  # Google's answer to `x-goog-if-generation-match: 0`
    return answer.code in _EXISTS


def passes(answer: Heard) -> bool:
    """Whether the same request may fare better later."""
    if says_there_is(answer):
        return False
    if answer.status == 0:
        # No answer at all. Where obstore refuses by itself, the next try is refused at once.
        return answer.name in _UNANSWERED
    return (answer.status >= 500 and answer.status != 501) or answer.status in _PASSING_STATUS


def has_expired(answer: Heard) -> bool:
    """Whether other credentials of the same connection may be taken."""
    return answer.status == 401 and not answer.of_credentials


def names_the_missing(answer: Heard) -> bool:
    """False where something is missing and the store does not say whether it is the object or the bucket: to a HEAD."""
    return answer.name != "FileNotFoundError" or answer.code != ""


def as_os_error(answer: Heard, bucket: str, path: str) -> OSError:
    """Python's own error with the same meaning.

    Returns:
        FileNotFoundError only where the store misses the object; NotADirectoryError where there is no such bucket, so
        that this is never taken for a missing object; FileExistsError where a condition did not hold; PermissionError
        for credentials; else an OSError, with EOPNOTSUPP where the store does not know what it was asked for and
        EINVAL where it rejects it.
    """
    number, reason = _meaning(answer, bucket)
    return OSError(number, reason, path)  # Python chooses the class by the number


def _meaning(answer: Heard, bucket: str) -> tuple[int, str]:
    if answer.name == "InvalidPathError":
        return (
            errno.EINVAL,
            "a key there has a name that is empty, '.' or '..' in it, which obstore cannot read",
        )
    if answer.of_credentials:
        return errno.EACCES, f"no credentials could be had ({answer})"
    if answer.code in _NO_BUCKET:
        return errno.ENOTDIR, f"there is no bucket {bucket!r}"
    if says_there_is(answer):
        return errno.EEXIST, "is there already"
    if passes(answer):
        return errno.EIO, _in_vain(answer)
    return _refused(answer)


def _in_vain(answer: Heard) -> str:
    if answer.status:
        return f"{_ANSWERED} {answer}, again and again"
    return f"the store could not be reached, or broke off, again and again ({answer})"


def _refused(answer: Heard) -> tuple[int, str]:
    told = f"{_ANSWERED} {answer}"
    if answer.status in {401, 403}:
        return errno.EACCES, told
    if answer.status == 404 and answer.name == "FileNotFoundError":
        return errno.ENOENT, "there is no such object"
    if answer.status == 412 and answer.code in _CHANGED:
        return errno.EEXIST, "is no longer what it was"
    if answer.status in {405, 501}:
        return errno.EOPNOTSUPP, told
    if 400 <= answer.status < 500 and answer.status != 404:
        return errno.EINVAL, told
    return errno.EIO, told
