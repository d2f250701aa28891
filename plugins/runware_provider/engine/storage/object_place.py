"""What the URL of an object store says: which store, bucket and key, and whose credentials. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from runware_provider.engine.errors import BadInput
from runware_provider.engine.shown_urls import may_hold_secret, without_password

Kind: TypeAlias = Literal["s3", "google", "azure"]
"""Whose protocol is spoken: S3's, Google Cloud Storage's or Azure Blob Storage's."""

KINDS: Final[dict[str, Kind]] = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "google",
    "gcs": "google",
    "abfs": "azure",
    "abfss": "azure",
}
"""By scheme, as Airflow's ObjectStoragePath has them, and `s3a` as Hadoop writes it."""
EXAMPLES: Final[dict[Kind, str]] = {
    "s3": "s3://bucket/folder",
    "google": "gs://bucket/folder",
    "azure": "abfs://container/folder",
}

_URL = re.compile(r"(?P<scheme>[A-Za-z0-9]+)://(?:(?P<user>[^@/]*)@)?(?P<host>[^/]*)/?(?P<key>.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
# A container's name has no dots, so whatever has some is the host of an account.
_ACCOUNT = re.compile(r"(?P<account>[a-z0-9]{3,24})\.(?:dfs|blob)\.(?P<cloud>[a-z0-9.-]+)")


@dataclass(frozen=True)
class ObjectPlace:
    """A bucket (Azure says container), or a key or folder in it."""

    kind: Kind
    bucket: str
    key: str
    """Exactly as written: `a//b` and `a/b` are two objects, and `%20` is no space."""
    conn_id: str | None = None
    """The Airflow connection with the credentials, written before the bucket: `s3://conn_id@bucket/key`."""
    account: str = ""
    """Azure's storage account, where the URL names it: `abfs://container@account.dfs.core.windows.net/key`."""
    cloud: str = ""
    """The domain of that account, such as `core.windows.net`."""

    @property
    def canonical(self) -> str:
        """`s3://bucket/key` without doubled and trailing slashes: folders that a human takes for the same."""
        names = [name for name in self.key.split("/") if name]
        return "/".join([self._root, *names])

    @property
    def _root(self) -> str:
        if self.kind == "s3":
            return f"s3://{self.bucket}"
        if self.kind == "google":
            return f"gs://{self.bucket}"
        if self.account:
            return f"abfss://{self.bucket}@{self.account}.dfs.{self.cloud}"
        return f"abfs://{self.bucket}"


def is_object_url(url: str) -> bool:
    """Whether it is the URL of an object store that is known here."""
    found = _URL.fullmatch(url)
    return found is not None and found["scheme"].lower() in KINDS


def object_place(url: str, *, field: str = "URL") -> ObjectPlace:
    """Take such a URL apart; nothing in it is decoded.

    Raises:
        BadInput: it is none, or names no possible bucket.
    """
    found = _URL.fullmatch(url)
    kind = KINDS.get(found["scheme"].lower()) if found else None
    if found is None or kind is None:
        raise BadInput(
            field, f"{without_password(url)!r} is no URL of an object store", f"Write it as {EXAMPLES['s3']}"
        )
    if may_hold_secret(url):
        # Taken for a connection's id, it would stand in what Airflow says of a connection that there is not.
        raise BadInput(
            field,
            "there is what may be a password in the URL, which would be shown wherever the URL is",
            f"Make an Airflow connection of them, and write {EXAMPLES[kind].replace('://', '://conn_id@')}",
        )
    if kind == "azure" and "." in found["host"]:
        return _in_an_account(url, found, field)
    if not _BUCKET.fullmatch(found["host"]):
        raise _no_bucket(url, kind, field)
    return ObjectPlace(kind, found["host"], found["key"], found["user"] or None)


def _in_an_account(url: str, found: re.Match[str], field: str) -> ObjectPlace:
    """Hadoop's spelling, in which the container stands where a connection's id stands otherwise."""
    host = _ACCOUNT.fullmatch(found["host"].lower())
    container = found["user"] or ""
    if host is None or not _BUCKET.fullmatch(container):
        raise _no_bucket(url, "azure", field)
    return ObjectPlace("azure", container, found["key"], account=host["account"], cloud=host["cloud"])


def _no_bucket(url: str, kind: Kind, field: str) -> BadInput:
    word = "container" if kind == "azure" else "bucket"
    return BadInput(field, f"{without_password(url)!r} names no {word}", f"Write it as {EXAMPLES[kind]}")
