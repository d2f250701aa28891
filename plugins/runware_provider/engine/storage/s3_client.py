"""Requests to one bucket: who asks, how long, how often, and what an answer means."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import logging
import os
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar, cast

import botocore.session
import tenacity
from botocore.config import Config
from botocore.loaders import create_loader

from runware_provider.engine.errors import BadInput
from runware_provider.engine.quiet_loggers import our_request, silence_about_us
from runware_provider.engine.storage.s3_errors import EXPIRED, FOREIGN, as_os_error, code, passes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.loaders import Loader
    from types_boto3_s3 import S3Client as Boto
    from types_boto3_s3.type_defs import (
        CopySourceTypeDef,
        GetObjectOutputTypeDef,
        ListObjectsV2OutputTypeDef,
    )

T = TypeVar("T")

GIVE_UP_S: Final = 60.0
"""Seconds after which no further try of a request begins."""
CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
"""Seconds that a try waits for the next bytes."""
CONNECTIONS: Final = 64

_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_BACK_OFF: Final = tenacity.wait_random_exponential(multiplier=0.2, max=8)

log = logging.getLogger(__name__)

silence_about_us(
    *(
        f"botocore.{part}"
        for part in (
            "auth",
            "awsrequest",
            "client",
            "endpoint",
            "hooks",
            "parsers",
            "regions",
            "retryhandler",
            "utils",
        )
    )
)


def _tell_pause(state: tenacity.RetryCallState) -> None:
    """By name and code only: what a store says at length may repeat parts of a credential."""
    error = state.outcome.exception() if state.outcome else None
    if error is not None and state.next_action is not None:
        told = code(error) or type(error).__name__
        log.debug("The store is asked again in %.1f s: %s", state.next_action.sleep, told)


@dataclass(frozen=True)
class Content:
    """An object, or a range of it."""

    data: bytes
    etag: str
    size: int
    """Bytes of the whole object."""


class S3Client:
    """Safe to use from many threads.

    Args:
        bucket: its name.
        options: `key`, `secret`, `token`, `region`, `endpoint`, `give_up_s`; what is missing is looked up where
            AWS's own tools look: environment, shared files, the machine's role.
        renew: gives the options anew when the credentials have expired.
        back_off: how long to wait before a further try.

    Raises:
        BadInput: the options cannot be used.
    """

    def __init__(
        self,
        bucket: str,
        options: Mapping[str, str],
        *,
        renew: Callable[[], Mapping[str, str]] | None = None,
        back_off: tenacity.wait.wait_base = _BACK_OFF,
    ) -> None:
        self.bucket = bucket
        self._renew = renew
        self._renewing = threading.Lock()
        self._boto = _connect(bucket, options)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(passes),
            wait=back_off,
            stop=tenacity.stop_before_delay(float(options.get("give_up_s", GIVE_UP_S))),
            before_sleep=_tell_pause,
            reraise=True,
        )

    def __repr__(self) -> str:
        """Without credentials."""
        return f"S3Client({self.bucket!r})"

    def get(self, key: str, path: str, *, span: str = "", etag: str = "") -> Content:
        """An object, or a range of it.

        Args:
            key: in the bucket.
            path: what the user calls it, for errors.
            span: a `Range` header's value, all of it if empty.
            etag: what it must still be, anything if empty.

        Raises:
            FileNotFoundError: there is no such object.
            FileExistsError: it is another one by now.
            OSError: see `as_os_error`.
        """
        wanted: dict[str, Any] = {"Range": span} if span else {}
        if etag:
            wanted["IfMatch"] = etag
        return self._ask(
            path, lambda boto: _content(boto.get_object(Bucket=self.bucket, Key=key, **wanted), path)
        )

    def size(self, key: str, path: str) -> int:
        """Bytes of an object.

        Raises:
            FileNotFoundError: there is no such object, or no such bucket: this answer has no body that says which.
            OSError: see `as_os_error`.
        """
        return self._ask(
            path, lambda boto: int(boto.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        )

    def put(self, key: str, path: str, data: bytes | BinaryIO, **condition: str) -> None:
        """Write an object, perhaps under a condition: `IfNoneMatch="*"` or `IfMatch=<ETag>`.

        It may have been written by an earlier try of this very call when the condition is said not to hold.

        Args:
            key: in the bucket.
            path: what the user calls it, for errors.
            data: the content, or a file that holds it, which is read from its start.
            condition: what must hold; without one, what was there is replaced.

        Raises:
            FileExistsError: the condition does not hold.
            FileNotFoundError: `IfMatch` meets no object.
            OSError: see `as_os_error`.
        """
        body = io.BytesIO(data) if isinstance(data, bytes) else data
        # Every store knows this checksum; the newer ones that the client would add, not every one does.
        digest = base64.b64encode(_md5_of(body)).decode()
        sent: dict[str, Any] = {"Body": body, "ContentMD5": digest, **condition}

        def send(boto: Boto) -> None:
            body.seek(0)  # an earlier try has read it
            boto.put_object(Bucket=self.bucket, Key=key, **sent)

        self._ask(path, send)

    def copy(self, key: str, other: str, path: str) -> None:
        """Have the store copy an object to another key, in the place of what is there.

        Args:
            key: of the source.
            other: of the target.
            path: what the user calls the source, for errors.

        Raises:
            FileNotFoundError: there is no source.
            OSError: see `as_os_error`.
        """
        source: CopySourceTypeDef = {"Bucket": self.bucket, "Key": key}
        self._ask(path, lambda boto: boto.copy_object(Bucket=self.bucket, Key=other, CopySource=source))

    def delete(self, key: str, path: str) -> None:
        """Remove an object, if there is one.

        Raises:
            OSError: see `as_os_error`.
        """
        self._ask(path, lambda boto: boto.delete_object(Bucket=self.bucket, Key=key))

    def pages(self, prefix: str, path: str, **more: Any) -> Iterator[ListObjectsV2OutputTypeDef]:
        """The pages of a listing, each asked for when it is needed.

        Raises:
            OSError: see `as_os_error`; also when a listing breaks off, which is never taken for its end.
        """
        asked: dict[str, Any] = {"Prefix": prefix, **more}
        while True:
            page = self._ask(path, lambda boto: boto.list_objects_v2(Bucket=self.bucket, **asked))
            yield page
            if not page.get("IsTruncated"):
                return
            following = page.get("NextContinuationToken")
            if not following or following == asked.get("ContinuationToken"):
                raise OSError(errno.EIO, "the store broke off a listing", path)
            asked["ContinuationToken"] = following

    def _ask(self, path: str, ask: Callable[[Boto], T]) -> T:
        try:
            with our_request():
                answer: T = self._retrying(self._with_fresh_credentials, ask)
        except FOREIGN as error:
            meant = as_os_error(error, self.bucket, path)
        else:
            return answer
        raise meant  # not beside the foreign error, which quotes the store at length

    def _with_fresh_credentials(self, ask: Callable[[Boto], T]) -> T:
        boto = self._boto
        try:
            return ask(boto)
        except FOREIGN as error:
            if self._renew is None or code(error) not in EXPIRED:
                raise
        with self._renewing:
            if self._boto is boto:
                self._boto = _connect(self.bucket, self._renew())
        return ask(self._boto)


def _md5_of(body: BinaryIO) -> bytes:
    body.seek(0)
    # mypy's description of a file that can be hashed is narrower than what Python takes.
    return hashlib.file_digest(body, partial(hashlib.md5, usedforsecurity=False)).digest()  # type: ignore[arg-type]


def _content(answer: GetObjectOutputTypeDef, path: str) -> Content:
    # As a context manager the body hands out the bare stream, which does not notice that it ends too early.
    with closing(answer["Body"]) as body:
        data = body.read()
    etag = answer.get("ETag")
    if not etag:
        raise OSError(
            errno.EIO, "the store gives no ETag, without which nothing can be replaced safely", path
        )
    span = answer.get("ContentRange", "")
    return Content(data, etag, int(span.rpartition("/")[2]) if span else len(data))


@cache
def _descriptions(folders: str | None) -> Loader:
    """What botocore's files say of S3: read once a process and not, as botocore would, for each client (0.13 s)."""
    return create_loader(folders)


def _connect(bucket: str, options: Mapping[str, str]) -> Boto:
    # With a store of one's own the bucket's name is rarely in the DNS.
    endpoint = options.get("endpoint") or next(filter(None, map(os.environ.get, _ENDPOINT_VARIABLES)), None)
    session = botocore.session.Session()
    try:
        session.register_component("data_loader", _descriptions(session.get_config_variable("data_path")))
        client = session.create_client(
            "s3",
            aws_access_key_id=options.get("key"),
            aws_secret_access_key=options.get("secret"),
            aws_session_token=options.get("token"),
            region_name=options.get("region"),
            endpoint_url=options.get("endpoint"),
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                max_pool_connections=CONNECTIONS,
                retries={"total_max_attempts": 1},  # ours are bounded by time, and know a lost reply
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"} if endpoint else None,
            ),
        )
    except (ValueError, *FOREIGN) as error:
        raise BadInput(
            f"s3://{bucket}",
            f"its endpoint, region or profile cannot be used ({type(error).__name__})",
            "Check the connection, or the AWS_* variables of the environment",
        ) from None
    return cast("Boto", client)
