"""Fine-tuning: examples → a trained model, its history and its scores; transformers' ``Trainer`` underneath.

The same call trains on a CPU, on a GPU (bfloat16 autocast where it has it) and, started by ``accelerate launch`` or
``torchrun``, on many.
"""

import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from datasets import Dataset
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from .decoding import decode_answers
from .features import make_features
from .files import whole_file, whole_folder
from .metrics import Scores, score
from .model import MODEL_INPUTS, ExtractiveQA, check_fits, make_batch, predict_logits

CHECKPOINTS = "checkpoints"  # folder inside output_dir that holds unfinished work


@dataclass(frozen=True)
class FineTuneConfig:
    """Settings of one fine-tuning run.

    Attributes:
        epochs: passes over the training features; ``max_steps`` (optimizer steps), if given, overrides it.
        batch_size: features per optimizer step and device; ``gradient_accumulation`` steps add up to one.
        learning_rate: peak; rises linearly over ``warmup`` (a share of all steps), then falls linearly to 0.
        weight_decay, max_grad_norm: AdamW's decay and the norm gradients are clipped to.
        max_length, stride: tokens per window and shared between windows (see ``make_features``).
        max_answer_length, n_best: limits of decoding when evaluating; ``null_threshold`` for SQuAD 2.0.
        seed: of shuffling and dropout.
        group_by_length: batch windows of similar length together, which leaves little padding.
        evaluate_every: optimizer steps between EM/F1 on ``eval_examples``; None only at the end.
        log_every: optimizer steps between entries of the history.
        save_every: optimizer steps between checkpoints; None saves only the result. Needs ``output_dir``.
        output_dir: where the result (and unfinished work) goes; None keeps the result in memory only.
        resume: continue from the last checkpoint found in ``output_dir``.
        overwrite: replace a finished model in ``output_dir``.
        precision: "auto" (bfloat16 autocast on a GPU that has it, float32 otherwise), "bf16" or "float32".
        progress: a progress bar; None shows one on a terminal only.
    """

    epochs: float = 2.0
    max_steps: int | None = None
    batch_size: int = 16
    gradient_accumulation: int = 1
    learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    max_length: int = 384
    stride: int = 128
    max_answer_length: int = 30
    n_best: int = 20
    null_threshold: float | None = None
    seed: int = 42
    group_by_length: bool = True
    evaluate_every: int | None = None
    log_every: int = 10
    save_every: int | None = None
    output_dir: str | None = None
    resume: bool = True
    overwrite: bool = False
    precision: str = "auto"
    progress: bool | None = None


@dataclass
class FineTuneResult:
    """What :func:`fine_tune` returns.

    Attributes:
        model: the trained model, in evaluation mode (the object that was given).
        history: one dict per log entry: ``step``, ``epoch``, ``seconds``, and ``loss``, ``learning_rate``,
            ``grad_norm`` or ``exact_match``, ``f1``.
        scores: EM and F1 on ``eval_examples`` after training; None if there were none.
        steps: optimizer steps taken in total; ``features``: training windows.
        seconds: of training, evaluation included; preparation of features not.
        output_dir: where the model was saved, or None.
    """

    model: nn.Module = field(repr=False)
    history: list[dict] = field(repr=False)
    scores: Scores | None
    steps: int
    features: int
    seconds: float
    output_dir: str | None = None


