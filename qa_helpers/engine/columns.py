"""Rows of different length: a dataset's list columns as arrays, and rows padded to a rectangle.

The datasets library turns every number of a list column into a Python object, which takes longer than running the model
on short windows. Arrow stores these numbers contiguously in memory, and these functions read them there.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
from datasets import Dataset


def list_column(features: Dataset, name: str) -> list[np.ndarray]:
    """A column of lists of numbers, (tokens,), or of pairs of numbers, (tokens, 2), as one array per row (a view)."""
    rows: list[np.ndarray] = []
    for chunk in features.select_columns([name]).with_format("arrow")[:][name].chunks:
        values = chunk.flatten()
        are_pairs = values.type.num_fields > 0
        numbers = (values.flatten() if are_pairs else values).to_numpy(zero_copy_only=False)
        ends = np.cumsum(chunk.value_lengths().to_numpy(zero_copy_only=False))
        rows += np.split(numbers.reshape(-1, 2) if are_pairs else numbers, ends)[:-1]
    return rows


def list_columns(features: Dataset | Mapping, names: Sequence[str]) -> dict[str, Sequence]:
    """The columns in ``names`` that ``features`` has, as sequences of rows."""
    if isinstance(features, Dataset):
        return {name: list_column(features, name) for name in names if name in features.column_names}
    return {name: features[name] for name in names if name in features}


def as_table(columns: Mapping[str, Sequence], schema: pa.Schema) -> pa.Table:
    """The columns that ``schema`` names as a table; rows of numbers or of pairs may differ in length."""
    arrays = []
    for field in schema:
        rows = columns[field.name]
        if not pa.types.is_list(field.type):
            arrays.append(pa.array(rows, type=field.type))
            continue
        number = field.type.value_type
        if pa.types.is_fixed_size_list(number):
            pairs = _numbers(chain.from_iterable(rows), number.value_type)
            values = pa.FixedSizeListArray.from_arrays(pairs, type=number)
        else:
            values = _numbers(rows, number)
        borders = pa.array(np.cumsum([0, *map(len, rows)]), pa.int32())
        arrays.append(pa.ListArray.from_arrays(borders, values, type=field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _numbers(rows, number: pa.DataType) -> pa.Array:
    """All numbers of rows of numbers, one after the other."""
    if isinstance(rows, list) and rows and isinstance(rows[0], np.ndarray):
        return pa.array(np.concatenate(rows), number)
    return pa.array(np.fromiter(chain.from_iterable(rows), dtype=number.to_pandas_dtype()))


def lengths_of(rows: Sequence) -> np.ndarray:
    """(rows,) the length of each row."""
    return np.array([len(row) for row in rows], dtype=np.int64)


def batches_by_length(lengths: np.ndarray, batch_size: int) -> list[list[int]]:
    """Rows, longest first, in batches with at most as many tokens as ``batch_size`` of the longest rows have."""
    order = np.argsort(-lengths, kind="stable").tolist()
    most = batch_size * int(lengths[order[0]]) if order else 0
    batches = []
    while order:
        count = max(batch_size, most // max(1, int(lengths[order[0]])))
        batches.append(order[:count])
        order = order[count:]
    return batches


def pad(
    rows: Sequence[Sequence[int]], value: int = 0, left: bool = False, multiple: int = 1, at_least: int = 0
) -> np.ndarray:
    """Stack rows, padded with ``value`` to the longest one (or to ``at_least``), rounded up to a multiple of
    ``multiple``.

    Returns:
        (rows, longest) int64.
    """
    longest = -(-max(at_least, *map(len, rows)) // multiple) * multiple
    padded = np.full((len(rows), longest), value, dtype=np.int64)
    for k, row in enumerate(rows):
        padded[k, longest - len(row) if left else 0 : longest if left else len(row)] = row
    return padded
