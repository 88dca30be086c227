"""Rows of different length: a dataset's list columns as arrays, and rows padded to a rectangle.

The datasets library makes a Python object of every number of a list column, which takes longer than the model takes for
short windows. The numbers lie side by side in Arrow's memory; these functions read them there.
"""

from collections.abc import Mapping, Sequence

import numpy as np
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
    """Those of ``names`` that ``features`` has, as sequences of rows."""
    if isinstance(features, Dataset):
        return {name: list_column(features, name) for name in names if name in features.column_names}
    return {name: features[name] for name in names if name in features}


def lengths_of(rows: Sequence) -> np.ndarray:
    """(rows,) how long each row is."""
    return np.array([len(row) for row in rows], dtype=np.int64)


def pad(
    rows: Sequence[Sequence[int]], value: int = 0, left: bool = False, multiple: int = 1, at_least: int = 0
) -> np.ndarray:
    """Rows side by side, filled up with ``value`` to the longest (or to ``at_least``), or to the next multiple of a number.

    Returns:
        (rows, longest) int64.
    """
    longest = -(-max(at_least, *map(len, rows)) // multiple) * multiple
    padded = np.full((len(rows), longest), value, dtype=np.int64)
    for k, row in enumerate(rows):
        padded[k, longest - len(row) if left else 0 : longest if left else len(row)] = row
    return padded
