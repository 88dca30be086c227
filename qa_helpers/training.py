"""Fine-tuning: examples → a trained model, its history and its scores; transformers' ``Trainer`` underneath.

The same call trains on a CPU (with quick dropout, see ``_dropout.py``), on a GPU (in mixed precision) and, started by
``accelerate launch`` or ``torchrun``, on many.
"""

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from datasets import Dataset
from torch import nn
from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import is_torch_tf32_available

from .checkpoints import load_model
from .course import FineTuneConfig as FineTuneConfig
from .engine.checksums import write_checksums
from .engine.columns import lengths_of, list_column
from .engine.processes import decided_by_main, main_process_first
from .engine.quick_dropout import quick_dropout
from .engine.resume import (
    CHECKPOINTS,
    describe_run,
    find_checkpoint,
    find_finished,
    forget_run,
    is_finished,
    read_history,
    remember_run,
    write_finished,
)
from .engine.sampler import TrainingOrder
from .engine.trainer import CourseTrainer, History, WindowBatches, take_off_autocast
from .engine.training_bar import TrainingBar, plan_training
from .engine.watched import model_size, require_space_for_run
from .engine.whole_files import whole_folder
from .evaluation import Evaluation
from .features import make_features
from .metrics import Scores
from .model import ExtractiveQA, check_fits, half_precision


@dataclass
class FineTuneResult:
    """What :func:`fine_tune` returns.

    Attributes:
        model: the trained model, in evaluation mode (the object that was given).
        history: one dict per log entry: ``step``, ``epoch``, ``seconds``, and ``loss`` (mean since the entry before, or
            since a resume), ``learning_rate``, ``grad_norm`` or ``exact_match``, ``f1``. Whole after a resume, too.
        scores: EM and F1 on ``eval_examples`` after training; None if there were none.
        steps: optimizer steps taken in total; ``features``: training windows.
        seconds: of training, evaluation included, preparation of features not; after a resume, what was spent up to the
            checkpoint is counted.
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
        model: :class:`ExtractiveQA` or what :func:`qa_helpers.load_model` gave; trained in place. After an interruption
            it has the weights it had reached: load it again to start over, or resume from a checkpoint (``save_every``).
        tokenizer: the checkpoint's own.
        train_examples, eval_examples: rows in the course's schema.
        config: see :class:`FineTuneConfig`.
        callbacks: further ``TrainerCallback`` objects. One with a method ``on_history(rows, steps)`` is called at each
            new row with the whole history so far and the number of steps of the whole run.

    Returns:
        :class:`FineTuneResult`.

    Raises:
        ValueError: bad examples or settings, an output folder that holds other work, an unfinished run in it that is not
            this one, a loss that is not finite, memory or a disk that is full. Where ``save_every`` is given, at most the
            steps since the last checkpoint are lost, whatever happened; what ``output_dir`` held before is untouched.
    """
    config = config or FineTuneConfig()
    _check(config)
    cut = {"tokenizer": tokenizer, "max_length": config.max_length, "stride": config.stride}
    with main_process_first():  # the others find the features in its cache
        features = make_features(train_examples, **cut, progress=config.progress)
    ids = list_column(features, "input_ids")
    check_fits(model, ids)
    evaluate = evaluation = None
    bar = TrainingBar(config.progress, lambda steps: plan_training(steps, config, order, model, evaluation))
    if eval_examples is not None:
        limits = {"n_best": config.n_best, "max_answer_length": config.max_answer_length}
        rules = {"null_threshold": config.null_threshold, "align_to_words": config.align_to_words}
        shown = {"progress": config.progress}
        evaluation = Evaluation(eval_examples, **cut, batch_size=2 * config.batch_size, **shown, **limits, **rules)

        def evaluate() -> Scores:  # with what will be saved, during training, too
            autocast = take_off_autocast(model)
            try:
                with bar.scoring():
                    return evaluation.run(model)[0]
            finally:
                vars(model).update(autocast)

    history = History(config, evaluate, [c.on_history for c in callbacks if hasattr(c, "on_history")])
    with tempfile.TemporaryDirectory() as scratch, bar:
        folder = Path(config.output_dir) / CHECKPOINTS if config.output_dir else Path(scratch)
        last = None
        if config.output_dir:
            require_space_for_run(model, config.output_dir, folder if config.save_every else None)
        if config.save_every:
            run = describe_run(config, features, model, folder)
            done = None
            if config.resume and not config.overwrite:
                done = decided_by_main(lambda: find_finished(Path(config.output_dir), run, model))
            if done:
                return _finished(model, config, done, len(features), evaluate)
            last = decided_by_main(lambda: find_checkpoint(folder, run, config.resume, config.lower_learning_rate))
            remember_run(model, folder, run)
        if last:
            history.rows, history.earlier = read_history(last)
        args = _arguments(config, folder)
        order = TrainingOrder(
            lengths_of(ids),
            config.batch_size,
            config.gradient_accumulation,
            config.seed,
            config.group_by_length,
            config.batch_tokens,
            args.process_index,
            args.world_size,
        )
        trainer = CourseTrainer(
            model=model,
            args=args,
            train_dataset=WindowBatches(features, tokenizer, _padding_multiple(config)),
            processing_class=tokenizer,
            callbacks=[order, bar, history, *callbacks],
        )
        trainer.order = order
        trainer.remove_callback(PrinterCallback)  # it prints every log entry; the history keeps them instead
        trainer.windows, trainer.max_length, trainer.batch_tokens = features, config.max_length, config.batch_tokens
        on_cpu = args.device.type == "cpu" and not config.compile  # what is compiled draws its numbers itself
        try:
            with quick_dropout(model) if on_cpu else nullcontext():
                trainer.train_from(last)
        finally:
            model.eval()  # after an interruption, too: the model answers with the weights it has reached
            take_off_autocast(model)
        seconds = history.seconds()
        forget_run(model, folder)
        scores = history.finish(trainer.state)
    if config.output_dir:
        with main_process_first():
            if trainer.is_world_process_zero():
                with whole_folder(config.output_dir, model_size(model)) as partial:
                    save_model(model, tokenizer, partial)
                    if config.save_every:
                        write_finished(partial, run, model, history.rows, seconds, trainer.state.global_step)
    return FineTuneResult(
        model, history.rows, scores, trainer.state.global_step, len(features), seconds, config.output_dir
    )


