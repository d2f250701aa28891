"""Arrow's arrays of numbers, bytes and texts, out of what Python holds.

They are what `pyarrow.array` makes of the same values; what would not come back as it was, such as True or a fraction among
whole numbers, is refused. But where pandas is installed its first call imports it, whatever it is given, and that takes longer
than everything else that a job does before its first question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence


def numbers(values: Sequence[float | None], kind: pa.DataType) -> pa.Array:
    """An array of numbers.

    Args:
        values: as many as there are.
        kind: of a signed number, or of moments, which are given as whole numbers of their unit.

    Raises:
        OverflowError: a number is too large for the type.
        TypeError: a value is no number of the kind, such as True, or a fraction among whole numbers.
    """
    of_kind = (int, float, np.number) if pa.types.is_floating(kind) else (int, np.integer)
    for given in set(map(type, values)) - {type(None)}:
        # Python takes True for 1, and NumPy 1.5.
        if issubclass(given, bool) or not issubclass(given, of_kind):
            raise TypeError(f"{given.__name__} is not stored as {kind}")
    stored = np.dtype(f"{'f' if pa.types.is_floating(kind) else 'i'}{kind.bit_width // 8}")
    data = np.array([0 if value is None else value for value in values], stored)
    return pa.Array.from_buffers(kind, len(values), [_there(values), pa.py_buffer(data)])


def fixed_bytes(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    """An array of bytes of one length.

    Args:
        values: as many as there are.
        kind: a binary of a fixed length.

    Raises:
        ValueError: one has another length.
    """
    nothing = bytes(kind.byte_width)
    filled = [nothing if value is None else value for value in values]
    if any(len(value) != kind.byte_width for value in filled):
        raise ValueError(f"not all are of {kind.byte_width} bytes")
    return pa.Array.from_buffers(kind, len(values), [_there(values), pa.py_buffer(b"".join(filled))])


def texts(values: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    """An array of texts; the arguments are those of `any_bytes`.

    Raises:
        UnicodeEncodeError: one has half of a surrogate pair.
    """
    return any_bytes([None if value is None else value.encode() for value in values], kind)


def any_bytes(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    """An array of bytes of any lengths.

    Args:
        values: as many as there are.
        kind: binary or text, large or not.

    Raises:
        OverflowError: together they are too long for the type.
    """
    filled = [b"" if value is None else value for value in values]
    joined = b"".join(filled)
    is_large = pa.types.is_large_binary(kind) or pa.types.is_large_string(kind)
    bits = 64 if is_large else 32
    if len(joined) >= 2 ** (bits - 1):
        raise OverflowError(f"{len(joined)} bytes are too many for {kind}")
    ends = np.zeros(len(values) + 1, f"int{bits}")
    np.cumsum([len(value) for value in filled], out=ends[1:])
    buffers = [_there(values), pa.py_buffer(ends), pa.py_buffer(joined)]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _there(values: Sequence[object]) -> pa.Buffer | None:
    """Of each value a bit that says whether there is one; None where all are there."""
    if None not in values:
        return None
    there = np.array([value is not None for value in values], bool)
    return pa.py_buffer(np.packbits(there, bitorder="little"))
