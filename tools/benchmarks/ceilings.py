"""What the machine can do at most, and what a training has to do at least."""

import time

import numpy as np
import torch
from torch import nn

from qa_helpers.classroom.machine import count_flops
from qa_helpers.model import half_precision


def matrix_peak(size: int | None = None, seconds: float = 2.0) -> float:
    """Operations per second of large matrix products, the best of several: float32 on a CPU, half precision on a GPU."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = size or (8192 if device == "cuda" else 2048)
    dtype = half_precision(device) or torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        if device == "cuda":
            torch.cuda.synchronize()
        begun = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best


def training_flops(model: nn.Module, lengths) -> float:
    """Operations of one pass over windows of these lengths, forward and backward, had none of them any padding.

    The matrix products of a window grow with its tokens n as a·n + b·n² (attention): two lengths tell a and b.
    """
    from transformers import AutoModelForQuestionAnswering

    with torch.device("meta"):
        twin = AutoModelForQuestionAnswering.from_config(model.config)

    def of_window(tokens: int) -> int:
        batch = {
            "input_ids": torch.zeros(1, tokens, dtype=torch.long, device="meta"),
            "start_positions": torch.zeros(1, dtype=torch.long, device="meta"),
            "end_positions": torch.zeros(1, dtype=torch.long, device="meta"),
        }
        return count_flops(twin, batch)

    short, long = 64, 128
    a, b = np.linalg.solve([[short, short**2], [long, long**2]], [of_window(short), of_window(long)])
    tokens = np.asarray(lengths, np.float64)
    return float((a * tokens + b * tokens**2).sum())
