"""The operator: an LLM over every row of a Parquet dataset.

The DAG processor imports this module at every parse, so the engine's heavy modules are imported when the task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.configuration import webhooks
from runware_provider.deferring_task import DeferringTask
from runware_provider.mapped_tasks import refuse_shared_place
from runware_provider.object_stores import airflow_stores
from runware_provider.published import told_of
from runware_provider.report_wish import check_report_wish

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from airflow.sdk import Context

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.spec import Spec


class TextInferenceOperator(DeferringTask):
    """Asks the model once per record of a Parquet dataset, and writes one row per record.

    Returns the manifest's summary: counts by outcome, tokens and cost, and where the manifest itself is. Every asset in
    `outlets` gets it as the `extra` of its event.

    Each argument is the field of its name of `Spec` (`runware_provider.engine.spec`), and is described below that; so are
    the fields of the value objects, in whose place a dict does. Here is what one begins with, and what is different here.

    Args:
        source: a Parquet file, a folder of them (hive partitions too), or a glob.
        destination: the output dataset's root.
        prompt: a Jinja template, rendered once per record: `{{ record.<column> }}`, and beside it `params`,
            `run_id`, `dag_id` and, if the run has a logical date, `ds`, `logical_date`,
            `data_interval_start`, `data_interval_end`; in a run of a partition, `partition_key`. One line that
            ends in `.j2` is a file, looked up beside the DAG, then in its `template_searchpath`. Airflow does not
            render it.
        messages: in the place of `prompt`, a conversation: `[{"role": "user", "content": "..."}, ...]`, each content a template
            or a `.j2` file as a prompt is, and the last message the user's; a line that ends in `.json` is a file that holds
            the list. Or one expression that takes all messages from the record, `"{{ record.chat }}"`: a list of structs with
            `role` and `content`, or the same as JSON text. Airflow renders none of it.
        output_type: a pydantic model; a JSON Schema (a dict, or a file that ends in `.json`, found as above);
            labels, one of which is the answer (a list of texts, a `Literal`, an Enum); or nothing for text.
        model: the API's name of the model.
        system_prompt: sent as it is; a line that ends in `.j2`, `.txt` or `.md` is a file, found as above.
        refresh: ask anew what was answered before; once per Airflow run, so a retry does not ask again.
            `"{{ params.refresh }}"` works.
        retry_failed: ask again what is `failed`, `invalid` or `refused`, and nothing else; once per Airflow run.
        report: look at the quality of what was published, and keep the report as a page and as Markdown in the
            state folder; their paths are in the summary's `report`. `Report(expected="right.parquet", key="id")`
            adds how often each field is as expected.
        deferrable: give the worker back when everything is sent and the answers are expected to take more than a
            minute; a triggerer has to run. By default what Airflow's `[operators] default_deferrable` says, which is no.
            Nothing gets faster by it, and with `delivery="sync"` or `"stream"` it has no effect.
        assets: make the source an inlet and the destination an outlet of the task, so that Airflow's pages and other DAGs
            know them; by default what `[runware] assets` says, which is yes. Neither is made of a template, a relative path
            or the result of another task, nor by a mapped task.
        runware_conn_id: the connection with the API key; `"{{ params.account }}"` works.
        retry_policy: by default, what another try cannot mend fails at once, whatever `retries` says.

    Raises:
        BadInput: an argument cannot work; at construction, except for what needs rendering, a file or pyarrow
            (whether a type can be stored); or, when a mapped task runs, whether its dataset is its own.
    """

    def carry_out(self, context: Context) -> dict[str, Any]:
        """Run the job; returns the manifest's summary."""
        refuse_shared_place(context, self._given_place)
        manifest: dict[str, Any] = super().carry_out(context)
        return manifest

    def check_job(self, spec: Spec) -> None:
        """Before anything is paid: whether the report that is wished for can be made."""
        check_report_wish(self.report, spec)

    def start_job(
        self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """The engine's job as a coroutine; the seam where tests put another."""
        from runware_provider.engine.job.run import run_job  # noqa: PLC0415 - heavy: httpx and pyarrow

        return run_job(
            spec,
            endpoint,
            report=self._report,
            stop=stop,
            stores=airflow_stores(),
            webhooks=webhooks(spec),
            recorded_every_s=self._report_every_s,
            leg=self.leg(),
        )

    def finished(self, told: dict[str, Any], spec: Spec, context: Context) -> dict[str, Any]:
        """Tell of the dataset that was published; returns the manifest's summary."""
        return told_of(told, self, spec, context)
