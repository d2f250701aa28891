"""S3, and what speaks its protocol, behind the port to storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.storage.object_place import ObjectPlace
from runware_provider.engine.storage.object_storage import ObjectStorage
from runware_provider.engine.storage.s3_client import S3Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class S3Storage(ObjectStorage):
    """One bucket.

    Args:
        bucket: its name.
        options: credentials and endpoint; see `S3Client`.
        renew: gives the options anew when the credentials have expired.
        client: what asks, instead of one made of the options.
    """

    def __init__(
        self,
        bucket: str,
        options: Mapping[str, str] | None = None,
        *,
        renew: Callable[[], Mapping[str, str]] | None = None,
        client: S3Client | None = None,
    ) -> None:
        super().__init__(
            ObjectPlace("s3", bucket, ""), client or S3Client(bucket, options or {}, renew=renew)
        )
