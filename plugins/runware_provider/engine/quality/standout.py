"""What stands out in a dataset, in sentences, the worst first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.quality.profile import FieldProfile, Kind
from runware_provider.engine.quality.wording import count, counted, interval, reasons, seconds, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runware_provider.engine.quality.findings import Findings, Hits, Run

REMARKS = 8
NAMES = 6
OFTEN = 0.05
RARELY_FILLED = 0.05
STRAGGLER = 5
LATENCY_WORTH_SAYING_S = 10.0


@dataclass(frozen=True)
class Remark:
    """One thing that stands out."""

    weight: str
    """`good`, `note` or `bad`."""
    sentence: str
    """With `{}` for each of the names."""
    names: tuple[str, ...] = ()
    """Codes, fields and messages, as they are: to be escaped by whoever writes them down."""

    def told(self, quoted: Callable[[str], str]) -> str:
        """The sentence with its names quoted."""
        return self.sentence.format(*map(quoted, self.names))


def remarks(findings: Findings) -> list[Remark]:
    """What stands out, at most eight things."""
    run = findings.run
    if not run.rows:
        return [Remark("note", "The dataset has no rows.")]
    found = [
        *_outcomes(run),
        *_bill(run),
        *_hits(findings.hits),
        *_fields(findings.fields),
        *_answers(run),
    ]
    return sorted(found, key=lambda one: ("bad", "note", "good").index(one.weight))[:REMARKS]


def _outcomes(run: Run) -> Iterator[Remark]:
    tally = run.tally
    if tally.answered == run.rows:
        yield Remark("good", f"Every row succeeded: {count(run.rows)} of {count(run.rows)}.")
    if not tally.answered:
        yield Remark("bad", "Not a single row succeeded.")
    for outcome in ("invalid", "failed", "refused", "skipped"):
        rows = tally.outcomes[outcome]
        if rows:
            weight = "bad" if outcome != "skipped" and rows >= OFTEN * run.rows else "note"
            sentence = f"{share(rows, run.rows)} {outcome} ({counted(rows, 'row')})"
            names = [code for code, _ in reasons(tally.reasons, outcome, 1)]
            sentence += ": mostly {}" if names else ""
            problem = tally.problems.counts.most_common(1)
            if outcome == "invalid" and problem:
                (path, message), _ = problem[0]
                names += [f"{path}: {message}" if path else message]
                sentence += ", above all {}"
            yield Remark(weight, sentence + ".", tuple(names))


def _bill(run: Run) -> Iterator[Remark]:
    lost, unreported = int(run.number("maybe_billed")), int(run.number("cost_unreported"))
    if lost:
        yield Remark("bad", f"{counted(lost, 'attempt')} may have been billed without an answer.")
    if unreported:
        yield Remark(
            "note", f"The API reported no cost for {counted(unreported, 'answer')}: the bill will be higher."
        )


def _hits(hits: Hits | None) -> Iterator[Remark]:
    if hits is None:
        return
    if not hits.compared:
        yield Remark("bad", "No row with a result has expected values: check the key.")
    counted_fields = [one for one in hits.fields if one.of]
    worst = min(counted_fields, key=lambda one: (one.hits / one.of, one.path), default=None)
    if worst is not None and worst.hits < worst.of:
        weight = "bad" if worst.hits < 0.8 * worst.of else "note"
        rate = (
            f"{share(worst.hits, worst.of)} of {count(worst.of)} (95 % interval {interval(*worst.interval)})"
        )
        yield Remark(weight, f"Least often as expected: {{}}, {rate}.", (worst.path,))
    elif worst is not None:
        yield Remark("good", "Every field is as expected wherever there are expected values.")


def _fields(fields: tuple[FieldProfile, ...]) -> Iterator[Remark]:
    plain = [one for one in fields if one.kind is not Kind.GROUP and one.seen]
    never = [one.path for one in plain if not one.filled]
    seldom = [one.path for one in plain if 0 < one.filled < RARELY_FILLED * one.seen]
    constant = [one.path for one in plain if one.is_constant]
    if never:
        yield _listed("bad", "Never filled: ", never)
    if seldom:
        yield _listed("note", f"Filled in less than {100 * RARELY_FILLED:.0f} % of the rows: ", seldom)
    if constant:
        yield _listed("note", "The same in every row: ", constant)


def _answers(run: Run) -> Iterator[Remark]:
    tally = run.tally
    if tally.reasked >= OFTEN * run.rows:
        yield Remark(
            "note",
            f"{share(tally.reasked, run.rows)} of the rows were asked again because the answer did not fit;"
            f" that helped {share(tally.mended_by_model, tally.reasked)} of them.",
        )
    elif tally.asked_again >= OFTEN * run.rows:
        yield Remark("note", f"{share(tally.asked_again, run.rows)} of the rows took more than one attempt.")
    for mend, rows in sorted(tally.mends.items()):
        if rows >= OFTEN * run.rows:
            yield Remark(
                "note", f"{share(rows, run.rows)} of the rows had their answer mended: {{}}.", (mend,)
            )
    cut = tally.finishes["length"]
    if cut:
        yield Remark(
            "note", f"{counted(cut, 'answer')} stopped at the limit of tokens (finish {{}}).", ("length",)
        )
    latencies = run.latencies
    if latencies and latencies[2] > max(LATENCY_WORTH_SAYING_S, STRAGGLER * latencies[0]):
        slow, usual = seconds(latencies[2]), seconds(latencies[0])
        yield Remark("note", f"One answer in a hundred took longer than {slow}; the usual one took {usual}.")


def _listed(weight: str, beginning: str, paths: list[str]) -> Remark:
    more = f" and {len(paths) - NAMES} more" if len(paths) > NAMES else ""
    return Remark(
        weight, beginning + ", ".join("{}" for _ in paths[:NAMES]) + more + ".", tuple(paths[:NAMES])
    )
