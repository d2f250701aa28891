"""What a place knows of its shards: how its source is cut, and what is wished of them.

<state folder>/split.json                        this record, swapped as a whole
<state folder>/shards/0007/                      a state folder, as that of a place
<state folder>/shards/0007/done-<split>.json     what one shard came to (`shard_done`)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from runware_provider.engine.dataset.source import FileRange  # noqa: TC001 - pydantic reads the annotations
from runware_provider.engine.errors import Overtaken, StateUnreadable
from runware_provider.engine.job.prepare import HandOver
from runware_provider.engine.memory.ledger_sums import Totals
from runware_provider.engine.state_records import damaged, decoded, encoded, understood

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage, Version

FORMAT = 1
NAME = "split.json"
SHARDS = "shards"
"""Where the state folders of a place's shards lie, below that of the place."""
PLACE = -1
"""In the place of a shard's number: the ledger of the place itself."""
State = Literal["preparing", "ready", "left"]
"""`left`: a plain run took over since, and the shards are not to go on."""


@dataclass(frozen=True)
class ShardsWish:
    """What the shards of a split are to do: a shard that did this has nothing to do."""

    request: dict[str, str]
    """What the parts of the request hash to."""
    rows: str
    """What hashes of the choice of records, of how rows are written, and of how often is tried."""
    generation: int
    """In which new questions are asked."""
    beside: str = ""
    """What hashes of all else that the rows follow from (`same_rows`), as the split found it."""


@dataclass(frozen=True)
class Allowance:
    """What a shard may spend of the run's budget, with what it has spent already."""

    usd: float | None
    tokens: int | None


@dataclass(frozen=True)
class Split:
    """How a source is cut into shards."""

    split: str
    state: State
    turn: str
    """Of the hand-over to these shards, or, once they are left, to the place."""
    old: list[int]
    """The ledgers that had something then; see `HandOver`."""
    shards: list[list[FileRange]] = field(repr=False)
    bytes: list[int] = field(repr=False)
    """About how many each shard has."""
    wish: ShardsWish
    folders: int
    """Shards that the place ever had, at most: so many folders there are."""
    budget: str = ""
    """What hashes of the run and its budget."""
    allowances: list[Allowance] = field(default_factory=list, repr=False)
    """Of each shard, where there is a budget."""
    of_shards: Totals = field(default_factory=Totals)
    """Once they are left: what the ledgers of all shards have come to."""

    def to_a_shard(self) -> HandOver | None:
        """What a shard takes over."""
        return HandOver(self.turn, tuple(self.old)) if self.old else None

    def to_a_plain_run(self) -> HandOver:
        """What a plain run takes over."""
        return HandOver(self.turn, tuple(range(self.folders)))


_READ = TypeAdapter(Split)


def shard_folder(storage: Storage, place: str, shard: int) -> str:
    """The state folder of a shard."""
    return storage.join(place, SHARDS, f"{shard:04d}")


def read_split(storage: Storage, place: str) -> tuple[Split, Version] | None:
    """The split of a place, with its version; None where it has none.

    Raises:
        StateUnreadable: it is damaged, or of a newer format.
    """
    path = storage.join(place, NAME)
    read = storage.read_versioned(path)
    if read is None:
        # Without it nobody would know of their ledgers, and what they answered would be paid for again.
        if storage.exists(storage.join(shard_folder(storage, place, 0), "job.json")):
            raise StateUnreadable(f"{path} is missing, but the place has shards; restore it from a backup")
        return None
    record = decoded(read[0], path, newest=FORMAT)
    with understood(path):
        split = _READ.validate_python({name: value for name, value in record.items() if name != "format"})
    if not len(split.shards) == len(split.bytes) <= split.folders:
        raise damaged(path)
    return split, read[1]


def present_split(storage: Storage, place: str) -> Split | None:
    """The split of a place; errors as of `read_split`."""
    read = read_split(storage, place)
    return None if read is None else read[0]


def set_split(storage: Storage, place: str, split: Split) -> None:
    """Write it, for who holds the lease of the place.

    Raises:
        Overtaken: somebody else wrote it at the same moment.
    """
    read = read_split(storage, place)
    path = storage.join(place, NAME)
    record = encoded({"format": FORMAT, **asdict(split)})
    if not storage.replace_if(path, record, None if read is None else read[1]):
        raise Overtaken(f"{path} was written by another run")
