"""What every notebook starts with: ``course = qa.setup()``, the one line that chooses data, checkpoint and size.

``engine/amounts.py`` decides how much a lesson trains on, in a row for each experiment; a lesson asks by its name::

    train, validation = course.examples_for("tour", data)
    config = course.fine_tune_config("tour")
"""

import os
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

from .engine.amounts import AMOUNTS, Amount

MINI_MAX_LENGTH, MINI_STRIDE = 256, 64  # most passages of the mini corpus fit one window; the long ones need several
SIZES = ("trial", "quick", "full")
SMALL_ENCODER = 3_000_000  # weights in the layers; the course's own have about 400,000, bert-base has 85 million


def setting(default, help: str):
    """A field with the sentence that explains it, used here and on the command line."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class FineTuneConfig:
    """Settings of one fine-tuning run.

    Attributes:
    """

    # The optimizer's steps (lesson 06 writes its loop with these settings).
    epochs: float = setting(2.0, "Passes over the training windows.")
    max_steps: int | None = setting(None, "Stop after this many optimizer steps, whatever the number of epochs.")
    batch_size: int = setting(16, "Windows per batch on each device.")
    gradient_accumulation: int = setting(1, "Batches per optimizer step on each device.")
    learning_rate: float = setting(5e-5, "Peak learning rate: a linear rise over the warm-up, then a linear fall to 0.")
    warmup: float = setting(0.1, "Share of all steps during which the learning rate rises.")
    weight_decay: float = setting(0.01, "AdamW's weight decay.")
    max_grad_norm: float = setting(1.0, "Gradients are clipped to this norm.")
    # Windows and answers (lessons 03 and 08).
    max_length: int = setting(384, "Tokens per window, question included.")
    stride: int = setting(128, "Context tokens that neighbouring windows share.")
    max_answer_length: int = setting(30, "Longest answer in tokens.")
    null_threshold: float | None = setting(
        None, "Answer '' if null score - best score exceeds this (SQuAD 2.0); without it, always answer."
    )
    align_to_words: bool = setting(False, "Widen answers to whole words.")
    # The run: its order, its history, what it leaves behind (lessons 06 and 07).
    seed: int = setting(42, "Seed for shuffling and dropout.")
    group_by_length: bool = setting(True, "Batch windows of similar length together, to reduce padding.")
    evaluate_every: int | str | None = setting(
        None, "Steps between EM/F1 on the evaluation examples, or 'epoch'; None scores only at the end."
    )
    log_every: int = setting(10, "Steps between entries of the history.")
    save_every: int | None = setting(None, "Steps between checkpoints to resume from; needs an output directory.")
    output_dir: str | None = setting(
        None, "Folder for the fine-tuned model and unfinished work; None keeps the model in memory."
    )
    resume: bool = setting(
        True,
        "Continue from the last checkpoint in the output directory, if settings, data and starting weights are those it "
        "was made with; if the run has already finished there, use its result instead of training again.",
    )
    overwrite: bool = setting(False, "Replace a finished model in the output directory.")
    precision: str = setting(
        "auto", "auto (half precision on a GPU, float32 on a CPU), bf16, fp16 (on a GPU only) or float32."
    )
    progress: bool | None = setting(None, "Show bars and estimates; None shows them in a notebook and on a terminal.")


FineTuneConfig.__doc__ += "".join(f"    {f.name}: {f.metadata['help']}\n    " for f in fields(FineTuneConfig))


@dataclass(frozen=True)
class Course:
    """The source and checkpoint a notebook works with, and the settings that suit them.

    Attributes:
        source: what ``load_squad`` takes; checkpoint: what ``load_tokenizer`` and ``load_model`` take.
        max_length, stride: tokens per window, and tokens that neighbouring windows share.
        device: "cuda" or "cpu".
        size: "quick", "full" (the published recipe) or "trial" (a few steps). The embedded corpus has one size only.
        folder: where runs keep their checkpoints and results; None keeps them in memory only.
    """

    source: str
    checkpoint: str
    max_length: int
    stride: int
    device: str
    size: str = "quick"
    folder: str | None = None

    @property
    def is_mini(self) -> bool:
        """Whether the embedded corpus is in use."""
        from .data import MINI_NAMES

        return self.source in MINI_NAMES

    @cached_property
    def is_small_encoder(self) -> bool:
        """Whether the encoder is as small as the course's own, which train on a CPU in minutes."""
        from .checkpoints import layer_weights, load_config

        return layer_weights(load_config(self.checkpoint)) < SMALL_ENCODER

    @property
    def pace(self) -> str:
        """The column of ``AMOUNTS`` in use: "mini" or the size. Without a GPU a "quick" run of a large encoder would
        take hours, so there it is a "trial"."""
        if self.is_mini:
            return "mini"
        slow = self.device == "cpu" and not self.is_small_encoder
        return "trial" if self.size == "quick" and slow else self.size

    def amount(self, experiment: str) -> Amount:
        """How much an experiment uses: rows, steps, how often it is scored; a ValueError if the name is unknown."""
        from .data import unknown_name

        if experiment not in AMOUNTS:
            raise ValueError(unknown_name("experiment", experiment, AMOUNTS, "a new row in course.AMOUNTS"))
        return AMOUNTS[experiment][self.pace]

    def load_data(self):
        """What ``load_squad`` gives for the source."""
        from .data import load_squad

        return load_squad(self.source)

    def examples_for(self, experiment: str, data) -> tuple:
        """(train, validation): as many examples of ``data`` as the experiment uses, the same ones in every run."""
        amount = self.amount(experiment)
        counts = {"train": amount.train_rows, "validation": amount.eval_rows}
        return tuple(draw(data[split], count, amount.shuffled) for split, count in counts.items())

    def windows_that_cut(self, examples, tokenizer, at_least: int = 5) -> tuple[int, int]:
        """(max_length, stride) with which at least so many examples have several windows: the course's own or, if
        nearly all contexts are short, half or a quarter of both."""
        pairs = tokenizer(list(examples["question"]), list(examples["context"]), verbose=False)["input_ids"]
        max_length, stride = self.max_length, self.stride
        while max_length > 96 and sum(len(ids) > max_length for ids in pairs) < at_least:
            max_length, stride = max_length // 2, stride // 2
        return max_length, stride

    def what_to_expect(self, experiment: str | None = None) -> str:
        """What is known about the scores of the course's checkpoint, and how much an experiment trains here."""
        from .mini.comparison import known_scores

        known = known_scores(self)
        return known if experiment is None else f"{known}\nHere: {self.amount(experiment).in_words(self.pace)}."

    def load_tokenizer(self):
        """The checkpoint's tokenizer."""
        from .checkpoints import load_tokenizer

        return load_tokenizer(self.checkpoint)

    def load_model(self, **options):
        """The checkpoint's encoder with a question answering head, on the course's device."""
        from .checkpoints import load_model

        return load_model(self.checkpoint, **options).to(self.device)

    def fine_tune_config(self, experiment: str | None = None, **changes):
        """A ``FineTuneConfig`` that suits source, checkpoint and size.

        The small encoders take a learning rate thirty times that of the usual ones. With their small vocabularies,
        names that they have not seen are cut into many pieces, so their answers are widened to whole words. If the
        course has a folder, a long run keeps checkpoints there and, when run again, continues from the last one.

        Args:
            experiment: a row of ``AMOUNTS``; None for a run of your own.
            changes: settings to use instead.
        """
        amount = self.amount(experiment) if experiment else Amount(epochs=self.amount("tour").epochs)
        settings = {
            "epochs": amount.epochs,
            "max_steps": amount.max_steps,
            "batch_size": amount.batch_size,
            "learning_rate": amount.small_learning_rate if self.is_small_encoder else amount.learning_rate,
            "evaluate_every": amount.evaluate_every,
            "max_length": self.max_length,
            "stride": self.stride,
            "align_to_words": self.is_mini or self.is_small_encoder,
        }
        if self.folder and amount.save_every:
            kind = f"{Path(self.source).name}-{Path(self.checkpoint).name}"
            kept = Path(self.folder) / f"{experiment}-{kind}-{self.pace}"
            settings |= {"output_dir": str(kept), "save_every": amount.save_every}
        return FineTuneConfig(**{**settings, **changes})

    def __str__(self) -> str:
        said = (
            f"source {os.path.basename(self.source)}, checkpoint {os.path.basename(self.checkpoint)}, windows of "
            f"{self.max_length} tokens sharing {self.stride}, on {self.device}"
        )
        if not self.is_mini:
            said += f", size {self.size}"
            if self.pace != self.size:
                said += " (without a GPU this checkpoint gets only a few steps, to show that everything runs)"
        return said + (f", runs kept in {self.folder}" if self.folder else "")


