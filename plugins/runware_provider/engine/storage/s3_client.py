"""Requests to one bucket: who asks, how long, how often, and what an answer means."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
from contextlib import closing
from functools import cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar, cast

import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

from runware_provider.engine.errors import BadInput
from runware_provider.engine.quiet_loggers import our_request, silence_about_us
from runware_provider.engine.storage.object_client import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    Content,
    Listed,
)
from runware_provider.engine.storage.renewing import Renewing
from runware_provider.engine.storage.s3_errors import EXPIRED, FOREIGN, as_os_error, code, passes
from runware_provider.engine.storage.tries import BACK_OFF, bounded_tries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import tenacity
    from botocore.loaders import Loader
    from types_boto3_s3 import S3Client as Boto
    from types_boto3_s3.type_defs import (
        CopySourceTypeDef,
        GetObjectOutputTypeDef,
        ListObjectsV2OutputTypeDef,
    )

    from runware_provider.engine.storage.object_client import Span
    from runware_provider.engine.storage.port import Version

T = TypeVar("T")

CONNECTIONS: Final = 64

_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")

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


class S3Client:
    """An `ObjectClient`; its errors are those of `as_os_error`.

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
        back_off: tenacity.wait.wait_base = BACK_OFF,
    ) -> None:
        self.bucket = bucket
        self._boto = Renewing(partial(_connect, bucket), options, renew, _has_expired)
        self._retrying = bounded_tries(passes, code, options, back_off)

    def __repr__(self) -> str:
        """Without credentials."""
        return f"S3Client({self.bucket!r})"

    def get(self, key: str, path: str, *, span: Span | None = None, version: Version = "") -> Content:
        wanted: dict[str, Any] = {}
        if span is not None:
            wanted["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        if version:
            wanted["IfMatch"] = version
        return self._get(key, path, wanted)

    def tail(self, key: str, path: str, length: int) -> Content:
        return self._get(key, path, {"Range": f"bytes=-{length}"})

    def has(self, key: str, path: str) -> bool:
        try:
            self._ask(path, lambda boto: boto.head_object(Bucket=self.bucket, Key=key))
        except FileNotFoundError:
            # This answer has no body that says whether it is the bucket that is missing; a listing's has.
            self._page(path, Prefix=key, MaxKeys=1)
            return False
        return True

    def create(self, key: str, path: str, data: bytes) -> None:
        self.put(key, path, data, IfNoneMatch="*")

    def replace(self, key: str, path: str, data: bytes, version: Version) -> None:
        self.put(key, path, data, IfMatch=version)

    def put(self, key: str, path: str, data: bytes | BinaryIO, **condition: str) -> None:
        """Write an object, perhaps under a condition: `IfNoneMatch="*"` or `IfMatch=<ETag>`."""
        body = io.BytesIO(data) if isinstance(data, bytes) else data
        # Every store knows this checksum; the newer ones that the client would add, not every one does.
        digest = base64.b64encode(_md5_of(body)).decode()
        sent: dict[str, Any] = {"Body": body, "ContentMD5": digest, **condition}

        def send(boto: Boto) -> None:
            body.seek(0)  # an earlier try has read it
            boto.put_object(Bucket=self.bucket, Key=key, **sent)

        self._ask(path, send)

    def copy(self, key: str, other: str, path: str) -> None:
        source: CopySourceTypeDef = {"Bucket": self.bucket, "Key": key}
        self._ask(path, lambda boto: boto.copy_object(Bucket=self.bucket, Key=other, CopySource=source))

    def delete(self, key: str, path: str) -> None:
        self._ask(path, lambda boto: boto.delete_object(Bucket=self.bucket, Key=key))

    def listing(self, prefix: str, path: str, *, recursive: bool = True) -> Iterator[Listed]:
        """Each page is asked for when it is needed."""
        asked: dict[str, Any] = {"Prefix": prefix, **({} if recursive else {"Delimiter": "/"})}
        while True:
            page = self._page(path, **asked)
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # what some tools write to show an empty folder
                    yield Listed(item["Key"], item["Size"], item["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return
            following = page.get("NextContinuationToken")
            if not following or following == asked.get("ContinuationToken"):
                raise OSError(errno.EIO, "the store broke off a listing", path)
            asked["ContinuationToken"] = following

    def _page(self, path: str, **asked: Any) -> ListObjectsV2OutputTypeDef:
        return self._ask(path, lambda boto: boto.list_objects_v2(Bucket=self.bucket, **asked))

    def _get(self, key: str, path: str, wanted: dict[str, Any]) -> Content:
        return self._ask(
            path, lambda boto: _content(boto.get_object(Bucket=self.bucket, Key=key, **wanted), path)
        )

    def _ask(self, path: str, ask: Callable[[Boto], T]) -> T:
        try:
            with our_request():
                answer: T = self._retrying(self._boto.ask, ask)
        except FOREIGN as error:
            meant = as_os_error(error, self.bucket, path)
        else:
            return answer
        raise meant  # not beside the foreign error, which quotes the store at length


def _has_expired(error: Exception) -> bool:
    return isinstance(error, FOREIGN) and code(error) in EXPIRED


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
