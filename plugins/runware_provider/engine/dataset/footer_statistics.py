"""Whether the statistics in a footer have as many bytes as the type of their column needs. Pure.

Arrow reads past the end of one that is too short, which ends the process, and shows nothing of it that would not do
the same. So the footer is read here a second time, as far as that takes: Thrift's compact protocol and the numbers of its
fields are those of the Parquet format (apache/parquet-format, `parquet.thrift`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

# Numbers of fields: of a file's metadata, an element of its schema, a row group, a column chunk, its metadata.
_SCHEMA, _ROW_GROUPS = 2, 4
_LENGTH_OF_TYPE, _NAME, _CHILDREN = 2, 4, 5
_COLUMNS = 1
_METADATA = 3
_TYPE, _PATH, _STATISTICS = 1, 3, 12
_BOUNDS: Final = (1, 2, 5, 6)
"""Of a chunk's statistics: the greatest and the least value, each in an older and a newer field."""

_BYTES: Final = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8}
"""By physical type: a boolean, 32, 64 and 96 bits, float, double; the others have no length of their own."""
_OF_FIXED_LENGTH: Final = 7

_TRUE, _FALSE, _BYTE, _SHORT, _INT, _LONG, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = range(1, 14)
_MOST_DEEP: Final = 64
"""Structs and lists within each other; Thrift's own reader goes no deeper."""
_LONGEST_NUMBER: Final = 10
"""Bytes."""


def check_statistics(footer: bytes, columns: Collection[str]) -> None:
    """See that the statistics of some columns, in every row group, are long enough for their type.

    Args:
        footer: a file's metadata as Thrift has it; Arrow has read it.
        columns: their names in the schema's top level.

    Raises:
        OSError: one is too short, or the footer cannot be read.
    """
    try:
        metadata = _Compact(footer).struct(0)
        lengths = dict(_lengths_of_types(metadata.get(_SCHEMA, [])))
        for group in metadata.get(_ROW_GROUPS, []):
            for chunk in group.get(_COLUMNS, []):
                _check_chunk(chunk.get(_METADATA, {}), lengths, columns)
    except (LookupError, ValueError, AttributeError, TypeError):
        raise OSError("its footer is damaged") from None


def _check_chunk(
    chunk: dict[int, Any], lengths: dict[tuple[bytes, ...], int], columns: Collection[str]
) -> None:
    path = tuple(chunk.get(_PATH, ()))
    if not path or path[0].decode(errors="replace") not in columns:
        return
    physical = int(chunk[_TYPE])
    needed = lengths.get(path, 0) if physical == _OF_FIXED_LENGTH else _BYTES.get(physical, 0)
    statistics = chunk.get(_STATISTICS, {})
    for bound in _BOUNDS:
        value = statistics.get(bound)
        # Without a byte, it is taken for one that is not there.
        if value and len(value) < needed:
            name = b".".join(path).decode(errors="replace")
            raise OSError(f"a statistic of column {name} has {len(value)} bytes, and its type needs {needed}")


def _lengths_of_types(schema: list[dict[int, Any]]) -> Iterator[tuple[tuple[bytes, ...], int]]:
    """By path, how many bytes a value of fixed length has; the schema is a tree, written down depth first."""
    path: list[bytes] = []
    left: list[int] = []
    """For each level that is open: how many elements of it are still to come."""
    for element in schema[1:]:
        path.append(element[_NAME])
        children = element.get(_CHILDREN, 0)
        if children:
            left.append(children)
            continue
        yield tuple(path), element.get(_LENGTH_OF_TYPE, 0)
        path.pop()
        while left:
            left[-1] -= 1
            if left[-1]:
                break
            left.pop()
            path.pop()


class _Compact:
    """Reads Thrift's compact protocol: structs as dicts by the number of the field, lists as lists, texts as bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        whole = dict.fromkeys((_SHORT, _INT, _LONG), self._signed)
        small = dict.fromkeys((_TRUE, _FALSE, _BYTE), self._byte)
        sized: dict[int, Callable[[], Any]] = {
            _DOUBLE: partial(self._bytes, 8),
            _UUID: partial(self._bytes, 16),
            _BINARY: self._text,
        }
        self._plain: dict[int, Callable[[], Any]] = {**small, **whole, **sized}
        self._nested: dict[int, Callable[[int], Any]] = {
            _LIST: self._list,
            _SET: self._list,
            _MAP: self._skip_map,
            _STRUCT: self.struct,
        }

    def struct(self, depth: int) -> dict[int, Any]:
        """Return the struct that begins here."""
        fields: dict[int, Any] = {}
        number = 0
        while header := self._byte():
            step, kind = header >> 4, header & 15
            number = number + step if step else self._signed()
            fields[number] = kind == _TRUE if kind in {_TRUE, _FALSE} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _MOST_DEEP:
            raise ValueError("it is nested too deeply")
        if kind in self._nested:
            return self._nested[kind](depth + 1)
        return self._plain[kind]()

    def _list(self, depth: int) -> list[Any]:
        header = self._byte()
        size, kind = header >> 4, header & 15
        if size == 15:
            size = self._unsigned()
        return [self._value(kind, depth) for _ in range(size)]

    def _skip_map(self, depth: int) -> None:
        """Skip it: no map says anything of statistics."""
        size = self._unsigned()
        kinds = self._byte() if size else 0
        for _ in range(size):
            self._value(kinds >> 4, depth)
            self._value(kinds & 15, depth)

    def _byte(self) -> int:
        byte = self._content[self._at]
        self._at += 1
        return byte

    def _bytes(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._content):
            raise ValueError("it ends too early")
        return self._content[start : self._at]

    def _text(self) -> bytes:
        return self._bytes(self._unsigned())

    def _unsigned(self) -> int:
        number = 0
        for place in range(_LONGEST_NUMBER):
            byte = self._byte()
            number |= (byte & 127) << (7 * place)
            if byte < 128:
                return number
        raise ValueError("a number has no end")

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)
