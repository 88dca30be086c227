"""The error message when the machine or the GPU runs out of memory: which batch it was, and what to try next."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from accelerate.utils import release_memory
from accelerate.utils.memory import should_reduce_batch_size


@contextmanager
def explain_out_of_memory(doing: str, windows: int, tokens: int, remedy: str) -> Iterator[None]:
    """Turn an out-of-memory error into a ValueError that names the batch and what to try next.

    The memory of the failed computation is released, so that the next try in the same notebook starts with free memory.

    Args:
        doing: what was being done ("training, at step 12").
        windows, tokens: shape of the batch, after padding.
        remedy: what to try next.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not (isinstance(error, MemoryError) or should_reduce_batch_size(error)):
            raise
        told = str(error).strip().splitlines()
        traceback.clear_frames(error.__traceback__)  # a notebook keeps the traceback, which would keep the tensors
        release_memory()
        raise ValueError(
            f"out of memory while {doing}, with a batch of {windows:,} windows of {tokens:,} tokens: {remedy}"
            + (f" ({told[0][:200]})" if told else "")
        ) from error


def smaller_batches(batch_size: int, gradient_accumulation: int, max_length: int) -> str:
    """The settings to try after a batch of training did not fit in memory."""
    if batch_size > 1:
        return (
            f"try batch_size={batch_size // 2} with gradient_accumulation={2 * gradient_accumulation}, which computes "
            "a step in smaller pieces. (That is another run: if one is unfinished in output_dir, add resume=False)"
        )
    return f"one window at a time is too much, so try shorter ones: max_length={max_length // 2}, and half the stride"


def fewer_at_once(batch_size: int) -> str:
    """The setting to try after a batch of prediction did not fit in memory."""
    if batch_size > 1:
        return f"try batch_size={batch_size // 2}; the logits are the same"
    return "one window at a time is too much, so make features with a shorter max_length"
