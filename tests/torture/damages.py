"""Damage what is read, at random, and look at what its readers make of it: `make damages`.

State files of all kinds, files of a source, replies of the API and answers are flipped, cut, overwritten, and changed into
hostile JSON. Whatever the damage, a reader says what is right or refuses it in words of ours; it raises nothing else, and it
comes to an end. What can be told apart from the right (state files with a proof, ledger segments) is never read as another
thing.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import logging
import os
import random
import signal
import sys
import tempfile
import traceback
import zlib
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

PROJECT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "plugins")]

import pyarrow as pa  # noqa: E402 - found by the lines above
import pyarrow.parquet as pq  # noqa: E402

from runware_provider.engine.api.replies import (  # noqa: E402
    decode,
    encode_item,
    read_archive,
    read_poll,
    read_reply,
)
from runware_provider.engine.api.reply_bytes import ReplyBroken, ReplyBytes, ReplyTooLarge  # noqa: E402
from runware_provider.engine.api.results import cost_of, read_result, usage_of  # noqa: E402
from runware_provider.engine.dataset.batches import BatchReader  # noqa: E402
from runware_provider.engine.dataset.footers import open_dataset  # noqa: E402
from runware_provider.engine.dataset.partition_schemas import check_schema  # noqa: E402
from runware_provider.engine.dataset.published_manifest import (  # noqa: E402
    part_names,
    read_manifest,
    replaced_names,
)
from runware_provider.engine.dataset.row_filter import RowFilter  # noqa: E402
from runware_provider.engine.dataset.source import first_rows  # noqa: E402
from runware_provider.engine.dataset.staging import read_batches  # noqa: E402
from runware_provider.engine.endpoint import Endpoint  # noqa: E402
from runware_provider.engine.errors import EngineError  # noqa: E402
from runware_provider.engine.filters import normal_form  # noqa: E402
from runware_provider.engine.job.inferring import infer_shard  # noqa: E402
from runware_provider.engine.job.run import run_job  # noqa: E402
from runware_provider.engine.job.shard_done import read_done  # noqa: E402
from runware_provider.engine.job.split_record import read_split, shard_folder  # noqa: E402
from runware_provider.engine.job.splitting import split_shards  # noqa: E402
from runware_provider.engine.memory import segments  # noqa: E402
from runware_provider.engine.memory.lease import Lease  # noqa: E402
from runware_provider.engine.memory.segment_catalogue import (  # noqa: E402
    Base,
    Held,
    Superseded,
    read_base,
    swap_base,
)
from runware_provider.engine.memory.shared_answers import newest_first  # noqa: E402
from runware_provider.engine.memory.state_folder import expected_generation, find_job  # noqa: E402
from runware_provider.engine.outcome.answer import read_arguments, read_json  # noqa: E402
from runware_provider.engine.schema.answer_schema import output_schema  # noqa: E402
from runware_provider.engine.spec import Limits, Spec  # noqa: E402
from runware_provider.engine.state_records import PROOF  # noqa: E402
from runware_provider.engine.storage.local import LocalStorage  # noqa: E402
from runware_provider.testing import LocalServer, ServerSettings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "key-of-the-tests-0123456789"
LONGEST_S = 10
"""Of processor time for one case; what takes longer hangs."""
PIECE = 500
"""Cases of one forked process, so that a crash of a library in C is seen and counted."""
SCHEMA = {
    "type": "object",
    "properties": {
        "vendor": {"type": "string"},
        "total": {"type": "number"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    },
    "required": ["total"],
}
DELTAS = {
    "n": "DELTA_BINARY_PACKED",
    "body": "DELTA_LENGTH_BYTE_ARRAY",
    "share": "BYTE_STREAM_SPLIT",
    "raw": "DELTA_BYTE_ARRAY",
}
HOSTILE: list[Any] = [
    None, True, "", "x", "../../victim", "\x1b[2J", "\ud800", "NaN", -1, 0, 1, 10**30, 10**400, 1e308, -0.5, [], {}, [[]],
    {"a": {}}, "9" * 500, ["../x"], 2**63,
]  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Something that is read: its right content, and a reader of any content, which says what it took from it."""

    name: str
    content: bytes
    read: Callable[[bytes], Any]
    proven: bool = False
    """Whether anything other than what is right has to be refused."""


