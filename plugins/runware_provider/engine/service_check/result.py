"""What was found, as a table for a person and as JSON for us. Pure; neither holds a key, an answer or a UUID."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Table

from runware_provider.engine.api.redact import KEY_CHARS, MASK
from runware_provider.engine.money import MOST_DECIMALS, usd
from runware_provider.engine.plain_text import printable
from runware_provider.engine.service_check.findings import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.service_check.findings import Finding

FORMAT: Final = 1
COLUMNS: Final = 100
"""Of a line where nobody knows how wide the terminal is, and at most."""
LEAST_COLUMNS: Final = 60
"""In fewer, the table has no room for what was seen."""
ID_COLUMNS: Final = 20
CONTRACT_COLUMNS: Final = 10
VERDICT_COLUMNS: Final = 10
MOST_SEEN_CHARS: Final = 300


@dataclass(frozen=True)
class Result:
    """What came of all questions.

    Attributes:
        service: the host that answered.
        model: that was asked.
        version: of this project.
        findings: one for each assumption, in their order.
        troubles: why something was not asked or not answered.
        reported_usd: what the answers say that they cost.
        at_most_usd: what was spent at most.
    """

    service: str
    model: str
    version: str
    findings: Sequence[Finding]
    troubles: Sequence[str]
    reported_usd: float
    at_most_usd: float

    @property
    def deviations(self) -> list[Finding]:
        """What the service does otherwise."""
        return [finding for finding in self.findings if finding.verdict is Verdict.DIFFERS]

    @property
    def status(self) -> str:
        """In a word or two: a deviation counts more than what was not seen."""
        if self.deviations:
            return "differs"
        return "incomplete" if self.troubles else "as assumed"

    def summary(self) -> dict[str, Any]:
        """What a script has to know."""
        return {
            "format": FORMAT,
            "status": self.status,
            "deviations": [finding.id for finding in self.deviations],
            "troubles": [printable(trouble, MOST_SEEN_CHARS) for trouble in dict.fromkeys(self.troubles)],
            "reported_usd": round(self.reported_usd, MOST_DECIMALS),
            "at_most_usd": round(self.at_most_usd, MOST_DECIMALS),
        }

    def document(self) -> dict[str, Any]:
        """Everything, to be sent to us."""
        return {
            **self.summary(),
            "version": self.version,
            "service": self.service,
            "model": self.model,
            "assumptions": [
                {
                    "id": finding.id,
                    "contract": finding.assumption.place,
                    "claim": finding.assumption.claim,
                    "verdict": str(finding.verdict),
                    "seen": printable(finding.seen, MOST_SEEN_CHARS),
                    "shape": finding.shape,
                }
                for finding in self.findings
            ],
        }

    def table(self, columns: int = COLUMNS) -> Table:
        """A row for each assumption, within so many columns."""
        table = Table(box=box.SIMPLE, pad_edge=False, width=columns)
        table.add_column("assumption", width=ID_COLUMNS, no_wrap=True)
        table.add_column("contract", width=CONTRACT_COLUMNS, no_wrap=True)
        table.add_column("verdict", width=VERDICT_COLUMNS, no_wrap=True)
        table.add_column("seen", ratio=1)
        for finding in self.findings:
            seen = printable(finding.seen, MOST_SEEN_CHARS)
            table.add_row(finding.id, finding.assumption.place, str(finding.verdict), seen)
        return table

    def remarks(self, columns: int = COLUMNS) -> list[str]:
        """What follows from each deviation, and how it ended, in lines within so many columns."""
        lines: list[str] = []
        for finding in self.deviations:
            lines += [*_deviation(finding, columns), ""]
        return lines + folded("", self._ending(), columns)

    def _ending(self) -> str:
        counts = Counter(finding.verdict for finding in self.findings)
        told = ", ".join(f"{counts[verdict]} {word}" for verdict, word in _COUNTED.items())
        paid = f"The answers say that they cost {usd(self.reported_usd)}"
        if self.at_most_usd > self.reported_usd:
            paid += f"; with what told no cost it is {usd(self.at_most_usd)} at most"
        why = f" Not all of it could be asked: {self.troubles[0].rstrip('.')}." if self.troubles else ""
        return f"{told}. {paid}.{why}"


_COUNTED: Final = {
    Verdict.HOLDS: "as assumed",
    Verdict.DIFFERS: "differing",
    Verdict.UNSEEN: "not seen",
    Verdict.SKIPPED: "skipped",
}


def blanked(value: Any, key: str) -> Any:
    """A text, or what lists and objects have of texts, without the API key.

    Long keys are taken out of each reply. Short ones, as `test-key`, may be words of it: they are taken out of what is told.

    Args:
        value: as it would be told.
        key: shorter than six characters, it is left: nobody could tell it from a word.
    """
    if len(key) < KEY_CHARS:
        return value
    if isinstance(value, str):
        return re.sub(re.escape(key), MASK, value, flags=re.IGNORECASE)
    if isinstance(value, list):
        return [blanked(inner, key) for inner in value]
    if isinstance(value, dict):
        return {blanked(name, key): blanked(inner, key) for name, inner in value.items()}
    return value


def _deviation(finding: Finding, columns: int) -> list[str]:
    assumed = finding.assumption
    told = (
        ("assumed", assumed.claim),
        ("seen", finding.seen),
        ("the engine", assumed.if_not),
        ("to do", assumed.remedy),
    )
    return [finding.id, *(line for label, said in told for line in folded(f"  {label}: ", said, columns))]


def folded(label: str, said: str, columns: int = COLUMNS) -> list[str]:
    """A sentence in lines within so many columns, behind a label; nothing but a word that is longer is broken."""
    after = "    " if label else ""
    wrapper = textwrap.TextWrapper(
        columns, initial_indent=label, subsequent_indent=after, break_on_hyphens=False
    )
    return wrapper.wrap(printable(said))
