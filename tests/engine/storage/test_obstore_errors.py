from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore import exceptions

from runware_provider.engine.storage.obstore_errors import (
    Heard,
    as_os_error,
    code,
    has_expired,
    heard,
    names_the_missing,
    passes,
    says_there_is,
)

SECRET = "sig=very-secret"
NAMES = [
    "GenericError",
    "FileNotFoundError",
    "AlreadyExistsError",
    "PreconditionError",
    "PermissionDeniedError",
    "UnauthenticatedError",
    "NotSupportedError",
    "JoinError",
]
ANSWERS = st.builds(
    Heard,
    name=st.sampled_from(NAMES),
    status=st.sampled_from([0, 304, *range(400, 418), 429, *range(500, 505)]),
    code=st.sampled_from(["", "BlobAlreadyExists", "NoSuchBucket", "NoSuchKey", "ConditionNotMet", "Other"]),
    of_credentials=st.booleans(),
)


def error(name: str, text: str) -> Exception:
    kind = FileNotFoundError if name == "FileNotFoundError" else getattr(exceptions, name)
    made: Exception = kind(f"{text}\n\nDebug source:\n{text} <Code>Other</Code>")
    return made


def answered(name: str, status: int, word: str = "", *, asked: str = "PUT") -> Heard:
    body = f"<Error><Code>{word}</Code><Message>{SECRET}</Message></Error>" if word else ""
    said = f"Server returned non-2xx status code: {status} Some Reason: {body}"
    return heard(error(name, f"Error performing {asked} https://host/a?{SECRET} in 1ms - {said}"))


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        # Azure's and Google's answers to a condition that does not hold.
        (answered("AlreadyExistsError", 409, "BlobAlreadyExists"), errno.EEXIST),
        (answered("AlreadyExistsError", 412, "PreconditionFailed"), errno.EEXIST),
        (answered("PreconditionError", 412, "ConditionNotMet"), errno.EEXIST),
        (answered("PreconditionError", 412, "PreconditionFailed"), errno.EEXIST),
        # Other conflicts, which say nothing about an object.
        (answered("AlreadyExistsError", 409, "OperationAborted"), errno.EIO),
        (answered("AlreadyExistsError", 409, "ContainerBeingDeleted"), errno.EIO),
        (answered("AlreadyExistsError", 409), errno.EIO),
        (answered("PreconditionError", 412, "LeaseIdMissing"), errno.EINVAL),
        (heard(error("AlreadyExistsError", "in words that nobody knows")), errno.EIO),
        # What is missing.
        (answered("FileNotFoundError", 404, "NoSuchKey"), errno.ENOENT),
        (answered("FileNotFoundError", 404, "BlobNotFound"), errno.ENOENT),
        (answered("FileNotFoundError", 404, "NoSuchBucket"), errno.ENOTDIR),
        (answered("FileNotFoundError", 404, "ContainerNotFound"), errno.ENOTDIR),
        (answered("GenericError", 404, "ContainerNotFound"), errno.ENOTDIR),
        (answered("GenericError", 404, "NoSuchUpload"), errno.EIO),
        # Whoever asks, or what is asked, is refused.
        (answered("PermissionDeniedError", 403, "AccessDenied"), errno.EACCES),
        (answered("GenericError", 403, "AuthorizationFailure"), errno.EACCES),
        (answered("UnauthenticatedError", 401), errno.EACCES),
        (answered("GenericError", 400, "InvalidArgument"), errno.EINVAL),
        (answered("GenericError", 416, "InvalidRange"), errno.EINVAL),
        (answered("GenericError", 501, "NotImplemented"), errno.EOPNOTSUPP),
        (answered("GenericError", 405), errno.EOPNOTSUPP),
        # What obstore says by itself.
        (heard(error("GenericError", "Received non-partial response when range requested")), errno.EINVAL),
        (heard(error("NotSupportedError", "not supported")), errno.EOPNOTSUPP),
        (heard(error("InvalidPathError", "contained empty path segment")), errno.EINVAL),
        (heard(error("GenericError", "HTTP error: error sending request")), errno.EIO),
        (heard(error("GenericError", "Bulk delete request failed for key a: Busy (code: 503)")), errno.EIO),
        (heard(error("GenericError", "Bulk delete request failed for key a: No (code: 403)")), errno.EACCES),
    ],
)
def test_an_answer_is_pythons_own_error_with_the_same_meaning(answer: Heard, number: int) -> None:
    meant = as_os_error(answer, "lake", "gs://lake/a")
    assert meant.errno == number
    assert meant.filename == "gs://lake/a"
    assert SECRET not in f"{meant}{answer}"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_a_store_that_is_busy_is_asked_again(status: int) -> None:
    assert passes(answered("GenericError", status))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 411, 412, 416, 501])
def test_a_store_that_has_decided_is_not_asked_again(status: int) -> None:
    assert not passes(answered("GenericError", status))


def test_no_answer_at_all_may_be_followed_by_one() -> None:
    assert passes(heard(error("GenericError", "HTTP error: error sending request")))
    assert passes(heard(error("AlreadyExistsError", "in words that nobody knows")))


def test_whoever_gives_the_token_is_told_apart_from_the_store() -> None:
    refused = heard(
        error("GenericError", "Error performing token request: non-2xx status code: 400 Bad: ...")
    )
    assert refused.of_credentials
    assert not passes(refused)
    assert not has_expired(refused)
    unreached = heard(error("GenericError", "Error performing token request: HTTP error: builder error"))
    assert passes(unreached)
    for answer in (refused, unreached):
        with pytest.raises(PermissionError, match="no credentials could be had"):
            raise as_os_error(answer, "lake", "gs://lake/a")


def test_only_a_head_leaves_open_what_is_missing() -> None:
    assert not names_the_missing(answered("FileNotFoundError", 404, asked="HEAD"))
    assert names_the_missing(answered("FileNotFoundError", 404, "NoSuchKey"))
    assert names_the_missing(answered("GenericError", 404))


@given(answer=ANSWERS)
def test_an_object_is_only_said_to_be_there_or_missing_where_the_store_said_so(answer: Heard) -> None:
    meant = as_os_error(answer, "lake", "gs://lake/a")
    if isinstance(meant, FileExistsError):
        assert says_there_is(answer) or answer.status == 412
    if isinstance(meant, FileNotFoundError):
        assert (answer.name, answer.status) == ("FileNotFoundError", 404)
    if passes(answer):
        assert not isinstance(meant, FileExistsError | FileNotFoundError)


@given(text=st.text(), name=st.sampled_from(NAMES))
def test_nothing_that_a_stranger_wrote_is_repeated_but_one_word(text: str, name: str) -> None:
    said = code(error(name, text))
    assert said == name or all(part.isalnum() or "_" in part for part in said.split())
    assert len(said) <= 70
