"""Whether the settings of a fine-tuning run can be used."""

from pathlib import Path

import torch

from ..course import FineTuneConfig
from .resume import check_folder


def check_settings(config: FineTuneConfig) -> None:
    """Raise a ValueError that names the first setting with an impossible value, or a folder that holds other work."""
    for name in ("epochs", "batch_size", "gradient_accumulation", "learning_rate", "log_every"):
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be positive, got {getattr(config, name)}")
    if config.max_steps is not None and config.max_steps < 1:
        raise ValueError(f"max_steps must be positive (or None to train for epochs), got {config.max_steps}")
    every = config.evaluate_every
    if every is not None and every != "epoch" and not (isinstance(every, int) and every > 0):
        raise ValueError(f"evaluate_every is a number of steps, 'epoch' or None, got {every!r}")
    if config.precision not in ("auto", "bf16", "fp16", "float32"):
        raise ValueError(f"precision is 'auto', 'bf16', 'fp16' or 'float32', got {config.precision!r}")
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise ValueError("precision 'fp16' needs a GPU; on a CPU use 'float32', or 'bf16' to see its effect")
    if config.save_every and not config.output_dir:
        raise ValueError("save_every needs an output_dir to save checkpoints in")
    if config.output_dir:
        check_folder(Path(config.output_dir), config)
