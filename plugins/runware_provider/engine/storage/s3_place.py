"""What an S3 URL says: which bucket and key, and whose credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runware_provider.engine.errors import BadInput

_URL = re.compile(r"(?i:s3a?)://(?:(?P<conn_id>[^@/]*)@)?(?P<bucket>[^/]*)/?(?P<key>.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")


@dataclass(frozen=True)
class S3Place:
    """A bucket, or a key or folder in it."""

    bucket: str
    key: str
    """Exactly as written: in S3 `a//b` and `a/b` are two objects, and `%20` is no space."""
    conn_id: str | None = None
    """The Airflow connection with the credentials, written before the bucket: `s3://conn_id@bucket/key`."""

    @property
    def canonical(self) -> str:
        """`s3://bucket/key` without doubled and trailing slashes: folders that a human takes for the same."""
        names = [name for name in self.key.split("/") if name]
        return "/".join([f"s3://{self.bucket}", *names])


def is_s3(url: str) -> bool:
    """Whether it is an S3 URL, also as Hadoop writes it (`s3a://`)."""
    return _URL.fullmatch(url) is not None


def s3_place(url: str, *, field: str = "URL") -> S3Place:
    """Take an S3 URL apart; nothing in it is decoded.

    Raises:
        BadInput: it is none, or names no possible bucket.
    """
    found = _URL.fullmatch(url)
    if found is None or not _BUCKET.fullmatch(found["bucket"]):
        raise BadInput(field, f"{url!r} names no bucket", "Write it as s3://bucket/folder")
    return S3Place(found["bucket"], found["key"], found["conn_id"] or None)
