"""The seal of a ledger segment: proof that the file is as long as it was, and that its footer is what was written.

The pages of a Parquet file have checksums. Its footer, which says where they are and how many rows there are, has none:
a flipped bit there could silently hide answers that were paid for. So before the footer stand `MAGIC` and the SHA-256 of
the footer and of the file's length. Readers of Parquet pass over bytes that no footer names.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC: Final = b"RWSEAL\x00\x01"
SEAL_BYTES: Final = len(MAGIC) + hashlib.sha256().digest_size
_END: Final = b"PAR1"
_TAIL_BYTES: Final = 4 + len(_END)
"""Behind the footer: its length, and the sign of Parquet."""


class SealBroken(ValueError):  # noqa: N818 - says what is the case
    """The file is not what was sealed."""


def sealed(content: bytes) -> bytes:
    """Return a Parquet file with its seal."""
    footer_start = len(content) - _TAIL_BYTES - _footer_bytes(content[-_TAIL_BYTES:])
    whole = memoryview(content)  # a segment is large, and is copied once
    body, end = whole[:footer_start], content[footer_start:]
    return b"".join((body, MAGIC, _proof(end, len(content) + SEAL_BYTES), end))


def is_sealed(file: pa.NativeFile) -> bool:
    """Whether a file has a seal, which is then checked; files of older formats have none.

    Args:
        file: open for reading; where it stands afterwards does not matter.

    Raises:
        SealBroken: it is no Parquet file, or not what was sealed.
    """
    size = file.size()
    if size < _TAIL_BYTES + len(_END):
        raise SealBroken("it is too short")
    file.seek(size - _TAIL_BYTES)
    footer_bytes = _footer_bytes(file.read(_TAIL_BYTES))
    start = size - _TAIL_BYTES - footer_bytes - SEAL_BYTES
    if start < len(_END):
        return False
    file.seek(start)
    content = file.read(size - start)
    if not content.startswith(MAGIC):
        return False
    if content[len(MAGIC) : SEAL_BYTES] != _proof(content[SEAL_BYTES:], size):
        raise SealBroken("its footer is not what was written")
    return True


def _footer_bytes(tail: bytes) -> int:
    if tail[4:] != _END:
        raise SealBroken("its end is missing")
    return int.from_bytes(tail[:4], "little")


def _proof(end: bytes, size: int) -> bytes:
    return hashlib.sha256(end + size.to_bytes(8, "little")).digest()
