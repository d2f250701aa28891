"""The tasks of a job in shards: cut the source, ask what one shard asks, publish what all of them have.

`text_inference_group` makes them, and nothing else should: they find each other by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow.sdk.configuration import conf

from runware_provider.approving_task import ApprovingTask
from runware_provider.configuration import webhooks
from runware_provider.deferring_task import DeferringTask
from runware_provider.engine.errors import NothingToDo, SplitOutdated, how_far
from runware_provider.engine.job.endings import shard_end
from runware_provider.engine.job.shard_counts import LEAST_ROWS, SHARDS, check_counts
from runware_provider.engine.plain_text import wrapped
from runware_provider.job_task import JobTask
from runware_provider.object_stores import airflow_stores
from runware_provider.places import Places
from runware_provider.published import told_of
from runware_provider.report_wish import check_report_wish, report_wish
from runware_provider.shard_labels import ShardArgument, arguments_of, shard_label

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Mapping, Sequence

    from airflow.sdk import Context

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.spec import Spec
    from runware_provider.kept_approval import KeptApproval

T = TypeVar("T")

SPLIT: Final = "split"
INFER: Final = "infer"
PUBLISH: Final = "publish"
LISTED: Final = 20
"""Shards that the log lists; Airflow's page lists all of them."""


class ShardsTask(JobTask):
    """One of the three tasks of a group, which count as one run together."""

    @property
    def group(self) -> str:
        """The id of the group."""
        return str(self.task_id).rpartition(".")[0]

    def run_name(self, context: Context) -> str:
        """What all tasks of the group share: one budget, one wish to ask anew."""
        instance = context["ti"]
        return f"{instance.dag_id}/{self.group}/{instance.run_id}/-1"


