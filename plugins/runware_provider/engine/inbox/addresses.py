"""The URL that the vendor calls for one task, and the proof in it that we gave it out for that task.

    https://airflow.example.com/runware/hook?j=<inbox>&e=<expiry>&token=<proof>

The vendor documents no signature and advises a secret in the URL's query (`runware-api.md`, section 6). The proof is the
first half of an HMAC-SHA256 over inbox, expiry and task UUID. The UUID itself is not in the URL, but in the body of the
call: whoever gets hold of a URL can call for the one task that it was made for, until it expires, and learns nothing of
the secret. The parameter is named `token`, as that is what logs and proxies blank out; nothing secret is in the path.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROOF_BYTES: Final = 16
GRACE_S: Final = 86_400
"""Seconds for which a URL is good beyond the time that an answer may take: the vendor tries again, and clocks differ."""
MOST_PARAMETERS: Final = 16
"""In a query; more are nobody's mistake."""
_INBOX: Final = re.compile(r"[0-9a-f]{8,64}")
_EXPIRY: Final = re.compile(r"[0-9]{1,12}")
_PROOF: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class HookAddress:
    """Where the vendor is to call for the tasks of one job.

    Args:
        public_url: of the receiver, as the vendor reaches it, without a query.
        inbox: the job's id in hexadecimal digits.
        secret: what the receiver knows, too.
    """

    public_url: str
    inbox: str
    secret: bytes = field(repr=False)

    def of(self, task_uuid: str, expires_at: int) -> str:
        """The URL for a task.

        Args:
            task_uuid: as it is sent.
            expires_at: seconds since the epoch, from which on the URL opens nothing.
        """
        proof = _proof(self.secret, self.inbox, expires_at, task_uuid)
        query = urlencode({"j": self.inbox, "e": expires_at, "token": proof})
        return urlunsplit(urlsplit(self.public_url)._replace(query=query))


@dataclass(frozen=True)
class Claim:
    """What the query of a call says."""

    inbox: str
    expires_at: int
    """Seconds since the epoch."""
    proof: str = field(repr=False)

    def holds_for(self, task_uuids: Iterable[str], secrets: Sequence[bytes], now: float) -> bool:
        """Whether we gave this URL out for each of the tasks, and it has not expired.

        Args:
            task_uuids: all that the body names. A body that names none proves nothing.
            secrets: each of which may have signed, so that one can be replaced while calls are on their way.
            now: seconds since the epoch.
        """
        uuids = list(task_uuids)
        # Every comparison is made whatever the others say: the time that it takes tells nobody how near he was.
        proven = [self._is_proven_by(secrets, uuid) for uuid in uuids]
        return bool(uuids) and all(proven) and now < self.expires_at

    def _is_proven_by(self, secrets: Sequence[bytes], task_uuid: str) -> bool:
        proofs = [_proof(secret, self.inbox, self.expires_at, task_uuid) for secret in secrets]
        matches = [hmac.compare_digest(proof, self.proof) for proof in proofs]
        return any(matches)


def claim(query: bytes) -> Claim | None:
    """What a call's query says; None where it is none of ours.

    Args:
        query: as it came, without the question mark. Parameters that are none of ours do not count.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), max_num_fields=MOST_PARAMETERS)
    except ValueError:  # UnicodeDecodeError among them
        return None
    said = dict(pairs)
    # One that comes twice could mean one thing to whoever looks on and another to us.
    if len(said) != len(pairs):
        return None
    inbox, expiry, proof = said.get("j", ""), said.get("e", ""), said.get("token", "")
    if not (_INBOX.fullmatch(inbox) and _EXPIRY.fullmatch(expiry) and _PROOF.fullmatch(proof)):
        return None
    return Claim(inbox, int(expiry), proof)


def _proof(secret: bytes, inbox: str, expires_at: int, task_uuid: str) -> str:
    said = "\n".join((inbox, str(expires_at), task_uuid.lower()))
    digest = hmac.new(secret, said.encode("utf-8", "replace"), hashlib.sha256).digest()
    return digest[:PROOF_BYTES].hex()
