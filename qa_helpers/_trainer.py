"""What the course adds to transformers' ``Trainer``: an order of windows that a resumed run repeats, and a history."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_pt_utils import get_length_grouped_indices

from ._unfinished import write_history
from ._watched import WatchedTrainer
from .metrics import Scores


class GroupedByLength(Sampler, TrainerCallback):
    """Windows of similar length together, in an order that follows from seed and epoch alone.

    The library's own sampler draws from the global generator, whose state at the beginning of the second epoch depends
    on all that the first one drew: a run resumed there would see its windows in another order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int):
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def on_epoch_begin(self, args, state, control, **_):
        self.epoch = int(state.epoch)  # a resumed run begins within an epoch: 1.4 is the second

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))


class CourseTrainer(WatchedTrainer):
    """The library's, with an order of its own for the training windows, if one is given."""

    order: GroupedByLength | None = None

    def train_from(self, checkpoint: Path | None) -> None:
        """Train from the beginning, or from a checkpoint on."""
        reached = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)) if checkpoint else None
        if reached and reached.global_step >= reached.max_steps:  # train() would take a step too many
            self._load_from_checkpoint(str(checkpoint))
            self.state = reached
        else:
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def _get_train_sampler(self, train_dataset=None):
        return self.order or super()._get_train_sampler(train_dataset)


class History(TrainerCallback):
    """Keeps what Trainer logs, and measures EM/F1 at intervals."""

    def __init__(self, config, evaluate: Callable[[], Scores] | None, listeners: Sequence[Callable] = ()):
        self.config, self.evaluate, self.listeners = config, evaluate, listeners
        self.rows: list[dict] = []
        self.start, self.earlier = time.perf_counter(), 0.0  # earlier: seconds spent before an interruption
        self.scored_step, self.scores = -1, None

    def on_train_begin(self, args, state, control, **_):
        self.start = time.perf_counter()

    def on_save(self, args, state, control, **_):
        if state.is_world_process_zero:
            write_history(Path(args.output_dir) / f"checkpoint-{state.global_step}", self.rows, self.seconds())

    def seconds(self) -> float:
        return self.earlier + time.perf_counter() - self.start

    def on_log(self, args, state, control, logs=None, **_):
        entry = {k: logs[k] for k in ("loss", "learning_rate", "grad_norm") if logs and k in logs}
        if entry:
            self._add(state, entry)

    def on_step_end(self, args, state, control, **_):
        every = self.config.evaluate_every
        if self.evaluate and every and state.global_step % every == 0:
            self._score(state)

    def finish(self, state) -> Scores | None:
        """Scores of the final weights (measured once)."""
        if self.evaluate and self.scored_step != state.global_step:
            self._score(state)
        return self.scores

    def _score(self, state):
        self.scores, self.scored_step = self.evaluate(), state.global_step
        # A run resumed from its very last step is scored a second time.
        self.rows = [row for row in self.rows if "f1" not in row or row["step"] != state.global_step]
        self._add(state, {"exact_match": self.scores.exact_match, "f1": self.scores.f1})

    def _add(self, state, entry: dict):
        self.rows.append({"step": state.global_step, "epoch": state.epoch, "seconds": self.seconds(), **entry})
        for tell in self.listeners:
            tell(self.rows, state.max_steps)
