"""Rows of different length: read straight from a dataset's memory, and padded to a rectangle.

The datasets library makes a Python object of every number of a list column, which takes longer than the model takes for
short windows. The numbers lie side by side in Arrow's memory (or in a file mapped into it); this reads them there.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from datasets import Dataset


class Ragged(Sequence):
    """A column of lists of numbers as a sequence of arrays, none of them copied.

    Args:
        features: a Dataset, also one that is mapped from disk, or its Arrow table.
        name: of a column of lists (tokens,) or of lists of pairs (tokens, 2).

    Attributes:
        lengths: (rows,) how long each row is.
    """

    def __init__(self, features: Dataset | pa.Table, name: str):
        table = features
        if isinstance(features, Dataset):
            table = features.select_columns([name]).with_format("arrow")[:]
        self._chunks, self._firsts, lengths = [], [], []
        first = 0
        for chunk in table[name].chunks:
            values = chunk.flatten()
            pairs = values.type.num_fields > 0
            numbers = (values.flatten() if pairs else values).to_numpy(zero_copy_only=False)
            own = chunk.value_lengths().to_numpy(zero_copy_only=False)
            self._chunks.append((numbers.reshape(-1, 2) if pairs else numbers, np.concatenate([[0], np.cumsum(own)])))
            self._firsts.append(first)
            lengths.append(own)
            first += len(own)
        self.lengths = np.concatenate(lengths) if lengths else np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> np.ndarray:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        chunk = bisect_right(self._firsts, row) - 1
        values, borders = self._chunks[chunk]
        place = row - self._firsts[chunk]
        return values[borders[place] : borders[place + 1]]

    def flat(self):
        """The numbers of all rows, one after the other: an array per piece of memory."""
        for values, _ in self._chunks:
            yield values


def ragged_columns(features: Dataset | Mapping, names: Sequence[str]) -> dict[str, Sequence]:
    """Those of ``names`` that ``features`` has, as sequences of rows."""
    if isinstance(features, Dataset):
        return {name: Ragged(features, name) for name in names if name in features.column_names}
    return {name: features[name] for name in names if name in features}


def lengths_of(rows: Sequence) -> np.ndarray:
    """(rows,) how long each row is."""
    return rows.lengths if isinstance(rows, Ragged) else np.array([len(row) for row in rows])


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
