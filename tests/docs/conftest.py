"""A copy of the project with a local API server, in which the pages' blocks run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import committed
from tests.docs.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def reader(
    tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path], database: Path
) -> Iterator[Reader]:
    with LocalServer(ServerSettings(latency=0, answers=committed())) as server:
        reading = Reader(copy_project(tmp_path_factory.mktemp("project")), server, database)
        yield reading
        reading.close()


@pytest.fixture
def project() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def docs(project: Path) -> Path:
    """The folder of the pages."""
    return project / "docs"
