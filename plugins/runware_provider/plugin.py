"""What Airflow registers: a name, and in the API server the pages of jobs and the receiver of webhooks.

Every task process loads the plugins before its task starts, so this module imports nothing heavy; what
only one component needs belongs into a property that imports it when asked.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin


class RunwarePlugin(AirflowPlugin):
    """Shows up in `airflow plugins`; the operators and the hook are imported by their module path."""

    name = "runware"

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # only read, and only by who serves it
        """Asked for by the API server and by `airflow plugins`."""
        from runware_provider import mounted_receiver  # noqa: PLC0415 - see the module's docstring
        from runware_provider.pages import mounted  # noqa: PLC0415 - as above

        # The receiver takes whatever lies below its prefix, the pages' too; Airflow asks in this order.
        return [*mounted.fastapi_apps(), *mounted.leading_to_the_list(mounted_receiver.fastapi_apps())]

    @property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]  # as above
        """Asked for by Airflow's page: the tab of a task instance, and the page in the navigation."""
        from runware_provider.pages.tabs import external_views  # noqa: PLC0415 - see the module's docstring

        return external_views()
