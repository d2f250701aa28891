"""The first words of a job: what it asks about what, where it writes, how much is to be asked, and what that costs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.job.endings import number_of
from runware_provider.engine.money import usd
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.job.plan_counts import PlanCounts
    from runware_provider.engine.memory.ledger_sums import Statistics
    from runware_provider.engine.spec import Budget, Spec


def job_lines(spec: Spec, folder: str, records: int) -> list[str]:
    """What is asked about what, and where the answers go.

    Args:
        spec: what the user asked for.
        folder: of the dataset that is written.
        records: of the source, as its footers have it.
    """
    which = f"{number_of(records, 'record')} of {spec.source}"
    if spec.filters:
        which = f"those of {which} that the filters choose"
    times = f", {spec.samples} times each" if spec.samples > 1 else ""
    return [*wrapped("Asks", f"{spec.model}, about {which}{times}."), *wrapped("Writes", f"{folder}.")]


def counted_lines(
    counts: PlanCounts, estimate: Mapping[str, Any], budget: Budget | None, different: Sequence[str]
) -> list[str]:
    """How much is to be asked and what that costs, where every question was looked up.

    Args:
        counts: of everything that the chosen records ask.
        estimate: what that costs, as `plan` tells it.
        budget: of the run.
        different: parts of the request that changed since the last publish.
    """
    lines = wrapped("To ask", f"{_to_ask(counts)}.")
    if counts.to_pay and different:
        lines += wrapped("Why", f"since the last publish the {_named(different)} changed.")
    return lines + wrapped("Cost", f"{_cost(counts, estimate, budget)}.")


def uncounted_lines(spec: Spec, records: int, known: Statistics) -> list[str]:
    """The same where that would take a second walk through a large source: what is known without one.

    Args:
        spec: what the user asked for.
        records: of the source.
        known: of the answers in the ledger.
    """
    rows = records * spec.samples
    asked = f"up to {number_of(rows, 'row')}; none is answered yet."
    if known.answered:
        before = f"the {number_of(known.answered, 'answer')} in the state folder"
        asked = f"up to {number_of(rows, 'row')}, less those that {before} are about."
    cost = "`plan` says it beforehand, also what it is at most."
    if known.mean_cost is not None:
        cost = (
            f"about {usd(rows * known.mean_cost)} for all rows, if they are like the answers so far; {cost}"
        )
    return wrapped("To ask", asked) + wrapped("Cost", cost)


def _to_ask(counts: PlanCounts) -> str:
    parts = [number_of(counts.to_pay, "inference")]
    if counts.to_retry_output:
        parts.append(f"{counts.to_retry_output:,} of them since the answer does not fit")
    if counts.unknown:
        parts.append(f"{counts.unknown:,} may be under way already, and are looked for first")
    if counts.answered:
        parts.append(f"{counts.answered:,} answered already")
    if counts.failed:
        parts.append(f"{counts.failed:,} failed before")
    skipped = sum(counts.skipped.values())
    if skipped:
        why = ", ".join(f"{code} {rows:,}" for code, rows in counts.skipped.most_common())
        parts.append(f"{number_of(skipped, 'row')} never sent ({why})")
    return "; ".join(parts)


def _cost(counts: PlanCounts, estimate: Mapping[str, Any], budget: Budget | None) -> str:
    if not counts.to_pay and not counts.unknown:
        return "nothing"
    likely, most = estimate["cost_usd"], estimate["at_most"]["cost_usd"]
    told = "unknown, since nobody names a price of the model"
    if likely is not None and most is not None:
        told = f"about {usd(likely)}, at most {usd(most)}"
    if budget is None:
        return told
    bounds = [usd(budget.usd)] if budget.usd is not None else []
    bounds += [number_of(budget.tokens, "token")] if budget.tokens is not None else []
    return f"{told}; the budget is {' and '.join(bounds)}"


def _named(different: Sequence[str]) -> str:
    if len(different) == 1:
        return different[0]
    return f"{', '.join(different[:-1])} and {different[-1]}"
