"""Which question is asked, and under which name: fingerprint, key and task UUID.

All three are formats (docs/decisions/0001 and 0002): whoever changes one pays for everything again.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.turns import Turns

FINGERPRINT_BYTES = 16
_encode = json.JSONEncoder(separators=(",", ":")).encode
"""`json.dumps` would make an encoder for each call."""


class Key(msgspec.Struct, frozen=True, gc=False):
    """Which inference: the same request, sample and generation are asked once.

    A struct of msgspec's, since a dozen dictionaries are asked for each, and it is hashed in a fifth of the time.
    """

    fingerprint: bytes
    """16 bytes; see `Fingerprinter`."""
    sample: int
    """From 0; a record may be asked several times."""
    generation: int
    """From 0; one more for each wish to ask anew."""


class Fingerprinter:
    """Identifies requests that differ in their messages alone (docs/decisions/0002).

    Args:
        fields: the request as it is sent, without messages and UUID.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._started = hashlib.blake2b(digest_size=FINGERPRINT_BYTES, person=b"runware-fp-1")
        self._started.update(_canonical(fields))

    def of(self, turns: Turns) -> bytes:
        """Of the request whose messages are these: 16 bytes, the same whenever the same is asked."""
        whole = self._started.copy()
        # As `_encode` writes [{"role": ..., "content": ...}, ...], without going through a list of dicts for each record.
        messages = [f'{{"role":"{turn.role}","content":{_encode(turn.content)}}}' for turn in turns]
        whole.update(f"[{','.join(messages)}]".encode())
        return whole.digest()


def task_uuid(job_id: bytes, key: Key, attempt: int) -> str:
    """The idempotency key of one attempt: a hash in the shape of a UUID v4 (docs/decisions/0001).

    Args:
        job_id: 16 bytes, of the job whose attempt it is.
        key: the inference's.
        attempt: from 1.
    """
    named = job_id + key.fingerprint + struct.pack(">III", key.sample, key.generation, attempt)
    digits = bytearray(hashlib.blake2b(named, digest_size=16, person=b"runware-uuid-1").digest())
    # The version and the variant of a random UUID, written here since `uuid.UUID` takes four times as long to do it.
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _canonical(fields: Mapping[str, Any]) -> bytes:
    """Top level and `settings` in alphabetical order, since their order means nothing to a model.

    Inside `tools` and `jsonSchema` the order stays as sent: a model fills properties in the order it reads them.
    """
    ordered = {key: fields[key] for key in sorted(fields)}
    if isinstance(ordered.get("settings"), dict):
        ordered["settings"] = {key: ordered["settings"][key] for key in sorted(ordered["settings"])}
    return _encode(ordered).encode()