# damages


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Something else than the content, in one of many ways."""
    ways = [flipped, cut, overwritten, repeated, inserted]
    if content[:1] in b"{[":
        ways += [rewritten] * 5
    return draw.choice(ways)(content, draw)


def flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 8])):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return draw.choice([content[:start], content[start:], content[:start] + content[end:]])


def overwritten(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content))
    size = draw.choice([1, 4, 8, 64])
    filling = draw.choice([bytes(size), b"\xff" * size, draw.randbytes(size)])
    return content[:start] + filling + content[start + size :]


def repeated(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:end] * draw.choice([1, 2, 50]) + content[end:]


def inserted(content: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(content) + 1)
    junk = draw.choice(
        [b"[" * 50_000, b'{"a":' * 20_000, b"\x00", b"\xff\xfe", b'"', b"\\", b"\x1b]0;x\x07", b"1" * 5_000]
    )
    return content[:at] + junk + content[at:]


def rewritten(content: bytes, draw: random.Random) -> bytes:
    """JSON whose values are other ones here and there."""
    try:
        value = json.loads(content)
    except ValueError:
        return flipped(content, draw)
    for _ in range(draw.choice([1, 1, 2, 5])):
        holder, key = draw.choice(list(_places({"whole": value})))
        if draw.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = deepcopy(draw.choice(HOSTILE))
    return json.dumps(value).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        if not (isinstance(value, dict) and key == "whole"):
            yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)
    if isinstance(value, dict) and list(value) == ["whole"] and not value["whole"]:
        yield value, "whole"


# what is read


def state_targets(root: Path) -> list[Target]:
    """One of each kind of state file, of jobs that were run for it."""
    storage = LocalStorage()
    (root / "in").mkdir()
    bodies = [f"Invoice {number}\nTotal: {number}.50 EUR" for number in range(12)]
    pq.write_table(pa.table({"n": range(12), "body": bodies}), root / "in" / "a.parquet")
    asyncio.run(_run_jobs(root))
    state, shards = root / "out.state" / "ds=1", root / "cut.state"
    split = read_split(storage, str(shards))
    assert split is not None
    first = Path(shard_folder(storage, str(shards), 0))

    def of(path: Path, read: Callable[[], Any], *, proven: bool = False) -> Target:
        def whole(content: bytes) -> Any:
            path.write_bytes(content)
            return read()

        return Target(path.name, path.read_bytes(), whole, proven)

    def lease_of(folder: Path) -> Any:
        return Lease(storage, str(folder))._newest()

    def manifest_of(folder: Path) -> Any:
        found = read_manifest(storage, str(folder))
        return found and (part_names(found[0]), replaced_names(found[0]))

    def entries_of(path: Path) -> Any:
        names = ["kind", "fingerprint", "attempt", "cost_pico_usd", "item", "family"]
        table = segments.columns(storage, str(path), names)
        return table.to_pylist(), [
            (one.cost, one.item) for one in segments.entries_at(storage, str(path), range(table.num_rows))
        ]

    def schemas_of(folder: Path) -> Any:
        return check_schema(storage, str(folder), pa.schema([("n", pa.int64())]), allowed=True)

    done = next(first.glob("done-*.json"))
    batches = read_done(storage, str(first), split[0].split).batches

    def staged_rows() -> Any:
        return [table.to_pylist() for table in read_batches(storage, batches)]

    def keys_of(number: int) -> Any:
        return [
            (keys.partition, keys.job_id, len(keys.prefixes))
            for keys in newest_first(storage, str(root / "shared.state"), number)
        ]

    old = root / "old.segment"
    old.write_bytes(unsealed(max((state / "ledger").glob("*.segment")).read_bytes()))
    segment = max((state / "ledger").glob("*.segment"))
    generation = next((state / "generations").iterdir())
    superseded = (Superseded(1_700_000_000, ("00000001.segment",)),)
    base = Base(1, (Held("merged-0a-0001.segment", 9),), superseded)
    swap_base(storage, str(state / "ledger"), base, None, 1_700_000_100.0)
    found = [
        of(state / "job.json", lambda: find_job(storage, str(state)), proven=True),
        of(state / "ledger" / "base.json", lambda: read_base(storage, str(state / "ledger"))[0], proven=True),
        of(max((state / "leases").iterdir()), lambda: lease_of(state)),
        of(generation, lambda: expected_generation(storage, str(state), "another")),
        of(state / "manifest.json", lambda: manifest_of(state)),
        of(shards / "split.json", lambda: read_split(storage, str(shards))),
        of(done, lambda: read_done(storage, str(first), split[0].split)),
        of(Path(batches[0].path), staged_rows, proven=True),
        of(root / "shared.state" / "answers" / "00000001.keys", lambda: keys_of(1)),
        of(segment, lambda: entries_of(segment), proven=True),
        of(old, lambda: entries_of(old)),
    ]
    return found + [
        of(path, lambda: schemas_of(root / "out.state")) for path in (root / "out.state").glob("*.json")
    ]


async def _run_jobs(root: Path) -> None:
    with LocalServer(ServerSettings(latency=0, key=KEY)) as server:
        endpoint = Endpoint(server.base_url, KEY)

        def spec(name: str, **further: Any) -> Spec:
            return Spec(
                source=str(root / "in"),
                destination=str(root / name),
                prompt="What is the total?\n{{ record.body }}",
                output_type=SCHEMA,
                failures={"most": None},
                limits=Limits(poll_interval_s=0.02),
                **further,
            )

        await run_job(spec("out", partition={"ds": "1"}, refresh="wish"), endpoint)
        await run_job(spec("shared", partition={"ds": "1"}, memory={"reuse": "dataset"}), endpoint)
        shards = await split_shards(spec("cut"), endpoint, shards=2, least_rows=1)
        split = shards[0]["split"]
        await infer_shard(spec("cut"), endpoint, split=split, shard=0)


def unsealed(content: bytes) -> bytes:
    """A segment as versions wrote it that knew no seals."""
    table = pq.read_table(pa.BufferReader(content))
    metadata = {**table.schema.metadata, b"runware.ledger.format": b"2"}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, write_page_checksum=True)
    return bytes(sink.getvalue())


def source_targets(root: Path) -> list[Target]:
    """Files of a source: plain and nested columns, with and without checksums, of one and of many row groups."""
    storage = LocalStorage()
    table = pa.table(
        {
            "n": range(40),
            "body": [f"text {number}" * 5 for number in range(40)],
            "lines": [[{"a": number, "b": None}] for number in range(40)],
            "kind": pa.array(["x"] * 40).dictionary_encode(),
            "at": pa.array(range(40), pa.timestamp("us", "UTC")),
            "price": pa.array([Decimal(number) / 4 for number in range(40)], pa.decimal128(12, 2)),
            "paid": [number % 3 == 0 for number in range(40)],
            "share": [number / 7 for number in range(40)],
            "tags": pa.array([[("a", number)] for number in range(40)], pa.map_(pa.string(), pa.int32())),
            "raw": pa.array([bytes([number]) * 16 for number in range(40)], pa.binary(16)),
        }
    )

    def target(name: str, **options: Any) -> Target:
        folder = root / f"source-{name}" / "kind=x"  # beside a column of that name
        folder.mkdir(parents=True)
        path = folder / "a.parquet"
        pq.write_table(table, path, **options)

        def read(content: bytes) -> Any:
            path.write_bytes(content)
            dataset = open_dataset(storage, str(root / f"source-{name}"))
            chosen = RowFilter.of(normal_form([("n", "<", 30), ("share", "is not null")]), dataset.schema)
            found = []
            for row_filter in (None, chosen):
                reader = BatchReader(
                    storage=storage,
                    dataset=dataset,
                    row_filter=row_filter,
                    batch_rows=16,
                    batch_bytes=1 << 20,
                )
                found.append(sum(rows.num_rows for _, rows in reader.read(first_rows(dataset))))
            return found

        return Target(f"source {name}", path.read_bytes(), read)

    return [
        target("plain", compression="none"),
        target("checked", write_page_checksum=True, row_group_size=10),
        target("packed", compression="zstd", row_group_size=7),
        target("second pages", compression="gzip", data_page_version="2.0", use_dictionary=False),
        target("old times", compression="snappy", use_deprecated_int96_timestamps=True, data_page_size=64),
        target("deltas", compression="lz4", use_dictionary=False, column_encoding=DELTAS),
    ]


def reply_targets() -> list[Target]:
    """Replies to tasks, polls and look-ups."""
    name = "00000000-0000-4000-8000-000000000001"
    item = {
        "taskType": "textInference", "taskUUID": name, "status": "success", "text": '{"total": 1}', "finishReason": "stop",
        "usage": {"promptTokens": 10, "completionTokens": "7", "promptTokensDetails": {"cachedTokens": 2}}, "cost": 0.00012,
        "tools": [{"id": "1", "name": "f", "input": {"a": 1}}],
    }  # fmt: skip
    error = {"code": "providerError", "message": "no", "parameter": ["a"], "taskUUID": name, "cost": "0.1"}
    archived = {"data": [{"taskUUID": name, "response": json.dumps({"data": [item]}), "request": {}}]}

    def read(reader: Callable[[int, bytes], Any]) -> Callable[[bytes], Any]:
        def all_of_it(content: bytes) -> None:
            reply = reader(200, content)
            for found in reply.results.values():
                read_result(found)
                encode_item(found).decode()
                usage, cost = usage_of(found), cost_of(found)
                tokens = (usage.prompt, usage.cached, usage.completion)
                assert all(count is None or 0 <= count <= 10**9 for count in tokens)
                assert cost is None or 0 <= cost <= 1000
            for failure in (*reply.failures.values(), *reply.unnamed):
                assert (failure.message + failure.code + (failure.parameter or "")).isprintable()
                assert (cost_of(failure.item) or 0) <= 1000
                encode_item(failure.item).decode()
            decode(content)

        return all_of_it

    return [
        Target("reply", json.dumps({"data": [item], "errors": [error]}).encode(), read(read_reply)),
        Target("poll", json.dumps({"data": [item, item], "errors": [error]}).encode(), read(read_poll)),
        Target("archive", json.dumps(archived).encode(), read(read_archive)),
    ]


def packed_targets() -> list[Target]:
    """A reply as it comes over the wire, packed."""
    reply = json.dumps({"data": [{"text": "word " * 200}] * 5}).encode()

    def unpacked(name: str) -> Callable[[bytes], Any]:
        def whole(content: bytes) -> Any:
            body = ReplyBytes(name)
            try:
                for start in range(0, len(content), 50):
                    body.add(content[start : start + 50])
                return decode(body.whole())
            except (ReplyBroken, ReplyTooLarge) as error:
                raise EngineError(str(error)) from None

        return whole

    return [
        Target("gzip", gzip.compress(reply), unpacked("gzip")),
        Target("members", gzip.compress(reply[:500]) + gzip.compress(reply[500:]), unpacked("gzip")),
        Target("deflate", zlib.compress(reply), unpacked("deflate")),
    ]


def answer_targets() -> list[Target]:
    """Answers as texts and as arguments of a call, read and checked."""
    check = output_schema(SCHEMA)
    answer = json.dumps({"vendor": "Müller & Söhne", "total": 12.5, "lines": [{"n": 1}, {"n": 2}]}).encode()

    def read(reader: Callable[[str], Any]) -> Callable[[bytes], Any]:
        def fitted(content: bytes) -> None:
            found = reader(content.decode("utf-8", "replace"))
            if found.problem is None:
                fit = check.fit(found.value)
                if not fit.problems:
                    pa.array([fit.value], check.arrow_type)

        return fitted

    return [
        Target("answer", answer, read(read_json)),
        Target("fenced", b"Here it is:\n```json\n" + answer + b"\n```", read(read_json)),
        Target("arguments", answer, read(read_arguments)),
    ]


# how it goes


def attempt(target: Target, content: bytes, right: Any) -> str:
    """In one word, what came of it."""
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S)
    try:
        found = target.read(content)
    except EngineError:
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if target.proven and found != right and not _is_of_before(content):
        return "WRONG"
    return "read"


def _is_of_before(content: bytes) -> bool:
    """Whether a record says that a version wrote it which knew no proofs, and has none: nothing tells it from such a one."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("format") in {1, 2} and PROOF not in record


