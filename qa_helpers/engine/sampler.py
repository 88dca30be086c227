"""Which windows each process trains on together at each step; the order depends on nothing but seed and epoch."""

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import count
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler
from transformers import TrainerCallback
from transformers.trainer_pt_utils import get_length_grouped_indices


class Piece(NamedTuple):
    """What one process computes at once: the ``rows`` of the features.

    ``weight`` is the weight of their mean loss: with it, the mean over the pieces of a step (over processes and
    accumulated batches) is the mean over its windows. ``length`` is the length of the longest window that any process
    has at that time. All processes pad to it, since the library's loss takes a softmax over the padding, too, and so
    depends on its amount.
    """

    rows: list[int]
    weight: float
    length: int


class TrainingOrder(Sampler, TrainerCallback):
    """The pieces of one process, epoch by epoch.

    The library's own samplers draw from the global generator, whose state at the beginning of the second epoch depends
    on all that the first one drew: a run resumed there would see its windows in another order. And they fill up an
    epoch's last batches with its first windows, so that two processes would not compute the same as one.

    Args:
        lengths: tokens of each window.
        batch_size: windows in a piece; ``accumulation``: pieces of one process that add up to a step.
        seed: seed of the order; each epoch has its own order.
        group: put windows of similar length together, to reduce padding.
        process, processes: the number of this process, and how many there are.
    """

    def __init__(
        self, lengths: Sequence[int], batch_size: int, accumulation=1, seed=0, group=True, process=0, processes=1
    ):
        self.lengths, self.batch_size, self.accumulation = [int(n) for n in lengths], batch_size, accumulation
        self.seed, self.group, self.process, self.processes = seed, group, process, processes
        self.windows_per_step = batch_size * accumulation * processes
        self.epoch = 0

    def on_epoch_begin(self, args, state, control, **_):
        self.epoch = int(state.epoch)  # a resumed run begins within an epoch: 1.4 is the second

    def __len__(self) -> int:
        return ceil(len(self.lengths) / (self.batch_size * self.processes))

    def __iter__(self) -> Iterator[Piece]:
        order = self._shuffled()
        for first in range(0, len(order), self.windows_per_step):
            step = order[first : first + self.windows_per_step]
            # Every process takes equally many pieces, even of an epoch's last windows: otherwise the others would wait.
            rounds = ceil(len(step) / (self.batch_size * self.processes))
            pieces = [piece.tolist() for piece in np.array_split(step, rounds * self.processes)]
            for k in range(0, len(pieces), self.processes):
                at_once = pieces[k : k + self.processes]
                rows, length = at_once[self.process], max(self.lengths[row] for rows in at_once for row in rows)
                # A process for which no window is left computes a dummy batch with weight zero.
                yield Piece(rows or step[:1], len(rows) * len(pieces) / len(step), length)

    def tokens(self, steps: int) -> list[int]:
        """For each of the first ``steps`` steps of a run, how many tokens this process computes, padding included."""
        counted, order = [], copy(self)
        for order.epoch in count():
            sizes = [len(piece.rows) * piece.length for piece in order]
            counted += [sum(sizes[k : k + self.accumulation]) for k in range(0, len(sizes), self.accumulation)]
            if len(counted) >= steps:
                return counted[:steps]

    def _shuffled(self) -> list[int]:
        """All windows in the order of this epoch."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        if self.group:
            return get_length_grouped_indices(self.lengths, self.windows_per_step, generator=generator)
        return torch.randperm(len(self.lengths), generator=generator).tolist()