def _finished(model: nn.Module, config: FineTuneConfig, done: tuple, features: int, evaluate) -> FineTuneResult:
    """The result of a run that came to its end before, with its weights put into ``model``."""
    rows, seconds, steps = done
    own = model.to_library() if isinstance(model, ExtractiveQA) else model  # the same tensors, under the saved names
    own.load_state_dict(load_model(config.output_dir).state_dict())
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return FineTuneResult(model, rows, evaluate() if evaluate else None, steps, features, seconds, config.output_dir)


def _padding_multiple(config: FineTuneConfig) -> int:
    if config.compile:
        return 64  # few lengths: each is compiled by itself
    return 8 if torch.cuda.is_available() else 1  # a GPU's matrix units work on eights


def save_model(model: nn.Module, tokenizer, folder: str | Path) -> None:
    """Write a model (as the library's class, safetensors), its tokenizer and their checksums into a folder."""
    if isinstance(model, ExtractiveQA):
        model = model.to_library()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_checksums(folder)


def _check(config: FineTuneConfig) -> None:
    for name in ("epochs", "batch_size", "gradient_accumulation", "learning_rate", "log_every"):
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be positive, got {getattr(config, name)}")
    if config.max_steps is not None and config.max_steps < 1:
        raise ValueError(f"max_steps must be positive (or None to train for epochs), got {config.max_steps}")
    every = config.evaluate_every
    if every is not None and every != "epoch" and not (isinstance(every, int) and every > 0):
        raise ValueError(f"evaluate_every is a number of steps, 'epoch' or None, got {every!r}")
    if config.batch_tokens is not None and config.batch_tokens < config.max_length:
        raise ValueError(
            f"batch_tokens {config.batch_tokens} does not hold one window of max_length {config.max_length}: raise it"
        )
    if config.precision not in ("auto", "bf16", "fp16", "float32"):
        raise ValueError(f"precision is 'auto', 'bf16', 'fp16' or 'float32', got {config.precision!r}")
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise ValueError("precision 'fp16' needs a GPU; on a CPU take 'float32', or 'bf16' to see its effect")
    if config.save_every and not config.output_dir:
        raise ValueError("save_every needs an output_dir to save checkpoints in")
    if config.output_dir:
        folder = Path(config.output_dir)
        if folder.is_file():
            raise ValueError(f"output_dir {folder.name!r} is a file; name a folder")
        kept = [p.name for p in folder.iterdir() if p.name != CHECKPOINTS] if folder.is_dir() else []
        takes_it = config.save_every and config.resume and is_finished(folder)
        if kept and not config.overwrite and not takes_it:
            raise ValueError(
                f"output_dir {folder.name!r} already holds {kept[0]!r}: choose another folder, or set overwrite=True "
                "(--overwrite) to replace the whole folder"
            )


def _arguments(config: FineTuneConfig, folder: Path) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    best = {torch.bfloat16: "bf16", torch.float16: "fp16", None: "float32"}[half_precision("cuda" if on_gpu else "cpu")]
    precision = best if config.precision == "auto" else config.precision
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
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        tf32=True if is_torch_tf32_available() else None,  # a GPU older than 2020 has none, and asking is an error
        use_cpu=not on_gpu,
        torch_compile=config.compile,
        dataloader_pin_memory=on_gpu,
        dataloader_num_workers=2 if on_gpu else 0,
        ddp_find_unused_parameters=False,
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,  # a loss that is not a number should stop the run, not be smoothed away
        save_strategy="steps" if config.save_every else "no",
        save_steps=config.save_every or 500,
        save_total_limit=2,
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,  # the bar is ours
        seed=config.seed,
        data_seed=config.seed,
        log_level="error",
    )
