"""What a run would do and cost, without sending anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.arrow_memory import take_from_the_system
from runware_provider.engine.job.account_opening import open_account, price_of
from runware_provider.engine.job.asked import asked_by
from runware_provider.engine.job.decider import Decider
from runware_provider.engine.job.estimate import estimate_of
from runware_provider.engine.job.places import check_published, check_schemas
from runware_provider.engine.job.plan_counts import plan_counts
from runware_provider.engine.job.prepare import changed, check_empty, prepare
from runware_provider.engine.job.siblings import Siblings
from runware_provider.engine.job.split_record import present_split
from runware_provider.engine.job.taking_over import paid_by_run, summed
from runware_provider.engine.job.upper_bound import upper_bound_of
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.state_folder import expected_generation, find_job, wish_of
from runware_provider.engine.storage.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.job.plan_counts import PlanCounts
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.spending.pricing import KnownPrices


def plan(
    spec: Spec,
    prices: Mapping[str, tuple[float, float]] | None = None,
    *,
    stores: Stores | None = None,
    service: str | None = None,
) -> dict[str, Any]:
    """Read the source, render every prompt, look every question up in the ledger; send nothing.

    Args:
        spec: the job.
        prices: USD per token in and out, by model, as the API lists them.
        stores: opens the stores that the paths name; by default with what the environment says.
        service: the host of the API; with `memory.reuse`, answers of another one do not count.

    Raises:
        BadInput: what `run` would refuse before paying.
        StateUnreadable: the state folder cannot be read.
    """
    take_from_the_system()
    prepared = prepare(spec, stores or Stores())
    storage, folder = prepared.storage, prepared.state_folder
    split = present_split(storage, folder)
    prepared = replace(prepared, handed_over=None if split is None else split.to_a_plain_run())
    check_empty(prepared)
    published = check_published(prepared)
    schema_changes = check_schemas(prepared, published[0] if published else {})
    ledger = Ledger(storage, storage.join(folder, "ledger"), run=spec.run)
    try:
        wish = wish_of(spec.refresh, spec.retry_failed)
        decider = Decider.of(prepared, ledger, expected_generation(storage, folder, wish))
        asked = asked_by(prepared, decider.questioner)
        reused = 0
        if prepared.handed_over is not None:
            job = find_job(storage, folder)
            Siblings(prepared, asked, ledger, job.job_id if job is not None else b"").borrow()
        if prepared.reuses_answers:
            from runware_provider.engine.job.reuse import AnswersElsewhere  # noqa: PLC0415 - heavy, only with partitions

            reused = AnswersElsewhere(prepared, asked, ledger, decider.questioner, service).borrow()
        counts = plan_counts(asked, decider)
        different = changed(prepared, published[0] if published else {})
        same_model = published is not None and "model" not in different
        price = price_of(spec, prices or {}, ledger, counts.answers, same_model=same_model)
        estimate = estimate_of(counts, ledger.statistics(), price, prepared.follow_ups)
        budget = _budget(spec, counts, price, ledger)
        # Only a run with a name can have been at work in shards.
        shards = range(split.folders) if split is not None and spec.run is not None else ()
        of_shards = summed(paid_by_run(prepared, shards))
        most = upper_bound_of(counts, price, ledger, prepared.follow_ups, of_shards)
    finally:
        ledger.close()
    return {
        "source": spec.source,
        "destination": prepared.folder,
        "state": folder,
        "model": spec.model,
        "files": len(prepared.dataset.files),
        "records": counts.records,
        "records_left_out": counts.left_out,
        "skipped": dict(counts.skipped),
        "answered_before": counts.answered,
        "answered_elsewhere": reused,
        "failed_before": counts.failed,
        "fate_unknown": counts.unknown,
        "to_pay": counts.to_pay,
        "to_retry_output": counts.to_retry_output,
        "changed": different,
        "estimate": estimate,
        "budget": budget,
        "upper_bound": most,
        "warnings": [*prepared.warnings, *schema_changes],
    }


def _budget(
    spec: Spec, counts: PlanCounts, price: KnownPrices | None, ledger: Ledger
) -> dict[str, Any] | None:
    """Whether the budget would last."""
    budget = spec.budget
    if budget is None:
        return None
    account = open_account(budget, price, ledger, counts.prompt_tokens_each)
    inferences, tokens = counts.chargeable
    return {
        "usd": budget.usd,
        "tokens": budget.tokens,
        "spent_usd": account.spent.usd,
        "spent_tokens": account.spent.tokens,
        "exceeded": account.exceeds(account.estimate(tokens, inferences)),
    }
