"""A local stand-in for the Runware API: for tests, for demos, and for trying a DAG without paying.

It serves the documented protocol of text inference over real HTTP, and can be told to go wrong in
every way that a client has to survive. It is no language model: its
answers are those that its user gives it, in a table or by a callable, else the least that fits.

In a test: ``with LocalServer(ServerSettings(latency=0)) as server: ... server.base_url``.
From a shell: ``python -m runware_provider.testing``. See ``docs/local-server.md``.

``api`` is the server; ``answering``, ``answer_table`` and ``filling`` say what it answers; ``tryout`` is ``make demo``
and ``make airflow``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["KINDS", "MODELS", "AnswerTable", "Fault", "LocalServer", "Model", "ServerSettings", "read_faults"]

if TYPE_CHECKING:
    from runware_provider.testing.answer_table import AnswerTable
    from runware_provider.testing.api.catalogue import MODELS, Model
    from runware_provider.testing.api.faults import KINDS, Fault, read_faults
    from runware_provider.testing.api.server import LocalServer
    from runware_provider.testing.api.settings import ServerSettings
else:
    _MODULES = {
        "KINDS": "api.faults",
        "MODELS": "api.catalogue",
        "AnswerTable": "answer_table",
        "Fault": "api.faults",
        "LocalServer": "api.server",
        "Model": "api.catalogue",
        "ServerSettings": "api.settings",
        "read_faults": "api.faults",
    }

    def __getattr__(name: str) -> object:
        # Only when it is asked for: the demo imports this package and needs no HTTP server.
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
