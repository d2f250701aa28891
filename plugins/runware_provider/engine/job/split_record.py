"""What a place knows of its shards: how its source is cut, and what is wished of them.

<state folder>/split.json                        this record, swapped as a whole
<state folder>/shards/0007/                      a state folder, as that of a place
<state folder>/shards/0007/done-<split>.json     what one shard came to (`shard_done`)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from runware_provider.engine.dataset.source import FileRange
from runware_provider.engine.errors import Overtaken
from runware_provider.engine.memory.ledger_sums import Totals
from runware_provider.engine.memory.shared_answers import SHARDS
from runware_provider.engine.state_records import damaged, decoded, encoded

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage, Version

FORMAT = 1
NAME = "split.json"
_PLAIN = frozenset({"split", "state", "bytes", "folders", "takes_over", "spent_usd", "spent_tokens"})
"""Fields that are written as they are."""
State = Literal["preparing", "ready", "left"]
"""`left`: a plain run took over since, and the shards are not to go on."""


@dataclass(frozen=True)
class Wish:
    """What the shards of a split are to do: a shard that did this has nothing to do."""

    request: dict[str, str]
    """What the parts of the request hash to."""
    rows: str
    """What hashes of the choice of records, and of how rows are written."""
    generation: int
    """In which new questions are asked."""


@dataclass(frozen=True)
class Split:
    """How a source is cut into shards."""

    split: str
    state: State
    shards: list[list[FileRange]] = field(repr=False)
    bytes: list[int] = field(repr=False)
    """About how many each shard has."""
    wish: Wish
    folders: int
    """Shards that the place ever had, at most: so many folders there are."""
    takes_over: bool
    """Whether other ledgers of the place may have answers to what a shard asks."""
    spent_usd: float = 0.0
    """What the run that split had paid before, with other ledgers of the place."""
    spent_tokens: int = 0
    ever: Totals = field(default_factory=Totals)
    """Sums over the ledgers of the place that none of the shards writes to."""


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
        return None
    record = decoded(read[0], path, newest=FORMAT)
    try:
        shards = [[FileRange(**part) for part in shard] for shard in record["shards"]]
        wish, ever = Wish(**record["wish"]), Totals(**record["ever"])
        others = {name: value for name, value in record.items() if name in _PLAIN}
        return Split(**others, shards=shards, wish=wish, ever=ever), read[1]
    except (KeyError, TypeError):
        raise damaged(path) from None


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
