"""What every notebook starts with: ``course = qa.setup()``, the one line that chooses data and checkpoint."""

import os
from dataclasses import dataclass

from .data import MINI_NAMES, load_squad


@dataclass(frozen=True)
class Course:
    """The source and checkpoint a notebook works with, and the settings that suit them.

    Attributes:
        source: what ``load_squad`` takes; checkpoint: what ``load_tokenizer`` and ``load_model`` take.
        max_length, stride: tokens per window and shared between windows.
        device: "cuda" or "cpu".
    """

    source: str
    checkpoint: str
    max_length: int
    stride: int
    device: str

    @property
    def is_mini(self) -> bool:
        """Whether the embedded corpus is in use (its facts are invented; its runs take minutes on a laptop)."""
        return self.source in MINI_NAMES

    def load_data(self):
        """The examples: a DatasetDict with ``train`` and ``validation``."""
        return load_squad(self.source)

    def load_tokenizer(self):
        """The checkpoint's tokenizer."""
        from .checkpoints import load_tokenizer

        return load_tokenizer(self.checkpoint)

    def load_model(self, **options):
        """The checkpoint's encoder with a question answering head, on the course's device."""
        from .checkpoints import load_model

        return load_model(self.checkpoint, **options).to(self.device)

    def fine_tune_config(self, **changes):
        """Settings of a fine-tuning run that suit the source: ``FineTuneConfig``, with ``changes`` applied.

        The small encoders take a learning rate twenty times that of the real ones, and less than two passes. With their
        few tokens, names they have not seen are cut in many pieces, so their answers are widened to whole words.
        """
        from .training import FineTuneConfig

        real, mini = (
            {"epochs": 2.0, "learning_rate": 3e-5},
            {"epochs": 1.8, "learning_rate": 1e-3, "align_to_words": True},
        )
        suited = mini if self.is_mini else real
        return FineTuneConfig(**{"max_length": self.max_length, "stride": self.stride, **suited, **changes})

    def __str__(self) -> str:
        return (
            f"source {os.path.basename(self.source)}, checkpoint {os.path.basename(self.checkpoint)}, windows of "
            f"{self.max_length} tokens sharing {self.stride}, on {self.device}"
        )


def setup(source: str | None = None, checkpoint: str | None = None, seed: int = 0) -> Course:
    """Choose data and checkpoint, seed the random generators and quiet the libraries' progress bars.

    Args:
        source: as in :func:`qa_helpers.load_squad`; default: the environment's ``QA_SOURCE``, then ``"mini"``.
        checkpoint: as in :func:`qa_helpers.load_model`; default: ``QA_CHECKPOINT``, then ``"mini-bert"``.

    Returns:
        :class:`Course`; print it to see what was chosen.
    """
    import datasets
    import torch
    import transformers

    source = source or os.environ.get("QA_SOURCE") or "mini"
    checkpoint = checkpoint or os.environ.get("QA_CHECKPOINT") or "mini-bert"
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.set_seed(seed)
    mini = source in MINI_NAMES
    max_length, stride = (MINI_MAX_LENGTH, MINI_STRIDE) if mini else (384, 128)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Course(str(source), str(checkpoint), max_length, stride, device)


MINI_MAX_LENGTH, MINI_STRIDE = 256, 64  # most passages of the mini corpus fit one window; the long ones need several
