"""What the course adds to transformers' ``Trainer``: its own order of windows, scores during training, and errors that
say which batch failed and how to go on."""

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, default_convert
from transformers import Trainer, TrainerCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import PrinterCallback

from ..evaluation import Evaluation
from ..metrics import Scores
from ..model import LABELS, MODEL_INPUTS, make_batch
from .columns import list_columns
from .out_of_memory import explain_out_of_memory, smaller_batches
from .resume import whole_checkpoints
from .sampler import Piece, TrainingOrder
from .training_bar import TrainingBar
from .whole_files import checkpoint_size, explain_damage, explain_full_disk

_CHECK_EVERY = 10  # steps between checks of the loss on a GPU, which has to wait during each check
_HISTORY = ("step", "epoch", "seconds", "loss", "learning_rate", "grad_norm", "exact_match", "f1")


class WindowBatches(Dataset):
    """Features as PyTorch's ``DataLoader`` takes them: a :class:`Piece` of the training order → a batch of tensors.

    Args:
        features: what :func:`qa_helpers.make_features` returned, with labels.
        tokenizer: pads the batches.
        multiple: rows are padded to a multiple of this many tokens.
    """

    def __init__(self, features, tokenizer, multiple: int = 1):
        self.inputs = list_columns(features, MODEL_INPUTS)
        self.labels = {name: np.array(features[name]) for name in LABELS}
        self.names = features["example_id"]
        self.tokenizer, self.multiple = tokenizer, multiple

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])

    def __getitems__(self, piece: Piece) -> dict[str, torch.Tensor]:
        columns = {name: [rows[k] for k in piece.rows] for name, rows in self.inputs.items()}
        columns |= {name: values[piece.rows] for name, values in self.labels.items()}
        batch = make_batch(columns, self.tokenizer, multiple=self.multiple, at_least=piece.length)
        return {**batch, "weight": torch.tensor(piece.weight)}

    def names_of(self, ids: torch.Tensor, mask: torch.Tensor) -> list[str]:
        """The examples that the windows of a batch are from, found by their tokens, since batches carry no names."""
        wanted = {tuple(row[kept.bool()].tolist()) for row, kept in zip(ids.cpu(), mask.cpu())}
        rows = zip(self.names, self.inputs["input_ids"])
        return list(dict.fromkeys(name for name, row in rows if tuple(row.tolist()) in wanted))


