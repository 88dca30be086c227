"""The number format that a device computes in, and whether windows fit a model."""

import numpy as np
import torch
from torch import nn

from ..checkpoints import longest_input


def half_precision(device: str | torch.device) -> torch.dtype | None:
    """The number format that autocast should use on a device: bfloat16 on a GPU that has it (compute capability 8.0 or
    more), float16 on an older one (Colab's T4, where PyTorch only emulates bfloat16, slowly), None on a CPU."""
    if torch.device(device).type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def autocast(device: torch.device):
    """Autocast to :func:`half_precision` on a GPU; nothing elsewhere."""
    dtype = half_precision(device)
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def check_fits(model: nn.Module, input_ids) -> None:
    """Raise a ValueError if windows do not fit a model: too many tokens, or token ids outside its vocabulary.

    Args:
        input_ids: a row (tokens,) per window.
    """
    config = model.config
    longest = max(map(len, input_ids), default=0)
    positions = longest_input(config)
    # Relative and rotary positions are computed, not looked up, so they never run out.
    computed = not getattr(config, "position_biased_input", True) or getattr(config, "rope_parameters", None)
    if positions and not computed and longest > positions:
        raise ValueError(
            f"a window has {longest} tokens, the model takes {positions}: "
            f"make features with max_length={positions} or less"
        )
    largest = max((int(np.max(row)) for row in input_ids if len(row)), default=0)
    if largest >= config.vocab_size:
        raise ValueError(
            f"token id {largest} is outside the model's vocabulary of {config.vocab_size}: the features were made with "
            "another checkpoint's tokenizer; load both from the same checkpoint"
        )
