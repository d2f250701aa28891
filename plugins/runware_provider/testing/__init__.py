"""A local stand-in for the Runware API: for tests, for demos, and for trying a DAG without paying.

It serves the documented protocol of text inference over real HTTP, and can be told to go wrong in
every way that a client has to survive. Its answers come from rules, not from a language model.

In a test: ``with LocalServer(ServerSettings(latency=0)) as server: ... server.base_url``.
From a shell: ``python -m runware_provider.testing``. See ``docs/local-server.md``.

``api`` is the server, ``answering`` its model's stand-in, ``samples`` makes the sample documents, and
``tryout`` is ``make demo`` and ``make airflow``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["KINDS", "MODELS", "Fault", "LocalServer", "Model", "ServerSettings", "read_faults"]

if TYPE_CHECKING:
    from runware_provider.testing.api.catalogue import MODELS, Model
    from runware_provider.testing.api.faults import KINDS, Fault, read_faults
    from runware_provider.testing.api.server import LocalServer
    from runware_provider.testing.api.settings import ServerSettings
else:
    _MODULES = {
        "KINDS": "faults",
        "MODELS": "catalogue",
        "Fault": "faults",
        "LocalServer": "server",
        "Model": "catalogue",
        "ServerSettings": "settings",
        "read_faults": "faults",
    }

    def __getattr__(name: str) -> object:
        # Only when it is asked for: the samples and the demo import this package and need no HTTP server.
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.api.{_MODULES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
