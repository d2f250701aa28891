"""The buttons of a task in Airflow's page: its output, report and manifest, where a browser can open them.

A link has to be an http address that shows something to a person who is signed in there. S3's and Google's consoles have one
for each folder and object. Browsers open no `file://` from a page of another origin; an address in Azure's portal holds the
subscription and the resource group, which no URL of a container tells; and a store that speaks S3's protocol has a console of
its own, or none. There the XCom `places` has the paths.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from airflow.sdk import BaseHook, BaseOperatorLink

from runware_provider.aws_connections import endpoint_of
from runware_provider.engine.storage.object_place import is_object_url, object_place
from runware_provider.store_connections import extra_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from runware_provider.places import Places

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_CONSOLES: Final = {"cn-": "https://console.amazonaws.cn", "us-gov-": "https://console.amazonaws-us-gov.com"}
"""Of Amazon's partitions, by how the names of their regions begin."""
_CONSOLE: Final = "https://console.aws.amazon.com"


class PlaceLink(BaseOperatorLink):
    """The link to one of the places of a task; empty, so that there is no button, where a browser can open none."""

    place = ""
    """Its name in `Places`."""

    @property
    def name(self) -> str:
        """What the button says."""
        return self.place.capitalize()

    @property
    def xcom_key(self) -> str:
        """Of the XCom from which the page reads it."""
        return f"link_to_{self.place}"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - as every link
        """Called on the worker when the task ends; the page reads the XCom."""
        links: Mapping[str, str] = getattr(operator, "links", {})
        return links.get(self.place, "")


class OutputLink(PlaceLink):
    """To the dataset, or the hive partition of it."""

    place = "output"


class ManifestLink(PlaceLink):
    """To the whole manifest."""

    place = "manifest"


class ReportLink(PlaceLink):
    """To the report on quality, where one was wished for."""

    place = "report"


LINKS: Final = (OutputLink(), ManifestLink(), ReportLink())


def links_to(places: Places) -> dict[str, str]:
    """What a browser can open of some places, by their names."""
    urls = {
        "output": _link(places.output, is_folder=True),
        "manifest": _link(places.manifest),
        "report": None if places.report is None else _link(places.report),
    }
    return {name: url for name, url in urls.items() if url is not None}


def _link(place: str, *, is_folder: bool = False) -> str | None:
    """As `browser_url`, by the settings of the place's own store."""
    if not is_object_url(place):
        return None
    try:
        return browser_url(place, _settings(place), is_folder=is_folder)
    except Exception:  # noqa: BLE001 - the job meets the same place and connection next, and says what is wrong with it
        return None


def browser_url(url: str, settings: Mapping[str, str], *, is_folder: bool = False) -> str | None:
    """Where a browser shows what lies at the URL of an object store; None where it cannot. Pure.

    Args:
        url: of an object or a folder.
        settings: `endpoint`, if the store is another one than the vendor's, and `region`.
        is_folder: whether it is a folder.
    """
    place = object_place(url)
    if settings.get("endpoint"):
        return None
    bucket, key = place.bucket, place.key.strip("/")
    if place.kind == "google":
        # Google shows an object to whoever is signed in and may read it.
        root = (
            "https://console.cloud.google.com/storage/browser"
            if is_folder
            else "https://storage.cloud.google.com"
        )
        return f"{root}/{bucket}/{quote(key)}"
    if place.kind == "s3":
        region = settings.get("region", "")
        console = next((page for begin, page in _CONSOLES.items() if region.startswith(begin)), _CONSOLE)
        what, prefix = ("buckets", f"{key}/") if is_folder else ("object", key)
        return f"{console}/s3/{what}/{bucket}?prefix={quote(prefix)}"
    return None


def _settings(url: str) -> dict[str, str]:
    """Where the store of a URL answers, as its connection and the environment say."""
    place = object_place(url)
    extra: Mapping[str, Any] = {}
    if place.conn_id is not None:
        extra = extra_of(BaseHook.get_connection(place.conn_id))
    if place.kind != "s3":
        return _known({"endpoint": extra.get("gcs.endpoint")})
    own = endpoint_of(extra)
    from_environment = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    region = extra.get("region_name") or os.environ.get("AWS_DEFAULT_REGION")
    return _known({"endpoint": own or from_environment, "region": region})


def _known(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items() if value}
