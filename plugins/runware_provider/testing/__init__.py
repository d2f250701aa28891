"""A local stand-in for the Runware API: for tests, for demos, and for trying a DAG without paying.

It serves the documented protocol of text inference over real HTTP, and can be told to go wrong in
every way that a client has to survive. Its answers come from rules, not from a language model.

In a test: ``with LocalServer(ServerSettings(latency=0)) as server: ... server.base_url``.
From a shell: ``python -m runware_provider.testing``. See ``docs/local-server.md``.
"""

from runware_provider.testing.catalogue import MODELS, Model
from runware_provider.testing.faults import KINDS, Fault, read_faults
from runware_provider.testing.server import LocalServer
from runware_provider.testing.settings import ServerSettings

__all__ = ["KINDS", "MODELS", "Fault", "LocalServer", "Model", "ServerSettings", "read_faults"]