class CourseTrainer(Trainer):
    """The library's trainer, with the course's order of windows, and with errors that say what to do about a loss that
    is not a number, too little memory, a full disk or a damaged checkpoint.

    Args:
        model, args: as for the library's trainer.
        windows: the windows to train on, in ``order``; ``max_length``: their greatest length, for the advice if memory
            runs out.
        evaluation: scores the model, as often as ``args`` say and at the end; with None it is never scored.
        bar: shows how far the training is.
        callbacks: see :func:`qa_helpers.fine_tune`.
    """

    def __init__(
        self,
        model: nn.Module,
        args,
        windows: WindowBatches,
        order: TrainingOrder,
        max_length: int,
        evaluation: Evaluation | None,
        bar: TrainingBar,
        callbacks: Sequence[TrainerCallback],
    ):
        tell = [order, bar, UnwrappedForward(), *callbacks]
        # The evaluation is passed in place of a data set: only `evaluate` below uses it.
        super().__init__(model=model, args=args, train_dataset=windows, eval_dataset=evaluation, callbacks=tell,
                         processing_class=windows.tokenizer)  # fmt: skip
        self.remove_callback(PrinterCallback)  # it prints every log entry; the history keeps them instead
        self.order, self.max_length, self.bar = order, max_length, bar
        self.listeners = [callback.on_history for callback in callbacks if hasattr(callback, "on_history")]
        self.unchecked: list[tuple] = []  # losses that have not been checked yet, and their batches
        self.begun, self.scores, self.scored_step = time.perf_counter(), None, -1

    def train_from(self, checkpoint: Path | None) -> None:
        """Train from the beginning, or continue from a checkpoint."""
        self.begun = time.perf_counter()
        if checkpoint is None:
            self.train()
            return
        reached = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        self.begun -= reached.log_history[-1]["seconds"]
        if reached.global_step < reached.max_steps:
            self.train(resume_from_checkpoint=str(checkpoint))
        else:  # train() would take one step too many
            self._load_from_checkpoint(str(checkpoint))
            self.state = reached

    def get_train_dataloader(self) -> DataLoader:
        # Not prepared by Accelerate, which would divide the batches among the processes: the order has already done
        # that.
        workers = self.args.dataloader_num_workers
        return DataLoader(
            self.train_dataset,
            batch_sampler=self.order,
            collate_fn=default_convert,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        weight = inputs.pop("weight")
        with self.accelerator.autocast():
            return weight * super().compute_loss(model, inputs, num_items_in_batch=num_items_in_batch)

    def training_step(self, model, inputs, *arguments, **options):
        step, ids, args = self.state.global_step + 1, inputs["input_ids"], self.args
        remedy = smaller_batches(args.per_device_train_batch_size, args.gradient_accumulation_steps, self.max_length)
        with explain_out_of_memory(f"training, at step {step}", *ids.shape, remedy):
            loss = super().training_step(model, inputs, *arguments, **options)
        self.unchecked.append((step, loss.detach(), ids, inputs["attention_mask"]))
        if loss.device.type == "cpu" or len(self.unchecked) >= _CHECK_EVERY:
            self.check_losses()
        return loss

    def check_losses(self) -> None:
        """Raise a ValueError if a loss since the last check is not a finite number."""
        pending, self.unchecked = self.unchecked, []
        values = torch.stack([loss for _, loss, *_ in pending]).tolist() if pending else []
        for value, (step, _, *batch) in zip(values, pending):
            if not math.isfinite(value):
                names = ", ".join(map(repr, self.train_dataset.names_of(*batch)))
                raise ValueError(
                    f"the loss is {value} at step {step}, in a batch of windows of the examples {names}: training diverged, or "
                    "something is wrong with one of these. Lower the learning rate "
                    f"(now {self.args.learning_rate:g}) or look at the examples. "
                    f"{self._next_try()}"
                )

    def evaluate(self, *_, **__) -> dict[str, float]:
        """EM and F1, also as a new entry in the history."""
        with self.bar.scoring():
            self.scores, _ = self.eval_dataset.run(self.model)
        self.scored_step = step = self.state.global_step
        # A run resumed from its very last step is scored a second time.
        history = self.state.log_history
        self.state.log_history = [entry for entry in history if "f1" not in entry or entry["step"] != step]
        metrics = {"exact_match": self.scores.exact_match, "f1": self.scores.f1}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def final_scores(self) -> Scores | None:
        """Scores of the final weights, measured once; None without an evaluation."""
        if self.eval_dataset is not None and self.scored_step != self.state.global_step:
            self.evaluate()
        return self.scores

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        self.check_losses()  # before a loss that is not a number goes into the history
        logs["seconds"] = time.perf_counter() - self.begun
        super().log(logs, start_time)
        if "loss" in logs or "f1" in logs:
            for tell in self.listeners:
                tell(history_of(self.state), self.state.max_steps)

    def _save_checkpoint(self, *arguments, **options):
        self.log({})  # checks the losses, and records the seconds so far for a resumed run
        step = self.state.global_step
        if not all(torch.isfinite(p).all() for p in self.model.parameters()):
            raise ValueError(
                f"the weights are not finite after step {step}, which is not saved: training diverged. Lower the learning rate "
                f"(now {self.args.learning_rate:g}). {self._next_try()}"
            )
        folder = Path(self.args.output_dir) / f"checkpoint-{step}"
        try:
            with explain_full_disk(folder, checkpoint_size(self.model)):
                super()._save_checkpoint(*arguments, **options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # half a checkpoint is of no use, and takes up space
            raise

    def _load_from_checkpoint(self, checkpoint, model=None):
        with explain_damage(checkpoint):
            super()._load_from_checkpoint(checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint):
        with explain_damage(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint):
        with explain_damage(checkpoint):
            super()._load_rng_state(checkpoint)

    def _next_try(self) -> str:
        kept = whole_checkpoints(Path(self.args.output_dir))
        if not kept:
            return "Nothing was saved yet: load the model again before the next try, since its weights are spoilt"
        return (
            f"{kept[-1].name} is kept until the next try, which is another run: load the model again (its weights are "
            "spoilt) and add resume=False (--no-resume)"
        )


class UnwrappedForward(TrainerCallback):
    """Removes the wrapper that Accelerate puts around a model's ``forward`` to train it in half precision.

    It would stay on the model after training, and scores during training should be those of the model as it will be
    saved. ``compute_loss`` does the same as the wrapper, but only for training. (Accelerate's ``unwrap_model`` would
    remove transformers' own decorators, too.)
    """

    def on_train_begin(self, args, state, control, model=None, **_):
        original = vars(model).pop("_original_forward", None)
        if original is not None:
            del model.forward
            if model.forward != original:  # another one had been set on the model before
                model.forward = original


def history_of(state: TrainerState) -> list[dict]:
    """The entries of ``FineTuneResult.history``: those logged by the trainer that have a loss or scores."""
    entries = [entry for entry in state.log_history if "loss" in entry or "f1" in entry]
    return [{name: entry[name] for name in _HISTORY if name in entry} for entry in entries]
