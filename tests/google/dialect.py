"""Google Cloud Storage's XML API in front of a server that speaks S3.

Google made its XML API so that S3's clients can speak it; obstore speaks it in Google's own words where there are some:
https://cloud.google.com/storage/docs/xml-api/reference-headers. What differs, and is done here:

- Each write of an object gives it a new generation, a number, told in `x-goog-generation`.
- `x-goog-if-generation-match` is the condition of a write: this generation is there, or with 0 none. Otherwise 412.
- `?generation=` reads that generation or nothing; nothing older is kept, as in a bucket without versioning.
- `x-goog-copy-source` names the source of a copy.
- Deleting what is not there is a 404.

No emulator that can be had from a package registry does these: fake-gcs-server 1.x and gcp-storage-emulator speak the
JSON API, and take an object's XML upload without looking at its condition, or not at all.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_CONDITION: Final = "HTTP_X_GOOG_IF_GENERATION_MATCH"
_COPY: Final = "HTTP_X_GOOG_COPY_SOURCE"
# The server behind looks for a signature, and not into it; a token means nothing to it.
_SOMEBODY: Final = (
    "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)
_FIRST_GENERATION: Final = 1_700_000_000_000_000


class GoogleDialect:
    """A WSGI application; asked by one request at a time.

    Args:
        s3: what answers in S3's words.
    """

    def __init__(self, s3: WSGIApplication) -> None:
        self._s3 = s3
        self._generations: dict[str, int] = {}
        self._next = itertools.count(_FIRST_GENERATION).__next__

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        refused = self._refusal(environ)
        if refused is not None:
            return _answer(start_response, environ, *refused)
        environ["HTTP_AUTHORIZATION"] = _SOMEBODY
        _rename(environ, _COPY, "HTTP_X_AMZ_COPY_SOURCE")
        _spell_out(environ)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            if status.startswith("2"):
                self._remember(environ)
            generation = self._generations.get(environ["PATH_INFO"])
            if generation is not None:
                headers = [*headers, ("x-goog-generation", str(generation))]
            return start_response(status, headers, *more)

        return self._s3(environ, start)

    def _refusal(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """Status and code, if the request is not to be carried out."""
        current = self._generations.get(environ["PATH_INFO"], 0)
        wanted = environ.pop(_CONDITION, None)
        if wanted is not None and int(wanted) != current:
            return "412 Precondition Failed", "PreconditionFailed"
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        read = query.pop("generation", None)
        if read is not None:
            environ["QUERY_STRING"] = urlencode(query)
            if int(read) != current:
                return "404 Not Found", "NoSuchKey"
        return None

    def _remember(self, environ: WSGIEnvironment) -> None:
        """What a request that was carried out has done to its object's generation."""
        place = environ["PATH_INFO"]
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        of_an_object = "/" in place.strip("/")
        written = environ["REQUEST_METHOD"] == "PUT" and "uploadId" not in query
        completed = environ["REQUEST_METHOD"] == "POST" and "uploadId" in query
        if of_an_object and (written or completed):
            self._generations[place] = self._next()
        elif environ["REQUEST_METHOD"] == "DELETE" and not query:
            self._generations.pop(place, None)


def _rename(environ: WSGIEnvironment, theirs: str, ours: str) -> None:
    if theirs in environ:
        environ[ours] = environ.pop(theirs)


def _spell_out(environ: WSGIEnvironment) -> None:
    """Write the address as S3's clients do; Google's escape more of it, in the name of the bucket, too."""
    path = environ["PATH_INFO"].encode("latin-1")
    query = environ.get("QUERY_STRING", "")
    environ["RAW_URI"] = environ["REQUEST_URI"] = quote(path) + (f"?{query}" if query else "")


def _answer(
    start_response: StartResponse, environ: WSGIEnvironment, status: str, code: str
) -> Iterable[bytes]:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>".encode()
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