class SplitShardsOperator(ShardsTask, ApprovingTask):
    """Cuts the source into shards; returns a small dict for each, over which `infer` is mapped.

    Args:
        shards: how many, at most.
        least_rows: of a shard, about.
        kwargs: as of every task of the group.
    """

    writes_destination = False
    asks = False

    def __init__(self, *, shards: int = SHARDS, least_rows: int = LEAST_ROWS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_counts(shards=shards, least_rows=least_rows)
        self.shards = shards
        self.least_rows = least_rows

    def check_job(self, spec: Spec) -> None:
        """Before anything is paid: whether the report that is wished for can be made."""
        check_report_wish(self.report, spec)

    def start_job(
        self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event
    ) -> Coroutine[Any, Any, list[dict[str, Any]]]:
        """Cut the source, within what this Airflow lets a task be mapped over."""
        from runware_provider.engine.job.splitting import split_shards  # noqa: PLC0415 - heavy: httpx and pyarrow

        most = min(self.shards, conf.getint("core", "max_map_length", fallback=self.shards))
        if most < self.shards:
            told = f"[core] max_map_length allows {most:,} shards, not {self.shards:,}."
            for line in wrapped("Warning", told):
                self.log.warning("%s", line)
        return split_shards(
            spec,
            endpoint,
            shards=most,
            least_rows=self.least_rows,
            stop=stop,
            stores=airflow_stores(),
            webhooks=webhooks(spec),
            recorded_every_s=self._report_every_s,
        )

    def finished(self, told: list[dict[str, Any]], spec: Spec, context: Context) -> list[ShardArgument]:  # noqa: ARG002 - as every task
        """List the shards in the log."""
        for number, shard in enumerate(told[:LISTED], start=1):
            self.log.info("Shard %s of %s: %s", f"{number:,}", f"{len(told):,}", shard["label"])
        if len(told) > LISTED:
            self.log.info("... and %s more", f"{len(told) - LISTED:,}")
        return arguments_of(told)


class InferShardOperator(ShardsTask, ApprovingTask, DeferringTask):
    """Gives every record of one shard its outcome, and stages its rows; returns counts and sums.

    Args:
        shard: which one, as `split` says.
        shards_at_once: how many shards are at work at the same time, at most: they share `limits.max_outstanding`.
        kwargs: as of every task of the group.
    """

    template_fields: Sequence[str] = (*JobTask.template_fields, "shard")
    reads_source = False
    writes_destination = False
    asks_a_person = False

    _paid_usd: float | None = None
    _rows: int | None = None

    def __init__(self, *, shard: Mapping[str, Any], shards_at_once: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard
        self.shards_at_once = shards_at_once

    @property
    def shard_label(self) -> str:
        """What a person sees in the place of the shard's number; with what it cost, once that is known."""
        return shard_label(str(self.destination), self.shard, rows=self._rows, usd=self._paid_usd)

    def kept_record(self, spec: Spec) -> KeptApproval:
        """That of this shard."""
        return super().kept_record(spec).of_shard(self.shard["shard"])

    def places(self, spec: Spec) -> Places:
        """Those of the whole dataset, with the number of this shard."""
        return Places.of(spec, reports=report_wish(self.report) is not None, shard=self.shard["shard"])

    def carry_out(self, context: Context) -> dict[str, Any]:
        """Ask what the shard asks; returns counts and sums."""
        try:
            told: dict[str, Any] = super().carry_out(context)
        except BaseException as error:
            self._paid_usd = how_far(error).get("paid_usd")
            raise
        return told

    def start_job(
        self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Ask what the shard asks, with its part of what the job may have under way."""
        from runware_provider.engine.job.inferring import infer_shard  # noqa: PLC0415 - heavy: httpx and pyarrow

        inferred = infer_shard(
            _with_its_part(spec, min(self.shards_at_once, self.shard["of"])),
            endpoint,
            split=self.shard["split"],
            shard=self.shard["shard"],
            report=self._report,
            stop=stop,
            stores=airflow_stores(),
            webhooks=webhooks(spec),
            recorded_every_s=self._report_every_s,
            leg=self.leg(),
        )
        return _of_this_split(inferred, self.group)

    def finished(self, told: dict[str, Any], spec: Spec, context: Context) -> dict[str, Any]:  # noqa: ARG002 - as every task
        """Note what the label says, and tell how the shard came out."""
        self._rows, self._paid_usd = told["rows"], told["paid_usd"]
        for line in shard_end(told, self.state_folder()):
            self.log.info("%s", line)
        return told


class PublishShardsOperator(ShardsTask):
    """Publishes what all shards have staged as one dataset; returns the manifest's summary.

    Args:
        shards: what `split` returned.
        kwargs: as of every task of the group.
    """

    template_fields: Sequence[str] = (*JobTask.template_fields, "shards")
    reads_source = False
    asks = False

    def __init__(self, *, shards: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shards = shards

    def start_job(
        self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Publish; nothing is sent."""
        from runware_provider.engine.job.publishing_shards import publish_shards  # noqa: PLC0415 - heavy: pyarrow

        published = publish_shards(
            spec,
            endpoint,
            split=self.shards[0]["split"],
            stop=stop,
            stores=airflow_stores(),
            webhooks=webhooks(spec),
            recorded_every_s=self._report_every_s,
        )
        return _of_this_split(published, self.group)

    def finished(self, told: dict[str, Any], spec: Spec, context: Context) -> dict[str, Any]:
        """Tell of the dataset that was published; returns the manifest's summary."""
        return told_of(told, self, spec, context)


def _with_its_part(spec: Spec, shards_at_once: int) -> Spec:
    """The same job, so that all shards at work have no more under way together than the job may."""
    part = max(1, spec.limits.max_outstanding // shards_at_once)
    return spec.model_copy(update={"limits": spec.limits.model_copy(update={"max_outstanding": part})})


async def _of_this_split(verb: Coroutine[Any, Any, T], group: str) -> T:
    """What a verb comes to; where the source has to be cut again, the error says how that is done in Airflow.

    Raises:
        SplitOutdated: it has.
    """
    remedy = f"Clear the task {group}.{SPLIT} with all that is downstream of it; what is answered is not paid for again"
    try:
        return await verb
    except SplitOutdated as outdated:
        raise SplitOutdated(outdated.field, outdated.problem, remedy) from None
    except NothingToDo as nothing:
        # There were records when it was cut.
        raise SplitOutdated("source", f"it changed since it was cut into shards: {nothing}", remedy) from None
