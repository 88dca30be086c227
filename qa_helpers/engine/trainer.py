"""What the course adds to transformers' ``Trainer``: its own order of windows, batches without detours, and a history."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import TrainerCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from ..metrics import Scores
from ..model import LABELS, MODEL_INPUTS, make_batch
from .columns import list_columns
from .resume import write_history
from .sampler import Piece, TrainingOrder
from .watched import WatchedTrainer


class WindowBatches(Dataset):
    """Features as PyTorch's ``DataLoader`` takes them: a :class:`Piece` of the training order → a batch of tensors.

    Args:
        features: what :func:`qa_helpers.make_features` returned, with labels.
        tokenizer: pads.
        multiple: rows are padded to a multiple of it.
    """

    def __init__(self, features, tokenizer, multiple: int = 1):
        self.inputs = list_columns(features, MODEL_INPUTS)
        self.labels = {name: np.array(features[name]) for name in LABELS}
        self.tokenizer, self.multiple = tokenizer, multiple

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])

    def __getitems__(self, piece: Piece) -> dict[str, torch.Tensor]:
        columns = {name: [rows[k] for k in piece.rows] for name, rows in self.inputs.items()}
        columns |= {name: values[piece.rows] for name, values in self.labels.items()}
        batch = make_batch(columns, self.tokenizer, multiple=self.multiple, at_least=piece.length)
        return {**batch, "weight": torch.tensor(piece.weight)}


class CourseTrainer(WatchedTrainer):
    """The library's, with an order of its own for the training windows (``train_dataset`` is a ``WindowBatches``)."""

    order: TrainingOrder

    def train_from(self, checkpoint: Path | None) -> None:
        """Train from the beginning, or from a checkpoint on."""
        reached = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)) if checkpoint else None
        if reached and reached.global_step >= reached.max_steps:  # train() would take a step too many
            self._load_from_checkpoint(str(checkpoint))
            self.state = reached
        else:
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def get_train_dataloader(self) -> DataLoader:
        # Not prepared by Accelerate, which would deal the batches out among the processes: the order has done that.
        workers = self.args.dataloader_num_workers
        return DataLoader(
            self.train_dataset,
            batch_sampler=self.order,
            collate_fn=_as_it_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        weight = inputs.pop("weight")
        loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return (loss[0] * weight, loss[1]) if return_outputs else loss * weight


def take_off_autocast(model: nn.Module) -> dict:
    """Let a model compute in its own number format again: Accelerate wraps autocast around its ``forward`` to train it in
    half precision, and leaves it there.

    Returns:
        What was taken off; ``vars(model).update(...)`` puts it on again.
    """
    taken = {name: vars(model)[name] for name in ("forward", "_original_forward") if name in vars(model)}
    if "_original_forward" not in taken:
        return {}
    del model._original_forward, model.forward
    original = taken["_original_forward"]
    if getattr(original, "__func__", None) is not type(model).forward:  # somebody had put another one there before
        model.forward = original
    return taken


def _as_it_is(batch):
    return batch


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
        if self.evaluate and every and every != "epoch" and state.global_step % every == 0:
            self._score(state)

    def on_epoch_end(self, args, state, control, **_):
        if self.evaluate and self.config.evaluate_every == "epoch":
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
