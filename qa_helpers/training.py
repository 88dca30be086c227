"""Fine-tuning: examples → a trained model, its history and its scores, with transformers' ``Trainer`` underneath.

The same call trains on a CPU (with quick dropout, see ``engine/quick_dropout.py``), on a GPU (in mixed precision) and,
started by ``accelerate launch`` or ``torchrun``, on several GPUs.
"""

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from datasets import Dataset
from torch import nn
from transformers import TrainerCallback, TrainerState, TrainingArguments
from transformers.utils import is_torch_tf32_available

from .checkpoints import load_model, settle_tokenizer
from .course import FineTuneConfig as FineTuneConfig
from .engine.columns import lengths_of, list_column
from .engine.precision import check_fits, half_precision
from .engine.processes import decided_by_main, main_process_first
from .engine.progress_bars import library_bars
from .engine.quick_dropout import quick_dropout
from .engine.resume import CHECKPOINTS, describe_run, find_checkpoint, find_finished, write_finished
from .engine.sampler import TrainingOrder
from .engine.settings import check_settings
from .engine.trainer import CourseTrainer, WindowBatches, history_of
from .engine.training_bar import TrainingBar, plan_training
from .engine.whole_files import model_size, require_space_for_run, whole_folder
from .evaluation import Evaluation
from .features import make_features
from .metrics import Scores
from .model import ExtractiveQA

DECODING = ("max_answer_length", "null_threshold", "align_to_words")  # settings of decode_answers


@dataclass
class FineTuneResult:
    """What :func:`fine_tune` returns.

    Attributes:
        model: the trained model, in evaluation mode (the same object that was passed in).
        history: one dict per log entry: ``step``, ``epoch``, ``seconds``, and ``loss`` (mean since the previous entry,
            or since a resume), ``learning_rate``, ``grad_norm`` or ``exact_match``, ``f1``; also those before a resume.
        scores: EM and F1 on ``eval_examples`` after training; None if there were none.
        steps, features: optimizer steps taken in total, and training windows.
        seconds: training time, with evaluation but without preparing features, also that before a resume.
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
            it keeps the weights it had reached: load it again to start over, or resume from a checkpoint
            (``save_every``).
        tokenizer: the checkpoint's own, from :func:`qa_helpers.load_tokenizer` or transformers' ``AutoTokenizer``.
        train_examples, eval_examples: rows in the course's schema.
        callbacks: additional ``TrainerCallback`` objects. If one has a method ``on_history(rows, steps)``, it is called
            at each new row with the whole history so far and the number of steps of the whole run.

    Raises:
        ValueError: bad examples or settings; an output folder that contains other work, a different unfinished run, or
            a damaged last checkpoint; a loss that is not finite; not enough memory or disk space. With ``save_every``,
            at most the steps since the last checkpoint are lost, whatever happens; earlier contents of ``output_dir``
            are left untouched.
    """
    config = config or FineTuneConfig()
    check_settings(config)
    tokenizer = settle_tokenizer(tokenizer, model.config)

    # Examples → windows to train on, and windows to be scored on.
    cut = {"tokenizer": tokenizer, "max_length": config.max_length, "stride": config.stride}
    with main_process_first():  # the others find the features in its cache
        features = make_features(train_examples, **cut, progress=config.progress)
    input_ids = list_column(features, "input_ids")
    check_fits(model, input_ids)
    if config.output_dir and isinstance(model, ExtractiveQA):
        with torch.device("meta"):
            model.to_library()  # a model with another head could not be saved, so it is refused before training
    evaluation = None
    if eval_examples is not None:
        decoding = {name: getattr(config, name) for name in DECODING}
        shown = {"progress": config.progress}
        evaluation = Evaluation(eval_examples, **cut, batch_size=2 * config.batch_size, **shown, **decoding)

    with tempfile.TemporaryDirectory() as scratch:
        # A new run, one that continues from a checkpoint, or one that has already finished.
        checkpoints = Path(config.output_dir) / CHECKPOINTS if config.save_every else None
        run = describe_run(config, features, model) if checkpoints else None
        if run and config.resume and not config.overwrite:
            finished = decided_by_main(lambda: find_finished(Path(config.output_dir), run))
            if finished:
                return _take_finished(model, finished, evaluation, len(features), config)
        if config.output_dir:
            require_space_for_run(model, config.output_dir, checkpoints)
        start = decided_by_main(lambda: find_checkpoint(checkpoints, run, model, config.resume)) if run else None

        # Train and score.
        args = _arguments(config, checkpoints or Path(scratch), scored=evaluation is not None)
        sizes = {"batch_size": config.batch_size, "accumulation": config.gradient_accumulation}
        place = {"process": args.process_index, "processes": args.world_size}
        order = TrainingOrder(lengths_of(input_ids), **sizes, seed=config.seed, group=config.group_by_length, **place)
        windows = WindowBatches(features, tokenizer, multiple=1 if args.use_cpu else 8)  # 8 suits a GPU's matrix units
        with TrainingBar(config.progress, lambda steps: plan_training(steps, config, order, model, evaluation)) as bar:
            trainer = CourseTrainer(model, args, windows, order, config.max_length, evaluation, bar, callbacks)
            try:
                with quick_dropout(model) if args.use_cpu else nullcontext():
                    trainer.train_from(start)
            finally:
                model.eval()  # also after an interruption: the model can answer with the weights it has reached
            scores = trainer.final_scores()

    if config.output_dir:
        decided_by_main(lambda: _save(model, tokenizer, config, run, trainer.state))
    return _result(model, trainer.state, scores, len(features), config)


