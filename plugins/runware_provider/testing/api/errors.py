"""What a refusal looks like on the wire.

The object shape is the contract's (runware-api.md, section 7):
``{"code", "message", "parameter", "taskType", "taskUUID", "documentation"}``.
The codes that the contract names are used where one fits; the others follow its
families ``invalid*``, ``missing*``, ``unsupported*``, ``array*``, ``value*`` and are guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DOCUMENTATION = "https://runware.ai/docs"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a task or a whole request is not served.

    Attributes:
        code: The error code, camel case.
        message: A sentence for people.
        parameter: The field's path (``settings.temperature``), several paths, or None.
        status: The HTTP status that the reply carries when this refusal decides it.
    """

    code: str
    message: str
    parameter: str | list[str] | None = None
    status: int = 400

    def body(self, task_type: Any = None, task_uuid: Any = None) -> dict[str, Any]:
        """Return the error object; fields that are not known are left out.

        Args:
            task_type: The refused task's ``taskType``, as it was sent.
            task_uuid: The refused task's ``taskUUID``, as it was sent.
        """
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.parameter is not None:
            error["parameter"] = self.parameter
        if isinstance(task_type, str):
            error["taskType"] = task_type
        if isinstance(task_uuid, str):
            error["taskUUID"] = task_uuid
        error["documentation"] = DOCUMENTATION
        return error
