"""A store whose process is killed at a chosen operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Callable


class Killed(BaseException):
    """The end of a process."""


class Dying(LocalStorage):
    """A storage whose process is killed before the n-th operation, which is after the one before it."""

    def __init__(self, dies_at: int) -> None:
        super().__init__(lambda _: None)
        self.left = dies_at

    def _step(self, operation: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left <= 0:
            raise Killed
        return operation()

    def list(self, folder: str, **rest: Any) -> Any:
        return self._step(lambda: super(Dying, self).list(folder, **rest))

    def read_versioned(self, path: str) -> Any:
        return self._step(lambda: super(Dying, self).read_versioned(path))

    def open(self, path: str) -> Any:
        return self._step(lambda: super(Dying, self).open(path))

    def create_new(self, path: str, data: Any) -> bool:
        return bool(self._step(lambda: super(Dying, self).create_new(path, data)))

    def replace_if(self, path: str, data: Any, version: Any) -> bool:
        return bool(self._step(lambda: super(Dying, self).replace_if(path, data, version)))

    def delete(self, path: str) -> None:
        self._step(lambda: super(Dying, self).delete(path))
