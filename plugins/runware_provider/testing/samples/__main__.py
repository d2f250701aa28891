"""``python -m runware_provider.testing.samples OUT_DIR``: writes the sample documents and the support messages.

Under OUT_DIR:

- `documents/documents.parquet`: `document_id, kind, language, received_at, body`
- `documents-expected.parquet`: what a careful reader finds in each body, `EXPECTED_SCHEMA`
- `texts/ds=<day>/texts.parquet`: `text_id, language, text, expected_label`
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from runware_provider.testing.samples.documents import DEFAULT_COUNT, DEFAULT_SEED, tables
from runware_provider.testing.samples.support_texts import support_texts

if TYPE_CHECKING:
    from collections.abc import Sequence


def write(folder: Path, count: int = DEFAULT_COUNT, seed: int = DEFAULT_SEED) -> list[Path]:
    """Write all samples under a folder, replacing files of the same names; returns the paths written."""
    documents, expected = tables(count, seed)
    files = {
        folder / "documents" / "documents.parquet": documents,
        folder / "documents-expected.parquet": expected,
    }
    files |= {
        folder / "texts" / f"ds={day}" / "texts.parquet": table for day, table in support_texts(seed).items()
    }
    for path, table in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd", compression_level=15)
    return list(files)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m runware_provider.testing.samples",
        description="Write sample documents and support messages, with the answers expected of a model, as Parquet.",
    )
    parser.add_argument(
        "out_dir", type=Path, metavar="OUT_DIR", help="folder to write into; made if it is missing"
    )
    parser.add_argument(
        "--count", type=int, default=DEFAULT_COUNT, help="number of documents (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="another seed, other samples (%(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.count < 1:
        parser.error(f"--count is {options.count}: at least one document is needed")
    for path in write(options.out_dir, options.count, options.seed):
        print(path)  # noqa: T201 (a command's answer)


if __name__ == "__main__":
    main()
