"""Before anything is asked: what other partitions answered is taken over, and the user hears what is to be paid."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import BudgetExhausted
from runware_provider.engine.job.account_opening import open_account, price_of, unpriced
from runware_provider.engine.job.asked import asked_by
from runware_provider.engine.job.beginning import counted_lines, job_lines, uncounted_lines
from runware_provider.engine.job.cutting import bytes_of
from runware_provider.engine.job.estimate import estimate_of
from runware_provider.engine.job.manifest import stopped_manifest
from runware_provider.engine.job.plan_counts import plan_counts
from runware_provider.engine.job.prepare import changed
from runware_provider.engine.job.siblings import Siblings, is_taken_over
from runware_provider.engine.outcome.rows import Counts
from runware_provider.engine.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.api.client import Client
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.job.decider import Decider
    from runware_provider.engine.job.leftovers import Leftovers
    from runware_provider.engine.job.leg import Leg
    from runware_provider.engine.job.opening import OpenedJob
    from runware_provider.engine.job.plan_counts import PlanCounts
    from runware_provider.engine.spec import Budget
    from runware_provider.engine.spending.budget import Account
    from runware_provider.engine.spending.pricing import KnownPrices

log = logging.getLogger(__name__)

SMALL_ROWS = 5_000
SMALL_BYTES = 16_000_000
"""As Parquet has them. What is smaller than both is counted before it is asked, whether or not somebody has to know."""


@dataclass
class LookingAhead:
    """One look over the whole source, where somebody needs it.

    Args:
        job: that is about to ask.
        client: names prices.
        decider: of this run.
        leftovers: asks for what nobody covers, and for what a refused run leaves.
        leg: which of several this process is.
    """

    job: OpenedJob
    client: Client
    decider: Decider
    leftovers: Leftovers
    leg: Leg

    async def account(self) -> Account | None:
        """Say what is to be asked and paid, as far as that is known before all is rendered.

        Returns:
            What the budget has paid already; None without a budget.

        Raises:
            BadInput: the budget is in USD, and nobody knows what the model costs.
            BudgetExhausted: the estimate exceeds the budget, and the job shall not go as far as it gets.
        """
        prepared, ledger = self.job.prepared, self.job.ledger
        different = changed(prepared, self.job.published)
        budget, reusing = prepared.spec.budget, prepared.reuses_answers
        takes_over = await asyncio.to_thread(self._takes_over)
        counting = budget is not None or bool(different) or self._is_small()
        self._tell(job_lines(prepared.spec, prepared.folder, prepared.records))
        # Nobody has to know, and it would take a while: the source is not read twice.
        if not counting and not reusing and not takes_over:
            self._tell(uncounted_lines(prepared.spec, prepared.records, ledger.statistics()))
            return None
        asked = await asyncio.to_thread(asked_by, prepared, self.decider.questioner)
        if takes_over:
            await Siblings(prepared, asked, ledger, self.job.identity.job_id).take_over()
        if reusing:
            from runware_provider.engine.job.reuse import AnswersElsewhere  # noqa: PLC0415 - heavy, only with partitions

            questioner, service = self.decider.questioner, self.job.identity.service
            await AnswersElsewhere(prepared, asked, ledger, questioner, service).run()
        if not counting:
            self._tell(uncounted_lines(prepared.spec, prepared.records, ledger.statistics()))
            return None
        counts = await asyncio.to_thread(plan_counts, asked, self.decider)
        in_usd = budget is not None and budget.usd is not None
        listed = await self.client.prices() if in_usd else {}
        price = await asyncio.to_thread(self._price, listed, counts)
        estimate = estimate_of(counts, ledger.statistics(), price, prepared.follow_ups)
        self._tell(counted_lines(counts, estimate, budget, different))
        return await self._within(budget, price, counts) if budget is not None else None

    def _is_small(self) -> bool:
        """Whether a walk through the whole source is over in a moment: one batch, of no great size."""
        prepared = self.job.prepared
        rows, size = prepared.records, bytes_of(prepared.ranges, prepared.dataset.files)
        return rows <= SMALL_ROWS and size <= SMALL_BYTES

    @staticmethod
    def _tell(lines: Sequence[str]) -> None:
        for line in lines:
            log.info("%s", printable(line))

    def _takes_over(self) -> bool:
        """Whether other ledgers of the place have to be gone through, which is done once for each hand-over."""
        prepared = self.job.prepared
        return not is_taken_over(prepared, prepared.state_folder, prepared.ranges)

    async def _within(self, budget: Budget, price: KnownPrices | None, counts: PlanCounts) -> Account:
        """The budget's account, if the estimate stays within it or the job may go as far as it gets."""
        ledger = self.job.ledger
        uncovered = [attempt for attempt in ledger.unsettled("fresh") if attempt[0] not in counts.doubted]
        in_doubt = await self.leftovers.ask(uncovered)
        account = open_account(
            budget,
            price,
            ledger,
            counts.prompt_tokens_each,
            in_doubt=in_doubt,
            output_retries=self.job.prepared.follow_ups.further_answers,
        )
        inferences, tokens = counts.chargeable
        reason = account.exceeds(account.estimate(tokens, inferences))
        if reason is None or budget.when_short == "partial":
            return account
        # Nothing new is to be paid for. The answers to what was sent are collected; what got lost on its way is sent again, and
        # the account stops that where the budget is reached.
        if not counts.to_pay:
            return account
        # The budget was enough when the first leg looked. A later leg goes on as far as the budget reaches, as a process would
        # that had never given its worker back.
        if self.leg.goes_on:
            return account
        # What was sent before, by whichever run, is paid for whether or not more is sent now: collected first, refused then.
        left = await self.leftovers.ask(ledger.unsettled())
        stopped = BudgetExhausted(f"{reason}; nothing was sent")
        stopped.manifest = self._manifest(stopped, counts, still_at_vendor=left)
        raise stopped

    def _price(
        self, listed: Mapping[str, tuple[float, float]] | None, counts: PlanCounts
    ) -> KnownPrices | None:
        prepared, ledger = self.job.prepared, self.job.ledger
        spec = prepared.spec
        same_model = bool(self.job.published) and "model" not in changed(prepared, self.job.published)
        price = price_of(spec, listed, ledger, counts.answers, same_model=same_model)
        in_usd = spec.budget is not None and spec.budget.usd is not None
        if in_usd and price is None and ledger.statistics().mean_cost is None:
            raise unpriced(spec.model, listed)
        return price

    def _manifest(self, stopped: JobStopped, counts: PlanCounts, *, still_at_vendor: int) -> dict[str, Any]:
        """Before anything was sent; what an earlier run sent, and nobody knows the fate of, may be under way."""
        told = stopped_manifest(
            self.job.prepared,
            self.job.ledger,
            Counts(),
            self.job.clock(),
            stopped,
            generation=self.job.generation,
            records=counts.records,
            records_done=0,
            still_at_vendor=still_at_vendor,
        )
        return {**told, "to_pay": counts.to_pay}
