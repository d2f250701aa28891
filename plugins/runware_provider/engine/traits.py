"""Where `ModelTraits` was imported from; DAGs that still do so are told what to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from runware_provider.engine.earlier_names import no_such_name

if not TYPE_CHECKING:  # or a misspelt import would pass the types' check

    def __getattr__(name: str) -> NoReturn:
        raise no_such_name(__name__, name)