def _take_finished(
    model: nn.Module, state: TrainerState, evaluation: Evaluation | None, features: int, config: FineTuneConfig
) -> FineTuneResult:
    """The result of a run that has already finished, with its weights loaded into ``model``."""
    own = model.to_library() if isinstance(model, ExtractiveQA) else model  # the same tensors, under the saved names
    own.load_state_dict(load_model(config.output_dir).state_dict())
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return _result(model, state, evaluation.run(model)[0] if evaluation else None, features, config)


def _result(model, state: TrainerState, scores: Scores | None, features: int, config: FineTuneConfig) -> FineTuneResult:
    seconds = state.log_history[-1]["seconds"]
    return FineTuneResult(model, history_of(state), scores, state.global_step, features, seconds, config.output_dir)


def _save(model: nn.Module, tokenizer, config: FineTuneConfig, run: dict | None, state: TrainerState) -> None:
    with whole_folder(config.output_dir, model_size(model)) as partial:
        save_model(model, tokenizer, partial)
        if run:
            write_finished(partial, run, model, state)


def save_model(model: nn.Module, tokenizer, folder: str | Path) -> None:
    """Write a model (as the library's class, safetensors) and its tokenizer into a folder."""
    if isinstance(model, ExtractiveQA):
        model = model.to_library()
    with library_bars(downloads=False, data=False):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _arguments(config: FineTuneConfig, folder: Path, scored: bool = False) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    best = {torch.bfloat16: "bf16", torch.float16: "fp16", None: "float32"}[half_precision("cuda" if on_gpu else "cpu")]
    precision = best if config.precision == "auto" else config.precision
    every = config.evaluate_every if scored else None
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=config.warmup,  # a value below 1 is a share of all steps
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        tf32=True if is_torch_tf32_available() else None,  # GPUs older than 2020 lack it, and asking is an error
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        dataloader_num_workers=2 if on_gpu else 0,
        ddp_find_unused_parameters=False,
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,  # a loss that is not a number should stop the run, not be smoothed away
        save_strategy="steps" if config.save_every else "no",
        save_steps=config.save_every or 500,
        save_total_limit=2,
        eval_strategy={None: "no", "epoch": "epoch"}.get(every, "steps"),
        eval_steps=every if isinstance(every, int) else None,
        report_to="none",
        disable_tqdm=True,  # the course has its own bar
        seed=config.seed,
        log_level="error",
    )
