"""What the verbs of a job in shards have to find as they left it: the split, the source, the wish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput, Overtaken, SplitOutdated
from runware_provider.engine.job.cutting import split_id
from runware_provider.engine.job.request_digests import digest_of
from runware_provider.engine.job.same_rows import digest_for_shards
from runware_provider.engine.job.shard_done import read_done
from runware_provider.engine.job.split_record import ShardsWish, Split, present_split
from runware_provider.engine.memory.state_folder import generation_of, wish_of

if TYPE_CHECKING:
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.shard_done import Done
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Storage

LEAVE = "Leave this split: whoever took over goes on with what is here, and pays for no answer a second time."


def wish_for(prepared: Prepared, at: str) -> ShardsWish:
    """What the shards are to do, in the generation that is open, or is opened now, for the user's wish to ask anew."""
    spec = prepared.spec
    wish = wish_of(spec.refresh, spec.retry_failed)
    generation = generation_of(prepared.storage, prepared.place_state, wish, at)
    return ShardsWish(prepared.digests, prepared.rows_digest, generation, digest_for_shards(prepared))


@dataclass(frozen=True)
class WhyUnwanted:
    """Looks why nobody wants the work on a split any more: the place is cut anew, or left by a plain run."""

    storage: Storage
    place: str
    split: Split

    def __call__(self) -> Overtaken | None:
        """None while it is wanted.

        Raises:
            StateUnreadable: the split is damaged, or of a newer format.
        """
        present = present_split(self.storage, self.place)
        if present is None:
            return Overtaken("the place was emptied", remedy=LEAVE)
        if present.split != self.split.split:
            return Overtaken("the source was cut anew", remedy=LEAVE)
        if present.state == "left":
            return Overtaken("a plain run took over", remedy=LEAVE)
        if present.state != "ready":
            return Overtaken("the source is being cut anew, or a plain run takes over", remedy=LEAVE)
        return None


def current_split(prepared: Prepared, split: str, shard: int) -> Split:
    """The split, if it is that one, is ready, and fits what is asked and the source.

    Raises:
        SplitOutdated: it does not.
        BadInput: it has no such shard.
    """
    present = present_split(prepared.storage, prepared.place_state)
    if present is None or present.split != split:
        raise _outdated("split", f"{prepared.place_state} has no split {split!r:.20} (any more)")
    if present.state != "ready":
        who = (
            "a plain run took over" if present.state == "left" else "a split was interrupted, or is under way"
        )
        raise _outdated("split", f"{split} is not to be worked on: {who}")
    if not 0 <= shard < len(present.shards):
        raise BadInput("shard", f"it is {shard}", f"The split has the shards 0 to {len(present.shards) - 1}")
    if split_id(prepared.dataset.files, present.shards) != split:
        raise _outdated("source", f"{prepared.spec.source} changed since it was cut into shards")
    wish = present.wish
    if (wish.request, wish.rows) != (prepared.digests, prepared.rows_digest):
        raise _outdated("split", "what is asked changed since the source was cut into shards")
    return present


def _outdated(field: str, problem: str) -> SplitOutdated:
    return SplitOutdated(field, problem, "Split again")


def budget_digest(spec: Spec) -> str:
    """What names a run and its budget."""
    return digest_of(repr((spec.run, spec.budget)))


def done_as_wished(storage: Storage, folder: str, current: Split) -> Done | None:
    """What the shard came to, if it did what is wished now."""
    done = read_done(storage, folder, current.split)
    return done if done is not None and done.wish == current.wish else None
