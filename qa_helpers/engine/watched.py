"""A ``Trainer`` that says what failed, in which batch, and never takes a broken state for a checkpoint."""

import math
import shutil
from pathlib import Path

import torch
from datasets import Dataset
from transformers import Trainer

from .columns import list_column
from .out_of_memory import explain_out_of_memory, smaller_batches
from .resume import whole_checkpoints
from .whole_files import explain_full_disk, require_space

_CHECK_EVERY = 10  # steps between looks at the loss on a GPU, which has to wait for each look


class WatchedTrainer(Trainer):
    """The library's trainer, and what to do about a loss that is not a number, no memory, and a full disk.

    Attributes:
        windows: the features that are trained on, with ``input_ids`` and ``example_id``, to name a batch's examples;
            None names only the step.
        max_length, batch_tokens: the run's settings, for the advice.
    """

    windows: Dataset | None = None
    max_length: int = 384
    batch_tokens: int | None = None

    def training_step(self, model, inputs, *arguments, **options):
        step, ids = self.state.global_step + 1, inputs["input_ids"]
        args = self.args
        remedy = smaller_batches(
            args.per_device_train_batch_size, args.gradient_accumulation_steps, self.max_length, self.batch_tokens
        )
        with explain_out_of_memory(f"training, at step {step}", *ids.shape, remedy):
            loss = super().training_step(model, inputs, *arguments, **options)
        if not hasattr(self, "_unchecked"):
            self._unchecked = []
        self._unchecked.append((step, loss.detach(), ids, inputs.get("attention_mask")))
        if loss.device.type == "cpu" or len(self._unchecked) >= _CHECK_EVERY:
            self.check_losses()
        return loss

    def check_losses(self) -> None:
        """Raise a ValueError if a loss since the last look is not a finite number."""
        pending, self._unchecked = getattr(self, "_unchecked", []), []
        if not pending:
            return
        for value, (step, _, ids, mask) in zip(torch.stack([loss for _, loss, *_ in pending]).tolist(), pending):
            if not math.isfinite(value):
                raise ValueError(
                    f"the loss is {value} at step {step}{self._named(ids, mask)}: training diverged, or one of these is odd. "
                    f"Lower the learning rate (now {self.args.learning_rate:g}) or look at the examples. {self._go_on()}"
                )

    def log(self, logs, *arguments, **options):
        self.check_losses()  # before a loss that is not a number goes into the history
        super().log(logs, *arguments, **options)

    def _save_checkpoint(self, *arguments, **options):
        self.check_losses()
        step = self.state.global_step
        if not all(torch.isfinite(p).all() for p in self.model.parameters()):
            raise ValueError(
                f"the weights are not finite after step {step}, which is not saved: training diverged. Lower the learning "
                f"rate (now {self.args.learning_rate:g}). {self._go_on()}"
            )
        folder = Path(self.args.output_dir) / f"checkpoint-{step}"
        try:
            with explain_full_disk(folder, checkpoint_size(self.model)):
                super()._save_checkpoint(*arguments, **options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # half of a checkpoint is of no use, and takes the room
            raise

    def _load_optimizer_and_scheduler(self, checkpoint):
        """As the library does; where the run goes on with another learning rate, that one is used from here on."""
        super()._load_optimizer_and_scheduler(checkpoint)
        scheduler, rate = self.lr_scheduler, self.args.learning_rate
        if checkpoint is None or all(base == rate for base in scheduler.base_lrs):
            return
        scheduler.base_lrs = [rate for _ in scheduler.base_lrs]
        scheduler._last_lr = [rate * share(scheduler.last_epoch) for share in scheduler.lr_lambdas]
        for group, now in zip(self.optimizer.param_groups, scheduler._last_lr):
            group["initial_lr"], group["lr"] = rate, now

    def _named(self, ids: torch.Tensor, mask: torch.Tensor | None) -> str:
        """ ", in the batch of examples 'a', 'b'", found by the tokens: the batches themselves carry no names."""
        if self.windows is None:
            return ""
        mask = torch.ones_like(ids) if mask is None else mask
        wanted = {tuple(row[kept.bool()].tolist()) for row, kept in zip(ids.cpu(), mask.cpu())}
        rows = zip(self.windows["example_id"], list_column(self.windows, "input_ids"))
        names = [name for name, row in rows if tuple(row.tolist()) in wanted]
        return f", in a batch of windows of the examples {', '.join(map(repr, dict.fromkeys(names)))}"

    def _go_on(self) -> str:
        kept = whole_checkpoints(Path(self.args.output_dir))
        if not kept:
            return "Nothing was saved yet: load the model again before the next try, its weights are spoilt"
        return (
            f"{kept[-1].name} is kept: run again with a lower learning_rate and lower_learning_rate=True "
            "(--lower-learning-rate) to go on from it"
        )


def checkpoint_size(model: torch.nn.Module) -> int:
    """Bytes of a checkpoint: the weights, and AdamW's two numbers for each that is trained."""
    return model_size(model) + 2 * sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)


def model_size(model: torch.nn.Module) -> int:
    """Bytes of the weights, as they are saved."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def require_space_for_run(model: torch.nn.Module, output_dir: str | Path, checkpoints: Path | None) -> None:
    """Raise a ValueError before a run starts that its disk has no room for.

    Args:
        model: to be saved in ``output_dir``.
        checkpoints: the folder that checkpoints go to; None where there will be none. The library removes the oldest
            of two after the new one is written, so there are three for a moment.
    """
    if checkpoints is None:
        require_space(output_dir, model_size(model), "the model")
        return
    there = len(list(checkpoints.glob("checkpoint-*")))
    require_space(output_dir, max(3 - there, 1) * checkpoint_size(model), "saving the run (three checkpoints)")