def tried(
    targets: list[Target], rights: list[Any], seed: int, cases: int, last: Path
) -> tuple[Counter[str], list[str]]:
    """So many damages of one seed, and what is to be looked at; the last one is left in a file, should the process die."""
    draw, seen, told = random.Random(seed), Counter[str](), []  # noqa: S311 - damages, not secrets
    for _ in range(cases):
        place = draw.randrange(len(targets))
        target = targets[place]
        content = damaged(target.content, draw)
        last.write_bytes(target.name.encode() + b"\n" + content)
        try:
            what = attempt(target, content, rights[place])
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            what = f"RAW {type(error).__name__}"
            told.append(f"{target.name}: {what} at {_places_of(error)}: {str(error)[:100]!r}")
        if what == "WRONG":
            told.append(f"{target.name}: read as another thing, seed {seed}")
        seen[f"{target.name}: {what}"] += 1
    return seen, told


def _places_of(error: BaseException) -> str:
    """Where it was raised, and where in our own code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if str(PROJECT / "plugins") in frame.filename]
    return ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in [*frames[-1:], *ours[-2:]])


def in_a_fork(work: Callable[[], Any]) -> Any:
    """What a forked process makes of it; None where the process died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:  # whatever happens, what the parent has opened is not closed here
            os.close(reader)
            signal.signal(signal.SIGVTALRM, _hangs)
            with os.fdopen(writer, "w") as out:
                json.dump(work(), out)
            status = 0
        except BaseException:  # noqa: BLE001 - shown, and the parent counts it
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if status == 0 else None