def draw(rows, count: int | None, shuffled: bool = True):
    """``count`` rows of a Dataset, the same ones each time: drawn at random, or the first ones; None: all."""
    if count is None:
        return rows
    return (rows.shuffle(seed=0) if shuffled else rows).select(range(min(count, len(rows))))


def setup(
    source: str | None = None,
    checkpoint: str | None = None,
    seed: int = 0,
    size: str | None = None,
    folder: str | None = None,
) -> Course:
    """Choose data, checkpoint and size, and seed the random generators.

    Args:
        source: as in :func:`qa_helpers.load_squad`; default: the environment variable ``QA_SOURCE``, then ``"mini"``.
        checkpoint: as in :func:`qa_helpers.load_model`; default: ``QA_CHECKPOINT``, then ``"mini-bert"``.
        size: ``"quick"`` (sized so that the tour should take about ten minutes on one GPU and a later lesson about
            twenty), ``"full"`` (the published recipe) or ``"trial"`` (a few steps, to see that everything runs);
            default: ``QA_SIZE``, then ``"quick"``. The embedded corpus has one size.
        folder: where long runs keep checkpoints, so that they can continue after an interruption; ``"drive"`` in Colab
            mounts Google Drive and uses a folder there. Default: ``QA_FOLDER``, then ``runs`` for size "full", else
            none.

    Returns:
        :class:`Course`; print it to see what was chosen.

    Raises:
        ValueError: an unknown size, or ``"drive"`` outside Colab.
    """
    import torch
    import transformers

    from .data import MINI_NAMES, unknown_name
    from .engine.drive import mounted_drive
    from .engine.progress_bars import bars_shown, set_library_bars

    source = source or os.environ.get("QA_SOURCE") or "mini"
    checkpoint = checkpoint or os.environ.get("QA_CHECKPOINT") or "mini-bert"
    size = size or os.environ.get("QA_SIZE") or "quick"
    if size not in SIZES:
        raise ValueError(unknown_name("size", size, SIZES, "leave it out for 'quick'"))
    set_library_bars(weights=False, downloads=bars_shown(), data=False)
    transformers.set_seed(seed)
    mini = source in MINI_NAMES
    max_length, stride = (MINI_MAX_LENGTH, MINI_STRIDE) if mini else _window(checkpoint)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = folder or os.environ.get("QA_FOLDER") or ("runs" if size == "full" and not mini else None)
    if folder == "drive":
        folder = mounted_drive()
    return Course(str(source), str(checkpoint), max_length, stride, device, size, folder and str(folder))


def _window(checkpoint: str) -> tuple[int, int]:
    """384 tokens sharing 128, as in the published recipes; fewer if a local checkpoint has fewer positions. (Those on
    the hub are not asked, since that needs a network and the usual ones have 512.)"""
    from .checkpoints import is_local, load_config, longest_input

    known = longest_input(load_config(checkpoint)) if is_local(checkpoint) else None
    longest = min(384, known or 384)
    return longest, longest // 3
