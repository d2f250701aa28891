"""What a person is asked before anything is paid, and what was decided. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.pages.links_between import ON_TASK
from runware_provider.pages.page_bits import Dot, Moment, Name, Said, Way, dollars
from runware_provider.pages.page_parts import Heading, Sentence, Tile, Tiles, Ways
from runware_provider.quality.wording import count, counted

if TYPE_CHECKING:
    from runware_provider.engine.job.run_record import Approval, Verdict
    from runware_provider.pages.page_bits import Bit
    from runware_provider.pages.run_view import RunView
    from runware_provider.quality.parts import Part

VERDICTS: Final[dict[Verdict, tuple[str, str]]] = {
    "waiting": ("asking", "waits for a person"),
    "approved": ("done", "approved"),
    "refused": ("stopped", "refused"),
    "timed_out": ("stopped", "nobody decided in time"),
    "not_needed": ("idle", "not needed"),
}
"""Each with the colour and the words of a page."""


def approval_parts(view: RunView, approval: Approval) -> list[Part]:
    """The plan, what it costs, who decides or has decided, and the ways to the samples and to the decision."""
    return [
        Heading("Approval"),
        Tiles([*_costs(approval), *_verdict(view, approval)]),
        *_sentences(view, approval),
        *_ways(view, approval),
    ]


def _waits(view: RunView, approval: Approval) -> bool:
    """Whether a person may still decide: a run that stopped meanwhile is not asked about any more."""
    return approval.verdict == "waiting" and view.record is not None and view.record.state == "planned"


def _costs(approval: Approval) -> list[Tile]:
    beside: list[Bit] = (
        [Said(f"likely {dollars(approval.likely_usd)}")] if approval.likely_usd is not None else []
    )
    # The run is bound by all that it pays, so its budget is more than what was asked about.
    if approval.spent_usd and approval.budget_usd is not None:
        beside.append(Said(f"{dollars(approval.budget_usd)} in all with what is paid so far"))
    most = "nobody knows" if approval.most_usd is None else dollars(approval.most_usd)
    return [
        Tile(
            "to ask",
            Said(count(approval.to_ask)),
            [Said("questions" if approval.to_ask != 1 else "question")],
        ),
        Tile("costs at most", Said(most), beside),
        Tile("a person is asked above", Said(dollars(approval.above_usd))),
    ]


def _verdict(view: RunView, approval: Approval) -> list[Tile]:
    kind, words = VERDICTS[approval.verdict]
    if approval.verdict == "waiting" and not _waits(view, approval):
        kind, words = "stopped", "nobody decided"
    by: list[Bit] = [Said("by"), Name(approval.by)] if approval.by else []
    at: list[Bit] = [Moment(approval.at)] if approval.at else []
    return [Tile("decision", Dot(kind, words), [*by, *at])]


def _sentences(view: RunView, approval: Approval) -> list[Part]:
    if not _waits(view, approval):
        return []
    # What the samples cost was paid before: a person is told so.
    beyond = f" beyond {counted(approval.samples, 'sample')}" if approval.samples else ""
    return [Sentence([Said(f"Until a person has decided, nothing is paid{beyond}.")])]


def _ways(view: RunView, approval: Approval) -> list[Part]:
    ways: list[Bit] = []
    if view.approve_at and _waits(view, approval):
        ways.append(Way(Said("Decide in Airflow"), view.approve_at, outwards=True))
    # Samples are texts, and are removed once it is decided.
    if view.may_read_texts and approval.samples and _waits(view, approval):
        ways.append(
            Way(Said(f"Look at {counted(approval.samples, 'sample')}"), ON_TASK.to(view.at, "samples"))
        )
    return [Ways(ways, is_to_do=True)] if ways else []