def _hangs(*_: Any) -> None:
    raise TimeoutError("it hangs")


def all_targets(root: Path) -> list[Target]:
    """Everything that is damaged."""
    return [
        *state_targets(root),
        *source_targets(root),
        *reply_targets(),
        *packed_targets(),
        *answer_targets(),
    ]


def main() -> int:
    """Run the command line; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cases", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument(
        "--only", default="", metavar="TEXT", help="damage only what has this in its name, such as source"
    )
    options.add_argument(
        "--keep", type=Path, default=PROJECT / "build" / "damages", help="where what killed is kept"
    )
    chosen = options.parse_args()
    logging.disable()  # what is passed over is told thousands of times
    total, faults = Counter[str](), Counter[str]()
    chosen.keep.mkdir(parents=True, exist_ok=True)
    last = chosen.keep / "last"
    with tempfile.TemporaryDirectory(prefix="damages-") as folder:
        targets = [target for target in all_targets(Path(folder)) if chosen.only in target.name]
        rights = [target.read(target.content) for target in targets]
        for start in range(0, chosen.cases, PIECE):
            seed = chosen.seed * 1_000_000 + start
            cases = min(PIECE, chosen.cases - start)
            found = in_a_fork(lambda seed=seed, cases=cases: tried(targets, rights, seed, cases, last))
            if found is None:
                kept = last.replace(chosen.keep / f"died-{seed}")
                faults[f"a process died at what is kept in {kept}"] += 1
                continue
            total.update(found[0])
            faults.update(found[1])
    for what, count in sorted(total.items()):
        print(f"{count:8,} {what}")  # noqa: T201 - what a command line says
    print(f"{sum(total.values()):8,} damages, {sum(faults.values())} faults")  # noqa: T201
    for what, count in faults.most_common(40):
        print(f"{count:8,} {what}")  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