def fine_tune(
    model: nn.Module,
    tokenizer,
    train_examples: Dataset | Sequence[dict],
    eval_examples: Dataset | Sequence[dict] | None = None,
    config: FineTuneConfig | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> FineTuneResult:
    """Fine-tune a model to answer questions with spans.

    Args:
        model: :class:`ExtractiveQA` or what :func:`qa_helpers.load_model` gave; trained in place.
        tokenizer: the checkpoint's own.
        train_examples, eval_examples: rows in the course's schema.
        config: see :class:`FineTuneConfig`.
        callbacks: further ``TrainerCallback`` objects.

    Returns:
        :class:`FineTuneResult`.

    Raises:
        ValueError: bad examples or settings, an output folder that holds other work, or a loss that is not finite.
    """
    config = config or FineTuneConfig()
    _check(config)
    cut = {"tokenizer": tokenizer, "max_length": config.max_length, "stride": config.stride}
    features = make_features(train_examples, **cut)
    lengths = features.with_format("numpy")["input_ids"][:]
    check_fits(model, lengths, torch.tensor([len(row) for row in lengths]))
    inputs = [name for name in (*MODEL_INPUTS, "start_positions", "end_positions") if name in features.column_names]
    training_set = features.select_columns(inputs).add_column("length", [len(row) for row in lengths])
    evaluate = None
    if eval_examples is not None:
        eval_features = make_features(eval_examples, labels=False, **cut)

        def evaluate() -> Scores:
            logits = predict_logits(model, eval_features, batch_size=2 * config.batch_size)
            limits = {"n_best": config.n_best, "max_answer_length": config.max_answer_length}
            answers = decode_answers(
                eval_examples, eval_features, *logits, null_threshold=config.null_threshold, **limits
            )
            return score(answers, eval_examples)

    history = _History(config, evaluate)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(config.output_dir) / CHECKPOINTS if config.output_dir else Path(scratch)
        trainer = Trainer(
            model=model,
            args=_arguments(config, folder),
            train_dataset=training_set,
            data_collator=lambda rows: make_batch({k: [r[k] for r in rows] for k in inputs}, tokenizer),
            processing_class=tokenizer,
            callbacks=[history, *callbacks],
        )
        trainer.remove_callback(PrinterCallback)  # it prints every log entry; the history keeps them instead
        last = _last_checkpoint(folder, config)
        start = time.perf_counter()
        trainer.train(resume_from_checkpoint=last)
        seconds = time.perf_counter() - start
    model.eval()
    scores = history.finish(trainer.state)
    if config.output_dir and trainer.is_world_process_zero():
        with whole_folder(config.output_dir) as partial:
            save_model(model, tokenizer, partial)
    return FineTuneResult(
        model, history.rows, scores, trainer.state.global_step, len(features), seconds, config.output_dir
    )


def save_model(model: nn.Module, tokenizer, folder: str | Path) -> None:
    """Write a model (as the library's class, safetensors) and its tokenizer into a folder."""
    if isinstance(model, ExtractiveQA):
        model = model.to_library()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _check(config: FineTuneConfig) -> None:
    for name in ("epochs", "batch_size", "gradient_accumulation", "learning_rate", "log_every"):
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be positive, got {getattr(config, name)}")
    if config.max_steps is not None and config.max_steps < 1:
        raise ValueError(f"max_steps must be positive (or None to train for epochs), got {config.max_steps}")
    if config.precision not in ("auto", "bf16", "float32"):
        raise ValueError(f"precision is 'auto', 'bf16' or 'float32', got {config.precision!r}")
    if config.save_every and not config.output_dir:
        raise ValueError("save_every needs an output_dir to save checkpoints in")
    if config.output_dir:
        folder = Path(config.output_dir)
        if folder.is_file():
            raise ValueError(f"output_dir {folder.name!r} is a file; name a folder")
        kept = [p.name for p in folder.iterdir() if p.name != CHECKPOINTS] if folder.is_dir() else []
        if kept and not config.overwrite:
            raise ValueError(
                f"output_dir {folder.name!r} already holds {kept[0]!r}: choose another folder, or set overwrite=True "
                "(--overwrite) to replace the whole folder"
            )


def _arguments(config: FineTuneConfig, folder: Path) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    bf16 = config.precision == "bf16" or (config.precision == "auto" and on_gpu and torch.cuda.is_bf16_supported())
    progress = sys.stderr.isatty() if config.progress is None else config.progress
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=config.warmup,  # below 1 it is a share of all steps
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        train_sampling_strategy="group_by_length" if config.group_by_length else "random",
        length_column_name="length",
        bf16=bf16,
        tf32=True if on_gpu else None,
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        dataloader_num_workers=2 if on_gpu else 0,
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,  # a loss that is not a number should stop the run, not be smoothed away
        save_strategy="steps" if config.save_every else "no",
        save_steps=config.save_every or 500,
        save_total_limit=2,
        eval_strategy="no",
        report_to="none",
        disable_tqdm=not progress,
        seed=config.seed,
        data_seed=config.seed,
        log_level="error",
    )


def _last_checkpoint(folder: Path, config: FineTuneConfig) -> str | None:
    """The checkpoint to resume from; refuses to continue a run that had other settings."""
    if not config.save_every:
        return None
    record = folder / "config.json"
    settings = {k: v for k, v in asdict(config).items() if k not in ("resume", "overwrite", "progress", "output_dir")}
    last = get_last_checkpoint(str(folder)) if config.resume and folder.is_dir() else None
    if last and record.is_file() and (before := json.loads(record.read_text())) != settings:
        changed = sorted(k for k in settings if before.get(k) != settings[k])
        raise ValueError(
            f"{folder} holds an unfinished run with other settings ({', '.join(changed)}): use the same settings to "
            "resume it, or resume=False (--no-resume) to start over"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if last is None:  # a new run: an older one's checkpoints must not be taken for its own
        for stale in folder.glob("checkpoint-*"):
            shutil.rmtree(stale, ignore_errors=True)
    with whole_file(record) as partial:
        partial.write_text(json.dumps(settings))
    return last


class _History(TrainerCallback):
    """Keeps what Trainer logs, measures EM/F1 at intervals, and stops a run whose loss is not finite."""

    def __init__(self, config: FineTuneConfig, evaluate):
        self.config, self.evaluate = config, evaluate
        self.rows: list[dict] = []
        self.start = time.perf_counter()
        self.scored_step, self.scores = -1, None

    def on_train_begin(self, args, state, control, **_):
        self.start = time.perf_counter()

    def on_log(self, args, state, control, logs=None, **_):
        entry = {k: logs[k] for k in ("loss", "learning_rate", "grad_norm") if logs and k in logs}
        loss = (logs or {}).get("loss", (logs or {}).get("train_loss", 0.0))  # train_loss: the mean, once at the end
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} at step {state.global_step}: training diverged. Lower the learning rate "
                f"(now {self.config.learning_rate:g}) or check the data"
            )
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
        self._add(state, {"exact_match": self.scores.exact_match, "f1": self.scores.f1})

    def _add(self, state, entry: dict):
        seconds = time.perf_counter() - self.start
        self.rows.append({"step": state.global_step, "epoch": state.epoch, "seconds": seconds, **entry})
