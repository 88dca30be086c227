"""Which windows are trained on together, step by step and process by process: it follows from seed and epoch alone."""

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler
from transformers import TrainerCallback
from transformers.trainer_pt_utils import get_length_grouped_indices


class Piece(NamedTuple):
    """What one process computes at once.

    Attributes:
        rows: of the features.
        weight: of their mean loss. With it, the mean over the pieces of a step (over processes and accumulated batches) is
            the mean over all windows of the step, also where its pieces differ in size.
        length: tokens of the longest window that any process has at the same time. All pad to it, since the library's
            loss takes a softmax over the padding, too, and so depends on how much there is.
    """

    rows: list[int]
    weight: float
    length: int


class TrainingOrder(Sampler, TrainerCallback):
    """The pieces of one process, epoch by epoch.

    The library's own samplers draw from the global generator, whose state at the beginning of the second epoch depends on
    all that the first one drew: a run resumed there would see its windows in another order. And they deal out an epoch's
    last windows by repeating the first ones, so that two processes would not compute what one does.

    Args:
        lengths: tokens of each window.
        batch_size: windows in a piece.
        accumulation: pieces of one process that add up to a step.
        seed: of the order; each epoch has its own.
        group: windows of similar length together, which leaves little padding.
        batch_tokens: instead of ``batch_size``: a piece is filled up to so many tokens, padding included.
        process, processes: which of how many.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        accumulation: int = 1,
        seed: int = 0,
        group: bool = True,
        batch_tokens: int | None = None,
        process: int = 0,
        processes: int = 1,
    ):
        self.lengths, self.batch_size, self.accumulation = [int(n) for n in lengths], batch_size, accumulation
        self.seed, self.group, self.batch_tokens = seed, group, batch_tokens
        self.process, self.processes = process, processes
        self.epoch = 0

    def on_epoch_begin(self, args, state, control, **_):
        self.epoch = int(state.epoch)  # a resumed run begins within an epoch: 1.4 is the second

    def __len__(self) -> int:
        if self.batch_tokens:
            return -(-len(self._filled(np.arange(len(self.lengths)))) // self.processes)
        return -(-len(self.lengths) // (self.batch_size * self.processes))

    def __iter__(self) -> Iterator[Piece]:
        batches = self.batches()
        together = self.accumulation * self.processes
        for first in range(0, len(batches), together):
            step = batches[first : first + together]
            if (
                len(step) % self.processes
            ):  # an epoch's last windows: dealt out evenly, so that no process waits for another
                pieces = -(-len(step) // self.processes) * self.processes
                step = [list(part) for part in np.array_split(np.concatenate(step), pieces)]
            windows = sum(map(len, step))
            for first_of_all in range(0, len(step), self.processes):
                at_once = step[first_of_all : first_of_all + self.processes]
                rows, length = at_once[self.process], max(self.lengths[row] for rows in at_once for row in rows)
                # A process without windows computes one for company, which counts for nothing.
                company = at_once[0][:1]
                yield Piece([int(row) for row in rows] or company, len(rows) * len(step) / windows, length)

    def tokens(self, steps: int) -> list[int]:
        """For each of the first so many steps of a run, how many tokens this process computes, padding included."""
        counted, order = [], copy(self)
        for order.epoch in count():
            sizes = [len(piece.rows) * piece.length for piece in order]
            counted += [sum(sizes[k : k + self.accumulation]) for k in range(0, len(sizes), self.accumulation)]
            if len(counted) >= steps:
                return counted[:steps]

    def batches(self) -> list[list[int]]:
        """Windows of this epoch in batches; those of all processes."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        if self.batch_tokens:
            shuffled = torch.randperm(len(self.lengths), generator=generator).numpy()
            batches = self._filled(shuffled)
            return [batches[k] for k in torch.randperm(len(batches), generator=generator).tolist()]
        if self.group:
            together = self.batch_size * self.accumulation * self.processes
            order = get_length_grouped_indices(self.lengths, together, generator=generator)
        else:
            order = torch.randperm(len(self.lengths), generator=generator).tolist()
        return [order[k : k + self.batch_size] for k in range(0, len(order), self.batch_size)]

    def _filled(self, order: np.ndarray) -> list[list[int]]:
        """Windows from the longest to the shortest, those of equal length in the given order, in batches of as many as
        ``batch_tokens`` holds. How many batches there are does not depend on the order."""
        lengths = np.array(self.lengths)[order]
        batches, longest = [[]], 0
        for place in np.argsort(-lengths, kind="stable"):
            longest = longest or lengths[place]
            if batches[-1] and (len(batches[-1]) + 1) * longest > self.batch_tokens:
                batches.append([])
                longest = lengths[place]
            batches[-1].append(int(order[place]))
        return batches
